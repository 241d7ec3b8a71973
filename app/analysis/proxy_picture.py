"""Pictures of a recording as its proxy has them: upright, square pixels, 8 bits, at most 1280 x 720."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeAlias

from app.analysis.errors import AnalysisError

if TYPE_CHECKING:
    import numpy as np
    from av.filter import Graph
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

LONG_EDGE: Final = 1280
SHORT_EDGE: Final = 720
MIN_EDGE: Final = 16  # the encoder's macroblock
MAX_FRAME_PIXELS: Final = 64_000_000
CLOCK: Final = 90_000  # ticks a second; holds the frame times of every usual rate exactly
TIME_BASE: Final = Fraction(1, CLOCK)
BT709: Final = 1  # primaries, transfer and matrix alike, ITU-T H.273 tables 2 to 4
LIMITED: Final = 1  # as FFmpeg numbers ranges
HDR_TRANSFERS: Final = {16, 18}  # SMPTE ST 2084 (PQ) and ARIB STD-B67 (HLG), ITU-T H.273 table 3
_BT2020: Final = 9
BLACK: Final = (16, 128, 128)
_ASPECTS: Final = (0.1, 10.0)  # a pixel's width to its height; beyond, the file is not believed

Veil: TypeAlias = "Callable[[tuple[float, float], VideoFrame, float], VideoFrame]"
"""Takes the size of a decoded frame as a player shows it, the frame that was made of it, and until when that one stands
(ticks of `CLOCK`, the time of the next one; infinite for the last); gives what is shown in its place."""


def is_hdr(frame: VideoFrame) -> bool:
    """Whether a frame's own labels say PQ or HLG."""
    return int(frame.color_trc) in HDR_TRANSFERS


def turn_of(frame: VideoFrame) -> int:
    """Degrees counter-clockwise that bring a frame upright, in quarter turns."""
    return round(frame.rotation / 90) % 4 * 90


def proxy_size(frame: VideoFrame, aspect: float) -> tuple[int, int]:
    """Width and height of the proxy: even, within 1280 x 720 (upright: 720 x 1280), never larger than the original.

    Args:
        frame: the first one.
        aspect: width of a pixel to its height.

    Raises:
        AnalysisError: `video_too_large`.
    """
    width, height = shown_size(frame, aspect)
    bounds = (LONG_EDGE, SHORT_EDGE) if width >= height else (SHORT_EDGE, LONG_EDGE)
    return _fitted(width, height, bounds)


def shown_size(frame: VideoFrame, aspect: float) -> tuple[float, float]:
    """Width and height as a player shows it: turned, with square pixels.

    Raises:
        AnalysisError: `video_too_large`.
    """
    if frame.width * frame.height > MAX_FRAME_PIXELS:
        raise AnalysisError("video_too_large", f"{frame.width} x {frame.height} pixels are not decoded")
    width = frame.width * (aspect if _ASPECTS[0] < aspect < _ASPECTS[1] else 1.0)
    return (frame.height, width) if turn_of(frame) % 180 else (width, frame.height)


def _fitted(width: float, height: float, bounds: tuple[int, int]) -> tuple[int, int]:
    scale = min(bounds[0] / width, bounds[1] / height, 1.0)
    return max(MIN_EDGE, round(width * scale / 2) * 2), max(MIN_EDGE, round(height * scale / 2) * 2)


