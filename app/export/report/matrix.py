"""The element matrix of an incident: per element both sides, under the names of their authors, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.export.report.document import Block, Bullets, Cell, Code, Facts, Inline, Para, Ref, Said, Section, Table
from app.export.report.holding import Record, part
from app.export.report.words import moment, value_text

WITHHELD = "withheld from this bundle, which has a commitment to it"
_STANDING = {
    "reviewed": "stated and approved by a second person",
    "proposed": "stated, not yet approved by a second person",
    "people_differ": "people differ",
    "not_stated": "nobody has stated where it stands",
}


def matrix(document: Record, number: int, numbers: Mapping[str, int]) -> Section:
    """One matrix.

    Args:
        document: the record, of type "element matrix".
        number: in this report, from 1.
        numbers: of the items' sheets, by UUID.
    """
    incident = part(document, "incident")
    about: list[tuple[str, Cell]] = [
        ("Incident", Said(f"{incident['ref']}: {incident.get('title')}" if "ref" in incident else WITHHELD)),
        ("Catalogue", f"version {part(document, 'catalogue').get('version')}; {document.get('status')}"),
        ("Made", moment(str(document.get("made_at")))),
        ("What a link says", f"that its source {document.get('wording')} an element, in its author's opinion"),
    ]
    lead: list[Block] = [Facts("About this matrix", about)]
    if never := part(document, "ladder").get("never"):
        lead.append(Para(Said(f"Never stated here: {never}"), "warn"))
    anchor = f"matrix-{number}"
    parts = [
        _provision(each, f"{anchor}-{place}", numbers)
        for place, each in enumerate(_list(document, "provisions"), start=1)
    ]
    elsewhere = [_link(each, numbers) for each in _list(document, "contradicting_elsewhere")]
    told: list[Block] = [Bullets(elsewhere)] if elsewhere else [Para("None in this matrix.", "quiet")]
    parts.append(Section(f"{anchor}-elsewhere", "What speaks against provisions that are not shown", told))
    spoken = _list(document, "statements")
    statements = [Said(_statement(one)) for each in spoken for one in (each, *_list(each, "earlier"))]
    said: list[Block] = [Bullets(statements)] if statements else [Para("None is recorded for this incident.", "quiet")]
    parts.append(Section(f"{anchor}-statements", "Statements of the parties, denials first", said))
    title = Said(f"Element matrix: {incident.get('ref') or incident.get('id')}")
    return Section(anchor, title, lead, parts, new_page=True)


def _provision(provision: Record, anchor: str, numbers: Mapping[str, int]) -> Section:
    rows = [
        _element(element, str(group.get("heading")), numbers)
        for group in _list(provision, "groups")
        for element in _list(group, "elements")
    ]
    blocks: list[Block] = [
        Para(Said(f"{provision.get('summary') or ''} ({provision.get('confidence')}; {provision.get('status')})"))
    ]
    if rows:
        heads = ("Element", "Speaks for", "Speaks against", "Neutral or excluded", "State")
        blocks.append(Table("Elements with every standing link, both sides", heads, rows, (22, 24, 24, 16, 14)))
    blocks += _panels(provision)
    if assessments := _list(provision, "assessments"):
        blocks.append(Para("Assessments, as their authors wrote them:"))
        blocks.append(Bullets([_assessment(each) for each in assessments]))
    gaps = [_gap(each) for each in _list(provision, "gaps")]
    blocks.append(Para("Gaps: what is missing. A gap is no judgement." if gaps else "No gap was found.", "quiet"))
    if gaps:
        blocks.append(Bullets(gaps))
    return Section(anchor, Said(f"{provision.get('instrument')}, {provision.get('article')}"), blocks)


def _element(element: Record, heading: str, numbers: Mapping[str, int]) -> tuple[Cell, ...]:
    state = part(element, "state")
    standing = _STANDING.get(str(state.get("standing")), value_text(state.get("standing")))
    told = f"{value_text(state['value'])}: {standing}" if state.get("value") else standing
    other = [*_side(element, "neutral", numbers), *_side(element, "excluded", numbers)]
    return (
        (Said(str(element.get("text"))), Said(f"\n({heading})")),
        tuple(_side(element, "supports", numbers)) or "nothing",
        tuple(_side(element, "contradicts", numbers)) or "nothing",
        tuple(other) or "nothing",
        Said(told),
    )


def _side(element: Record, way: str, numbers: Mapping[str, int]) -> list[Inline]:
    told: list[Inline] = []
    for place, link in enumerate(_list(element, way)):
        told += [Said("\n")] if place else []
        told += [f"{way}: "] if way in {"neutral", "excluded"} else []
        told += _link(link, numbers)
    return told


def _link(link: Record, numbers: Mapping[str, int]) -> tuple[Inline, ...]:
    if link.get("withheld"):
        where = f"{link['provision']}: " if link.get("provision") else ""
        return (f"{where}{WITHHELD}",)
    source = part(link, "source")
    reference = str(source.get("ref") or source.get("item") or source.get("id") or "")
    number = numbers.get(reference)
    name: Inline = Ref(f"Item {number}", f"item-{number}") if number is not None else Code(reference or "a source")
    segment = f", {value_text(source['segment'])}" if source.get("segment") else ""
    weight = f"; weight: {value_text(link['weight'])}" if link.get("weight") else ""
    reviews = "; ".join(
        f"{each.get('decision')} by {part(each, 'reviewer').get('name') or 'somebody who is withheld'}"
        for each in _list(link, "reviews")
    )
    differ = "".join(
        f"; catalogue {each.get('catalogue_version')} sorts it as {value_text(each.get('group'))}: {each.get('side')}"
        for each in _list(link, "sides_differ")
    )
    mark = "" if link.get("standing") in {None, "stands"} else f" ({link['standing']})"
    where = f"{link['provision']}{mark}: " if link.get("provision") else ""
    earlier = "".join(
        f"; before that, {each.get('direction')}: {each.get('reasoning')}" for each in _list(link, "earlier")
    )
    now = f"now {link.get('direction')}: " if mark else ""
    author = value_text(part(link, "author").get("name"))
    return (
        where,
        name,
        Said(
            f"{segment}: {now}{link.get('reasoning') or ''} ({author}{weight}; {reviews or 'not reviewed'}{differ})"
            f"{earlier if mark else ''}"
        ),
    )


def _panels(provision: Record) -> list[Block]:
    panels = part(provision, "panels")
    rows: list[tuple[Cell, ...]] = []
    for name in panels:
        panel = part(panels, name)
        answers = [
            Said(f"{a.get('answer') or 'an answer'}: {WITHHELD if a.get('withheld') else a.get('text') or ''}")
            for a in _list(panel, "answers")
        ]
        rows.append(
            (name.replace("_", " "), value_text(panel.get("standing")).replace("_", " "), tuple(answers) or "-")
        )
    if not rows:
        return []
    return [
        Table("Questions that must be asked on the other side", ("Question", "Standing", "Answers"), rows, (26, 20, 54))
    ]


def _assessment(assessment: Record) -> Cell:
    if assessment.get("withheld"):
        return f"{value_text(assessment.get('outcome'))}: {WITHHELD}"
    author = value_text(part(assessment, "author").get("name"))
    head = f"{value_text(assessment.get('standard_means') or assessment.get('standard'))}: "
    tail = f" ({author}, {moment(str(assessment.get('created_at')))}; {assessment.get('review')})"
    changed = " What it rests on has changed since." if assessment.get("basis_changed") else ""
    said = f"{value_text(assessment.get('outcome'))}. {assessment.get('reasoning') or ''}"
    return (Said(head + said + tail + changed),)


def _gap(gap: Record) -> Cell:
    element = f" ({gap['element']})" if gap.get("element") else ""
    return Said(f"{gap.get('text')}{element}")


def _statement(statement: Record) -> str:
    if statement.get("withheld"):
        return f"A statement is here ({value_text(statement.get('goes_along') or 'named')}): {WITHHELD}"
    keys = ("kind", "speaker", "ref", "date", "text", "title", "summary")
    told = "; ".join(f"{value_text(statement[key])}" for key in keys if statement.get(key)) or value_text(statement)
    return told if "ref" in statement else f"The same in version {statement.get('version')}: {told}"


def _list(record: Mapping[str, Any], name: str) -> list[Record]:
    value = record.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
