"""Frozen releases as use-cases: freeze, show, recompute, compare with today.

1. A release is sealed as receipts are, by a detached CAdES signature over its canonical bytes, and recorded in the log.
2. It is never changed. A release that has to be corrected is made again under another name.
3. To verify is to count again: from the very versions and claims that it names, to the very bytes that were sealed.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from pydantic import JsonValue, ValidationError
from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.outputs import output
from app.custody.service import events_of
from app.errors import CatenaError, ConflictError, EnvironmentFailedError, InvalidInputError, NotFoundError
from app.evidence.models import Case
from app.incidents import store
from app.incidents.bodies import check_body
from app.incidents.records import entry_record, person
from app.keyring.history import read_history
from app.patterns.counting import METHOD, METHODS, count
from app.patterns.differences import History, differences
from app.patterns.models import FrozenRelease
from app.patterns.population import aggregates_today, cited, seen_today
from app.patterns.recount import recount, statement_bytes
from app.patterns.service import check_name, parsed, rule_named
from app.timestamps.service import Timestamps, release_subject
from app.timestamps.stamps import StampState
from app.version import version
from evidence_store.bundle.events import parse_event
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import add_tokens, seal_imprint, verify_seal
from evidence_store.trust import CA
from schemas.records.v1.pattern import CountingProgram, FrozenReleaseRecord, Member
from schemas.records.v1.receipt import ArchiveNames

log = logging.getLogger("catena.patterns")

STATEMENT_ROLE, SEAL_ROLE = "release", "release signature"
_MAX_TITLE = 500


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """A release: its record, the sealed bytes, and their seal (DER)."""

    record: FrozenReleaseRecord
    statement: bytes
    seal: bytes

    @property
    def sha256(self) -> str:
        """Of the statement."""
        return hashlib.sha256(self.statement).hexdigest()


@dataclass
class Verified:
    """What came of a verification; it holds when nothing was found."""

    findings: list[dict[str, str]] = field(default_factory=list)
    members: int = 0
    identical: bool = False
    sealed_at: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For interfaces."""
        return {
            "ok": not self.findings,
            "identical": self.identical,
            "members": self.members,
            "sealed_at": self.sealed_at,
            "findings": self.findings,
        }

    def fail(self, code: str, detail: str) -> None:
        """Name what is wrong."""
        self.findings.append({"code": code, "severity": "error", "detail": detail})


