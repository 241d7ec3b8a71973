"""`catena export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.cli.common import Context, Progress, command_options
from app.errors import InvalidInputError
from app.export.rules import ANALYSES, DERIVATIVES, Options


@click.command()
@command_options
@click.option("--case", "case_ref", default=None, metavar="REF")
@click.option("--incident", default=None, metavar="ID", help="Its dossier, and every item that it refers to.")
@click.option("--item", "item_ids", multiple=True, metavar="ID")
@click.option(
    "--derivatives", type=click.Choice(DERIVATIVES), default="preview", help="Which files made from originals."
)
@click.option("--analyses", type=click.Choice(ANALYSES), default="all", help="Which metadata records and tracks.")
@click.option("--without-incidents", is_flag=True, help="Leave the dossier of the case out.")
@click.option("--purpose", default="", metavar="TEXT", help="For whom and what for; it stands in the bundle.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="BUNDLE.zip")
def export(
    context: Context,
    case_ref: str | None,
    incident: str | None,
    item_ids: tuple[str, ...],
    derivatives: str,
    analyses: str,
    *,
    without_incidents: bool,
    purpose: str,
    output: Path,
) -> None:
    """Write a signed evidence bundle."""
    if [case_ref is None, not item_ids, incident is None].count(False) != 1:
        raise InvalidInputError("bad_scope", "name either a --case, or an --incident, or one or more --item")
    if output.exists():
        raise InvalidInputError("output_exists", f"{output} exists; bundles are never overwritten")
    if not output.parent.is_dir():
        raise InvalidInputError("no_such_folder", f"{output.parent} is not a folder")
    row = context.services.exports.create(
        context.who,
        case_ref=case_ref,
        item_ids=list(item_ids) or None,
        incident=incident,
        options=Options(derivatives, analyses, "none" if without_incidents else "all"),
        purpose=purpose,
        out=output,
        progress=Progress("export"),
    )
    stamps = context.services.exports.stamps_in_bundle(row)
    document = {"id": row.id, "bundle": str(output), "sha256": row.sha256, "size": row.size, "in_bundle": stamps}
    context.show(document, f"{output}: {row.size} bytes, sha256 {row.sha256}\n{_time(stamps)}")


def _time(stamps: dict[str, Any] | None) -> str:
    """Which time stamps are in the bundle, in words."""
    parts = [
        f"{what} {', '.join(f'{state} ({tsa})' for tsa, state in sorted(stamps[part].items()))}"
        for part, what in (("checkpoint", "checkpoint"), ("seal", "seal of the bundle"))
        if stamps is not None and stamps[part]
    ]
    if not parts or stamps is None:
        return "time stamps: none, no authority is configured"
    if stamps["receipts"]:
        parts.append("receipts " + ", ".join(f"{number} {state}" for state, number in stamps["receipts"].items()))
    return f"time stamps: {'; '.join(parts)}"


COMMANDS = (export,)
