"""DJI's and Autel's flight log in SubRip text, as a sidecar or inside a movie: from a text to a track.

Files without timing lines are read by their blocks; their samples then have the recorder's clock at best.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.analysis.probes.readings import Remark
from app.analysis.probes.srt_fields import TELEMETRY, read_block
from app.analysis.probes.srt_order import axis_order
from app.analysis.probes.telemetry import Telemetry, times_by_clock

MAX_BLOCKS = 400_000
MAX_BYTES = 64 * 1024 * 1024
_TIMING = re.compile(r"(\d{1,3}):(\d{2}):(\d{2})[,.](\d{1,3})\s*-->")
_DIALECTS = {
    "range": "by the range of values",
    "distance": "by the stated distance from home",
    "location": "by the movie's own location",
    "habit": "by habit of the model",
}

Block = tuple[float | None, str]


def read_srt(text: str) -> Telemetry:
    """Read a SubRip file's text; malformed blocks are left out."""
    timings = list(_TIMING.finditer(text))
    if not timings:
        return _untimed(text)
    blocks: list[Block] = []
    for index, timing in enumerate(timings[:MAX_BLOCKS]):
        hours, minutes, seconds, fraction = timing.groups()
        start = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")
        end = timings[index + 1].start() if index + 1 < len(timings) else len(text)
        blocks.append((start, text[timing.end() : end]))
    track = read_blocks(blocks, "srt")
    if len(timings) > MAX_BLOCKS:
        track.remarks.append(Remark("structure_too_large", f"only the first {MAX_BLOCKS} blocks were read"))
    return track


def _untimed(text: str) -> Telemetry:
    """Blocks by their numbers, else by blank lines, else one for each line that begins a block's fields."""
    begins = r"(?m)^(?=.*\bHOME\s*\()" if "HOME" in text else r"(?m)^(?=.*(?:\bGPS\s*\(|latitude\s*:))"
    parts: list[str] = []
    for divider in (r"(?m)^[ \t]*\d{1,7}[ \t]*\r?$", r"\n[ \t]*\r?\n", begins):
        parts = [part for part in re.split(divider, text, maxsplit=MAX_BLOCKS) if TELEMETRY.search(part)]
        if len(parts) > 1:
            break
    track = read_blocks([(None, part) for part in parts], "srt")
    if track.points:
        track.timing = times_by_clock(track.points)
        track.dialect = f"{track.dialect}, without timing lines"
    return track


def read_blocks(blocks: Iterable[Block], source: str, location: tuple[float, float] | None = None) -> Telemetry:
    """Read timed texts.

    Args:
        blocks: start in seconds, and the text.
        source: what facts name as their source.
        location: latitude and longitude that the movie itself states.
    """
    track = Telemetry(source=source)
    kept = track.thinned([(start, body) for start, body in blocks if TELEMETRY.search(body)])
    bodies = [body for _, body in kept]
    found = axis_order(bodies, location)
    order = None if found is None else found.order
    if found is not None and found.order is None:
        text = "some of the track's pairs of numbers can only be latitude, longitude, others only the reverse"
        track.remarks.append(Remark("track_axis_order_contradictory", f"{text}; positions are left out"))
        track.inferred, track.axis_order, track.dialect = True, "contradiction", "GPS()"
    elif found is not None:
        track.inferred, track.axis_order = found.inferred, found.basis
        track.dialect = f"GPS({order}) {_DIALECTS[found.basis]}"
    elif kept:
        track.dialect = "[latitude] [longitude]" if any("latitude" in body for body in bodies) else "GPS()"
    track.points = [read_block(start, body, order, track) for start, body in kept]
    return track
