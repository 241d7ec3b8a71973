"""What somebody with the database and the disk can do to a renewal: the audit names each."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import connect

import pytest

from app.audit.log_checks import replay_log
from app.audit.renewal_checks import check_renewals
from app.audit.replay import Replay
from app.audit.scratch import Scratch
from app.renewal.records import recorded
from app.renewal.sorting import Sorter
from app.renewal.tree import write_tree
from evidence_store.verify.report import Report
from tests.evidence_records import Stamper
from tests.renewals import Stage, stage
from tests.tsa import authority


@pytest.fixture(scope="module")
def renewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Path]]:
    """An archive with two renewals, and a copy of its files."""
    folder = tmp_path_factory.mktemp("renewed")
    with stage(folder) as made:
        made.deposit(b"a photo")
        made.services.renewals.renew(made.admin)
        made.deposit(b"another")
        made.services.renewals.renew(made.admin)
        made.size()
        assert findings(made) == []
        data = made.services.archive.settings.data
        with closing(connect(data / "catena.db")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for name in ("renewals", "tsa"):
            shutil.copytree(data / name, folder / "copy" / name)
        shutil.copy(data / "catena.db", folder / "copy" / "catena.db")
        yield made, folder / "copy"


@pytest.fixture
def at(renewed: tuple[Stage, Path]) -> Iterator[Stage]:
    """The archive, whole again for each test."""
    made, copy = renewed
    data = made.services.archive.settings.data
    yield made
    made.services.archive.db.close()
    for name in ("renewals", "tsa"):
        shutil.rmtree(data / name)
        shutil.copytree(copy / name, data / name)
    for name in ("catena.db-wal", "catena.db-shm"):
        (data / name).unlink(missing_ok=True)
    shutil.copy(copy / "catena.db", data / "catena.db")


def findings(at: Stage) -> list[tuple[str, str, str]]:
    """What the check of renewals says: code, subject, detail."""
    report = Report()
    with at.services.archive.db.read() as session, Scratch() as scratch:
        replay = Replay(scratch)
        replay_log(session, at.services.archive.identity.log, Report(), replay)
        check_renewals(session, at.services.archive, replay, report)
    return [(finding.code, finding.subject, finding.detail) for finding in report.findings]


def sql(at: Stage, statement: str, *values: object) -> None:
    with closing(connect(at.services.archive.settings.data / "catena.db")) as connection, connection:
        assert connection.execute(statement, values).rowcount >= 1


def write(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["checkpoint", "checkpoint.first.tst", "objects", "tree", "stamp-001.first.tst"])
@pytest.mark.parametrize("how", ["gone", "changed"])
def test_file_that_was_changed_or_taken_away_is_named(at: Stage, name: str, how: str) -> None:
    path = at.renewals / "001" / name
    data = path.read_bytes()
    path.unlink()
    if how == "changed":
        write(path, data[:-1] + bytes([data[-1] ^ 1]))
    (finding,) = findings(at)
    assert finding[:2] == ("renewal_invalid", "renewal 1")
    assert name in finding[2]


def reworded(at: Stage, change: Callable[[dict[str, object]], None], number: int = 1) -> None:
    """Change what the event of a renewal says (the checks of the log find that; here only what follows)."""
    with at.services.archive.db.read() as session:
        leaf = recorded(session, at.services.archive.about)[number - 1].leaf_index
    with closing(connect(at.services.archive.settings.data / "catena.db")) as connection, connection:
        (canonical,) = connection.execute(
            "SELECT canonical FROM custody_event WHERE leaf_index = ?", (leaf,)
        ).fetchone()
        event = json.loads(canonical)
        change(event["details"])
        connection.execute(
            "UPDATE custody_event SET canonical = ? WHERE leaf_index = ?", (json.dumps(event).encode(), leaf)
        )


def name_files_anew(at: Stage, number: int = 1) -> None:
    """Let the event name the files as they are now, so that only what they hold can give them away."""

    def change(details: dict[str, object]) -> None:
        outputs = details["outputs"]
        assert isinstance(outputs, list)
        for made in outputs:
            data = (at.renewals / f"{number:03d}" / str(made["file"])).read_bytes()
            made["sha256"] = hashlib.sha256(data).hexdigest()

    reworded(at, change, number)


def test_tree_over_other_events_is_found_by_hashing_them_again(at: Stage) -> None:
    """The insider rewrites an event, the tree and what the log says of its files, but the old root was stamped."""
    folder = at.renewals / "001"
    with Sorter(at.folder) as sorter:
        sorter.add("item:forged", b"a history that suits")
        for name in ("objects", "tree"):
            (folder / name).unlink()
        leaves, root = write_tree(folder, sorter.groups(), sorter.longest)
    name_files_anew(at)
    sql(at, "UPDATE renewal SET root = ?, leaves = ? WHERE id = 1", root.hex(), leaves)
    said = [finding for finding in findings(at) if finding[1] == "renewal 1"]
    assert any("its hash tree is not over the events of the log" in detail for _, _, detail in said)
    assert any("ers_tree_mismatch" in detail for _, _, detail in said)


def test_event_rewritten_since_is_found_in_every_tree_that_covers_it(at: Stage) -> None:
    sql(at, "UPDATE custody_event SET canonical = replace(canonical, 'T1', 'T2') WHERE type = 'case creation'")
    found = {(code, subject) for code, subject, detail in findings(at) if "not over the events" in detail}
    assert found == {("renewal_invalid", "renewal 1"), ("renewal_invalid", "renewal 2")}


def test_event_that_is_no_text_does_not_stop_the_check(at: Stage) -> None:
    sql(at, "UPDATE custody_event SET canonical = 'text' WHERE type = 'case creation'")
    assert {code for code, _, _ in findings(at)} == {"renewal_invalid"}


def test_token_of_somebody_elses_authority_is_not_believed(at: Stage) -> None:
    root = (at.renewals / "002" / "tree").read_bytes()[-64:]
    forged = Stamper(authority("their own"), datetime.now(UTC) - timedelta(days=365)).token(root)
    write(at.renewals / "002" / "stamp-001.first.tst", forged)
    name_files_anew(at, 2)
    (finding,) = findings(at)
    assert "timestamp_untrusted" in finding[2]


def test_token_of_another_tree_is_not_believed(at: Stage) -> None:
    write(at.renewals / "002" / "stamp-001.first.tst", (at.renewals / "001" / "stamp-001.first.tst").read_bytes())
    name_files_anew(at, 2)
    (finding,) = findings(at)
    assert "ers_tree_mismatch" in finding[2]


def test_token_over_another_checkpoint_is_not_believed(at: Stage) -> None:
    write(at.renewals / "001" / "checkpoint.first.tst", (at.renewals / "002" / "checkpoint.first.tst").read_bytes())
    name_files_anew(at)
    assert any("timestamp_imprint_mismatch" in detail for _, _, detail in findings(at))


def test_times_that_an_event_makes_up_are_found(at: Stage) -> None:
    def change(details: dict[str, object]) -> None:
        stamps = details["stamps"]
        assert isinstance(stamps, list)
        stamps[0]["holds_until"] = "2999-01-01T00:00:00+00:00"

    reworded(at, change)
    assert any("says other times" in detail for _, _, detail in findings(at))


def test_checkpoint_that_is_not_the_stored_one_is_found(at: Stage) -> None:
    sql(at, "UPDATE renewal SET checkpoint = X'00' WHERE id = 1")
    assert [finding[:2] for finding in findings(at)] == [("renewal_invalid", "renewal 1")]


def test_checkpoint_whose_row_and_table_agree_on_another_is_found_by_its_file(at: Stage) -> None:
    sql(at, "UPDATE renewal SET checkpoint = X'00' WHERE id = 1")
    sql(at, "UPDATE checkpoint SET note = X'00' WHERE size = (SELECT tree_size FROM renewal WHERE id = 1)")
    assert [detail for _, _, detail in findings(at)] == ["its checkpoint's file is not what its row says"]


def test_checkpoint_taken_out_of_the_database_is_found(at: Stage) -> None:
    sql(at, "DELETE FROM checkpoint WHERE size = (SELECT tree_size FROM renewal WHERE id = 1)")
    assert any("is not the stored one" in detail for _, _, detail in findings(at))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM renewal WHERE id = 1",
        "UPDATE custody_event SET type = 'annotation' WHERE type = 'evidence renewal'",
        "UPDATE custody_event SET canonical = '{}' WHERE type = 'evidence renewal'",
    ],
)
def test_row_or_event_taken_away_is_found(at: Stage, statement: str) -> None:
    sql(at, statement)
    assert [finding[:2] for finding in findings(at)] == [("renewal_invalid", "renewals")]


def test_roots_taken_away_leave_the_time_stamps_unproven(at: Stage) -> None:
    (at.services.archive.settings.tsas / "first.pem").unlink()
    found = [(code, subject) for code, subject, detail in findings(at) if "timestamp_untrusted" in detail]
    assert found == [("renewal_invalid", "renewal 1"), ("renewal_invalid", "renewal 2")]


def test_files_that_nobody_recorded_are_told(at: Stage) -> None:
    write(at.renewals / "001" / "stamp-002.first.tst", b"not recorded")
    (at.renewals / "003").mkdir()
    assert [(code, subject) for code, subject, _ in findings(at)] == [
        ("renewal_stray", "003"),
        ("renewal_stray", "001/stamp-002.first.tst"),
    ]


def test_whole_audit_passes_on_what_the_check_finds(at: Stage) -> None:
    (at.renewals / "002" / "tree").unlink()
    report = at.services.audits.run(at.admin)
    assert not report["ok"]
    assert [f["subject"] for f in report["findings"] if f["code"] == "renewal_invalid"] == ["renewal 2"]
