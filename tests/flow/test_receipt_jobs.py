"""A receipt that is made at once leaves nothing to do; one that is owed is made by a worker."""

from __future__ import annotations

from pathlib import Path

from sqlmodel import col, select

from app.api.services import Services
from app.archive import SealKey
from app.errors import EnvironmentFailedError
from app.jobs.models import Job
from tests.archives import close_archive, deposit, make_archive
from tests.checks import assert_clean, work_off


def states(services: Services, item_id: str) -> dict[str, str]:
    with services.archive.db.read() as session:
        jobs = session.exec(select(Job).where(col(Job.dedupe_key).endswith(item_id)))
        return {job.kind: job.state for job in jobs}


def test_only_a_receipt_that_is_owed_waits_for_a_worker(tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    made = deposit(services, who, case, b"its receipt is made at once")
    assert made.receipt is not None
    assert states(services, made.item.id) == {"seal": "done", "analyse": "ready"}

    seal_key = services.archive.seal_key

    def no_key() -> SealKey:
        raise EnvironmentFailedError("key_locked", "not now")

    object.__setattr__(services.archive, "seal_key", no_key)
    owed = deposit(services, who, case, b"its receipt is owed")
    object.__setattr__(services.archive, "seal_key", seal_key)
    assert owed.receipt is None
    assert states(services, owed.item.id) == {"seal": "ready", "analyse": "ready"}
    work_off(services)
    assert states(services, owed.item.id)["seal"] == "done"
    assert services.intake.seal_item(owed.item.id).item_id == owed.item.id
    assert_clean(services)
    close_archive(services)
