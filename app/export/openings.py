"""Disclosing later what a bundle kept back: values with their salts, events, and small files, in one opening file."""

from __future__ import annotations

import json
import uuid
import zipfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from sqlmodel import Session, select

from app.access.service import Access, Principal
from app.assessment.ledger import Ledger
from app.custody.outputs import output
from app.custody.service import events_of
from app.disclosure.dossier import is_entry
from app.disclosure.models import DisclosureItem, DisclosureOpenings, DisclosureRow
from app.disclosure.rules import Recipient, parse_reason, restrictions_of
from app.disclosure.service import OPENING
from app.errors import ConflictError, EnvironmentFailedError, InvalidInputError, NotFoundError
from app.evidence.models import Item
from app.export.collected import Sources
from app.export.models import ExportRow
from app.export.service import Exports
from app.incidents import store
from app.incidents.models import IncidentClaim
from app.law.service import item_links
from app.review.service import item_reviews
from evidence_store.bundle import layout
from evidence_store.bundle.withheld import Opening, format_opening_file, parse_line, read_opening
from evidence_store.canonical import canonical_bytes
from evidence_store.digests import digest_stream

MAX_FILE = 4 << 20


@dataclass(frozen=True)
class Opened:
    """An opening file, and how much is in it."""

    id: str
    data: bytes
    sha256: str
    values: int
    events: int
    files: int


class Openings:
    """What can be opened of one archive's bundles."""

    def __init__(self, access: Access, sources: Sources, exports: Exports) -> None:
        """Bind to an archive."""
        self._archive = sources.archive
        self._access = access
        self._sources = sources
        self._exports = exports

    def disclose(
        self,
        who: Principal,
        export_id: str,
        recipient: Recipient,
        purpose: str,
        items: Sequence[str] = (),
        names: Sequence[str] = (),
        release: str = "",
    ) -> Opened:
        """Make an opening file; recorded before it is given. Restrictions are asked again, as they stand today.

        Args:
            who: who discloses.
            export_id: UUID of the export.
            recipient: to whom.
            purpose: why; needed.
            items: UUIDs of items, or of entries of the dossier; none means all of which something was kept back.
            names: beginnings of names without the item, such as `source.` or `original.sha256`: only these values, and
                neither events nor files. None means everything.
            release: why they are opened although restrictions stand; needed where one stands.

        Raises:
            NotFoundError: `unknown_export`, `unknown_item` for one that is not in the export.
            DeniedError: `not_allowed`.
            ConflictError: `nothing_withheld`, `restricted_items`.
            InvalidInputError: `nothing_to_open`, `reason_required`, `text_too_long`, `bad_text`.
            EnvironmentFailedError: `bundle_missing`, `record_missing`.
        """
        row = self._exports.get(who, export_id)
        for case_id in json.loads(row.cases):
            self._access.require(who, "export.create", case_id)
        why = parse_reason(purpose, "purpose")
        released = parse_reason(release, "release") if release.strip() else None
        with self._archive.db.read() as session:
            kept = session.get(DisclosureOpenings, export_id)
            if kept is None:
                raise ConflictError("nothing_withheld", "this export kept nothing back, or no bundle was made")
            held = json.loads(kept.data)
            chosen = _asked_for(held, json.loads(row.items), items, names)
            # an entry is withheld for the items that it names, or whose values it holds: terms of any stand against it
            asked = held if any(map(is_entry, chosen)) else chosen
            terms = self._standing(session, [one for one in asked if not is_entry(one)], recipient, released)
            events = [] if names else list(self._events(session, row, set(chosen)))
            files = {} if names else dict(self._files(session, chosen))
        openings = [opening for each in chosen.values() for opening in each]
        data = format_opening_file(export_id, openings, events, files)
        identity = self._record(who, row, recipient, why, chosen, terms, released, data)
        return Opened(identity, data, digest_stream([data]).sha256, len(openings), len(events), len(files))

    def _standing(
        self, session: Session, chosen: Iterable[str], recipient: Recipient, released: str | None
    ) -> dict[str, list[str]]:
        """The terms that stand against the recipient today, by item.

        Raises:
            ConflictError: `restricted_items` when there are any and nobody says why they are opened all the same.
        """
        current = self._sources.stated.current_of([session.get_one(Item, item) for item in chosen])
        terms = {item: sorted(restrictions_of(one.record, recipient)) for item, one in current.items()}
        held = [f"{item}: {', '.join(each)}" for item, each in terms.items() if each]
        if held and released is None:
            told = "; ".join(held[:10])
            raise ConflictError(
                "restricted_items",
                f"restrictions stand against {recipient.name} ({told}): leave these items out, or release them with a "
                "reason",
            )
        return terms

    def _events(self, session: Session, row: ExportRow, items: set[str]) -> Iterator[bytes]:
        """The texts of the events that the bundle has stubs of."""
        path = self._archive.settings.exports / f"{row.id}.zip"
        try:
            with zipfile.ZipFile(path) as bundle:
                lines = bundle.read(layout.EVENTS).splitlines()
        except (OSError, KeyError, zipfile.BadZipFile):
            raise EnvironmentFailedError("bundle_missing", "the bundle's file is gone: export again") from None
        stubs = {event.digest: event for event, withheld in map(parse_line, lines) if withheld}
        for about in sorted(map(_about, items)):
            texts = {digest_stream([one.canonical]).sha256: one.canonical for one in events_of(session, about)}
            for digest, stub in stubs.items():
                if stub.object == about:
                    if digest not in texts:
                        raise EnvironmentFailedError(
                            "record_missing", f"event {stub.event_id} is not as it was written"
                        )
                    yield texts[digest]

    def _files(self, session: Session, chosen: dict[str, list[Opening]]) -> Iterator[tuple[str, bytes]]:
        """Small files as they were committed to; what was made anew since is not among them."""
        for item_id, openings in chosen.items():
            wanted = {
                str(one.value["sha256"]): one.name
                for one in openings
                if isinstance(one.value, dict) and "/file/" in one.name
            }
            for data in self._candidates(session, item_id):
                if (name := wanted.pop(digest_stream([data]).sha256, None)) is not None and len(data) <= MAX_FILE:
                    yield name, data

    def _candidates(self, session: Session, held: str) -> Iterator[bytes]:
        if is_entry(held):
            entry = held.partition(":")[2]
            yield from (version.record for version in store.versions(session, entry))
            yield from session.exec(select(IncidentClaim.record).where(IncidentClaim.incident_id == entry))
            yield from (data for _, _, data in Ledger.read(session, entry).records())
            return
        item = session.get_one(Item, held)
        yield from (link.record for link in item_links(session, item.id))
        yield from (review.record for review in item_reviews(session, item.id))
        yield from self._sources.stated.records_of(item)
        yield from self._sources.checks.records_of(item.id).values()
        yield from (run.record for run in self._sources.analysis.history(item.id) if run.record)
        receipt = self._sources.evidence.receipt(item.id)
        if receipt is not None:
            yield from (receipt.statement, receipt.seal)
        for made in self._sources.evidence.derivatives(item.id):
            if made.role == "preview":
                with self._archive.blobs.open(made.sha256) as stream:
                    yield stream.read()

    def _record(
        self,
        who: Principal,
        export: ExportRow,
        recipient: Recipient,
        purpose: str,
        chosen: dict[str, list[Opening]],
        terms: dict[str, list[str]],
        released: str | None,
        data: bytes,
    ) -> str:
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)
            row = DisclosureRow(
                id=str(uuid.uuid4()),
                export_id=export.id,
                kind=OPENING,
                recipient=recipient.name,
                recipient_kind=recipient.kind,
                purpose=purpose,
                decided=canonical_bytes({item: len(openings) for item, openings in chosen.items()}).decode(),
                left_out="[]",
                acknowledged="",
                sha256=digest_stream([data]).sha256,
                created_at=custody.now(),
                created_by=who.user_id,
            )
            custody.record(
                session,
                f"export:{export.id}",
                "dissemination",
                who.actor,
                details={
                    "outcome": "opened",
                    "recipient": {"name": recipient.name, "kind": recipient.kind},
                    "purpose": purpose,
                    "items": len(chosen),
                    "outputs": [output("opening", data)],
                },
                rows=[row],
            )
            self._tell_objects(session, who, export, row, chosen, terms, released)
        return row.id

    def _tell_objects(
        self,
        session: Session,
        who: Principal,
        export: ExportRow,
        row: DisclosureRow,
        chosen: dict[str, list[Opening]],
        terms: dict[str, list[str]],
        released: str | None,
    ) -> None:
        """An event of each incident and item that is opened, and of each item whose terms stood against it."""
        custody, places = self._archive.custody, list(json.loads(export.items))
        told: dict[str, JsonValue] = {"export": export.id, "purpose": row.purpose, "disclosed": "opened"}
        for incident in (one for one in chosen if one.startswith("incident:")):
            custody.record(session, incident, "dissemination", who.actor, details=told)
        for held in (item for item, standing in terms.items() if standing or item in chosen):
            openings = chosen.get(held, [])
            marked = DisclosureItem(
                id=str(uuid.uuid4()),
                disclosure_id=row.id,
                item_id=held,
                place=places.index(held),
                state="opened",
                parts=json.dumps([one.name.partition("/")[2] for one in openings]),
                terms=json.dumps(terms[held]),
                released=released if terms[held] else None,
            )
            details = told | ({"terms": [*terms[held]], "released": released} if terms[held] else {})
            custody.record(session, f"item:{held}", "dissemination", who.actor, details=details, rows=[marked])


