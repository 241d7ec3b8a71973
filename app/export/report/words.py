"""The words of the report: labels of fields, of events, of certainty. What has no word here is shown as it stands."""

from __future__ import annotations

import unicodedata
from typing import Final

BASIS: Final = {
    "recorded": "recorded in the file",
    "derived": "computed from recorded values",
    "inferred": "inferred: rests on an assumption",
    "conflicting": "recorded, and contradicted within the file",
    "stated": "stated by the collector",
    "archive": "recorded by the archive",
}
"""By certainty of a fact: on what it rests."""

EVENTS: Final = {
    "ingestion": "Received into the archive",
    "digital signature generation": "Deposit receipt sealed",
    "metadata extraction": "Metadata read from the file",
    "metadata modification": "Statements about the source changed",
    "fingerprint calculation": "Fingerprint for comparisons computed",
    "comparison": "Compared with the other items",
    "accession": "Came in a bundle of another archive",
    "link": "Linked to a provision",
    "review": "Link reviewed",
    "dissemination": "Disclosed in an export",
    "access": "Opened",
    "access denied": "Access refused",
    "fixity check": "Digests checked",
    "annotation": "Note added",
    "migration": "Derivative made",
    "evidence renewal": "Evidence record renewed",
    "work given up": "Background work given up",
    "work resumed": "Background work resumed",
}

FIELDS: Final = {
    "lat": "Latitude",
    "lon": "Longitude",
    "alt_gps": "Height (GPS)",
    "alt_absolute": "Height (barometer, absolute)",
    "alt_relative": "Height above take-off",
    "image_direction": "Direction of the camera",
    "horizontal_error": "Horizontal error",
    "vertical_error": "Vertical error",
    "dop": "Dilution of precision",
    "map_datum": "Map datum",
    "satellites": "Satellites",
    "status": "Status of the fix",
    "capture_local": "Taken (local clock of the device)",
    "utc_offset": "Offset from UTC",
    "capture_utc": "Taken (UTC)",
    "gps_utc": "Time of the GPS receiver (UTC)",
    "container_created": "Container created",
    "container_modified": "Container modified",
    "modified": "File modified",
    "digitized_local": "Digitised (local clock)",
    "metadata_changed": "Metadata changed",
    "make": "Maker",
    "model": "Model",
    "camera_serial": "Serial number of the camera",
    "drone_serial": "Serial number of the drone",
    "lens_serial": "Serial number of the lens",
    "url": "Found at",
    "post_id": "Identifier of the post",
    "caption": "Caption of the post",
    "caption_language": "Language of the caption",
    "posted_at": "Posted at",
    "collected_at": "Collected at",
    "collector": "Collected by",
    "tool": "Collected with",
    "tool_version": "Version of that program",
    "legal_basis": "Legal ground of the collection",
    "handling": "Handling restrictions asked for",
}

DIRECTIONS: Final = {
    "supports": "In the author's opinion it supports the element",
    "contradicts": "In the author's opinion it speaks against the element",
    "neutral": "It bears on the element and speaks neither for nor against it",
}

VERDICTS: Final = {
    "identical": "identical: the same bytes",
    "same_content": "same content, other bytes",
    "derived": "derived: a part or an altered copy",
    "possibly_related": "possibly related",
}

_MEGA = 1_000_000
_TO_SECONDS = len("2026-01-01T00:00:00")
_KEPT = "\n\t"
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and emoji need them


def label(name: str) -> str:
    """A field's name as people say it."""
    return FIELDS.get(name) or name.replace("_", " ").capitalize()


def basis(certainty: str) -> str:
    """On what a fact rests."""
    return BASIS.get(certainty, certainty)


def event_name(kind: str) -> str:
    """A kind of event as people say it."""
    return EVENTS.get(kind, kind.capitalize())


def visible(text: str) -> str:
    """Text in which nothing hides: control characters and those that turn the direction are shown as (U+202E).

    A file named "photo(U+202E)gpj.exe" must not look like "photoexe.jpg".
    """
    return "".join(c if _is_shown(c) else f"(U+{ord(c):04X})" for c in text.replace("\r\n", "\n"))


def _is_shown(char: str) -> bool:
    return char in _KEPT or char in _JOINERS or unicodedata.category(char) not in _INVISIBLE


def value_text(value: object) -> str:
    """A value of a record as text: lists by commas, null as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value_text(one) for one in value)
    if isinstance(value, dict):
        return "; ".join(f"{key}: {value_text(one)}" for key, one in value.items())
    return str(value)


def size_text(size: int) -> str:
    """A size in bytes, with thousands apart, and in MB where that says more."""
    exact = f"{size:,} bytes".replace(",", "\u00a0")
    return exact if size < _MEGA else f"{exact} ({size / _MEGA:.1f} MB)"


def moment(text: str) -> str:
    """An RFC 3339 time for people, to the second; what is no such time stays as it is."""
    if len(text) >= _TO_SECONDS and text[10:11] == "T" and text.endswith("Z"):
        return f"{text[:10]} {text[11:19]} UTC"
    return text
