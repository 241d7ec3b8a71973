"""How it goes with each witness, in the database: who is due, what came back, what contradicts.

A witness is claimed before it is asked, by moving its next attempt away: a server and a worker that look at the same
time do not both ask. The claim runs out by itself, so that a process that died holds nobody up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from app.clock import Clock, later, rfc3339
from app.custody.models import CheckpointRow
from app.db import Database
from app.errors import NotFoundError
from app.witnessing.models import CosignatureRow, WitnessContactRow
from app.witnessing.rules import MAX_DELAY_SECONDS, by_address, delay_after, key_name
from evidence_store.log.cosignature import Cosignature
from evidence_store.log.policy import Witness

LEASE_SECONDS = 60.0  # more than one exchange takes
_MAX_ERROR = 500


@dataclass(frozen=True, slots=True)
class Claimed:
    """Witnesses behind one address, to be asked by whoever holds this.

    Attributes:
        url: submission prefix.
        witnesses: their keys.
        size: that the address is believed to have co-signed last.
    """

    url: str
    witnesses: tuple[Witness, ...]
    size: int


class Contacts:
    """The tables of one archive."""

    def __init__(self, db: Database, clock: Clock) -> None:
        """Bind to a database."""
        self._db = db
        self._clock = clock

    def claim(self, witnesses: Sequence[Witness], size: int, *, now: bool = False) -> list[Claimed]:
        """Take those that have not co-signed this size and are due.

        Args:
            witnesses: of the policy.
            size: of the newest checkpoint.
            now: whether they are due or not.
        """
        with self._db.read() as session:  # nothing is due most of the time, and reading holds up nobody
            if not self._due(session, witnesses, size, now=now):
                return []
        with self._db.write() as session:
            due = self._due(session, witnesses, size, now=now)
            for claimed in due:
                for witness in claimed.witnesses:
                    row = _row(session, witness)
                    row.next_attempt_at = later(self._clock(), LEASE_SECONDS)
                    session.add(row)
        return due

    def _due(self, session: Session, witnesses: Sequence[Witness], size: int, *, now: bool) -> list[Claimed]:
        now_at = self._clock()
        # What waits longer than anything is put off was put off by a clock that was wrong, or by somebody else.
        moment, furthest = rfc3339(now_at), later(now_at, MAX_DELAY_SECONDS + LEASE_SECONDS)
        due = []
        for url, behind in by_address(witnesses).items():
            rows = [_row(session, witness) for witness in behind]
            late = [row for row in rows if row.size < size and (now or not moment < row.next_attempt_at <= furthest)]
            if late:
                due.append(Claimed(url, tuple(behind), max(min(row.size, size) for row in rows)))
        return due

    def done(self, claimed: Claimed, size: int, found: Sequence[Cosignature], notice: str | None) -> list[Witness]:
        """Store the co-signatures of an answer; the first one of each key and size stays.

        Args:
            claimed: who was asked.
            size: of the checkpoint.
            found: verified, of these witnesses.
            notice: what is to be known of the answer although it is good.

        Returns:
            Those that did not co-sign.
        """
        moment = rfc3339(self._clock())
        lines = {one.key: one for one in found}
        missing = [witness for witness in claimed.witnesses if witness.key not in lines]
        with self._db.write() as session:
            for witness in claimed.witnesses:
                row = _row(session, witness)
                one = lines.get(witness.key)
                if one is None:
                    self._failed(row, "witness_line_missing: its answer has no co-signature of this key")
                else:
                    row.size, row.failures, row.last_ok_at = max(row.size, size), 0, moment
                    row.last_error = notice[:_MAX_ERROR] if notice else None
                    row.next_attempt_at = moment
                    _store(session, size, key_name(witness.key), one, moment)
                session.add(row)
        return missing

    def failed(self, claimed: Claimed, why: str) -> None:
        """Put all behind an address off."""
        with self._db.write() as session:
            for witness in claimed.witnesses:
                row = _row(session, witness)
                self._failed(row, why)
                session.add(row)

    def contradicted(self, session: Session, claimed: Claimed, why: str) -> bool:
        """Keep that the witnesses behind an address contradict this log; the first contradiction stays.

        Args:
            session: the caller's unit of work.
            claimed: who was asked.
            why: what they said.

        Returns:
            Whether it is new.
        """
        new = False
        for witness in claimed.witnesses:
            row = _row(session, witness)
            self._failed(row, why)
            if row.contradiction is None:
                row.contradiction = f"{rfc3339(self._clock())} {why}"[:_MAX_ERROR]
                new = True
            session.add(row)
        return new

    def acknowledge(self, session: Session, name: str) -> str:
        """Take the contradiction off a witness, named by its key; it is asked again at once.

        Returns:
            What it said.

        Raises:
            NotFoundError: `no_contradiction`.
        """
        row = session.get(WitnessContactRow, name)
        if row is None or row.contradiction is None:
            raise NotFoundError("no_contradiction", f"no witness {name[:80]!r} has contradicted this log")
        said, row.contradiction = row.contradiction, None
        row.failures, row.next_attempt_at = 0, rfc3339(self._clock())
        session.add(row)
        return said

    def _failed(self, row: WitnessContactRow, why: str) -> None:
        row.failures += 1
        row.last_error = why[:_MAX_ERROR]
        row.next_attempt_at = later(self._clock(), delay_after(row.failures))

    def of(self, witnesses: Sequence[Witness]) -> list[WitnessContactRow]:
        """How it goes with each, in their order."""
        with self._db.read() as session:
            return [_row(session, witness) for witness in witnesses]

    def newest_checkpoint(self) -> CheckpointRow | None:
        """The newest signed checkpoint."""
        newest = select(CheckpointRow).order_by(col(CheckpointRow.size).desc()).limit(1)
        with self._db.read() as session:
            return session.exec(newest).one_or_none()

    def cosignatures(self, size: int) -> list[CosignatureRow]:
        """What was co-signed of one size, by key name."""
        wanted = select(CosignatureRow).where(CosignatureRow.size == size).order_by(CosignatureRow.witness)
        with self._db.read() as session:
            return list(session.exec(wanted))

    def recent(self, sizes: int) -> dict[int, list[str]]:
        """Key names by size, of so many of the newest co-signed sizes, newest first."""
        newest = select(CosignatureRow.size).distinct().order_by(col(CosignatureRow.size).desc()).limit(sizes)
        found: dict[int, list[str]] = {}
        with self._db.read() as session:
            wanted = list(session.exec(newest))
            if not wanted:
                return {}
            rows = session.exec(
                select(CosignatureRow.size, CosignatureRow.witness)
                .where(col(CosignatureRow.size) >= wanted[-1])
                .order_by(col(CosignatureRow.size).desc())
            )
            for size, witness in rows:
                found.setdefault(size, []).append(witness)
        return found


def _row(session: Session, witness: Witness) -> WitnessContactRow:
    """What is kept of a witness, or what is to be kept of a new one."""
    name = key_name(witness.key)
    return session.get(WitnessContactRow, name) or WitnessContactRow(
        witness=name, size=0, failures=0, next_attempt_at=""
    )


def _store(session: Session, size: int, name: str, one: Cosignature, moment: str) -> None:
    if session.get(CosignatureRow, (size, name)) is None:
        row = CosignatureRow(size=size, witness=name, line=one.line, time=one.time, received_at=moment)
        session.add(row)
