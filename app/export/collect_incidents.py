"""Collecting the dossier of a bundle: entries in every version, claims, and both in the shape in which they came.

1. Each version of an entry and each claim is the exact stored record, named by an event of its object.
2. `incidents.json` says the same once more in the shape of a file of incidents, made of those very records.
3. What the log names and nobody can produce stops the export, whichever way it points; so does a dossier that grew
   while the bundle was made, for then something that contradicts could be missing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from sqlmodel import Session, col, select

from app.access.service import Principal
from app.errors import ConflictError
from app.export.choose import Choice
from app.export.collect_assessments import collect_assessments
from app.export.collected import Collected, Sources, record_missing, record_sha256
from app.export.dossier import claimed, entries_to_go
from app.export.rules import missing_records
from app.incidents import store
from app.incidents.dossier import Given, put_together
from app.incidents.models import IncidentClaim, IncidentEntry, IncidentVersion
from app.incidents.records import claim_record, entry_record
from app.incidents.statement_kinds import earlier_along
from evidence_store.bundle.plan import ExtraFile
from schemas.records.v1.incident import EntryKind, IncidentClaimRecord, IncidentEntryRecord

DOSSIER, DOSSIER_ROLE = "incidents.json", "dossier"


def collect_incidents(sources: Sources, who: Principal, choice: Choice, into: Collected) -> None:
    """Take the records of all chosen entries, the claims about them, and what was said of the incidents.

    Raises:
        EnvironmentFailedError: `record_missing`, `incident_damaged`.
        ConflictError: `incident_changed` when what goes along is not what was chosen.
    """
    if not choice.entries:
        return
    given: list[Given] = []
    earlier: list[Given] = []
    claims: list[dict[str, Any]] = []
    with sources.archive.db.read() as session:
        _require_unchanged(session, choice)
        for entry in choice.entries:
            versions, said = _versions(session, entry, into), _claims(session, entry, into)
            _require_items(choice, said)
            given.append(Given(cast("EntryKind", entry.kind), entry.ref, versions[-1].body))
            if entry.kind == "statement":
                places = earlier_along([one.body for one in versions])
                earlier += [Given("statement", entry.ref, versions[place].body) for place in places]
            claims += [{**claim.model_dump(mode="json"), "incident": entry.ref} for claim in said]
    for entry in choice.entries:
        if entry.kind == "incident":
            collect_assessments(sources, who, entry, into)
    written = json.dumps(put_together(given, claims, earlier=earlier), ensure_ascii=False, indent=1).encode() + b"\n"
    into.files.append(ExtraFile(DOSSIER, written, DOSSIER_ROLE, None))


def _require_unchanged(session: Session, choice: Choice) -> None:
    case_id = choice.entries[0].case_id
    going = {entry.id for entry in entries_to_go(session, case_id, choice.incident)}
    if going != {entry.id for entry in choice.entries}:
        raise ConflictError("incident_changed", "the dossier changed while the bundle was made: export again")


def _require_items(choice: Choice, claims: Sequence[IncidentClaimRecord]) -> None:
    """Every item that a claim rests on is in the bundle: what an author of a claim points to is not left out."""
    if choice.incident is None:  # all items of the case are
        return
    here = {chosen.item.id for chosen in choice.items}
    if claimed(claims) - here:
        raise ConflictError("incident_changed", "a claim was made while the bundle was made: export again")


def _versions(session: Session, entry: IncidentEntry, into: Collected) -> list[IncidentEntryRecord]:
    """All versions that the log names, oldest first."""
    about = f"{entry.kind}:{entry.id}"
    rows = store.versions(session, entry.id)
    kept = _kept(about, [(str(row.number), row) for row in rows], into, "entry")
    records = [entry_record(row) for _, row in kept if isinstance(row, IncidentVersion)]
    for number, row in kept:
        into.files.append(ExtraFile(f"data/incidents/{entry.id}.{number}.json", row.record, "entry", about))
    return records


def _claims(session: Session, entry: IncidentEntry, into: Collected) -> list[IncidentClaimRecord]:
    """All claims that the log names, replaced ones included, oldest first."""
    if entry.kind != "incident":
        return []
    found = select(IncidentClaim).where(IncidentClaim.incident_id == entry.id)
    rows = session.exec(found.order_by(col(IncidentClaim.created_at), col(IncidentClaim.id)))
    about = f"incident:{entry.id}"
    kept = _kept(about, [(row.id, row) for row in rows], into, "claim")
    for claim, row in kept:
        into.files.append(ExtraFile(f"data/incidents/claims/{claim}.json", row.record, "claim", about))
    return [claim_record(row) for _, row in kept if isinstance(row, IncidentClaim)]


def _kept(
    about: str, rows: Sequence[tuple[str, IncidentVersion | IncidentClaim]], into: Collected, role: str
) -> list[tuple[str, IncidentVersion | IncidentClaim]]:
    """The rows whose records the log names.

    Raises:
        EnvironmentFailedError: `record_missing` when the log names a record of this role that none of them holds.
    """
    named = into.named(about)
    kept = [(name, row) for name, row in rows if record_sha256(row.record) in named]
    outputs = [output for output in into.outputs[about] if output.role == role]
    lost = missing_records(outputs, [record_sha256(row.record) for _, row in kept])
    if lost or (role == "entry" and not kept):
        raise record_missing(about, f"the log names {role} records that the database does not hold as they were")
    return kept
