"""Decisions on matches edited behind the log's back: every column, each on a row of its own, in one audit."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import cv2
from sqlmodel import SQLModel

from tests.archives import close_archive, deposit, make_archive
from tests.checks import assert_clean, audit, errors_of, work_off
from tests.matching_media import scene

EDITS = {"text": "'x' || substr({0}, 2)", "integer": "{0} + 1000", "blob": "x'7b7d'", "null": "'nobody'"}


def _jpeg(quality: int) -> bytes:
    return cv2.imencode(".jpg", scene(1), [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def test_every_edited_column_of_decisions_is_named(tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    first, second = (deposit(services, who, case, _jpeg(quality)).item.id for quality in (92, 60))
    work_off(services)
    columns = list(SQLModel.metadata.tables["match_decision"].columns.keys())
    for number in range(len(columns)):
        services.decisions.decide(who, first, second, "confirm", f"the same shot, looked at {number} times")
    assert_clean(services)
    expected: set[tuple[str, str]] = set()
    with closing(connect(services.archive.settings.data / "catena.db")) as database, database:
        database.execute("PRAGMA foreign_keys=OFF")
        keys = [str(row[0]) for row in database.execute("SELECT id FROM match_decision ORDER BY number")]
        for column, key in zip(columns, keys, strict=True):
            (kind,) = database.execute(f"SELECT typeof({column}) FROM match_decision WHERE id = ?", (key,)).fetchone()  # noqa: S608
            edit = EDITS[kind].format(column)
            changed = database.execute(f"UPDATE match_decision SET {column} = {edit} WHERE id = ?", (key,))  # noqa: S608
            assert changed.rowcount == 1
            expected.add(("row_missing" if column == "id" else "row_altered", f"match_decision {key}"))
    assert expected <= errors_of(audit(services))
    close_archive(services)
