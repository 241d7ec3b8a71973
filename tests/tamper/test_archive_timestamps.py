"""An insider at the table of time stamps, and clocks that disagree: what the check of time stamps names."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.api.services import Services
from app.audit.stored import any_text
from app.audit.timestamp_checks import GRACE_SECONDS, check_timestamps
from app.clock import rfc3339
from app.wiring import open_archive
from evidence_store.verify.report import Report
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.checks import assert_clean
from tests.tsa import LocalTsa, authority


class Stamped:
    """An archive with two receipts and a checkpoint, stamped by two authorities."""

    def __init__(self, services: Services, items: list[str]) -> None:
        self.services = services
        self.items = items
        self.data = services.archive.settings.data

    def sql(self, *statements: str) -> None:
        """Edit the database behind the archive's back."""
        with closing(sqlite3.connect(self.data / "catena.db")) as connection, connection:
            for statement in statements:
                assert connection.execute(statement).rowcount >= 1, f"changed nothing: {statement}"

    def found(self) -> set[tuple[str, str]]:
        """(code, subject) of what the check finds."""
        return {(each.code, each.subject) for each in self.report().findings}

    def report(self) -> Report:
        report = Report()
        with self.services.archive.db.read() as session, any_text(session), report.checking("time stamps"):
            check_timestamps(session, self.services.archive, report)
        return report

    @property
    def receipt(self) -> str:
        return f"receipt:{self.items[0]}"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stamped]:
    folder = tmp_path_factory.mktemp("stamped")
    services = make_archive(folder)
    who = services.access.local_operator()
    tsas = [LocalTsa(folder / name, authority(name)) for name in ("one", "two")]
    for tsa, name in zip(tsas, ("one", "two"), strict=True):
        tsa.start()
        services.timestamps.add(who.actor, name, tsa.url, tsa.authority.roots_pem)
    case = services.evidence.create_case(who, "T1")
    items = [deposit(services, who, case, data).item.id for data in (b"a", b"b")]
    services.checkpoint()
    assert_clean(services)  # the report of this audit is stamped, too
    services.timestamps.work()
    for tsa in tsas:
        tsa.stop()
    made = Stamped(services, items)
    assert made.found() == set()
    assert made.report().checked == {"time stamps": 8}
    services.archive.db.close()
    yield made
    services.archive.db.close()


@pytest.fixture
def stamped(template: Stamped, tmp_path: Path) -> Iterator[Stamped]:
    """A copy to be spoilt."""
    data = tmp_path / "archive"
    shutil.copytree(template.data, data)
    old = template.services.archive
    settings = replace(old.settings, data=data, database_url=f"sqlite:///{data / 'catena.db'}")
    services = open_archive(settings, lambda: PASSPHRASE, for_audit=True)
    object.__setattr__(services.archive, "seal_key", old.seal_key)
    object.__setattr__(services.archive, "log_key", old.log_key)
    yield Stamped(services, template.items)
    services.archive.db.close()


def swap(stamped: Stamped, what: str, one: str, other: str) -> None:
    """Exchange a column of two rows."""
    stamped.sql(
        f"UPDATE timestamp SET {what} = (SELECT b.{what} FROM timestamp b WHERE {other}) WHERE {one}"  # noqa: S608
    )


def test_token_moved_to_another_subject(stamped: Stamped) -> None:
    first, second = (f"subject = 'receipt:{item}' AND tsa = 'one'" for item in stamped.items)
    swap(stamped, "response", first, second.replace("subject", "b.subject").replace("tsa", "b.tsa"))
    assert ("timestamp_invalid", f"{stamped.receipt} by one") in stamped.found()
    assert {subject for _, subject in stamped.found()} == {f"{stamped.receipt} by one"}


def test_token_moved_to_another_authority(stamped: Stamped) -> None:
    mine = f"subject = '{stamped.receipt}' AND tsa = 'one'"
    swap(stamped, "response", mine, f"b.subject = '{stamped.receipt}' AND b.tsa = 'two'")
    report = stamped.report()
    (finding,) = report.findings
    assert (finding.code, finding.detail.partition(":")[0]) == ("timestamp_invalid", "timestamp_untrusted")


@pytest.mark.parametrize(
    "change",
    [
        "response = NULL",
        "response = x'3000'",
        "response = 'text'",
        "response = 7",
        "response = zeroblob(70000)",
        "gen_time = '2020-01-01T00:00:00.000000Z'",
        "gen_time = NULL",
        "gen_time = x'00ff'",
        f"imprint = '{'00' * 32}'",
        "imprint = x'ff'",
        "state = 'certainly'",
        "state = 7",
        "subject = 'receipt:00000000-0000-0000-0000-000000000000'",
        "subject = 'checkpoint:999999'",
        "subject = 'checkpoint:99999999999999999999999'",
        "subject = 'nothing'",
        "subject = 'bundle:../../etc/passwd'",
        "subject = x'ff'",
        "tsa = x'ff'",
    ],
)
def test_row_changed_by_an_insider(change: str, stamped: Stamped) -> None:
    stamped.sql(f"UPDATE timestamp SET {change} WHERE subject = '{stamped.receipt}' AND tsa = 'one'")  # noqa: S608
    report = stamped.report()
    assert "timestamp_invalid" in {each.code for each in report.findings}
    assert "check_not_run" not in {each.code for each in report.findings}
    assert not report.ok


