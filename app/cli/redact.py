"""`catena redact` and `catena redactions`: copies with regions hidden and without metadata."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click

from app.cli.common import Context, command_options
from app.errors import InvalidInputError
from app.evidence.work import job_record
from evidence_store.durable import coded_errors


@click.command()
@command_options
@click.argument("item_id", metavar="ITEM")
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="X,Y,W,H[,FROM,TO]",
    help="In pixels of the upright picture; of a recording also from when to when, in milliseconds of its proxy.",
)
@click.option("--method", type=click.Choice(["fill", "mosaic"]), default="fill", help="Only fill is safe.")
@click.option("--reason", required=True, metavar="TEXT")
@click.option("--later", is_flag=True, help="Have a worker make the copy of a recording.")
def redact(context: Context, item_id: str, regions: tuple[str, ...], method: str, reason: str, later: bool) -> None:
    """Make a copy with regions hidden, without metadata and sound; the original stays as it is."""
    asked = (context.who, item_id, [_region(text) for text in regions], method, reason)
    redactions_of = context.services.redactions
    if later and (job := redactions_of.redact_later(*asked, even_short=True)) is not None:
        told = job_record(job)
        context.show(told, f"Job {told['id']} makes it: catena jobs show {told['id']}")
        return
    made = redactions_of.redact(*asked).as_json()
    context.show(made, f"{_line(made)}\nIt waits for a second person: catena redactions review {made['id']}")


def _region(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        said = "--region takes X,Y,W,H in whole pixels, and FROM,TO in whole milliseconds"
        raise InvalidInputError("bad_region", said) from None


@click.group()
def redactions() -> None:
    """Redacted copies: list, look at, review."""


@redactions.command("list")
@command_options
@click.argument("item_id", metavar="ITEM")
def redactions_list(context: Context, item_id: str) -> None:
    """The redacted copies of an item."""
    shown = [one.as_json() for one in context.services.redactions.of_item(context.who, item_id)]
    context.show({"redactions": shown}, lambda: "\n".join(map(_line, shown)) or "there is none")


@redactions.command("show")
@command_options
@click.argument("redaction_id", metavar="ID")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE")
def redactions_show(context: Context, redaction_id: str, output: Path) -> None:
    """Write a redacted copy to a file, to be looked at; the read is recorded."""
    if output.exists():
        raise InvalidInputError("output_exists", f"{output} exists and is never overwritten")
    services = context.services
    view = services.redactions.get(context.who, redaction_id)
    services.redactions.record_access(context.who, view)
    with services.archive.blobs.open(view.row.sha256) as copy, coded_errors("write the copy"), output.open("xb") as out:
        shutil.copyfileobj(copy, out)
    context.show(view.as_json(), f"{output}: {_line(view.as_json())}")


@redactions.command("review")
@command_options
@click.argument("redaction_id", metavar="ID")
@click.option("--decision", type=click.Choice(["approve", "reject"]), required=True)
@click.option("--comment", default="", metavar="TEXT")
def redactions_review(context: Context, redaction_id: str, decision: str, comment: str) -> None:
    """Approve or reject somebody else's redacted copy."""
    view = context.services.redactions.review(context.who, redaction_id, decision, comment)
    context.show(view.as_json(), _line(view.as_json()))


def _line(one: dict[str, Any]) -> str:
    hidden = f"{len(one['regions'])} region(s) hidden ({one['method']})" if one["regions"] else "without metadata"
    return f"{one['id']}  {one['state']}  {one['width']} x {one['height']}, {hidden}, sha256 {one['sha256']}"


COMMANDS = (redact, redactions)
