"""The disclosure register: who got what, when, why, under which digest, and what was kept from him."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.cells import guarded
from app.disclosure.models import DisclosureItem, DisclosureRow
from app.disclosure.service import BUNDLE
from app.evidence.service import Evidence
from app.export.models import ExportRow
from app.export.service import Exports

_CHUNK = 500
COLUMNS = (
    "id", "kind", "export", "state", "created_at", "created_by", "recipient", "recipient_kind", "purpose", "sha256",
    "size", "items", "withheld", "released", "exculpatory_left_out", "acknowledged",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One line of the register.

    Attributes:
        export: its export.
        row: to whom it went; None where nobody was named and nothing was kept back.
        items: what was restricted, withheld or released.
    """

    export: ExportRow
    row: DisclosureRow | None
    items: Sequence[DisclosureItem] = field(default_factory=tuple)

    @property
    def id(self) -> str:
        """Of the disclosure, or of the export where there is no more than that."""
        return self.export.id if self.row is None else self.row.id

    def as_json(self) -> dict[str, object]:
        """For interfaces."""
        bundle = self.row is None or self.row.kind == BUNDLE
        done = self.row if self.row is not None and not bundle else self.export
        return {
            "id": self.id,
            "kind": BUNDLE if self.row is None else self.row.kind,
            "export": self.export.id,
            "state": self.export.state if bundle else "done",
            "created_at": done.created_at,
            "created_by": self.export.requested_by if self.row is None else self.row.created_by,
            "recipient": None if self.row is None else {"name": self.row.recipient, "kind": self.row.recipient_kind},
            "purpose": done.purpose,
            "sha256": done.sha256,
            "size": self.export.size if bundle else None,
            "items": json.loads(self.export.items) if bundle else [one.item_id for one in self.items],
            "marked": [
                {
                    "item": one.item_id,
                    "place": one.place,
                    "state": one.state,
                    "parts": json.loads(one.parts),
                    "terms": json.loads(one.terms),
                    "released": one.released,
                }
                for one in self.items
            ],
            "left_out": [] if self.row is None else json.loads(self.row.left_out),
            "acknowledged": None if self.row is None or not self.row.acknowledged else self.row.acknowledged,
        }


class Register:
    """The register of one archive."""

    def __init__(self, archive: Archive, access: Access, evidence: Evidence, exports: Exports) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._evidence = evidence
        self._exports = exports

    def entries(self, who: Principal, case_ref: str | None = None, item_id: str | None = None) -> list[Entry]:
        """What the actor may see of it, newest first; of one case or one item where that is asked.

        Raises:
            DeniedError: `not_allowed`.
            NotFoundError: `unknown_case`, `unknown_item`.
        """
        exports = list(self._exports.list(who))
        if case_ref is not None:
            case = self._evidence.find_case(who, case_ref)
            exports = [row for row in exports if case.id in json.loads(row.cases)]
        if item_id is not None:
            item, _ = self._evidence.find_item(who, item_id, custody_only=True)
            exports = [row for row in exports if item.id in json.loads(row.items)]
        with self._archive.db.read() as session:
            found = list(_entries(session, exports))
        if item_id is not None:
            found = [one for one in found if item_id in _told(one)]
        return sorted(found, key=lambda one: (str(one.as_json()["created_at"]), one.id), reverse=True)

    def get(self, who: Principal, disclosure_id: str) -> Entry | None:
        """One entry, by its id or that of its export; None when there is none that the actor may see."""
        return next((one for one in self.entries(who) if disclosure_id in {one.id, one.export.id}), None)


def _told(entry: Entry) -> list[str]:
    items = entry.as_json()["items"]
    return [str(item) for item in items] if isinstance(items, list) else []


def _entries(session: Session, exports: Sequence[ExportRow]) -> Iterator[Entry]:
    rows = _rows(session, [row.id for row in exports])
    items = _items(session, [row.id for each in rows.values() for row in each])
    for export in exports:
        of_export = rows.get(export.id, [])
        for row in of_export:
            yield Entry(export, row, items.get(row.id, ()))
        if not any(row.kind == BUNDLE for row in of_export):
            yield Entry(export, None)


def _rows(session: Session, exports: Sequence[str]) -> dict[str, list[DisclosureRow]]:
    found: dict[str, list[DisclosureRow]] = {}
    for start in range(0, len(exports), _CHUNK):
        wanted = select(DisclosureRow).where(col(DisclosureRow.export_id).in_(exports[start : start + _CHUNK]))
        for row in session.exec(wanted):
            found.setdefault(row.export_id, []).append(row)
    return found


def _items(session: Session, disclosures: Sequence[str]) -> dict[str, list[DisclosureItem]]:
    found: dict[str, list[DisclosureItem]] = {}
    for start in range(0, len(disclosures), _CHUNK):
        chosen = disclosures[start : start + _CHUNK]
        wanted = select(DisclosureItem).where(col(DisclosureItem.disclosure_id).in_(chosen))
        for row in session.exec(wanted.order_by(col(DisclosureItem.place))):
            found.setdefault(row.disclosure_id, []).append(row)
    return found


def as_csv(entries: Iterable[Entry]) -> str:
    """The register as a table (RFC 4180, UTF-8), one line per entry; no cell begins a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for entry in entries:
        shown = entry.as_json()
        marked = [one for one in shown["marked"] if isinstance(one, dict)] if isinstance(shown["marked"], list) else []
        recipient = shown["recipient"] if isinstance(shown["recipient"], dict) else {"name": "", "kind": ""}
        left_out = shown["left_out"] if isinstance(shown["left_out"], list) else []
        line: dict[str, object] = {
            **shown,
            "recipient": recipient["name"],
            "recipient_kind": recipient["kind"],
            "items": " ".join(_told(entry)),
            "withheld": " ".join(f"{one['item']}:{'+'.join(one['parts'])}" for one in marked if one["parts"]),
            "released": " | ".join(f"{one['item']}: {one['released']}" for one in marked if one["released"]),
            "exculpatory_left_out": len(left_out),
        }
        writer.writerow([guarded(line[column]) for column in COLUMNS])
    return out.getvalue()
