"""`catena entry`: statements, aggregates, organisations and observations."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.common import Context, command_options, table
from app.cli.incident import CASE_OPTION, FACTS_FILE, case_id_of, case_of, read_file_or_stdin

KINDS = ("statement", "aggregate", "organisation", "observation", "tension")
BODY_OPTION = click.option(
    "--from", "body_file", type=FACTS_FILE, required=True, metavar="FILE", help="JSON; - is stdin."
)


@click.group()
def entry() -> None:
    """Statements, aggregates, organisations and observations, beside incidents."""


@entry.command("add")
@command_options
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("ref", metavar="ID")
@click.option("--case", "case_ref", required=True, metavar="REF")
@BODY_OPTION
def add_command(context: Context, kind: str, ref: str, case_ref: str, body_file: Path) -> None:
    """Enter one: ID is its id for people; an organisation's is its name."""
    from app.api.verification_views import entry_shown
    from app.law.suggestions_facts import read_json

    body = read_json(read_file_or_stdin(body_file))
    made = context.services.entries.add(context.who, case_of(context, case_ref), kind, ref, body)
    context.show(entry_shown(made).model_dump(mode="json"), f"{kind} {made.entry.id} ({ref})")


@entry.command("revise")
@command_options
@click.argument("entry_id", metavar="ID")
@BODY_OPTION
@click.option("--reason", required=True, metavar="TEXT", help="Why it is stated anew.")
@click.option("--version", type=int, required=True, metavar="N", help="The version that you had before you.")
def revise_command(context: Context, entry_id: str, body_file: Path, reason: str, version: int) -> None:
    """State one anew; earlier versions stay."""
    from app.api.verification_views import entry_shown
    from app.law.suggestions_facts import read_json

    made = context.services.entries.revise(
        context.who, entry_id, read_json(read_file_or_stdin(body_file)), reason, version
    )
    context.show(entry_shown(made).model_dump(mode="json"), f"{made.entry.ref}: version {made.record.number}")


@entry.command("list")
@command_options
@CASE_OPTION
@click.option("--kind", type=click.Choice(KINDS), default=None)
def list_command(context: Context, case_ref: str | None, kind: str | None) -> None:
    """All entries that you may read, of a kind or of all."""
    from app.api.verification_views import entry_shown

    case_id, cursor, found = case_id_of(context, case_ref), None, []
    while True:
        page = context.services.entries.list_entries(context.who, case_id, kind, cursor=cursor, limit=500)
        found += [entry_shown(view).model_dump(mode="json") for view in page.entries]
        cursor = page.cursor
        if cursor is None:
            break
    rows = [[one["kind"], one["ref"], str(one["version"]), _says(one["body"])[:70]] for one in found]
    context.show({"entries": found}, lambda: table(rows, ["kind", "id", "version", "says"]))


@entry.command("show")
@command_options
@click.argument("entry_id", metavar="ID")
@click.option("--personal", is_flag=True, help="With personal data; the read is recorded.")
def show_command(context: Context, entry_id: str, personal: bool) -> None:
    """One entry with every version."""
    from app.api.verification_views import entry_shown

    found = context.services.entries.get(context.who, entry_id, personal=personal)
    history = context.services.entries.history(context.who, found.entry.id)
    document = {
        **entry_shown(found, personal=personal).model_dump(mode="json"),
        "versions": [entry_shown(view, personal=personal).model_dump(mode="json") for view in history],
    }
    lines = [
        f"{document['kind']} {document['ref']}  (id {document['id']}, version {document['version']})",
        *(f"  {name}: {value}" for name, value in document["body"].items()),
        *(
            f"  version {one['version']} by {one['author']['name']} at {one['created_at']}: {one['reason'] or 'first'}"
            for one in document["versions"]
        ),
    ]
    context.show(document, "\n".join(lines))


def _says(body: dict[str, object]) -> str:
    said = next((body[name] for name in ("text", "summary", "claim", "seen", "role", "name") if body.get(name)), "")
    return f"{body['speaker']}: {said}" if body.get("speaker") else str(said)


COMMANDS = (entry,)
