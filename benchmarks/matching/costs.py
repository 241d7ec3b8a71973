"""What a photo and a second of video cost: `python -m benchmarks.matching.costs [--video FILE ...]`.

A 12-megapixel JPEG is decoded, hashed and given points; a recording is fingerprinted and, in turn, only decoded (PyAV,
two threads, every frame). Turns alternate, so that other work on the machine meets both alike; the ratio of the fastest
turns is what counts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np

from app.matching.photo import fingerprint_photo
from app.matching.video import THREADS, fingerprint_video
from benchmarks.matching.media import Photos, Scene

TURNS: Final = 5
SECONDS: Final = 8
RATE: Final = 30


def plain_decoding(path: Path) -> int:
    """Every frame of the first video stream, as PyAV gives it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = THREADS
        return sum(1 for _ in container.decode(stream))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of CPU of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def flight(path: Path, photos: Photos) -> Path:
    """A 1080p30 recording of a flight with a sensor's grain, at a phone's bit rate."""
    wide = np.asarray(cv2.resize(Scene(5, photos.textures()).view((1600, 1200)), (2880, 2160)), np.uint8)
    rng = np.random.default_rng(1)
    grain = rng.normal(0, 4, (1080 + 64, 1920 + 64, 1))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE))
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.bit_rate = 16_000_000
        stream.options = {"preset": "ultrafast"}
        for number in range(SECONDS * RATE):
            x, y = 3 * number, 2 * number
            dx, dy = rng.integers(0, 64, 2).tolist()
            part = wide[y : y + 1080, x : x + 1920] + grain[dy : dy + 1080, dx : dx + 1920]
            frame = av.VideoFrame.from_ndarray(np.clip(part, 0, 255).astype(np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def photo_cost(folder: Path, photos: Photos, *, focused: bool) -> dict[str, float]:
    """Milliseconds of one photo of 12 megapixels: the fastest of several turns."""
    view = Scene(6, photos.textures()).view((1600, 1200))
    if not focused:
        view = np.asarray(cv2.GaussianBlur(view, (0, 0), 16), np.uint8)
    picture = np.asarray(cv2.resize(view, (4000, 3000)), np.uint8)
    path = folder / "large.jpg"
    assert cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    fingerprint_photo(path)  # loads libraries
    turns = [timed(lambda: fingerprint_photo(path)) for _ in range(TURNS)]
    size = len(fingerprint_photo(path).to_bytes())
    return {"wall_ms": min(t[0] for t in turns) * 1e3, "cpu_ms": min(t[1] for t in turns) * 1e3, "bytes": size}


def video_cost(path: Path) -> dict[str, float]:
    """Speed of fingerprinting against plain decoding, by the clock and in CPU."""
    made = fingerprint_video(path)
    seconds = made.duration_ms / 1000
    plain, full = [], []
    for _ in range(TURNS):
        plain.append(timed(lambda: plain_decoding(path)))
        full.append(timed(lambda: fingerprint_video(path)))
    wall, cpu = (min(t[k] for t in plain) / min(t[k] for t in full) for k in (0, 1))
    return {
        "seconds": seconds,
        "times_real_time": seconds / min(t[0] for t in full),
        "of_plain_decoding_wall": wall,
        "of_plain_decoding_cpu": cpu,
        "fingerprint_cpu_ms_per_s": (min(t[1] for t in full) - min(t[1] for t in plain)) / seconds * 1e3,
        "bytes_per_s": len(made.to_bytes()) / seconds,
    }


def main() -> None:
    """Measure, print a line of JSON each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching.costs", description=__doc__)
    parser.add_argument("--video", type=Path, nargs="*", default=[], help="recordings instead of a generated one")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "catena-benchmark")
    asked = parser.parse_args()
    photos = Photos(asked.cache)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, focused in (("photo, 12 MP", True), ("photo, 12 MP, out of focus", False)):
            print(json.dumps({name: photo_cost(folder, photos, focused=focused)}), flush=True)
        for path in asked.video or [flight(folder / "flight.mp4", photos)]:
            print(json.dumps({path.name: video_cost(path)}), flush=True)


if __name__ == "__main__":
    main()
