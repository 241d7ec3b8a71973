"""Compare two videos: look-alike frames, then the stretches they line up in.

Frame hashes first. Only when they find nothing, local features of a sample of frames (a cropped or
partly covered copy). Three distinct seconds of both videos must agree, in one direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.matching import rules, wording
from app.matching.align import Pairs, align, distinct_seconds, enough
from app.matching.format import Fingerprint
from app.matching.frame_geometry import agreeing, as_pairs, guided
from app.matching.hashes import MIRROR
from app.matching.index import as_words, hamming
from app.matching.rules import Verdict

CHUNK: Final = 64  # query frames looked at together: a few MiB of scratch against an hour
MAX_PAIRS_PER_FRAME: Final = 128  # of a still video everything resembles everything
MAX_PAIRS: Final = 400_000  # in all; of an hour of a still scene 55 for each frame
STEP_S: Final = 0.5  # time between sampled frames

Words = NDArray[np.uint64]


@dataclass(frozen=True)
class _Frames:
    """Sampled frames: seconds (n), hash of the whole (n, 4 words), of the trimmed or else whole (n, 4)."""

    seconds: NDArray[np.float64]
    whole: Words
    trimmed: Words

    @property
    def bordered(self) -> NDArray[np.bool_]:
        return np.asarray((self.whole != self.trimmed).any(axis=1))


def compare_videos(query: Fingerprint, candidate: Fingerprint) -> Verdict | None:
    """The relation of two videos with the stretches they share, or None."""
    item = _frames(candidate, 0)
    best: tuple[int, bool, Pairs] | None = None
    for dihedral in (0, MIRROR):
        pairs = _look_alikes(_frames(query, dihedral), item)
        if enough(pairs) and (best is None or distinct_seconds(pairs.query_s) > best[0]):
            best = (distinct_seconds(pairs.query_s), dihedral == MIRROR, pairs)
    if best is not None:
        found = _by_hash(query, candidate, best[2], mirrored=best[1])
        if found is not None:
            return found
    return _by_geometry(query, candidate)


def _by_hash(query: Fingerprint, candidate: Fingerprint, pairs: Pairs, *, mirrored: bool) -> Verdict | None:
    segments, used = align(pairs, STEP_S)
    if not segments:
        return None
    median = float(np.median(used.distance))
    moments = np.unique([row.time_ms for row in query.hashes]) / 1000
    item_moments = np.unique([row.time_ms for row in candidate.hashes]) / 1000
    name = rules.video_verdict_by_hash(
        median, query_cover=_cover(moments, used.query_s), item_cover=_cover(item_moments, used.item_s)
    )
    if name != "same_content":
        # Fast motion between the samples, or a logo: let geometry lengthen what hashes have found.
        more = as_pairs(guided(query.views, candidate.views, segments, mirrored=mirrored))
        segments, used = align(_join(pairs, more), STEP_S)
    return wording.video(
        name, segments, distance=round(median), mirrored=mirrored, seconds=distinct_seconds(used.query_s)
    )


def _cover(moments: NDArray[np.float64], matched: NDArray[np.float64]) -> float:
    """Share of the moments that lie within one step of a matched one."""
    return float(np.mean([np.abs(matched - moment).min() <= STEP_S for moment in moments]))


def _join(left: Pairs, right: Pairs) -> Pairs:
    return Pairs(
        np.concatenate([left.query_s, right.query_s]),
        np.concatenate([left.item_s, right.item_s]),
        np.concatenate([left.distance, right.distance]),
    )


def _by_geometry(query: Fingerprint, candidate: Fingerprint) -> Verdict | None:
    hits = agreeing(query.views, candidate.views)
    pairs = as_pairs(hits)
    if not enough(pairs):
        return None
    segments, used = align(pairs, STEP_S)
    if not segments:
        return None
    mirrored = hits[0].mirrored
    more = guided(query.views, candidate.views, segments, mirrored=mirrored)
    segments, used = align(as_pairs(hits + more), STEP_S)
    seconds = distinct_seconds(used.query_s)
    return wording.video("derived", segments, distance=None, mirrored=mirrored, seconds=seconds)


def _frames(fingerprint: Fingerprint, dihedral: int) -> _Frames:
    whole: dict[int, bytes] = {}
    trimmed: dict[int, bytes] = {}
    for row in fingerprint.hashes:
        if row.role != "crop" and row.dihedral == dihedral and row.quality >= rules.MIN_QUALITY:
            (trimmed if row.role == "trimmed" else whole)[row.time_ms] = row.value
    times = sorted(whole)
    empty = np.zeros((0, 4), np.uint64)
    return _Frames(
        np.array(times, dtype=np.float64) / 1000,
        np.stack([as_words(whole[t]) for t in times]) if times else empty,
        np.stack([as_words(trimmed.get(t, whole[t])) for t in times]) if times else empty,
    )


def _look_alikes(query: _Frames, item: _Frames) -> Pairs:
    """Pairs of frames within the wider radius; of each query frame the nearest in time, and not too many."""
    found: list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]] = []
    most = max(1, min(MAX_PAIRS_PER_FRAME, MAX_PAIRS // max(1, len(query.seconds))))
    for start in range(0, len(query.seconds), CHUNK):
        part = slice(start, start + CHUNK)
        distances = _distances(query, part, item)
        for row, time in zip(distances, query.seconds[part], strict=True):
            near = np.flatnonzero(row <= rules.DERIVED_DISTANCE)
            if len(near) > most:
                order = np.argsort(np.abs(item.seconds[near] - time), kind="stable")
                near = near[order[:most]]
            found.append((np.full(len(near), time), item.seconds[near], row[near].astype(np.float64)))
    if not found:
        return Pairs(np.zeros(0), np.zeros(0), np.zeros(0))
    return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _distances(query: _Frames, part: slice, item: _Frames) -> NDArray[np.uint16]:
    """Least distance over trimmed and whole.

    Two bordered frames are never compared as wholes: the borders themselves would make them alike.
    (Of a frame without borders, trimmed and whole are the same.)
    """
    best = hamming(query.trimmed[part], item.trimmed)
    if query.bordered[part].any():
        best = np.minimum(best, hamming(query.whole[part], item.trimmed))
    if item.bordered.any():
        best = np.minimum(best, hamming(query.trimmed[part], item.whole))
    return best
