"""The custody log: appends, proofs and publishing, each against a yardstick of the same run.

`python -m benchmarks.log [ENTRIES]`; default 1,000,000, on SQLite with synchronous=FULL, in the folder that
`TMPDIR` names. Ratios are to be compared between runs and machines, not seconds.
"""

from __future__ import annotations

import hashlib
import os
import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from app.clock import system_clock
from app.custody.log_store import SqlLogTransaction, computed
from app.custody.publish import publish
from app.custody.service import SYSTEM, Custody
from evidence_store.log import merkle, sequencer
from tests.logs import BareLog, sqlite_log

SINGLES, ROUNDS, PROOFS = 500, 3, 500
BATCHES = (100, 1_000, 10_000)
MIB = 1024


def per_second(count: int, work: Callable[[], object]) -> float:
    """How many of `count` things a second."""
    begun = time.perf_counter()
    work()
    return count / (time.perf_counter() - begun)


def raw_commits(folder: Path) -> float:
    """Yardstick: rows of an event's size, one durable SQLite transaction each, with nothing around them."""
    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE IF NOT EXISTS t(b BLOB)"):
        connection.execute(statement)

    def commits() -> None:
        for _ in range(SINGLES):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO t VALUES (?)", (os.urandom(800),))
            connection.execute("COMMIT")

    rate = per_second(SINGLES, commits)
    connection.close()
    return rate


def singles(log: BareLog) -> float:
    """Single-event transactions through the one door."""
    custody = Custody(log.origin, system_clock)

    def record() -> None:
        for number in range(SINGLES):
            with log.db.write() as session:
                custody.record(session, f"item:{number % 50}", "access", SYSTEM, details={"number": number})

    return per_second(SINGLES, record)


def batches(folder: Path, batch: int) -> float:
    """Appends of the log alone, many to a transaction."""
    (folder / f"batch-{batch}").mkdir()
    log = sqlite_log(folder / f"batch-{batch}")
    entries = [os.urandom(32) for _ in range(50_000)]

    def append() -> None:
        for start in range(0, len(entries), batch):
            with log.db.write() as session:
                sequencer.append(SqlLogTransaction(session), entries[start : start + batch])

    rate = per_second(len(entries), append)
    log.close()
    return rate


def milliseconds(log: BareLog, compute: Callable[[], partial[object]]) -> float:
    """Time of one proof from the database, the snapshot included; the median."""
    taken = []
    for _ in range(PROOFS):
        asked = compute()
        begun = time.perf_counter()
        with log.db.read() as session:
            computed(session, asked)
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[PROOFS // 2] * 1000


def one_row(log: BareLog) -> float:
    """Yardstick: one row by its key, asked for in the same way; the median."""
    return milliseconds(log, lambda: partial(lambda read: read(0, 5)))


def proofs(log: BareLog) -> None:
    """Inclusion and consistency proofs at the log's size."""
    size, chance = log.size, random.Random(1)  # noqa: S311 - places, not secrets
    yardstick = one_row(log)
    inclusion = milliseconds(log, lambda: partial(merkle.inclusion_proof, chance.randrange(size), size))
    consistency = milliseconds(log, lambda: partial(merkle.consistency_proof, chance.randrange(1, size), size))
    root = milliseconds(log, lambda: partial(merkle.root_at, size))
    for name, taken in (("inclusion proof", inclusion), ("consistency proof", consistency), ("root", root)):
        print(f"{name} at {size:,}: {taken:.2f} ms; one row {yardstick:.2f} ms, ratio {taken / yardstick:.1f}")


def hashing(count: int) -> float:
    """Yardstick: the three hashes that each entry costs at least."""
    data = os.urandom(40)

    def work() -> None:
        for _ in range(count):
            hashlib.sha256(hashlib.sha256(data).digest() + hashlib.sha256(data).digest()).digest()

    return per_second(count, work)


def exports(log: BareLog, folder: Path) -> None:
    """Publishing from nothing, and one more run after a little growth."""
    size = log.size
    rate = per_second(size, lambda: publish(log.db, folder / "mirror", log.signed(), {}))
    bare = hashing(size)
    print(f"export of {size:,}: {rate:,.0f} entries/s; hashing alone {bare:,.0f}/s, ratio {rate / bare:.2f}")
    log.grow(1000)
    begun = time.perf_counter()
    done = publish(log.db, folder / "mirror", log.signed(), {})
    print(f"export of 1,000 more: {time.perf_counter() - begun:.2f} s, {done.files} files")


def memory_of_export(log: BareLog, folder: Path) -> None:
    """Peak memory of a process that publishes the first 10^3, 10^4 .. entries."""
    size = 1000
    while size <= log.size:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            publish(log.db, folder / f"mirror-{size}", log.signed(size), {})
            os.write(write, str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // MIB).encode())
            os._exit(0)
        os.waitpid(child, 0)
        print(f"export of {size:,}: peak memory {os.read(read, 20).decode()} MiB")
        size *= 10


def main() -> None:
    """Measure and print."""
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = sqlite_log(folder)
        for _ in range(ROUNDS):
            bare, rate = raw_commits(folder), singles(log)
            print(f"single-event transactions: {rate:.0f}/s; bare commits {bare:.0f}/s, ratio {rate / bare:.2f}")
        for batch in BATCHES:
            print(f"appends, {batch:,} to a transaction: {batches(folder, batch):,.0f}/s")
        left = entries - log.size
        print(f"events with their rows, 5,000 to a transaction: {per_second(left, partial(log.grow, left)):,.0f}/s")
        log.db.engine.dispose()
        memory_of_export(log, folder)
        proofs(log)
        exports(log, folder)
        log.close()


if __name__ == "__main__":
    main()