def test_token_filed_under_an_authority_that_nobody_knows(stamped: Stamped) -> None:
    stamped.sql(f"UPDATE timestamp SET tsa = 7 WHERE subject = '{stamped.receipt}' AND tsa = 'one'")  # noqa: S608
    assert stamped.found() == {("timestamp_authority_unknown", f"{stamped.receipt} by 7")}


@pytest.mark.parametrize(("state", "code"), [("pending", "timestamp_pending"), ("failed", "timestamp_failed")])
def test_what_is_not_done_is_told_with_its_reason(state: str, code: str, stamped: Stamped) -> None:
    stamped.sql(
        f"UPDATE timestamp SET state = '{state}', response = NULL, last_error = 'tsa_unreachable: no route' "  # noqa: S608
        f"WHERE subject = '{stamped.receipt}' AND tsa = 'two'"
    )
    report = stamped.report()
    (finding,) = report.findings
    assert (finding.code, finding.severity) == (code, "warning")
    assert finding.detail == "tsa_unreachable: no route"
    assert report.ok


def test_seal_exchanged_under_its_time_stamp(stamped: Stamped) -> None:
    """The receipt of the other item is a good seal; the time stamp is not over it."""
    first, second = stamped.items
    stamped.sql(
        f"UPDATE receipt SET seal = (SELECT seal FROM receipt WHERE item_id = '{second}') "  # noqa: S608
        f"WHERE item_id = '{first}'"
    )
    assert stamped.found() == {("timestamp_invalid", f"{stamped.receipt} by {tsa}") for tsa in ("one", "two")}


def test_checkpoint_exchanged_under_its_time_stamp(stamped: Stamped) -> None:
    stamped.sql("UPDATE checkpoint SET note = x'00' WHERE size = (SELECT max(size) FROM checkpoint)")
    assert {code for code, _ in stamped.found()} == {"timestamp_invalid"}
    assert all(subject.startswith("checkpoint:") for _, subject in stamped.found())


def test_rows_deleted_by_an_insider_are_missed(stamped: Stamped) -> None:
    stamped.sql(
        f"UPDATE receipt SET created_at = '{_later(GRACE_SECONDS + 60)}' WHERE item_id = '{stamped.items[0]}'",  # noqa: S608
        f"DELETE FROM timestamp WHERE subject = '{stamped.receipt}' AND tsa = 'one'",  # noqa: S608
    )
    assert ("timestamp_missing", f"item {stamped.items[0]}") in stamped.found()


def test_receipt_from_before_an_authority_was_added_is_not_missed(stamped: Stamped) -> None:
    stamped.sql(f"DELETE FROM timestamp WHERE subject = '{stamped.receipt}'")  # noqa: S608
    assert stamped.found() == set()


def test_checkpoints_that_were_never_stamped_are_missed_after_a_while(stamped: Stamped) -> None:
    stamped.sql("DELETE FROM timestamp WHERE subject LIKE 'checkpoint:%' AND tsa = 'two'")
    assert stamped.found() == set()  # it was added a moment ago
    record = stamped.data / "tsa" / "two.json"
    added = rfc3339(datetime.now(UTC) - timedelta(days=1))
    record.write_text(record.read_text().replace(stamped.services.timestamps.authorities()[1].added_at, added))
    assert ("timestamp_missing", "time-stamping authority two") in stamped.found()


def test_roots_that_are_gone_or_exchanged(stamped: Stamped) -> None:
    pem = stamped.data / "tsa" / "one.pem"
    pem.write_bytes(authority("stranger").roots_pem)
    assert {code for code, _ in stamped.found()} == {"timestamp_invalid"}
    pem.write_bytes(b"no roots")
    assert {code for code, _ in stamped.found()} == {"timestamp_invalid", "timestamp_authority_unknown"}
    pem.unlink()
    report = stamped.report()
    assert {each.code for each in report.findings} == {"timestamp_authority_unknown"}
    assert not report.ok


def test_archive_whose_clock_ran_ahead_is_warned_of(tmp_path: Path) -> None:
    services = make_archive(tmp_path, clock=lambda: datetime.now(UTC) + timedelta(minutes=10))
    tsa = LocalTsa(tmp_path / "tsa", authority("one"))
    tsa.start()
    try:
        who = services.access.local_operator()
        services.timestamps.add(who.actor, "one", tsa.url, tsa.authority.roots_pem)
        item = deposit(services, who, services.evidence.create_case(who, "T1"), b"a").item.id
        services.checkpoint()
        services.timestamps.work()
        report = Stamped(services, [item]).report()
        found = {(each.code, each.subject.partition(":")[0]) for each in report.findings}
        assert found == {("clock_ahead", "checkpoint"), ("clock_ahead", "receipt")}
        assert {each.severity for each in report.findings} == {"warning"}
        assert_clean(services)
    finally:
        tsa.stop()
        services.archive.db.close()


def test_clocks_that_differ_by_less_than_a_minute_are_not_told(tmp_path: Path) -> None:
    services = make_archive(tmp_path, clock=lambda: datetime.now(UTC) + timedelta(seconds=30))
    tsa = LocalTsa(tmp_path / "tsa", authority("one"))
    tsa.start()
    try:
        who = services.access.local_operator()
        services.timestamps.add(who.actor, "one", tsa.url, tsa.authority.roots_pem)
        deposit(services, who, services.evidence.create_case(who, "T1"), b"a")
        services.checkpoint()
        services.timestamps.work()
        assert Stamped(services, []).found() == set()
        assert_clean(services)
    finally:
        tsa.stop()
        services.archive.db.close()


def _later(seconds: float) -> str:
    return rfc3339(datetime.now(UTC) + timedelta(seconds=seconds))
