"""How a picture is coded, whatever its format: what the walkers of the formats found, in one shape."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.analysis.probes.chunks import ChunkParts
from app.analysis.probes.embedded import Embedded
from app.analysis.probes.heif import HeifParts
from app.analysis.probes.icc import IccProfile, read_icc
from app.analysis.probes.jpeg import JpegParts
from app.analysis.probes.quantisation import Table


@dataclass
class Picture:
    """Facts of the coding; None where the format does not say.

    Attributes:
        tool: of the walker, first word of the facts' source.
        rotation: HEIF's, degrees anticlockwise.
        changed: time of last change of the format's own (PNG), "2014-09-16T14:05:12", UTC by its standard.
        taken_ms: milliseconds since 1970, UTC, that a maker's trailer states (Samsung).
    """

    tool: str = ""
    bits: int | None = None
    components: int | None = None
    coding: str | None = None
    sampling: str | None = None
    color_space: str | None = None
    restart_interval: int | None = None
    scans: int | None = None
    rotation: int | None = None
    trailing: int | None = None
    changed: str | None = None
    taken_ms: int | None = None
    sensor: str | None = None
    gopro: dict[str, str] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    profile: IccProfile | None = None
    embedded: list[Embedded] = field(default_factory=list)


def of_jpeg(parts: JpegParts) -> Picture:
    """From the walk of a JPEG."""
    stamp = parts.samsung.get("Image_UTC_Data", b"")
    return Picture(
        tool="jpeg",
        bits=parts.bits,
        components=parts.components,
        coding=parts.coding,
        sampling=parts.sampling,
        restart_interval=parts.restart_interval,
        scans=parts.scans,
        trailing=parts.trailing,
        taken_ms=int(stamp) if stamp.isdigit() and len(stamp) <= 14 else None,  # noqa: PLR2004 (until the year 5138)
        sensor=parts.dji_sensor,
        gopro=parts.gopro,
        tables=parts.tables,
        profile=read_icc(parts.icc),
        embedded=parts.embedded,
    )


def of_chunks(parts: ChunkParts, tool: str) -> Picture:
    """From the walk of a PNG or WebP."""
    return Picture(
        tool=tool,
        bits=parts.bits,
        components=parts.components,
        coding=parts.coding,
        color_space=parts.color_space,
        trailing=parts.trailing,
        changed=parts.changed,
        profile=read_icc(parts.icc),
    )


def of_heif(parts: HeifParts) -> Picture:
    """From the walk of a HEIF or AVIF."""
    found = parts.properties
    return Picture(
        tool="heif",
        bits=found.bits,
        components=found.components,
        coding=found.coding,
        color_space=found.color_space,
        rotation=found.rotation,
        trailing=parts.trailing,
        profile=read_icc(found.icc),
        embedded=parts.embedded,
    )
