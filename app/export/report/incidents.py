"""Incidents and what belongs to them, as they were given; and the element matrix with both sides, its gaps included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.export.report.document import Block, Bullets, Cell, Facts, Para, Said, Section
from app.export.report.holding import Holding, Record, part
from app.export.report.matrix import matrix
from app.export.report.withheld import disclosed
from app.export.report.words import label, moment, value_text

_KINDS = {
    "incident": "Incident",
    "statement": "Statement",
    "aggregate": "Count",
    "organisation": "Organisation",
    "source": "Account",
    "tension": "Difference between sources",
    "reading": "Reading: facts that somebody assumes",
    "other": "Entry",
}
_ORDER = tuple(_KINDS)
MATRIX = "element matrix"


def incidents(holding: Holding, numbers: Mapping[str, int]) -> list[Section]:
    """One section for the dossier, with a part per entry, and one per element matrix; none when there is nothing."""
    records = [record for _, record in sorted(holding.extra.items())]
    newest, earlier = _newest(record for record in records if record.get("type") == "incident entry")
    claims = [record for record in records if record.get("type") == "incident claim"]
    matrices = [record for record in records if record.get("type") == MATRIX]
    sections: list[Section] = []
    if newest:
        lead = Para(
            "Entries stand as they were given, by the people named. Accounts that differ stand side by side: the "
            "archive does not choose between them.",
            "quiet",
        )
        partly = {str(each.get("object")) for each in (disclosed(holding) or {}).get("objects") or ()}
        parts = [_entry(one, earlier, claims, number, partly) for number, one in enumerate(newest, start=1)]
        sections.append(Section("incidents", "Incidents and what belongs to them", [lead], parts, new_page=True))
    sections += [matrix(one, number, numbers) for number, one in enumerate(matrices, start=1)]
    return sections


def _newest(entries: Iterable[Record]) -> tuple[list[Record], dict[str, list[Record]]]:
    by_id: dict[str, list[Record]] = {}
    for entry in entries:
        by_id.setdefault(str(entry.get("entry")), []).append(entry)
    for versions in by_id.values():
        versions.sort(key=lambda each: int(each.get("number") or 0))
    newest = [versions[-1] for versions in by_id.values()]
    newest.sort(key=lambda each: (_rank(each), str(each.get("ref")), str(each.get("entry"))))
    return newest, {key: versions[:-1] for key, versions in by_id.items()}


def _rank(entry: Record) -> int:
    kind = str(entry.get("kind"))
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _entry(
    entry: Record, earlier: Mapping[str, list[Record]], claims: list[Record], number: int, partly: set[str]
) -> Section:
    kind = _KINDS.get(str(entry.get("kind")), "Entry")
    author = part(entry, "author")
    body = part(entry, "body")
    rows: list[tuple[str, Cell]] = [(label(name), Said(value_text(value))) for name, value in body.items()]
    rows += [(f"{label(name)} (by fixed rules)", Said(value_text(v))) for name, v in part(entry, "standing").items()]
    rows.append(("Given by", (Said(str(author.get("name"))), f", {moment(str(entry.get('created_at')))}")))
    blocks: list[Block] = [Facts(f"Version {entry.get('number')}, as it was given", rows)]
    former = earlier.get(str(entry.get("entry")), [])
    if former:
        blocks.append(Bullets([_former(one) for one in former]))
    mine = [claim for claim in claims if claim.get("incident") == entry.get("entry")]
    if mine:
        replaced = {str(claim.get("supersedes")) for claim in mine if claim.get("supersedes")}
        blocks.append(Para("Who says what of it:"))
        blocks.append(Bullets([_claim(one, replaced) for one in sorted(mine, key=_when)]))
    if f"{entry.get('kind')}:{entry.get('entry')}" in partly:
        blocks.append(Para("More is on record of it and withheld from this bundle: see what is withheld.", "warn"))
    return Section(f"entry-{number}", Said(f"{kind} {entry.get('ref')}"), blocks)


def _former(entry: Record) -> Cell:
    reason = str(entry.get("reason") or "")
    head = f"Version {entry.get('number')}, {moment(str(entry.get('created_at')))}, was replaced; it is in the bundle."
    return (head, *((" ", Said(reason)) if reason else ()))


def _claim(claim: Record, replaced: set[str]) -> Cell:
    kind = "Seen" if claim.get("kind") == "observation" else "Said"
    tail = "; its author replaced it later" if str(claim.get("claim")) in replaced else ""
    tail += "; under a condition" if claim.get("conditional") else ""
    tail += "".join(f"; of {name} {claim[name]}" for name in ("strike", "target") if claim.get(name) is not None)
    language = claim.get("language")
    rests = [f"{one.get('kind')} {one.get('ref')}" for one in claim.get("rests_on") or () if isinstance(one, dict)]
    return (
        f"{kind} by ",
        Said(str(claim.get("speaker"))),
        ": ",
        Said(str(claim.get("text")), str(language) if language else None),
        Said(f" (entered by {value_text(part(claim, 'author').get('name'))}{tail}"),
        *(("; rests on ", Said(", ".join(rests))) if rests else ()),
        ")",
    )


def _when(record: Record) -> tuple[str, str]:
    return str(record.get("created_at")), str(record.get("ref"))
