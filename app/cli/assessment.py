"""`catena incident link|relink|withdraw|state|panel|assess|review|matrix`: element by element, for and against."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli.common import FOUND_ERRORS, OK, Context, command_options
from app.errors import InvalidInputError

if TYPE_CHECKING:
    from app.assessment.links import LinkGiven
    from app.assessment.models import AssessmentEntry

CASE_OPTION = click.option("--case", "case_ref", default=None, metavar="REF", help="The case the incident is in.")
REASONING = click.option("--reasoning", required=True, metavar="TEXT", help="Why, in your own words.")
_SOURCES = ("item", "claim", "statement")


def _evidence(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what speaks, in which direction, and why."""
    for option in (
        REASONING,
        click.option("--weight", required=True, type=click.Choice(["direct", "circumstantial", "background"])),
        click.option(
            "--direction", required=True, type=click.Choice(["supports", "contradicts", "neutral", "excluded"])
        ),
        click.option("--segment", default=None, metavar="PART", help="Seconds 12-19.5, or pixels x,y,width,height."),
        click.option("--statement", default=None, metavar="REF", help="A statement of the case."),
        click.option("--claim", default=None, metavar="REF", help="A claim about the incident."),
        click.option("--item", default=None, metavar="ID", help="An item of the case."),
    ):
        function = option(function)
    return function


@click.command("link")
@command_options
@click.argument("incident_id", metavar="INCIDENT")
@click.argument("provision")
@click.argument("element")
@_evidence
@CASE_OPTION
def link_command(
    context: Context, incident_id: str, provision: str, element: str, case_ref: str | None, **given: str | None
) -> None:
    """State that evidence speaks for or against an element of a provision."""
    link = _given(given, provision, element)
    made = context.services.assessments.links.add(context.who, incident_id, link, _case_id(context, case_ref))
    _told(context, made, f"{link.direction} {element}")


@click.command("relink")
@command_options
@click.argument("link_id", metavar="LINK")
@_evidence
@click.option("--reason", required=True, metavar="TEXT", help="Why it is changed.")
def relink_command(context: Context, link_id: str, reason: str, **given: str | None) -> None:
    """State a link of your own anew; the version before stays on record."""
    made = context.services.assessments.links.change(context.who, link_id, _given(given), reason)
    _told(context, made, "changed")


@click.command("withdraw")
@command_options
@click.argument("entry_id", metavar="ENTRY")
@click.option("--reason", required=True, metavar="TEXT")
def withdraw_command(context: Context, entry_id: str, reason: str) -> None:
    """Take an entry of your own back: it stays on record, marked as withdrawn. Nothing is deleted."""
    _told(context, context.services.assessments.desk.withdraw(context.who, entry_id, reason), "withdrawn")


@click.command("state")
@command_options
@click.argument("incident_id", metavar="INCIDENT")
@click.argument("provision")
@click.argument("element")
@click.argument("state")
@REASONING
def state_command(context: Context, incident_id: str, provision: str, element: str, state: str, reasoning: str) -> None:
    """State where an element stands, such as some_evidence or contested; nothing computes it."""
    judgements = context.services.assessments.judgements
    made = judgements.state(context.who, incident_id, provision, element, state, reasoning)
    _told(context, made, f"{element} {state}")


@click.command("panel")
@command_options
@click.argument("incident_id", metavar="INCIDENT")
@click.argument("provision")
@click.argument("panel", type=click.Choice(["contradicting", "loss_of_protection"]))
@click.option("--text", default="", metavar="TEXT", help="The answer.")
@click.option("--none-found", is_flag=True, help="A search found nothing; say which.")
@click.option("--what", default=None, metavar="TEXT", help="What was searched for.")
@click.option("--where", default=None, metavar="TEXT", help="Where.")
@click.option("--when", default=None, metavar="DAY", help="When: YYYY-MM-DD, or a moment in UTC.")
@click.option("--by", default=None, metavar="NAME", help="By whom.")
def panel_command(
    context: Context, incident_id: str, provision: str, panel: str, text: str, none_found: bool, **search: str | None
) -> None:
    """Answer a mandatory panel, or record that a search found nothing."""
    said = {name: value for name, value in search.items() if value is not None}
    answer = "searched_none_found" if none_found else "answered"
    judgements = context.services.assessments.judgements
    made = judgements.answer(context.who, incident_id, provision, panel, answer, text, [said] if said else [])
    _told(context, made, f"{panel} {answer}")


@click.command("assess")
@command_options
@click.argument("incident_id", metavar="INCIDENT")
@click.argument("provision")
@click.argument("standard")
@click.option("--not-reached", is_flag=True, help="The standard is not reached.")
@click.option("--applicability", default="", metavar="TEXT", help="Beside what the status data say.")
@REASONING
def assess_command(
    context: Context,
    incident_id: str,
    provision: str,
    standard: str,
    not_reached: bool,
    applicability: str,
    reasoning: str,
) -> None:
    """State whether a standard is reached: reasonable_basis, reasonable_grounds or substantial_grounds."""
    outcome = "not_reached" if not_reached else "reached"
    judgements = context.services.assessments.judgements
    made = judgements.assess(context.who, incident_id, provision, standard, outcome, reasoning, applicability)
    _told(context, made, f"{standard} {outcome}")


