"""Statements, aggregates, organisations and observations as use-cases: enter, state anew, read; beside incidents.

They are entries as incidents are: versions that are never lost, each bound to the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from sqlmodel import Session, col, select

from app.access.rules import Action
from app.access.service import Access, Principal
from app.archive import Archive
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.evidence.models import Case
from app.incidents import store
from app.incidents.bodies import Body, check_body, keyed, storable
from app.incidents.models import IncidentEntry
from app.incidents.records import body_digest
from app.incidents.service import checked_reason
from app.incidents.store import EntryView
from evidence_store.bundle.shapes import is_uuid

Kind = Literal["statement", "aggregate", "organisation", "observation", "tension"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
UNKNOWN = "there is no such entry, or you are not a member of its case"
_MAX_PAGE = 500
_CURSOR_DIGITS = 9  # what an integer column holds


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A page of entries by case, in the order in which they were entered; `cursor` leads to the next one."""

    entries: list[EntryView]
    cursor: str | None


class Entries:
    """What an archive holds beside incidents."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access

    def add(self, who: Principal, case: Case, kind: str, ref: str, body: object) -> EntryView:
        """Enter a statement, an aggregate, an organisation or an observation.

        Args:
            who: the author.
            case: its case.
            kind: one of `KINDS`.
            ref: its id for people, unique among the case's entries of this kind; an organisation's is its name.
            body: see `bodies`.

        Raises:
            NotFoundError: `unknown_case`, `unknown_item` for an observation in an item that the case does not have.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_entry_kind`, `bad_incident_ref`, `bad_incident_entry`.
            ConflictError: `entry_exists`.
        """
        self._access.require(who, "incident.write", case.id)
        what = parse_kind(kind)
        checked = _checked(what, ref, body)
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)  # two who enter it at once: one of them is told
            if store.entry_named(session, case.id, what, ref) is not None:
                raise ConflictError("entry_exists", f"the case has a {what} {ref[:64]!r} already")
            _require_references(session, case.id, what, checked)
            return store.put_entry(session, self._archive.custody, who, case.id, what, ref, checked)

    def revise(self, who: Principal, name: str, body: object, reason: str, expected: int) -> EntryView:
        """State an entry anew; earlier versions stay.

        Raises:
            NotFoundError: `unknown_entry`, `unknown_item`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_incident_entry`, `reason_required`, `text_too_long`, `entry_unchanged`.
            ConflictError: `entry_changed` when there is a newer version than the expected one.
        """
        entry = self.permitted(who, name, "incident.write")
        checked, because = _checked(cast("Kind", entry.kind), entry.ref, body), checked_reason(reason)
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            newest = store.versions(session, entry.id)[-1]
            if newest.number != expected:
                raise ConflictError(
                    "entry_changed", f"version {newest.number} is the newest, not {expected}: look at it, try again"
                )
            if newest.body_sha256 == body_digest(checked):
                raise InvalidInputError("entry_unchanged", f"that is what version {newest.number} states")
            _require_references(session, entry.case_id, cast("Kind", entry.kind), checked)
            return store.put_version(session, self._archive.custody, who, entry, checked, because)

    def get(self, who: Principal, name: str, *, personal: bool = False) -> EntryView:
        """An entry in its newest version; who asks for personal data, of whichever version, is recorded.

        Raises:
            NotFoundError: `unknown_entry`.
            DeniedError: `not_allowed`.
        """
        entry = self.permitted(who, name, "incident.read")
        with self._archive.db.read() as session:
            versions = [store.view(entry, version) for version in store.versions(session, entry.id)]
        if personal and any(one.record.standing.get("personal_data") for one in versions):
            with self._archive.db.write() as session:
                self._archive.custody.record(
                    session, f"{entry.kind}:{entry.id}", "access", who.actor, details={"part": "personal data"}
                )
        return versions[-1]

    def history(self, who: Principal, name: str) -> list[EntryView]:
        """Every version of an entry, oldest first.

        Raises:
            NotFoundError: `unknown_entry`.
        """
        entry = self.permitted(who, name, "incident.read")
        with self._archive.db.read() as session:
            return [store.view(entry, version) for version in store.versions(session, entry.id)]

    def list_entries(
        self,
        who: Principal,
        case_id: str | None = None,
        kind: str | None = None,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> EntryPage:
        """Entries that the actor may read, of a kind or of all, by case and in the order in which they were entered.

        Raises:
            InvalidInputError: `bad_cursor`, `bad_limit`, `bad_entry_kind`.
            DeniedError: `not_allowed`.
        """
        if case_id is None:
            self._access.require_role(who, "incident.read")
        else:
            self._access.require(who, "incident.read", case_id)
        if not 1 <= limit <= _MAX_PAGE:
            raise InvalidInputError("bad_limit", f"limit is 1 to {_MAX_PAGE}")
        kinds = KINDS if kind is None else (parse_kind(kind),)
        visible = [case_id] if case_id is not None else self._access.visible_cases(who)
        wanted = select(IncidentEntry).where(col(IncidentEntry.kind).in_(kinds))
        if visible is not None:
            wanted = wanted.where(col(IncidentEntry.case_id).in_(visible))
        if cursor is not None:
            case, _, place = cursor.partition("~")
            if not place.isdecimal() or len(place) > _CURSOR_DIGITS:
                raise InvalidInputError("bad_cursor", "this cursor was not made by this service")
            later = (col(IncidentEntry.case_id) == case) & (col(IncidentEntry.place) > int(place))
            wanted = wanted.where((col(IncidentEntry.case_id) > case) | later)
        ordered = wanted.order_by(col(IncidentEntry.case_id), col(IncidentEntry.place)).limit(limit + 1)
        with self._archive.db.read() as session:
            entries = list(session.exec(ordered))
            page = store.newest(session, entries[:limit])
        last = entries[limit - 1] if len(entries) > limit else None
        return EntryPage(page, None if last is None else f"{last.case_id}~{last.place}")

    def permitted(self, who: Principal, name: str, action: Action) -> IncidentEntry:
        """An entry by UUID or by its id for people, when the actor may do `action` in its case; refusals are recorded.

        Raises:
            NotFoundError: `unknown_entry`, also for one of which the actor may not know.
            DeniedError: `not_allowed`.
            ConflictError: `ambiguous_entry` when there are several of this name.
        """
        self._access.require_role(who, action)
        visible = self._access.visible_cases(who)
        wanted = select(IncidentEntry).where(col(IncidentEntry.kind).in_(KINDS))
        wanted = wanted.where(IncidentEntry.id == name if is_uuid(name) else IncidentEntry.ref == name)
        with self._archive.db.read() as session:
            found = list(session.exec(wanted)) if storable(name) else []
        known = [entry for entry in found if visible is None or entry.case_id in visible]
        if len(known) > 1:
            raise ConflictError("ambiguous_entry", "several entries have this name: use the id (UUID)")
        if not known:
            about = f"case:{found[0].case_id}" if found else self._archive.about
            self._access.record_denial(who.actor, about, action)
            raise NotFoundError("unknown_entry", UNKNOWN)
        self._access.require(who, action, known[0].case_id)
        return known[0]


def parse_kind(text: str) -> Kind:
    """A kind of entry.

    Raises:
        InvalidInputError: `bad_entry_kind`.
    """
    for kind in KINDS:
        if kind == text:
            return kind
    raise InvalidInputError("bad_entry_kind", f"a kind is one of {', '.join(KINDS)}")


def _checked(kind: Kind, ref: str, body: object) -> Body:
    """The body, with the key by which a file of incidents knows it."""
    return check_body(kind, ref, keyed(kind, ref, body))


def _require_references(session: Session, case_id: str, kind: Kind, body: Body) -> None:
    if kind != "observation":
        return
    store.require_item(session, case_id, body)
    about = body.get("incident")
    if about is not None and store.entry_named(session, case_id, "incident", str(about)) is None:
        raise NotFoundError("unknown_incident", "the case has no such incident")
