"""What a bundle keeps back, as its manifest says: named, never told."""

from __future__ import annotations

from app.export.report.document import Block, Bullets, Cell, Code, Facts, Para, Said, Section
from app.export.report.holding import Holding, Record, part
from app.export.report.words import value_text

_COMMITTED = (
    "Parts of this selection are withheld from this recipient. For each there is a commitment under the seal: "
    "should it be disclosed later, it can be checked against this bundle. Nothing else is told of it."
)


def disclosed(holding: Holding) -> Record | None:
    """For whom the bundle was made and what it keeps back, as manifest.json has it; None where it says nothing."""
    disclosure = getattr(holding.plan, "disclosure", None)
    found = None if disclosure is None else disclosure.as_json()
    return found if isinstance(found, dict) else None


def recipient(holding: Holding) -> list[tuple[str, Cell]]:
    """The recipient, for the cover."""
    named = part(disclosed(holding), "recipient")
    return [("Made for", Said(f"{named.get('name')} ({named.get('kind')})"))] if named else []


def withheld(holding: Holding) -> list[Section]:
    """One section on what is kept back; none when nothing is."""
    told = disclosed(holding)
    items = [each for each in (told or {}).get("items") or () if isinstance(each, dict)]
    entries = [each for each in (told or {}).get("objects") or () if isinstance(each, dict)]
    against = part(told, "exculpatory")
    left_out = {name: number for name, number in part(against, "left_out").items() if number}
    if not items and not entries and not left_out:
        return []
    blocks: list[Block] = [Para(_COMMITTED, "warn")] if items or entries else []
    blocks += [_item(each) for each in items]
    blocks += [_entry(each) for each in entries]
    if left_out:
        blocks.append(Para("Not in this bundle although it speaks against, as whoever made it was told:"))
        blocks.append(Bullets([f"{value_text(name)}: {value_text(number)}" for name, number in left_out.items()]))
        blocks.append(Para(Said(f"Reason given: {value_text(against.get('acknowledged'))}")))
    title = "What is withheld" if items or entries else "What is left out"
    return [Section("withheld", title, blocks, new_page=True)]


def _item(item: Record) -> Block:
    place = item.get("place")
    number = str(place + 1) if isinstance(place, int) else "-"
    rows: list[tuple[str, Cell]] = [("Item", Code(str(item.get("item")))), ("State", value_text(item.get("state")))]
    title = f"Number {number} of the selection: names of what is withheld, and its commitment (SHA-256)"
    return Facts(title, [*rows, *_committed(item)])


def _entry(entry: Record) -> Block:
    kind, _, identity = str(entry.get("object")).partition(":")
    title = f"Of the dossier ({kind}): names of what is withheld, and its commitment (SHA-256)"
    return Facts(title, [("Entry", Code(identity)), *_committed(entry)])


def _committed(stated: Record) -> list[tuple[str, Cell]]:
    rows: list[tuple[str, Cell]] = [
        (value_text(each.get("name")).partition("/")[2], Code(value_text(each.get("sha256"))))
        for each in stated.get("commitments") or ()
        if isinstance(each, dict)
    ]
    rows += [
        (f"shown: {str(shown[1]).partition('/')[2]}", Said(value_text(shown[2])))
        for shown in stated.get("shown") or ()
        if isinstance(shown, list | tuple) and len(shown) == 3  # noqa: PLR2004 - salt, name, value
    ]
    return rows
