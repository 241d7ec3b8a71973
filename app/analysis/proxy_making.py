"""The making of one proxy: decoded frames in, an MP4 out, and an account of what is in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from app.analysis.errors import AnalysisError
from app.analysis.proxy_facts import (
    CRF,
    ENCODER,
    LEAST_BITS,
    MAX_SECONDS,
    MIN_TICKS,
    MOST_BITS,
    PRESET,
    SOUND_BITS,
    THREADS,
    Budget,
    ProxyFacts,
)
from app.analysis.proxy_mp4 import FrontIndex
from app.analysis.proxy_picture import BT709, CLOCK, LIMITED, TIME_BASE, Pictures, Veil, is_hdr
from app.analysis.proxy_reading import Look, claimed_end, decoded_frames, further_streams, streams_of
from app.analysis.proxy_sound import RATE, Sound

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

KEY_TICKS: Final = 2 * CLOCK
_SLACK_S: Final = 1.0

Progress = Callable[[int, int], None]


class Making:
    """One proxy in the making."""

    def __init__(
        self,
        look: Look,
        budget: Budget,
        output: FrontIndex,
        target: OutputContainer,
        progress: Progress | None,
        veil: Veil | None = None,
    ) -> None:
        self._look = look
        self._budget = budget
        self._output = output
        self._target = target
        self._progress = progress
        self._began = time.monotonic()
        self._told = 0.0
        self._last = self._key = -KEY_TICKS
        self._shown = 0.0
        self._ends: list[float | None] = []
        self._pictures = Pictures(look.size, look.aspect, veil)
        self._sound = Sound(MAX_SECONDS) if look.sound else None
        claimed = None if look.claimed is None else round(min(look.claimed, 1e12) * 1000)
        self.facts = ProxyFacts(*look.size, claimed_ms=claimed, origin_ms=round(look.origin * 1000), sound=look.sound)
        self._add_streams()

    def _add_streams(self) -> None:
        seconds = min(self._look.claimed or MAX_SECONDS, MAX_SECONDS)
        fair = int(self._budget.media_bytes * 7 / max(seconds, 1.0)) - SOUND_BITS  # 8 bits less an eighth for the rest
        most = max(LEAST_BITS, min(MOST_BITS, fair))
        options = {"crf": str(CRF), "preset": PRESET, "profile": "high", "bf": "0", "forced-idr": "1"}
        options |= {"maxrate": str(most), "bufsize": str(2 * most), "flags": "+bitexact", "threads": str(THREADS)}
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
        """Read a recording to its end, or to a bound; what came of it.

        Raises:
            AnalysisError: `no_picture`, `time_limit`; nothing was made.
        """
        facts = self.facts
        video, audio = streams_of(source)
        if self._sound is None and source.streams.audio:
            facts.miss("sound_unreadable")
        facts.further_pictures, facts.further_sound = further_streams(source)
        if facts.further_pictures:
            facts.miss("further_pictures")
        if facts.further_sound:
            facts.miss("further_sound")
        streams: list[VideoStream | AudioStream] = [video, *(audio if self._sound is not None else [])]
        self._ends = [claimed_end(one) for one in streams]
        for frames in decoded_frames(source, streams, facts):
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
            try:
                blocks = list(self._sound.feed(frame, seconds))
            except (ValueError, av.error.FFmpegError):  # a layout or rate that only damage makes
                self.facts.miss("sound_damaged")
                return
            self._mux(self._audio.encode(block) for block in blocks)

    def _take_picture(self, frame: VideoFrame, seconds: float | None) -> None:
        import av

        rate = float(self._video.average_rate or 30)
        ticks = self._last + round(CLOCK / rate) if seconds is None else round(seconds * CLOCK)
        if ticks < 0 or (self.facts.frames and ticks - self._last < MIN_TICKS):
            self.facts.frames_left_out += 1
            return
        self.facts.tone_mapped |= is_hdr(frame)
        self._last = ticks
        lasts = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
        self._shown = ticks / CLOCK + max(0.0, lasts)  # a picture stands until the next one was to come
        frame.pts, frame.time_base = ticks, TIME_BASE
        try:
            made = list(self._pictures.feed(frame))
        except (ValueError, AnalysisError, av.error.FFmpegError):  # a size or format that only damage makes
            self.facts.packets_damaged += 1
            self.facts.miss("packets_damaged")
            return
        self._encode(made)
        self._tell(ticks / CLOCK)

    def _encode(self, frames: Iterable[VideoFrame]) -> None:
        from av.video.frame import PictureType

        for frame in frames:
            at = int(frame.pts or 0)
            if at - self._key >= KEY_TICKS:
                frame.pict_type, self._key = PictureType.I, at
            self.facts.frames += 1
            self._mux([self._video.encode(frame)])

    def _mux(self, packets: Iterable[list[Packet[Any]]]) -> None:
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
        if not facts.frames and "time_limit" in facts.missing:
            raise AnalysisError("time_limit", "the time was up before the first frame")
        if not facts.frames:
            raise AnalysisError("no_picture", "the file holds no video frame that can be decoded")
        facts.covered_ms = max(0, round(max(self._last / CLOCK, heard) * 1000))
        self._compare(heard)

    def _compare(self, heard: float) -> None:
        """Hold what came against what was claimed: pictures and sound each by themselves, then the whole."""
        facts, whole = self.facts, self._look.claimed
        if not self._look.announced:
            facts.miss("length_unknown")
        pictures, sound = [*self._ends, None, None][:2]
        if _short(self._shown, self._from_origin(pictures, whole)):
            facts.miss("shorter_than_claimed")
            facts.covered_ms = max(0, round(self._last / CLOCK * 1000))
        elif _short(facts.covered_ms / 1000, whole):
            facts.miss("shorter_than_claimed")
        if self._sound is not None and _short(heard, self._from_origin(sound, whole)):
            facts.miss("sound_shorter_than_claimed")

    def _from_origin(self, end: float | None, whole: float | None) -> float | None:
        """Where a stream is to end in the proxy; one that claims nothing is to go as far as the whole."""
        return whole if end is None else end - self._look.origin

    def _tell(self, seconds: float) -> None:
        now = time.monotonic()
        if self._progress is not None and now - self._told >= 1:
            self._told = now
            self._progress(int(seconds), int(min(self._look.claimed or 0, MAX_SECONDS)))


def _short(came: float, claimed: float | None) -> bool:
    return claimed is not None and came + max(_SLACK_S, claimed / 50) < claimed
