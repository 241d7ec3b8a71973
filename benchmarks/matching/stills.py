"""Photos taken from recordings, and other photos of the scenes in them."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from app.matching.compare import compare
from app.matching.format import Fingerprint
from app.matching.photo import fingerprint_photo
from app.matching.video import fingerprint_video
from benchmarks.matching.attacks import ATTACKS, Attack
from benchmarks.matching.media import Photos, Picture, Scene
from benchmarks.matching.recordings import FPS, KINDS, Frames, recording, write

MOMENTS: Final = (1.3, 4.7, 8.2, 12.9)  # seconds; none of them is a sampled one
EDITS: Final[dict[str, Attack]] = {
    name: ATTACKS[name]
    for name in ("recompress q40", "resize to half", "mirror", "letterbox", "crop to 80 %", "caption", "screenshot")
}
CLOSE_S: Final = 1.0
MOVING: Final = ("wander", "handheld")  # in the others many moments look alike


def measure(photos: Photos, count: int, seed: int) -> dict[str, Any]:
    """Stills of every recording against all of them; then other photos of one scene."""
    takes = [recording(seed * 1000 + n, photos, KINDS[n % len(KINDS)]) for n in range(count)]
    said: dict[str, Counter[str]] = {name: Counter() for name in EDITS}
    false: Counter[str] = Counter()
    off = pairs = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = [fingerprint_video(write(folder / f"{n}.mp4", take, 26)) for n, take in enumerate(takes)]
        for number, take in enumerate(takes):
            for moment in MOMENTS:
                for edit, attack in EDITS.items():
                    rng = np.random.default_rng((seed, number, round(moment * 10)))
                    query = _photo(folder, attack(take[round(moment * FPS)], rng))
                    for other, item in enumerate(items):
                        found = compare(query, item)
                        if other == number:
                            said[edit][found.verdict if found else "nothing"] += 1
                            moves = KINDS[number % len(KINDS)] in MOVING
                            far = found is not None and abs(found.segments[0].item_start_s - moment) > CLOSE_S
                            off += moves and far
                        else:
                            pairs += 1
                            false.update([found.verdict] if found else [])
        scenes = same_scenes(folder, photos, seed, max(1, count // 2))
    return {
        "by_edit": {edit: dict(counts) for edit, counts in said.items()},
        "more_than_1_s_off": off,
        "negative_pairs": pairs,
        "false_by_verdict": dict(false),
        "data_set": f"{len(EDITS)} edits of {len(MOMENTS)} stills of each of {count} generated recordings, each with "
        f"all the others, seed {seed}",
        "same_scene": scenes,
    }


def same_scenes(folder: Path, photos: Photos, seed: int, count: int) -> dict[str, int]:
    """What is said of photos of a filmed scene from elsewhere and later."""
    said: Counter[str] = Counter()
    for number in range(count):
        place = Scene(seed * 77 + number, photos.textures())
        frames: Frames = [place.view((480, 360), camera=(0.35 + 0.004 * n, 0.5, 0.5)) for n in range(5 * FPS)]
        item = fingerprint_video(write(folder / "scene.mp4", frames, 26))
        for camera in ((0.6, 0.35, 0.45), (0.3, 0.7, 0.5)):
            found = compare(_photo(folder, place.view(camera=camera, moved=number + 1)), item)
            said[found.verdict if found else "nothing"] += 1
    return dict(said)


def _photo(folder: Path, picture: Picture) -> Fingerprint:
    path = folder / "photo.jpg"
    assert cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return fingerprint_photo(path)
