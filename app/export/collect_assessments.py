"""Collecting what people say of an incident by provision: records, seals, and the element matrix with both sides.

1. Every record and seal that the incident's events name is in the bundle: who leaves one out has to explain the event.
2. The matrix is a view made by the archive for the bundle. It holds every link that the records hold, for and against;
   one that lacks any, or that knows more than the log did, stops the export.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from app.access.service import Principal
from app.assessment.records import REVIEW_ROLE, ROLES, SEAL_ROLE
from app.errors import ConflictError
from app.export.assessed import LINK_ROLE, item_of
from app.export.collected import Collected, Sources, record_missing, record_sha256
from app.incidents.models import IncidentEntry
from evidence_store.bundle.plan import ExtraFile

MATRIX_ROLE = "matrix"


def collect_assessments(sources: Sources, who: Principal, incident: IncidentEntry, into: Collected) -> None:
    """Take all that was said of an incident, and its matrix.

    Raises:
        EnvironmentFailedError: `record_missing` when a record that the log names cannot be produced, or the matrix
            lacks a link.
        ConflictError: `incident_changed` when something was said after the checkpoint: the matrix would tell it.
    """
    about = f"incident:{incident.id}"
    named = into.named(about)
    links: set[str] = set()
    produced: set[str] = set()
    for role, identity, data in sources.assessments.records(who, incident.id):
        digest = record_sha256(data)
        if digest not in named:
            raise ConflictError("incident_changed", "the incident was assessed while the bundle was made: export again")
        produced.add(digest)
        ending = "json.p7s" if role == SEAL_ROLE else "json"
        into.files.append(ExtraFile(f"data/assessments/{identity}.{ending}", data, role, about))
        if role == LINK_ROLE:
            links.add(identity)
            if item_of(data) not in {None, *into.scope}:
                raise ConflictError("incident_changed", "a link was made while the bundle was made: export again")
    roles = {*ROLES.values(), REVIEW_ROLE, SEAL_ROLE}
    lost = [output for output in into.outputs[about] if output.role in roles and output.sha256 not in produced]
    if lost:
        raise record_missing(about, f"the log names a {lost[0].role} that the database does not hold as it was")
    document = sources.assessments.matrix(who, incident.id)
    if links - ids_of(document):
        raise record_missing(about, "the matrix lacks a link that the log names")
    written = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    into.files.append(ExtraFile(f"data/matrices/{incident.id}.json", written, MATRIX_ROLE, about))


def ids_of(value: object) -> set[str]:
    """Every text in a document; pure."""
    return set(_texts(value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
