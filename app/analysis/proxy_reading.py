"""Reading a recording for its proxy: which streams, what decodes of them, where its time line begins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from app.analysis.errors import AnalysisError
from app.analysis.probes.video import open_container
from app.analysis.proxy_facts import THREADS, ProxyFacts
from app.analysis.proxy_picture import proxy_size, shown_size

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_ERRORS: Final = 1_000  # packets that do not decode
NO_LENGTH: Final = {"mpegts", "mpeg", "ogg"}  # hold none: it is read off the last time stamps that are there
FROM_ZERO: Final = {"mov", "matroska"}  # formats whose own time line begins at 0
_LATE_START: Final = 5.0
_LOOK_PACKETS: Final = 4_000
_TAGGED: Final = re.compile(r"([0-9]{1,6}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)")


@dataclass(frozen=True)
class Look:
    """What a first look tells: size, pixel aspect, whether sound decodes, where the time line begins (seconds).

    Attributes:
        claimed: length by the container, or by the last time stamps of the file.
        announced: whether the container itself says it.
        shown: width and height of the original's first frame as a player shows it, in pixels.
    """

    size: tuple[int, int]
    aspect: float
    sound: bool
    origin: float
    claimed: float | None
    announced: bool
    shown: tuple[float, float]


def look_at(path: Path, demuxer: str) -> Look:
    """Decode the first frame and the first sound."""
    import av

    with open_container(path, demuxer) as container:
        video, audio = streams_of(container)
        streams: list[VideoStream | AudioStream] = [video, *audio]
        frame: VideoFrame | None = None
        sound = False
        for count, decoded in enumerate(decoded_frames(container, streams, ProxyFacts())):
            for one in decoded:
                if not isinstance(one, av.VideoFrame):
                    sound = True
                elif frame is None:
                    frame = one
            if (frame is not None and (sound or len(streams) == 1)) or count > _LOOK_PACKETS:
                break
        if frame is None:
            raise AnalysisError("no_picture", "the file holds no video frame that can be decoded")
        aspect = float(video.sample_aspect_ratio or 1)
        began = container.start_time / 1_000_000 if container.start_time is not None else frame.time or 0.0
        if demuxer in FROM_ZERO and began < _LATE_START:
            began = 0.0
        claimed = container.duration / 1_000_000 if container.duration and container.duration > 0 else None
        announced = claimed is not None and demuxer not in NO_LENGTH
        shown = shown_size(frame, aspect)
        return Look(proxy_size(frame, aspect), aspect, sound, began, claimed, announced, shown)


def streams_of(container: InputContainer) -> tuple[VideoStream, list[AudioStream]]:
    """The first moving pictures and the first sound that a decoder is known for; a cover picture is neither."""
    moving = [one for one in _moving(container) if one.codec_context is not None]
    if not moving:
        if container.streams.video:
            raise AnalysisError("video_unreadable", "no decoder is known for its pictures")
        raise AnalysisError("no_picture", "the file holds no video stream")
    return moving[0], [one for one in container.streams.audio if one.codec_context is not None][:1]


def further_streams(container: InputContainer) -> tuple[int, int]:
    """How many streams of moving pictures and of sound there are beside the ones that are taken.

    A second camera or microphone counts, also one that no decoder is known for; covers, thumbnails and data do not.
    """
    return max(0, len(_moving(container)) - 1), max(0, len(container.streams.audio) - 1)


def claimed_end(stream: VideoStream | AudioStream) -> float | None:
    """Where a stream says that it ends, in seconds of the container's time line; None when it says nothing usable.

    Matroska has no length of a stream; its writers put one into the tag DURATION.
    """
    if stream.duration is not None and stream.duration > 0 and stream.time_base is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    said = _TAGGED.fullmatch(stream.metadata.get("DURATION", ""))
    if said is None:
        return None
    hours, minutes, seconds = said.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _moving(container: InputContainer) -> list[VideoStream]:
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return [one for one in container.streams.video if not one.disposition & still]


def decoded_frames(
    container: InputContainer, streams: Sequence[VideoStream | AudioStream], facts: ProxyFacts
) -> Iterator[list[VideoFrame | AudioFrame]]:
    """Packets with the frames that came of them; what does not decode is counted and passed over."""
    import av

    for stream in streams:
        if stream.type == "video":
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = THREADS
    packets = iter(container.demux(*streams))
    while facts.packets_damaged < MAX_ERRORS:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            facts.miss("container_broken")
            return
        if packet is None:
            return
        try:
            frames = cast("list[VideoFrame | AudioFrame]", list(packet.decode()))
        except av.error.FFmpegError:
            facts.packets_damaged += 1
            facts.miss("packets_damaged")
            continue
        if packet.is_corrupt or any(getattr(frame, "is_corrupt", False) for frame in frames):
            facts.packets_damaged += 1
            facts.miss("packets_damaged")
        yield frames
    facts.miss("too_damaged")
