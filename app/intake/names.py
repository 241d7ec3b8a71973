"""File names as given are evidence, and hostile: kept readable, never used as a path."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

MAX_NAME = 255
UNNAMED = "unnamed"


def recorded_name(given: str | None) -> str:
    """The last part of a given name, one printable line of at most 255 characters.

    Folders before the last slash or backslash are cut, control characters and surrogates are
    percent-encoded (so that nothing is lost), and the empty name, `.` and `..` become `unnamed`.
    """
    last = (given or "").replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(_readable(character) for character in last).strip()
    if shown in {"", ".", ".."}:
        return UNNAMED
    if len(shown) <= MAX_NAME:
        return shown
    stem, dot, ending = shown.rpartition(".")
    if dot and len(ending) <= 10:  # noqa: PLR2004 - a plausible ending is worth keeping
        return stem[: MAX_NAME - len(ending) - 1] + "." + ending
    return shown[:MAX_NAME]


def _readable(character: str) -> str:
    # Cc controls, Cs surrogates, Cf format characters (such as right-to-left override).
    if unicodedata.category(character) in {"Cc", "Cs", "Cf"}:
        return quote(character.encode("utf-8", "surrogatepass"), safe="")
    return character
