"""Container and telemetry of an hour's recording: `python -m benchmarks.telemetry [SECONDS] [--exiftool]`.

Makes recordings of so many seconds (3,600) whose telemetry is spread over a file as large as an hour of 4K video, by
holes on the disk: GPMF at 18 samples a second, djmd and a flight log at 30. Prints what our reading costs, and with
`--exiftool` what `exiftool -ee` takes for the same file.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from app.analysis.extract import inspect_with_track
from tests.telemetry_samples import LAT, LON, djmd, field, gps5_payload, movie

PER_CHUNK = 3
BYTES_A_SECOND = 12_500_000  # 100 Mbit/s


def gpmf_recording(path: Path, seconds: int) -> None:
    """A payload a second."""
    payloads = [gps5_payload(at % 60, [(LAT + at / 1e5 + n / 1e6, LON) for n in range(18)]) for at in range(seconds)]
    _spread(path, b"gpmd", payloads, 1000, seconds)


def djmd_recording(path: Path, seconds: int) -> None:
    """A message of some 800 bytes a picture."""
    rest = field(9, b"\x5a" * 700)
    messages = [
        djmd(LAT + at / 1e7, LON, protocol="dvtm_Mini4_Pro.proto" if at == 0 else None) + rest
        for at in range(seconds * 30)
    ]
    _spread(path, b"djmd", messages, 33, seconds)


def flight_log(path: Path, seconds: int) -> None:
    """A block a picture."""

    def blocks() -> Iterator[str]:
        for n in range(seconds * 30):
            second, milli = divmod(n * 1000 // 30, 1000)
            clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
            yield (
                f"{n + 1}\n{clock},{milli:03d} --> {clock},{milli:03d}\n<font>FrameCnt: {n + 1}, DiffTime: 33ms\n"
                f"2025-06-14 {clock}.{milli:03d}\n[iso: 100] [shutter: 1/400.0] [fnum: 1.7] [ev: 0] "
                f"[latitude: {47 + n / 1e6:.6f}] [longitude: -19.500000] [rel_alt: 20.000 abs_alt: 117.000] </font>\n\n"
            )

    path.write_text("".join(blocks()))


def _spread(path: Path, code: bytes, samples: list[bytes], ticks: int, seconds: int) -> None:
    """The movie that the tests make, its chunks moved apart as pictures would move them."""
    whole = movie(code, samples, ticks)
    head, index = whole[:20], bytearray(whole[whole.rindex(b"moov") - 4 :])
    at = index.index(b"co64") + 8
    (count,) = struct.unpack_from(">I", index, at)
    stride = BYTES_A_SECOND * seconds // count
    start = len(head) + 16
    struct.pack_into(f">{count}Q", index, at + 4, *(start + n * stride for n in range(count)))
    with path.open("wb") as stream:
        stream.write(head + struct.pack(">I4sQ", 1, b"mdat", 16 + count * stride))
        for n in range(count):
            stream.seek(start + n * stride)
            stream.write(b"".join(samples[n * PER_CHUNK : (n + 1) * PER_CHUNK]))
        stream.seek(start + count * stride)
        stream.write(index)


def main(seconds: int, *, beside: bool) -> None:
    """Make, read, print."""
    makers = {"gpmf.mp4": gpmf_recording, "djmd.mp4": djmd_recording, "log.srt": flight_log}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in makers.items():
            path = Path(folder) / name
            make(path, seconds)
            clock, cpu = time.perf_counter(), time.process_time()
            record, track = inspect_with_track(path, name)
            clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
            print(
                f"{name}: {path.stat().st_size / 1e9:.1f} GB, {record.track.points} positions, {cpu:.1f} s CPU, "
                f"{clock:.1f} s by the clock, track of {len(track or b'') / 1e6:.1f} MB"
            )
            if beside and (tool := shutil.which("exiftool")) and name.endswith("gpmf.mp4"):
                clock = time.perf_counter()
                subprocess.run([tool, "-ee", "-api", "LargeFileSupport=1", path], check=True, capture_output=True)
                print(f"{name}: exiftool -ee {time.perf_counter() - clock:.1f} s by the clock")
            path.unlink()


if __name__ == "__main__":
    numbers = [argument for argument in sys.argv[1:] if argument.isdecimal()]
    main(int(numbers[0]) if numbers else 3600, beside="--exiftool" in sys.argv)