@click.command("review")
@command_options
@click.argument("entry_ids", metavar="ENTRY...", nargs=-1, required=True)
@click.option("--decision", required=True, type=click.Choice(["approve", "reject"]))
@click.option("--comment", default="", metavar="TEXT", help="Reasons; a rejection needs some.")
def review_command(context: Context, entry_ids: tuple[str, ...], decision: str, comment: str) -> int:
    """Decide on entries of others, by the ids of their newest versions. Exit code 1: some were refused."""
    from app.api.assessment_views import entry_review_shown, many_shown
    from app.assessment.reviews import ReviewGiven

    reviews = context.services.assessments.reviews
    if len(entry_ids) == 1:
        one = reviews.review(context.who, entry_ids[0], decision, comment)
        context.show(entry_review_shown(one).model_dump(mode="json"), f"{decision} recorded for {entry_ids[0]}")
        return OK
    done = reviews.review_many(context.who, [ReviewGiven(entry, decision, comment) for entry in entry_ids])
    lines = [
        f"{entry}: {decision} recorded" if result.made else f"{entry}: {result.code}: {result.detail}"
        for entry, result in zip(entry_ids, done, strict=True)
    ]
    shown = many_shown(done)
    context.show(shown.model_dump(mode="json"), "\n".join(lines))
    return FOUND_ERRORS if shown.refused else OK


@click.command("matrix")
@command_options
@click.argument("incident_id", metavar="INCIDENT")
@click.option("--provision", "provisions", multiple=True, metavar="P", help="These only; may be given more than once.")
@click.option("--html", "as_html", is_flag=True, help="One page to read and print.")
@click.option("--csv", "as_csv", is_flag=True, help="A table.")
@click.option("--language", type=click.Choice(("en", "uk")), default="en", show_default=True, help="Of the page.")
@click.option("-o", "--output", "target", type=click.Path(path_type=Path, dir_okay=False), default=None)
@CASE_OPTION
def matrix_command(
    context: Context,
    incident_id: str,
    provisions: tuple[str, ...],
    as_html: bool,
    as_csv: bool,
    language: str,
    target: Path | None,
    case_ref: str | None,
) -> None:
    """What supports and what contradicts each element, with panels, assessments, gaps and every denial."""
    from app.assessment.printed import matrix_html
    from app.assessment.tabular import matrix_csv
    from app.cli.assessment_text import matrix_text
    from app.strings import LANGUAGES

    if as_html + as_csv + context.as_json > 1:
        raise InvalidInputError("bad_usage", "choose one of --html, --csv and --json")
    if target is not None and target.exists():
        raise InvalidInputError("file_exists", f"{target} is there already: nothing is overwritten")
    case_id = _case_id(context, case_ref)
    document = context.services.assessments.matrix(context.who, incident_id, provisions, case_id)
    if target is not None or as_html or as_csv:
        text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        spoken = next(one for one in LANGUAGES if one == language)
        _hand_out(matrix_html(document, spoken) if as_html else matrix_csv(document) if as_csv else text, target)
    else:
        context.show(document, lambda: matrix_text(document))


def _hand_out(text: str, target: Path | None) -> None:
    from evidence_store.durable import write_new

    data = text.encode("utf-8", "replace")
    if target is None:
        click.echo(data, nl=False)
    else:
        write_new(target, data, 0o600)
        click.echo(f"{target}: {len(data)} bytes", err=True)


def _given(given: dict[str, str | None], provision: str = "", element: str = "") -> LinkGiven:
    from app.assessment.links import LinkGiven

    named = [name for name in _SOURCES if given[name] is not None]
    if len(named) != 1:
        raise InvalidInputError("bad_usage", "give one of --item, --claim and --statement")
    return LinkGiven(
        source=named[0],
        ref=str(given[named[0]]),
        segment=given["segment"],
        direction=str(given["direction"]),
        weight=str(given["weight"]),
        reasoning=str(given["reasoning"]),
        provision=provision,
        element=element,
    )


def _told(context: Context, made: AssessmentEntry, what: str) -> None:
    from app.api.assessment_views import version_shown

    shown = version_shown(context.services.assessments.line(made)).model_dump(mode="json")
    waits = "" if shown["review"] == "withdrawn" else "; it waits for a second person"
    context.show(shown, f"{made.kind} {made.id} (version {made.number}): {what}{waits}")


def _case_id(context: Context, ref: str | None) -> str | None:
    return None if ref is None else context.services.evidence.find_case(context.who, ref).id


ASSESSMENT_COMMANDS = (
    link_command,
    relink_command,
    withdraw_command,
    state_command,
    panel_command,
    assess_command,
    review_command,
    matrix_command,
)
