"""How soon a killed worker's job is taken over: `python -m tests.crash.takeover [--times N] [--backend sqlite]`.

Two workers work on a queue of items; one is killed with SIGKILL while it holds a job. Measured is the time from the end
of its lease to the moment at which the other one began the job anew, as the job table tells it. In the end every job
must have been done once, and the archive be clean. The exit code is 1 when a takeover came later than two seconds after
the lease had run out, or when anything was done twice or not at all.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from unittest import mock

from sqlmodel import col, func, select

from app.analysis.models import AnalysisRun
from app.api.services import Services
from app.jobs.models import Job
from app.jobs.states import DONE, RUNNING
from app.matching.models import FingerprintRow
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.checks import assert_clean
from tests.databases import BACKENDS, fresh_database
from tests.processes import Nursery, nursery, until

LEASE_SECONDS, PROMISED_SECONDS = 2, 2.0
ITEMS = 6
HOLD = "app.analysis.service:examine"


@dataclass(frozen=True)
class Takeover:
    """One kill.

    Attributes:
        after_lease: seconds from the end of the dead worker's lease until another had the job.
        after_kill: seconds from the kill until then.
    """

    after_lease: float
    after_kill: float


def measure(folder: Path, backend: str, processes: Nursery) -> Takeover:
    """Kill one of two workers in the middle of a job, see the rest done, and tell how long it took.

    Raises:
        AssertionError: a job was not done, or done twice, or the archive is not clean.
    """
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(folder, fresh_database(backend, folder), fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    items = [deposit(services, who, case, f"file {number}".encode(), "a.txt").item.id for number in range(ITEMS)]
    settings = services.archive.settings
    environment = {
        "CATENA_DATA": str(settings.data),
        "CATENA_DATABASE_URL": settings.database_url,
        "CATENA_PASSPHRASE": PASSPHRASE.decode(),
        "CATENA_LEASE_SECONDS": str(LEASE_SECONDS),
    }
    victim = processes.start("worker", "--concurrency", "1", pause_at=HOLD, **environment)
    victim.paused()
    other = processes.start("worker", "--concurrency", "1", "--json", **environment)
    until(lambda: services.jobs.unfinished() == 1, "the other worker has done the rest", 120)
    killed = time.time()
    victim.kill()
    held = _held_by(services, victim.pid)
    until(lambda: services.jobs.unfinished() == 0, "the other worker has done it all", 120)
    other.stop()
    with services.archive.db.read() as session:
        job = session.get_one(Job, held.id)
        undone = session.exec(select(func.count()).select_from(Job).where(col(Job.state) != DONE)).one()
        runs = session.exec(select(AnalysisRun.item_id)).all()
        prints = session.exec(select(FingerprintRow.item_id)).all()
    assert undone == 0
    assert sorted(runs) == sorted(prints) == sorted(items), "each item is analysed and fingerprinted once"
    assert (job.attempt, held.attempt) == (2, 1)
    assert_clean(services)
    services.archive.db.close()
    begun = _moment(job.started_at)
    return Takeover(begun - _moment(held.lease_until), begun - killed)


def _held_by(services: Services, pid: int) -> Job:
    """The job of a worker that was just killed, with the lease that its last heartbeat gave it."""
    with services.archive.db.read() as session:
        return session.exec(select(Job).where(Job.state == RUNNING, col(Job.worker).contains(f":{pid}:"))).one()


def _moment(text: str | None) -> float:
    assert text is not None
    return datetime.fromisoformat(text).timestamp()


def main() -> int:
    """Measure as often as wanted on each kind of database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="kills on each kind of database")
    parser.add_argument("--backend", choices=BACKENDS, action="append", help="only on this kind of database")
    asked = parser.parse_args()
    late = 0
    for backend in asked.backend or BACKENDS:
        found: list[Takeover] = []
        for _ in range(asked.times):
            with tempfile.TemporaryDirectory(prefix="catena-takeover-") as folder, nursery(Path(folder)) as processes:
                found.append(measure(Path(folder), backend, processes))
        most = max(one.after_lease for one in found)
        least = min(one.after_lease for one in found)
        print(  # noqa: T201
            f"{backend}: {len(found)} kills, taken over {least:.2f} to {most:.2f} s after the lease had run out, "
            f"{max(one.after_kill for one in found):.2f} s after the kill at most (lease {LEASE_SECONDS} s)"
        )
        late += most > PROMISED_SECONDS
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
