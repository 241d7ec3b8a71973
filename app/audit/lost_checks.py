"""Places of the log whose events were lost with a database: named for ever, and only where a recovery told of them.

An entry without an event proves that something was recorded there, not what. Whoever hides an event behind its entry
alone must therefore be told from an archive that recovered: a place counts as lost when a later "log recovery" event of
the archive names it, and as missing otherwise.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from sqlalchemy import RowMapping
from sqlmodel import Session

from app.audit.replay import Replay
from app.audit.stored import stored_rows
from app.custody.models import LostEntry
from app.custody.recovering import EVENT, lost_ranges
from evidence_store.bundle.events import CustodyEvent
from evidence_store.log.merkle import HASH_BYTES
from evidence_store.verify.report import Report


@dataclass
class LostPlaces:
    """What of the log is only there as entries.

    Attributes:
        with_text: lost places whose text is kept.
        without_text: lost places of which only the entry is known.
        told: ranges that recoveries named, both ends included, with the leaf of the event.
    """

    with_text: list[int] = field(default_factory=list)
    without_text: list[int] = field(default_factory=list)
    told: list[tuple[int, int, int]] = field(default_factory=list)
    _rows: dict[int, RowMapping] = field(default_factory=dict)

    def load(self, session: Session) -> None:
        """Read what is stored; of an archive that never recovered, this is nothing."""
        self._rows = {row["leaf_index"]: row for row in stored_rows(session, LostEntry, "leaf_index")}

    def pass_over(self, replay: Replay, until: int | None, report: Report) -> None:
        """Take the entries of lost places from the replay's size on, as far as they are there.

        Args:
            replay: the log so far.
            until: the place of the next event; None when there is none.
            report: receives findings.
        """
        while (until is None or replay.size < until) and (row := self._rows.pop(replay.size, None)) is not None:
            place, entry, canonical = replay.size, row["entry"], row["canonical"]
            if not isinstance(entry, bytes) or len(entry) != HASH_BYTES:
                report.finding("event_missing", f"leaf {place}", "what is kept in its place is no entry")
                entry = bytes(HASH_BYTES)
            if canonical is None:
                self.without_text.append(place)
            else:
                self.with_text.append(place)
                if not isinstance(canonical, bytes) or hashlib.sha256(canonical).digest() != entry:
                    report.finding("event_malformed", f"leaf {place}", "the text that is kept is not that of its entry")
            replay.take_entry(entry)

    def take_recovery(self, event: CustodyEvent, leaf_index: int) -> None:
        """Note what a recovery told.

        Raises:
            TypeError, ValueError: what it told cannot be read.
        """
        if event.type == EVENT:
            for first, last in event.details.get("lost", []):
                self.told.append((int(first), int(last), leaf_index))

    def close(self, report: Report) -> None:
        """Name every lost place, and every entry that stands where no place is lost."""
        for code, places, detail in (
            ("event_without_effect", self.with_text, "its text is kept; what it wrote was not found"),
            ("event_lost", self.without_text, "that something was recorded there is known, not what"),
        ):
            named = [place for place in places if self._is_told(place)]
            for first, last in lost_ranges(named):
                report.finding(code, f"leaves {first} to {last}", detail)
            for place in sorted({*places} - {*named}):
                detail_missing = "only its entry is here, and no recovery tells that it was lost"
                report.finding("event_missing", f"leaf {place}", detail_missing)
        for place in self._rows:
            report.finding("log_node_extra", f"lost entry {place}", "an event or nothing at all stands at its place")

    def _is_told(self, place: int) -> bool:
        return any(first <= place <= last < leaf for first, last, leaf in self.told)
