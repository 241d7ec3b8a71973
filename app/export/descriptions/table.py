"""`index.csv`: one row for each item. CSV of RFC 4180 in UTF-8; what a spreadsheet would run is guarded."""

from __future__ import annotations

import csv
import io
from typing import Any, Final

from app.cells import guarded
from app.export.descriptions.facts import DIRECTIONS, Facts, ItemFacts

_SOURCE: Final = ("url", "platform", "channel", "collected_at", "collector")
COLUMNS: Final = (
    "item", "case", "original_name", "path", "sha256", "sha512", "size_bytes", "media_type", "received_at",
    "time", "time_certainty", "time_basis", "lat", "lon", "place_certainty", "place_basis", "place_error_m",
    *(f"source_{name}" for name in _SOURCE), "source_stated_by", *(f"links_{name}" for name in DIRECTIONS),
    "restriction", "links_withheld", "against_left_out",
)  # fmt: skip


def index_csv(facts: Facts) -> bytes:
    """The table; columns are a contract: new ones are added at the end, none is renamed."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item in facts.items:
        row = row_of(item)
        writer.writerow([guarded(row[column]).encode(errors="replace").decode() for column in COLUMNS])
    return buffer.getvalue().encode()


def row_of(item: ItemFacts) -> dict[str, Any]:
    """The values of an item's row; what is not known is None."""
    return {
        "item": item.item,
        "case": item.case,
        "original_name": item.name,
        "path": item.original.path,
        "sha256": item.original.sha256,
        "sha512": item.sha512,
        "size_bytes": item.original.size,
        "media_type": item.original.media_type,
        "received_at": item.received_at,
        "time": item.time.value,
        "time_certainty": item.time.certainty,
        "time_basis": item.time.basis,
        "lat": item.place.lat,
        "lon": item.place.lon,
        "place_certainty": item.place.certainty,
        "place_basis": item.place.basis,
        "place_error_m": item.place.error_m,
        **{f"source_{name}": item.source.get(name) for name in _SOURCE},
        "source_stated_by": "its collector" if item.source else None,
        **{f"links_{name}": item.links[name] for name in DIRECTIONS},
        "restriction": item.restriction,
        "links_withheld": sum(item.kept.links.values()),
        "against_left_out": item.left_out or None,
    }
