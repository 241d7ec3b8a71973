"""`catena export` and `catena verify`."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.common import Context, Progress, command_options
from app.errors import InvalidInputError


@click.command()
@command_options
@click.option("--case", "case_ref", default=None, metavar="REF")
@click.option("--item", "item_ids", multiple=True, metavar="ID")
@click.option("--purpose", default="", metavar="TEXT", help="For whom and what for; it stands in the bundle.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="BUNDLE.zip")
def export(context: Context, case_ref: str | None, item_ids: tuple[str, ...], purpose: str, output: Path) -> None:
    """Write a signed evidence bundle."""
    if (case_ref is None) == (not item_ids):
        raise InvalidInputError("bad_scope", "name either a --case or one or more --item")
    if output.exists():
        raise InvalidInputError("output_exists", f"{output} exists; bundles are never overwritten")
    if not output.parent.is_dir():
        raise InvalidInputError("no_such_folder", f"{output.parent} is not a folder")
    row = context.services.exports.create(
        context.who,
        case_ref=case_ref,
        item_ids=list(item_ids) or None,
        purpose=purpose,
        out=output,
        progress=Progress("export"),
    )
    document = {"id": row.id, "bundle": str(output), "sha256": row.sha256, "size": row.size}
    context.show(document, f"{output}: {row.size} bytes, sha256 {row.sha256}")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--trust", type=click.Path(path_type=Path), default=None, help="Certificates and log keys you trust.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option("--data", type=click.Path(path_type=Path), default=None, hidden=True)
def verify(path: Path, trust: Path | None, as_json: bool, data: Path | None) -> int:
    """Check a bundle offline: no archive, no database, no network."""
    from evidence_store.verify.__main__ import main

    del data  # taken because every command takes it; the verifier needs no archive
    arguments = [str(path)]
    if trust is not None:
        arguments += ["--trust", str(trust)]
    if as_json:
        arguments.append("--json")
    return main(arguments)


COMMANDS = (export, verify)