class Releases:
    """The frozen releases of one archive."""

    def __init__(self, archive: Archive, access: Access, timestamps: Timestamps) -> None:
        """Bind to an archive, and to what asks for time stamps over its releases."""
        self._archive = archive
        self._access = access
        self._timestamps = timestamps

    def freeze(self, who: Principal, case: Case, ref: str, rule: str, title: str | None = None) -> ReleaseView:
        """Freeze what a rule counts today, under a name.

        Args:
            who: who answers for it.
            case: whose incidents are counted.
            ref: the release's name for people, unique in the case.
            rule: name of an inclusion rule, or `NAME@NUMBER`.
            title: what it is called, up to 500 characters; the rule's title when left out.

        Raises:
            NotFoundError: `unknown_case`, `unknown_pattern_rule`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_incident_ref`, `text_too_long`.
            ConflictError: `release_exists`.
        """
        self._access.require(who, "export.create", case.id)
        check_body("other", ref, {"title": title})
        if title is not None and not 1 <= len(title.strip()) <= _MAX_TITLE:
            raise InvalidInputError("text_too_long", f"the title of a release has 1 to {_MAX_TITLE} characters")
        custody = self._archive.custody
        with self._archive.db.read() as session:
            _require_new(session, case.id, ref)
            chosen = rule_named(session, case.id, rule).cited
            done = count(parsed(chosen), seen_today(session, case.id))
            beside = [cited(one) for one in aggregates_today(session, case.id)]
        record = FrozenReleaseRecord(
            archive=ArchiveNames(**self._archive.identity.as_json()),
            release=str(uuid.uuid4()),
            case=case.id,
            ref=ref,
            method=METHOD,
            program=CountingProgram(version=version()),
            title=parsed(chosen).title if title is None else title.strip(),
            rule=chosen,
            members=done.members,
            numbers=done.numbers,
            aggregates=tuple(beside),
            author=person(who),
            created_at=custody.now(),
        )
        statement = statement_bytes(record)
        seal = self._archive.seal_key().seal(statement, self._archive.clock())
        row = FrozenRelease(
            id=record.release,
            case_id=case.id,
            ref=ref,
            statement=statement,
            seal=seal,
            created_at=record.created_at,
            created_by=who.user_id,
        )
        with self._archive.db.write() as session:
            custody.lock(session)  # frozen twice at once: one of them is told
            _require_new(session, case.id, ref)
            made = [output(STATEMENT_ROLE, statement), output(SEAL_ROLE, seal)]
            custody.record(
                session,
                f"release:{row.id}",
                "digital signature generation",
                who.actor,
                details={
                    "case": case.id,
                    "rule": chosen.sha256,
                    "included": done.numbers["included"],
                    "outputs": made,
                },
                rows=[row],
            )
            self._timestamps.request(session, release_subject(row.id), seal_imprint(seal).hex())
        return ReleaseView(record, statement, seal)

    def list_releases(self, who: Principal, case: Case) -> list[ReleaseView]:
        """The releases of a case, oldest first.

        Raises:
            NotFoundError: `unknown_case`.
            DeniedError: `not_allowed`.
        """
        self._access.require(who, "incident.read", case.id)
        with self._archive.db.read() as session:
            found = select(FrozenRelease).where(FrozenRelease.case_id == case.id)
            return [_view(row) for row in session.exec(found.order_by(col(FrozenRelease.created_at)))]

    def get(self, who: Principal, case: Case, ref: str) -> ReleaseView:
        """A release by its name or UUID.

        Raises:
            NotFoundError: `unknown_case`, `unknown_release`.
            DeniedError: `not_allowed`.
        """
        return _view(self._row(who, case, ref))

    def _row(self, who: Principal, case: Case, ref: str) -> FrozenRelease:
        self._access.require(who, "incident.read", case.id)
        wanted = select(FrozenRelease).where(FrozenRelease.case_id == case.id)
        wanted = wanted.where((col(FrozenRelease.ref) == ref) | (col(FrozenRelease.id) == ref))
        with self._archive.db.read() as session:
            found = list(session.exec(wanted)) if check_name(ref) else []
        if not found:
            raise NotFoundError("unknown_release", f"the case has no release {ref[:64]!r}")
        return next((row for row in found if row.ref == ref), found[0])

    # -- time stamps --------------------------------------------------------------------------

    def require_known(self, who: Principal, release_id: str) -> None:
        """Refuse whoever may not know of the proofs of a release, which he names by its UUID.

        Raises:
            NotFoundError: `unknown_release`.
            DeniedError: `not_allowed`.
        """
        with self._archive.db.read() as session:
            row = session.get(FrozenRelease, release_id)
        try:
            if row is not None:
                self._access.require(who, "item.custody", row.case_id)  # proofs: an auditor sees those of every case
                return
        except NotFoundError:
            pass  # of a case that he does not know
        raise NotFoundError("unknown_release", "there is no such release")

    def stamps(self, view: ReleaseView) -> list[StampState]:
        """How far each time stamp over its seal has come."""
        return self._timestamps.states(release_subject(view.record.release))

    def stamped_seal(self, view: ReleaseView) -> bytes:
        """The seal as it is handed out: with the time stamps that are there (CAdES B-T), else B-B.

        The stored seal never changes: its digest is in the log.
        """
        tokens = self._timestamps.tokens(release_subject(view.record.release))
        try:
            return add_tokens(view.seal, tokens.values()) if tokens else view.seal
        except EvidenceStoreError as error:
            log.warning("the seal of release %s is handed out without time stamps: %s", view.record.release, error)
            return view.seal

    # -- verification -------------------------------------------------------------------------

    def verify(self, who: Principal, case: Case, ref: str) -> Verified:
        """Count a release again from the versions that it names, and check its seal and its place in the log.

        Whether the seal's key was to be believed when it sealed is for `catena audit` to judge; here it must lead to a
        certificate of this archive's.

        Raises:
            NotFoundError: `unknown_case`, `unknown_release`.
            DeniedError: `not_allowed`.
        """
        row, done = self._row(who, case, ref), Verified()
        with self._archive.db.read() as session:
            self._check_seal(session, row, done)
            try:
                record = _view(row).record
            except CatenaError as error:
                done.fail(error.code, error.detail)
                return done
            done.members = len(record.members)
            trouble = recount(session, record, row.statement)
        done.identical = trouble is None
        if trouble is not None:
            done.fail(trouble.code, trouble.detail)
        return done

    def _check_seal(self, session: Session, row: FrozenRelease, done: Verified) -> None:
        try:
            history = read_history(session, self._archive.identity.id)
            roots = [x509.load_pem_x509_certificate(one.material.encode()) for one in history.of(CA)]
            done.sealed_at = verify_seal(row.seal, row.statement, roots).signing_time.isoformat()
        except (CatenaError, EvidenceStoreError) as error:
            done.fail("release_seal_invalid", f"{error.code}: {error.detail}")
        except (TypeError, AttributeError):
            done.fail("release_seal_invalid", "its statement or seal is stored as something else than bytes")
        named: dict[Any, Any] = {}
        for event in events_of(session, f"release:{row.id}"):
            try:
                listed = parse_event(event.canonical).details.get("outputs")
                made = listed if isinstance(listed, list) else []
                named |= {one.get("role"): one.get("sha256") for one in made if isinstance(one, dict)}
            except (EvidenceStoreError, TypeError):
                done.fail("release_not_in_log", "its event cannot be read")
        for role, data in ((STATEMENT_ROLE, row.statement), (SEAL_ROLE, row.seal)):
            if not isinstance(data, bytes) or named.get(role) != hashlib.sha256(data).hexdigest():
                done.fail("release_not_in_log", f"no event of the log names its {role} as it is")

    def diff(self, who: Principal, case: Case, ref: str) -> dict[str, Any]:
        """What is different today, member by member; see `differences`.

        Raises:
            NotFoundError: `unknown_case`, `unknown_release`.
            DeniedError: `not_allowed`.
        """
        release = self.get(who, case, ref).record
        with self._archive.db.read() as session:
            method = release.method if release.method in METHODS else METHOD
            today = count(parsed(release.rule), seen_today(session, case.id), method)
            then = {member.entry: member for member in release.members}
            history = {
                now.entry: _history(session, then[now.entry], now)
                for now in today.members
                if now.entry in then and then[now.entry] != now
            }
            published = [cited(one) for one in aggregates_today(session, case.id)]
            known = {one.entry: one for one in release.aggregates}
            history |= {
                now.entry: History(_restated(session, now.entry, known[now.entry].number))
                for now in published
                if now.entry in known and known[now.entry] != now
            }
            newest = rule_named(session, case.id, release.rule.ref)
        report = differences(release, today, history, published)
        return {
            "release": release.ref,
            "frozen_at": release.created_at,
            "compared_at": self._archive.custody.now(),
            "rule": {"ref": release.rule.ref, "number": release.rule.number, "newest": newest.record.number},
            **report,
        }


