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

_PUBLIC = (None, "", "public", "open", "none")


def is_restricted(place: Place | None) -> bool:
    """Whether a place is not to be shown."""
    extra = {} if place is None else (place.model_extra or {})
    handling = extra.get("handling")
    open_to_all = handling.strip().casefold() in _PUBLIC if isinstance(handling, str) else handling is None
    return extra.get("restricted") not in (None, False) or not open_to_all


def hider(body: IncidentBody) -> Callable[[str | None], str | None] | None:
    """What hides the names of an incident's persons in a text; None when it names nobody."""
    names = sorted({one.name.strip() for one in body.casualties.persons if one.name and one.name.strip()}, key=len)
    if not names:
        return None
    pattern = re.compile("|".join(re.escape(name) for name in reversed(names)), re.IGNORECASE)
    return lambda text: None if text is None else pattern.sub(MASK, text)


def hide_in(value: JsonValue, hide: Callable[[str | None], str | None]) -> JsonValue:
    """The same value with names hidden in every text of it."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, list):
        return [hide_in(one, hide) for one in value]
    if isinstance(value, dict):
        return {key: hide_in(one, hide) for key, one in value.items()}
    return value
