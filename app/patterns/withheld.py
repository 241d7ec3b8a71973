"""What no shape, picture, timeline or published count shows: restricted places, and names of persons. Pure.

1. A place is restricted when its record says so (`restricted`, or a `handling` other than public). A word that we do
   not know restricts: what was not meant to be shown must not be shown by a misspelling.
2. The names of persons that a record holds as such are hidden wherever they stand in its text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic import JsonValue

from app.incidents.bodies import MASK, IncidentBody, Place

Hide = Callable[[str], str]
_IDENTIFIER = (
    r"(?P<identifier>(?<![0-9a-z])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32,128})(?![0-9a-z]))"
)
_PUBLIC = (None, "", "public", "open", "none")


def is_restricted(place: Place | None) -> bool:
    """Whether a place is not to be shown."""
    extra = {} if place is None else (place.model_extra or {})
    handling = extra.get("handling")
    open_to_all = handling.strip().casefold() in _PUBLIC if isinstance(handling, str) else handling is None
    return extra.get("restricted") not in (None, False) or not open_to_all


def hider(body: IncidentBody) -> Hide | None:
    """What hides the names of an incident's persons in a text; None when it names nobody.

    A name is hidden as a whole word. Within a UUID or a digest it is none, and these stay as they are.
    """
    names = _names(body)
    if not names:
        return None
    pattern = re.compile(rf"{_IDENTIFIER}|(?<!\w)(?:{names})(?!\w)", re.IGNORECASE)
    return lambda text: pattern.sub(lambda found: found["identifier"] or MASK, text)


def hider_of_parts(body: IncidentBody) -> Hide | None:
    """As `hider` was in method 1 of counting: it hides a name within longer words, too. Releases rest on it."""
    names = _names(body)
    if not names:
        return None
    pattern = re.compile(names, re.IGNORECASE)
    return lambda text: pattern.sub(MASK, text)


def _names(body: IncidentBody) -> str:
    """The names as one expression, the longest first; empty when there are none."""
    named = {one.name.strip() for one in body.casualties.persons if one.name and one.name.strip()}
    return "|".join(re.escape(name) for name in sorted(named, key=len, reverse=True))


def hide_in(value: JsonValue, hide: Hide) -> JsonValue:
    """The same value with names hidden in every text of it; keys stay."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, list):
        return [hide_in(one, hide) for one in value]
    if isinstance(value, dict):
        return {key: hide_in(one, hide) for key, one in value.items()}
    return value
