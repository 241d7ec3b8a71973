"""Memory and time of the offline verifier over bundles with more and more events: prints a line for each.

`python -m benchmarks.verify_memory [--file] [EVENTS ...]`; with `--file` it is the single-file verifier. Each bundle is
sealed, logged and proved like any other; each verification is a process of its own, the command that a user would run.
`most` is the most resident memory that it had, the interpreter and `cryptography` included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from evidence_store.bundle.writer import write_bundle
from evidence_store.verify.single_file import single_file
from tests.bundles import SampleArchive, pem

SIZES = (1_000, 10_000, 100_000, 1_000_000)
OBJECTS = 250
MIB = 1024
# runs a verifier as its own command does, and tells the most memory that the process had (KiB), and its CPU time (s)
CHILD = """
import runpy, sys, time
sys.argv = sys.argv[1:]
run = runpy.run_path if sys.argv[0].endswith(".py") else runpy.run_module
try:
    run(sys.argv[0], run_name="__main__")
except SystemExit as stop:
    lines = open("/proc/self/status").read().splitlines()
    most = next(line for line in lines if line.startswith("VmHWM")).split()[1]
    sys.stderr.write(f"{most} {time.process_time()}")
    raise
"""


def grow_to(archive: SampleArchive, events: int) -> None:
    """Record events, spread over the cases, until the archive has this many."""
    while len(archive.events) < OBJECTS:  # one is the history of its keys
        archive.record(f"case:{archive.uuid()}", "case creation")
    cases = [about for about in archive.events if about.startswith("case:")]
    for number in range(archive.log.size, events):
        archive.record(cases[number % len(cases)], "access", details={"why": "a look at the case"})


def verify(target: str, bundle: Path, trust: Path) -> tuple[int, int, float]:
    """Verify a bundle; how many events were checked, with at most how much memory (KiB), in how much CPU time (s)."""
    command = [sys.executable, "-c", CHILD, target, str(bundle), "--trust", str(trust), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert report["ok"], report["findings"][:5]
    most, taken = done.stderr.split()
    return report["checked"]["events"], int(most), float(taken)


def main() -> None:
    """Grow one archive from size to size and verify its bundle at each."""
    sizes = [int(text) for text in sys.argv[1:] if text.isdigit()] or SIZES
    archive = SampleArchive("verify-memory")
    with tempfile.TemporaryDirectory() as name:
        target = "evidence_store.verify"
        if "--file" in sys.argv:
            target = os.path.join(name, "catena_verify.py")  # noqa: PTH118 - an argument, not a place
            Path(target).write_bytes(single_file())
        trust = Path(name, "trust.pem")
        trust.write_bytes(pem([archive.ca]) + archive.log_vkey.encode() + b"\n")
        for size in sizes:
            grow_to(archive, size)
            bundle = Path(name, "bundle.zip")
            with bundle.open("wb") as out:
                write_bundle(out, archive.plan(verifier=None), archive.seal)
            events, most, taken = verify(target, bundle, trust)
            about = f"{events:>9} events, {bundle.stat().st_size / 2**20:.0f} MiB"
            print(
                f"{about}: most {most / MIB:.0f} MiB; CPU {taken:.1f} s, {taken / events * 1e6:.0f} us an event",
                flush=True,
            )


if __name__ == "__main__":
    main()
