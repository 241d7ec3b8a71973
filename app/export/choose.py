"""Choosing what leaves: the items and incidents of a scope, with the right to export each of their cases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import col, select

from app.access.service import Access, Principal
from app.errors import ConflictError
from app.evidence.models import Blob, Item, Receipt
from app.evidence.service import Evidence
from app.export.assessed import LINK_ROLE, item_of
from app.export.collected import Sources
from app.export.dossier import entries_to_go, items_named
from app.export.rules import Options, require_entries, require_exportable, require_one_scope, require_options
from app.incidents.models import IncidentEntry
from app.verification.named import named_in
from evidence_store.canonical import JsonInput, canonical_bytes

PAGE = 500


@dataclass(frozen=True, slots=True)
class ChosenItem:
    """One item that leaves, with its blob and deposit receipt."""

    item: Item
    blob: Blob
    receipt: Receipt


@dataclass(frozen=True)
class Choice:
    """What leaves.

    Attributes:
        scope: as asked, for the manifest.
        cases: UUIDs of the cases concerned, sorted.
        items: in order of deposit, or as asked.
        options: what is asked for beside them.
        entries: of the case's dossier, in its order; empty when no incident is in scope.
        incident: UUID of the incident that was asked for; None for a case or items.
    """

    scope: dict[str, JsonInput]
    cases: tuple[str, ...]
    items: tuple[ChosenItem, ...]
    options: Options = field(default_factory=Options)
    entries: tuple[IncidentEntry, ...] = ()
    incident: str | None = None

    @property
    def objects(self) -> list[str]:
        """What the log calls the items and entries."""
        return [
            *(f"item:{chosen.item.id}" for chosen in self.items),
            *(f"{entry.kind}:{entry.id}" for entry in self.entries),
        ]

    @property
    def disclosed(self) -> list[str]:
        """The objects that get an event of their own when they leave: items and incidents."""
        return [about for about in self.objects if about.startswith(("item:", "incident:"))]

    @property
    def scope_text(self) -> str:
        """The scope as canonical JSON."""
        return canonical_bytes(self.scope).decode()

    @property
    def scope_sha256(self) -> str:
        """SHA-256 of the scope's canonical bytes, hex."""
        return hashlib.sha256(canonical_bytes(self.scope)).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all originals."""
        return sum(chosen.blob.size for chosen in self.items)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for: a case (reference or UUID), an incident (likewise; of that case, if any), or items."""

    case: str | None = None
    items: Sequence[str] | None = None
    incident: str | None = None
    options: Options = field(default_factory=Options)


def asked_again(scope: Mapping[str, Any], items: Sequence[str]) -> Asked:
    """What an export asked for, out of what was written down of it."""
    usual = Options()
    options = Options(
        **{name: scope.get(name, getattr(usual, name)) for name in ("derivatives", "analyses", "incidents")}
    )
    if "incident_id" in scope:
        return Asked(incident=scope["incident_id"], options=options)
    if "case_id" in scope:
        return Asked(case=scope["case_id"], options=options)
    return Asked(items=items, options=options)


def choose(sources: Sources, access: Access, who: Principal, asked: Asked) -> Choice:
    """Find the items of a scope and ask for the right to export them.

    Args:
        sources: where evidence and incidents are.
        access: the archive's access rules; a refusal is recorded.
        who: the exporter.
        asked: for what.

    Raises:
        InvalidInputError: `bad_scope`, `bad_export_option`, `nothing_to_export`, `too_many_items`, `too_many_entries`.
        NotFoundError: `unknown_case`, `unknown_item`, `unknown_incident`.
        DeniedError: `not_allowed`.
        ConflictError: `receipt_pending` when an item has no receipt yet; `ambiguous_incident`.
    """
    require_one_scope(asked.case, asked.items, asked.incident)
    require_options(asked.options)
    evidence = sources.evidence
    if asked.incident is not None:
        return _of_incident(sources, access, who, asked)
    entries: list[IncidentEntry] = []
    if asked.case is not None:
        case = evidence.find_case(who, asked.case)
        access.require(who, "export.create", case.id)
        found = list(_items_of(evidence, who, case.id))
        scope: dict[str, JsonInput] = {"case": case.ref, "case_id": case.id}
        cases: tuple[str, ...] = (case.id,)
        if asked.options.incidents == "all":
            access.require(who, "incident.read", case.id)
            with sources.archive.db.read() as session:
                entries = entries_to_go(session, case.id, None)
    else:
        wanted = list(dict.fromkeys(asked.items or ()))
        require_exportable(len(wanted))
        found = list(_items_named(sources, who, wanted))
        cases = tuple(sorted({item.case_id for item, _ in found}))
        for case_id in cases:
            access.require(who, "export.create", case_id)
        scope = {"items": sorted(wanted)}
    require_exportable(len(found))
    require_entries(len(entries))
    items = _with_receipts(sources, found)
    return Choice({**scope, **asked.options.as_scope()}, cases, items, asked.options, tuple(entries))


