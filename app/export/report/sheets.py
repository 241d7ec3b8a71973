"""One sheet per item: what it is, where and when, where from, what was found, what people say, who handled it."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from app.export.report import facts
from app.export.report.document import Block, Bullets, Cell, Code, Facts, Para, Picture, Ref, Said, Section, Table
from app.export.report.holding import Held, Holding, Record, part
from app.export.report.opinions import opinions
from app.export.report.received import came_from
from app.export.report.words import VERDICTS, basis, event_name, label, moment, size_text, value_text

MAX_EVENTS = 200
"""Events of one item that the report lists; `custody/events.jsonl` has all."""


def sheet(holding: Holding, held: Held, number: int, picture: Picture | None, numbers: Mapping[str, int]) -> Section:
    """The sheet of one item.

    Args:
        holding: the whole bundle.
        held: the item.
        number: in this report, from 1.
        picture: its preview, or None.
        numbers: of all items of the report, by UUID.
    """
    anchor = f"item-{number}"
    lead: list[Block] = [picture] if picture is not None else [Para("No preview is in this bundle.", "quiet")]
    found = facts.findings(held.metadata)
    made_with = facts.device(held.metadata)
    parts = [
        Section(f"{anchor}-file", "The file", [_file(held), _digests(held)]),
        Section(f"{anchor}-place", "Place", facts.place(held.metadata)),
        Section(f"{anchor}-time", "Time", facts.time(held.metadata, _stated(held)[0], held.item.received_at)),
        Section(f"{anchor}-device", "Device", [made_with]) if made_with is not None else None,
        Section(f"{anchor}-source", "Source", _source(held)),
        Section(f"{anchor}-findings", "Findings", [_findings(held, found)]),
        Section(f"{anchor}-matches", "Similar items in this bundle", [_matches(held, numbers)]),
        opinions(holding, held, f"{anchor}-law"),
        Section(f"{anchor}-custody", "Custody", [*_custody(held), *came_from(holding, held)]),
    ]
    title = Said(f"{number}. {held.item.original_name or '(no name)'}")
    return Section(anchor, title, lead, [each for each in parts if each is not None], new_page=True)


def _file(held: Held) -> Block:
    item = held.item
    rows: list[tuple[str, Cell]] = [
        ("Name as received", Said(item.original_name or "(none)")),
        ("Item", Code(item.item)),
        ("Case", Code(item.case)),
        ("Type", item.media_type or "not known: no analysis is in this bundle"),
        ("Size", size_text(item.digests.size)),
        *facts.picture_facts(held.metadata),
        ("Received", f"{moment(item.received_at)} ({basis('archive')}, by its own clock)"),
        ("In this bundle", Code(held.path)),
    ]
    return Facts("What the file is", rows)


def _digests(held: Held) -> Block:
    rows: list[tuple[str, Cell]] = [
        ("SHA-256", Code(held.item.digests.sha256)),
        ("SHA-512", Code(held.item.digests.sha512)),
    ]
    return Facts("Digests of the original, computed when it was received and again for this bundle", rows)


def _source(held: Held) -> list[Block]:
    """What is stated of the source, newest version first; nothing of it is the archive's finding."""
    newest, versions = _stated(held)
    blocks: list[Block] = []
    if not newest and held.events and held.events[0].get("withheld"):
        blocks.append(Para("What is stated of the source is withheld in this bundle.", "warn"))
    elif not newest:
        blocks.append(Para("Nothing is stated about where this file came from.", "quiet"))
    else:
        language = newest.get("caption_language")
        rows: list[tuple[str, Cell]] = [
            (label(key), Said(value_text(value), str(language) if key == "caption" and language else None))
            for key, value in newest.items()
        ]
        blocks.append(Facts("As the collector states it; the archive records it and does not vouch for it", rows))
    later = [each for each in versions if int(each.get("number") or 0) > 1]
    if later:
        blocks.append(Bullets([_version(each) for each in later]))
    if held.checks:
        blocks.append(_checks(held.checks))
    return blocks


def _stated(held: Held) -> tuple[Record, list[Record]]:
    """What is stated now, and every version that is a record of its own."""
    first = part(part(held.events[0] if held.events else None, "details"), "source")
    versions = sorted(held.sources, key=lambda each: int(each.get("number") or 0))
    return (part(versions[-1], "source") if versions else first), versions


