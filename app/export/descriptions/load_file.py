"""Load files of e-discovery tools: Concordance (`load.dat`) and Opticon (`load.opt`). Pure.

A Concordance file has a header and one line for each document. Fields stand between U+00FE and are parted by U+0014;
a line break inside a field is U+00AE. Paths have backslashes, as the programs that read these files expect. The file is
UTF-8 with a byte order mark, by which they know it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from app.export.descriptions.facts import Facts
from app.export.descriptions.table import row_of

QUOTE, DELIMITER, NEW_LINE = "\u00fe", "\u0014", "\u00ae"
VOLUME: Final = "CATENA"
FIELDS: Final = (
    ("DOCID", "item"),
    ("CASE", "case"),
    ("FILENAME", "original_name"),
    ("FILESIZE", "size_bytes"),
    ("MIMETYPE", "media_type"),
    ("SHA256", "sha256"),
    ("SHA512", "sha512"),
    ("DATERECEIVED", "received_at"),
    ("DATERECORDED", "time"),
    ("DATERECORDED_CERTAINTY", "time_certainty"),
    ("DATERECORDED_BASIS", "time_basis"),
    ("LATITUDE", "lat"),
    ("LONGITUDE", "lon"),
    ("PLACE_CERTAINTY", "place_certainty"),
    ("PLACE_BASIS", "place_basis"),
    ("SOURCE_URL", "source_url"),
    ("COLLECTOR", "source_collector"),
    ("LINKS_SUPPORTS", "links_supports"),
    ("LINKS_CONTRADICTS", "links_contradicts"),
    ("LINKS_NEUTRAL", "links_neutral"),
    ("RESTRICTION", "restriction"),
    ("NATIVELINK", "path"),
    ("LINKS_WITHHELD", "links_withheld"),
    ("AGAINST_LEFT_OUT", "against_left_out"),
)
_LINE_ENDS = re.compile(r"\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")


def concordance(facts: Facts) -> bytes:
    """The load file of all items."""
    lines = [_line(name for name, _ in FIELDS)]
    for item in facts.items:
        row = row_of(item) | {"path": _backslashed(item.original.path)}
        lines.append(_line("" if row[key] is None else str(row[key]) for _, key in FIELDS))
    return ("\ufeff" + "".join(lines)).encode(errors="replace")


def opticon(facts: Facts) -> bytes | None:
    """The pages of the items that have a preview; None when none has one. ID, volume, path, first page, pages."""
    known = {item.item for item in facts.items}
    lines = []
    for one in facts.files:
        item = (one.object or "").removeprefix("item:")
        newest = one.path.count(".") == 1  # earlier previews have a number
        if one.role == "preview" and newest and item in known:
            lines.append(f"{item},{VOLUME},{_backslashed(one.path)},Y,,,1\r\n")
    return "".join(lines).encode() if lines else None


def _line(values: Iterable[str]) -> str:
    return DELIMITER.join(f"{QUOTE}{_plain(value)}{QUOTE}" for value in values) + "\r\n"


def _plain(text: str) -> str:
    """A value without what the format itself is made of."""
    return (
        _LINE_ENDS.sub(NEW_LINE, text.replace(NEW_LINE, "(R)"))
        .replace(QUOTE, "th")
        .replace(DELIMITER, " ")
        .replace("\0", "")
    )


def _backslashed(path: str) -> str:
    return path.replace("/", "\\")
