"""IPTC-IIM records 1 and 2: the texts that agencies and editors write into pictures (IIM 4.2).

A text's character set is told by dataset 1:90 (ISO 2022); without it, UTF-8 where it is valid, else Latin-1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MAX_DATASETS = 1_000
MAX_TEXT = 4_000
_MARK: Final = 0x1C
_CHARSET: Final = 90
_UTF8: Final = b"\x1b%G"
_EXTENDED: Final = 0x8000
_REPEATED: Final = {"Keywords", "By-line", "SupplementalCategories", "Writer-Editor", "ContentLocationName"}
NAMES: Final[dict[int, str]] = {
    5: "ObjectName",
    10: "Urgency",
    15: "Category",
    20: "SupplementalCategories",
    25: "Keywords",
    26: "ContentLocationCode",
    27: "ContentLocationName",
    30: "ReleaseDate",
    35: "ReleaseTime",
    40: "SpecialInstructions",
    55: "DateCreated",
    60: "TimeCreated",
    62: "DigitalCreationDate",
    63: "DigitalCreationTime",
    65: "OriginatingProgram",
    70: "ProgramVersion",
    80: "By-line",
    85: "By-lineTitle",
    90: "City",
    92: "Sub-location",
    95: "Province-State",
    100: "Country-PrimaryLocationCode",
    101: "Country-PrimaryLocationName",
    103: "OriginalTransmissionReference",
    105: "Headline",
    110: "Credit",
    115: "Source",
    116: "CopyrightNotice",
    118: "Contact",
    120: "Caption-Abstract",
    122: "Writer-Editor",
}


@dataclass
class Iptc:
    """Texts by dataset name; datasets that repeat are joined by "; "; `broken` when the records end amiss."""

    texts: dict[str, str] = field(default_factory=dict)
    charset: str | None = None
    broken: bool = False


def read_iptc(body: bytes) -> Iptc:
    """Read datasets in order; what is no dataset ends the reading."""
    found = Iptc()
    at = 0
    for _ in range(MAX_DATASETS):
        if at >= len(body) or not body[at:].strip(b"\0"):
            return found
        head = body[at : at + 5]
        if len(head) < 5 or head[0] != _MARK:  # noqa: PLR2004 (mark, record, dataset, length)
            break
        length, start = int.from_bytes(head[3:5], "big"), at + 5
        if length & _EXTENDED:
            width = length & 0x7FFF
            length, start = int.from_bytes(body[start : start + min(width, 4)], "big"), start + width
        at = start + length
        if at > len(body):
            break
        _take(found, head[1], head[2], body[start:at])
    found.broken = True
    return found


def _take(found: Iptc, record: int, dataset: int, value: bytes) -> None:
    if record == 1 and dataset == _CHARSET:
        found.charset = "UTF-8" if value.strip() == _UTF8 else repr(value[:20])
    name = NAMES.get(dataset) if record == 2 else None  # noqa: PLR2004 (the application record)
    if name is None:
        return
    text = _decoded(value[:MAX_TEXT]).strip(" \0\r\n")
    if text:
        before = found.texts.get(name)
        found.texts[name] = f"{before}; {text}" if before and name in _REPEATED else before or text


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
