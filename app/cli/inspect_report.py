"""A metadata record as a page that a person can read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

from app.cli.common import printable
from app.cli.inspect_track import CERTAINTY, Way, track_lines
from app.cli.sketch import compass, degrees, strip
from schemas.records.v1.media_metadata import MediaMetadata

_LEFT_OUT = {"v", "type", "file", "findings", "raw", "tools", "track"}
_NAMES: Final = {
    "lat": "latitude", "lon": "longitude", "alt_gps": "GPS altitude", "alt_absolute": "absolute altitude",
    "alt_relative": "height above take-off", "utc_offset": "UTC offset", "capture_utc": "capture, UTC",
    "capture_local": "capture, local", "gps_utc": "GPS time, UTC", "iso": "ISO speed", "dop": "DOP",
    "fps": "frame rate", "duration_s": "duration", "f_number": "f-number", "c2pa": "content credentials",
}  # fmt: skip
_COLUMN, _WHY, _LINE = 24, 52, 132
_MAX_LINES = 40
_HEIGHTS: Final = ("alt_gps", "alt_absolute", "alt_relative")


def report(record: dict[str, Any], path: Way = ()) -> str:
    """All of a record but the raw dump.

    Args:
        record: as `--json` prints it.
        path: samples of the track with a position, in their order.
    """
    record = MediaMetadata.model_validate(record).model_dump(mode="json")  # in the order of the schema
    lines = [*_head(record), *_place(record)]
    for group, facts in record.items():
        if group not in _LEFT_OUT:
            lines += _group(group, facts)
    lines += track_lines(record.get("track") or {}, path)
    lines += _findings(record)
    lines += ["", "Read by", *(f"  {tool} {version}" for tool, version in record.get("tools", {}).items())]
    return "\n".join(printable(line) for line in lines)  # a text from the file can make no line of its own


def _head(record: dict[str, Any]) -> list[str]:
    file = record["file"]
    return [
        f"{file['original_name']}",
        f"  {file['kind']}, {file['format']} ({file['media_type']}), {file['size']:,} bytes",
    ]


def _place(record: dict[str, Any]) -> list[str]:
    """The position in one line with its heights, and where it stands on the globe's scales."""
    position = record.get("position", {})
    lat, lon = (position.get(axis, {}).get("value") for axis in ("lat", "lon"))
    if lat is None or lon is None:
        return ["  no position is recorded"]
    words = [f"  {degrees(lat, axis='lat')}  {degrees(lon, axis='lon')}"]
    for name in _HEIGHTS:
        height = position.get(name, {}).get("value")
        if height is not None:
            words.append(f"{_NAMES[name]} {height:g} m")
    direction = position.get("image_direction", {}).get("value")
    if direction is not None:
        words.append(f"looking {compass(direction)}")
    words.append(f"({CERTAINTY[position['lat']['certainty']]})")
    return ["  ".join(words), *(f"    {line}" for line in strip(lat, lon))]


def _group(name: str, facts: object) -> list[str]:
    lines = list(_lines(facts, "  "))
    return ["", words(name).capitalize(), *lines] if lines else []


def words(name: str) -> str:
    """A key as words."""
    return _NAMES.get(name, name.replace("_", " "))


def _is_fact(value: object) -> bool:
    return isinstance(value, dict) and "certainty" in value and "value" in value


def _lines(value: object, indent: str) -> Iterator[str]:
    """Facts one a line, lists by their items, whatever else nested."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _named(words(name), part, indent)
    elif isinstance(value, list) and all(isinstance(part, str) for part in value):
        if value:
            yield f"{indent}{', '.join(value)}"
    elif isinstance(value, list):
        for part in value[:_MAX_LINES]:
            yield f"{indent}- {_item(part)}"
        if len(value) > _MAX_LINES:
            yield f"{indent}- and {len(value) - _MAX_LINES} more; --json has all"


def _named(name: str, part: object, indent: str) -> Iterator[str]:
    if _is_fact(part):
        yield from _fact(name, cast("dict[str, Any]", part), indent)
    elif isinstance(part, dict | list):
        inner = list(_lines(part, indent + "  "))
        if inner:
            yield f"{indent}{name}"
            yield from inner
    elif part is not None:
        yield f"{indent}{name:<{_COLUMN}}{part}"


def _fact(name: str, fact: dict[str, Any], indent: str) -> Iterator[str]:
    if fact["value"] is None:
        return
    unit = f" {fact['unit']}" if fact.get("unit") else ""
    said = f"{indent}{name:<{_COLUMN}}{fact['value']}{unit}"
    why = f"[{CERTAINTY.get(fact['certainty'], fact['certainty'])}: {fact.get('source')}]"
    if len(said) + len(why) <= _LINE:
        yield f"{said:<{_WHY}}  {why}"
    else:
        yield said
        yield f"{indent}{'':<{_COLUMN}}  {why}"
    for other in fact.get("conflicts", ()):
        yield f"{indent}{'':<{_COLUMN}}  but {other['value']}{unit}: {other['source']}"


def _item(value: object) -> str:
    """One entry of a list in one line; what is absent is left out."""
    if _is_fact(value):
        return f"{value['value']}" if isinstance(value, dict) else ""
    if isinstance(value, dict):
        parts = []
        for name, part in value.items():
            if _is_fact(part):
                if part["value"] is not None:
                    parts.append(f"{words(name)} {part['value']} ({part['certainty']})")
            elif part not in (None, [], {}, "", False):
                parts.append(f"{words(name)} {_item(part)}")
        return ", ".join(parts)
    if isinstance(value, list):
        return "; ".join(f"[{_item(part)}]" if isinstance(part, dict) else str(part) for part in value)
    return str(value)


def _findings(record: dict[str, Any]) -> list[str]:
    found = record.get("findings") or []
    if not found:
        return ["", "Findings", "  none"]
    return ["", "Findings", *(f"  [{one['severity']}] {one['code']}: {one['text']}" for one in found)]
