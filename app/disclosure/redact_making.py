"""Making the file of a redacted copy: of a photo or of a recording, in the sandbox, into the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import JsonValue

from app.analysis.errors import AnalysisError
from app.analysis.limits import MEBIBYTE, Limits
from app.analysis.newest import claimed_seconds, newest_analysis
from app.analysis.proxy_answer import believed, progress_in, room_for
from app.analysis.proxy_facts import PROXY_TYPE
from app.analysis.proxy_spool import ROOM_EVERY, Spool
from app.analysis.sandbox import run_sandboxed
from app.archive import Archive
from app.disclosure.redact_picture import FILL
from app.disclosure.redact_video import TimedBox
from app.errors import ConflictError, InvalidInputError
from app.evidence.models import Item
from evidence_store.digests import Digests

PHOTO_LIMITS: Final = Limits(cpu_s=60, wall_s=120.0, output_bytes=96 * MEBIBYTE)
MOST_MEDIA_BYTES: Final = 512 * MEBIBYTE
MOST_SECONDS: Final = 1800.0
"""What one recording may take by the clock where whoever asks for the copy waits for it."""

ENDINGS: Final = {"image/jpeg": "jpg", PROXY_TYPE: "mp4"}
"""Of a copy's name, by its media type."""

Progress = Callable[[int, int | None], None]
_ENDED_EARLY: Final = {"time_limit", "size_limit", "too_long"}
_JPEG = b"\xff\xd8\xff"
_MAX_EDGE = 1_000_000


@dataclass(frozen=True)
class Copy:
    """A redacted copy in the store.

    Attributes:
        digests: of its bytes.
        media_type: `image/jpeg` or `video/mp4`.
        width: in pixels; `height` likewise.
        told: what else the event says of it: of a recording how far it goes, what of the original did not decode, and
            what made it.
    """

    digests: Digests
    media_type: str
    width: int
    height: int
    told: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be redacted: a recording, of as many seconds as its container claims, where it says so; or a photo."""

    is_recording: bool
    seconds: float | None = None


def subject_of(archive: Archive, item: Item, boxes: Sequence[TimedBox], method: str) -> Subject:
    """What an item is, when it can be redacted so.

    Raises:
        InvalidInputError: `bad_region` for times in a photo, `bad_method` for a mosaic over a recording.
        ConflictError: `not_analysed_yet` for a recording.
    """
    with archive.db.read() as session:
        run = newest_analysis(session, item.id)
    kind = None if run is None else run.kind
    if kind == "video":
        if method != FILL:
            raise InvalidInputError("bad_method", "a mosaic over moving pictures tells what is under it: use fill")
        return Subject(is_recording=True, seconds=claimed_seconds(run))
    timed = any(one.from_ms is not None for one in boxes)
    if kind is None and timed:
        raise ConflictError("not_analysed_yet", "recordings are redacted once they are analysed")
    if timed:
        raise InvalidInputError("bad_region", "only regions of a recording have times")
    return Subject(is_recording=False)


def make_copy(
    archive: Archive, item: Item, boxes: Sequence[TimedBox], method: str, progress: Progress | None = None
) -> Copy:
    """Make it; the original is only read.

    Args:
        archive: where it is.
        item: the item.
        boxes: what is hidden.
        method: how.
        progress: told (seconds done, of how many where known) of a recording. Whoever listens does not wait, and the
            copy may take what a proxy may.

    Raises:
        InvalidInputError, ConflictError: as `subject_of`.
        AnalysisError: `image_unreadable`, `image_too_large`, `region_outside`; of a recording `video_unreadable`,
            `video_too_large`, `no_picture`, `proxy_unavailable`, `redaction_unfinished`.
        SandboxFailure: the file brought its reader down.
    """
    subject = subject_of(archive, item, boxes, method)
    if subject.is_recording:
        return _of_recording(archive, item, boxes, subject.seconds, progress)
    return _of_photo(archive, item, boxes, method)


def _of_photo(archive: Archive, item: Item, boxes: Sequence[TimedBox], method: str) -> Copy:
    target = "app.disclosure.redact_picture:redact_task"
    with archive.blobs.local_path(item.sha256) as path:
        answer = run_sandboxed(target, (path, [one.box for one in boxes], method), PHOTO_LIMITS)
    facts, data = answer if isinstance(answer, tuple) else ({}, b"")
    edges = (facts.get("width"), facts.get("height")) if isinstance(facts, dict) else ()
    sizes = [edge for edge in edges if isinstance(edge, int) and 0 < edge < _MAX_EDGE]
    if len(sizes) != 2 or not isinstance(data, bytes) or not data.startswith(_JPEG):  # noqa: PLR2004 - two edges
        raise AnalysisError("image_unreadable", "the confined process gave no picture")
    with archive.blobs.stage() as staged:
        staged.write(data)
        return Copy(staged.commit().digests, "image/jpeg", sizes[0], sizes[1])


def _of_recording(
    archive: Archive, item: Item, boxes: Sequence[TimedBox], seconds: float | None, progress: Progress | None
) -> Copy:
    target = "app.disclosure.redact_video:redact_video_task"
    with archive.blobs.local_path(item.sha256) as path:
        budget, limits = room_for(path.stat().st_size, seconds)
        if progress is None:
            wall_s, most = min(budget.wall_s, MOST_SECONDS), min(budget.media_bytes, MOST_MEDIA_BYTES)
            budget = replace(budget, wall_s=wall_s, media_bytes=most)
        with Spool(archive.settings, budget.media_bytes + ROOM_EVERY) as spool:

            def take(header: dict[str, object], body: bytes) -> None:
                if header.get("part") == "media":
                    spool.take(body)
                elif progress is not None and (told := progress_in(header)) is not None:
                    progress(*told)

            answer, front = believed(run_sandboxed(target, (path, budget, list(boxes)), limits, on_part=take))
            if early := _ENDED_EARLY.intersection(answer.missing):
                raise AnalysisError("redaction_unfinished", f"the recording is too long or too large: {min(early)}")
            with archive.blobs.stage() as staged:
                spool.put_behind(front, staged)
                digests = staged.commit().digests
    told = answer.model_dump(include={"covered_ms", "origin_ms", "missing", "tool", "parameters"})
    return Copy(digests, PROXY_TYPE, answer.width, answer.height, told)
