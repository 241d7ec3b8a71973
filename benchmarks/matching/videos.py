"""The video half: recordings over generated scenes with things that move, attacked; with the true times of each."""

from __future__ import annotations

import itertools
import tempfile
import time
import zlib
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np

from app.matching.align import Segment
from app.matching.compare import compare
from app.matching.video import fingerprint_video
from benchmarks.matching.attacks import badged, bars, captioned, cropped, recoloured, story
from benchmarks.matching.media import Photos, Picture, Scene

FPS: Final = 10
SECONDS: Final = 16
SIZE: Final = (480, 360)
Frames = list[Picture]
Truth = list[tuple[float, float, float]]  # query from, query to, item's time at that beginning
Attacked = tuple[Frames, Truth, float]  # with the item's seconds for one of the query's


def recording(seed: int, textures: list[Picture], seconds: float = SECONDS) -> Frames:
    """A camera that wanders over a place where things move; every 5 to 8 s it cuts to another place."""
    rng = np.random.default_rng(seed)
    frames: Frames = []
    cut = 0.0
    for number in range(round(seconds * FPS)):
        t = number / FPS
        if t >= cut:
            cut += float(rng.uniform(5, 8))
            wide = Scene(int(rng.integers(2**31)), textures).view((1280, 960), camera=(0.5, 0.5, 0.7))
            phase, pace = rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.15, 0.5, 2)
            thing = cropped(textures[int(rng.integers(len(textures)))], 0.15, rng)
        share = 0.55 + 0.07 * np.sin(0.4 * t + phase[0])
        across, down = 0.5 + 0.45 * np.sin(pace[0] * t + phase[1]), 0.5 + 0.45 * np.cos(pace[1] * t + phase[2])
        seen = wide.copy()
        top, left = round(700 * abs(np.sin(0.2 * t))), round(1000 * abs(np.cos(0.13 * t)))
        seen[top : top + thing.shape[0], left : left + thing.shape[1]] = thing
        height, width = round(960 * share), round(1280 * share)
        y, x = round((960 - height) * down), round((1280 - width) * across)
        frames.append(np.asarray(cv2.resize(seen[y : y + height, x : x + width], SIZE), np.uint8))
    return frames


def _each(change: Callable[[Picture], Picture]) -> Callable[[Frames, Frames, np.random.Generator], Attacked]:
    return lambda frames, _, __: ([change(f) for f in frames], [(0.0, len(frames) / FPS, 0.0)], 1.0)


def _overlay(frames: Frames, _: Frames, rng: np.random.Generator) -> Attacked:
    seed = int(rng.integers(2**31))
    return (
        [badged(captioned(f, np.random.default_rng(seed)), np.random.default_rng(seed)) for f in frames],
        [(0.0, len(frames) / FPS, 0.0)],
        1.0,
    )


def _fixed_crop(share: float) -> Callable[[Frames, Frames, np.random.Generator], Attacked]:
    def change(frames: Frames, _: Frames, rng: np.random.Generator) -> Attacked:
        seed = int(rng.integers(2**31))
        return [cropped(f, share, np.random.default_rng(seed)) for f in frames], [(0.0, len(frames) / FPS, 0.0)], 1.0

    return change


def _combo(frames: Frames, _: Frames, rng: np.random.Generator) -> Attacked:
    tint = int(rng.integers(2**31))
    made = [bars(recoloured(f, np.random.default_rng(tint)), 0.15, 0) for f in frames]
    return made, [(0.0, len(frames) / FPS, 0.0)], 1.0


def _faster(frames: Frames, _: Frames, __: np.random.Generator) -> Attacked:
    count = int(len(frames) / 1.25)
    return [frames[round(i * 1.25)] for i in range(count)], [(0.0, count / FPS, 0.0)], 1.25


def _trim(frames: Frames, _: Frames, rng: np.random.Generator) -> Attacked:
    start = int(rng.integers(0, len(frames) - 6 * FPS))
    return frames[start : start + 6 * FPS], [(0.0, 6.0, start / FPS)], 1.0


def _compiled(frames: Frames, other: Frames, rng: np.random.Generator) -> Attacked:
    start, length = int(rng.integers(0, len(frames) - 45)), 45
    made = other[:70] + frames[start : start + length] + other[70:130]
    return made, [(7.0, 11.5, start / FPS)], 1.0


def _two_clips(frames: Frames, other: Frames, _: np.random.Generator) -> Attacked:
    made = frames[100:155] + other[:50] + frames[10:60]
    return made, [(0.0, 5.5, 10.0), (10.5, 15.5, 1.0)], 1.0


