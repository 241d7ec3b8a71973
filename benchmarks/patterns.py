"""Maps, timelines, counts and releases over many incidents: `python -m benchmarks.patterns [INCIDENTS]`, SQLite.

The incidents are rows that are copied behind the log's back: only reading is measured, and the log plays no part in it.
Printed: median and 95th percentile of the service calls in milliseconds, and the least processor time; JSON included.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from app.api.memory import settle
from app.api.services import Services
from app.config import load_settings
from app.incidents.dossier import take_apart
from app.wiring import init_archive, open_archive

SEEDS = 100
ROUNDS = 10


def main() -> None:
    """Measure and print."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(Path(folder) / "archive")
        init_archive(settings, "Benchmark", b"benchmark")
        services = open_archive(settings, lambda: b"benchmark")
        who = services.access.local_operator()
        case = services.evidence.create_case(who, "T1")
        services.incident_files.take_in(who, case, take_apart({"incidents": [_incident(n) for n in range(SEEDS)]}))
        _multiply(services, wanted // SEEDS)
        rule = {"title": "t", "where": {"field": "target", "op": "mentions", "value": ["fire engine"]}}
        services.patterns.put_rule(who, case, "engines", {**rule})
        settle()  # as a server does at its start
        drawings, patterns = services.drawings, services.patterns
        cursors = [f"{case.id}~{place}" for place in range(0, wanted - 500, max(1, wanted // ROUNDS))]
        pages = itertools.cycle(cursors)
        _told("map, a page of 500", lambda: json.dumps(drawings.features(who, case, cursor=next(pages))))
        _told("timeline, a page of 500", lambda: json.dumps(drawings.timeline(who, case, cursor=next(pages))))
        _told("list, a page of 50", lambda: services.incidents.list_incidents(who, case.id, cursor=next(pages)))
        _told(f"count {wanted} under a rule", lambda: json.dumps(patterns.count(who, case, "engines")), 3)
        numbers = iter(range(9))
        releases = services.releases
        _told("freeze it", lambda: releases.freeze(who, case, f"R{next(numbers)}", "engines"), 3)
        _told("verify it", lambda: releases.verify(who, case, "R0"), 3)
        _told("compare it with today", lambda: releases.diff(who, case, "R0"), 3)
        _told("map of all as a picture", lambda: drawings.map(who, case), 3)
        services.archive.db.close()


def _incident(number: int) -> dict[str, object]:
    place = {"lat": f"{46 + number / 40:.4f}", "lon": f"{32 + number / 50:.4f}", "uncertainty_m": 500, "city": "Town A"}
    target = "fire engine" if number % 3 else "bridge"
    return {
        "id": f"INC-{number}",
        "title": "A strike",
        "date": {"value": f"2025-{1 + number % 12:02}-05"},
        "place": place,
        "sequence": [{"n": 1, "target": target, "method": "drone"}, {"n": 2, "target": target, "method": "drone"}],
    }


def _multiply(services: Services, times: int) -> None:
    with services.archive.db.engine.begin() as connection:
        for turn in range(1, times):
            tag = f"{turn:08x}"  # so long that hardly an identifier begins with it by itself
            connection.execute(
                sa.text(
                    "INSERT INTO incident_entry (row_salt, id, case_id, kind, ref, place, created_at, created_by) "
                    "SELECT row_salt, :tag || substr(id, 9), case_id, kind, ref || '-' || :tag, place + :by, "
                    "created_at, created_by FROM incident_entry WHERE place <= :seeds AND kind = 'incident'"
                ),
                {"tag": tag, "by": turn * SEEDS, "seeds": SEEDS},
            )
            connection.execute(
                sa.text(
                    "INSERT INTO incident_version (row_salt, id, entry_id, number, body_sha256, record, created_at, "
                    "created_by) SELECT v.row_salt, :tag || substr(v.id, 9), :tag || substr(v.entry_id, 9), v.number, "
                    "v.body_sha256, v.record, v.created_at, v.created_by FROM incident_version v JOIN incident_entry e "
                    "ON e.id = v.entry_id WHERE e.place <= :seeds"
                ),
                {"tag": tag, "seeds": SEEDS},
            )


def _told(name: str, call: Callable[[], object], rounds: int = ROUNDS) -> None:
    took, worked = [], []
    for _ in range(rounds):
        start, busy = time.perf_counter(), time.process_time()
        call()
        took.append((time.perf_counter() - start) * 1000)
        worked.append((time.process_time() - busy) * 1000)
    took.sort()
    high = took[min(len(took) - 1, round(len(took) * 0.95))]
    print(f"{name}: median {statistics.median(took):.0f}, 95th {high:.0f}, processor {min(worked):.0f} ms", flush=True)


if __name__ == "__main__":
    main()
