"""`catena incident`: incidents, and what they may bear on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.assessment import ASSESSMENT_COMMANDS
from app.cli.common import FOUND_ERRORS, OK, Context, command_options, table
from app.cli.incident_text import double_taps_text, incident_text, suggestions_text
from app.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from app.evidence.models import Case

CASE_OPTION = click.option("--case", "case_ref", default=None, metavar="REF", help="The case it is in.")
FACTS_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.group()
def incident() -> None:
    """Incidents, and the provisions that they may bear on."""


@incident.command("suggest")
@command_options
@click.argument("incident_id", metavar="[ID]", required=False)
@click.option("--facts", "facts_file", type=FACTS_FILE, default=None, metavar="FILE", help="Facts as JSON; - is stdin.")
@CASE_OPTION
@click.option("--date", "day", default=None, metavar="DAY", help="When it happened: YYYY-MM-DD, or two with a slash.")
@click.option("--without", multiple=True, metavar="RULE", help="Switch a rule off; may be given more than once.")
@click.option("--threshold", multiple=True, metavar="NAME=NUMBER", help="Another threshold, such as minutes.")
@click.option("--target", default=None, metavar="ID", help="Asked of this target of the incident alone.")
@click.option("--strike", type=click.IntRange(1, 1000), default=None, metavar="N", help="Asked of this strike alone.")
def suggest_command(
    context: Context,
    incident_id: str | None,
    facts_file: Path | None,
    case_ref: str | None,
    day: str | None,
    without: tuple[str, ...],
    threshold: tuple[str, ...],
    target: str | None,
    strike: int | None,
) -> None:
    """What an incident may bear on, by rules that show their reasons; with --facts, without an archive."""
    from app.incidents.facts import Scope
    from app.law.catalogue import packaged_catalogue, parse_catalogue
    from app.law.suggestions import suggest
    from app.law.suggestions_applicability import packaged_status, parse_days
    from app.law.suggestions_facts import read_facts
    from app.law.suggestions_rules import packaged_rules

    scope = Scope(strike, target)
    if facts_file is not None and scope != Scope():
        raise InvalidInputError("bad_usage", "--target and --strike ask of an incident, not of a file of facts")
    if (incident_id is None) == (facts_file is None):
        raise InvalidInputError("bad_usage", "give either the ID of an incident or --facts FILE")
    limits = _thresholds(threshold)
    days = None if day is None else parse_days(day)
    if facts_file is not None:
        base = packaged_rules().with_thresholds(limits).without(without)
        facts = read_facts(read_file_or_stdin(facts_file), base.vocabulary)
        provisions = parse_catalogue(packaged_catalogue()).provisions
        document = suggest(facts, base, provisions, packaged_status(), days)
    else:
        document = context.services.suggestions.of(
            context.who, str(incident_id), without, limits, days, case_id_of(context, case_ref), scope
        )
    context.show(document, lambda: suggestions_text(document))


@incident.command("add")
@command_options
@click.argument("ref", metavar="ID")
@click.option("--case", "case_ref", required=True, metavar="REF")
@click.option("--title", default=None, metavar="TEXT", help="An incident of which no more is known yet.")
@click.option("--from", "body_file", type=FACTS_FILE, default=None, metavar="FILE", help="The incident as JSON.")
def add_command(context: Context, ref: str, case_ref: str, title: str | None, body_file: Path | None) -> None:
    """Enter an incident: ID is its id for people, unique in the case."""
    from app.api.incident_views import incident_shown
    from app.law.suggestions_facts import read_json

    if (title is None) == (body_file is None):
        raise InvalidInputError("bad_usage", "give either --title TEXT or --from FILE")
    body = {"title": title} if body_file is None else read_json(read_file_or_stdin(body_file))
    made = context.services.incidents.add(context.who, case_of(context, case_ref), ref, body)
    warnings = context.services.incidents.unresolved(made)
    lines = [f"incident {made.entry.id} ({ref})", *(f"warning: {one.detail}" for one in warnings)]
    context.show(incident_shown(made, [], warnings).model_dump(mode="json"), "\n".join(lines))


@incident.command("list")
@command_options
@CASE_OPTION
def list_command(context: Context, case_ref: str | None) -> None:
    """All incidents that you may read."""
    from app.api.incident_views import incident_summary

    found: list[dict[str, object]] = []
    case_id, cursor = case_id_of(context, case_ref), None
    while True:
        page = context.services.incidents.list_incidents(context.who, case_id, cursor=cursor, limit=500)
        found += [incident_summary(view).model_dump(mode="json") for view in page.incidents]
        cursor = page.cursor
        if cursor is None:
            break
    rows = [[str(one["ref"]), _day(one["date"]), str(one["strikes"]), str(one["title"])[:70]] for one in found]
    context.show({"incidents": found}, lambda: table(rows, ["incident", "date", "strikes", "title"]))


@incident.command("show")
@command_options
@click.argument("incident_id", metavar="ID")
@CASE_OPTION
@click.option("--personal", is_flag=True, help="With the names of persons; the read is recorded.")
def show_command(context: Context, incident_id: str, case_ref: str | None, personal: bool) -> None:
    """One incident with every claim about it, and the facts that its record states."""
    from app.api.incident_views import incident_shown

    services, who, case_id = context.services, context.who, case_id_of(context, case_ref)
    found = services.incidents.get(who, incident_id, personal=personal, case_id=case_id)
    claims, warnings = services.incidents.claims(who, found.entry.id), services.incidents.unresolved(found)
    shown = incident_shown(found, claims, warnings, personal=personal)
    document = shown.model_dump(mode="json")
    context.show(document, lambda: incident_text(document))


@incident.command("revise")
@command_options
@click.argument("incident_id", metavar="ID")
@click.option("--from", "body_file", type=FACTS_FILE, required=True, metavar="FILE", help="The incident as JSON.")
@click.option("--reason", required=True, metavar="TEXT", help="Why it is stated anew.")
@click.option("--version", type=int, required=True, metavar="N", help="The version that you had before you.")
def revise_command(context: Context, incident_id: str, body_file: Path, reason: str, version: int) -> None:
    """State an incident anew; earlier versions stay."""
    from app.api.incident_views import incident_shown
    from app.law.suggestions_facts import read_json

    body = read_json(read_file_or_stdin(body_file))
    made = context.services.incidents.revise(context.who, incident_id, body, reason, version)
    warnings = context.services.incidents.unresolved(made)
    lines = [f"{made.entry.ref}: version {made.record.number}", *(f"warning: {one.detail}" for one in warnings)]
    context.show(incident_shown(made, [], warnings).model_dump(mode="json"), "\n".join(lines))


@incident.command("claim")
@command_options
@click.argument("incident_id", metavar="ID")
@click.option("--from", "claim_file", type=FACTS_FILE, required=True, metavar="FILE", help="The claim as JSON.")
def claim_command(context: Context, incident_id: str, claim_file: Path) -> None:
    """Record who says what of an incident, or what is seen in an item; it stands beside all others."""
    from app.api.incident_views import claim_shown
    from app.law.suggestions_facts import read_json

    given = read_json(read_file_or_stdin(claim_file))
    if not isinstance(given, dict):
        raise InvalidInputError("bad_claim", "the file holds no object")
    made = context.services.incidents.claim(context.who, incident_id, given)
    context.show(claim_shown(made, stands=True).model_dump(mode="json"), f"claim {made.claim} ({made.ref})")


@incident.command("double-tap")
@command_options
@click.option("--case", "case_ref", required=True, metavar="REF")
@click.option("--minutes", type=float, default=60.0, show_default=True, help="Triage limit, no law.")
@click.option("--metres", type=float, default=300.0, show_default=True, help="Triage limit, no law.")
def double_tap_command(context: Context, case_ref: str, minutes: float, metres: float) -> None:
    """Pairs of strikes that lie, or may lie, within a time and distance of each other. Triage, no verdict."""
    from app.incidents.double_tap import Limits, as_json

    limits = Limits(minutes, metres)
    pairs, more = context.services.incidents.double_taps(context.who, case_of(context, case_ref), limits)
    found = [as_json(pair) for pair in pairs]
    context.show({"pairs": found, "more": more}, lambda: double_taps_text(found, more=more))


@incident.command("import")
@command_options
@click.argument("file", type=FACTS_FILE)
@click.option("--case", "case_ref", required=True, metavar="REF", help="Into this case; it is made when you may.")
@click.option("--update", default=None, metavar="REASON", help="State anew what the archive has otherwise, and why.")
def import_command(context: Context, file: Path, case_ref: str, update: str | None) -> int:
    """Take in a file of incidents: once, however often. Exit code 1: the archive has something otherwise."""
    from app.incidents.dossier import read_file

    parsed = read_file(read_file_or_stdin(file))
    services, who = context.services, context.who
    try:
        case = services.evidence.case_for(who, case_ref, "incident.write")
    except NotFoundError:
        case = services.evidence.create_case(who, case_ref)
    done = services.incident_files.take_in(who, case, parsed, update)
    counts = ", ".join(f"{len(names)} {how}" for how, names in vars(done).items())
    lines = [counts, *(f"differs, left alone: {name}" for name in done.differs)]
    lines += [f"warning: {one.entry}: {one.detail} ({one.code})" for one in done.warnings]
    context.show(done.as_json(), "\n".join(lines))
    return FOUND_ERRORS if done.differs else OK


@incident.command("export")
@command_options
@click.argument("incident_ids", metavar="[ID]...", nargs=-1)
@click.option("--case", "case_ref", required=True, metavar="REF")
@click.option("-o", "--output", "target", type=click.Path(path_type=Path, dir_okay=False), required=True)
def export_command(context: Context, incident_ids: tuple[str, ...], case_ref: str, target: Path) -> None:
    """Write incidents of a case, all or these, in the shape that `import` takes; denials always go along."""
    from evidence_store.durable import write_new

    if target.exists():
        raise InvalidInputError("file_exists", f"{target} is there already: nothing is overwritten")
    written = context.services.incident_files.give_out(context.who, case_of(context, case_ref), incident_ids)
    write_new(target, written, 0o600)
    context.show({"file": str(target), "size": len(written)}, f"{target}: {len(written)} bytes")


def case_of(context: Context, ref: str) -> Case:
    """A case that the actor may read."""
    return context.services.evidence.find_case(context.who, ref)


def case_id_of(context: Context, ref: str | None) -> str | None:
    """Its id, when one was named."""
    return None if ref is None else case_of(context, ref).id


def _day(shown: object) -> str:
    if not isinstance(shown, dict) or not (shown.get("earliest") or shown.get("latest")):
        return "unknown" if not isinstance(shown, dict) or shown.get("understood", True) else "not understood"
    first, last = (str(shown[end] or "..") for end in ("earliest", "latest"))  # two points: open, as in ISO 8601-2
    return first if first == last else f"{first}/{last}"


def read_file_or_stdin(path: Path) -> bytes:
    """The bytes of a file; of standard input when it is named `-`."""
    return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()


def _thresholds(given: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in given:
        name, _, number = one.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            raise InvalidInputError("bad_threshold", "a threshold is NAME=NUMBER") from None
    return found


for one in ASSESSMENT_COMMANDS:
    incident.add_command(one)

COMMANDS = (incident,)
