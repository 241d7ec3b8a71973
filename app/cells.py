"""Cells of CSV tables that a spreadsheet does not run; every table that leaves writes its cells through `guarded`."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_NUMBER: Final = re.compile(r"[+-]?\d{1,300}(\.\d{1,300})?([eE][+-]?\d{1,3})?")
_SIGNS: Final = ("=", "+", "-", "@")
_BREAKS: Final = ("\t", "\r", "\n")


def guarded(value: object) -> str:
    """A cell's text: numbers as numbers, text that would be a formula with an apostrophe before it.

    Blanks and characters that are not seen are looked past, and wide or small forms of a sign are the sign.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value).replace("\0", "")
    return f"'{text}" if _is_formula(text) and not _NUMBER.fullmatch(text) else text


def _is_formula(text: str) -> bool:
    if text.startswith(_BREAKS):
        return True
    first = next((c for c in text if unicodedata.category(c)[0] not in "ZC"), "")
    return unicodedata.normalize("NFKC", first).startswith(_SIGNS)
