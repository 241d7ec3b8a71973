"""How fast proxies are made: seconds of video for each second, and against decoding alone in the same run.

    python -m benchmarks.proxy [SECONDS [FILE ...]]

Without files, recordings of that many seconds (20) are generated: 1080p H.264, and 4K HEVC with 10 bits. CPU seconds
are of the encoder and its threads, the time by the clock is that of the confined child with all that runs beside it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from app.analysis.limits import MEBIBYTE, Limits
from app.analysis.proxy import Budget, render_proxy
from app.analysis.sandbox import run_sandboxed

PLENTY = Budget(3600, 3600, 1 << 31)


def main() -> None:
    """Measure and print."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder:
        given = [Path(name) for name in sys.argv[2:]]
        for path in given or _generated(Path(folder), seconds):
            _measure(path)


def _generated(folder: Path, seconds: int) -> list[Path]:
    full = _write(folder / "h264-1080p30.mp4", "libx264", (1920, 1080), "yuv420p", seconds)
    return [
        full,
        _write(folder / "hevc-2160p30-10bit.mp4", "libx265", (3840, 2160), "yuv420p10le", max(2, seconds // 5)),
    ]


def _write(path: Path, codec: str, size: tuple[int, int], pixels: str, seconds: int) -> Path:
    """A textured view that moves a little with each frame, and some noise: neither still nor random."""
    chance = np.random.default_rng(1)
    coarse = chance.integers(0, 255, (size[1] // 24 + 40, size[0] // 24 + 40), np.uint8)
    coarse = np.kron(coarse, np.ones((24, 24), np.uint8)) // 2
    view = coarse + chance.integers(0, 90, coarse.shape, np.uint8)
    with av.open(str(path), "w") as target:
        options = {"preset": "ultrafast"} | ({"x265-params": "log-level=none"} if codec == "libx265" else {})
        stream = target.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        for number in range(seconds * 30):
            at = number % 300
            part = np.ascontiguousarray(view[at : at + size[1], at : at + size[0]])
            target.mux(stream.encode(av.VideoFrame.from_ndarray(part, format="gray").reformat(format=pixels)))
        target.mux(stream.encode(None))
    return path


def _measure(path: Path) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    with av.open(str(path)) as source:
        source.streams.video[0].thread_type = "AUTO"
        source.streams.video[0].codec_context.thread_count = 2
        length = max(float(frame.time or 0) for frame in source.decode(video=0))
    decoded, decoded_cpu = time.perf_counter() - began, time.process_time() - cpu
    size = 0

    def take(_: dict[str, object], body: bytes) -> None:
        nonlocal size
        size += len(body)

    began = time.perf_counter()
    limits = Limits(cpu_s=3600, wall_s=3600, output_bytes=64 * MEBIBYTE)
    run_sandboxed("app.analysis.tasks:proxy_task", (path, PLENTY), limits, on_part=take)
    made = time.perf_counter() - began
    cpu = time.process_time()
    facts, _ = render_proxy(path, PLENTY, lambda _: None)
    made_cpu = time.process_time() - cpu
    print(
        f"{path.name}: {length:.1f} s of video, decoded in {decoded:.1f} s ({decoded_cpu:.1f} s CPU), proxy "
        f"{facts.width} x {facts.height} in the sandbox in {made:.1f} s ({length / made:.1f} x real time), "
        f"{made_cpu:.1f} s CPU ({length / made_cpu:.1f} x real time a core, {made_cpu / decoded_cpu:.1f} x decoding), "
        f"{size / length * 8 / 1e6:.2f} Mbit/s",
        flush=True,
    )


if __name__ == "__main__":
    main()
