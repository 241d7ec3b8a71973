"""Verification as use-cases: enter, state anew, sign off. Authorise, decide, write, record.

1. The four-eyes rule is asked once more under the log's lock: who became an author a moment ago is one.
2. All ways in (one, many, import) go through `add_in` and `review_in`. There is no other writer of these tables.
3. A review names the version that its author had before him, and is refused when that is not the newest.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue
from sqlmodel import Session, select

from app.access.models import User
from app.access.rules import Action
from app.access.service import Access, Principal
from app.archive import Archive
from app.errors import ConflictError, DeniedError, InvalidInputError, NotFoundError
from app.evidence.models import Case
from app.incidents.bodies import Body, check_body, storable
from app.incidents.records import person
from app.incidents.service import checked_reason
from app.verification import rules, store
from app.verification.bodies import parse_body, parse_kind
from app.verification.masks import holds_mask
from app.verification.models import Verification
from app.verification.resolve import resolve
from app.verification.store import View
from evidence_store.bundle.shapes import is_uuid
from schemas.records.v1.verification import VerificationKind, VerificationRecord, VerificationReviewRecord

UNKNOWN = "there is no such record, or you are not a member of its case"
MAX_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Review:
    """A decision to be made.

    Attributes:
        verification: UUID, or the id for people.
        decision: `approve`, `reject` or `dissent`.
        version: number of the version that the reviewer had before him.
        comment: reasons; only an approval may go without.
    """

    verification: str
    decision: str
    version: int
    comment: str = ""


class Verifications:
    """The verification records of one archive."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access

    # -- writing ------------------------------------------------------------------------------

    def add(self, who: Principal, case: Case, kind: str, ref: str | None, body: object) -> View:
        """Enter a record; it is proposed until a second person signs it off.

        Args:
            who: the author.
            case: its case.
            kind: one of `VerificationKind`.
            ref: its id for people, unique in the case; None takes its UUID.
            body: see `bodies`.

        Raises:
            NotFoundError: `unknown_case`, `unknown_item`, `unknown_incident`, `unknown_entry`, `unknown_claim`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_verification_kind`, `bad_verification`, and those of `resolve`.
            ConflictError: `verification_exists`.
        """
        self._access.require(who, "incident.write", case.id)
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)  # two who enter it at once: one of them is told
            return self.add_in(session, who, case.id, kind, ref, body)

    def add_in(
        self,
        session: Session,
        who: Principal,
        case_id: str,
        kind: str,
        ref: str | None,
        body: object,
        elsewhere: JsonValue = None,
    ) -> View:
        """As `add`, for a caller that has asked for the right and holds the lock."""
        identity = str(uuid.uuid4())
        name, what = ref or identity, parse_kind(kind)
        parsed = parse_body(what, name, body)
        _refuse_mask(body)
        if store.named(session, case_id, name) is not None:
            raise ConflictError("verification_exists", f"the case has a record {name[:64]!r} already")
        found = resolve(session, case_id, parsed)
        if elsewhere is not None:
            check_body("other", name, {"elsewhere": elsewhere})
        record = VerificationRecord(
            verification=identity,
            case=case_id,
            kind=what,
            ref=name,
            number=1,
            subjects=tuple(found.subjects),
            body=found.body,
            computed=found.computed,
            elsewhere=elsewhere,
            reason=None,
            supersedes=None,
            author=person(who),
            created_at=self._archive.custody.now(),
        )
        store.put_new(session, self._archive.custody, who, record)
        return self._view(session, identity)

    def revise(self, who: Principal, name: str, body: object, reason: str, expected: int) -> View:
        """State a record anew; earlier versions and their reviews stay, and the new one begins as proposed.

        Raises:
            NotFoundError: `unknown_verification`, and those of `add`.
            DeniedError: `not_allowed`.
            InvalidInputError: as `add`; `reason_required`, `subject_fixed`, `verification_unchanged`.
            ConflictError: `verification_changed` when there is a newer version than the expected one.
        """
        row, because = self.permitted(who, name, "incident.write"), checked_reason(reason)
        kind = cast("VerificationKind", row.kind)
        parsed = parse_body(kind, row.ref, body)
        _refuse_mask(body)
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            before = self._view(session, row.id)
            _require_newest(before, expected)
            found = resolve(session, row.case_id, parsed)
            if {one.id for one in found.subjects} != {one.id for one in before.newest.subjects}:
                raise InvalidInputError("subject_fixed", "a record stays about what it is about: enter another one")
            if (found.body, found.computed) == (before.newest.body, before.newest.computed):
                raise InvalidInputError("verification_unchanged", f"that is what version {expected} states")
            record = before.newest.model_copy(
                update={
                    "number": expected + 1,
                    "body": found.body,
                    "computed": found.computed,
                    "elsewhere": None,
                    "reason": because,
                    "supersedes": before.digests[-1],
                    "author": person(who),
                    "created_at": self._archive.custody.now(),
                }
            )
            store.put_version(session, self._archive.custody, who, record)
            return self._view(session, row.id)

    def review(self, who: Principal, given: Review) -> View:
        """Approve or reject what somebody else worked out, or dissent from it; see `review_all`."""
        return self.review_all(who, [given])[0]

    def review_all(self, who: Principal, given: Sequence[Review]) -> list[View]:
        """Decide on records of others, all of them or none.

        Raises:
            NotFoundError: `unknown_verification`.
            DeniedError: `not_allowed`, or `own_work` when the reviewer wrote a version of one of them, or is named in
                it as translator or contributor; both are recorded.
            InvalidInputError: `bad_decision`, `comment_required`, `text_too_long`, `bad_text`, `too_many`.
            ConflictError: `verification_changed`.
        """
        if not 1 <= len(given) <= MAX_AT_ONCE:
            raise InvalidInputError("too_many", f"1 to {MAX_AT_ONCE} decisions at once")
        rows = [self.permitted(who, one.verification, "verification.review") for one in given]
        for row in rows:
            with self._archive.db.read() as session:
                own = not self._may_review(session, who, self._view(session, row.id))
            if own:
                self._access.record_denial(who.actor, f"verification:{row.id}", "verification.review of the own record")
                raise _own_work(row)
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            return [self._review_in(session, who, row, one) for row, one in zip(rows, given, strict=True)]

    def _review_in(self, session: Session, who: Principal, row: Verification, given: Review) -> View:
        view = self._view(session, row.id)
        if not self._may_review(session, who, view):
            raise _own_work(row)
        verdict = rules.parse_verdict(given.decision)
        comment = rules.parse_comment(given.comment, verdict)
        _require_newest(view, given.version)
        replaced = rules.superseded(who.user_id, given.version, view.reviews)
        record = VerificationReviewRecord(
            review=str(uuid.uuid4()),
            verification=row.id,
            version=given.version,
            version_sha256=view.digests[-1],
            number=1 + max((one.number for one in view.reviews), default=0),
            decision=verdict,
            comment=comment,
            supersedes=None if replaced is None else replaced.review,
            reviewer=person(who),
            created_at=self._archive.custody.now(),
        )
        store.put_review(session, self._archive.custody, who, record)
        return self._view(session, row.id)

    # -- who may ------------------------------------------------------------------------------

    def permitted(self, who: Principal, name: str, action: Action, case_id: str | None = None) -> Verification:
        """A record by UUID or by its id for people, when the actor may do `action` in its case; refusals are recorded.

        Raises:
            NotFoundError: `unknown_verification`, also for one of which the actor may not know.
            DeniedError: `not_allowed`.
            ConflictError: `ambiguous_verification` when several of the actor's cases have one of this name.
        """
        self._access.require_role(who, action)
        visible = self._access.visible_cases(who)
        wanted = select(Verification)
        wanted = wanted.where(Verification.id == name if is_uuid(name) else Verification.ref == name)
        if case_id is not None:
            wanted = wanted.where(Verification.case_id == case_id)
        with self._archive.db.read() as session:
            found = list(session.exec(wanted)) if storable(name) else []
        known = [row for row in found if visible is None or row.case_id in visible]
        if len(known) > 1:
            raise ConflictError("ambiguous_verification", "several cases have a record of this name: name its id")
        if not known:
            about = f"case:{found[0].case_id}" if found else self._archive.about
            self._access.record_denial(who.actor, about, action)
            raise NotFoundError("unknown_verification", UNKNOWN)
        self._access.require(who, action, known[0].case_id)
        return known[0]

    def _may_review(self, session: Session, who: Principal, view: View) -> bool:
        user = session.get(User, who.user_id)
        names = [who.name] if user is None else [who.name, user.display_name]
        return rules.may_review(view.versions, who.user_id, names)

    def _view(self, session: Session, identity: str) -> View:
        row = session.get(Verification, identity)
        if row is None:
            raise NotFoundError("unknown_verification", UNKNOWN)
        session.flush()
        return store.load(session, [row])[0]


def _require_newest(view: View, expected: int) -> None:
    if view.newest.number != expected:
        raise ConflictError(
            "verification_changed",
            f"version {view.newest.number} is the newest, not {expected}: look at it, then decide",
        )


def _refuse_mask(body: object) -> None:
    if holds_mask(cast("Body", body)):
        raise InvalidInputError(
            "bad_verification", "a text in it was hidden when it was read: read it with personal data"
        )


def _own_work(row: Verification) -> DeniedError:
    return DeniedError("own_work", f"a second person must decide on {row.ref[:64]!r}: you had a part in it")
