"""The element matrix of an incident as one document: per provision and element, both sides, always whole. Pure.

1. Every standing link is in it, whatever its direction and whether it was reviewed; withdrawn and earlier ones too.
2. A matrix of chosen provisions still lists what speaks against any other one (`contradicting_elsewhere`), also what
   did and was withdrawn or superseded since, with that mark.
3. States and standards are what people stated. Gaps are told, and nothing is computed from how many links there are.
4. Statements of the case that are or may be denials or counter-allegations, in any version, always go along.
5. A link's side is that of the catalogue that it was made against, or of the newest one where that calls it against.
   An element by which protection is lost in either stands with those (ADR 52).
6. Titles and summaries of the catalogue are not part of it: some hold words that no output may use (ADR 29).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from app.assessment.groups import GROUPS, Group, Sorting, group_of
from app.assessment.ledger import Ledger, Line
from app.assessment.rules import COURT_ONLY, LADDER, PANELS, side_of
from app.assessment.shown import Shown, answer_shown, assessment_shown, link_shown, state_shown
from app.law.catalogue import Catalogue
from app.strings import message
from schemas.records.v1.assessment import ElementLinkRecord, Panel
from schemas.records.v1.provision import DRAFT_MARK, Element, Provision

WORDING = message("may_bear_on")
Application = Callable[[Provision], dict[str, JsonValue]]


@dataclass(frozen=True)
class Before:
    """All that a matrix is made of.

    Attributes:
        incident: the incident as the document names it.
        number: version of the newest catalogue, `catalogue`; `former` are the others that links were made against.
        suggestions: the answer of `app.law.suggestions.suggest`.
        statements: those of the case that bear on the incident, denials first.
        application: what the status data say of a provision.
    """

    incident: Shown
    ledger: Ledger
    number: int
    catalogue: Catalogue
    former: Mapping[int, Catalogue]
    suggestions: Mapping[str, JsonValue]
    statements: Sequence[Shown]
    application: Application

    @cached_property
    def sorting(self) -> Sorting:
        """The groups of elements in every version that a link was made against."""
        return Sorting(self.number, {**self.former, self.number: self.catalogue}.__getitem__)


def matrix(before: Before, chosen: Sequence[str], made_at: str) -> Shown:
    """The document.

    Args:
        before: see there.
        chosen: ids of provisions, in the order in which they are shown.
        made_at: RFC 3339 UTC.
    """
    return {
        "v": 1,
        "type": "element matrix",
        "wording": WORDING,
        "status": DRAFT_MARK,
        "incident": before.incident,
        "catalogue": {"version": before.number, "sha256": before.catalogue.sha256},
        "made_at": made_at,
        "ladder": {**{str(level): text for level, text in LADDER.items()}, "never": COURT_ONLY},
        "provisions": [_provision(before, name) for name in chosen],
        "contradicting_elsewhere": _elsewhere(before, chosen),
        "statements": [*before.statements],
        "suggestions": _suggestions(before),
    }


def _elsewhere(before: Before, chosen: Sequence[str]) -> list[JsonValue]:
    found: list[JsonValue] = []
    for line in before.ledger.of_kind("link"):
        record = line.record
        if not line.newest or line.row.provision_id in chosen or not isinstance(record, ElementLinkRecord):
            continue
        earlier = [one.record for one in _earlier(before.ledger, line)]
        said = [one for one in (record, *earlier) if isinstance(one, ElementLinkRecord) and _against(before, one)]
        if said:
            mark = "withdrawn" if record.withdrawn else "stands" if _against(before, record) else "superseded"
            found.append({**_link(before, line, record), "provision": record.provision.id, "standing": mark})
    return found


def _against(before: Before, record: ElementLinkRecord) -> bool:
    side = side_of(record.direction, *before.sorting.of_link(record))
    return record.direction == "contradicts" or side == "against"


def provisions_touched(ledger: Ledger, suggestions: Mapping[str, JsonValue]) -> list[str]:
    """The provisions of a whole matrix: those that anybody entered anything for, then those that are suggested.

    Also those that are suggested of one target or strike alone.
    """
    entered = [line.row.provision_id for line in ledger.lines]
    told = [suggestions, *_objects(suggestions.get("by_part"))]
    suggested = [str(one["provision"]) for each in told for one in _objects(each.get("suggest"))]
    return list(dict.fromkeys([*entered, *suggested]))


def _provision(before: Before, name: str) -> Shown:
    ledger = before.ledger
    entry = before.catalogue.provisions.get(name) or next(
        known.provisions[name] for _, known in sorted(before.former.items(), reverse=True) if name in known.provisions
    )
    elements = _elements(before, entry)
    groups = {one.id: _group(before, name, one) for one in elements}
    by_group: list[JsonValue] = []
    for group in GROUPS:
        here = [_element(before, name, one) for one in elements if groups[one.id] == group]
        if here:
            by_group.append({"group": group, "heading": message(f"group.{group}"), "elements": [*here]})
    assessments = [
        assessment_shown(line, record, _earlier(ledger, line), basis_changed=ledger.basis_changed(line))
        for line, record in ledger.assessments(name)
    ]
    suggestion = _suggestion(before.suggestions, name)
    return {
        "provision": name,
        "instrument": entry.instrument,
        "article": entry.article,
        "kind": entry.kind,
        "confidence": entry.confidence,
        "verified_scope": entry.verified_scope,
        "status": DRAFT_MARK,
        "suggestion": suggestion,
        "applicability": before.application(entry),
        "groups": by_group,
        "panels": {panel: _panel(before, name, panel) for panel in PANELS},
        "assessments": [*assessments],
        "withdrawn_assessments": [
            {"thread": line.row.thread_id, "reason": line.record.reason, "created_at": line.record.created_at}
            for line in ledger.of_kind("assessment", name)
            if line.newest and line.record.withdrawn
        ],
        "gaps": [*_gaps(before, name, elements)],
        "tasks": [
            {key: task[key] for key in ("fact", "task", "meaning", "would_show", "rules", "sources_differ")}
            for task in _objects(before.suggestions.get("tasks"))
            if name in _texts(task.get("provisions"))
        ],
    }


def _element(before: Before, name: str, element: Element) -> Shown:
    mine = [(line, record) for line, record in before.ledger.links(name) if record.element.id == element.id]
    sorted_links: Shown = {
        way: [_link(before, line, record) for line, record in mine if record.direction == way]
        for way in ("supports", "contradicts", "neutral", "excluded")
    }
    withdrawn = [
        line for line in before.ledger.of_kind("link", name, element.id) if line.newest and line.record.withdrawn
    ]
    return {
        "id": element.id,
        "text": element.text,
        "kind": element.kind,
        "in_catalogue": _in_catalogue(before, name, element.id),
        "state": state_shown(before.ledger.states(name, element.id)),
        **sorted_links,
        "withdrawn": [
            _link(before, line, line.record) for line in withdrawn if isinstance(line.record, ElementLinkRecord)
        ],
        "typical_evidence": [*element.typical_evidence],
    }


def _link(before: Before, line: Line, record: ElementLinkRecord) -> Shown:
    return link_shown(line, record, before.sorting, _earlier(before.ledger, line))


def _earlier(ledger: Ledger, line: Line) -> list[Line]:
    return [] if line.row.number == 1 else [one for one in ledger.thread(line.row.thread_id) if one is not line]


def _panel(before: Before, name: str, panel: Panel) -> Shown:
    held = [line.row.id for line, _ in before.ledger.held(name, panel, before.sorting)]
    return {
        "standing": before.ledger.panel(name, panel, before.sorting),
        "links": [*held],
        "answers": [answer_shown(line, record, held) for line, record in before.ledger.answers(name, panel)],
    }


def _gaps(before: Before, name: str, elements: Sequence[Element]) -> list[Shown]:
    """What is missing, in plain words; a gap is no judgement."""
    found: list[Shown] = []
    links = before.ledger.links(name)
    for element in elements:
        mine = [line for line, record in links if record.element.id == element.id and record.direction != "excluded"]
        if not mine:
            found.append(_gap("no_evidence_linked", element.id))
        elif not any(line.state == "approved" for line in mine):
            found.append(_gap("nothing_reviewed", element.id))
        standing = state_shown(before.ledger.states(name, element.id))["standing"]
        if standing == "not_stated":
            found.append(_gap("state_not_stated", element.id))
        elif standing == "people_differ":
            found.append(_gap("state_disputed", element.id))
    for panel in PANELS:
        standing = before.ledger.panel(name, panel, before.sorting)
        if standing in {"unanswered", "outdated"}:
            found.append(_gap(f"panel_{standing}", None, panel=panel))
    for line, record in before.ledger.assessments(name):
        if before.ledger.basis_changed(line):
            found.append(_gap("basis_changed", None, author=record.author.name, state=line.state))
    return found


def _gap(code: str, element: str | None, **about: str) -> Shown:
    """`about` is what the text names, for whoever says it in another language."""
    return {"code": code, "element": element, "about": {**about}, "text": message(f"gap.{code}").format(**about)}


def _group(before: Before, name: str, element: Element) -> Group:
    """Loss of protection as long as a standing link was made while the element was one; else as it is sorted now."""
    links = (record for _, record in before.ledger.links(name) if record.element.id == element.id)
    lost = any("loss_of_protection" in before.sorting.of_link(record) for record in links)
    return "loss_of_protection" if lost else group_of(element)


def _elements(before: Before, entry: Provision) -> list[Element]:
    """The provision's elements, and those of former catalogues for which anything was ever entered."""
    known = {element.id: element for element in entry.elements}
    for _, catalogue in sorted(before.former.items(), reverse=True):
        former = catalogue.provisions.get(entry.id)
        used = {line.row.part for line in before.ledger.lines if line.row.provision_id == entry.id}
        known |= {one.id: one for one in (former.elements if former else ()) if one.id not in known and one.id in used}
    return list(known.values())


