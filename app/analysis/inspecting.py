"""Read one file as the archive reads it, without an archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from app.analysis.errors import SandboxFailure
from app.analysis.limits import Limits, for_reading
from app.analysis.sandbox import run_sandboxed
from app.analysis.track_facts import read_track
from app.analysis.track_parts import TrackParts
from schemas.records.v1.track import TrackRecord


@dataclass(frozen=True, slots=True)
class Inspected:
    """What came of it: the record's bytes and the whole track, if there is one; or why there is no record."""

    record: bytes | None = None
    track: TrackRecord | None = None
    failure: SandboxFailure | None = None


def inspect_confined(path: Path, original_name: str, limits: Limits | None = None) -> Inspected:
    """Read a file in a confined process.

    Raises:
        SandboxUnfitError: the file was not looked at.
    """
    limits = limits or for_reading(path.stat().st_size)
    parts = TrackParts()
    try:
        task = "app.analysis.tasks:metadata_and_track_task"
        record = cast("bytes", run_sandboxed(task, (path, original_name), limits, on_part=parts.take))
        track = parts.believed(record)
    except SandboxFailure as failure:
        return Inspected(failure=failure)
    return Inspected(record, None if track is None else read_track(track))
