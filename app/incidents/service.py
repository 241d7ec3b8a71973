"""Incidents of one archive as use-cases: authorise, decide, write, record."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice

from pydantic import JsonValue, ValidationError
from sqlmodel import Session, col, select

from app.access.rules import Action
from app.access.service import Access, Principal
from app.archive import Archive
from app.errors import ConflictError, DeniedError, InvalidInputError, NotFoundError
from app.evidence.models import Case
from app.evidence.service import item_or_none
from app.incidents import store
from app.incidents.bodies import Body, IncidentBody, check_body, keyed, read_body, storable, targets_of
from app.incidents.double_tap import Limits, Pair, hits_of, pairs
from app.incidents.facts import Scope, StatedFacts, stated_facts
from app.incidents.models import IncidentEntry
from app.incidents.records import body_digest, person
from app.incidents.standing import bounds, days_of
from app.incidents.store import EntryView
from app.incidents.unresolved import Unresolved, named_in, unresolved
from evidence_store.bundle.shapes import is_uuid
from schemas.records.v1.incident import MAX_REASON, IncidentClaimRecord

CheckFacts = Callable[[dict[str, JsonValue]], None]
"""Refuses facts that the vocabulary of the suggestions does not know; law lies above this room, so it is handed in."""
Provisions = Callable[[], Collection[str] | None]
"""Ids of the provisions in the newest version of the catalogue, if it can be read; handed in for the same reason."""

UNKNOWN_INCIDENT = "there is no such incident, or you are not a member of its case"
_MAX_PAGE = 500
MAX_PAIRS = 1_000


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """A page of incidents in the order in which they were entered; `cursor` leads to the next one."""

    incidents: list[EntryView]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Assessed:
    """What a suggestion is made from: the incident, its stated facts, and the first and last day to compare with."""

    view: EntryView
    facts: StatedFacts
    days: tuple[date, date] | None


class Incidents:
    """The incidents of one archive."""

    def __init__(self, archive: Archive, access: Access, check_facts: CheckFacts, provisions: Provisions) -> None:
        """Bind to an archive."""
        self.provisions = provisions
        self._archive = archive
        self._access = access
        self._check_facts = check_facts

    # -- writing ------------------------------------------------------------------------------

    def add(self, who: Principal, case: Case, ref: str, body: object) -> EntryView:
        """Enter an incident.

        Args:
            who: the author.
            case: its case.
            ref: its id for people, unique in the case.
            body: see `bodies.IncidentBody`.

        Raises:
            NotFoundError: `unknown_case`, and `unknown_item`, `unknown_statement`, `unknown_claim` for what a count of
                dead and injured rests on.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_incident_ref`, `bad_incident_entry`.
            ConflictError: `incident_exists`.
        """
        self._access.require(who, "incident.write", case.id)
        checked = check_body("incident", ref, keyed("incident", ref, body))
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)  # two who enter it at once: one of them is told
            if store.entry_named(session, case.id, "incident", ref) is not None:
                raise ConflictError("incident_exists", f"the case has an incident {ref[:64]!r} already")
            made = store.put_entry(session, custody, who, case.id, "incident", ref, checked)
            store.require_sources(session, made.entry, checked)
            return made

    def revise(self, who: Principal, name: str, body: object, reason: str, expected: int) -> EntryView:
        """State an incident anew; earlier versions stay.

        Args:
            who: the author.
            name: UUID or id for people.
            body: the whole new body.
            reason: why, 1 to 2,000 characters.
            expected: number of the version that the author had before him.

        Raises:
            NotFoundError: `unknown_incident`; `unknown_item`, `unknown_statement`, `unknown_claim` as in `add`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_incident_entry`, `reason_required`, `text_too_long`, `incident_unchanged`.
            ConflictError: `incident_changed` when there is a newer version than the expected one.
        """
        entry = self.permitted(who, name, "incident.write")
        checked = check_body("incident", entry.ref, keyed("incident", entry.ref, body))
        because = checked_reason(reason)
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)  # the number that is read now is the newest until the commit
            newest = store.versions(session, entry.id)[-1]
            if newest.number != expected:
                raise ConflictError(
                    "incident_changed", f"version {newest.number} is the newest, not {expected}: look at it, try again"
                )
            if newest.body_sha256 == body_digest(checked):
                raise InvalidInputError("incident_unchanged", f"that is what version {newest.number} states")
            store.require_sources(session, entry, checked)
            return store.put_version(session, custody, who, entry, checked, because)

    def claim(self, who: Principal, name: str, given: dict[str, JsonValue]) -> IncidentClaimRecord:
        """Record who says what of an incident, or what is seen in an item; it stands beside all others.

        Args:
            who: the author of the entry.
            name: of the incident.
            given: the fields of `IncidentClaimRecord` that are not the archive's own; `ref` may be left out.

        Raises:
            NotFoundError: `unknown_incident`, `unknown_item`, `unknown_claim`, `unknown_strike`, `unknown_target`.
            DeniedError: `not_allowed`, `not_own_claim`.
            InvalidInputError: `bad_claim`, and the codes of facts.
            ConflictError: `claim_exists`.
        """
        entry = self.permitted(who, name, "incident.write")
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)
            record = self.claim_in(session, who, entry, given)
            if record.strike is not None or record.target is not None:  # a file may hold what outlived its target
                (newest,) = store.newest(session, [entry])
                require_part(newest.record.body, Scope(record.strike, record.target))
            if store.claim_named(session, entry.id, record.ref) is not None:
                raise ConflictError("claim_exists", f"the incident has a claim {record.ref[:64]!r} already")
            store.put_claim(session, custody, who, record)
            return record

    def claim_in(
        self, session: Session, who: Principal, entry: IncidentEntry, given: dict[str, JsonValue]
    ) -> IncidentClaimRecord:
        """A checked claim, not yet written."""
        identity = str(uuid.uuid4())
        defaults: dict[str, JsonValue] = {
            "ref": identity,
            "kind": "claim",
            "conditional": False,
            "fact": None,
            "value": None,
            "rests_on": [],
            "supersedes": None,
        }
        own: dict[str, JsonValue] = {
            "claim": identity,
            "incident": entry.id,
            "author": person(who).model_dump(mode="json"),
            "created_at": self._archive.custody.now(),
        }
        check_body("other", "claim", given)  # no floats, no broken text
        if set(given) & set(own):
            raise InvalidInputError("bad_claim", f"{min(set(given) & set(own))} is the archive's own")
        try:
            record = IncidentClaimRecord.model_validate({**defaults, **given, **own})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "claim"
            raise InvalidInputError("bad_claim", f"{where}: {first['msg']}") from None
        check_body("other", record.ref, {})
        self._check_claim(session, who, entry, record)
        return record

    def _check_claim(self, session: Session, who: Principal, entry: IncidentEntry, record: IncidentClaimRecord) -> None:
        if (record.fact is None) != (record.value is None):
            raise InvalidInputError("bad_claim", "a claim states a fact with its value, or neither")
        if record.fact is not None:
            self._check_facts({record.fact: record.value})
        if record.kind == "observation" and not any(one.kind == "item" for one in record.rests_on):
            raise InvalidInputError("bad_claim", "an observation names the item in which it is seen")
        for one in record.rests_on:
            found = item_or_none(session, one.ref) if one.kind == "item" else None
            if one.kind == "item" and (found is None or found[0].case_id != entry.case_id):
                raise NotFoundError("unknown_item", "the case has no such item")
            if one.kind == "statement" and store.entry_named(session, entry.case_id, "statement", one.ref) is None:
                raise NotFoundError("unknown_statement", "the case has no such statement")
        if record.supersedes is not None:
            earlier = store.claim_of(session, entry.id, record.supersedes)
            if earlier is None:
                raise NotFoundError("unknown_claim", "the incident has no such claim")
            if earlier.author.id != who.user_id:
                raise DeniedError("not_own_claim", "only its author can replace a claim; state your own beside it")

    # -- reading ------------------------------------------------------------------------------

    def permitted(self, who: Principal, name: str, action: Action, case_id: str | None = None) -> IncidentEntry:
        """An incident by UUID or by its id for people, when the actor may do `action` in its case.

        Raises:
            NotFoundError: `unknown_incident`, also for one of which the actor may not know.
            DeniedError: `not_allowed`.
            ConflictError: `ambiguous_incident` when several of the actor's cases have one of this name.
        """
        self._access.require_role(who, action)
        visible = self._access.visible_cases(who)
        wanted = select(IncidentEntry).where(IncidentEntry.kind == "incident")
        wanted = wanted.where(IncidentEntry.id == name if is_uuid(name) else IncidentEntry.ref == name)
        if case_id is not None:
            wanted = wanted.where(IncidentEntry.case_id == case_id)
        with self._archive.db.read() as session:
            found = list(session.exec(wanted)) if storable(name) else []
        known = [entry for entry in found if visible is None or entry.case_id in visible]
        if len(known) > 1:
            raise ConflictError("ambiguous_incident", "several cases have an incident of this name: name the case")
        if not known:
            about = f"case:{found[0].case_id}" if found else self._archive.about
            self._access.record_denial(who.actor, about, action)
            raise NotFoundError("unknown_incident", UNKNOWN_INCIDENT)
        self._access.require(who, action, known[0].case_id)
        return known[0]

    def get(self, who: Principal, name: str, *, personal: bool = False, case_id: str | None = None) -> EntryView:
        """An incident in its newest version.

        Args:
            who: the reader.
            name: UUID or id for people.
            personal: the reader wants the names of persons, too; the read is recorded then.
            case_id: of this case only.

        Raises:
            NotFoundError: `unknown_incident`.
            DeniedError: `not_allowed`.
        """
        entry = self.permitted(who, name, "incident.read", case_id)
        with self._archive.db.read() as session:
            (found,) = store.newest(session, [entry])
        if personal and found.record.standing.get("personal_data"):
            with self._archive.db.write() as session:
                self._archive.custody.record(
                    session, f"incident:{entry.id}", "access", who.actor, details={"part": "personal data"}
                )
        return found

    def history(self, who: Principal, name: str) -> list[EntryView]:
        """Every version of an incident, oldest first.

        Raises:
            NotFoundError: `unknown_incident`.
        """
        entry = self.permitted(who, name, "incident.read")
        with self._archive.db.read() as session:
            return [store.view(entry, version) for version in store.versions(session, entry.id)]

    def unresolved(self, view: EntryView) -> list[Unresolved]:
        """What an incident that its reader was let to see names and the case or the catalogue does not have."""
        record = view.record
        statements = [ref for _, kinds, ref in named_in("incident", record.body) if "statement" in kinds]
        with self._archive.db.read() as session:
            found = store.refs_among(session, record.case, "statement", statements)
        known = {("statement", ref) for ref in found}
        return list(unresolved("incident", record.ref, record.body, known, self.provisions()))

    def claims(self, who: Principal, name: str) -> list[tuple[IncidentClaimRecord, bool]]:
        """Every claim about an incident, oldest first, and whether it stands or was replaced by its author.

        Raises:
            NotFoundError: `unknown_incident`.
        """
        entry = self.permitted(who, name, "incident.read")
        with self._archive.db.read() as session:
            found = store.claims_of(session, entry.id)
        standing = {claim.claim for claim, _ in store.standing_claims(found)}
        return [(claim, claim.claim in standing) for claim, _ in found]

    def entries(self, who: Principal, case: Case, kinds: Sequence[str]) -> list[EntryView]:
        """What a case holds beside its incidents, in the order in which it was entered.

        Raises:
            NotFoundError: `unknown_case`.
            DeniedError: `not_allowed`.
        """
        self._access.require(who, "incident.read", case.id)
        with self._archive.db.read() as session:
            found = [entry for entry in store.entries_of(session, case.id) if entry.kind in kinds]
            return store.newest(session, found)

    def list_incidents(
        self, who: Principal, case_id: str | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> IncidentPage:
        """Incidents that the actor may read, by case and in the order in which they were entered.

        Raises:
            InvalidInputError: `bad_cursor`, `bad_limit`.
            DeniedError: `not_allowed`.
        """
        if case_id is None:
            self._access.require_role(who, "incident.read")
        else:
            self._access.require(who, "incident.read", case_id)
        if not 1 <= limit <= _MAX_PAGE:
            raise InvalidInputError("bad_limit", f"limit is 1 to {_MAX_PAGE}")
        visible = [case_id] if case_id is not None else self._access.visible_cases(who)
        wanted = select(IncidentEntry).where(IncidentEntry.kind == "incident")
        if visible is not None:
            wanted = wanted.where(col(IncidentEntry.case_id).in_(visible))
        if cursor is not None:
            case, _, place = cursor.partition("~")
            if not place.isdecimal() or len(place) > 9:  # noqa: PLR2004 - what an integer column holds
                raise InvalidInputError("bad_cursor", "this cursor was not made by this service")
            later = (col(IncidentEntry.case_id) == case) & (col(IncidentEntry.place) > int(place))
            wanted = wanted.where((col(IncidentEntry.case_id) > case) | later)
        ordered = wanted.order_by(col(IncidentEntry.case_id), col(IncidentEntry.place)).limit(limit + 1)
        with self._archive.db.read() as session:
            entries = list(session.exec(ordered))
            page = store.newest(session, entries[:limit])
        last = entries[limit - 1] if len(entries) > limit else None
        return IncidentPage(page, None if last is None else f"{last.case_id}~{last.place}")

    def double_taps(self, who: Principal, case: Case, limits: Limits) -> tuple[list[Pair], bool]:
        """Pairs of strikes of a case that lie, or may lie, within the limits, and whether there are more than these.

        Raises:
            NotFoundError: `unknown_case`.
            DeniedError: `not_allowed`.
        """
        found = self.entries(who, case, ["incident"])
        hits = [hit for one in found for hit in hits_of(one.entry.ref, one.record.body)]
        shown = list(islice(pairs(hits, limits), MAX_PAIRS + 1))
        return shown[:MAX_PAIRS], len(shown) > MAX_PAIRS

    def assessed(self, who: Principal, name: str, case_id: str | None = None) -> Assessed:
        """An incident with the facts that are stated of it, and when it happened.

        Raises:
            NotFoundError: `unknown_incident`.
            DeniedError: `not_allowed`.
        """
        entry = self.permitted(who, name, "incident.read", case_id)
        with self._archive.db.read() as session:
            return assessed_in(session, entry)


def require_part(body: Body, scope: Scope) -> None:
    """Refuse a strike or target that an incident's record does not list.

    Raises:
        NotFoundError: `unknown_strike`, `unknown_target`.
    """
    sequence = body.get("sequence")
    if scope.strike is not None and scope.strike > (len(sequence) if isinstance(sequence, list) else 0):
        raise NotFoundError("unknown_strike", f"the incident's record has no strike {scope.strike}")
    if scope.target is not None and scope.target not in {one.id for one in targets_of(body)}:
        raise NotFoundError("unknown_target", f"the incident's record has no target {scope.target[:64]!r}")


def assessed_in(session: Session, entry: IncidentEntry) -> Assessed:
    """An incident with the facts that are stated of it, for a caller that has asked for the right."""
    (found,) = store.newest(session, [entry])
    claims = store.standing_claims(store.claims_of(session, entry.id))
    readings = store.newest(session, store.entries_of(session, entry.case_id, ["reading"]))
    bodies: dict[str, Body] = {
        one.entry.ref: one.record.body for one in readings if one.record.body.get("incident") == entry.ref
    }
    body = found.record.body
    days = days_of(read_body("incident", entry.ref, body, IncidentBody).date)
    return Assessed(found, stated_facts(body, bodies, claims), None if days is None else bounds(days))


def checked_reason(text: str) -> str:
    """Why a version is made.

    Raises:
        InvalidInputError: `reason_required`, `text_too_long`.
    """
    reason = text.strip()
    if not reason:
        raise InvalidInputError("reason_required", "say why it is stated anew")
    if len(reason) > MAX_REASON:
        raise InvalidInputError("text_too_long", f"a reason may have {MAX_REASON} characters")
    check_body("other", "reason", {"reason": reason})
    return reason
