"""A proxy of a recording: H.264 and AAC in MP4, its index in front, each moment at the original's time.

1. A time in the proxy is a time of the original less `origin_ms`: frames keep their own times, none is moved to a grid.
2. What does not decode is left out and counted; whatever is missing makes the proxy `partial`, with its reasons.
3. All is bounded: size of frames, length, CPU and wall time, bytes. Near a bound the proxy ends, whole as a file.
4. The same program makes the same bytes of the same file, as long as no bound of time is reached.

Runs in the sandbox: nothing is written, the file leaves in parts (`proxy_mp4`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.analysis.errors import AnalysisError
from app.analysis.probes.filetype import HEAD_BYTES, sniff
from app.analysis.probes.video import DEMUXERS, open_container
from app.analysis.proxy_mp4 import FrontIndex
from app.analysis.proxy_picture import BT709, CLOCK, LIMITED, TIME_BASE, Pictures, is_hdr, proxy_size
from app.analysis.proxy_sound import RATE, Sound

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame

PROXY_TYPE: Final = "video/mp4"
ENCODER: Final = "libx264"
CRF, PRESET, SOUND_BITS = 26, "veryfast", 96_000
MAX_SECONDS: Final = 12 * 3600
MAX_ERRORS: Final = 1_000  # packets that do not decode
KEY_TICKS: Final = 2 * CLOCK
MIN_TICKS: Final = 2_700  # frames that follow sooner (above 33 a second) are left out
MOST_BITS, LEAST_BITS = 2_500_000, 300_000  # a second, of pictures
FROM_ZERO: Final = {"mov", "matroska"}  # formats whose own time line begins at 0
_LATE_START: Final = 5.0
_SLACK_S: Final = 1.0
_LOOK_PACKETS: Final = 4_000
_THREADS: Final = 2

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Budget:
    """What one proxy may take.

    Attributes:
        cpu_s: CPU seconds after which it is brought to its end.
        wall_s: likewise by the clock.
        media_bytes: most bytes of pictures and sound.
    """

    cpu_s: float
    wall_s: float
    media_bytes: int


@dataclass
class ProxyFacts:
    """What came of it; times in milliseconds of the proxy, `origin_ms` to be added for those of the container.

    Attributes:
        claimed_ms: how long the container says that it is; None when it says nothing usable.
        missing: codes of what is left out; empty when everything that the container announces is there.
    """

    width: int = 0
    height: int = 0
    covered_ms: int = 0
    claimed_ms: int | None = None
    origin_ms: int = 0
    frames: int = 0
    frames_left_out: int = 0
    packets_damaged: int = 0
    sound: bool = False
    tone_mapped: bool = False
    missing: list[str] = field(default_factory=list)

    def miss(self, code: str) -> None:
        """Note that something is not in the proxy."""
        if code not in self.missing:
            self.missing.append(code)


@dataclass(frozen=True)
class _Look:
    """What a first look tells: size, pixel aspect, whether sound decodes, where the time line begins (seconds)."""

    size: tuple[int, int]
    aspect: float
    sound: bool
    origin: float
    claimed: float | None


def parameters() -> dict[str, str | int]:
    """What the encoder is told, as the event records it."""
    return {
        "video": f"H.264 High, yuv420p, CRF {CRF}, preset {PRESET}, no B frames, a key frame every 2 s",
        "sound": f"AAC-LC, {RATE} Hz, stereo, {SOUND_BITS} bit/s",
        "container": "MP4, moov before mdat",
        "most_frames_per_second": CLOCK // MIN_TICKS,
    }


def tools() -> str:
    """Names and versions of what makes a proxy."""
    import av

    codec = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info} (libavcodec {codec}), {ENCODER}"


def render_proxy(
    path: Path, budget: Budget, send: Callable[[bytes], None], progress: Progress | None = None
) -> tuple[ProxyFacts, bytes]:
    """Make the proxy of a recording.

    Args:
        path: the original.
        budget: what it may take.
        send: takes the media bytes, in order.
        progress: told (seconds done, seconds that the container claims), at most once a second.

    Returns:
        The facts, and the bytes that belong before those that were sent.

    Raises:
        AnalysisError: `proxy_unavailable` (no encoder here), `video_unreadable`, `video_too_large`, `no_picture`,
            `proxy_too_large`, `proxy_unfinished`.
    """
    import av

    with path.open("rb") as stream:
        demuxer = DEMUXERS.get(sniff(stream.read(HEAD_BYTES), path.stat().st_size).format)
    if demuxer is None:
        raise AnalysisError("video_unreadable", "the file is in no format of recordings that is read")
    _require_encoder()
    try:
        look = _look(path, demuxer)
        output = FrontIndex(send)
        with open_container(path, demuxer) as source, av.open(output, "w", format="mp4", buffer_size=1 << 18) as target:  # type: ignore[call-overload]
            facts = _Making(look, budget, output, target, progress).make(source)
        return facts, output.front()
    except (AnalysisError, MemoryError):
        raise
    except (OSError, ValueError, EOFError, RuntimeError, IndexError, av.error.FFmpegError) as error:
        # FFmpeg's own words hold the path; the detail is kept for ever.
        raise AnalysisError("video_unreadable", f"no proxy could be made ({type(error).__name__})") from error


def _require_encoder() -> None:
    import av

    for name in (ENCODER, "aac"):
        try:
            av.Codec(name, "w")
        except av.codec.codec.UnknownCodecError:
            raise AnalysisError("proxy_unavailable", f"this installation has no encoder {name}") from None


def _look(path: Path, demuxer: str) -> _Look:
    """Decode the first frame and the first sound."""
    with open_container(path, demuxer) as container:
        if not container.streams.video:
            raise AnalysisError("no_picture", "the file holds no video stream")
        video = container.streams.video[0]
        streams = [video, *container.streams.audio[:1]]
        frame: VideoFrame | None = None
        sound = False
        for count, (_, decoded) in enumerate(_decoded(container, streams, ProxyFacts())):
            for one in decoded:
                frame, sound = (one, sound) if frame is None and _is_video(one) else (frame, sound or not _is_video(one))
            if (frame is not None and (sound or len(streams) == 1)) or count > _LOOK_PACKETS:
                break
        if frame is None:
            raise AnalysisError("no_picture", "the file holds no video frame that can be decoded")
        aspect = float(video.sample_aspect_ratio or 1)
        began = container.start_time / 1_000_000 if container.start_time is not None else frame.time or 0.0
        if demuxer in FROM_ZERO and began < _LATE_START:
            began = 0.0
        claimed = container.duration / 1_000_000 if container.duration and container.duration > 0 else None
        return _Look(proxy_size(frame, aspect), aspect, sound, began, claimed)


def _is_video(frame: object) -> bool:
    import av

    return isinstance(frame, av.VideoFrame)


def _decoded(container: InputContainer, streams: list[object], facts: ProxyFacts) -> Iterator[tuple[Packet, list[object]]]:
    """Packets with the frames that came of them; what does not decode is counted and passed over."""
    import av

    for stream in container.streams.video[:1]:
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = _THREADS
    packets = iter(container.demux(*streams))  # type: ignore[arg-type]
    while facts.packets_damaged < MAX_ERRORS:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            facts.miss("container_broken")
            return
        if packet is None:
            return
        try:
            frames: list[object] = list(packet.decode())
        except av.error.FFmpegError:
            facts.packets_damaged += 1
            facts.miss("packets_damaged")
            continue
        if packet.is_corrupt or any(getattr(frame, "is_corrupt", False) for frame in frames):
            facts.packets_damaged += 1
            facts.miss("packets_damaged")
        yield packet, frames
    facts.miss("too_damaged")


class _Making:
    """One proxy in the making."""

    def __init__(
        self, look: _Look, budget: Budget, output: FrontIndex, target: OutputContainer, progress: Progress | None
    ) -> None:
        self._look = look
        self._budget = budget
        self._output = output
        self._target = target
        self._progress = progress
        self._began = time.monotonic()
        self._told = 0.0
        self._last = self._key = -KEY_TICKS
        self._pictures = Pictures(look.size, look.aspect)
        self._sound = Sound(MAX_SECONDS) if look.sound else None
        claimed = None if look.claimed is None else round(min(look.claimed, 1e12) * 1000)
        self.facts = ProxyFacts(*look.size, claimed_ms=claimed, origin_ms=round(look.origin * 1000), sound=look.sound)
        self._add_streams()

    def _add_streams(self) -> None:
        seconds = min(self._look.claimed or MAX_SECONDS, MAX_SECONDS)
        fair = int(self._budget.media_bytes * 7 / max(seconds, 1.0)) - SOUND_BITS  # 8 bits less an eighth for the rest
        most = max(LEAST_BITS, min(MOST_BITS, fair))
        options = {"crf": str(CRF), "preset": PRESET, "profile": "high", "bf": "0", "forced-idr": "1"}
        options |= {"maxrate": str(most), "bufsize": str(2 * most), "flags": "+bitexact", "threads": str(_THREADS)}
        video = self._target.add_stream(ENCODER, rate=30, options=options)
        video.width, video.height = self._look.size
        video.pix_fmt = "yuv420p"
        context = video.codec_context
        context.time_base = video.time_base = TIME_BASE
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED
        self._video = video
        self._audio = None
        if self._sound is not None:
            self._audio = self._target.add_stream("aac", rate=RATE, layout="stereo", options={"flags": "+bitexact"})
            self._audio.bit_rate = SOUND_BITS
            self._audio.time_base = Fraction(1, RATE)

    def make(self, source: InputContainer) -> ProxyFacts:
        facts = self.facts
        streams: list[object] = [source.streams.video[0]]
        heard = source.streams.audio[:1]
        if self._sound is not None:
            streams += heard
        elif heard:
            facts.miss("sound_unreadable")
        for _, frames in _decoded(source, streams, facts):
            for frame in frames:
                self._take(frame)
            if self._over():
                break
        self._finish()
        return facts

    def _take(self, frame: object) -> None:
        import av

        at = getattr(frame, "time", None)
        seconds = None if at is None else at - self._look.origin
        if seconds is not None and seconds > MAX_SECONDS:
            self.facts.miss("too_long")
        elif isinstance(frame, av.VideoFrame):
            self._take_picture(frame, seconds)
        elif isinstance(frame, av.AudioFrame) and self._sound is not None and self._audio is not None:
            self._mux(self._audio.encode(block) for block in self._sound.feed(frame, seconds))

    def _take_picture(self, frame: VideoFrame, seconds: float | None) -> None:
        rate = float(self._video.average_rate or 30)
        ticks = self._last + round(CLOCK / rate) if seconds is None else round(seconds * CLOCK)
        if ticks < 0 or (self.facts.frames and ticks - self._last < MIN_TICKS):
            self.facts.frames_left_out += 1
            return
        self.facts.tone_mapped |= is_hdr(frame)
        self._last = ticks
        frame.pts, frame.time_base = ticks, TIME_BASE
        self._encode(self._pictures.feed(frame))
        self._tell(ticks / CLOCK)

    def _encode(self, frames: Iterator[VideoFrame]) -> None:
        from av.video.frame import PictureType

        for frame in frames:
            at = int(frame.pts or 0)
            if at - self._key >= KEY_TICKS:
                frame.pict_type, self._key = PictureType.I, at
            self.facts.frames += 1
            self._mux([self._video.encode(frame)])

    def _mux(self, packets: Iterator[list[Packet]] | list[list[Packet]]) -> None:
        for some in packets:
            self._target.mux(some)

    def _over(self) -> bool:
        """Whether a bound is near; the proxy then ends here."""
        if time.process_time() > self._budget.cpu_s or time.monotonic() - self._began > self._budget.wall_s:
            self.facts.miss("time_limit")
        elif self._output.sent > self._budget.media_bytes:
            self.facts.miss("size_limit")
        elif "too_long" not in self.facts.missing:
            return False
        return True

    def _finish(self) -> None:
        self._encode(self._pictures.drain())
        self._mux([self._video.encode(None)])
        heard = 0.0
        if self._sound is not None and self._audio is not None:
            heard = self._sound.seconds
            self._mux(self._audio.encode(block) for block in self._sound.drain())
            self._mux([self._audio.encode(None)])
        facts = self.facts
        if not facts.frames:
            raise AnalysisError("no_picture", "the file holds no video frame that can be decoded")
        facts.covered_ms = max(0, round(max(self._last / CLOCK, heard) * 1000))
        claimed = facts.claimed_ms
        if claimed is not None and facts.covered_ms + max(_SLACK_S * 1000, claimed / 50) < claimed:
            facts.miss("shorter_than_claimed")

    def _tell(self, seconds: float) -> None:
        now = time.monotonic()
        if self._progress is not None and now - self._told >= 1:
            self._told = now
            self._progress(int(seconds), int(min(self._look.claimed or 0, MAX_SECONDS)))
