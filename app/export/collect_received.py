"""Collecting from which partners' bundles the items of a bundle came: named, with what those bundles say besides.

What the partner's people say is not taken along: it stays in the partner's bundle, under the partner's seal. Whoever
gets an item of theirs is told where it is from, by which digest to ask for it, and that there is more.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from app.export.collected import Collected, Sources
from evidence_store.bundle.plan import ExtraFile
from evidence_store.canonical import JsonInput, canonical_bytes

RECEIVED, RECEIVED_ROLE = "received.json", "received"
_NOTE = (
    "These items came in bundles of other archives. What people there say of them, for and against, stands in those "
    "bundles and is not in this one; said_there and against_there count it."
)


def collect_received(session: Session, sources: Sources, items: Sequence[str], into: Collected) -> None:
    """One file for all items that came from partners; none where none did.

    Args:
        session: an open snapshot.
        sources: where it is known.
        items: of the bundle.
        into: takes the file. A bundle that no event of an item names came after the checkpoint, and is not told.

    Raises:
        InvalidInputError: `bundle_unreadable`.
        EvidenceStoreError: `blob_missing` and others of the store.
    """
    found: dict[str, JsonInput] = {}
    for item, told in sources.came(session, items).items():
        events = b"\n".join(into.events[f"item:{item}"])
        named = [each for each in told if isinstance(each, dict) and str(each["received"]).encode() in events]
        if named:
            found[item] = [*named]
    if found:
        record: JsonInput = {"v": 1, "type": "received from partners", "note": _NOTE, "items": found}
        into.files.append(ExtraFile(RECEIVED, canonical_bytes(record), RECEIVED_ROLE, None))
