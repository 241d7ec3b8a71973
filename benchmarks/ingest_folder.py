"""A folder of small photos through `catena ingest`, against bagit.py and exiftool run for each file, in one run.

`python -m benchmarks.ingest_folder [--photos 2000] [--held 100000] [--sample 40]`

The yardstick, for a sample of the files: `bagit.py` makes a bag in place of a folder that holds the file, and
`exiftool -json` reads its metadata. Catena's side is the whole command: start, four digests, fsync, event, sealed
receipt, metadata, preview, fingerprint, comparison, signed head. It is asked twice: in an empty archive and in one that
holds `--held` items; the yardstick is measured beside each. Needs Debian's `libimage-exiftool-perl`. 100,000 items take
12 GB in TMPDIR.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from app.config import Settings, load_settings
from app.wiring import init_archive, open_archive
from benchmarks.held_items import hold
from tests.matching_media import scene

SIZES = ((640, 480), (800, 600), (1024, 768), (1280, 960), (1600, 1200))
POOL = 300
PASSPHRASE = b"a passphrase for measurements only"


@dataclass(frozen=True)
class Halves:
    """Items a second of the first and of the last half of the files."""

    first: float
    last: float

    def __str__(self) -> str:
        """With what became of the rate."""
        return f"first half {self.first:.2f}, last {self.last:.2f} items/s ({self.last / self.first:.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--held", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=40, help="files of the yardstick")
    asked = parser.parse_args()
    if shutil.which("exiftool") is None:
        sys.exit("exiftool is not here: install Debian's libimage-exiftool-perl")
    with tempfile.TemporaryDirectory(prefix="catena-folder-") as name:
        work = Path(name)
        photos = make_photos(work / "photos", asked.photos, seed=1)
        small = _measure(work / "empty", work, photos, asked.sample)
        if asked.held:
            services_of(work / "full", asked.held, work)
            large = _measure(work / "full", work, photos, asked.sample)
            print(
                f"rate with {asked.held} items held / in an empty archive: {large / small:.2f}",
                flush=True,
            )


def make_photos(folder: Path, count: int, seed: int) -> list[Path]:
    """Distinct photos with EXIF, 640 x 480 to 1600 x 1200, below folders of a hundred."""
    paths = []
    for number in range(count):
        path = folder / f"{number // 100:03}" / f"IMG_{number:05}.JPG"
        path.parent.mkdir(parents=True, exist_ok=True)
        width, height = SIZES[number % len(SIZES)]
        picture = scene(seed * 1_000_000 + number, width, height)
        exif = Image.Exif()
        exif[0x010F], exif[0x0110], exif[0x0131] = "SAMPLE", "SAMPLE - NOT REAL", "sample 1.0"
        moment = f"2025:06:{number % 28 + 1:02} {number // 60 % 24:02}:{number % 60:02}:07"
        exif.get_ifd(0x8769).update({0x9003: moment, 0x9004: moment, 0x9011: "+00:00"})
        exif.get_ifd(0x8825).update({1: "N", 2: (47.0, number % 60, 4.5), 3: "W", 4: (19.0, number // 60 % 60, 8.25)})
        rgb = np.ascontiguousarray(picture[:, :, ::-1])
        Image.fromarray(rgb).save(path, "JPEG", quality=85, exif=exif)
        paths.append(path)
    return paths


def services_of(data: Path, held: int, work: Path) -> None:
    """Fill an archive."""
    pool = make_photos(work / "pool", min(POOL, held), seed=2)
    init_archive(_settings(data), "Archive of Measurements", PASSPHRASE)
    services = open_archive(_settings(data), lambda: PASSPHRASE)
    begun = time.perf_counter()
    who = services.access.local_operator()
    hold(services, who, services.evidence.create_case(who, "HELD"), pool, held)
    services.archive.db.close()
    print(f"{held} items laid down in {time.perf_counter() - begun:.0f} s", flush=True)


def _settings(data: Path) -> Settings:
    os.environ["CATENA_PASSPHRASE"] = PASSPHRASE.decode()
    return load_settings(data)


def _chosen(photos: list[Path], sample: int) -> list[Path]:
    return photos[:: max(1, len(photos) // sample)][:sample]


def _yardstick(work: Path, photos: list[Path], sample: int) -> float:
    """Files a second of bagit.py and exiftool, one run of each per file; copying the file is not counted."""
    bagit = Path(sys.executable).with_name("bagit.py")
    taken = 0.0
    chosen = _chosen(photos, sample)
    for number, path in enumerate(chosen):
        folder = work / "bags" / str(number)
        folder.mkdir(parents=True)
        shutil.copy(path, folder)
        begun = time.perf_counter()
        subprocess.run([sys.executable, str(bagit), "--quiet", str(folder)], check=True, capture_output=True)
        kept = folder / "data" / path.name
        subprocess.run(["exiftool", "-json", str(kept)], check=True, capture_output=True)
        taken += time.perf_counter() - begun
    shutil.rmtree(work / "bags")
    return len(chosen) / taken


def _adopt_orphans() -> None:
    """Have the fork server, which outlives its command by a moment, waited for here: its CPU counts (prctl(2))."""
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def _cpu() -> float:
    """CPU seconds of everything that was started from here and has ended, user and system."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.05)
        except ChildProcessError:
            break
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _measure(data: Path, work: Path, photos: list[Path], sample: int) -> float:
    if not data.exists():
        init_archive(_settings(data), "Archive of Measurements", PASSPHRASE)
    at_start = _cpu()
    before = _yardstick(work, photos, (sample + 1) // 2)
    yardstick_cpu = (_cpu() - at_start) / len(_chosen(photos, (sample + 1) // 2))
    command = [sys.executable, "-m", "app.cli", "ingest", str(photos[0].parents[1]), "--recursive", "--json"]
    environment = {**os.environ, "CATENA_DATA": str(data)}
    at_start = _cpu()
    begun = time.perf_counter()
    subprocess.run([*command, "--case", "X"], check=True, stdout=subprocess.DEVNULL, env=environment)
    taken = time.perf_counter() - begun
    cpu = (_cpu() - at_start) / len(photos)
    after = _yardstick(work, photos, (sample + 1) // 2)
    yardstick = 2 / (1 / before + 1 / after)
    overall = len(photos) / taken
    deposited, compared = _halves(data / "catena.db", len(photos))
    print(f"{data.name}: yardstick {yardstick:.2f} files/s; ingest {overall:.2f} items/s ({taken:.0f} s)", flush=True)
    print(f"{data.name}: {overall / yardstick:.2f} x the yardstick", flush=True)
    # While files still come in, they share the processors with the analysis: its first half is the slower one for that.
    print(f"{data.name}: deposited, {deposited}; done with, {compared}", flush=True)
    print(
        f"{data.name}: CPU {cpu * 1000:.0f} ms an item, start included; yardstick {yardstick_cpu * 1000:.0f} ms a file;"
        f" load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors",
        flush=True,
    )
    audit = [sys.executable, "-m", "app.cli", "audit", "--json"]
    begun = time.perf_counter()
    code = subprocess.run(audit, stdout=subprocess.DEVNULL, env=environment, check=False).returncode
    print(
        f"{data.name}: audit {'clean' if code == 0 else f'NOT CLEAN ({code})'} in {time.perf_counter() - begun:.0f} s"
    )
    return overall


def _halves(database: Path, count: int) -> tuple[Halves, Halves]:
    """How fast the files of this run were deposited, and how fast they were done with, compared and all."""
    with closing(sqlite3.connect(database)) as connection:
        came = _times(connection, "SELECT received_at FROM item ORDER BY received_at DESC LIMIT ?", count)
        done = "SELECT finished_at FROM job WHERE kind = 'match' ORDER BY finished_at DESC LIMIT ?"
        ended = _times(connection, done, count)
    return _rates(came[0], came), _rates(came[0], ended)


def _rates(begun: float, ended: list[float]) -> Halves:
    middle = len(ended) // 2
    first, last = ended[middle - 1] - begun, ended[-1] - ended[middle - 1]
    return Halves(middle / first, (len(ended) - middle) / last)


def _times(connection: sqlite3.Connection, asked: str, count: int) -> list[float]:
    stated = [text for (text,) in connection.execute(asked, (count,)) if text is not None]
    return sorted(np.datetime64(text.rstrip("Z")).astype("datetime64[us]").astype(float) / 1e6 for text in stated)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    _adopt_orphans()
    main()
