"""Reading verification: one record, lists, where an item or incident stands, and what sources differ on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.errors import InvalidInputError
from app.evidence.service import permitted_item
from app.incidents.facts import WHOLE, Scope, Stated, parts_of
from app.incidents.models import IncidentEntry
from app.incidents.service import Incidents, assessed_in
from app.law.incident_suggestions import gathered
from app.law.suggestions_facts import united
from app.law.suggestions_rules import packaged_rules
from app.verification import store
from app.verification.bodies import parse_kind
from app.verification.ladder import history, ladder
from app.verification.masks import is_personal
from app.verification.models import Verification, VerificationSubject
from app.verification.resolve import normal
from app.verification.service import Verifications
from app.verification.store import View
from app.verification.sun_check import repeated

_MAX_PAGE = 500
_CURSOR_DIGITS = 9  # what an integer column holds


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records are listed; None asks for all.

    Attributes:
        case_id: of this case.
        kind: of this kind.
        subject: about the item or entry of this UUID.
    """

    case_id: str | None = None
    kind: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of records by case, in the order in which they were entered; `cursor` leads to the next one."""

    records: list[View]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A fact on which sources differ.

    Attributes:
        fact: its name.
        scope: of which part of the incident it is said.
        values: all that is stated, with what each rests on.
        decisions: records of decisions on it, whatever their state.
        held: the one value that a signed-off decision holds; meaningless while `decided` is false.
        decided: whether there is one that stands, and that considered all that is stated today.
        why: why none is held.
        by: the ref of the decision that holds one.
    """

    fact: str
    values: list[Stated]
    decisions: list[View] = field(default_factory=list)
    held: JsonValue = None
    decided: bool = False
    why: str | None = None
    by: str | None = None
    scope: Scope = WHOLE

    def as_json(self) -> dict[str, JsonValue]:
        """For interfaces."""
        return {
            "fact": self.fact,
            **self.scope.as_json(),
            "values": [{"value": one.value, "rests_on": one.rests_on} for one in self.values],
            "decided": self.decided,
            "held": self.held,
            "why_not": self.why,
            "decisions": [
                {"id": one.row.id, "ref": one.row.ref, "state": one.state, "held": one.newest.body.get("held")}
                for one in self.decisions
            ],
        }


