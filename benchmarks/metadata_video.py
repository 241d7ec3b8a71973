"""How long the full record of a one-hour 4K recording takes, with exiftool's time beside it.

    python -m benchmarks.metadata_video [MINUTES [FILE ...]]

Without files, a recording of that many minutes (60) is made cheaply: one second of 3840 x 2160 pictures is encoded
once and copied again and again with new times, beside sound and a flight log of 30 entries a second, so that all
sample tables are as long as a camera's. Measured in a warm worker: the confined child with all
that it does; the best of three.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np

from app.analysis.extract import inspect_file
from app.analysis.limits import for_reading
from app.analysis.sandbox import run_sandboxed

_RATE, _SIZE = 30, (3840, 2160)
_SOUND_RATE, _SOUND_FRAME = 48_000, 1024
_LIMIT_S, _PATIENCE_S = 10.0, 120
_LOG = (
    "FrameCnt: {n}, DiffTime: 33ms\n2025-06-14 10:44:{s:02d}.{ms:03d}\n[iso: 100] [shutter: 1/1000.0] [fnum: 1.7] "
    "[latitude: {lat:.6f}] [longitude: 19.978300] [rel_alt: 80.{d} abs_alt: 132.{d}] "
)


def main() -> int:
    """Measure and print; 1 when a recording took more than ten seconds."""
    minutes = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as folder:
        given = [Path(name) for name in sys.argv[2:]]
        return max(_measure(path) for path in given or [make_long(Path(folder) / "hour.mp4", minutes * 60)])


def make_long(path: Path, seconds: int, size: tuple[int, int] = _SIZE) -> Path:
    """Write a recording of so many seconds."""
    pictures, sounds, heads = _one_second(path.parent, size)
    with av.open(str(path), "w", options={"use_editlist": "0"}) as target:
        video = target.add_stream_from_template(heads[0])
        audio = target.add_stream_from_template(heads[1])
        words = target.add_mux_stream("mov_text", time_base=Fraction(1, 3000))
        sound = 0
        for second in range(seconds):
            for number, (data, key) in enumerate(pictures):
                frame = second * _RATE + number
                _mux(target, video, data, frame, Fraction(1, _RATE), key=key)
                text = _LOG.format(n=frame, s=second % 60, ms=number * 33, d=second % 10, lat=47.516 + frame * 1e-7)
                _mux(target, words, struct.pack(">H", len(text)) + text.encode(), frame, Fraction(1, _RATE), key=True)
            while sound * _SOUND_FRAME < (second + 1) * _SOUND_RATE:
                data = sounds[sound % len(sounds)]
                _mux(target, audio, data, sound * _SOUND_FRAME, Fraction(1, _SOUND_RATE), key=True)
                sound += 1
    return path


def _mux(target: object, stream: object, data: bytes, at: int, base: Fraction, *, key: bool) -> None:
    packet = av.Packet(data)
    packet.stream, packet.time_base = stream, base  # type: ignore[assignment]
    packet.pts = packet.dts = at
    packet.duration = _SOUND_FRAME if base.denominator == _SOUND_RATE else 1
    packet.is_keyframe = key
    target.mux(packet)  # type: ignore[attr-defined]


def _one_second(
    folder: Path, size: tuple[int, int]
) -> tuple[list[tuple[bytes, bool]], list[bytes], list[av.stream.Stream]]:
    """Packets of one second, without pictures that come out of order, and the streams that describe them."""
    short = folder / "second.mp4"
    with av.open(str(short), "w") as target:
        video = target.add_stream("libx264", rate=_RATE, options={"preset": "ultrafast", "bf": "0", "g": str(_RATE)})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        audio = target.add_stream("aac", rate=_SOUND_RATE, layout="mono")
        view = np.kron(
            np.random.default_rng(1).integers(0, 255, (size[1] // 24, size[0] // 24), np.uint8),
            np.ones((24, 24), np.uint8),
        )
        for number in range(_RATE):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(view, number, 1)), format="gray")
            target.mux(video.encode(frame.reformat(format="yuv420p")))
        target.mux(video.encode(None))
        for number in range(48):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, _SOUND_FRAME), np.float32), format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = _SOUND_RATE, number * _SOUND_FRAME, Fraction(1, _SOUND_RATE)
            target.mux(audio.encode(sound))
        target.mux(audio.encode(None))
    source = av.open(str(short))
    packets = [packet for packet in source.demux() if packet.size]
    pictures = [(bytes(packet), packet.is_keyframe) for packet in packets if packet.stream.type == "video"]
    sounds = [bytes(packet) for packet in packets if packet.stream.type == "audio"]
    return pictures, sounds, [source.streams.video[0], source.streams.audio[0]]


def _measure(path: Path) -> int:
    limits = for_reading(path.stat().st_size)
    run_sandboxed("app.analysis.sandbox_child:report_level", ())  # the fork server and its parsers are loaded
    times, record = [], b""
    for _ in range(3):
        began = time.perf_counter()
        record = cast("bytes", run_sandboxed("app.analysis.tasks:metadata_task", (path, path.name), limits))
        times.append(time.perf_counter() - began)
    cpu = time.process_time()
    inspect_file(path, path.name)
    cpu = time.process_time() - cpu
    facts = json.loads(record)
    words = f"{path.name}: {path.stat().st_size / 1e6:.0f} MB, {facts['container']['duration_s']['value']} s"
    frames = [track["frames"] for track in facts["container"]["tracks"]]
    print(f"{words}, samples {frames}, telemetry points {facts['track']['points']}")
    print(f"  full record: {min(times):.2f} s (limit {_LIMIT_S:.0f} s), median {sorted(times)[1]:.2f} s")
    print(f"  its processor time, in this process: {cpu:.2f} s; load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    exiftool = shutil.which("exiftool")
    for options in ((), ("-ee",)) if exiftool else ():
        began = time.perf_counter()
        command = [str(exiftool), "-json", "-G1", "-a", *options, str(path)]
        try:
            subprocess.run(command, capture_output=True, check=False, timeout=_PATIENCE_S)
            took = f"{time.perf_counter() - began:.2f} s"
        except subprocess.TimeoutExpired:
            took = f"more than {_PATIENCE_S} s, stopped"
        print(f"  exiftool {' '.join(options) or '(container only)'}: {took}")
    return int(min(times) > _LIMIT_S)


if __name__ == "__main__":
    raise SystemExit(main())