def _of_incident(sources: Sources, access: Access, who: Principal, asked: Asked) -> Choice:
    """An incident with what must go along, and every item that it or a claim about it refers to."""
    options = asked.options
    case_id = None if asked.case is None else sources.evidence.find_case(who, asked.case).id
    incident = sources.incidents.permitted(who, str(asked.incident), "incident.read", case_id)
    access.require(who, "export.create", incident.case_id)
    with sources.archive.db.read() as session:
        entries = entries_to_go(session, incident.case_id, incident.id)
    assessed = {item for entry in entries if entry.kind == "incident" for item in _assessed(sources, who, entry.id)}
    with sources.archive.db.read() as session:
        verified = named_in(session, incident.case_id, [incident.id]).items
        wanted = items_named(session, incident.case_id, entries, assessed | verified)
    require_exportable(len(wanted))
    require_entries(len(entries))
    items = _with_receipts(sources, list(_items_named(sources, who, wanted)))
    scope: dict[str, JsonInput] = {"incident": incident.ref, "incident_id": incident.id, "case_id": incident.case_id}
    return Choice(
        {**scope, **options.as_scope()}, (incident.case_id,), items, options, tuple(entries), incident=incident.id
    )


def _assessed(sources: Sources, who: Principal, incident: str) -> Iterator[str]:
    """The items from which links lead to elements of provisions, in any version, withdrawn or not."""
    for role, _, record in sources.assessments.records(who, incident):
        if role == LINK_ROLE and (item := item_of(record)) is not None:
            yield item


def _items_of(evidence: Evidence, who: Principal, case_id: str) -> Iterator[tuple[Item, Blob]]:
    cursor: str | None = None
    while True:
        page = evidence.list_items(who, case_id, cursor=cursor, limit=PAGE)
        yield from page.items
        if page.cursor is None:
            return
        cursor = page.cursor


def _items_named(sources: Sources, who: Principal, wanted: Sequence[str]) -> Iterator[tuple[Item, Blob]]:
    """Items by their ids, in that order; who may read one item of a case may read them all."""
    known: dict[str, tuple[Item, Blob]] = {}
    with sources.archive.db.read() as session:
        for ids in pages(wanted):
            rows = select(Item, Blob).join(Blob, col(Blob.sha256) == col(Item.sha256)).where(col(Item.id).in_(ids))
            known |= {item.id: (item, blob) for item, blob in session.exec(rows)}
    permitted: set[str] = set()
    for item_id in wanted:
        found = known.get(item_id)
        if found is None or found[0].case_id not in permitted:
            found = sources.evidence.find_item(who, item_id)  # refuses, and records it
            permitted.add(found[0].case_id)
        yield found


def _with_receipts(sources: Sources, found: Sequence[tuple[Item, Blob]]) -> tuple[ChosenItem, ...]:
    receipts: dict[str, Receipt] = {}
    with sources.archive.db.read() as session:
        for ids in pages([item.id for item, _ in found]):
            rows = session.exec(select(Receipt).where(col(Receipt.item_id).in_(ids)))
            receipts |= {row.item_id: row for row in rows}
    return tuple(_with_receipt(item, blob, receipts.get(item.id)) for item, blob in found)


def _with_receipt(item: Item, blob: Blob, receipt: Receipt | None) -> ChosenItem:
    if receipt is None:
        raise ConflictError("receipt_pending", f"item {item.id} has no deposit receipt yet: try again in a moment")
    return ChosenItem(item, blob, receipt)


def pages(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Ids in portions that a database takes in one query."""
    return (ids[start : start + PAGE] for start in range(0, len(ids), PAGE))
