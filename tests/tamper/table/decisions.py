"""The tamper table, decisions on assessments: unsigned, signed for another, by the author himself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

from app.incidents.dossier import take_apart
from tests.archives import close_archive, make_archive, person
from tests.assessing import P
from tests.checks import assert_clean, audit
from tests.incident_samples import REF, document

Fixture = Callable[[Path], Mapping[str, Any]]
SEARCH = {"what": "use", "where": "all", "when": "2026-08-20", "by": "Leo"}


def _damaged(statement: str) -> Fixture:
    """What the audit says once the newest of three decisions was changed behind the log's back."""

    def fixture(folder: Path) -> Mapping[str, Any]:
        services = make_archive(folder)
        who = services.access.local_operator()
        case = services.evidence.create_case(who, "T1")
        leo, liz = (person(services, name, "legal", case) for name in ("leo", "liz"))
        services.incident_files.take_in(who, case, take_apart(document()))
        judgements, reviews = services.assessments.judgements, services.assessments.reviews
        for panel in ("contradicting", "loss_of_protection"):
            judgements.answer(leo, REF, P, panel, "searched_none_found", "", [SEARCH])
        entry = judgements.assess(leo, REF, P, "reasonable_basis", "reached", "Enough to inquire.")
        first, second = reviews.review(liz, entry.id, "approve"), reviews.review(who, entry.id, "approve")
        assert_clean(services)
        values = {"author": leo.user_id, "other": first.seal, "id": second.id}
        with closing(connect(services.archive.settings.data / "catena.db")) as database, database:
            changed = database.execute(f"UPDATE assessment_review SET {statement} WHERE id = :id", values)  # noqa: S608
            assert changed.rowcount == 1
        report: Mapping[str, Any] = audit(services)
        close_archive(services)
        return report

    return fixture


FIXTURES: dict[str, Fixture] = {
    "decision_unsigned": _damaged("seal = NULL"),
    "decision_invalid": _damaged("seal = :other"),
    "decision_by_author": _damaged("reviewer_id = :author"),
}
