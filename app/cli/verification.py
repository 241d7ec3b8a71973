"""`catena verification`: what one person worked out and another one signs off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.cli.common import FOUND_ERRORS, OK, Context, command_options, table
from app.cli.incident import CASE_OPTION, FACTS_FILE, case_id_of, case_of, read_file_or_stdin
from app.errors import InvalidInputError

KINDS = ("geolocation", "chronolocation", "corroboration", "translation", "attribution", "decision", "status")
BODY_OPTION = click.option(
    "--from", "body_file", type=FACTS_FILE, required=True, metavar="FILE", help="JSON; - is stdin."
)
VERSION_OPTION = click.option(
    "--version", type=int, required=True, metavar="N", help="The version that you had before you."
)
PERSONAL_OPTION = click.option("--personal", is_flag=True, help="With personal data; the read is recorded.")


@click.group()
def verification() -> None:
    """Places, times, corroborations, translations, attributions and decisions, and their sign-off."""


@verification.command("add")
@command_options
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--case", "case_ref", required=True, metavar="REF")
@click.option("--id", "ref", default=None, metavar="ID", help="Its id for people, unique in the case.")
@BODY_OPTION
def add_command(context: Context, kind: str, case_ref: str, ref: str | None, body_file: Path) -> None:
    """Enter a record; it is proposed until a second person signs it off."""
    from app.api.verification_views import summary_shown
    from app.law.suggestions_facts import read_json

    body = read_json(read_file_or_stdin(body_file))
    made = context.services.verifications.add(context.who, case_of(context, case_ref), kind, ref, body)
    document = summary_shown(made, personal=True).model_dump(mode="json")
    context.show(document, f"{kind} {made.row.id} ({made.row.ref}): {made.state}")


@verification.command("revise")
@command_options
@click.argument("verification_id", metavar="ID")
@BODY_OPTION
@click.option("--reason", required=True, metavar="TEXT", help="Why it is stated anew.")
@VERSION_OPTION
def revise_command(context: Context, verification_id: str, body_file: Path, reason: str, version: int) -> None:
    """State a record anew: earlier versions and reviews stay, and it is proposed again."""
    from app.api.verification_views import summary_shown
    from app.law.suggestions_facts import read_json

    body = read_json(read_file_or_stdin(body_file))
    made = context.services.verifications.revise(context.who, verification_id, body, reason, version)
    document = summary_shown(made, personal=True).model_dump(mode="json")
    context.show(document, f"{made.row.ref}: version {made.newest.number}, {made.state}")


@verification.command("review")
@command_options
@click.argument("verification_id", metavar="ID")
@click.option("--decision", required=True, metavar="WHAT", help="approve, reject or dissent")
@click.option("--comment", default="", metavar="TEXT", help="Reasons; only an approval may go without.")
@VERSION_OPTION
def review_command(context: Context, verification_id: str, decision: str, comment: str, version: int) -> None:
    """Decide on a record that somebody else made (--as USER says who you are)."""
    from app.api.verification_views import summary_shown
    from app.verification.service import Review

    made = context.services.verifications.review(context.who, Review(verification_id, decision, version, comment))
    context.show(summary_shown(made).model_dump(mode="json"), f"{made.row.ref}: {made.state}")


@verification.command("review-many")
@command_options
@click.argument("file", type=FACTS_FILE)
def review_many_command(context: Context, file: Path) -> None:
    """Decide on records of others, all or none: a JSON list of verification, decision, version, comment."""
    from app.api.verification_views import summary_shown
    from app.law.suggestions_facts import read_json
    from app.verification.service import Review

    given = read_json(read_file_or_stdin(file))
    if not isinstance(given, list):
        raise InvalidInputError("bad_reviews", "the file holds no list of decisions")
    try:
        reviews = [Review(**one) for one in given]
    except TypeError:
        raise InvalidInputError("bad_reviews", "a decision has verification, decision, version and comment") from None
    if not all(isinstance(one.version, int) and isinstance(one.comment, str) for one in reviews):
        raise InvalidInputError("bad_reviews", "a version is a number, a comment is text")
    views = context.services.verifications.review_all(
        context.who, [Review(str(one.verification), str(one.decision), one.version, one.comment) for one in reviews]
    )
    document = {"verifications": [summary_shown(view).model_dump(mode="json") for view in views]}
    context.show(document, "\n".join(f"{view.row.ref}: {view.state}" for view in views))


@verification.command("import")
@command_options
@click.argument("file", type=FACTS_FILE)
@click.option("--case", "case_ref", required=True, metavar="REF")
def import_command(context: Context, file: Path, case_ref: str) -> int:
    """Import a JSON list of records, all or none; each is yours and proposed, whatever the file says of reviews."""
    from app.law.suggestions_facts import read_json

    given = read_json(read_file_or_stdin(file))
    if not isinstance(given, list):
        raise InvalidInputError("bad_verification", "the file holds no list of records")
    done = context.services.verification_files.take_in(context.who, case_of(context, case_ref), given)
    counts = ", ".join(f"{len(names)} {how}" for how, names in vars(done).items())
    context.show(done.as_json(), "\n".join([counts, *(f"differs, left alone: {name}" for name in done.differs)]))
    return FOUND_ERRORS if done.differs else OK


@verification.command("list")
@command_options
@CASE_OPTION
@click.option("--kind", type=click.Choice(KINDS), default=None)
@click.option("--about", default=None, metavar="UUID", help="About this item or entry.")
def list_command(context: Context, case_ref: str | None, kind: str | None, about: str | None) -> None:
    """All records that you may read."""
    from app.api.verification_views import summary_shown
    from app.verification.reading import Wanted

    found: list[dict[str, Any]] = []
    wanted, cursor = Wanted(case_id_of(context, case_ref), kind, about), None
    while True:
        page = context.services.verified.list_records(context.who, wanted, cursor=cursor, limit=500)
        found += [summary_shown(view).model_dump(mode="json") for view in page.records]
        cursor = page.cursor
        if cursor is None:
            break
    rows = [[one["kind"], one["ref"], str(one["version"]), one["state"], one["author"]["name"]] for one in found]
    context.show({"verifications": found}, lambda: table(rows, ["kind", "id", "version", "state", "author"]))


@verification.command("show")
@command_options
@click.argument("verification_id", metavar="ID")
@PERSONAL_OPTION
def show_command(context: Context, verification_id: str, personal: bool) -> None:
    """One record with every version and review; the sun is computed again from the stored inputs."""
    from app.api.verification_views import verification_shown, versions_shown

    view = context.services.verified.get(context.who, verification_id, personal=personal)
    sun = context.services.verified.repeat(view)
    document = {
        **verification_shown(view, sun, personal=personal).model_dump(mode="json"),
        "versions": [one.model_dump(mode="json") for one in versions_shown(view, personal=personal)],
    }
    context.show(document, lambda: "\n".join(_readable(document)))


@verification.command("print")
@command_options
@click.argument("verification_id", metavar="ID")
@click.option("--language", type=click.Choice(("en", "uk")), default="en", show_default=True)
@click.option("-o", "--output", "target", type=click.Path(path_type=Path, dir_okay=False), required=True)
@PERSONAL_OPTION
def print_command(context: Context, verification_id: str, language: str, target: Path, personal: bool) -> None:
    """Write a record as one HTML page to be printed, in English or Ukrainian."""
    from app.strings import LANGUAGES
    from app.verification.page import record_page
    from evidence_store.durable import write_new

    if target.exists():
        raise InvalidInputError("file_exists", f"{target} is there already: nothing is overwritten")
    view = context.services.verified.get(context.who, verification_id, personal=personal)
    spoken = next(one for one in LANGUAGES if one == language)
    page = record_page(view, context.services.verified.repeat(view), spoken, personal=personal).encode()
    write_new(target, page, 0o600)
    context.show({"file": str(target), "size": len(page)}, f"{target}: {len(page)} bytes")


@verification.command("status")
@command_options
@click.argument("subject", metavar="ID")
@click.option("--item", "is_item", is_flag=True, help="ID is an item, not an incident.")
@CASE_OPTION
def status_command(context: Context, subject: str, is_item: bool, case_ref: str | None) -> None:
    """Where an incident or item stands on the ladder from collected to reviewed, and how it came there."""
    reading, who = context.services.verified, context.who
    case_id = case_id_of(context, case_ref)
    told: Any = reading.status_of_item(who, subject) if is_item else reading.status_of_incident(who, subject, case_id)
    lines = [f"level: {told['level']}"]
    for step in told["steps"]:
        lines.append(f"  {step['step']}: {'reached' if step['reached'] else 'not reached: ' + step['why_not']}")
        lines += [f"    {one['by']} {one['decision']}s: {one['comment']}" for one in step["dissent"]]
    lines += [f"  {one['at']}  {one['level']}  ({one['what']}, {one['by']})" for one in told["history"]]
    context.show(told, "\n".join(lines))


@verification.command("conflicts")
@command_options
@click.argument("incident_id", metavar="INCIDENT")
@CASE_OPTION
def conflicts_command(context: Context, incident_id: str, case_ref: str | None) -> None:
    """Facts on which sources differ, with every value, and which one a signed-off decision holds, if any."""
    found = context.services.verified.conflicts(context.who, incident_id, case_id_of(context, case_ref))
    document = {"conflicts": [one.as_json() for one in found]}
    lines = [
        f"{one.fact}{_of_part(one.scope.as_json())}: {', '.join(str(value.value) for value in one.values)}; "
        + (f"held: {one.held}" if one.decided else f"none is held: {one.why}")
        for one in found
    ]
    context.show(document, "\n".join(lines) or "(none)")


def _of_part(part: dict[str, Any]) -> str:
    named = [f"{name} {value}" for name, value in part.items() if value is not None]
    return f" of {', '.join(named)}" if named else ""


def _readable(document: dict[str, Any]) -> list[str]:
    return [
        f"{document['kind']} {document['ref']}: {document['state']}",
        f"  id {document['id']}, version {document['version']}",
        f"  record sha256 {document['sha256']}, by {document['author']['name']} at {document['created_at']}",
        *(f"  {name}: {value}" for name, value in document["body"].items()),
        *(
            f"  sun: {one['stored']}; again today: {'same' if one['same'] else one['now']}"
            for one in document["sun_again"]
        ),
        *(
            f"  {one['reviewer']['name']} {one['decision']}s version {one['version']}"
            f"{'' if one['stands'] else ' (no longer stands)'}: {one['comment']}"
            for one in document["reviews"]
        ),
    ]


COMMANDS = (verification,)
