"""Fingerprint of a video: two frames a second, each hashed like a photo, one or more of each shot with geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from app.matching.canonical_image import CanonicalImage, canonical_from_gray
from app.matching.collect import Collector
from app.matching.errors import FingerprintError
from app.matching.format import Fingerprint

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_DECODED: Final = 1_000_000  # frames; ends a stream that never moves on
MAX_TIME_MS: Final = 4_000_000_000  # must fit 32 bits
DEFAULT_RATE: Final = 25  # frames a second, where the file names none
MAX_ERRORS: Final = 100  # broken packets
MAX_FRAME_PIXELS: Final = 64_000_000
KEYFRAMES_ONLY_MS: Final = 3_600_000
THREADS: Final = 2
# Containers that hold their media themselves; playlists would make the reader open other files.
_FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,h264,hevc,gif,apng,m4v"


Progress = Callable[[int, int | None], None]
"""Told seconds of the recording that are done, and how many its head says there are (None: it does not)."""


def fingerprint_video(path: Path, progress: Progress | None = None) -> Fingerprint:
    """Fingerprint the first video stream of a file.

    Frames are decoded one by one and shrunk at once. What can be read of a damaged file counts;
    flat and black frames give no hashes. After the first hour only key frames are decoded.

    Raises:
        FingerprintError: `unreadable_video`, `no_video_stream`, `video_too_large` or `out_of_memory`.
    """
    import av

    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        with av.open(str(path), options=options, metadata_errors="replace") as container:
            return _fingerprint(container, progress)
    except FingerprintError:
        raise
    except MemoryError as error:
        raise FingerprintError("out_of_memory", "decoding the recording needs too much memory") from error
    except Exception as error:  # demuxers and decoders raise anything on hostile bytes
        # FFmpeg's own words hold the path; the detail is kept for ever.
        detail = f"the file cannot be read as a recording ({type(error).__name__})"
        raise FingerprintError("unreadable_video", detail) from error


def _fingerprint(container: InputContainer, progress: Progress | None) -> Fingerprint:
    import av

    if not container.streams.video:
        raise FingerprintError("no_video_stream", "the file has no moving pictures")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = THREADS
    found = Collector()
    last_ms = told_s = 0
    total_s = None if container.duration is None else max(0, container.duration // av.time_base)
    for frame, time_ms in _timed_frames(container, stream):
        last_ms = max(last_ms, time_ms)
        if progress is not None and time_ms // 1000 > told_s:
            told_s = time_ms // 1000
            progress(told_s, total_s)
        if time_ms >= found.due_ms:
            found.add(_canonical_frame(frame), time_ms)
        if time_ms > KEYFRAMES_ONLY_MS:
            stream.codec_context.skip_frame = "NONKEY"
    if not found.sampled:
        raise FingerprintError("unreadable_video", "no frame could be decoded")
    duration_ms = last_ms + round(1000 / float(stream.average_rate or DEFAULT_RATE))
    return Fingerprint("video", *found.size, duration_ms, found.sampled, tuple(found.rows), found.views())


def _timed_frames(container: InputContainer, stream: VideoStream) -> Iterator[tuple[VideoFrame, int]]:
    """Decoded frames with milliseconds from the first, never going back."""
    rate = float(stream.average_rate or DEFAULT_RATE)
    origin: float | None = None
    latest = 0
    for count, frame in enumerate(_frames(container, stream)):
        if count >= MAX_DECODED:
            return
        if frame.width * frame.height > MAX_FRAME_PIXELS:
            raise FingerprintError("video_too_large", f"{frame.width} x {frame.height} pixels are too many")
        seconds = frame.time if frame.time is not None else (origin or 0.0) + count / rate
        origin = seconds if origin is None else origin
        latest = max(latest, min(round((seconds - origin) * 1000), MAX_TIME_MS))
        yield frame, latest


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Every frame that decodes; broken packets are passed over, up to a bound."""
    import av

    packets = iter(container.demux(stream))
    errors = 0
    while errors < MAX_ERRORS:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            return  # the container ends here; a generator that raised is finished
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            errors += 1
            continue
        for frame in frames:
            if isinstance(frame, av.VideoFrame):
                yield frame


def _canonical_frame(frame: VideoFrame) -> CanonicalImage:
    from PIL import Image

    gray = frame.to_ndarray(format="gray")
    turns = round(frame.rotation / 90) % 4  # counter-clockwise, from the display matrix
    return canonical_from_gray(Image.fromarray(np.ascontiguousarray(np.rot90(gray, turns))), content=False)
