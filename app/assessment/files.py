"""What people say of incidents by provision, going along with files of incidents: links for and against, and the rest.

1. No file of an incident leaves without it: every version of every link, state, answer and assessment, withdrawn ones
   included, with every review.
2. An import makes none of them. Whoever links evidence does so here, under his own name, to what lies here. What a file
   holds is kept as said elsewhere, goes along again, and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue
from sqlmodel import Session

from app.assessment.ledger import Ledger, Line
from app.assessment.models import AssessmentEntry
from app.assessment.records import REVIEW_ROLE, ROLES, digest, review_record
from app.custody.service import events_of
from app.errors import EnvironmentFailedError
from app.incidents.models import IncidentEntry
from evidence_store.bundle.events import parse_event
from schemas.records.v1.assessment import ElementLinkRecord

_NAMED = {*ROLES.values(), REVIEW_ROLE}


class AssessmentFiles:
    """The part `element_entries` of files of incidents."""

    def export_part(self, session: Session, incidents: Mapping[str, str]) -> list[dict[str, JsonValue]]:
        """Everything that was entered for these incidents, oldest first.

        Args:
            session: an open snapshot.
            incidents: their ids for people, by UUID.

        Raises:
            EnvironmentFailedError: `assessment_damaged`; `record_missing` when the log names a record that is not here
                as it was: what speaks against would be left out.
        """
        found: list[dict[str, JsonValue]] = []
        for identity, ref in incidents.items():
            ledger = Ledger.read(session, identity)
            lines = ledger.lines
            _require_all(session, identity, {line.sha256 for line in lines} | _reviewed(lines))
            found += [as_file(line, ref, basis_changed=ledger.basis_changed(line)) for line in lines]
        return found

    def known(self, session: Session, case_id: str, identity: str, sha256: str) -> bool:
        """Whether a version of this UUID was entered in this case, with a record of this SHA-256.

        One of another case is not: a file that is taken into a second case must leave it again with both sides.
        """
        row = session.get(AssessmentEntry, identity)
        if row is None or digest(row) != sha256:
            return False
        incident = session.get(IncidentEntry, row.incident_id)
        return incident is not None and incident.case_id == case_id


def _reviewed(lines: Sequence[Line]) -> set[str]:
    return {digest(review) for line in lines for review in line.reviews}


def _require_all(session: Session, incident: str, here: set[str]) -> None:
    for event in events_of(session, f"incident:{incident}"):
        listed = parse_event(event.canonical).details.get("outputs")
        for one in listed if isinstance(listed, list) else []:
            if isinstance(one, dict) and one.get("role") in _NAMED and one.get("sha256") not in here:
                detail = f"the log names {one['role']} records of incident:{incident} that are not here as they were"
                raise EnvironmentFailedError("record_missing", f"{detail}: run 'catena audit'", status=500)


def as_file(line: Line, incident: str, *, basis_changed: bool | None = None) -> dict[str, JsonValue]:
    """A version as files hold it; `source` is what a link points to, `basis_changed` is told of assessments."""
    record = line.record
    made: dict[str, JsonValue] = {
        "id": line.row.id,
        "incident": incident,
        "kind": line.row.kind,
        "sha256": line.sha256,
        "standing": line.state,
        "newest": line.newest,
        "record": record.model_dump(mode="json"),
        "reviews": [review_record(review).model_dump(mode="json") for review in line.reviews],
    }
    if isinstance(record, ElementLinkRecord):
        made["source"] = {"kind": record.source.kind, "id": record.source.id}
    if basis_changed is not None:
        made["basis_changed"] = basis_changed
    return made
