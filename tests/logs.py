"""Logs of any size, without an archive around them: real rows and nodes, made-up entries, a key of their own."""

from __future__ import annotations

import hashlib
import secrets
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.custody.bulk import put_rows
from app.custody.event_rows import COLUMNS, TABLE
from app.custody.log_store import HEAD_ID, SqlLogTransaction, computed, tree_size
from app.custody.models import LogHead
from app.db import Database
from app.migrate import upgrade
from evidence_store.log import merkle, note, sequencer

ORIGIN = "archive.example/log"
BATCH = 5_000
TIME = "2026-01-01T00:00:00.000000Z"


class BareLog:
    """A log in a database, and who signs it."""

    def __init__(self, url: str, origin: str = ORIGIN, seed: bytes = bytes(32)) -> None:
        self.origin = origin
        self.key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed).digest())
        self.public = self.key.public_key().public_bytes_raw()
        self.vkey = note.format_vkey(origin, self.public)
        self.db = Database(url)
        upgrade(self.db)
        with self.db.write() as session:
            if session.get(LogHead, HEAD_ID) is None:
                session.add(LogHead(id=HEAD_ID, size=0))

    def grow(self, count: int, batch: int = BATCH) -> None:
        """Append entries, one transaction for each batch."""
        left = count
        while left > 0:
            self._append([secrets.token_bytes(40) for _ in range(min(left, batch))])
            left -= batch

    def _append(self, canonicals: list[bytes]) -> None:
        digests = [hashlib.sha256(canonical) for canonical in canonicals]
        with self.db.write() as session:
            places = sequencer.append(SqlLogTransaction(session), [digest.digest() for digest in digests])
            rows = [
                (at, f"event {at}", f"test:{at}", 0, "annotation", "system", TIME, None, digest.hexdigest(), canonical)
                for at, canonical, digest in zip(places, canonicals, digests, strict=True)
            ]
            put_rows(session.connection(), TABLE, COLUMNS, rows)

    @property
    def size(self) -> int:
        with self.db.read() as session:
            return tree_size(session)

    def signed(self, size: int | None = None) -> bytes:
        """The checkpoint of a size, by default of all there is."""
        with self.db.read() as session:
            wanted = tree_size(session) if size is None else size
            root = computed(session, partial(merkle.root_at, wanted))
        text = note.checkpoint_text(note.Checkpoint(self.origin, wanted, root))
        return note.sign_note(text, self.origin, self.public, self.key.sign)

    def close(self) -> None:
        self.db.close()


def sqlite_log(folder: Path, origin: str = ORIGIN, seed: bytes = bytes(32)) -> BareLog:
    """A log in a new SQLite file."""
    return BareLog(f"sqlite:///{folder / 'log.db'}", origin, seed)
