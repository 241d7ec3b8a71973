"""What a statement says of its side: a denial, one that contradicts, known to be neither, or not known. Pure.

A kind is the giver's own words, for dossiers come with words of their own. So what is not known to be something else
may be a denial, and goes along as one: to send a page too many harms nobody, to leave out a denial does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from pydantic import JsonValue

Body = dict[str, JsonValue]
Against = Literal["denial", "earlier denial", "kind not known", "contradicts", "bears on the incident"]
"""Why no export of an incident goes without a statement; the last one holds for one incident, the others for all."""
_SEPARATORS: Final = re.compile(r"[\W_]+")
# Beginnings of words, in English, Ukrainian and Russian: a kind that holds one of them denies or accuses in return.
_DENIALS: Final = (
    "denial|denie|deny|counter ?(?:allegation|accusation|charge|claim|statement)|refut|rebut|repudiat|disavow|exculpat"
    "|exonerat|запереч|спрост|зустрічн\\w* (?:звинувач|обвинувач)|контр ?(?:звинувач|обвинувач|твердж)|виправдув"
    "|отриц|опров|встречн\\w* обвин|контр ?обвин"
)
_DENIES: Final = re.compile(rf"\b(?:{_DENIALS})")
_FOR: Final = frozenset({"", "supports", "supporting", "incriminating", "neutral"})
# Whole kinds, not words of them: "witness, speaks for the unit" is none of these.
PLAIN: Final = frozenset(
    {
        "admission",
        "advocacy",
        "allegation",
        "expert opinion",
        "expert opinion on intent",
        "legal claim by press",
        "observation",
        "observation general",
        "organisation statement",
        "organisation witness",
        "organisation witness inference on knowledge",
        "press report",
        "threat",
        "un report",
        "un report conditional",
        "victim side witness",
        "victim side witness pattern",
        "witness",
    }
)


def is_denial(kind: JsonValue) -> bool:
    """Whether a kind says that a statement denies, or accuses in return."""
    return _DENIES.search(_folded(kind)) is not None


def against(kinds: Iterable[JsonValue]) -> Against | None:
    """Why a statement goes along with every export of an incident of its case; None when it need not.

    Args:
        kinds: of its versions, oldest first. One that was recorded as a denial stays one for whoever reads the case,
            whatever it is called later; so does one whose word was not known. Only a missing kind may be named.
    """
    all_kinds = [*kinds]
    if all_kinds and is_denial(all_kinds[-1]):
        return "denial"
    if any(is_denial(kind) for kind in all_kinds):
        return "earlier denial"
    unknown = [_folded(kind) not in PLAIN for kind in all_kinds]
    named = any(strange and _folded(kind) for strange, kind in zip(unknown, all_kinds, strict=True))
    return "kind not known" if named or unknown[-1:] == [True] else None


def earlier_against(kinds: Sequence[JsonValue]) -> list[int]:
    """Which versions before the newest are, or may be, denials; by their places, from 0."""
    if against(kinds) is None:
        return []
    return [place for place, kind in enumerate(kinds[:-1]) if against([kind]) is not None]


def why_along(bodies: Sequence[Body]) -> Against | None:
    """As `against`, of the bodies of a statement's versions; one whose direction is not plainly "for" contradicts."""
    return against([body.get("kind") for body in bodies]) or (
        "contradicts" if any(_contradicts(body) for body in bodies) else None
    )


def earlier_along(bodies: Sequence[Body]) -> list[int]:
    """As `earlier_against`, also of versions that contradict."""
    denials = earlier_against([body.get("kind") for body in bodies])
    return [place for place, body in enumerate(bodies[:-1]) if place in denials or _contradicts(body)]


def _contradicts(body: Body) -> bool:
    """A direction is the giver's own words ("mixed: exonerating on intent"): only these words say that it is not so."""
    return _folded(body.get("direction")) not in _FOR


def _folded(kind: JsonValue) -> str:
    return _SEPARATORS.sub(" ", str(kind or "").casefold()).strip()
