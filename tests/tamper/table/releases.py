"""The tamper table, frozen releases: resealed, swapped, counted from something else, by something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from sqlite3 import connect
from typing import Any
from unittest import mock

from app.incidents.dossier import take_apart
from app.patterns import counting, recount, releases
from tests.archives import close_archive, make_archive
from tests.checks import assert_clean, audit
from tests.incident_samples import document

NOW, EARLIER = "2.0", "1.0"  # versions of the program
Fixture = Callable[[Path], Mapping[str, Any]]
RULE: dict[str, Any] = {"title": "t", "where": {"field": "target", "op": "mentions", "value": ["fire engine"]}}


def _frozen(folder: Path, *edits: str, program: str = NOW, numbers: bool = False) -> Mapping[str, Any]:
    """What the audit says of two releases after some edits of the database.

    Args:
        folder: an empty one.
        edits: SQL, behind the log's back.
        program: the version that the releases name.
        numbers: whether what is sealed was never counted.
    """
    services = make_archive(folder)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    services.incident_files.take_in(who, case, take_apart(document()))
    services.patterns.put_rule(who, case, "engines", RULE)
    real = counting.count

    def inflated(*given: Any) -> Any:  # noqa: ANN401 - as `count`
        done = real(*given)
        return type(done)(done.members, {**done.numbers, "included": 82}, done.because)

    with ExitStack() as patched:
        patched.enter_context(mock.patch.object(recount, "version", return_value=NOW))
        patched.enter_context(mock.patch.object(releases, "version", return_value=program))
        patched.enter_context(mock.patch.object(releases, "count", inflated if numbers else real))
        for ref in ("R1", "R2"):
            services.releases.freeze(who, case, ref, "engines")
        if edits:
            assert_clean(services)
        with closing(connect(services.archive.settings.data / "catena.db")) as database, database:
            for edit in edits:
                assert database.execute(edit).rowcount >= 1
        report: Mapping[str, Any] = audit(services)
    close_archive(services)
    return report


def _column(name: str) -> str:
    other = f"(SELECT o.{name} FROM frozen_release o WHERE o.ref = 'R2')"  # noqa: S608 - our own names
    return f"UPDATE frozen_release SET {name} = {other} WHERE ref = 'R1'"  # noqa: S608 - as above


_FEWER = (
    "UPDATE incident_version SET record = CAST(replace(record, 'fire engine', 'fire truck') AS BLOB) "
    "WHERE id IN (SELECT id FROM incident_version WHERE instr(record, 'fire engine') > 0)"
)

FIXTURES: dict[str, Fixture] = {
    "release_seal_invalid": lambda folder: _frozen(folder, _column("seal")),
    "release_contradicts_row": lambda folder: _frozen(folder, _column("statement"), _column("seal")),
    "release_differs": lambda folder: _frozen(folder, numbers=True),
    "release_counted_otherwise": lambda folder: _frozen(folder, program=EARLIER, numbers=True),
    "member_gone": lambda folder: _frozen(folder, _FEWER),
}
