"""A photo against a recording: was it taken from it, or does it show the same scene?

Moments are proposed by near hashes (every sampled frame) and by points in common (every view), and confirmed by
geometry and grey levels at the nearest views. What is not confirmed is a hint at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.matching import rules, wording
from app.matching.agreement import Agreement
from app.matching.align import Segment
from app.matching.common_points import shared_points
from app.matching.features import Geometry
from app.matching.format import Fingerprint, HashRow, View
from app.matching.hashes import MIRROR
from app.matching.index import as_words, hamming
from app.matching.picture import best_geometry
from app.matching.rules import Verdict, VerdictName

STEP_S: Final = 0.5  # between sampled frames
MAX_MOMENTS: Final = 6  # by hash, whose nearest views are looked at
MAX_VIEWS: Final = 6  # by points in common
SHARED_POINTS: Final = 8
CHUNK: Final = 4096  # frames looked at together
SAME_MOMENT_MS: Final = 2_000  # a view so near in time stands for a moment that a hash proposes


@dataclass(frozen=True)
class _Moment:
    """A frame that resembles the photo; `distance` in bits, `dihedral` the photo's flip and turn."""

    time_ms: int
    distance: int
    dihedral: int


@dataclass(frozen=True)
class _Seen:
    view: View
    geometry: Geometry
    agreement: Agreement
    distance: int | None
    time_ms: int


def compare_still(query: Fingerprint, candidate: Fingerprint) -> Verdict | None:
    """The relation of a photo to a recording, whichever of the two is the query.

    Returns:
        `derived` when the photo is one of its frames or nearly; `possibly_related` for the same scene; or None.
        One segment: no length on the photo's side, the moment on the recording's.
    """
    photo, recording = (query, candidate) if query.kind == "photo" else (candidate, query)
    moments = _moments(photo, recording)
    best: tuple[VerdictName, _Seen] | None = None
    for seen in _confirmed(photo, recording, moments):
        name = rules.still_verdict(
            distance=seen.distance,
            inliers=seen.geometry.inliers,
            spread=seen.geometry.spread,
            reach=seen.geometry.reach,
            agreement=seen.agreement,
        )
        if name is not None and (best is None or _rank(name, seen) < _rank(*best)):
            best = name, seen
    if best is not None:
        name, seen = best
        segment = _segment(seen.time_ms, photo_first=photo is query)
        return wording.still(name, seen.time_ms, segment, seen.distance, seen.geometry, seen.agreement)
    if moments and moments[0].distance <= rules.SAME_CONTENT_DISTANCE:
        segment = _segment(moments[0].time_ms, photo_first=photo is query)
        return wording.still_by_hash(moments[0].time_ms, segment, moments[0].distance)
    return None


def _rank(name: VerdictName, seen: _Seen) -> tuple[int, float]:
    """The strongest verdict, then what agrees best in most of both: of a place that comes back, the same framing."""
    agreement = seen.agreement
    common = agreement.overlap_query * agreement.overlap_candidate
    return rules.VERDICTS.index(name), -seen.geometry.inliers * agreement.ncc * agreement.share * common


def _segment(time_ms: int, *, photo_first: bool) -> Segment:
    start = round(time_ms / 1000, 2)
    end = round(start + STEP_S, 2)
    return Segment(0.0, 0.0, start, end) if photo_first else Segment(start, end, 0.0, 0.0)


def _moments(photo: Fingerprint, recording: Fingerprint) -> list[_Moment]:
    """Frames within the wider radius, nearest first, of each second one.

    Borders are left out on both sides: they would make strangers alike.
    """
    ours = _inner(photo.hashes, any_way=True) + [row for row in photo.hashes if row.role == "crop"]
    theirs = _inner(recording.hashes, any_way=False)
    if not ours or not theirs:
        return []
    words = np.stack([as_words(row.value) for row in ours])
    best: dict[int, _Moment] = {}
    for start in range(0, len(theirs), CHUNK):
        part = theirs[start : start + CHUNK]
        distances = hamming(words, np.stack([as_words(row.value) for row in part]))
        nearest: NDArray[np.intp] = distances.argmin(axis=0)
        for at, row in enumerate(part):
            distance = int(distances[nearest[at], at])
            if distance <= rules.DERIVED_DISTANCE:
                found = _Moment(row.time_ms, distance, ours[int(nearest[at])].dihedral)
                second = row.time_ms // 1000
                if second not in best or found.distance < best[second].distance:
                    best[second] = found
    return sorted(best.values(), key=lambda moment: (moment.distance, moment.time_ms))


def _inner(rows: tuple[HashRow, ...], *, any_way: bool) -> list[HashRow]:
    """Rows of pictures without borders (of a picture without any, the whole), and of pictures inside pages."""
    usable = [row for row in rows if row.quality >= rules.MIN_QUALITY and (any_way or row.dihedral == 0)]
    bordered = {row.time_ms for row in usable if row.role == "trimmed"}
    return [
        row
        for row in usable
        if row.role in ("trimmed", "content") or (row.role == "whole" and row.time_ms not in bordered)
    ]


def _confirmed(photo: Fingerprint, recording: Fingerprint, moments: list[_Moment]) -> Iterator[_Seen]:
    """Views that agree with the photo in some geometry: those nearest to what hashes propose, then by common points."""
    if not photo.views or not recording.views:
        return
    times = np.array([view.time_ms for view in recording.views], dtype=np.int64)
    tried: set[tuple[int, int, bool]] = set()
    for moment in moments[:MAX_MOMENTS]:
        for at in np.argsort(np.abs(times - moment.time_ms), kind="stable")[:2].tolist():
            for number in range(len(photo.views)):
                mirrored = moment.dihedral >= MIRROR
                if (number, at, mirrored) not in tried:
                    tried.add((number, at, mirrored))
                    yield from _seen(photo.views[number], recording.views[at], moments, mirrored=mirrored)
    shared = [
        (count, number, at, mirrored)
        for number, view in enumerate(photo.views)
        for at, other in enumerate(recording.views)
        for mirrored, count in zip((False, True), shared_points(view, other), strict=True)
        if count >= SHARED_POINTS and (number, at, mirrored) not in tried
    ]
    for _, number, at, mirrored in sorted(shared, key=lambda one: (-one[0], *one[1:]))[:MAX_VIEWS]:
        yield from _seen(photo.views[number], recording.views[at], moments, mirrored=mirrored)


def _seen(view: View, other: View, moments: list[_Moment], *, mirrored: bool) -> Iterator[_Seen]:
    found = best_geometry(view, other, mirrored=mirrored)
    if found is None:
        return
    near = [moment for moment in moments if abs(moment.time_ms - other.time_ms) <= SAME_MOMENT_MS]
    if near:
        yield _Seen(other, *found, near[0].distance, near[0].time_ms)
    else:
        yield _Seen(other, *found, None, other.time_ms)
