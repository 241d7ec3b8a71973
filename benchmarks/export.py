"""Exports: of large files against `zip -0` of the same files, and of many items; prints ratios, seconds and memory.

`python -m benchmarks.export large [MIB [FILES]]`, 2 GiB in 32 files by default; files are in the page cache.
`python -m benchmarks.export many [ITEMS ...]`, 10,000 by default; several numbers show whether time is linear.

Time is that of the use-case in a program that is loaded: choosing, recording, log scan, proofs, rehash, signing, fsync.
Processor seconds are told too: on a busy machine they are what can be compared.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.api.services import Services
from schemas.records.v1.source import SourceContext
from tests.archives import make_archive

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


def _clear(services: Services) -> None:
    for bundle in services.archive.settings.exports.glob("*.zip"):
        bundle.unlink()


def main() -> None:
    """What the arguments ask for."""
    what, *numbers = sys.argv[1:] or ["large"]
    sizes = [int(number) for number in numbers]
    if what == "large":
        with tempfile.TemporaryDirectory() as name:
            large(Path(name), *(sizes + [2048, 32][len(sizes) :]))
        return
    for count in sizes or [10_000]:
        with tempfile.TemporaryDirectory() as name:
            many(Path(name), count)


if __name__ == "__main__":
    main()