ATTACKS: Final[dict[str, Callable[[Frames, Frames, np.random.Generator], Attacked]]] = {
    "recompress": _each(lambda f: f),
    "resize to half": _each(lambda f: np.asarray(cv2.resize(f, None, fx=0.5, fy=0.5), np.uint8)),
    "letterbox": _each(lambda f: bars(f, 0.16, 0)),
    "mirror": _each(lambda f: np.ascontiguousarray(f[:, ::-1])),
    "combo": _combo,
    "upright story": _each(lambda f: np.asarray(cv2.resize(story(f), (360, 640)), np.uint8)),
    "caption + logo": _overlay,
    "crop to 80 %": _fixed_crop(0.8),
    "crop to 60 %": _fixed_crop(0.6),
    "mirror + crop to 80 %": lambda f, o, r: _fixed_crop(0.8)([np.ascontiguousarray(x[:, ::-1]) for x in f], o, r),
    "speed x1.25": _faster,
    "trim to 6 s": _trim,
    "4.5 s in a compilation": _compiled,
    "two clips in a compilation": _two_clips,
}


def write(path: Path, frames: Frames, crf: int) -> Path:
    """Encode frames as H.264."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS))
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        height, width = (side // 2 * 2 for side in frames[0].shape[:2])
        stream.width, stream.height = width, height
        for frame in frames:
            even = np.ascontiguousarray(frame[:height, :width], dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def measure(photos: Photos, count: int, seed: int) -> dict[str, Any]:
    """Attack every recording and compare with all."""
    textures = photos.textures()
    takes = [recording(seed * 1000 + n, textures) for n in range(count)]
    spare = recording(seed * 1000 + 999, textures)  # what compilations are filled up with; no item
    rows: dict[str, dict[str, Any]] = defaultdict(lambda: {"found": 0, "trials": 0, "errors": []})
    misses: list[str] = []
    false = negatives = 0
    spent = defaultdict(float)
    with tempfile.TemporaryDirectory() as folder:
        items = [fingerprint_video(write(Path(folder) / f"{n}.mp4", take, 23)) for n, take in enumerate(takes)]
        for (number, take), (name, attack) in itertools.product(enumerate(takes), ATTACKS.items()):
            frames, truth, speed = attack(take, spare, np.random.default_rng((seed, number, zlib.crc32(name.encode()))))
            path = write(Path(folder) / "query.mp4", frames, 32)
            started = time.process_time()
            query = fingerprint_video(path)
            spent["fingerprint, ms CPU per second"] += (time.process_time() - started) / (len(frames) / FPS) * 1e3
            started = time.process_time()
            said = [compare(query, item) for item in items]
            spent["comparison, ms CPU per pair"] += (time.process_time() - started) / len(items) * 1e3
            negatives += len(items) - 1
            wrong = [other for other, v in enumerate(said) if v is not None and other != number]
            false += len(wrong)
            misses += [f"FALSE {name}: {number} with {other}" for other in wrong]
            rows[name]["trials"] += 1
            own = said[number]
            if own is None:
                misses.append(f"{name}: recording {number}")
                continue
            rows[name]["found"] += 1
            errors = segment_errors(list(own.segments), truth, speed)
            rows[name]["errors"] += errors
            if max(errors) > 1:
                misses.append(f"{name}: recording {number}: times {own.segments} for {truth} x {speed}")
    queries = sum(row["trials"] for row in rows.values())
    everything = [e for row in rows.values() for e in row["errors"]]
    return {
        "queries": queries,
        "negative_pairs": negatives,
        "recall": sum(row["found"] for row in rows.values()) / queries,
        "false_positives": false,
        "within_1_s": float(np.mean([e <= 1 for e in everything])) if everything else 0.0,
        "by_attack": {
            name: {
                "found": row["found"],
                "trials": row["trials"],
                "within": float(np.mean([e <= 1 for e in row["errors"]])) if row["errors"] else 0.0,
                "median_error": float(np.median(row["errors"])) if row["errors"] else float("nan"),
            }
            for name, row in rows.items()
        },
        "misses": misses,
        "costs": {name: value / queries for name, value in spent.items()},
    }


def segment_errors(found: list[Segment], truth: Truth, speed: float) -> list[float]:
    """How far off each true stretch's start and end are, in the item's time, by the segment that covers most of it.

    A stretch that no segment touches counts as its whole length off.
    """
    errors = []
    for begin, end, item in truth:
        touching = [s for s in found if min(s.query_end_s, end) > max(s.query_start_s, begin)]
        if not touching:
            errors += [end - begin] * 2
            continue
        first, last = min(touching, key=lambda s: s.query_start_s), max(touching, key=lambda s: s.query_end_s)
        errors.append(max(abs(first.query_start_s - begin), abs(first.item_start_s - item)))
        errors.append(max(abs(last.query_end_s - end), abs(last.item_end_s - item - (end - begin) * speed)))
    return errors
