"""Making regions of a recording unreadable; runs in the sandbox, on a hostile file.

1. Each frame is decoded, brought to the form of a proxy (upright, at most 1280 x 720, `app.analysis.proxy`) and encoded
   anew from its pixels alone. Nothing of the file's metadata, tracks, covers or subtitles goes along, and no sound: a
   voice names a person.
2. A region is painted in one colour that does not depend on what was there, wider than asked by what scaling smears. A
   mosaic over moving pictures tells what was under it, so there is none.
3. A region may stand for a time only. Times are those of the proxy, and the copy keeps them: what is cut is black. A
   frame counts from its time to that of the next one, whatever the file claims of its length, and the last for ever.
4. In doubt it is hidden: a frame of another size than the first one's, for which the regions say nothing, is black.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.analysis.errors import AnalysisError
from app.analysis.proxy import Budget, parameters, render_proxy, tools
from app.analysis.proxy_picture import BLACK, CLOCK, planes_of
from app.analysis.proxy_reading import Look
from app.analysis.sandbox_child import send_part, send_progress

if TYPE_CHECKING:
    import numpy as np
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

MARGIN: Final = 4  # pixels of the copy: what the scaler and the encoder mix in from beside
MARGIN_MS: Final = 100  # for who reads a time off a player


@dataclass(frozen=True, slots=True)
class TimedBox:
    """A region, and when it is hidden.

    Attributes:
        box: (x, y, width, height) in pixels of the upright picture, as large as the original shows it.
        from_ms: first moment, of the proxy's time; None: from the beginning.
        to_ms: last moment; None: to the end.
    """

    box: tuple[int, int, int, int]
    from_ms: int | None = None
    to_ms: int | None = None

    def covers(self, at_ms: float, until_ms: float) -> bool:
        """Whether a frame that stands from one moment to another shows some of that time."""
        begins = -math.inf if self.from_ms is None else self.from_ms - MARGIN_MS
        ends = math.inf if self.to_ms is None else self.to_ms + MARGIN_MS
        return at_ms <= ends and until_ms >= begins


def redact_video_task(path: Path, budget: Budget, boxes: Sequence[TimedBox]) -> tuple[dict[str, object], bytes]:
    """A redacted copy of a recording; its media bytes go ahead as parts `media`, how far it is as parts `progress`.

    Args:
        path: the original.
        budget: what the copy may take.
        boxes: what is hidden.

    Returns:
        What came of it, as `app.analysis.tasks.proxy_task` says it, and the bytes that belong before the media.

    Raises:
        AnalysisError: as `render_proxy`; `region_outside`.
    """
    facts, front = render_proxy(
        path, budget, lambda data: send_part({"part": "media"}, data), send_progress, lambda look: Fill(look, boxes)
    )
    facts.missing = [code for code in facts.missing if "sound" not in code]
    return {**asdict(facts), "tool": tools(), "parameters": parameters() | {"sound": "left out"}}, front


class Fill:
    """Paints regions of frames black."""

    def __init__(self, look: Look, boxes: Sequence[TimedBox]) -> None:
        """Bring the regions to the size of the copy.

        Raises:
            AnalysisError: `region_outside`.
        """
        self._look = look
        width, height = (math.ceil(edge) for edge in look.shown)
        for one in boxes:
            x, y, across, down = one.box
            if x < 0 or y < 0 or across < 1 or down < 1 or x + across > width or y + down > height:
                said = ",".join(map(str, one.box))
                raise AnalysisError("region_outside", f"{said} does not lie in {width} x {height} pixels")
        self._boxes = [(one, self._scaled(one.box)) for one in boxes]

    def __call__(self, shown: tuple[float, float], made: VideoFrame, until: float) -> VideoFrame:
        """Hide what is to be hidden at any moment at which the frame stands (`app.analysis.proxy_picture.Veil`)."""
        if shown != self._look.shown:
            return _painted(made, [(0, 0, *self._look.size)])
        hidden = [box for one, box in self._boxes if one.covers(1000 * (made.pts or 0) / CLOCK, 1000 * until / CLOCK)]
        return _painted(made, hidden) if hidden else made

    def _scaled(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """From left and top to right and bottom in the copy, on even pixels: colours have half the resolution."""
        x, y, width, height = box
        (across, down), (shown_across, shown_down) = self._look.size, self._look.shown
        wide, high = across / shown_across, down / shown_down
        left, top = (max(0, math.floor(edge) - MARGIN) // 2 * 2 for edge in (x * wide, y * high))
        right, bottom = (math.ceil(edge) + MARGIN for edge in ((x + width) * wide, (y + height) * high))
        return left, top, min(across, right + right % 2), min(down, bottom + bottom % 2)


def _painted(frame: VideoFrame, boxes: Sequence[tuple[int, int, int, int]]) -> VideoFrame:
    """A copy with regions filled: the decoder may still build on the frame itself."""
    import numpy as np
    from av import VideoFrame as Made

    data: NDArray[np.uint8] = np.array(frame.to_ndarray(format="yuv420p"), np.uint8)
    planes = planes_of(data, frame.width, frame.height)
    for left, top, right, bottom in boxes:
        for plane, value, part in zip(planes, BLACK, (1, 2, 2), strict=True):
            plane[top // part : -(-bottom // part), left // part : -(-right // part)] = value
    painted = Made.from_ndarray(data, format="yuv420p")
    painted.pts, painted.time_base = frame.pts, frame.time_base
    return painted
