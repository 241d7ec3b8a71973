"""What was lost with a database, and what can be brought back of it without forking the log.

A database that is older than a signed checkpoint may not go on from where it stands: other events would take the
places of those that were signed. The log can be continued only where it was signed last. For that every lost place must
get the very entry that it had, which shows in the root:

1. The newest checkpoint that a key of the log signed, wherever it was kept, says where the log must go on.
2. Each lost place gets its entry from a newer database, a mirror of the log, or the text of the event itself. If one
   cannot be found, the log cannot be continued; nothing is changed.
3. All entries together must hash to the signed root, and to every other signed checkpoint that is at hand.
4. An event whose text is known takes effect again when the events of its object before it do, and when every row that
   it wrote is found as it was written (app.custody.recovery_rows). Otherwise its text is kept, without effect; of an
   event without text only the entry is kept. The audit names both for ever, and a "log recovery" event names them too.

Nothing here asks for trust in a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from pydantic import ValidationError
from sqlmodel import Session, col, select

from app.custody.heads import forked, open_kept
from app.custody.log_store import computed, read_node, tree_size
from app.custody.models import CheckpointRow, EventRow
from app.custody.recovery_rows import Effects
from app.custody.recovery_sources import Findings
from app.errors import ConflictError, EnvironmentFailedError
from evidence_store.canonical import parse_canonical
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle, note
from schemas.records.v1.event import CustodyEvent

_BATCH = 500


@dataclass
class Loss:
    """What is missing, and what is known of it.

    Attributes:
        here: number of events in the database.
        target: the newest signed checkpoint.
        signed: the note it came in.
        entries: of the lost places, in order.
        texts: events whose text is known, by place.
        effects: those among them that take effect again, with the rows that they wrote.
    """

    here: int
    target: note.Checkpoint
    signed: bytes
    entries: list[bytes] = field(default_factory=list)
    texts: dict[int, tuple[CustodyEvent, bytes]] = field(default_factory=dict)
    effects: Effects = field(default_factory=Effects)

    @property
    def places(self) -> range:
        """The lost places."""
        return range(self.here, max(self.here, self.target.size))

    @property
    def without_effect(self) -> list[int]:
        """Lost places whose text is known, and that take no effect."""
        return [place for place in self.places if place in self.texts and place not in self.effects.events]

    @property
    def without_text(self) -> list[int]:
        """Lost places of which only the entry is known."""
        return [place for place in self.places if place not in self.texts]


def examine(
    session: Session, origin: str, keys: Sequence[note.VerifierKey], found: Findings, kept: Sequence[bytes]
) -> Loss:
    """Find out what is missing and what can be brought back; nothing is changed.

    Args:
        session: a snapshot of the database.
        origin: origin line of the log.
        keys: its verifier keys, former ones too.
        found: what the sources know.
        kept: the notes kept outside the database.

    Raises:
        EnvironmentFailedError: `recovery_no_checkpoint`; `log_forked` when the database contradicts a signed
            checkpoint.
        ConflictError: `recovery_incomplete` when a lost place has no entry, `recovery_mismatch` when the entries do not
            hash to the signed root.
    """
    here = tree_size(session)
    stored = list(session.exec(select(CheckpointRow.note)).all())
    signed = _signed([*kept, *stored, *found.notes], keys)
    if not signed:
        raise EnvironmentFailedError(
            "recovery_no_checkpoint", "no checkpoint that a key of this log signed is at hand: give one with --from"
        )
    newest = max(signed, key=lambda one: one[0].size)
    loss = Loss(here, *newest)
    if loss.places:
        loss.entries = _entries(session, loss, origin, found)
    _require_continued(session, loss, [checkpoint for checkpoint, _ in signed])
    for place, entry in zip(loss.places, loss.entries, strict=True):
        event = _event(found.texts.get(entry), origin)
        if event is not None:
            loss.texts[place] = event
    loss.effects = Effects.choose(session, loss.texts, found.databases)
    return loss


def _signed(notes: Sequence[bytes], keys: Sequence[note.VerifierKey]) -> list[tuple[note.Checkpoint, bytes]]:
    """Those that a key of the log signed."""
    signed = []
    for one in dict.fromkeys(notes):
        try:
            signed.append((open_kept(one, keys), one))
        except EvidenceStoreError:
            continue
    return signed


def _entries(session: Session, loss: Loss, origin: str, found: Findings) -> list[bytes]:
    entries = {place: found.entries[place] for place in loss.places if place in found.entries}
    open_places = [place for place in loss.places if place not in entries]
    if open_places:
        entries.update(zip(open_places, _in_order(session, loss, origin, found, len(open_places)), strict=True))
    return [entries[place] for place in loss.places]


def _in_order(session: Session, loss: Loss, origin: str, found: Findings, wanted: int) -> list[bytes]:
    """Texts that no source gives a place to, by their times: the log was written in this order, or the root tells."""
    placed = set(found.entries.values())
    loose = {entry: text for entry, text in found.texts.items() if entry not in placed}
    here = _known(session, [entry.hex() for entry in loose])
    events = {entry: _event(text, origin) for entry, text in loose.items() if entry.hex() not in here}
    timed = sorted((one[0].time, one[0].object, one[0].object_seq, entry) for entry, one in events.items() if one)
    if len(timed) != wanted:
        raise ConflictError(
            "recovery_incomplete",
            f"{len(loss.places)} events that were signed are missing, from place {loss.here} on, and for {wanted} of "
            f"these places no source says what stood there ({len(timed)} further events were found). Give a newer copy "
            "of the database, a mirror of the log ('catena log export') or bundles with --from; see docs/recovery.md",
        )
    return [entry for *_, entry in timed]


def _known(session: Session, digests: list[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(digests), _BATCH):
        among = col(EventRow.event_sha256).in_(digests[start : start + _BATCH])
        known.update(session.exec(select(EventRow.event_sha256).where(among)).all())
    return known


def _event(canonical: bytes | None, origin: str) -> tuple[CustodyEvent, bytes] | None:
    """An event of this log from its text; None when it is none that this program could have written."""
    if canonical is None:
        return None
    try:
        parse_canonical(canonical)
        event = CustodyEvent.model_validate_json(canonical)
    except (EvidenceStoreError, ValidationError):
        return None
    return (event, canonical) if event.log == origin else None


def _require_continued(session: Session, loss: Loss, signed: Sequence[note.Checkpoint]) -> None:
    """Rule 3."""
    nodes: dict[tuple[int, int], bytes] = {}

    def read(level: int, index: int) -> bytes:
        fresh = nodes.get((level, index))
        return read_node(session, level, index) if fresh is None else fresh

    for place, entry in zip(loss.places, loss.entries, strict=True):
        completed = merkle.nodes_completed_by(place, merkle.leaf_hash(entry), read)
        nodes.update({(level, index): digest for level, index, digest in completed})
    for checkpoint in sorted(signed, key=lambda one: one.size):
        whole = checkpoint.size <= loss.here
        root = partial(merkle.root_at, checkpoint.size)
        if (computed(session, root) if whole else root(read)) == checkpoint.root:
            continue
        if whole:
            raise forked()
        raise ConflictError(
            "recovery_mismatch",
            f"what the sources give for the places from {loss.here} on does not hash to the checkpoint of "
            f"{checkpoint.size} events. Either a source is not of this log, or events were written after the older "
            "database was put in place: restore that backup anew and try again",
        )
