"""Verification edited behind the log's back: every column of every table, and an author who signs himself off there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from sqlite3 import connect

from sqlmodel import SQLModel

from app.custody.rows import formats
from app.verification.service import Review
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.verification import VerificationReviewRecord
from tests.archives import close_archive, make_archive, person
from tests.checks import assert_clean, audit, errors_of
from tests.verification_samples import place

TABLES = ("verification", "verification_subject", "verification_version", "verification_review")
EDITS = {"text": "'x' || substr({0}, 2)", "integer": "{0} + 1000", "blob": "x'7b7d'"}


def test_every_edited_column_of_verification_is_named(tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    services.incidents.add(who, case, "INC-1", {"title": "t"})
    second = person(services, "lena", "legal", case)
    for number in range(9):
        services.verifications.add(who, case, "geolocation", f"GEO-{number}", place("incident", "INC-1"))
    services.verifications.review_all(second, [Review(f"GEO-{number}", "approve", 1) for number in range(9)])
    assert_clean(services)
    assert set(TABLES) <= {name for name, _ in formats()}
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
    close_archive(services)


def test_author_who_signs_himself_off_in_the_database_stays_unsigned_and_is_named(tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    services.incidents.add(who, case, "INC-1", {"title": "t"})
    made = services.verifications.add(who, case, "geolocation", "GEO-1", place("incident", "INC-1"))
    forged = VerificationReviewRecord(
        review="forged",
        verification=made.row.id,
        version=1,
        version_sha256=made.digests[-1],
        number=1,
        decision="approve",
        comment="",
        supersedes=None,
        reviewer=made.newest.author,
        created_at=made.row.created_at,
    )
    with closing(connect(services.archive.settings.data / "catena.db")) as database, database:
        database.execute(
            "INSERT INTO verification_review (id, verification_id, number, decision, reviewer_id, record, created_at,"
            " row_salt) VALUES ('forged', ?, 1, 'approve', ?, ?, ?, 'x')",
            (
                made.row.id,
                who.user_id,
                canonical_bytes(forged.model_dump(mode="json")),
                made.row.created_at,
            ),
        )
    assert services.verified.get(who, "GEO-1").state == "proposed"
    assert services.verified.status_of_incident(who, "INC-1")["level"] == "collected"
    assert ("row_not_in_log", "verification_review forged") in errors_of(audit(services))
    close_archive(services)
