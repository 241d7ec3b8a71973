"""Choosing what leaves: the items of a scope, with the right to export each of their cases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.access.service import Access, Principal
from app.errors import ConflictError
from app.evidence.models import Blob, Item, Receipt
from app.evidence.service import Evidence
from app.export.rules import require_exportable, require_one_scope
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
    """

    scope: dict[str, JsonInput]
    cases: tuple[str, ...]
    items: tuple[ChosenItem, ...]

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


def choose(
    evidence: Evidence, access: Access, who: Principal, case_ref: str | None, item_ids: Sequence[str] | None
) -> Choice:
    """Find the items of a scope and ask for the right to export them.

    Args:
        evidence: the archive's evidence.
        access: its access rules; a refusal is recorded.
        who: the exporter.
        case_ref: reference or UUID of a case, or None.
        item_ids: UUIDs of items, or None.

    Raises:
        InvalidInputError: `bad_scope`, `nothing_to_export`, `too_many_items`.
        NotFoundError: `unknown_case`, `unknown_item`.
        DeniedError: `not_allowed`.
        ConflictError: `receipt_pending` when an item has no receipt yet.
    """
    require_one_scope(case_ref, item_ids)
    scope: dict[str, JsonInput]
    cases: tuple[str, ...]
    if case_ref is not None:
        case = evidence.find_case(who, case_ref)
        access.require(who, "export.create", case.id)
        found = list(_items_of(evidence, who, case.id))
        scope, cases = {"case": case.ref, "case_id": case.id}, (case.id,)
    else:
        wanted = list(dict.fromkeys(item_ids or ()))
        require_exportable(len(wanted))
        found = [evidence.find_item(who, item_id) for item_id in wanted]
        cases = tuple(sorted({item.case_id for item, _ in found}))
        for case_id in cases:
            access.require(who, "export.create", case_id)
        scope = {"items": sorted(wanted)}
    require_exportable(len(found))
    return Choice(scope, cases, tuple(_with_receipt(evidence, item, blob) for item, blob in found))


def _items_of(evidence: Evidence, who: Principal, case_id: str) -> Iterator[tuple[Item, Blob]]:
    cursor: str | None = None
    while True:
        page = evidence.list_items(who, case_id, cursor=cursor, limit=PAGE)
        yield from page.items
        if page.cursor is None:
            return
        cursor = page.cursor


def _with_receipt(evidence: Evidence, item: Item, blob: Blob) -> ChosenItem:
    receipt = evidence.receipt(item.id)
    if receipt is None:
        raise ConflictError("receipt_pending", f"item {item.id} has no deposit receipt yet: try again in a moment")
    return ChosenItem(item, blob, receipt)