def _history(session: Session, before: Member, now: Member) -> History:
    known = {digest: claim for claim, digest in store.claims_of(session, now.entry)}
    came = [
        f"claim {claim.ref} by {claim.author.name}, {claim.created_at}"
        for digest, claim in known.items()
        if digest in set(now.claims) - set(before.claims)
    ]
    went = [
        f"claim {known[digest].ref} was replaced" if digest in known else "a claim is gone: run 'catena audit'"
        for digest in before.claims
        if digest not in now.claims
    ]
    return History(_restated(session, now.entry, before.number), [*came, *went])


def _restated(session: Session, entry: str, after: int) -> list[str]:
    """The versions of an entry since the one of this number, with authors and reasons."""
    return [
        f"version {record.number} by {record.author.name}, {record.created_at}: {record.reason}"
        for record in (entry_record(row) for row in store.versions(session, entry))
        if record.number > after
    ]


def _require_new(session: Session, case_id: str, ref: str) -> None:
    known = select(FrozenRelease.id).where(FrozenRelease.case_id == case_id, FrozenRelease.ref == ref)
    if session.exec(known).first() is not None:
        raise ConflictError("release_exists", f"the case has a release {ref[:64]!r}: releases are never changed")


def _view(row: FrozenRelease) -> ReleaseView:
    try:
        return ReleaseView(FrozenReleaseRecord.model_validate_json(row.statement), row.statement, row.seal)
    except (ValidationError, TypeError):
        detail = f"release {row.id} is not as it was written: run 'catena audit'"
        raise EnvironmentFailedError("release_damaged", detail, status=500) from None


def as_shown(view: ReleaseView) -> dict[str, JsonValue]:
    """A release for interfaces: its record with the digest of what was sealed."""
    return {**view.record.model_dump(mode="json"), "sha256": view.sha256}
