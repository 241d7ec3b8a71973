"""Tables of what a file testifies to: each value with its basis, its precision and where it was read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app.export.report.document import Block, Cell, Code, Para, Said, Table
from app.export.report.holding import Record, part
from app.export.report.words import basis, label, value_text

PLACE: Final = ("lat", "lon", "alt_gps", "alt_absolute", "alt_relative", "image_direction", "horizontal_error")
PLACE_MORE: Final = ("vertical_error", "dop", "map_datum", "satellites", "status")
TIME: Final = (
    "capture_local",
    "utc_offset",
    "capture_utc",
    "gps_utc",
    "container_created",
    "container_modified",
    "digitized_local",
    "modified",
    "metadata_changed",
)
DEVICE: Final = ("make", "model", "camera_serial", "drone_serial", "lens_serial", "software")
_HEADS: Final = ("What", "Value", "Basis", "Precision", "Read from")
_WIDTHS: Final = (20, 24, 18, 20, 18)
_UNITS: Final = {"deg": "\u00b0", "m": " m", "m/s": " m/s", "s": " s", "mm": " mm"}
Precision = Callable[[str, Record], str]
_METRES_PER_DEGREE: Final = 111_320.0
_FINEST: Final = 7  # decimals of a degree: a centimetre; more is the spelling of a number, not what was measured


def place(metadata: Record | None) -> list[Block]:
    """Where, as the file says."""
    rows = _rows(part(metadata, "position"), (*PLACE, *PLACE_MORE), _place_precision)
    rows += _track(part(metadata, "track"))
    if not rows:
        return [Para(_nothing(metadata, "the place"), "quiet")]
    note = "Precision is how finely a value is written. How true it is, only a recorded error can tell."
    return [Table("As the file says it, WGS 84", _HEADS, rows, _WIDTHS), Para(note, "quiet")]


def time(metadata: Record | None, stated: Record, received_at: str) -> list[Block]:
    """When, each clock apart.

    Args:
        metadata: the record, or None.
        stated: what the collector states.
        received_at: RFC 3339 UTC, by the archive's clock.
    """
    rows = _rows(part(metadata, "time"), TIME, _time_precision)
    blocks: list[Block] = [] if rows else [Para(_nothing(metadata, "the time"), "quiet")]
    for name in ("posted_at", "collected_at"):
        if stated.get(name):
            rows.append((label(name), Said(str(stated[name])), basis("stated"), "as stated", "the collector"))
    rows.append(("Received", received_at, basis("archive"), "the archive's own clock", "the deposit"))
    note = "Each clock can be wrong on its own. No time here is proven by being recorded."
    blocks += [Table("Each clock that says something", _HEADS, rows, _WIDTHS), Para(note, "quiet")]
    return blocks


def _track(track: Record) -> list[tuple[Cell, ...]]:
    """One row that sums a telemetry track up."""
    first, last = part(track, "first"), part(track, "last")
    if not track.get("points"):
        return []
    ends = [f"{end.get('lat')}, {end.get('lon')}" for end in (first, last)]
    value = Said(f"{track['points']} positions, from {ends[0]} to {ends[1]}")
    timing = f"times: {value_text(track.get('timing'))}"
    return [("Track", value, basis(str(track.get("certainty"))), timing, Said(value_text(track.get("source"))))]


def device(metadata: Record | None) -> Block | None:
    """With what, as the file says."""
    rows = _rows(part(metadata, "device"), DEVICE, lambda _name, _fact: "")
    without = [(*row[:3], row[4]) for row in rows]
    heads = (*_HEADS[:3], _HEADS[4])
    return Table("Device: as the file says", heads, without, (20, 32, 24, 24)) if rows else None


def picture_facts(metadata: Record | None) -> list[tuple[str, Cell]]:
    """Size, length and coding, in words."""
    found: list[tuple[str, Cell]] = []
    image, container = part(metadata, "image"), part(metadata, "container")
    width, height = _value(image, "width"), _value(image, "height")
    if width is not None and height is not None:
        found.append(("Size of the picture", f"{width} x {height} pixels, as stored"))
    if (seconds := _value(container, "duration_s")) is not None:
        found.append(("Length", f"{seconds} s"))
    tracks = [
        f"{track.get('type')}: {track.get('codec')}"
        + (f", {track.get('width')} x {track.get('height')}" if track.get("width") else "")
        for track in container.get("tracks") or ()
        if isinstance(track, dict)
    ]
    if tracks:
        found.append(("Streams", Said("; ".join(tracks))))
    return found


def _value(facts: Record, name: str) -> object:
    return part(facts, name).get("value")


def _rows(facts: Record, names: tuple[str, ...], precision: Precision) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for name in names:
        fact = part(facts, name)
        if fact.get("value") is None:
            continue
        certainty = str(fact.get("certainty"))
        unit = _UNITS.get(str(fact.get("unit")), "")
        raw = fact.get("raw")
        value: tuple[Any, ...] = (Said(f"{fact['value']}{unit}"),)
        if raw is not None and str(raw) != str(fact["value"]):
            value = (*value, Said(f"\nas recorded: {raw}"))
        source = Said(str(fact.get("source") or "-"))
        rows.append((label(name), value, basis(certainty), precision(name, fact), source))
        rows += [_conflict(name, other, unit) for other in fact.get("conflicts") or () if isinstance(other, dict)]
    return rows


def _conflict(name: str, other: Record, unit: str) -> tuple[Cell, ...]:
    return (
        f"{label(name)}, elsewhere",
        Said(f"{value_text(other.get('value'))}{unit}"),
        "recorded in the file, contradicts the value above",
        "",
        Said(str(other.get("source") or "-")),
    )


def _place_precision(name: str, fact: Record) -> str:
    """How fine the value is written; how true it is, only a recorded error tells."""
    if name not in {"lat", "lon"}:
        return "as recorded" if fact.get("certainty") == "recorded" else ""
    text = str(fact["value"])
    decimals = min(len(text.partition(".")[2]), _FINEST)
    metres = _METRES_PER_DEGREE / 10**decimals
    written = f"{metres:.0f} m" if metres >= 1 else f"{metres * 100:.0f} cm"
    return f"{decimals} decimals: steps of about {written}"


def _time_precision(_name: str, fact: Record) -> str:
    text = str(fact["value"])
    if "T" not in text:
        return "as recorded"
    fine = "fractions of a second" if "." in text else "one second"
    zone = "UTC" if text.endswith("Z") else "no time zone"
    return f"{fine}; {zone}"


def _nothing(metadata: Record | None, what: str) -> str:
    if metadata is None:
        return f"There is no metadata record in this bundle: what the file says of {what} is not told here."
    return f"The file says nothing of {what}."


def findings(metadata: Record | None) -> list[Cell]:
    """The findings in words; what they are consistent with, never what they prove."""
    told: list[Cell] = []
    for finding in (metadata or {}).get("findings") or ():
        if isinstance(finding, dict):
            head = f"{str(finding.get('severity', '')).capitalize()}: "
            told.append((head, Said(str(finding.get("text", ""))), " ", Code(str(finding.get("code", "")))))
    return told
