"""How fast exact search is: `python -m benchmarks.matching.index [--rows 1000000] [--postgresql]`.

Uniform 256-bit rows, and rows in clusters, as the hashes of one scene are. Queries are copies of rows with 0 to 31 bits
turned over, as evenly over the bands as they go; recall is counted against a scan of all rows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.matching.index import HashIndex, NumpyHashIndex
from app.matching.multi_index import EXACT_RADIUS, MultiIndex

QUERIES: Final = 200
INSERTS: Final = 200
PER_ITEM: Final = 100


def rows_of(count: int, kind: str, seed: int) -> bytes:
    """Rows, one after the other: `uniform`, or `clusters` of 50 that differ from each other by up to 60 bits."""
    rng = np.random.default_rng(seed)
    if kind == "uniform":
        return rng.bytes(32 * count)
    centres = np.unpackbits(rng.integers(0, 256, (count // 50 + 1, 32), np.uint8), axis=1)
    made = np.repeat(centres, 50, axis=0)[:count]
    for start in range(0, count, 50_000):
        part = made[start : start + 50_000]
        part ^= rng.random(part.shape) < 0.12  # noqa: PLR2004 - of the bits
    return np.packbits(made, axis=1).tobytes()


def queries_of(rows: bytes, seed: int) -> list[bytes]:
    """Copies of rows with 0 to 31 bits turned over."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(QUERIES):
        at = int(rng.integers(len(rows) // 32))
        bits = np.unpackbits(np.frombuffer(rows[32 * at : 32 * at + 32], np.uint8)).reshape(16, 16)
        for turned in range(number % (EXACT_RADIUS + 1)):
            bits[turned % 16, int(rng.integers(16)) if turned < 16 else turned // 16] ^= 1  # noqa: PLR2004
        made.append(np.packbits(bits).tobytes())
    return made


def _ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def _cpu_ms(server: int | None) -> float:
    """Processor time of this process and of the one in a server that answers it."""
    own = time.process_time() * 1e3
    if server is None:
        return own
    ticks = Path(f"/proc/{server}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[11:13]
    return own + sum(map(int, ticks)) * 1e3 / os.sysconf("SC_CLK_TCK")


def measure(
    index: HashIndex, rows: bytes, kind: str, expected: list[list[tuple[str, int, int]]], server: int | None = None
) -> dict[str, Any]:
    """Time of a query and of a single insert, and recall, of an index that holds the rows.

    Args:
        index: the index.
        rows: what it holds.
        kind: of rows.
        expected: what a scan finds.
        server: number of the database's process that answers, to count its processor time as well.
    """
    queries = queries_of(rows, 2)
    found = [index.search(query, EXACT_RADIUS) for query in queries]
    before = _cpu_ms(server)
    spent = [_ms(lambda query=query: index.search(query, EXACT_RADIUS)) for query in queries]  # type: ignore[misc]
    searched = _cpu_ms(server)
    hits = sum(len(part) for part in expected)
    kept = sum(len(set(ours) & set(theirs)) for ours, theirs in zip(found, expected, strict=True))
    rng = np.random.default_rng(3)
    inserts = [_ms(lambda n=n: index.add(f"new {n}", [rng.bytes(32)])) for n in range(INSERTS)]  # type: ignore[misc]
    inserted = _cpu_ms(server)
    return {
        "rows": kind,
        "query_ms": round(statistics.fmean(spent), 3),
        "query_cpu_ms": round((searched - before) / len(queries), 3),
        "query_median_ms": round(statistics.median(spent), 3),
        "query_p95_ms": round(sorted(spent)[int(0.95 * len(spent))], 3),
        "insert_cpu_ms": round((inserted - searched) / INSERTS, 3),
        "insert_ms": round(statistics.median(inserts), 4),
        "recall": kept / hits if hits else 1.0,
        "hits": hits,
    }


def _fill(index: HashIndex, rows: bytes) -> None:
    step = 32 * PER_ITEM
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        index.add(str(start // step), [part[at : at + 32] for at in range(0, len(part), 32)])


def in_process(count: int, kind: str) -> list[dict[str, Any]]:
    """The scan and the bands."""
    rows = rows_of(count, kind, 1)
    scan, bands = NumpyHashIndex(), MultiIndex()
    _fill(scan, rows)
    expected = [scan.search(query, EXACT_RADIUS) for query in queries_of(rows, 2)]

    def build() -> None:
        _fill(bands, rows)
        bands.file()

    built = _ms(build)
    return [
        {"index": "bands in process", "rebuild_s": round(built / 1e3, 2), **measure(bands, rows, kind, expected)},
        {"index": "scan in process", **measure(scan, rows, kind, expected)},
    ]


def in_sql(count: int, kind: str, url: str) -> dict[str, Any]:
    """Bands in a database."""
    from sqlalchemy import create_engine

    from app.matching.sql_index import SqlHashIndex

    rows = rows_of(count, kind, 1)
    scan = NumpyHashIndex()
    _fill(scan, rows)
    expected = [scan.search(query, EXACT_RADIUS) for query in queries_of(rows, 2)]
    engine = create_engine(url)
    index = SqlHashIndex(engine)
    built = _ms(lambda: _rebuild(index, rows))
    server = None
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:  # searches and inserts get the same one, as it is the pool's only one
            server = int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
    found = measure(index, rows, kind, expected, server)
    engine.dispose()
    return {"index": f"bands in {engine.dialect.name}", "rebuild_s": round(built / 1e3, 1), **found}


def _rebuild(index: Any, rows: bytes) -> None:  # noqa: ANN401 - the class is loaded with its database only
    step = 32 * PER_ITEM
    parts = (rows[start : start + step] for start in range(0, len(rows), step))
    index.rebuild((str(n), [part[at : at + 32] for at in range(0, len(part), 32)]) for n, part in enumerate(parts))


def main() -> None:
    """Measure, print one line of JSON a row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching.index", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--postgresql", metavar="URL", help="also there; `own` starts the tests' server")
    parser.add_argument("--sqlite", type=Path, help="also in this new file")
    parser.add_argument("--sql-rows", type=int, help="rows in a database; as many as in process by default")
    asked = parser.parse_args()
    for kind in ("uniform", "clusters"):
        for line in in_process(asked.rows, kind):
            print(json.dumps(line), flush=True)
    urls = [] if asked.sqlite is None else [f"sqlite:///{asked.sqlite}"]
    if asked.postgresql:
        urls.append(_postgresql(asked.postgresql))
    for url in urls:
        print(json.dumps(in_sql(asked.sql_rows or asked.rows, "uniform", url)), flush=True)


def _postgresql(url: str) -> str:
    if url == "own":
        sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
        from tests.databases import fresh_postgres

        url = fresh_postgres()
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


if __name__ == "__main__":
    main()
