"""An insider at the table of time stamps, and clocks that disagree: what the check of time stamps names."""

from __future__ import annotations

import re
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from sqlmodel import select

from app.api.services import Services
from app.audit.authority_checks import check_authorities
from app.audit.proven_times import ProvenTimes
from app.audit.stored import any_text
from app.audit.timestamp_checks import GRACE_SECONDS, check_timestamps
from app.clock import rfc3339
from app.errors import CatenaError, ConflictError
from app.timestamps.models import TimestampRow
from app.timestamps.recorded import fingerprints, read_changes
from app.wiring import open_archive
from evidence_store.timestamps.request import granted_response
from evidence_store.timestamps.roots import parse_roots
from evidence_store.verify.report import Report
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.checks import assert_clean, audit
from tests.tokens import Forgery
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
            check_timestamps(session, self.services.archive, self.services.timestamps.configured, report)
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
    assert {code for code, _ in stamped.found()} == {"timestamp_invalid", "timestamp_authority_altered"}
    pem.write_bytes(b"no roots")
    assert {code for code, _ in stamped.found()} == {"timestamp_invalid", "timestamp_authority_unknown"}
    pem.unlink()
    report = stamped.report()
    assert {each.code for each in report.findings} == {"timestamp_authority_unknown"}
    assert not report.ok


def _forge_every_token(stamped: Stamped, at: datetime) -> None:
    """Exchange the roots of one authority, and give every row of it a token of one's own that says what one likes."""
    evil = authority("evil")
    (stamped.data / "tsa" / "one.pem").write_bytes(evil.roots_pem)
    with closing(sqlite3.connect(stamped.data / "catena.db")) as connection, connection:
        rows = connection.execute("SELECT id, imprint FROM timestamp WHERE tsa = 'one' AND state = 'done'").fetchall()
        for row, imprint in rows:
            response = granted_response(Forgery(evil.tsa, bytes.fromhex(imprint), at=at, nonce=1).der())
            change = "UPDATE timestamp SET response = ?, gen_time = ? WHERE id = ?"
            connection.execute(change, (response, rfc3339(at), row))
    assert len(rows) >= 4


@pytest.mark.parametrize("at", [datetime(2021, 5, 5, tzinfo=UTC), datetime.now(UTC).replace(microsecond=0)])
def test_roots_and_tokens_of_another_authority_put_in_the_place_of_ours_prove_nothing(
    at: datetime, stamped: Stamped
) -> None:
    """The attack of who writes to the disk and the database: each part fits the others, and only the log tells."""
    _forge_every_token(stamped, at)
    assert ("timestamp_authority_altered", "time-stamping authority one") in stamped.found()
    report = audit(stamped.services)
    assert ("timestamp_authority_altered", "error") in {(each["code"], each["severity"]) for each in report["findings"]}
    assert set(stamped.services.timestamps.tokens(stamped.receipt)) == {"two"}, "nothing forged is handed out"
    with pytest.raises(CatenaError) as refused:
        stamped.services.timestamps.configured.pem("one")
    assert refused.value.code == "timestamp_authority_altered"
    with stamped.services.archive.db.read() as session:
        times = ProvenTimes(session, stamped.services.timestamps.configured)
        proven: list[datetime | None] = [time for _, time in times.checkpoints()]
        imprint = session.exec(select(TimestampRow.imprint).where(TimestampRow.subject == stamped.receipt)).first()
        proven.append(times.of(stamped.receipt, bytes.fromhex(imprint or "")))
    assert at not in proven
    assert None not in proven, "the other authority still vouches"


def test_bundle_carries_neither_roots_nor_tokens_that_the_log_does_not_name(stamped: Stamped) -> None:
    _forge_every_token(stamped, datetime(2021, 5, 5, tzinfo=UTC))
    services = stamped.services
    export = services.exports.create(services.access.local_operator(), case_ref="T1", purpose="court")
    (bundle,) = services.archive.settings.exports.glob(f"*{export.id}*")
    with zipfile.ZipFile(bundle) as made:
        names = made.namelist()
    assert "keys/tsa/two.pem" in names
    assert not [name for name in names if name.endswith(("/one.pem", ".one.tst"))]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "one.json").unlink(),
        lambda folder: (folder / "one.json").write_text((folder / "one.json").read_text().replace("127.0.0.1", "evil")),
        lambda folder: (folder / "one.json").write_text(
            re.sub(r'"added_at": "20..', '"added_at": "2999', (folder / "one.json").read_text())
        ),
        lambda folder: (folder / "one.json").write_text(
            re.sub(r'"added_at": ".*?"', '"added_at": "never"', (folder / "one.json").read_text())
        ),
        lambda folder: (folder / "one.pem").write_bytes((folder / "one.pem").read_bytes() + authority("evil").root.pem),
        lambda folder: (folder / "one.pem").write_bytes((folder / "two.pem").read_bytes()),
    ],
    ids=["record gone", "another address", "asked later", "asked at no time", "one root more", "another's roots"],
)
def test_authority_that_is_not_as_the_log_says(change: Callable[[Path], object], stamped: Stamped) -> None:
    change(stamped.data / "tsa")
    assert ("timestamp_authority_altered", "time-stamping authority one") in stamped.found()
    assert ("timestamp_authority_altered", "time-stamping authority two") not in stamped.found()
    assert not stamped.report().ok