def _asked_for(
    held: dict[str, list[object]], exported: Collection[str], items: Sequence[str], names: Sequence[str]
) -> dict[str, list[Opening]]:
    """Openings by item: of each that is asked for there are some, as nobody is to take silence for an answer.

    Raises:
        NotFoundError: `unknown_item`.
        InvalidInputError: `nothing_to_open`.
    """
    chosen: dict[str, list[Opening]] = {}
    entries = {one.partition(":")[2]: one for one in held if is_entry(one)}
    wanted = [entries.get(one, one) for one in items]
    for one in wanted or held:
        if one not in exported and not is_entry(one):
            raise NotFoundError("unknown_item", f"this export has no item {one}")
        if openings := list(_chosen(held.get(one, ()), _about(one), names)):
            chosen[one] = openings
    if missing := [one for one in wanted if one not in chosen]:
        raise InvalidInputError("nothing_to_open", f"nothing of that name was kept back of item {missing[0]}")
    if not chosen:
        raise InvalidInputError("nothing_to_open", "nothing of that name was kept back of these items")
    return chosen


def _about(held: str) -> str:
    """The object of the log: openings are kept by an item's UUID, or by the entry's object."""
    return held if is_entry(held) else f"item:{held}"


def _chosen(openings: Sequence[object], about: str, names: Sequence[str]) -> Iterator[Opening]:
    wanted = tuple(f"{about}/{name}" for name in names)
    for each in openings:
        opening = read_opening(each)
        if not wanted or opening.name.startswith(wanted):
            yield opening
