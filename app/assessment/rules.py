"""What entries may say, and what follows from them: pure rules, no session, clock or network.

1. A link speaks for or against an element, or neither, or is excluded with reasons. No state or standard is computed.
2. A link for an element by which protection is lost speaks against the provision, and the other way round. Where
   versions of the catalogue differ on the element, it speaks against as soon as one of them says so.
3. Both panels are answered before any standard is stated: with text, or with a recorded search that found nothing.
   "None found" cannot be said where there is something, and an answer does not cover what came after it.
4. "Beyond reasonable doubt" belongs to a court.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Any, Final, Literal, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from app.assessment.groups import Group
from app.errors import DeniedError, InvalidInputError
from app.law.rules import clean_text
from app.strings import message
from schemas.records.v1.assessment import (
    MAX_REASON,
    MAX_REASONING,
    ElementDirection,
    ElementState,
    Outcome,
    Panel,
    PanelAnswer,
    Region,
    Search,
    Standard,
    TimeRange,
    Weight,
)

DIRECTIONS: Final[tuple[ElementDirection, ...]] = get_args(ElementDirection)
WEIGHTS: Final[tuple[Weight, ...]] = get_args(Weight)
STATES: Final[tuple[ElementState, ...]] = get_args(ElementState)
PANELS: Final[tuple[Panel, ...]] = get_args(Panel)
ANSWERS: Final[tuple[PanelAnswer, ...]] = get_args(PanelAnswer)
STANDARDS: Final[tuple[Standard, ...]] = get_args(Standard)
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
LADDER: Final[dict[Standard, str]] = {level: message(f"standard.{level}") for level in STANDARDS}
COURT_ONLY: Final = message("standard.court_only")

Side = Literal["for", "against", "neither"]
PanelStanding = Literal["unanswered", "answered", "searched_none_found", "outdated"]
_TIME = re.compile(r"(\d{1,7}(?:\.\d{1,6})?)-(\d{1,7}(?:\.\d{1,6})?)", re.ASCII)
_REGION = re.compile(r"(\d{1,7}),(\d{1,7}),(\d{1,7}),(\d{1,7})", re.ASCII)
_DOUBT = re.compile(r"beyond[\W_]*(?:a[\W_]*)?reasonable[\W_]*doubt", re.IGNORECASE)
T = TypeVar("T", bound=str)
M = TypeVar("M", bound=BaseModel)


def parse_choice(text: str, choices: tuple[T, ...], what: str) -> T:
    """One of a few words.

    Raises:
        InvalidInputError: `bad_WHAT`, such as `bad_direction`.
    """
    if text not in choices:
        raise InvalidInputError(f"bad_{what.replace(' ', '_')}", f"a {what} is one of {', '.join(choices)}")
    return text


def parse_standard(text: str) -> Standard:
    """A level of the ladder.

    Raises:
        DeniedError: `court_only` for "beyond reasonable doubt", however it is spelt.
        InvalidInputError: `bad_standard`.
    """
    if _DOUBT.search(text):
        raise DeniedError("court_only", "'beyond reasonable doubt' belongs to a court: the archive never sets it")
    return parse_choice(text, STANDARDS, "standard")


def parse_reasoning(text: str) -> str:
    """Reasons in the author's own words.

    Raises:
        InvalidInputError: `reasoning_required`, `text_too_long`, `bad_text`.
    """
    reasons = clean_text(text, MAX_REASONING, "reasoning")
    if not reasons:
        raise InvalidInputError("reasoning_required", "say why: who reads this later has nothing else to go by")
    return reasons


def parse_reason(text: str) -> str:
    """Why an entry is changed or withdrawn.

    Raises:
        InvalidInputError: `reason_required`, `text_too_long`, `bad_text`.
    """
    reason = clean_text(text, MAX_REASON, "reason")
    if not reason:
        raise InvalidInputError("reason_required", "say why it is changed: the version before stays on record")
    return reason


def parse_segment(text: str | None) -> TimeRange | Region | None:
    """The part of an item: `12.5-19` is seconds, `x,y,width,height` pixels of the original.

    Raises:
        InvalidInputError: `bad_segment`.
    """
    if text is None or not text.strip():
        return None
    given = text.strip()
    try:
        if (times := _TIME.fullmatch(given)) is not None:
            if Decimal(times[1]) > Decimal(times[2]):
                raise InvalidInputError("bad_segment", "a time range ends before it begins")
            return TimeRange(from_s=times[1], to_s=times[2])
        if (region := _REGION.fullmatch(given)) is not None:
            x, y, width, height = (int(part) for part in region.groups())
            return Region(x=x, y=y, width=width, height=height)
    except ValidationError:
        pass
    raise InvalidInputError(
        "bad_segment", "a segment is seconds (12.5-19) or pixels of the original (x,y,width,height)"
    )


def segment_text(segment: TimeRange | Region | None) -> str | None:
    """A segment as people write it; the inverse of `parse_segment`."""
    if segment is None:
        return None
    if isinstance(segment, TimeRange):
        return f"{segment.from_s}-{segment.to_s}"
    return f"{segment.x},{segment.y},{segment.width},{segment.height}"


def parse_searches(given: Iterable[object]) -> tuple[Search, ...]:
    """Recorded searches: what for, where, when, by whom.

    Raises:
        InvalidInputError: `bad_search`, `text_too_long`, `bad_text`.
    """
    return tuple(_model(Search, one) for one in given)


def _model(model: type[M], given: Any) -> M:  # noqa: ANN401 - anything that came in
    if isinstance(given, dict):
        given = {
            name: clean_text(value, MAX_REASONING, name) if isinstance(value, str) else value
            for name, value in given.items()
            if isinstance(name, str)
        }
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "search"
        raise InvalidInputError("bad_search", f"{where}: {first['msg']}") from None


def side_of(direction: ElementDirection, *groups: Group) -> Side:
    """Whether a link speaks for or against the provision as a whole, in whichever group its element is sorted."""
    if direction not in {"supports", "contradicts"}:
        return "neither"
    against = any((direction == "supports") == (group == "loss_of_protection") for group in groups)
    return "against" if against else "for"


def in_panel(panel: Panel, direction: ElementDirection, *groups: Group) -> bool:
    """Whether a panel holds this link: what contradicts an element, or what bears on a loss of protection."""
    if panel == "loss_of_protection":
        return direction != "excluded" and "loss_of_protection" in groups
    return direction == "contradicts" and any(group != "loss_of_protection" for group in groups)


def check_answer(answer: PanelAnswer, text: str, searches: Collection[Search], held: Collection[str]) -> None:
    """Whether a panel can be answered so.

    Args:
        answer: answered, or nothing found.
        text: the answer.
        searches: that were made.
        held: the links that the panel holds.

    Raises:
        InvalidInputError: `reasoning_required`, `search_required`, `panel_not_empty`.
    """
    if answer == "answered" and not text:
        raise InvalidInputError("reasoning_required", "an answer says what the panel shows and what follows from it")
    if answer == "searched_none_found":
        if held:
            raise InvalidInputError("panel_not_empty", f"the panel holds {len(held)} links: answer what they say")
        if not searches:
            raise InvalidInputError("search_required", "say what was searched, where, when and by whom")


def panel_standing(answers: Iterable[tuple[PanelAnswer, Collection[str]]], held: Collection[str]) -> PanelStanding:
    """Where a panel stands.

    Args:
        answers: each standing answer with the links that its author had before him.
        held: the links that the panel holds now, in their newest versions.
    """
    known = list(answers)
    if not known:
        return "unanswered"
    whole = [answer for answer, saw in known if set(held) <= set(saw)]
    if not whole:
        return "outdated"
    return "answered" if "answered" in whole else "searched_none_found"
