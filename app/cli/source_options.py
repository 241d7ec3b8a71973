"""Options that say where files come from, for every command that takes files in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, get_args

import click

from app.intake.service import parse_source
from schemas.records.v1.source import Consent, Handling, LegalBasis

R = TypeVar("R")

_TIME = "RFC 3339, such as 2025-07-06T14:00:00+03:00."
# Option, field, metavar, help: the names of the first four are older than the fields.
_TEXTS = (
    ("--source-url", "url", "URL", "Where it was found."),
    ("--source-note", "note", "TEXT", "Anything else a reader should know."),
    ("--collected-at", "collected_at", "TIME", _TIME),
    ("--collector", "collector", "NAME", "Who collected it."),
    ("--platform", "platform", "NAME", "Service it was found on; never guessed from the URL."),
    ("--channel", "channel", "NAME", "Account, channel or group that showed it."),
    ("--post-id", "post_id", "ID", "The platform's identifier of the post."),
    ("--caption", "caption", "TEXT", "The text posted with it."),
    ("--caption-language", "caption_language", "TAG", "BCP 47, such as uk or ar-SY."),
    ("--posted-at", "posted_at", "TIME", _TIME),
    ("--collecting-machine", "collecting_machine", "NAME", "Machine it was collected on."),
    ("--tool", "tool", "NAME", "Program it was collected with."),
    ("--tool-version", "tool_version", "TEXT", "Version of that program."),
    ("--legal-basis-note", "legal_basis_note", "TEXT", "More on the legal basis."),
    ("--consent-note", "consent_note", "TEXT", "More on the consent, such as its conditions."),
    ("--handling-note", "handling_note", "TEXT", "More on the restrictions."),
)
_CHOICES = (
    ("--legal-basis", "legal_basis", get_args(LegalBasis), "Ground on which it was collected."),
    ("--consent", "consent", get_args(Consent), "What its maker or giver said to its use."),
)


def source_options(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options of a source, and hand it `source`, a `SourceContext` of what was said.

    Raises:
        InvalidInputError: `bad_source`, naming the field, when the command is run.
    """

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> R:  # noqa: ANN401 - passed through
        said: dict[str, object] = {}
        for field in (*(text[1] for text in _TEXTS), *(choice[1] for choice in _CHOICES)):
            if (value := kwargs.pop(f"source_{field}")) is not None:
                said[field] = value
        if terms := kwargs.pop("source_handling"):
            said["handling"] = list(terms)
        return function(*args, source=parse_source(said), **kwargs)

    command: Callable[..., R] = wrapper
    command = click.option(
        "--handling",
        "source_handling",
        multiple=True,
        type=click.Choice(get_args(Handling)),
        help="Restriction asked for; repeat it for several.",
    )(command)
    for option, field, terms, text in reversed(_CHOICES):
        command = click.option(option, f"source_{field}", default=None, type=click.Choice(terms), help=text)(command)
    for option, field, metavar, text in reversed(_TEXTS):
        command = click.option(option, f"source_{field}", default=None, metavar=metavar, help=text)(command)
    return command