def _version(version: Record) -> Cell:
    head = f"Version {version.get('number')} of these statements, {moment(str(version.get('created_at')))}: "
    return (head, Said(str(version.get("reason") or "no reason given")))


def _checks(checks: list[Record]) -> Block:
    ordered = sorted(checks, key=lambda each: int(each.get("number") or 0))
    rows = [
        (
            value_text(each.get("kind")).replace("_", " "),
            value_text(each.get("verdict")).replace("_", " "),
            {"archive": "this archive", "depositor": "the depositor, taken on his word"}.get(
                str(each.get("checked_by")), value_text(each.get("checked_by"))
            ),
            Said(value_text(part(each, "details").get("reason"))),
        )
        for each in ordered
    ]
    return Table(
        "Checks of hashes and signatures that the collector made",
        ("What", "Outcome", "Checked by", "Reason"),
        rows,
        (24, 16, 24, 36),
    )


def _findings(held: Held, found: list[Cell]) -> Block:
    if held.metadata is None:
        return Para("No metadata record is in this bundle: there are no findings to tell.", "warn")
    if not found:
        return Para("The analysis found nothing to remark. That is no sign that the file is authentic.", "quiet")
    return Bullets(found)


def _matches(held: Held, numbers: Mapping[str, int]) -> Block:
    if held.kept.matches:
        return Para("The record of similar items is withheld in this bundle.", "warn")
    if not held.matches:
        return Para("None was found among the items of this bundle; of other items it does not tell.", "quiet")
    rows: list[tuple[Cell, ...]] = []
    for match in held.matches:
        other = str(match.get("item"))
        number = numbers.get(other)
        name: Cell = Ref(f"Item {number}", f"item-{number}") if number is not None else Code(other)
        verdict = VERDICTS.get(str(match.get("verdict")), str(match.get("verdict")))
        rows.append((name, verdict, Said(str(match.get("explanation", "")))))
    return Table("Relations that the archive computed", ("Item", "Relation", "Why"), rows, (14, 26, 60))


def _custody(held: Held) -> list[Block]:
    listed = held.events[:MAX_EVENTS]
    decided = {str(one.get("id")) for match in held.matches for one in match.get("decisions") or ()}
    rows: list[tuple[Cell, ...]] = []
    for event in listed:
        actor = part(event, "actor")
        who = (Said(str(actor.get("name") or "-")), f" ({actor.get('auth') or '-'})")
        rows.append(
            (
                str(event.get("object_seq")),
                moment(str(event.get("time"))),
                event_name(str(event.get("type"))),
                who,
                told_of(event, decided),
            )
        )
    blocks: list[Block] = [
        Table(
            "Every event of this item up to the checkpoint, by the archive's clock",
            ("No.", "Time", "Event", "By", "More"),
            rows,
            (6, 22, 24, 20, 28),
        )
    ]
    if len(held.events) > len(listed):
        more = len(held.events) - len(listed)
        blocks.append(Para(f"{more} later events are not listed here; custody/events.jsonl has all of them.", "warn"))
    return blocks


def told_of(event: Record, decided: AbstractSet[str]) -> Cell:
    """What an event says besides its kind, in a few words.

    How many matches were found is not among them, nor what was decided on one with an item that is not in the bundle:
    that is of other cases.

    Args:
        event: as the bundle has it.
        decided: ids of the decisions on matches that the bundle tells of.
    """
    details = part(event, "details")
    if event.get("withheld"):
        return "withheld: only its place in the chain is told"
    if event.get("type") == "ingestion":
        return (f"{event.get('size')} bytes, SHA-256 ", Code(f"{str(event.get('sha256'))[:16]}..."))
    if "match_decision" in details and str(details["match_decision"]) not in decided:
        return "stands in custody/events.jsonl"
    said = [
        f"{name.replace('_', ' ')}: {value_text(details[name])}"
        for name in ("outcome", "decision", "direction", "provision", "part", "code", "reason", "purpose")
        if isinstance(details.get(name), str | int) and details[name] != ""
    ]
    made = [str(each.get("role")) for each in details.get("outputs") or () if isinstance(each, dict)]
    said += [f"made: {', '.join(made)}"] if made else []
    return Said("; ".join(said) or "-")
