"""Verification records going along with a file of incidents, and coming in with one.

1. An export carries every version and every review, dissent included.
2. An import signs nothing off. Its records are the importer's own, proposed; what the file says of authors and reviews
   is kept as said elsewhere (`elsewhere`), and counts for nothing.
3. A record is known by its id for people. One that the case has already is unchanged or differs; it is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.errors import InvalidInputError
from app.evidence.models import Case
from app.incidents.files import Imported
from app.incidents.models import IncidentClaim, IncidentEntry
from app.incidents.store import entry_of
from app.verification import store
from app.verification.bodies import parse_body, parse_kind
from app.verification.models import Verification, VerificationSubject
from app.verification.named import named_in
from app.verification.resolve import resolve
from app.verification.service import Verifications
from app.verification.store import View

_OWN = ("kind", "ref", "body")


class VerificationFiles:
    """The part `verifications` of files of incidents."""

    def __init__(self, archive: Archive, access: Access, verifications: Verifications) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._verifications = verifications

    def take_in(self, who: Principal, case: Case, given: Sequence[object]) -> Imported:
        """Import records into a case: all or none, each proposed.

        Raises:
            NotFoundError: `unknown_case`, and those of `Verifications.add`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_verification`, and those of `Verifications.add`.
        """
        self._access.require(who, "incident.write", case.id)
        done = Imported()
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            self.import_part(session, who, case.id, given, done)
        return done

    def import_part(
        self, session: Session, who: Principal, case_id: str, given: Sequence[object], done: Imported
    ) -> None:
        """As `take_in`, for a caller that has asked for the right and holds the lock."""
        for one in given:
            if not isinstance(one, dict) or not isinstance(one.get("kind"), str):
                raise InvalidInputError("bad_verification", "a record in a file is an object with kind, ref and body")
            kind, ref, body = one["kind"], one.get("ref"), one.get("body")
            if not isinstance(ref, str) or not ref:
                raise InvalidInputError("bad_verification", "a record in a file has a ref")
            parsed = parse_body(parse_kind(kind), ref, body)
            row = store.named(session, case_id, ref)
            if row is None:
                elsewhere = {name: value for name, value in one.items() if name not in _OWN} or None
                self._verifications.add_in(session, who, case_id, kind, ref, body, elsewhere)
                done.created.append(f"verification:{ref}")
                continue
            (view,) = store.load(session, [row])
            wanted = resolve(session, case_id, parsed).body
            known = [_by_ref(session, case_id, version.body) for version in view.versions]
            same = row.kind == kind and wanted in known
            (done.unchanged if same else done.differs).append(f"verification:{ref}")

    def entries_named(self, session: Session, case_id: str, incidents: Collection[str]) -> set[str]:
        """UUIDs of the statements and observations that any version of a record about these incidents names."""
        return named_in(session, case_id, incidents).entries

    def export_part(self, session: Session, case_id: str, entries: Mapping[str, object] | None) -> list[JsonValue]:
        """The records of a case, or those about these entries (by UUID), as an import takes them."""
        rows = select(Verification).where(Verification.case_id == case_id).order_by(col(Verification.place))
        found = list(session.exec(rows))
        if entries is not None:
            about = select(VerificationSubject.verification_id, VerificationSubject.subject_id)
            about = about.join(Verification, col(Verification.id) == col(VerificationSubject.verification_id))
            named = session.exec(about.where(Verification.case_id == case_id))
            wanted = {record for record, subject in named if subject in entries}
            found = [row for row in found if row.id in wanted]
        views = store.load(session, found)
        return [{**as_file(view), "body": _by_ref(session, case_id, view.newest.body)} for view in views]


def _by_ref(session: Session, case_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """A body by which another case finds what an attribution names: early ones name entries and claims by UUID."""
    made = {**body}
    for side in ("supports", "contradicts"):
        if isinstance(listed := body.get(side), list):
            made[side] = [{**one, "ref": _ref_of(session, case_id, one["kind"], one["ref"])} for one in listed]
    return made


def _ref_of(session: Session, case_id: str, kind: str, ref: str) -> str:
    """The id for people of an entry or claim of the case; what names none stays as it is."""
    if kind in {"statement", "observation"}:
        entry = entry_of(session, case_id, kind, ref)
        return ref if entry is None else entry.ref
    claim = session.get(IncidentClaim, ref) if kind == "claim" else None
    incident = None if claim is None else session.get(IncidentEntry, claim.incident_id)
    return ref if claim is None or incident is None or incident.case_id != case_id else claim.ref


def as_file(view: View) -> dict[str, JsonValue]:
    """A record as files hold it."""
    versions: list[Any] = [one.model_dump(mode="json") for one in view.versions]
    reviews: list[Any] = [one.model_dump(mode="json") for one in view.reviews]
    newest = view.newest
    return {
        "kind": newest.kind,
        "ref": newest.ref,
        "body": newest.body,
        "state": view.state,
        "number": newest.number,
        "computed": newest.computed,
        "author": newest.author.model_dump(mode="json"),
        "created_at": newest.created_at,
        "versions": versions,
        "reviews": reviews,
    }
