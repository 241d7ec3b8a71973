"""Read one file as the archive reads it, without an archive."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from app.analysis.errors import SandboxFailure
from app.analysis.limits import Limits, for_reading
from app.analysis.probes.c2pa import NOBODY, TrustTexts
from app.analysis.reading import read_confined, with_second_opinion, with_thumbnail
from app.analysis.sandbox import run_sandboxed
from app.analysis.track_facts import read_track
from schemas.records.v1.track import TrackRecord


@dataclass(frozen=True, slots=True)
class Inspected:
    """What came of it: the record's bytes and the whole track, if there is one; or why there is no record."""

    record: bytes | None = None
    track: TrackRecord | None = None
    failure: SandboxFailure | None = None


def inspect_confined(
    path: Path,
    original_name: str,
    limits: Limits | None = None,
    trust: TrustTexts = NOBODY,
    exiftool: str = "off",
) -> Inspected:
    """Read a file in a confined process; a photo is decoded in another, to compare its embedded thumbnail.

    Raises:
        SandboxUnfitError: the file was not looked at.
    """
    limits = limits or for_reading(path.stat().st_size)
    try:
        record, track = read_confined(path, original_name, limits, trust)
        record = with_second_opinion(record, path, exiftool, limits)
    except SandboxFailure as failure:
        return Inspected(failure=failure)
    return Inspected(_compared(path, record), None if track is None else read_track(track))


def _compared(path: Path, record: bytes) -> bytes:
    kind = str(json.loads(record)["file"]["kind"])
    if kind != "photo":
        return record
    try:
        drawn = run_sandboxed("app.analysis.tasks:preview_task", (path, kind), for_reading(path.stat().st_size))
    except SandboxFailure:
        return record  # a picture that cannot be drawn has no thumbnail to compare; the record stands
    return with_thumbnail(record, cast("tuple[dict[str, object], bytes]", drawn)[0].get("thumbnail"))
