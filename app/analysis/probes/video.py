"""Container and stream facts of a video by PyAV (FFmpeg's demuxers), without decoding the video."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.analysis.probes.readings import Readings, Remark, clean, unread

if TYPE_CHECKING:
    from av.container import InputContainer

# The demuxer is named, so that no content can make FFmpeg take a playlist or an image sequence instead.
DEMUXERS = {
    "MP4": "mov",
    "QuickTime": "mov",
    "3GPP": "mov",
    "M4A": "mov",
    "Matroska": "matroska",
    "WebM": "matroska",
    "AVI": "avi",
    "MPEG-TS": "mpegts",
    "MPEG-PS": "mpeg",
    "FLV": "flv",
    "ASF": "asf",
    "Ogg": "ogg",
}
MAX_STREAMS = 64
_NO_TELEMETRY = {"tmcd", "text", "rtp"}  # time code, chapter names, streaming hints
MAX_SUBTITLE_PACKETS = 200_000


@dataclass
class StreamFacts:
    """One stream; durations in seconds, sizes in pixels."""

    index: int
    type: str
    codec: str | None = None
    codec_tag: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    frames: int | None = None
    duration_s: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    id: int | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass
class VideoData:
    """What the demuxer tells; `subtitles` is the text of the first subtitle stream with its start times."""

    format: str | None = None
    duration_s: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    streams: list[StreamFacts] = field(default_factory=list)
    subtitles: list[tuple[float, str]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def open_container(path: Path, demuxer: str | None) -> InputContainer:
    """Open for reading, files only.

    Raises:
        OSError, ValueError: as PyAV does for what it cannot open.
    """
    import av

    av.logging.set_level(None)
    return av.open(
        str(path.absolute()),
        format=demuxer,
        metadata_errors="ignore",
        options={"protocol_whitelist": "file"},
    )


def read_video(path: Path, format_name: str, elsewhere: frozenset[int] = frozenset()) -> tuple[VideoData, Readings]:
    """Read the container's facts.

    Args:
        path: the file.
        format_name: name of the format as `filetype.sniff` gave it.
        elsewhere: indexes of data streams that are read by other readers.

    Returns:
        Facts (with a remark `container_unreadable` where FFmpeg refuses the file) and the raw dump.
    """
    import av

    data, dump = VideoData(), Readings("PyAV", av.__version__)
    try:
        with open_container(path, DEMUXERS.get(format_name)) as container:
            _container_facts(container, data)
            _subtitles(container, data)
    except MemoryError:
        raise
    except (OSError, ValueError, EOFError, RuntimeError, IndexError, av.error.FFmpegError) as error:
        data.remarks.append(Remark("container_unreadable", f"the container could not be read ({type(error).__name__})"))
    else:
        _remark(data, elsewhere)
    for key, value in data.metadata.items():
        dump.put(key, value)
    for stream in data.streams:
        for key, value in stream.metadata.items():
            dump.put(f"stream {stream.index} {key}", value)
    return data, dump


def _remark(data: VideoData, elsewhere: frozenset[int]) -> None:
    """Data streams (a phone's timed metadata ...) may hold clocks and places; what no other reader took is named."""
    names = [
        f"data stream {stream.index} ({stream.codec_tag or stream.codec or 'unknown'})"
        for stream in data.streams
        if stream.index not in elsewhere
        and stream.type in {"data", "unknown"}
        and (stream.codec_tag or "").lower().strip() not in _NO_TELEMETRY
    ]
    if names:
        data.remarks.append(unread(*names))
    if not any(stream.type == "video" and stream.codec and stream.width for stream in data.streams):
        data.remarks.append(Remark("video_unreadable", "no video stream of a known codec and size was found"))


def _container_facts(container: InputContainer, data: VideoData) -> None:
    data.format = clean(container.format.name)
    data.duration_s = _seconds(container.duration, Fraction(1, 1_000_000))
    data.metadata = {clean(key): clean(value) for key, value in container.metadata.items()}
    data.streams = [_stream_facts(stream) for stream in list(container.streams)[:MAX_STREAMS]]


def _stream_facts(stream: Any) -> StreamFacts:  # noqa: ANN401 (PyAV's stream classes share no typed base)
    facts = StreamFacts(index=stream.index, type=clean(stream.type or "unknown"))
    facts.metadata = {clean(key): clean(value) for key, value in stream.metadata.items()}
    facts.id = stream.id
    facts.duration_s = _seconds(stream.duration, stream.time_base)
    facts.frames = stream.frames or None
    context = stream.codec_context
    if context is None:
        return facts
    facts.codec = clean(context.name)
    facts.codec_tag = clean(context.codec_tag).strip("\\x0 ") or None
    if facts.type == "video":
        facts.width, facts.height = context.width or None, context.height or None
        facts.fps = _real(stream.average_rate)
    elif facts.type == "audio":
        facts.sample_rate, facts.channels = context.sample_rate or None, context.channels or None
    return facts


def _seconds(duration: int | None, time_base: Fraction | None) -> float | None:
    if duration is None or time_base is None or duration < 0:
        return None
    return round(float(duration * time_base), 6)


def _real(rate: Fraction | None) -> float | None:
    if rate is None or rate.denominator == 0 or rate <= 0:
        return None
    value = round(float(rate), 6)
    return value if math.isfinite(value) else None


def _subtitles(container: InputContainer, data: VideoData) -> None:
    """Text packets of the first subtitle stream; drones write their flight log there."""
    stream = next((s for s in container.streams if s.type == "subtitle"), None)
    if (
        stream is None
        or stream.codec_context is None
        or stream.codec_context.name not in {"mov_text", "subrip", "srt", "text"}
    ):
        return
    from av.stream import Discard

    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all  # so that the demuxer seeks past the pictures
    in_movie = stream.codec_context.name == "mov_text"
    tick = float(stream.time_base) if stream.time_base else None  # asked once: each asking makes a fraction
    for packet in container.demux(stream):
        at = packet.pts
        if at is None or tick is None or packet.size <= (2 if in_movie else 0):
            continue
        body = bytes(packet)
        if in_movie:
            body = body[2 : 2 + int.from_bytes(body[:2], "big")]
        if body:
            data.subtitles.append((at * tick, body.decode("utf-8", "replace")))
        if len(data.subtitles) >= MAX_SUBTITLE_PACKETS:
            break
