"""Read one file as the archive reads it, without an archive."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from app.analysis.errors import SandboxFailure
from app.analysis.limits import Limits, for_reading
from app.analysis.probes.c2pa import NOBODY, TrustTexts
from app.analysis.reading import read_confined, second_opinion
from app.analysis.track_facts import read_track
from schemas.records.v1.track import TrackRecord


@dataclass(frozen=True, slots=True)
class Inspected:
    """What came of it: the record's bytes and the whole track, if there is one; or why there is no record."""

    record: bytes | None = None
    track: TrackRecord | None = None
    failure: SandboxFailure | None = None


def inspect_confined(
    path: Path, original_name: str, limits: Limits | None = None, trust: TrustTexts = NOBODY, exiftool: str = "off"
) -> Inspected:
    """Read a file in a confined process, as the archive does.

    Args:
        path: the file.
        original_name: the name that the record is to show.
        limits: by the file's size unless given.
        trust: whom content credentials are trusted under.
        exiftool: the setting of that name: whether there is a second opinion.

    Raises:
        SandboxUnfitError: the file was not looked at.
    """
    limits = limits or for_reading(path.stat().st_size)
    end = time.monotonic() + limits.wall_s
    try:
        read = read_confined(path, original_name, limits, trust)
    except SandboxFailure as failure:
        return Inspected(failure=failure)
    # A picture that cannot be drawn has no thumbnail to compare; the record stands.
    record = read.compared(second_opinion(read.record, path, exiftool, limits.within(end - time.monotonic())))
    return Inspected(record, None if read.track is None else read_track(read.track))
