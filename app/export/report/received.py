"""What is told of an item that came in a partner's bundle: whose, and that more is said there, for and against."""

from __future__ import annotations

from app.export.collect_received import RECEIVED, RECEIVED_ROLE
from app.export.report.document import Block, Cell, Code, Facts, Para, Said
from app.export.report.holding import Held, Holding, Record, part
from app.export.report.words import moment, value_text


def came_of(holding: Holding, held: Held) -> list[Record]:
    """The partners' bundles that an item came in, oldest first; none for an item of the archive's own."""
    told = part(holding.extra.get((RECEIVED_ROLE, "", RECEIVED)), "items").get(held.item.item)
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []


def came_from(holding: Holding, held: Held) -> list[Block]:
    """Each of these bundles, for the item's custody."""
    return [_bundle(each) for each in came_of(holding, held)]


def said_there(holding: Holding, held: Held) -> list[Block]:
    """That the partners say more, for the item's links."""
    blocks: list[Block] = []
    for each in came_of(holding, held):
        against = _counted(part(each, "against_there"))
        there = _counted(part(each, "said_there"))
        told = (
            f", which holds of what people there say: {there or 'nothing'}. That speaks against: {against or 'none'}. "
            f"Left out of it, by its own word, that speaks against: {value_text(each.get('left_out_there'))}. "
        )
        whose = Said(value_text(part(each, "archive").get("org")))
        blocks.append(Para(("This item came in a bundle of ", whose, told, "None of it is in this bundle."), "warn"))
    return blocks


def _bundle(told: Record) -> Block:
    archive = part(told, "archive")
    rows: list[tuple[str, Cell]] = [
        ("Archive", Said(value_text(archive.get("org")))),
        ("Id of that archive", Code(value_text(archive.get("id")))),
        ("Its bundle", Code(value_text(told.get("bundle_id")))),
        ("SHA-256 of the bundle", Code(value_text(told.get("bundle_sha256")))),
        ("The item there", Code(value_text(told.get("partner_item")))),
        ("Received here", f"{moment(value_text(told.get('received_at')))}; {value_text(told.get('outcome'))}"),
    ]
    return Facts("Came in a bundle of another archive, which is kept as it came", rows)


def _counted(counts: Record) -> str:
    return ", ".join(f"{value_text(name)}: {value_text(number)}" for name, number in sorted(counts.items()))
