"""From what the probes read to the published record."""

from __future__ import annotations

from app.analysis.complete_video import attitude_of, device_of, editing_of, position_of
from app.analysis.gathered import Gathered
from app.analysis.normalise_container import container
from app.analysis.normalise_device import device, editing
from app.analysis.normalise_exposure import exposure
from app.analysis.normalise_image import image
from app.analysis.normalise_position import attitude, position
from app.analysis.normalise_text import description
from app.analysis.normalise_time import time
from app.analysis.probes.readings import clean
from app.analysis.track_facts import summarise
from schemas.records.v1.media_metadata import FileFacts, MediaMetadata

_MAX_RAW_BYTES = 256 * 1024


def normalise(gathered: Gathered) -> MediaMetadata:
    """The record without findings."""
    return MediaMetadata(
        file=FileFacts(
            original_name=clean(gathered.name),
            size=gathered.size,
            kind=gathered.type.kind,
            media_type=gathered.type.media_type,
            format=gathered.type.format,
        ),
        device=device_of(device(gathered), gathered),
        time=time(gathered),
        position=position_of(position(gathered), gathered),
        attitude=attitude_of(attitude(gathered), gathered),
        exposure=exposure(gathered),
        image=image(gathered),
        description=description(gathered),
        container=container(gathered),
        editing=editing_of(editing(gathered), gathered),
        c2pa=gathered.c2pa,
        track=summarise(gathered.track),
        tools={dump.tool: dump.version for dump in gathered.dumps},
        raw=_raw(gathered),
    )


def _raw(gathered: Gathered) -> dict[str, dict[str, str]]:
    """The dumps of all tools, cut where they would pass the bound."""
    raw: dict[str, dict[str, str]] = {}
    room = _MAX_RAW_BYTES
    for dump in gathered.dumps:
        kept = raw.setdefault(dump.tool, {})
        for tag, text in dump.tags.items():
            room -= len(tag) + len(text)
            if room < 0:
                return raw
            kept[tag] = text
    return raw