class Reading:
    """Readers' view of the verification records of one archive."""

    def __init__(self, archive: Archive, access: Access, verifications: Verifications, incidents: Incidents) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._verifications = verifications
        self._incidents = incidents

    def get(self, who: Principal, name: str, *, personal: bool = False, case_id: str | None = None) -> View:
        """A record with all its versions and reviews.

        Args:
            who: the reader.
            name: UUID or id for people.
            personal: the reader wants the texts of a record with personal data, too; the read is recorded then.
            case_id: of this case only.

        Raises:
            NotFoundError: `unknown_verification`.
            DeniedError: `not_allowed`.
        """
        row = self._verifications.permitted(who, name, "incident.read", case_id)
        with self._archive.db.read() as session:
            (view,) = store.load(session, [row])
        if personal and any(is_personal(one.body) for one in view.versions):
            with self._archive.db.write() as session:
                self._archive.custody.record(
                    session, f"verification:{row.id}", "access", who.actor, details={"part": "personal data"}
                )
        return view

    def list_records(
        self, who: Principal, wanted: Wanted | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> Page:
        """Records that the actor may read, by case and in the order in which they were entered.

        Raises:
            InvalidInputError: `bad_cursor`, `bad_limit`, `bad_verification_kind`.
            DeniedError: `not_allowed`.
        """
        asked = wanted or Wanted()
        if asked.case_id is None:
            self._access.require_role(who, "incident.read")
        else:
            self._access.require(who, "incident.read", asked.case_id)
        if not 1 <= limit <= _MAX_PAGE:
            raise InvalidInputError("bad_limit", f"limit is 1 to {_MAX_PAGE}")
        visible = [asked.case_id] if asked.case_id is not None else self._access.visible_cases(who)
        rows = select(Verification)
        if visible is not None:
            rows = rows.where(col(Verification.case_id).in_(visible))
        if asked.kind is not None:
            rows = rows.where(Verification.kind == parse_kind(asked.kind))
        if asked.subject is not None:
            about = select(VerificationSubject.verification_id)
            rows = rows.where(col(Verification.id).in_(about.where(VerificationSubject.subject_id == asked.subject)))
        if cursor is not None:
            case, _, place = cursor.partition("~")
            if not place.isdecimal() or len(place) > _CURSOR_DIGITS:
                raise InvalidInputError("bad_cursor", "this cursor was not made by this service")
            later = (col(Verification.case_id) == case) & (col(Verification.place) > int(place))
            rows = rows.where((col(Verification.case_id) > case) | later)
        ordered = rows.order_by(col(Verification.case_id), col(Verification.place)).limit(limit + 1)
        with self._archive.db.read() as session:
            found = list(session.exec(ordered))
            page = store.load(session, found[:limit])
        last = found[limit - 1] if len(found) > limit else None
        return Page(page, None if last is None else f"{last.case_id}~{last.place}")

    # -- where it stands ----------------------------------------------------------------------

    def status_of_item(self, who: Principal, item_id: str) -> dict[str, JsonValue]:
        """Where an item stands on the ladder, with its history.

        Raises:
            NotFoundError: `unknown_item`.
            DeniedError: `not_allowed`.
        """
        item, _ = permitted_item(self._archive, self._access, who, item_id, "item.read")
        return self._status("item", item.id, item.received_at)

    def status_of_incident(self, who: Principal, name: str, case_id: str | None = None) -> dict[str, JsonValue]:
        """Where an incident stands on the ladder, with its history.

        Raises:
            NotFoundError: `unknown_incident`.
            DeniedError: `not_allowed`.
        """
        entry = self._incidents.permitted(who, name, "incident.read", case_id)
        return self._status("incident", entry.id, entry.created_at)

    def _status(self, kind: str, identity: str, since: str) -> dict[str, JsonValue]:
        with self._archive.db.read() as session:
            views = store.about(session, identity)
        return {
            "kind": kind,
            "id": identity,
            **ladder(views, since),
            "history": history(views, since),
            "records": [
                {"id": view.row.id, "ref": view.row.ref, "kind": view.row.kind, "state": view.state} for view in views
            ],
        }

    # -- what sources differ on ---------------------------------------------------------------

    def conflicts(self, who: Principal, name: str, case_id: str | None = None) -> list[Conflict]:
        """Facts of an incident on which sources differ, with all that is stated and what was decided.

        Raises:
            NotFoundError: `unknown_incident`.
            DeniedError: `not_allowed`.
        """
        entry = self._incidents.permitted(who, name, "incident.read", case_id)
        with self._archive.db.read() as session:
            return conflicts_in(session, entry)

    def held(self, entry: IncidentEntry, scope: Scope = WHOLE) -> dict[str, tuple[JsonValue, str]]:
        """As `held_in`, for a caller that has asked for the right."""
        with self._archive.db.read() as session:
            return held_in(session, entry, scope)

    def repeat(self, view: View) -> list[JsonValue]:
        """The positions of the sun of a record's newest version, computed again today."""
        return repeated(view.newest.computed.get("sun"))


def conflicts_in(session: Session, entry: IncidentEntry) -> list[Conflict]:
    """As `Reading.conflicts`, for a caller that has asked for the right.

    Of a part of the incident only what is not told of a wider one already.
    """
    assessed = assessed_in(session, entry)
    facts = assessed.facts
    scopes = [WHOLE, *(one.scope for one in facts.of_parts), *parts_of(assessed.view.record.body, facts)]
    found: list[Conflict] = []
    for scope in dict.fromkeys(scopes):
        for one in _differing(session, entry, facts.of(scope), scope):
            told = [known for known in found if scope.sees(known.scope) and known.values == one.values]
            if not any(known.decisions == one.decisions for known in told):
                found.append(one)
    return found


def held_in(session: Session, entry: IncidentEntry, scope: Scope = WHOLE) -> dict[str, tuple[JsonValue, str]]:
    """Facts of a part on which sources differ and one value is held: that value, and the ref of the decision.

    A decision on a wider part holds here as long as nothing else is said of this one; one on a part holds for no other.
    """
    found = _differing(session, entry, assessed_in(session, entry).facts.of(scope), scope)
    return {one.fact: (one.held, one.by) for one in found if one.decided and one.held is not None and one.by}


def _differing(session: Session, entry: IncidentEntry, stated: list[Stated], scope: Scope) -> list[Conflict]:
    values = {fact: [one for one in stated if one.fact == fact] for fact in dict.fromkeys(one.fact for one in stated)}
    several = {fact: said for fact, said in values.items() if len({normal(fact, one.value) for one in said}) > 1}
    decisions = store.about(session, entry.id, ["decision"]) if several else []
    together = united(gathered(stated), packaged_rules().vocabulary)
    found: list[Conflict] = []
    for fact, said in several.items():
        about = [view for view in decisions if _is_about(view, fact, said, scope)]
        if about or len(together[fact]) > 1 or not isinstance(together[fact][0], frozenset):
            found.append(_conflict(fact, said, about, scope))  # signs that add up are none, unless somebody decided
    return found


def conflict_on(fact: str, said: list[Stated], decisions: list[View]) -> Conflict | None:
    """The conflict on a fact of an incident as a whole, for a caller that read these; None where sources agree."""
    if len(distinct(fact, said)) < 2:  # noqa: PLR2004 - one alone is no conflict
        return None
    return _conflict(fact, said, [view for view in decisions if _is_about(view, fact, said, WHOLE)], WHOLE)


def distinct(fact: str, said: list[Stated]) -> list[JsonValue]:
    """The values of a fact, each once, as it was stated first."""
    return list({normal(fact, one.value): one.value for one in reversed(said)}.values())[::-1]


def _is_about(view: View, fact: str, said: list[Stated], scope: Scope) -> bool:
    body: dict[str, Any] = view.newest.body
    its = Scope(body.get("strike"), body.get("target"))
    return body.get("fact") == fact and scope.sees(its) and all(its.sees(one.scope) for one in said)


def _conflict(fact: str, values: list[Stated], decisions: list[View], scope: Scope) -> Conflict:
    signed = [view for view in decisions if view.state == "approved"]
    today = {normal(fact, one.value) for one in values}
    current = [view for view in signed if today <= _considered(fact, view)]
    held = {normal(fact, view.newest.body.get("held")) for view in current}
    why = None
    if not decisions:
        why = "nobody has decided"
    elif not signed:
        states = Counter(view.state for view in decisions)
        why = f"no decision is signed off: {', '.join(sorted(states))}"
    elif not current:
        why = "a value was stated that the decision did not consider"
    elif len(held) > 1:
        why = "signed-off decisions differ"
    if why is not None:
        return Conflict(fact, values, decisions, why=why, scope=scope)
    value = current[0].newest.body.get("held")
    return Conflict(fact, values, decisions, value, decided=True, by=current[0].row.ref, scope=scope)


def _considered(fact: str, view: View) -> set[str]:
    computed: dict[str, Any] = view.newest.computed
    return {normal(fact, one["value"]) for one in computed.get("values", [])}
