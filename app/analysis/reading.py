"""Read one file in a confined process: its record, its whole track, and what its decoded pixels add."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from app.analysis.asked import Asked
from app.analysis.errors import SandboxFailure
from app.analysis.limits import Limits
from app.analysis.opinion import weigh
from app.analysis.probes.c2pa import NOBODY, TrustTexts
from app.analysis.record_bytes import from_bytes, to_bytes
from app.analysis.rules_image import thumbnail
from app.analysis.sandbox import run_sandboxed
from app.analysis.second_opinion import ask, find_program
from app.analysis.track_parts import TrackParts
from schemas.records.v1.media_metadata import MediaMetadata
from schemas.records.v1.thumbnail_facts import ThumbnailFacts

_TASK: Final = "app.analysis.tasks:whole_task"
_MOST_OPINION_S: Final = 20.0
_AHEAD: Final = ("record", "preview")
_PART_COST: Final = 4096  # of the answer, for each part: what a part without a body may take in its header
_PREVIEW_TYPE: Final = "image/jpeg"
_MOST_EDGE: Final = 65_535


@dataclass(frozen=True, slots=True)
class Read:
    """What one process made of a file before it ended.

    Attributes:
        record: bytes of the metadata record.
        parsed: the same, taken apart.
        track: the whole track, None when there is none.
        drawn: of a photo, the facts and bytes of its preview; None when it came to none.
        made: what `further` returned; None unless all went well.
        broken: what ended the process after the record.
    """

    record: bytes
    parsed: MediaMetadata
    track: bytes | None = None
    drawn: tuple[dict[str, object], bytes] | None = None
    made: bytes | None = None
    broken: SandboxFailure | None = None

    def compared(self, record: bytes) -> bytes:
        """A record with what the photo's decoded pixels said; as it was, when they said nothing of the form."""
        told = None if self.drawn is None else self.drawn[0].get("thumbnail")
        if not isinstance(told, dict):
            return record
        try:
            same = self.parsed if record is self.record else from_bytes(record)
            read = same.model_copy(update={"thumbnail": ThumbnailFacts.model_validate(told)})
        except ValidationError:
            return record
        return to_bytes(read.model_copy(update={"findings": (*read.findings, *thumbnail(read))}))


class _Answer:
    """Takes what a process sends ahead of its end; all but the track is bounded together as one answer is."""

    def __init__(self, most: int) -> None:
        self.whole: dict[str, tuple[dict[str, object], bytes]] = {}
        self.track = TrackParts()
        self.announced = False
        self._begun = bytearray()
        self._left = most

    def take(self, header: dict[str, object], body: bytes) -> None:
        """A part; the first whole one of each name counts."""
        name = str(header.get("part"))
        if name in {"c2pa", "track"}:
            self.announced |= name == "c2pa"
            self.track.take(header, body)
            return
        if name not in _AHEAD:
            raise SandboxFailure("parser_error", "the answer has a part of no known name")
        self._left -= len(body) + _PART_COST
        if self._left < 0:
            raise SandboxFailure("output_too_large", "the answer came in too many parts")
        self._begun += body
        if header.get("last") is True:
            facts = {key: value for key, value in header.items() if key not in {"part", "last"}}
            self.whole.setdefault(name, (facts, bytes(self._begun)))
            self._begun.clear()


def read_confined(
    path: Path, original_name: str, limits: Limits, trust: TrustTexts = NOBODY, further: str | None = None
) -> Read:
    """Everything that one confined process makes of a file; what came before it broke is kept.

    A manifest of content credentials that breaks its reader costs the manifest and not the record.

    Args:
        path: the file.
        original_name: the name it came with.
        limits: of the process.
        trust: whom content credentials are trusted under.
        further: what else is made of a photo, see `app.analysis.tasks.whole_task`.

    Raises:
        SandboxFailure: why there is no record.
        SandboxUnfitError: the file was not looked at.
    """
    end = time.monotonic() + limits.wall_s
    answer, made, broken = _once((path, original_name, Asked(trust, announce=True), further), limits)
    if broken is not None and answer.announced and "record" not in answer.whole:
        asked = Asked(trust, lost=broken.reason or broken.code)
        within = limits.within(end - time.monotonic())
        answer, made, broken = _once((path, original_name, asked, further), within)
    if "record" not in answer.whole:
        raise broken or SandboxFailure("parser_error", "the answer has no record")
    record = answer.whole["record"][1]
    try:
        parsed = from_bytes(record)
    except ValueError as error:
        raise SandboxFailure("parser_error", "the record is of no form that is known") from error
    track = answer.track.believed(parsed.track)
    return Read(record, parsed, track, picture_of(answer.whole.get("preview")), made, broken)


def picture_of(answer: object) -> tuple[dict[str, object], bytes] | None:
    """A preview as a confined process gives it, facts and bytes; None when they are of another form."""
    match answer:
        case (dict(facts), bytes(data)):
            sizes = facts.get("width"), facts.get("height")
            whole = all(type(side) is int and 0 < side <= _MOST_EDGE for side in sizes)
            return (facts, data) if data and whole and facts.get("media_type") == _PREVIEW_TYPE else None
    return None


def _once(arguments: tuple[object, ...], limits: Limits) -> tuple[_Answer, bytes | None, SandboxFailure | None]:
    answer = _Answer(limits.output_bytes)
    try:
        made = run_sandboxed(_TASK, arguments, limits, on_part=answer.take)
    except SandboxFailure as failure:
        return answer, None, failure
    return answer, made if isinstance(made, bytes) else None, None


def second_opinion(record: bytes, path: Path, exiftool: str, limits: Limits) -> bytes:
    """The record beside exiftool's, where the settings ask for that and the file is a photo or a recording."""
    program = find_program(exiftool)
    if program is None:
        return record
    read = from_bytes(record)
    if read.file.kind == "other":
        return record
    return to_bytes(weigh(read, ask(program, path, limits.within(_MOST_OPINION_S))))