def test_authority_that_the_log_never_named(stamped: Stamped) -> None:
    folder = stamped.data / "tsa"
    (folder / "rogue.json").write_text('{"url": "http://127.0.0.1:9/x", "added_at": "2099-01-01T00:00:00.000000Z"}')
    (folder / "rogue.pem").write_bytes(authority("evil").roots_pem)
    assert stamped.found() == {("timestamp_authority_altered", "time-stamping authority rogue")}
    services = stamped.services
    services.timestamps.remove(services.access.local_operator().actor, "rogue")  # how it is put right
    assert stamped.found() == set()


def test_roots_of_a_removed_authority_are_bound_to_the_log_as_well(stamped: Stamped) -> None:
    services, pem, record = stamped.services, stamped.data / "tsa" / "one.pem", stamped.data / "tsa" / "one.json"
    kept = record.read_bytes()
    services.timestamps.remove(services.access.local_operator().actor, "one")
    assert stamped.found() == set()
    record.write_bytes(kept)
    assert stamped.found() == {("timestamp_authority_altered", "time-stamping authority one")}
    assert [one.name for one in services.timestamps.authorities()] == ["two"], "it is not asked for all that"
    record.unlink()
    pem.write_bytes(authority("evil").roots_pem)
    assert ("timestamp_authority_altered", "time-stamping authority one") in stamped.found()


def test_altered_authority_is_put_right_by_removing_and_adding_it_with_its_own_roots(stamped: Stamped) -> None:
    services, pem = stamped.services, stamped.data / "tsa" / "one.pem"
    good, url = pem.read_bytes(), services.timestamps.authorities()[0].url
    pem.write_bytes(authority("evil").roots_pem)
    who = services.access.local_operator()
    services.timestamps.remove(who.actor, "one")
    with pytest.raises(ConflictError) as refused:
        services.timestamps.add(who.actor, "one", url, authority("evil").roots_pem, try_it=False)
    assert refused.value.code == "tsa_name_taken"
    services.timestamps.add(who.actor, "one", url, good, try_it=False)
    assert stamped.found() == set()


@pytest.mark.parametrize("step", ["add", "remove"])
def test_addition_or_removal_that_is_cut_off_is_told_and_done_again(step: str, stamped: Stamped) -> None:
    services = stamped.services
    who, stamps = services.access.local_operator().actor, services.timestamps
    pem = authority("third").roots_pem
    if step == "remove":
        stamps.add(who, "third", "http://127.0.0.1:9/", pem, try_it=False)

    def change() -> None:
        if step == "add":
            stamps.add(who, "third", "http://127.0.0.1:9/", pem, try_it=False)
        else:
            stamps.remove(who, "third")

    with mock.patch.object(stamps.configured, step, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        change()
    assert stamped.found() == {("timestamp_authority_altered", "time-stamping authority third")}
    assert [one.name for one in stamps.authorities()] == ["one", "two"], "the others are asked meanwhile"
    change()
    assert stamped.found() == set()


@pytest.mark.parametrize("change", ["added", "removed"])
def test_authority_that_is_changed_while_an_audit_runs_is_no_alarm(change: str, stamped: Stamped) -> None:
    services = stamped.services
    who = services.access.local_operator().actor
    before = services.timestamps.configured.recorded()
    if change == "added":
        services.timestamps.add(who, "third", "http://127.0.0.1:9/", authority("third").roots_pem, try_it=False)
    else:
        services.timestamps.remove(who, "one")
    report = Report()
    check_authorities(services.archive, services.timestamps.configured.as_said_by(lambda: before), report)
    assert report.findings == []


def test_addition_from_before_the_certificates_between_were_recorded_stays_valid() -> None:
    trust = parse_roots(authority("one").roots_pem)
    details = {"change": "addition", "name": "one", "url": "http://a/", "roots": sorted(fingerprints(trust.roots))}
    assert read_changes([("2026-01-01T00:00:00.000000Z", details)])["one"].names(trust)
    now = read_changes([("2026-01-01T00:00:00.000000Z", details | {"intermediates": ["00" * 32]})])["one"]
    assert not now.names(trust), "a later one names them"


@pytest.mark.parametrize("details", [{}, {"name": 7}, {"name": "one"}, {"name": "one", "change": "removal"}])
def test_event_that_adds_nobody_names_nobody(details: dict[str, object]) -> None:
    assert read_changes([("2026-01-01T00:00:00.000000Z", details)]) == {}


@pytest.mark.parametrize("roots", [None, 7, "all", [], [7], [None]])
def test_addition_without_roots_trusts_none(roots: object) -> None:
    details = {"name": "one", "change": "addition", "url": None, "roots": roots}
    said = read_changes([("2026-01-01T00:00:00.000000Z", details)])["one"]
    assert not said.names(parse_roots(authority("one").roots_pem))


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
