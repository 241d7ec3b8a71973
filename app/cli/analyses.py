"""`catena items reanalyse`, `versions`, `changes`: versions of metadata records."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from app.cli.common import Context, command_options, table
from app.errors import ConflictError, InvalidInputError

if TYPE_CHECKING:
    from app.analysis.record_changes import Change

_WIDTH = 70


@click.command("reanalyse")
@command_options
@click.argument("item_id", metavar="[ID]", required=False)
@click.option("--case", "case_ref", default=None, metavar="REF", help="All items of a case.")
@click.option("--all-older", is_flag=True, help="All items whose record an older analyser made, or that have none.")
def items_reanalyse(context: Context, item_id: str | None, case_ref: str | None, all_older: bool) -> None:
    """Have items analysed again; each record before stays beside the new one."""
    services, who = context.services, context.who
    if item_id is not None and (case_ref is not None or all_older):
        raise InvalidInputError("bad_usage", "give either an ID, or --case REF and --all-older")
    if item_id is not None:
        number = services.versions.reanalyse(who, item_id)
        context.show({"asked": [{"item": item_id, "version": number}], "pending": []}, f"version {number} is asked for")
        return
    if case_ref is None and not all_older:
        raise InvalidInputError("bad_usage", "give an ID, --case REF or --all-older")
    case_id = services.evidence.find_case(who, case_ref).id if case_ref else None
    chosen = services.versions.outdated(who, case_id) if all_older else services.versions.items(who, case_id)
    asked, pending = [], []
    for item in chosen:
        try:
            asked.append({"item": item.id, "version": services.versions.reanalyse(who, item.id)})
        except ConflictError:
            pending.append(item.id)
    text = f"{len(asked)} items are analysed again; {len(pending)} have still to be analysed anyway"
    context.show({"asked": asked, "pending": pending}, text)


@click.command("versions")
@command_options
@click.argument("item_id", metavar="ID")
def items_versions(context: Context, item_id: str) -> None:
    """All runs of the analysis over an item, oldest first."""
    found = [asdict(one) for one in context.services.versions.list_versions(context.who, item_id)]
    rows = [
        [str(one["number"]), one["created_at"], one["state"], one["analyser"] or "-", (one["sha256"] or "-")[:16]]
        for one in found
    ]
    headings = ["version", "made", "state", "analyser", "sha256"]
    context.show({"item": item_id, "versions": found}, lambda: table(rows, headings))


@click.command("changes")
@command_options
@click.argument("item_id", metavar="ID")
@click.argument("before", type=click.IntRange(min=1))
@click.argument("after", type=click.IntRange(min=1))
def items_changes(context: Context, item_id: str, before: int, after: int) -> None:
    """What differs between two versions of an item's metadata record."""
    services = context.services
    item, _ = services.evidence.find_item(context.who, item_id)
    found = services.versions.changes(item.id, before, after)
    services.evidence.record_access(context.who, item, "metadata")
    document = {"item": item.id, "before": before, "after": after, "changes": [asdict(one) for one in found]}
    context.show(document, lambda: "\n".join(_line(one) for one in found) or "nothing differs")


def _line(change: Change) -> str:
    return f"{change.field}: {_short(change.before)} -> {_short(change.after)}"


def _short(value: object) -> str:
    if isinstance(value, dict) and "value" in value:
        return f"{value['value']} ({value.get('certainty')})"
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


COMMANDS = (items_reanalyse, items_versions, items_changes)
