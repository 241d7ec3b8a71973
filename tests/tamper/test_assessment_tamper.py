"""Assessments edited behind the log's back: every column of both tables, each on a row of its own, in one audit."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest
from sqlmodel import SQLModel

from app.assessment.links import LinkGiven
from app.errors import CatenaError
from app.incidents.dossier import take_apart
from tests.archives import close_archive, make_archive, person
from tests.assessing import E, P
from tests.checks import assert_clean, audit, errors_of
from tests.incident_samples import REF, document

TABLES = ("assessment_entry", "assessment_review")
EDITS = {"text": "'x' || substr({0}, 2)", "integer": "{0} + 1000", "blob": "x'7b7d'", "null": "x'00'"}


def test_every_edited_column_of_assessments_is_named(tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    leo = person(services, "leo", "legal", case)
    services.incident_files.take_in(who, case, take_apart(document()))
    given = LinkGiven("statement", "ST-DENIAL", "contradicts", "direct", "It denies that.", provision=P, element=E)
    for _ in range(12):
        link = services.assessments.links.add(who, REF, given)
        services.assessments.reviews.review(leo, link.id, "approve")
    assert_clean(services)
    expected: set[tuple[str, str]] = set()
    with closing(connect(services.archive.settings.data / "catena.db")) as database, database:
        database.execute("PRAGMA foreign_keys=OFF")
        for table in TABLES:
            keys = [str(row[0]) for row in database.execute(f"SELECT id FROM {table} ORDER BY id")]  # noqa: S608
            columns = list(SQLModel.metadata.tables[table].columns.keys())
            assert len(keys) >= len(columns)
            for column, key in zip(columns, keys, strict=False):
                (kind,) = database.execute(f"SELECT typeof({column}) FROM {table} WHERE id = ?", (key,)).fetchone()  # noqa: S608
                edit = EDITS[kind].format(column)
                changed = database.execute(f"UPDATE {table} SET {column} = {edit} WHERE id = ?", (key,))  # noqa: S608
                assert changed.rowcount == 1
                expected.add(("row_missing" if column == "id" else "row_altered", f"{table} {key}"))
    assert expected <= errors_of(audit(services))
    with pytest.raises(CatenaError) as refused:  # a damaged record is never shown as if it were one
        services.assessments.matrix(who, REF)
    assert refused.value.code == "assessment_damaged"
    close_archive(services)


def test_a_contradicting_link_that_was_deleted_behind_the_log_is_missed(tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    services.incident_files.take_in(who, case, take_apart(document()))
    given = LinkGiven("statement", "ST-DENIAL", "contradicts", "direct", "It denies that.", provision=P, element=E)
    link = services.assessments.links.add(who, REF, given)
    with closing(connect(services.archive.settings.data / "catena.db")) as database, database:
        assert database.execute("DELETE FROM assessment_entry").rowcount == 1
    assert ("row_missing", f"assessment_entry {link.id}") in errors_of(audit(services))
    close_archive(services)


def test_a_decision_that_is_unsigned_or_signed_by_another_or_the_authors_own_is_named(tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    leo, liz = (person(services, name, "legal", case) for name in ("leo", "liz"))
    services.incident_files.take_in(who, case, take_apart(document()))
    judgements, reviews = services.assessments.judgements, services.assessments.reviews
    search = {"what": "use", "where": "all", "when": "2026-08-20", "by": "Leo"}
    for panel in ("contradicting", "loss_of_protection"):
        judgements.answer(leo, REF, P, panel, "searched_none_found", "", [search])
    entry = judgements.assess(leo, REF, P, "reasonable_basis", "reached", "Enough to inquire.")
    first = reviews.review(liz, entry.id, "approve")
    second, third = reviews.review(who, entry.id, "approve"), reviews.review(who, entry.id, "reject", "no")
    assert_clean(services)
    with closing(connect(services.archive.settings.data / "catena.db")) as database, database:
        database.execute("UPDATE assessment_review SET seal = NULL WHERE id = ?", (first.id,))
        database.execute("UPDATE assessment_review SET seal = ? WHERE id = ?", (second.seal, third.id))
        database.execute("UPDATE assessment_review SET reviewer_id = ? WHERE id = ?", (leo.user_id, second.id))
    found = errors_of(audit(services))
    assert {
        ("decision_unsigned", f"assessment_review {first.id}"),
        ("decision_invalid", f"assessment_review {third.id}"),
        ("decision_by_author", f"assessment_review {second.id}"),
    } <= found
    close_archive(services)
