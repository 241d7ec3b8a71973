"""What the full metadata record of a photo costs: median milliseconds per file in a warm worker, exiftool's beside it.

    python -m benchmarks.metadata_photo [--rounds N] [--exiftool PROGRAM] [FILE ...]

Without files, three JPEGs of 12 megapixels (4000 x 3000) are generated: EXIF with GPS, XMP and an ICC profile; plain,
progressive, and with a second picture behind. "in process" is the reading alone, in this process, which holds all
parsers, by the clock and in CPU time; "sandboxed" is the same in a confined child of the warm fork server, as the
archive does it, with start and end of the process; exiftool's is one call for one file, which is how it is asked.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from app.analysis.extract import inspect_file
from app.analysis.record_bytes import to_bytes
from app.analysis.sandbox import run_sandboxed

SIZE = (4000, 3000)
_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" '
    b'drone-dji:AbsoluteAltitude="+121.40" drone-dji:GimbalPitchDegree="-89.90"/></rdf:RDF></x:xmpmeta>'
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metadata_photo", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--exiftool", default=shutil.which("exiftool"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = options.files or _generated(Path(folder))
        print("| file | MB | in process, ms | its CPU, ms | sandboxed, ms | exiftool, ms |\n|---|---|---|---|---|---|")
        for path in files:
            _measure(path, options.rounds, options.exiftool)


def _measure(path: Path, rounds: int, exiftool: str | None) -> None:
    def read() -> object:
        return to_bytes(inspect_file(path, path.name))

    inside, cpu = _median(read, rounds), _median(read, rounds, time.process_time)
    confined = _median(lambda: run_sandboxed("app.analysis.tasks:metadata_task", (path, path.name)), rounds)
    other = "not installed"
    if exiftool:
        command = [exiftool, "-config", "", "-json", "-G1", "-n", str(path)]
        other = f"{_median(lambda: subprocess.run(command, check=True, capture_output=True), min(rounds, 7)):.0f}"
    size = path.stat().st_size / 1e6
    print(f"| {path.name} | {size:.1f} | {inside:.1f} | {cpu:.1f} | {confined:.1f} | {other} |", flush=True)


def _median(work: Callable[[], object], rounds: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Milliseconds by a clock; the first two runs warm up and are not counted."""
    times = []
    for number in range(rounds + 2):
        began = clock()
        work()
        if number > 1:
            times.append((clock() - began) * 1000)
    return median(times)


def _generated(folder: Path) -> list[Path]:
    chance = np.random.default_rng(1)
    coarse = np.kron(
        chance.integers(0, 255, (SIZE[1] // 50, SIZE[0] // 50, 3), np.uint8), np.ones((50, 50, 1), np.uint8)
    )
    noise = chance.integers(0, 40, coarse.shape, np.uint8)
    picture = Image.fromarray(coarse // 2 + noise)
    options: dict[str, Any] = {
        "exif": _exif(),
        "xmp": _XMP,
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        "quality": 88,
    }
    plain, progressive, two = (folder / f"12mp-{kind}.jpg" for kind in ("baseline", "progressive", "multi-picture"))
    picture.save(plain, **options)
    picture.save(progressive, progressive=True, **options)
    picture.save(two, "MPO", save_all=True, append_images=[picture.resize((960, 720))], **options)
    return [plain, progressive, two]


def _exif() -> bytes:
    block = Image.Exif()
    block[0x010F], block[0x0110], block[0x0131] = "Maker", "Model 1", "1.0"
    block.get_ifd(0x8769).update({0x9003: "2025:06:14 10:31:07", 0x9011: "+03:00", 0xA431: "SN-1", 0x8827: 100})
    angle = (IFDRational(47), IFDRational(30), IFDRational(4444, 100))
    block.get_ifd(0x8825).update({1: "N", 2: angle, 3: "E", 4: angle, 5: b"\0", 6: IFDRational(100)})
    return block.tobytes()


if __name__ == "__main__":
    main()