def _in_catalogue(before: Before, name: str, element: str) -> bool:
    entry = before.catalogue.provisions.get(name)
    return entry is not None and any(one.id == element for one in entry.elements)


def _suggestion(suggestions: Mapping[str, JsonValue], name: str) -> Shown:
    """What the rules say of a provision, of the incident and of its parts, and what they would have one ask."""
    said = _suggested(suggestions, name)
    parts = _objects(suggestions.get("by_part"))
    of_parts = [
        {"strike": part["strike"], "target": part["target"], **told}
        for part in parts
        if (told := _suggested(part, name))["standing"] != "none"
    ]
    return {**said, "of_parts": [*of_parts]} if parts else said


def _suggested(suggestions: Mapping[str, JsonValue], name: str) -> Shown:
    for part in ("suggest", "suppressed", "possible"):
        for one in _objects(suggestions.get(part)):
            if one.get("provision") == name:
                kept = ("strength", "reason", "rules", "why", "needs", "counter_questions", "exculpatory_to_seek")
                return {"standing": part, **{key: one[key] for key in kept if key in one}}
    return {"standing": "none"}


def _suggestions(before: Before) -> Shown:
    kept = {
        "suggest": ("provision", "article", "strength", "rules", "reason"),
        "suppressed": ("provision", "article", "why", "rules"),
        "possible": ("provision", "article", "needs"),
        "ask_lawyer": ("provision", "article", "for", "against"),
    }
    return {
        part: [{key: one[key] for key in keys if key in one} for one in _objects(before.suggestions.get(part))]
        for part, keys in kept.items()
    }


def _objects(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: JsonValue) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
