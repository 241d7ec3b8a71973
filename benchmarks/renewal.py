"""Renewals of logs of different lengths against `openssl dgst -sha512` over the same events: prints a line for each.

`python -m benchmarks.renewal [EVENTS ...]`; each renewal is a process of its own, stamped by a local authority
(`openssl ts`). `before` is the resident memory once the program is loaded, `most` the most that it had. The last figure
is the time that the evidence record of one object takes. The ratio is of processor time.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlmodel import col, select

from app.api.services import Services
from app.config import load_settings
from app.custody.models import EventRow
from app.custody.proofs import checkpoint_of
from app.wiring import open_archive
from benchmarks.audit_memory import MIB, resident
from tests.archives import PASSPHRASE, make_archive
from tests.big_logs import grow_to
from tests.tsa import LocalTsa, authority

SIZES = (1_000, 10_000, 100_000, 1_000_000)
RECORDS = 20


def renew(folder: Path) -> None:
    """Renew an archive and print what it took; runs in a process of its own."""
    services = open_archive(load_settings(folder), lambda: PASSPHRASE)
    who = services.access.local_operator()
    services.archive.log_key()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak of loading the key does not count
    before, begun, worked = resident("VmRSS"), time.perf_counter(), time.process_time()
    tree = services.renewals.renew(who).tree
    worked, taken = time.process_time() - worked, time.perf_counter() - begun
    assert tree is not None
    print(
        json.dumps(
            {
                "events": tree.tree_size,
                "groups": tree.leaves,
                "before": before,
                "most": resident("VmHWM"),
                "s": taken,
                "cpu": worked,
                "record": record_seconds(services),
            }
        )
    )


def record_seconds(services: Services) -> float:
    """Seconds for one object's evidence record, out of some."""
    size = checkpoint_of(services.checkpoint()).size
    with services.archive.db.read() as session:
        objects = list(session.exec(select(EventRow.object).where(EventRow.object_seq == 1).limit(RECORDS)))
    begun = time.perf_counter()
    files = services.renewals.files_for(objects, size)
    assert len(files) > len(objects)
    return (time.perf_counter() - begun) / len(objects)


def openssl_seconds(services: Services, folder: Path) -> float:
    """Processor seconds that openssl takes to hash the canonical bytes of all events."""
    with (folder / "events").open("wb") as stream, services.archive.db.read() as session:
        wanted = select(EventRow.canonical).order_by(col(EventRow.leaf_index)).execution_options(yield_per=1000)
        for canonical in session.exec(wanted):
            stream.write(canonical)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["openssl", "dgst", "-sha512", str(folder / "events")], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Grow one archive from size to size and renew it at each."""
    if sys.argv[1:2] == ["--renew"]:
        renew(Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as name, LocalTsa(Path(name) / "tsa", authority("measured")) as tsa:
        services = make_archive(Path(name), fresh=True)
        who = services.access.local_operator()
        services.timestamps.add(who.actor, "measured", tsa.url, tsa.authority.roots_pem)
        for size in [int(text) for text in sys.argv[1:]] or SIZES:
            grow_to(services, size)
            yardstick = openssl_seconds(services, Path(name))
            command = [sys.executable, "-m", "benchmarks.renewal", "--renew", str(services.archive.settings.data)]
            said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            before, most, ratio = said["before"] / MIB, said["most"] / MIB, said["cpu"] / yardstick
            times = f"{said['s']:.1f} s, processor {said['cpu']:.1f} s, openssl {yardstick:.2f} s, ratio {ratio:.0f}"
            memory = f"before {before:.0f} MiB, most {most:.0f} MiB, growth {most - before:.0f} MiB"
            record = f"a record {said['record'] * 1000:.1f} ms"
            print(f"{said['events']:>9} events, {said['groups']} groups: {times}; {memory}; {record}", flush=True)
        services.archive.db.close()


if __name__ == "__main__":
    main()
