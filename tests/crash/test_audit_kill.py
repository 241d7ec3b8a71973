"""`kill -9` in every stage of an audit: gone on with, it finds what an audit finds that nobody disturbed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.api.services import Services
from app.errors import ConflictError, NotFoundError
from tests.archives import PASSPHRASE, close_archive, deposit, make_archive
from tests.checks import assert_clean, errors_of
from tests.conftest import ROOT
from tests.processes import Nursery, Process, nursery
from tests.victims import Victim

MOMENTS = {
    "schema": "app.audit.schema_checks:check_schema",
    "events": "app.audit.log_checks:_check_head",
    "log nodes": "app.audit.log_checks:check_nodes",
    "checkpoints": "app.audit.checkpoint_checks:check_checkpoints",
    "rows": "app.audit.row_checks:check_rows",
    "receipts": "app.audit.seal_checks:check_receipts",
    "list of files": "app.audit.blob_checks:list_files",
    "files": "app.audit.blob_checks:FileChecks._judge_export",
    "other files": "app.audit.blob_checks:FileChecks.look_for_others",
    "sealing": "app.audit.reports:signed_report",
    "the report is written, nothing names it": "app.custody.service:Custody.record",
    "the event is written, nothing is committed": "app.audit.runs:Runs.finish",
}


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("processes")) as made:
        yield made


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    return Victim(tmp_path / "data")


def start(processes: Nursery, data: Path, *arguments: str, pause_at: str | None = None) -> Process:
    environment = {"CATENA_DATA": str(data), "CATENA_PASSPHRASE": PASSPHRASE.decode()}
    return processes.start("audit", *arguments, "--json", pause_at=pause_at, **environment)


def told(process: Process) -> dict[str, Any]:
    assert process.wait() in {0, 1}, process.stderr
    document: dict[str, Any] = json.loads(process.stdout)
    return document


def spoil(victim: Victim) -> None:
    """Something for every stage to find, and the log whole enough to go on."""
    victim.flip(victim.blob())
    victim.sql(
        "UPDATE item_match SET verdict = 'x' WHERE id = (SELECT min(id) FROM item_match)",
        'UPDATE log_node SET hash = zeroblob(32) WHERE level = 1 AND "index" = 0',
        "UPDATE checkpoint SET note = CAST(note || 'x' AS BLOB) WHERE seq = 0",
        "UPDATE receipt SET seal = CAST(seal || x'00' AS BLOB) WHERE item_id = (SELECT min(item_id) FROM receipt)",
        "UPDATE custody_event SET actor_id = 'mallory' WHERE leaf_index = 6",
    )
    victim.do("CREATE VIEW v AS SELECT 1")
    victim.flip(next((victim.data / "exports").glob("*.zip")))
    (victim.data / "blobs" / "sha256" / "stray").write_bytes(b"x")


def test_audit_killed_in_any_stage_and_gone_on_with_finds_the_same(victim: Victim, processes: Nursery) -> None:
    spoil(victim)
    made = int(victim.one("SELECT count(*) FROM audit"))
    undisturbed = told(start(processes, victim.data))
    expected = errors_of(undisturbed)
    codes = {code for code, _ in expected}
    assert {"schema_altered", "row_altered", "log_node_altered", "checkpoint_damaged", "receipt_invalid"} <= codes
    assert {"event_column_altered", "blob_altered", "export_altered"} <= codes
    reports = victim.data / "audits"
    for place in MOMENTS.values():
        killed = start(processes, victim.data, pause_at=place)
        killed.paused()
        killed.kill()
        before = {path.stem for path in reports.glob("*.json")}
        document = told(start(processes, victim.data, "--resume"))
        assert errors_of(document) == expected, place
        assert {finding["code"] for finding in document["findings"]} == {
            finding["code"] for finding in undisturbed["findings"]
        }
        assert document["checked"]["blobs hashed"] == undisturbed["checked"]["blobs hashed"]
        assert document["signed"], place
        record = json.loads((reports / f"{document['id']}.json").read_text("utf-8"))
        assert record["finished_at"] == document["finished_at"]
        assert {path.stem for path in reports.glob("*.json")} == before | {document["id"]}
    assert int(victim.one("SELECT count(*) FROM audit")) == made + 1 + len(MOMENTS)
    assert int(victim.one("SELECT count(*) FROM audit_run WHERE state != 'done'")) == 0


def test_audit_that_was_recorded_is_not_gone_on_with(victim: Victim, processes: Nursery) -> None:
    made = int(victim.one("SELECT count(*) FROM audit"))
    killed = start(processes, victim.data, pause_at="app.cli.common:Context.show")
    killed.paused()
    killed.kill()
    again = start(processes, victim.data, "--resume")
    assert again.wait() == 2
    assert "unknown_audit" in again.stderr
    assert int(victim.one("SELECT count(*) FROM audit")) == made + 1
    assert_clean(victim.services)


PROGRAM = """
import os, signal, sys
from pathlib import Path
from app.audit import blob_checks, meter
from app.audit.checks import Options
from app.wiring import open_archive
from tests.archives import PASSPHRASE, settings_of

left = int(sys.argv[2])
meter.KEEP_SECONDS = meter._SHARE = 0
judge = blob_checks.FileChecks._judge_blob

