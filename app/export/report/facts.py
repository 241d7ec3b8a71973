"""Tables of what a file testifies to: each value with its basis, its precision and where it was read."""

from __future__ import annotations

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
_METRES_PER_DEGREE: Final = 111_320.0
_FINEST: Final = 7  # decimals of a degree: a centimetre; more is the spelling of a number, not what was measured


def place(metadata: Record | None) -> Block:
    """Where, as the file says."""
    facts = part(metadata, "position")
    rows = _rows(facts, (*PLACE, *PLACE_MORE), _place_precision)
    if not rows:
        return Para(_nothing(metadata, "the place"), "quiet")
    return Table("Place: WGS 84, as the file says it", _HEADS, rows, _WIDTHS)


def time(metadata: Record | None) -> Block:
    """When, each clock apart."""
    rows = _rows(part(metadata, "time"), TIME, _time_precision)
    if not rows:
        return Para(_nothing(metadata, "the time"), "quiet")
    return Table("Time: each clock that the file records", _HEADS, rows, _WIDTHS)


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


def _value(facts: Record, name: str) -> Any:
    return part(facts, name).get("value")


def _rows(facts: Record, names: tuple[str, ...], precision: Any) -> list[tuple[Cell, ...]]:
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
        for other in fact.get("conflicts") or ():
            if isinstance(other, dict):
                rows.append(_conflict(name, other, unit))
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
    return f"written to {decimals} decimals (steps of about {written}); the error is not known from this"


def _time_precision(_name: str, fact: Record) -> str:
    text = str(fact["value"])
    if "T" not in text:
        return "as recorded"
    fine = "fractions of a second" if "." in text else "one second"
    zone = "UTC" if text.endswith("Z") else "no time zone in the value"
    return f"{fine}; {zone}; how right the clock was is not known"


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
