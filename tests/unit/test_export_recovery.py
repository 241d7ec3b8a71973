"""What a crash leaves of an export is cleared at start-up; what an attacker prepared for it is left for the audit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.api.services import Services
from app.errors import EnvironmentFailedError, NotFoundError
from app.export import publish
from app.export.ledger import Ledger
from app.export.models import ExportRow
from app.export.service import Exports
from tests.archives import close_archive, deposit, events_of, make_archive


@dataclass
class Stage:
    services: Services
    exports: Exports
    folder: Path

    def create(self) -> ExportRow:
        return self.exports.create(self.services.access.local_operator(), case_ref="T1", purpose="for the court")

    def the_row(self) -> ExportRow:
        (row,) = self.exports.list(self.services.access.local_operator())
        return row

    def sql(self, statement: str) -> None:
        """What an attacker with the database does."""
        with closing(sqlite3.connect(self.services.archive.settings.data / "catena.db")) as connection, connection:
            connection.execute(statement)

    def faults(self) -> set[str]:
        report = self.services.audits.run(self.services.access.local_operator())
        return {str(finding["code"]) for finding in report["findings"]}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    services = make_archive(tmp_path)
    admin = services.access.local_operator()
    deposit(services, admin, services.evidence.create_case(admin, "T1"), b"an original photo")
    yield Stage(services, services.exports, services.archive.settings.exports)
    close_archive(services)


def crash(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> ExportRow:
    """Make an export that dies when its bundle has its final name already."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "finish", die)
        patched.setattr(Exports, "_record_failure", lambda *_: None)
        patched.setattr(publish, "discard", lambda _: None)
        with pytest.raises(KeyboardInterrupt):
            stage.create()
    return stage.the_row()


def test_remains_of_a_crash_are_cleared_at_start_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    row = crash(stage, monkeypatch)
    final = stage.folder / f"{row.id}.zip"
    assert final.exists()
    publish.part_of(final).write_bytes(b"half")
    assert stage.exports.recover() == [row.id]
    assert list(stage.folder.iterdir()) == []
    assert (stage.the_row().state, stage.the_row().failure_code) == ("failed", "interrupted")
    assert events_of(stage.services, f"export:{row.id}")[-1].details["outcome"] == "failed"
    assert stage.exports.recover() == []


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE export SET state = 'building'",
        "UPDATE export SET state = 'building', purpose = 'a better purpose', sha256 = NULL, finished_at = NULL",
    ],
)
def test_finished_export_that_was_made_to_look_open_is_left_for_the_audit(stage: Stage, attack: str) -> None:
    row = stage.create()
    events = events_of(stage.services, f"export:{row.id}")
    stage.sql(attack)
    assert stage.exports.recover() == []
    assert (stage.folder / f"{row.id}.zip").exists()
    assert events_of(stage.services, f"export:{row.id}") == events
    assert "row_altered" in stage.faults()


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE export SET purpose = 'a better purpose'",
        "UPDATE export SET row_salt = '00'",
        "UPDATE custody_event SET object = 'export:x' WHERE object LIKE 'export:%'",
        "UPDATE custody_event SET object_seq = 7 WHERE object LIKE 'export:%'",
        "UPDATE custody_event SET canonical = CAST(replace(canonical, 'begun', 'began') AS BLOB)",
        "UPDATE custody_event SET canonical = CAST(canonical AS TEXT) WHERE object LIKE 'export:%'",
        "DELETE FROM log_node WHERE level = 0",
    ],
)
def test_open_export_that_is_not_what_the_log_says_is_left_for_the_audit(
    stage: Stage, attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = crash(stage, monkeypatch)
    stage.sql(attack)
    assert stage.exports.recover() == []
    assert (stage.folder / f"{row.id}.zip").exists()
    assert stage.the_row().state == "building"


def test_export_that_ended_between_the_two_looks_keeps_its_bundle(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = stage.create()
    monkeypatch.setattr(Exports, "_open_ids", lambda _: [row.id])  # what a first look saw a moment ago
    assert stage.exports.recover() == []
    assert (stage.folder / f"{row.id}.zip").exists()
    assert stage.the_row().state == "done"


def test_row_whose_id_is_a_path_touches_no_file(stage: Stage) -> None:
    stage.create()
    victim = stage.folder.parent / "victim.zip"
    victim.write_bytes(b"somebody else's")
    publish.part_of(victim).write_bytes(b"somebody else's")
    stage.sql("UPDATE export SET id = '../victim', state = 'building'")
    assert stage.exports.recover() == []
    assert victim.exists()
    assert publish.part_of(victim).exists()
    stage.sql("UPDATE export SET state = 'done'")
    with pytest.raises(NotFoundError) as refused:
        stage.exports.open_bundle(stage.services.access.local_operator(), "../victim")
    assert refused.value.code == "unknown_export"


def test_row_edited_while_the_bundle_is_made_is_never_bound_again(stage: Stage) -> None:
    def edit(_done: int, _total: int) -> None:
        stage.sql("UPDATE export SET purpose = 'a better purpose'")

    with pytest.raises(EnvironmentFailedError) as refused:
        stage.exports.create(stage.services.access.local_operator(), case_ref="T1", purpose="p", progress=edit)
    assert refused.value.code == "row_altered"
    assert list(stage.folder.iterdir()) == []
    row = stage.the_row()
    assert row.state == "building"
    failed = events_of(stage.services, f"export:{row.id}")[-1]
    assert (failed.details["code"], "rows" in failed.details) == ("row_altered", False)
    assert "row_altered" in stage.faults()
