"""Time and size of fingerprinting and comparing, on made-up media: `python benchmarks/matching_quick.py`.

CPU milliseconds (all threads of the process together), so that a busy machine changes little.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.matching.compare import compare
from app.matching.index import NumpyHashIndex
from app.matching.photo import fingerprint_photo
from app.matching.video import fingerprint_video
from tests.matching_media import clip_frames, crop, scene, write_clip, write_photo

T = TypeVar("T")
SCENES = 16
INDEX_ROWS = 1_000_000


def timed(name: str, count: float, work: Callable[[], T]) -> T:
    """Run and print CPU and wall milliseconds per unit."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{name:46} {cpu / count * 1e3:9.2f} ms CPU {wall / count * 1e3:9.2f} ms wall")
    return result


def photos(folder: Path) -> None:
    """Photos of two sizes, and pairs of them."""
    paths = [write_photo(folder / f"{seed}.jpg", scene(seed)) for seed in range(SCENES)]
    large = np.asarray(cv2.resize(scene(1), (4000, 3000), interpolation=cv2.INTER_CUBIC), np.uint8)
    huge = write_photo(folder / "large.jpg", large)
    fingerprint_photo(paths[0])  # imports
    made = timed("photo fingerprint, 0.7 MP JPEG", SCENES, lambda: [fingerprint_photo(path) for path in paths])
    timed("photo fingerprint, 12 MP JPEG", 3, lambda: [fingerprint_photo(huge) for _ in range(3)])
    part = fingerprint_photo(write_photo(folder / "part.jpg", crop(scene(0), 0.5, (0.2, 0.4))))
    pairs = list(itertools.combinations(made, 2))
    timed("compare, different photos", len(pairs), lambda: [compare(a, b) for a, b in pairs])
    timed("compare, the same photo", SCENES, lambda: [compare(a, a) for a in made])
    timed("compare, crop to 50 %", 10, lambda: [compare(part, made[0]) for _ in range(10)])
    print(f"{'bytes per photo':46} {len(made[0].to_bytes()):9}")


def videos(folder: Path) -> None:
    """Clips of 10 seconds, and pairs of them."""
    frames = list(clip_frames(100))
    path = write_clip(folder / "clip.mp4", iter(frames))
    other = fingerprint_video(write_clip(folder / "other.mp4", clip_frames(101)))
    cropped = fingerprint_video(write_clip(folder / "crop.mp4", iter([crop(f, 0.85) for f in frames])))
    made = timed("video fingerprint per second, 480 x 360", 30, lambda: [fingerprint_video(path) for _ in range(3)])[0]
    timed("compare, the same 10 s clip", 10, lambda: [compare(made, made) for _ in range(10)])
    timed("compare, different 10 s clips", 3, lambda: [compare(made, other) for _ in range(3)])
    timed("compare, cropped 10 s clip", 3, lambda: [compare(cropped, made) for _ in range(3)])
    print(f"{'bytes per second of video':46} {len(made.to_bytes()) // 10:9}")


def index() -> None:
    """Exact search among a million rows."""
    rng = np.random.default_rng(0)
    rows = rng.bytes(32 * INDEX_ROWS)
    built = NumpyHashIndex()
    per_item = [[rows[32 * (k + j) : 32 * (k + j + 1)] for j in range(100)] for k in range(0, INDEX_ROWS, 100)]

    def fill() -> None:
        for number, part in enumerate(per_item):
            built.add(str(number), part)

    timed("index, add 1000 rows", INDEX_ROWS / 1000, fill)
    timed("index, search 1e6 rows at radius 50", 10, lambda: [built.search(rows[:32], 50) for _ in range(10)])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        photos(Path(name))
        videos(Path(name))
    index()
