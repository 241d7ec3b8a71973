"""Frozen releases and the audit: what was done to one is named, what was not done to it is not said of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any
from unittest import mock

import pytest

from app.api.services import Services
from app.incidents.dossier import take_apart
from app.patterns import counting, recount, releases
from app.patterns.releases import ReleaseView
from app.version import version
from evidence_store.canonical import canonical_bytes
from evidence_store.seal import seal_tokens, without_tokens
from tests.archives import close_archive, make_archive
from tests.checks import assert_clean, audit, errors_of
from tests.incident_samples import document
from tests.tamper.table.releases import RULE
from tests.tsa import LocalTsa, authority


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Services]:
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    services.incident_files.take_in(who, case, take_apart(document()))
    services.patterns.put_rule(who, case, "engines", RULE)
    yield services
    close_archive(services)


def freeze(services: Services, ref: str = "R1") -> ReleaseView:
    case = services.evidence.case_or_none("T1")
    assert case is not None
    return services.releases.freeze(services.access.local_operator(), case, ref, "engines")


def edit(services: Services, statement: str, *values: object) -> None:
    with closing(connect(services.archive.settings.data / "catena.db")) as database, database:
        database.execute("PRAGMA foreign_keys=OFF")
        assert database.execute(statement, values).rowcount == 1


def told(services: Services) -> set[tuple[str, str]]:
    return {(code, subject.split()[0]) for code, subject in errors_of(audit(services))}


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (lambda said: said["numbers"].update(included=82), {"release_seal_invalid", "release_differs"}),
        (lambda said: said["members"].pop(), {"release_seal_invalid", "release_differs"}),
        (lambda said: said["members"][0].update(verdict="excluded"), {"release_seal_invalid", "release_differs"}),
        (lambda said: said["members"][0].update(sha256="0" * 64), {"release_seal_invalid", "member_gone"}),
        (lambda said: said["rule"]["body"].update(title="x"), {"release_seal_invalid", "release_differs"}),
        (lambda said: said["rule"].update(number=9), {"release_seal_invalid", "member_gone"}),
        (lambda said: said.update(program={"name": "catena", "version": "9"}), {"release_seal_invalid"}),
        (lambda said: said.update(method=7), {"release_seal_invalid", "release_counted_otherwise"}),
        (lambda said: said.pop("program"), {"release_seal_invalid"}),
        (lambda said: said.update(ref="R9"), {"release_seal_invalid", "release_contradicts_row"}),
        (lambda said: said.clear(), {"release_seal_invalid", "release_contradicts_row"}),
    ],
)
def test_every_edit_of_a_statement_is_named(archive: Services, change: Any, codes: set[str]) -> None:  # noqa: ANN401 - an edit of JSON
    said = json.loads(freeze(archive).statement)
    assert_clean(archive)
    change(said)
    edit(archive, "UPDATE frozen_release SET statement = ?", canonical_bytes(said))
    assert told(archive) == {(code, "frozen_release") for code in (*codes, "row_altered")}


@pytest.mark.parametrize(("column", "value"), [("statement", "text"), ("seal", "text"), ("seal", b"\x30\x00")])
def test_statement_or_seal_that_is_none_is_named_and_the_audit_goes_on(
    archive: Services, column: str, value: object
) -> None:
    freeze(archive), freeze(archive, "R2")
    edit(archive, f"UPDATE frozen_release SET {column} = ? WHERE ref = 'R1'", value)  # noqa: S608 - our own names
    report = audit(archive)
    assert told(archive) == {("release_seal_invalid", "frozen_release"), ("row_altered", "frozen_release")}
    assert report["checked"]["releases"] == 2


def test_deleted_release_and_one_that_nobody_recorded_are_named(archive: Services) -> None:
    made = freeze(archive).record.release
    freeze(archive, "R2")
    edit(archive, "UPDATE frozen_release SET id = 'x', ref = 'R0' WHERE ref = 'R1'")
    found = errors_of(audit(archive))
    assert {
        ("row_missing", f"frozen_release {made}"),
        ("row_not_in_log", "frozen_release x"),
        ("release_contradicts_row", "frozen_release x"),
    } <= found
    edit(archive, "DELETE FROM frozen_release WHERE ref = 'R0'")
    assert ("row_missing", f"frozen_release {made}") in errors_of(audit(archive))


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("incident_version", 'DELETE FROM incident_version WHERE instr(record, \'"ref":"INC-A"\') > 0'),
        ("pattern_rule", "DELETE FROM pattern_rule"),
    ],
)
def test_member_or_rule_that_was_deleted_is_named(archive: Services, table: str, statement: str) -> None:
    freeze(archive)
    edit(archive, statement)
    assert {("row_missing", table), ("member_gone", "frozen_release")} <= told(archive)


def test_program_that_counts_otherwise_is_told_from_a_release_that_was_altered(archive: Services) -> None:
    made = freeze(archive)
    who, case = archive.access.local_operator(), archive.evidence.case_or_none("T1")
    assert case is not None
    assert made.record.program is not None
    assert (made.record.method, made.record.program.version) == (counting.METHOD, version())

    def other(*given: Any) -> Any:  # noqa: ANN401 - as `count`
        done = counting.count(*given)
        return type(done)(done.members, {**done.numbers, "included": 0}, done.because)

    def codes() -> list[str]:
        return [one["code"] for one in archive.releases.verify(who, case, "R1").as_json()["findings"]]

    with mock.patch.object(recount, "count", other):
        assert codes() == ["release_differs"]  # the same program cannot count otherwise
        with mock.patch.object(recount, "version", return_value="99.0"):
            assert codes() == ["release_counted_otherwise"]
            assert told(archive) == {("release_counted_otherwise", "frozen_release")}
    with (
        mock.patch.object(recount, "METHODS", {counting.METHOD + 1}),
        mock.patch.object(recount, "version", return_value="99.0"),
    ):
        assert codes() == ["release_counted_otherwise"]
    with mock.patch.object(recount, "version", return_value="99.0"):
        assert codes() == []  # a newer program that counts the same says so
        assert_clean(archive)
    assert_clean(archive)


def test_release_of_before_programs_were_named_stays_valid(archive: Services) -> None:
    with mock.patch.object(releases, "CountingProgram", return_value=None):
        made = freeze(archive)
    assert b'"program"' not in made.statement
    assert made.record.program is None
    assert_clean(archive)
    who, case = archive.access.local_operator(), archive.evidence.case_or_none("T1")
    assert case is not None
    assert archive.releases.verify(who, case, "R1").identical


def test_release_is_stamped_as_receipts_are_and_a_stamp_over_another_is_named(
    archive: Services, tmp_path: Path
) -> None:
    who = archive.access.local_operator()
    with LocalTsa(tmp_path / "tsa", authority()) as tsa:
        archive.timestamps.add(who.actor, "first", tsa.url, tsa.authority.roots_pem)
        made = freeze(archive)
        assert [one.state for one in archive.releases.stamps(made)] == ["pending"]
        assert archive.releases.stamped_seal(made) == made.seal
        named = f"release:{made.record.release} by first"
        assert ("timestamp_pending", named) in {(one["code"], one["subject"]) for one in audit(archive)["findings"]}
        archive.timestamps.work()
        assert [one.state for one in archive.releases.stamps(made)] == ["done"]
        stamped = archive.releases.stamped_seal(made)
        assert len(seal_tokens(stamped)) == 1
        assert without_tokens(stamped) == made.seal
        assert_clean(archive)
        other = freeze(archive, "R2")
    edit(archive, "DELETE FROM timestamp WHERE subject = ?", f"release:{other.record.release}")
    moved = "UPDATE timestamp SET subject = ? WHERE subject = ?"
    edit(archive, moved, f"release:{other.record.release}", f"release:{made.record.release}")
    assert errors_of(audit(archive)) == {("timestamp_invalid", f"release:{other.record.release} by first")}
    assert archive.releases.stamped_seal(made) == made.seal
