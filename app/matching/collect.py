"""What is kept of a recording's sampled frames, within fixed bounds whatever its length and content.

Every sampled frame is hashed. Points and a small picture (a *view*) are kept of the first frame of each shot and of
frames between, evenly; when there are too many, those between go first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from app.matching.canonical_image import CanonicalImage
from app.matching.features import FRAME_PICTURE_SIDE, FRAME_POINTS, extract_view
from app.matching.format import HashRow, View
from app.matching.hashes import MIRROR, hash_rows

FRAMES_PER_SECOND: Final = 2
MAX_FRAME_ROWS: Final = 28_800  # one hour at 2 fps with borders; longer videos are thinned out
MAX_FRAME_VIEWS: Final = 64
MIN_VIEW_GAP_MS: Final = 900
MIN_CUT_GAP_MS: Final = 400
# Bits of 256 between neighbouring samples of one shot: seldom more than 60; of two shots 128 +- 8 by chance.
SHOT_DISTANCE: Final = 90
MIN_FRAME_QUALITY: Final = 50  # PDQ's recommended gate
FRAME_DIHEDRALS: Final = (0, MIRROR)  # videos are mirrored; turned ones carry a display matrix


@dataclass
class Collector:
    """Rows and views of the frames seen so far.

    Attributes:
        rows: hashes of the sampled frames, in order of time.
        due_ms: when the next frame is due.
        sampled: frames looked at, those below the quality gate included.
        size: width and height in pixels of the last one.
    """

    rows: list[HashRow] = field(default_factory=list)
    due_ms: int = 0
    sampled: int = 0
    size: tuple[int, int] = (0, 0)
    _kept: list[tuple[View, bool]] = field(default_factory=list)  # with whether it begins a shot
    _step_ms: int = 1000 // FRAMES_PER_SECOND
    _view_gap_ms: int = MIN_VIEW_GAP_MS
    _cut_gap_ms: int = MIN_CUT_GAP_MS
    _before: bytes | None = None

    def add(self, image: CanonicalImage, time_ms: int) -> None:
        """Take a frame that was due."""
        self.sampled += 1
        self.due_ms = (time_ms // self._step_ms + 1) * self._step_ms
        self.size = (image.width, image.height)
        rows = hash_rows(image.gray, time_ms=time_ms, dihedrals=FRAME_DIHEDRALS, crops=False)
        good = [row for row in rows if row.quality >= MIN_FRAME_QUALITY]
        self.rows += good
        if good:
            cut = self._before is None or _bits_apart(self._before, good[0].value) > SHOT_DISTANCE
            self._before = good[0].value
            gap = time_ms - self._kept[-1][0].time_ms if self._kept else self._view_gap_ms
            if gap >= (self._cut_gap_ms if cut else self._view_gap_ms):
                self._add_view(image, time_ms, begins=cut)
        else:
            self._before = None
        if len(self.rows) > MAX_FRAME_ROWS:
            self._thin()

    def views(self) -> tuple[View, ...]:
        """What geometry needs, in order of time."""
        return tuple(view for view, _ in self._kept)

    def _add_view(self, image: CanonicalImage, time_ms: int, *, begins: bool) -> None:
        view = extract_view(
            image.gray, time_ms=time_ms, points=FRAME_POINTS, picture_side=FRAME_PICTURE_SIDE, mirrored=True
        )
        if view is not None:
            self._kept.append((view, begins))
        if len(self._kept) <= MAX_FRAME_VIEWS:
            return
        between = [view.time_ms for view, first in self._kept if not first]
        if len(between) > MAX_FRAME_VIEWS // 2:
            dropped = set(between[1::2])
            self._kept = [(view, first) for view, first in self._kept if view.time_ms not in dropped]
            self._view_gap_ms *= 2
        else:
            self._kept = self._kept[::2]
            self._cut_gap_ms *= 2
            self._view_gap_ms = max(self._view_gap_ms, self._cut_gap_ms)

    def _thin(self) -> None:
        """Keep every other sampled moment of a very long video."""
        moments = sorted({row.time_ms for row in self.rows})
        kept = set(moments[::2])
        self.rows = [row for row in self.rows if row.time_ms in kept]
        self._step_ms *= 2


def _bits_apart(left: bytes, right: bytes) -> int:
    return int(np.bitwise_count(np.frombuffer(left, np.uint8) ^ np.frombuffer(right, np.uint8)).sum())
