"""Exports: of large files against `zip -0` of the same files, of many items, and with pictures in the report.

Prints ratios, seconds and memory.

`python -m benchmarks.export large [MIB [FILES]]`, 2 GiB in 32 files by default; files are in the page cache.
`python -m benchmarks.export many [ITEMS ...]`, 10,000 by default; several numbers show whether time is linear.
`python -m benchmarks.export report [ITEMS ...]`, 60 and 300 by default; photos of 12 megapixels, analysed, so that
each has a preview that the report shows. Making them takes seconds each. Memory is that of the first export of a
process, imports included, and of a second one.

Time is that of the use-case in a program that is loaded: choosing, recording, log scan, proofs, rehash, signing, fsync.
Processor seconds are told too: on a busy machine they are what can be compared.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

from app.api.services import Services
from app.wiring import open_archive
from schemas.records.v1.source import SourceContext
from tests.archives import PASSPHRASE, make_archive, settings_of
from tests.checks import work_off

CHUNK = 1 << 20
ROUNDS = 3
MIB = 1 << 20


def deposit(services: Services, count: int, size: int, ref: str) -> None:
    """Deposit random files of `size` bytes each, with receipts; analysis is not waited for."""
    who = services.access.local_operator()
    case = services.evidence.create_case(who, ref)
    for number in range(count):
        chunks = (os.urandom(min(CHUNK, size - at)) for at in range(0, size, CHUNK))
        services.intake.deposit_bytes(who, case, chunks, f"{number}.bin", SourceContext())


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds, children included."""

    def spent() -> float:
        each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in each)

    wall, cpu = time.perf_counter(), spent()
    work()
    return time.perf_counter() - wall, spent() - cpu


def resident() -> int:
    """Bytes of memory that this process holds and that are of no file."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024


def grown(work: Callable[[], object]) -> int:
    """By how many bytes memory grew at most while something was done."""
    before, most, done = resident(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(0, most[0] - before)


def large(folder: Path, mebibytes: int, files: int) -> None:
    """Against `zip -0`, in turns, so that what else the machine does falls on both."""
    services = make_archive(folder, fresh=True)
    deposit(services, files, mebibytes * MIB // files, "B")
    who = services.access.local_operator()
    stored = [str(path) for path in sorted(services.archive.settings.blobs.rglob("*")) if path.stat().st_size >= MIB]
    target = folder / "plain.zip"
    for _ in range(ROUNDS):
        base = timed(lambda: subprocess.run(["zip", "-q", "-0", str(target), *stored], check=True))
        target.unlink()
        made = timed(lambda: services.exports.create(who, case_ref="B"))
        print(
            f"zip -0 {base[0]:.1f} s ({base[1]:.1f} s of processors), export {made[0]:.1f} s ({made[1]:.1f} s): "
            f"{made[0] / base[0]:.2f} of the time"
        )
        _clear(services)
    print(f"memory: {grown(lambda: services.exports.create(who, case_ref='B')) / MIB:.0f} MiB more at the most")
    services.archive.db.close()


def many(folder: Path, count: int) -> None:
    """An export of many small items, as a set."""
    services = make_archive(folder, fresh=True)
    deposit(services, count, 2_000, "B")
    who = services.access.local_operator()
    wall, cpu = timed(lambda: services.exports.create(who, case_ref="B"))
    (row,) = services.exports.list(who)
    parts = len(services.exports.parts(row))
    print(
        f"{count} items: {wall:.1f} s ({cpu:.1f} s of processors), {1000 * wall / count:.1f} ms an item, {parts} parts"
    )
    _clear(services)
    print(f"memory: {grown(lambda: services.exports.create(who, case_ref='B')) / MIB:.0f} MiB more at the most")
    services.archive.db.close()


def photo(seed: int) -> bytes:
    """A JPEG of 4000 x 3000 pixels with soft noise and shapes: it compresses about as a photo does."""
    chance = random.Random(seed)  # noqa: S311 - pixels, not secrets
    small = Image.frombytes("RGB", (400, 300), chance.randbytes(400 * 300 * 3))
    picture = small.resize((4000, 3000), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y, size = chance.randrange(4000), chance.randrange(3000), chance.randrange(50, 900)
        red, green, blue = chance.randbytes(3)
        draw.ellipse((x, y, x + size, y + size), fill=(red, green, blue))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()


def report(folder: Path, count: int) -> None:
    """How much memory an export takes whose report has a picture of each item."""
    services = make_archive(folder, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "B")
    for number in range(count):
        services.intake.deposit_bytes(who, case, iter([photo(number)]), f"{number}.jpg", SourceContext())
    work_off(services)
    services.archive.db.close()
    show = [sys.executable, "-m", "benchmarks.export", "_report", str(folder)]
    subprocess.run(show, check=True)  # a process that has not decoded a picture yet


def _report(folder: Path) -> None:
    services = open_archive(settings_of(folder / "archive"), lambda: PASSPHRASE)
    who = services.access.local_operator()
    for which in ("first", "second"):
        spent: list[tuple[float, float]] = []
        more = grown(lambda: spent.append(timed(lambda: services.exports.create(who, case_ref="B"))))  # noqa: B023
        row = services.exports.list(who)[0]
        parts = len(services.exports.parts(row))
        wall, cpu = spent[0]
        items = len(json.loads(row.items))
        print(
            f"{items} items with pictures, {which} export: {more / MIB:.0f} MiB more at the most, {wall:.1f} s "
            f"({cpu:.1f} s of processors), {parts} part(s)"
        )
        _clear(services)
    services.archive.db.close()


def _clear(services: Services) -> None:
    for bundle in services.archive.settings.exports.glob("*.zip"):
        bundle.unlink()


def main() -> None:
    """What the arguments ask for."""
    if sys.argv[1:2] == ["_report"]:
        _report(Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("large", "many", "report"), default="large")
    parser.add_argument("numbers", nargs="*", type=int)
    asked = parser.parse_args()
    what, sizes = asked.what, asked.numbers
    if what == "large":
        with tempfile.TemporaryDirectory() as name:
            large(Path(name), *(sizes + [2048, 32][len(sizes) :]))
        return
    measure, usual = (report, [60, 300]) if what == "report" else (many, [10_000])
    for count in sizes or usual:
        with tempfile.TemporaryDirectory() as name:
            measure(Path(name), count)


if __name__ == "__main__":
    main()
