"""`catena disclose` and `catena disclosures`: opening what a bundle kept back, and the register of who got what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.cli.common import Context, command_options
from app.errors import InvalidInputError
from evidence_store.durable import coded_errors

KIND = click.Choice(
    ["court", "prosecution", "defence", "investigation", "expert", "partner", "public", "other"], case_sensitive=False
)


@click.command()
@command_options
@click.argument("export_id", metavar="EXPORT")
@click.option("--to", "recipient", required=True, metavar="NAME", help="Who gets it.")
@click.option("--kind", type=KIND, default="other", help="What kind of recipient that is.")
@click.option("--purpose", required=True, metavar="TEXT", help="Why; it stands in the log and the register.")
@click.option("--item", "items", multiple=True, metavar="ID", help="Only of this item, or entry of the dossier (UUID).")
@click.option(
    "--name", "names", multiple=True, metavar="NAME", help="Only values whose names begin so: source.collector"
)
@click.option("--release", default="", metavar="REASON", help="Why, although restrictions stand.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="OPENING.json")
def disclose(
    context: Context,
    export_id: str,
    recipient: str,
    kind: str,
    purpose: str,
    items: tuple[str, ...],
    names: tuple[str, ...],
    release: str,
    output: Path,
) -> None:
    """Disclose what a bundle kept back, in a file that 'catena verify BUNDLE --opening FILE' checks."""
    from app.disclosure.rules import parse_recipient

    if output.exists():
        raise InvalidInputError("output_exists", f"{output} exists and is never overwritten")
    if not output.parent.is_dir():
        raise InvalidInputError("no_such_folder", f"{output.parent} is not a folder")
    opened = context.services.openings.disclose(
        context.who, export_id, parse_recipient(recipient, kind), purpose, items, names, release
    )
    with coded_errors("write the opening file"), output.open("xb") as stream:
        stream.write(opened.data)
    counts = {"values": opened.values, "events": opened.events, "files": opened.files}
    document = {"id": opened.id, "opening": str(output), "sha256": opened.sha256, **counts}
    text = (
        f"{output}: {opened.values} value(s), {opened.events} event(s), {opened.files} file(s), sha256 {opened.sha256}"
    )
    context.show(document, text)


@click.group()
def disclosures() -> None:
    """The register: who got what, when, why, and what was kept back."""


@disclosures.command("list")
@command_options
@click.option("--case", "case_ref", default=None, metavar="REF")
@click.option("--item", "item_id", default=None, metavar="ID")
@click.option("--csv", "as_table", is_flag=True, help="Print a CSV table.")
def disclosures_list(context: Context, case_ref: str | None, item_id: str | None, as_table: bool) -> None:
    """Show the register, newest first."""
    from app.export.register import as_csv

    entries = context.services.register.entries(context.who, case_ref, item_id)
    shown = [entry.as_json() for entry in entries]
    if as_table:
        context.show({"disclosures": shown}, as_csv(entries))
        return
    context.show({"disclosures": shown}, lambda: "\n".join(map(_line, shown)) or "nothing was disclosed")


def _line(entry: dict[str, Any]) -> str:
    recipient = entry["recipient"]
    whom = "nobody named" if recipient is None else f"{recipient['name']} ({recipient['kind']})"
    kept = sum(bool(one["parts"]) for one in entry["marked"])
    against = len(entry["left_out"])
    more = f", {kept} item(s) marked" * bool(kept) + f", {against} left out that speak against" * bool(against)
    end = f"{len(entry['items'])} item(s){more}, {entry['sha256'] or entry['state']}"
    return f"{entry['created_at']}  {entry['kind']} {entry['export']} to {whom}: {end}"


COMMANDS = (disclose, disclosures)