def judge_and_die(*args):
    global left
    judge(*args)
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

blob_checks.FileChecks._judge_blob = judge_and_die
services = open_archive(settings_of(Path(sys.argv[1])), lambda: PASSPHRASE, for_audit=True)
who = services.access.local_auditor()
if len(sys.argv) > 3:
    services.audits.resume(who, sign=False)
services.audits.conduct(who, Options(workers=2), sign=False)
"""


def die_after(services: Services, files: int, *more: str) -> None:
    """An audit that is killed once so many files are judged and it has said so."""
    command = [sys.executable, "-c", PROGRAM, str(services.archive.settings.data), str(files), *more]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = make_archive(tmp_path)
    admin = made.access.local_operator()
    case = made.evidence.create_case(admin, "T1")
    for number in range(12):
        deposit(made, admin, case, b"file %d" % number * 1000, f"{number}.bin")
    yield made
    close_archive(made)


def blob(services: Services, sha256: str) -> Path:
    return services.archive.settings.blobs / "sha256" / sha256[:2] / sha256[2:4] / sha256


def damage(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(b"other bytes")


def hashed_in_parts(report: dict[str, Any]) -> list[int]:
    return [part["files"] for part in report["parts"]]


def test_files_hashed_before_the_kill_are_not_hashed_again_and_the_report_says_so(services: Services) -> None:
    names = sorted(services.archive.blobs.list())
    for name in (names[0], names[4], names[10]):
        damage(blob(services, name))
    blob(services, names[7]).unlink()
    who = services.access.local_auditor()
    expected = errors_of(services.audits.run(who))
    assert {code for code, _ in expected} == {"blob_altered", "blob_missing"}
    die_after(services, 3)
    die_after(services, 4, "resume")
    report = services.audits.resume(who).document
    assert errors_of(report) == expected
    assert report["resumed"] is True
    first, second, third = hashed_in_parts(report)
    assert (first, second, first + second + third) == (3, 4, 12)
    assert report["checked"]["blobs hashed"] == 11  # one is gone
    assert any("interrupted" in claim["text"] for claim in report["claims"])
    with pytest.raises(NotFoundError):
        services.audits.resume(who)


def test_file_that_came_in_since_is_hashed_wherever_it_stands(services: Services) -> None:
    die_after(services, 11)
    who = services.access.local_operator()
    case = services.evidence.find_case(who, "T1")
    last = sorted(services.archive.blobs.list())[-2]
    new = [deposit(services, who, case, b"new %d" % number, f"new-{number}.bin").digests.sha256 for number in range(9)]
    early = [sha256 for sha256 in new if sha256 < last]
    assert early
    damage(blob(services, early[0]))
    report = services.audits.resume(who).document
    assert {(code, early[0] in subject) for code, subject in errors_of(report)} == {("blob_altered", True)}
    assert hashed_in_parts(report) == [11, 10]
    assert report["parts"][0]["size"] < report["parts"][1]["size"] == report["as_of"]["size"]


def test_what_earlier_runs_hashed_counts_for_nothing_once_the_log_is_another(services: Services) -> None:
    die_after(services, 6)
    with services.archive.db.write() as session:
        from app.custody.models import EventRow

        session.get_one(EventRow, 2).canonical = b"{}"
    report = services.audits.resume(services.access.local_auditor()).document
    assert report["resumed"] is False
    assert hashed_in_parts(report) == [12]


def test_only_a_fresh_audit_sees_what_was_done_to_a_file_that_was_hashed_before_the_kill(services: Services) -> None:
    """The limit of going on with an audit, which its report states."""
    die_after(services, 6)
    damage(blob(services, min(services.archive.blobs.list())))
    who = services.access.local_auditor()
    resumed = services.audits.resume(who).document
    assert (resumed["ok"], resumed["resumed"]) == (True, True)
    assert any("fresh audit" in claim["text"] for claim in resumed["claims"])
    fresh = services.audits.run(who)
    assert (fresh["ok"], fresh["resumed"]) == (False, False)


@pytest.mark.parametrize("kept", [None, [], {}, {"steps": [{}]}, "x"])
def test_progress_that_cannot_be_read_is_as_good_as_none(services: Services, kept: object) -> None:
    die_after(services, 6)
    (run,) = services.audits.runs.unfinished()
    path = services.archive.settings.audits / f"{run.id}.run"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"kept": kept}), "utf-8")
    report = services.audits.resume(services.access.local_auditor()).document
    assert (report["ok"], report["resumed"], hashed_in_parts(report)) == (True, False, [12])
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"options": 7, "resumptions": 0}', b"[" * 100_000, b"\xff"])
def test_an_order_that_cannot_be_read_is_not_gone_on_with(services: Services, content: bytes) -> None:
    die_after(services, 6)
    (run,) = services.audits.runs.unfinished()
    (services.archive.settings.audits / f"{run.id}.run").write_bytes(content)
    with pytest.raises(ConflictError) as caught:
        services.audits.resume(services.access.local_auditor())
    assert caught.value.code == "audit_unreadable"
    assert_clean(services)
    assert services.audits.runs.unfinished() == [], "the fresh one settled it"