class Pictures:
    """Turns decoded frames into the proxy's."""

    def __init__(self, size: tuple[int, int], aspect: float, veil: Veil | None = None) -> None:
        """Fix the size.

        Args:
            size: width and height of every frame that leaves; what has another shape gets black bars.
            aspect: width of a pixel to its height.
            veil: hides parts of each frame. A frame then leaves when the next one comes: what a file says of how long
                it stands is only its word.
        """
        from av.video.reformatter import VideoReformatter

        self.size = size
        self._aspect = aspect
        self._veil = veil
        self._held: tuple[tuple[float, float], VideoFrame] | None = None
        self._scaler, self._mapper = VideoReformatter(), VideoReformatter()
        self._weaver: tuple[tuple[object, ...], Graph] | None = None

    def feed(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """Take a frame whose `pts` is in ticks of `CLOCK`; gives those that are ready, each with its own `pts`."""
        if frame.interlaced_frame:
            for whole in self._deinterlaced(frame):
                yield from self._made(whole)
            return
        yield from self._woven_out()
        yield from self._made(frame)

    def drain(self) -> Iterator[VideoFrame]:
        """What is still inside, at the end."""
        yield from self._woven_out()
        if self._veil is not None and self._held is not None:
            yield self._veil(*self._held, math.inf)
            self._held = None

    def _woven_out(self) -> Iterator[VideoFrame]:
        if self._weaver is not None:
            _, graph = self._weaver
            self._weaver = None
            graph.push(None)
            for frame in _pulled(graph):
                yield from self._made(frame)

    def _deinterlaced(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        key = (frame.width, frame.height, frame.format.name)
        if self._weaver is None or self._weaver[0] != key:
            if self._weaver is not None:
                self._weaver[1].push(None)
                yield from _pulled(self._weaver[1])
            self._weaver = (key, _weaver(frame))
        self._weaver[1].push(frame)
        yield from _pulled(self._weaver[1])

    def _made(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        made = self._formed(frame)
        if self._veil is None:
            yield made
            return
        before, self._held = self._held, (shown_size(frame, self._aspect), made)
        if before is not None:
            yield self._veil(*before, float(made.pts or 0))

    def _formed(self, frame: VideoFrame) -> VideoFrame:
        width, height = _fitted(*shown_size(frame, self._aspect), self.size)
        turn = turn_of(frame)
        across, down = (height, width) if turn % 180 else (width, height)
        hdr = is_hdr(frame)
        made = self._scaler.reformat(
            frame,
            width=across,
            height=down,
            format="yuv420p10le" if hdr else "yuv420p",
            dst_colorspace=_BT2020 if hdr else BT709,
            dst_color_range=LIMITED,
        )
        if hdr:
            made = self._tone_mapped(frame, made)
        if turn or (width, height) != self.size:
            made = self._laid_out(made, turn)
        base = frame.time_base or TIME_BASE  # the deinterlacer counts half ticks
        made.pts, made.time_base = round((frame.pts or 0) * base * CLOCK), TIME_BASE
        made.pict_type = 0  # the original's kinds of pictures are not the proxy's
        return made

    def _tone_mapped(self, original: VideoFrame, scaled: VideoFrame) -> VideoFrame:
        """High dynamic range to BT.709: shrunk first, because the table is dear for each pixel."""
        scaled.color_trc, scaled.color_primaries = original.color_trc, original.color_primaries or _BT2020
        scaled.colorspace, scaled.color_range = _BT2020, LIMITED
        return self._mapper.reformat(
            scaled,
            format="yuv420p",
            dst_colorspace=BT709,
            dst_color_range=LIMITED,
            dst_color_trc=BT709,
            dst_color_primaries=BT709,
        )

    def _laid_out(self, frame: VideoFrame, turn: int) -> VideoFrame:
        """Turned, and set in the middle of a black ground of the proxy's size."""
        import numpy as np
        from av import VideoFrame as Made

        planes = planes_of(np.asarray(frame.to_ndarray(), np.uint8), frame.width, frame.height)
        ground = []
        for plane, black, part in zip(planes, BLACK, (1, 2, 2), strict=True):
            turned = np.rot90(plane, turn // 90)
            whole = np.full((self.size[1] // part, self.size[0] // part), black, np.uint8)
            top, left = ((edge - own) // 2 for edge, own in zip(whole.shape, turned.shape, strict=True))
            whole[top : top + turned.shape[0], left : left + turned.shape[1]] = turned
            ground.append(whole.reshape(-1))
        flat = np.concatenate(ground).reshape(self.size[1] * 3 // 2, self.size[0])
        return Made.from_ndarray(flat, format="yuv420p")


def planes_of(data: NDArray[np.uint8], width: int, height: int) -> list[NDArray[np.uint8]]:
    """Luma and both chromas of a yuv420p frame's array, as views of it."""
    flat = data.reshape(-1)
    luma, chroma = width * height, (width // 2) * (height // 2)
    shape = (height // 2, width // 2)
    return [
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(shape),
        flat[luma + chroma : luma + 2 * chroma].reshape(shape),
    ]


def _weaver(frame: VideoFrame) -> Graph:
    """A deinterlacer that gives one whole picture for each pair of fields."""
    from av.filter import Graph

    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=TIME_BASE)
    weaver = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    source.link_to(weaver)
    weaver.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _pulled(graph: Graph) -> Iterator[VideoFrame]:
    import av

    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
