"""Read one file in a confined process: its record, its whole track, and what its decoded pixels add."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from app.analysis.credentials import Asked
from app.analysis.errors import SandboxFailure
from app.analysis.extract import from_bytes, to_bytes
from app.analysis.limits import Limits
from app.analysis.opinion import weigh
from app.analysis.probes.c2pa import TrustTexts
from app.analysis.rules_image import thumbnail
from app.analysis.sandbox import run_sandboxed
from app.analysis.second_opinion import ask, find_program
from app.analysis.track_parts import TrackParts
from schemas.records.v1.thumbnail_facts import ThumbnailFacts

_MOST_OPINION_S = 20.0
_TASK = "app.analysis.tasks:metadata_and_track_task"


def read_confined(path: Path, original_name: str, limits: Limits, trust: TrustTexts) -> tuple[bytes, bytes | None]:
    """The record and the whole track, None when there is none.

    A manifest of content credentials that breaks its reader costs the manifest and not the record.

    Raises:
        SandboxFailure: why there is no record.
        SandboxUnfitError: the file was not looked at.
    """
    end = time.monotonic() + limits.wall_s
    announced: list[object] = []
    parts = TrackParts()

    def take(header: dict[str, object], body: bytes) -> None:
        if header.get("part") == "c2pa":
            announced[:] = [header]
        parts.take(header, body)

    asked = Asked(trust, announce=True)
    try:
        record = cast("bytes", run_sandboxed(_TASK, (path, original_name, asked), limits, on_part=take))
    except SandboxFailure as failure:
        if not announced:
            raise
        parts = TrackParts()
        asked = Asked(trust, lost=failure.reason or failure.code)
        within = limits.within(end - time.monotonic())
        record = cast("bytes", run_sandboxed(_TASK, (path, original_name, asked), within, on_part=take))
    return record, parts.believed(record)


def with_thumbnail(record: bytes, told: object) -> bytes:
    """The record with what the decoded pixels said; as it was, when they said nothing of the form."""
    if not isinstance(told, dict):
        return record
    try:
        read = from_bytes(record).model_copy(update={"thumbnail": ThumbnailFacts.model_validate(told)})
    except ValidationError:
        return record
    return to_bytes(read.model_copy(update={"findings": (*read.findings, *thumbnail(read))}))


def with_second_opinion(record: bytes, path: Path, exiftool: str, limits: Limits) -> bytes:
    """The record beside exiftool's, where the settings ask for that and the file is a photo or a recording."""
    program = find_program(exiftool)
    if program is None:
        return record
    read = from_bytes(record)
    if read.file.kind == "other":
        return record
    return to_bytes(weigh(read, ask(program, path, limits.within(_MOST_OPINION_S))))
