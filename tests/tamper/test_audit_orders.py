"""An insider with the database orders audits: none is made in anybody's name, none rests on what he says was hashed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.api.services import Services
from app.audit.checks import Options
from app.audit.meter import AuditStoppedError
from app.audit.models import AuditRow, AuditRunRow
from app.audit.run_files import RunFiles, Written
from app.clock import rfc3339
from app.custody.log_store import computed, tree_size
from app.errors import InvalidInputError
from app.wiring import open_archive
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle
from tests.archives import PASSPHRASE, close_archive, deposit, make_archive
from tests.checks import assert_clean, audit, errors_of
from tests.keyrings import Hands


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def services(tmp_path: Path, clock: Hands) -> Iterator[Services]:
    made = make_archive(tmp_path, clock=clock, fresh=True)
    who = made.access.local_operator()
    case = made.evidence.create_case(who, "T1")
    deposit(made, who, case, b"original bytes")
    made.checkpoint()
    yield made
    close_archive(made)


def spoil(services: Services) -> None:
    for sha256 in services.archive.blobs.list():
        path = services.archive.settings.blobs / "sha256" / sha256[:2] / sha256[2:4] / sha256
        path.chmod(0o600)
        path.write_bytes(b"other bytes")


def all_hashed(services: Services) -> dict[str, Any]:
    """Progress that says that every file is hashed, and that fits the log as it is."""
    with services.archive.db.read() as session:
        size = tree_size(session)
        root = computed(session, lambda read: merkle.root_at(size, read)).hex()
    step = {"size": size, "root": root, "kind": 1, "key": "zzzz", "files": 5, "bytes": 70, "until": ""}
    return {"steps": [step], "findings": [], "left_out": {}, "counts": {"blobs hashed": 5}}


def order(services: Services, run_id: str, state: str) -> AuditRunRow:
    """A row as the program writes them, of somebody who never asked."""
    now = rfc3339(services.archive.clock())
    asked = {"sample": None, "checkpoint": None, "workers": None, "all_digests": False, "by_server": True}
    actor = {"id": "u-director", "name": "The Director", "auth": "token"}
    options = json.dumps(asked | {"actor": actor, "started_at": now}, sort_keys=True)
    progress = json.dumps({"step": None, "kept": all_hashed(services), "resumptions": 0})
    return AuditRunRow(
        id=run_id,
        requested_by="u-director",
        options=options,
        state=state,
        progress=progress,
        started_at=now,
        updated_at=now,
    )


@pytest.mark.parametrize("state", ["ready", "running"])
def test_an_audit_that_nobody_ordered_is_not_made_and_signed_in_somebodys_name(services: Services, state: str) -> None:
    spoil(services)
    forged = str(uuid.uuid4())
    with services.archive.db.write() as session:
        session.add(order(services, forged, state))
    assert services.audits.work() is False
    with services.archive.db.read() as session:
        assert session.get(AuditRow, forged) is None
        assert session.get_one(AuditRunRow, forged).state == "failed"
    assert {code for code, _ in errors_of(audit(services))} == {"blob_altered"}


def test_an_order_is_made_as_it_was_given_or_not_at_all(services: Services) -> None:
    row = services.audits.start(services.access.local_auditor(), Options())
    with services.archive.db.write() as session:
        stored = session.get_one(AuditRunRow, row.id)
        stored.options = stored.options.replace('"sample": null', '"sample": 1')
    assert services.audits.work() is False
    assert services.audits.list(services.access.local_auditor())[0]["state"] == "failed"


def test_what_the_database_says_was_hashed_is_hashed_all_the_same(services: Services) -> None:
    row = services.audits.start(services.access.local_auditor(), Options())
    spoil(services)
    with services.archive.db.write() as session:
        forged = order(services, row.id, "running")
        stored = session.get_one(AuditRunRow, row.id)
        stored.state, stored.progress = "running", forged.progress
    assert services.audits.work() is True
    report = services.audits.get(services.access.local_auditor(), row.id)
    assert {code for code, _ in errors_of(report)} == {"blob_altered"}
    assert report["resumed"] is False


@pytest.mark.parametrize("ended", ["done", "failed"])
def test_an_audit_that_is_over_cannot_be_called_back(services: Services, ended: str) -> None:
    who = services.access.local_auditor()
    row = services.audits.start(who, Options())
    if ended == "done":
        assert services.audits.work() is True
    else:
        services.audits.runs.fail(row.id, "given up")
    with services.archive.db.write() as session:
        stored = session.get_one(AuditRunRow, row.id)
        stored.state, stored.progress = "running", order(services, row.id, "running").progress
    spoil(services)
    assert services.audits.work() is False
    with services.archive.db.read() as session:
        assert session.get_one(AuditRunRow, row.id).state == ended


def test_a_file_of_orders_left_by_a_kill_does_not_bring_a_recorded_audit_back(services: Services) -> None:
    who = services.access.local_auditor()
    row = services.audits.start(who, Options())
    path = services.archive.settings.audits / f"{row.id}.run"
    left = path.read_bytes()
    assert services.audits.work() is True
    path.write_bytes(left)
    with services.archive.db.write() as session:
        session.get_one(AuditRunRow, row.id).state = "running"
    assert services.audits.work() is False
    path.write_bytes(left)
    assert_clean(services)
    assert not path.exists(), "the next audit takes it away"


def call_back(services: Services, row: AuditRunRow) -> None:
    with services.archive.db.write() as session:
        session.merge(row)


@pytest.mark.parametrize("by", ["server", "audit"])
def test_an_order_whose_row_was_taken_away_cannot_be_called_back_later(services: Services, by: str) -> None:
    who = services.access.local_auditor()
    row = services.audits.start(who, Options())
    report = services.archive.settings.audits / f"{row.id}.json"
    report.write_bytes(b"perhaps of a recorded audit whose row is gone as well")
    with services.archive.db.write() as session:
        session.delete(session.get_one(AuditRunRow, row.id))
    if by == "server":
        assert services.audits.work() is False
    else:
        assert_clean(services)
    assert not list(services.archive.settings.audits.glob("*.run"))
    assert report.exists()
    call_back(services, AuditRunRow(**row.model_dump()))
    assert services.audits.work() is False
    assert services.audits.get(who, row.id)["state"] == "failed"


@pytest.fixture
def other(services: Services, clock: Hands) -> Iterator[Services]:
    """The same archive in another process."""
    made = open_archive(services.archive.settings, lambda: PASSPHRASE, clock)
    yield made
    made.archive.db.close()


def test_an_audit_that_ends_while_another_server_looks_at_it_stays_done(
    services: Services, other: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = services.audits.start(services.access.local_auditor(), Options())
    listed = other.audits.runs.unfinished

    def meanwhile() -> list[AuditRunRow]:
        rows = listed()
        services.audits.work()
        return rows

    monkeypatch.setattr(other.audits.runs, "unfinished", meanwhile)
    assert other.audits.work() is False
    stored = services.audits.runs.row(row.id)
    assert stored is not None
    assert (stored.state, stored.failure) == ("done", None)


def test_an_audit_that_another_server_runs_is_not_touched(
    services: Services, other: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = services.audits.start(services.access.local_auditor(), Options())
    seen: list[tuple[str, bool]] = []

    def look(*_: object) -> None:
        path = services.archive.settings.audits / f"{row.id}.run"
        left = path.read_bytes()
        path.unlink()  # what the other server sees is an audit without orders
        assert other.audits.work() is False
        path.write_bytes(left)
        stored = other.audits.runs.row(row.id)
        assert stored is not None
        seen.append((stored.state, path.exists()))
        raise AuditStoppedError

    monkeypatch.setattr("app.audit.service.check_archive", look)
    assert services.audits.work() is True
    assert seen == [("running", True)]


@pytest.mark.parametrize("state", ["done", "failed"])
def test_an_audit_that_is_over_is_not_given_up_afterwards(services: Services, state: str) -> None:
    row = services.audits.start(services.access.local_auditor(), Options())
    if state == "done":
        assert services.audits.work() is True
    else:
        services.audits.runs.fail(row.id, "the disk is full")
    services.audits.runs.fail(row.id, "somebody else could not read it")
    stored = services.audits.runs.row(row.id)
    assert stored is not None
    assert (stored.state, stored.failure) == (state, None if state == "done" else "the disk is full")


def test_an_order_that_is_being_given_is_not_taken_for_one_without_a_row(
    services: Services, other: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = RunFiles.write

    def meanwhile(files: RunFiles, run_id: str, written: Written) -> None:
        write(files, run_id, written)
        with monkeypatch.context() as patch:
            patch.setattr("app.audit.runs._LOCK_TRIES", 1)
            assert other.audits.work() is False

    with monkeypatch.context() as patch:
        patch.setattr(RunFiles, "write", meanwhile)
        row = services.audits.start(services.access.local_auditor(), Options())
    assert services.audits.work() is True
    assert services.audits.get(services.access.local_auditor(), row.id)["state"] == "done"


def weekly(services: Services) -> None:
    object.__setattr__(services.archive, "settings", replace(services.archive.settings, audit_hours=168))


def test_a_row_that_says_an_audit_was_made_does_not_put_the_weekly_one_off(services: Services) -> None:
    weekly(services)
    now = rfc3339(services.archive.clock())
    with services.archive.db.write() as session:
        row = AuditRow(
            id=str(uuid.uuid4()), requested_by="system", started_at=now, finished_at=now, ok=True, report="{}"
        )
        row.row_salt = "00" * 32
        session.add(row)
    assert services.audits.work() is True
    assert services.audits.work() is False


def test_a_report_is_read_once_to_see_that_no_audit_is_due_and_again_when_its_file_changed(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    weekly(services)
    assert services.audits.work() is True
    (report,) = services.archive.settings.audits.glob("*.json")
    now = rfc3339(services.archive.clock())
    forged = AuditRow(id=str(uuid.uuid4()), requested_by="x", started_at=now, finished_at=now, ok=True, report="{}")
    forged.row_salt = "00" * 32
    with services.archive.db.write() as session:
        session.add(forged)
    read: list[str] = []
    read_bytes = Path.read_bytes

    def counted(path: Path) -> bytes:
        if path.suffix == ".json":
            read.append(path.name)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    assert [services.audits.work() for _ in range(3)] == [False] * 3
    assert read == [report.name]
    with report.open("ab") as file:
        file.write(b" ")
    assert services.audits.work() is True, "this report is not what the row says: there was no such audit"


def test_an_audit_of_a_time_to_come_does_not_put_the_weekly_one_off(services: Services, clock: Hands) -> None:
    weekly(services)
    right = clock.now
    clock.pass_days(3650)
    assert services.audits.work() is True
    clock.now = right
    assert services.audits.work() is True
    assert services.audits.work() is False
    clock.pass_days(8)
    assert services.audits.work() is True


def test_an_audit_whose_report_cannot_be_made_is_given_up_and_not_made_again(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = services.access.local_auditor()
    row = services.audits.start(who, Options())
    made: list[str] = []

    def fails(*_: object, **__: object) -> None:
        made.append(row.id)
        raise EvidenceStoreError("not_canonical", "a number is too large")

    monkeypatch.setattr("app.audit.reports.signed_report", fails)
    assert services.audits.work() is True
    assert services.audits.work() is False
    assert made == [row.id]
    assert services.audits.get(who, row.id)["state"] == "failed"
    stored = services.audits.runs.row(row.id)
    assert stored is not None
    assert stored.failure == "not_canonical: a number is too large"


@pytest.mark.parametrize("sample", [0, -1, 2**53, 10**22])
def test_a_sample_that_no_report_could_hold_is_refused(services: Services, sample: int) -> None:
    with pytest.raises(InvalidInputError) as caught:
        services.audits.start(services.access.local_auditor(), Options(sample=sample))
    assert caught.value.code == "bad_sample"


def test_an_interrupted_audit_is_gone_on_with_by_the_next_server(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = services.access.local_auditor()
    row = services.audits.start(who, Options())

    def stops(*_: object) -> None:
        raise AuditStoppedError

    with monkeypatch.context() as patch:
        patch.setattr("app.audit.service.check_archive", stops)
        assert services.audits.work() is True
    assert services.audits.get(who, row.id)["state"] == "interrupted"
    assert services.audits.work() is True
    report = services.audits.get(who, row.id)
    assert (report["state"], report["ok"]) == ("done", True)
    assert not list(services.archive.settings.audits.glob("*.run"))


def strays(services: Services) -> set[str]:
    return {found["subject"] for found in audit(services)["findings"] if found["code"] == "file_stray"}


def test_what_a_kill_left_of_a_report_is_gone_once_another_audit_has_settled_it(services: Services) -> None:
    who = services.access.local_auditor()
    row = services.audits.start(who, Options())
    folder = services.archive.settings.audits
    with services.archive.db.write() as session:
        session.get_one(AuditRunRow, row.id).state = "running"
    left = [folder / f"{row.id}.{ending}" for ending in ("json", "p7s")]
    for path in left:
        path.write_bytes(b"a report that nothing names")
    assert strays(services) == set()
    assert [path.exists() for path in left] == [False, False]
    assert strays(services) == set()


def test_no_row_makes_the_program_remove_the_report_of_a_recorded_audit(services: Services) -> None:
    made = audit(services)["id"]
    report = services.archive.settings.audits / f"{made}.json"
    with services.archive.db.write() as session:
        session.delete(session.get_one(AuditRow, made))
        session.get_one(AuditRunRow, made).state = "running"
    assert services.audits.work() is False
    assert report.exists()


@pytest.mark.parametrize("place", ["exports/notes.txt", "exports/{id}.zip", "audits/{id}.json", "audits/{id}.p7s"])
def test_a_file_put_among_bundles_and_reports_is_named_and_is_no_alarm(services: Services, place: str) -> None:
    name = place.format(id=uuid.uuid4())
    assert strays(services) == set()
    (services.archive.settings.data / name).write_bytes(b"trust me")
    assert strays(services) == {name}
    assert_clean(services)
