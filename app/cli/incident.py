"""`catena incident`: incidents, and what they may bear on."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from app.cli.common import Context, command_options
from app.cli.incident_text import suggestions_text
from app.errors import InvalidInputError

FACTS_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.group()
def incident() -> None:
    """Incidents, and the provisions that they may bear on."""


@incident.command("suggest")
@command_options
@click.argument("incident_id", metavar="[ID]", required=False)
@click.option("--facts", "facts_file", type=FACTS_FILE, default=None, metavar="FILE", help="Facts as JSON; - is stdin.")
@click.option("--date", "day", default=None, metavar="DAY", help="When it happened: YYYY-MM-DD, or two with a slash.")
@click.option("--without", multiple=True, metavar="RULE", help="Switch a rule off; may be given more than once.")
@click.option("--threshold", multiple=True, metavar="NAME=NUMBER", help="Another threshold, such as minutes.")
def suggest_command(
    context: Context,
    incident_id: str | None,
    facts_file: Path | None,
    day: str | None,
    without: tuple[str, ...],
    threshold: tuple[str, ...],
) -> None:
    """What an incident may bear on, by rules that show their reasons; with --facts, without an archive."""
    from app.law.catalogue import packaged_catalogue, parse_catalogue
    from app.law.suggestions import suggest
    from app.law.suggestions_applicability import packaged_status, parse_days
    from app.law.suggestions_facts import read_facts
    from app.law.suggestions_rules import packaged_rules

    if (incident_id is None) == (facts_file is None):
        raise InvalidInputError("bad_usage", "give either the ID of an incident or --facts FILE")
    base = packaged_rules().with_thresholds(_thresholds(threshold)).without(without)
    days = None if day is None else parse_days(day)
    if facts_file is None:
        raise InvalidInputError("bad_usage", "give --facts FILE")
    facts = read_facts(_read(facts_file), base.vocabulary)
    provisions = parse_catalogue(packaged_catalogue()).provisions
    document = suggest(facts, base, provisions, packaged_status(), days)
    context.show(document, lambda: suggestions_text(document))


def _read(path: Path) -> bytes:
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


COMMANDS = (incident,)
