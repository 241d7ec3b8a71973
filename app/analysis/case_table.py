"""The metadata of a case as a table for spreadsheets: CSV of RFC 4180, one row for each item.

The columns are a contract: new ones are added at the end, none is renamed. A cell that a spreadsheet would take for a
formula gets an apostrophe before it, which most of them show as the text that it is; plain signed numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue
from sqlmodel import col, func, select

from app.access.service import Principal
from app.analysis.models import AnalysisRun
from app.archive import Archive
from app.cells import guarded
from app.evidence.models import Blob, Case, Item
from app.evidence.service import Evidence

BOM: Final = "\ufeff".encode()
MEDIA_TYPE: Final = "text/csv; charset=utf-8; header=present"
_PAGE = 100

# Name of the column, group and name of the fact; with its certainty in a column beside it.
_SURE: Final = (
    ("capture_local", "time", "capture_local"),
    ("utc_offset", "time", "utc_offset"),
    ("capture_utc", "time", "capture_utc"),
    ("gps_utc", "time", "gps_utc"),
    ("container_created", "time", "container_created"),
    ("lat", "position", "lat"),
    ("lon", "position", "lon"),
    ("alt_gps_m", "position", "alt_gps"),
    ("alt_absolute_m", "position", "alt_absolute"),
    ("alt_relative_m", "position", "alt_relative"),
)
_PLAIN: Final = (
    ("image_direction_deg", "position", "image_direction"),
    ("horizontal_error_m", "position", "horizontal_error"),
    ("make", "device", "make"),
    ("model", "device", "model"),
    ("camera_serial", "device", "camera_serial"),
    ("drone_serial", "device", "drone_serial"),
    ("software", "device", "software"),
    ("width_px", "image", "width"),
    ("height_px", "image", "height"),
    ("duration_s", "container", "duration_s"),
    ("codec", "container", "codec"),
    ("encoder", "container", "encoder"),
)
_TRACK: Final = ("track_points", "track_source", "track_certainty", "first_lat", "first_lon", "last_lat",
                 "last_lon")  # fmt: skip
COLUMNS: Final = (
    "item", "case", "original_name", "sha256", "size_bytes", "received_at", "kind", "media_type", "format", "analysis",
    "analysis_failure", "analysed_at",
    *(name for column, _, _ in _SURE for name in (column, f"{column}_certainty")),
    *(column for column, _, _ in _PLAIN),
    *_TRACK,
    "conflicts", "findings",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableOf:
    """The items that a table holds: all of a case up to the last one that was there when it was asked for."""

    case: Case
    items: int
    through: str | None


class CaseTable:
    """Makes tables of the cases of one archive."""

    def __init__(self, archive: Archive, evidence: Evidence) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._evidence = evidence

    def open(self, who: Principal, case_ref: str) -> TableOf:
        """Ask for the table of a case; the read is recorded before the first row leaves.

        The event stands with the case and says how many items were read, and through which: times and places of all of
        them are in the table.

        Raises:
            NotFoundError: `unknown_case`.
            DeniedError: `not_allowed`.
        """
        case = self._evidence.case_for(who, case_ref, "item.read")
        with self._archive.db.write() as session:
            mine = select(Item).where(Item.case_id == case.id)
            newest = session.exec(mine.order_by(col(Item.received_at).desc(), col(Item.id).desc()).limit(1)).first()
            count = int(session.exec(select(func.count()).select_from(Item).where(Item.case_id == case.id)).one())
            through = newest.id if newest is not None else None
            details: dict[str, JsonValue] = {"part": "metadata table", "items": count, "through": through}
            self._archive.custody.record(session, f"case:{case.id}", "access", who.actor, details=details)
        return TableOf(case, count, through)

    def rows(self, who: Principal, table: TableOf) -> Iterator[dict[str, Any]]:
        """One row for each item, oldest first, a value for each column; never more than a page in memory."""
        cursor: str | None = None
        for _ in range(0, table.items, _PAGE):
            page = self._evidence.list_items(who, table.case.id, cursor=cursor, limit=_PAGE)
            for item, blob in page.items:
                yield self._row(table.case, item, blob)
                if item.id == table.through:
                    return
            cursor = page.cursor
            if cursor is None:
                return

    def _row(self, case: Case, item: Item, blob: Blob) -> dict[str, Any]:
        with self._archive.db.read() as session:
            runs = select(AnalysisRun).where(AnalysisRun.item_id == item.id).order_by(col(AnalysisRun.number).desc())
            newest = session.exec(runs.limit(1)).first()
            kept = newest
            if newest is not None and newest.record is None:  # an earlier record outlives a later failure
                kept = session.exec(runs.where(col(AnalysisRun.record).is_not(None)).limit(1)).first()
        row: dict[str, Any] = {
            "item": item.id,
            "case": case.ref,
            "original_name": item.original_name,
            "sha256": item.sha256,
            "size_bytes": blob.size,
            "received_at": item.received_at,
            "analysis": newest.state if newest is not None else "pending",
            "analysis_failure": newest.failure_code if newest is not None else None,
        }
        if kept is not None and kept.record is not None:
            row["analysed_at"] = kept.created_at
            row |= cells_of(json.loads(kept.record))
        return row


def cells_of(record: dict[str, Any]) -> dict[str, Any]:
    """The cells that come from a metadata record; what is absent is None."""
    cells: dict[str, Any] = {name: record["file"].get(name) for name in ("kind", "media_type", "format")}
    for column, group, name in _SURE:
        fact = record.get(group, {}).get(name, {})
        cells[column], cells[f"{column}_certainty"] = fact.get("value"), fact.get("certainty")
    for column, group, name in _PLAIN:
        cells[column] = record.get(group, {}).get(name, {}).get("value")
    track = record.get("track") or {}
    cells["track_points"] = track.get("points")
    if track.get("samples"):
        cells["track_source"], cells["track_certainty"] = track.get("source"), track.get("certainty")
        for end in ("first", "last"):
            for axis in ("lat", "lon"):
                cells[f"{end}_{axis}"] = (track.get(end) or {}).get(axis)
    cells["conflicts"] = " ".join(_in_conflict(record))
    cells["findings"] = " ".join(dict.fromkeys(one["code"] for one in record.get("findings", ())))
    return cells


def _in_conflict(record: dict[str, Any]) -> Iterator[str]:
    for group, facts in record.items():
        for name, fact in facts.items() if isinstance(facts, dict) else ():
            if isinstance(fact, dict) and fact.get("conflicts"):
                yield f"{group}.{name}"


def csv_lines(rows: Iterable[dict[str, Any]], *, bom: bool = False) -> Iterator[bytes]:
    """The table as UTF-8, piece by piece; lines end in CR LF.

    Args:
        rows: as `CaseTable.rows` gives them.
        bom: begin with a byte order mark, by which Excel knows UTF-8.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    yield (BOM if bom else b"") + _taken(buffer)
    for row in rows:
        writer.writerow([guarded(row.get(column)) for column in COLUMNS])
        yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode("utf-8", "replace")
