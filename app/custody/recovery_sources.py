"""What is left of lost events elsewhere: newer databases, mirrors of the log, bundles, files of events, checkpoints.

A source is believed in nothing: what is taken from it must hash to a root that the log's own key signed
(app.custody.recovery). Databases are opened for reading only.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine, create_engine, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from app.custody.event_rows import TABLE as EVENTS
from app.custody.models import CheckpointRow
from app.custody.proofs import checkpoint_of
from app.db import table_of
from app.errors import InvalidInputError
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.tiles import ENTRIES, TileId, bundles_for_size, parse_entry_bundle, tile_path
from schemas.records.v1.event import MAX_EVENT_BYTES

_CHECKPOINTS = table_of(CheckpointRow)
_BUNDLED_EVENTS, _BUNDLED_CHECKPOINT = "custody/events.jsonl", "custody/checkpoint"
_SQLITE, _ZIP = b"SQLite format 3\0", b"PK\x03\x04"
_MAX_NOTE_BYTES = 1_000_000


@dataclass
class Findings:
    """What all sources together know of the log beyond a size.

    Attributes:
        first: that size.
        notes: signed checkpoints, unchecked.
        entries: entries by their places.
        texts: canonical bytes of events by their entries.
        databases: those that were given, opened for reading.
        told: one line on each source, in words.
    """

    first: int
    notes: list[bytes] = field(default_factory=list)
    entries: dict[int, bytes] = field(default_factory=dict)
    texts: dict[bytes, bytes] = field(default_factory=dict)
    databases: list[Engine] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def place(self, leaf_index: int, entry: bytes) -> None:
        """Take the entry of a place.

        Raises:
            InvalidInputError: `sources_disagree`.
        """
        if self.entries.setdefault(leaf_index, entry) != entry:
            raise InvalidInputError("sources_disagree", f"two sources hold different events at place {leaf_index}")

    def text(self, canonical: bytes) -> bytes:
        """Take the text of an event; returns its entry."""
        entry = hashlib.sha256(canonical).digest()
        self.texts[entry] = canonical
        return entry

    def close(self) -> None:
        """Give the databases back."""
        for engine in self.databases:
            engine.dispose()


def read_source(source: str, into: Findings) -> None:
    """Read one source, whatever it is.

    Args:
        source: a database URL, or the path of a SQLite file, a mirror of the log, a bundle (ZIP or folder), a file of
            events (one canonical event a line) or a checkpoint.
        into: takes what is found.

    Raises:
        InvalidInputError: `bad_source`, `source_unreadable`, `sources_disagree`.
    """
    shown = _shown(source)
    with _readable(shown):
        what, read = _kind_of(source)
        before = len(into.entries), len(into.texts)
        read(into)
    entries, texts = len(into.entries) - before[0], len(into.texts) - before[1]
    into.told.append(f"{shown}: {what}; {entries} places and {texts} texts that no other source gave")


def _shown(source: str) -> str:
    """A source without its password."""
    try:
        return make_url(source).render_as_string(hide_password=True) if "://" in source else source
    except ArgumentError:
        return "the source"


def _kind_of(source: str) -> tuple[str, Callable[[Findings], None]]:
    path = Path(source)
    if "://" in source:
        return "database", lambda into: _read_database(source, into)
    if path.is_dir() and (path / "checkpoint").is_file():
        return "mirror of the log", lambda into: _read_mirror(path, into)
    if path.is_dir() and (path / _BUNDLED_EVENTS).is_file():
        return "bundle", lambda into: _read_unpacked(path, into)
    return _kind_of_file(path)


def _kind_of_file(path: Path) -> tuple[str, Callable[[Findings], None]]:
    with path.open("rb") as stream:
        head = stream.read(16)
    if head == _SQLITE:
        uri = f"sqlite:///file:{path.resolve()}?mode=ro&uri=true"
        return "database", lambda into: _read_database(uri, into)
    if head.startswith(_ZIP):
        return "bundle", lambda into: _read_bundle(path, into)
    if head.startswith(b"{"):
        return "file of events", lambda into: _read_file_of_events(path, into)
    return "checkpoint", lambda into: _read_checkpoint(path, into)


@contextmanager
def _readable(source: str) -> Iterator[None]:
    try:
        yield
    except ArgumentError as error:
        raise InvalidInputError("bad_source", f"{source} is no database URL that can be read") from error
    except (
        OSError,
        ValueError,
        KeyError,
        RuntimeError,
        SQLAlchemyError,
        EvidenceStoreError,
        zipfile.BadZipFile,
    ) as error:
        reason = error.detail if isinstance(error, EvidenceStoreError) else type(error).__name__
        raise InvalidInputError(
            "source_unreadable", f"{source} cannot be read as what it seems to be: {reason}"
        ) from error


def _read_database(url: str, into: Findings) -> None:
    parsed = make_url(url)
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, hide_parameters=True)
    into.databases.append(engine)
    with engine.connect() as connection:
        into.notes += [bytes(note) for note in connection.execute(select(_CHECKPOINTS.c.note)).scalars()]
        _read_events(connection, into)


def _read_events(connection: Connection, into: Findings) -> None:
    wanted = select(EVENTS.c.leaf_index, EVENTS.c.canonical).where(EVENTS.c.leaf_index >= into.first)
    for leaf_index, canonical in connection.execute(wanted):
        if len(canonical) <= MAX_EVENT_BYTES:
            into.place(leaf_index, into.text(bytes(canonical)))


def _read_mirror(folder: Path, into: Findings) -> None:
    signed = _small(folder / "checkpoint")
    into.notes.append(signed)
    size = checkpoint_of(signed).size
    if size <= into.first:
        return
    for tile in bundles_for_size(size, into.first):
        for offset, entry in enumerate(_entries(folder, tile)):
            if tile.index * 256 + offset >= into.first:
                into.place(tile.index * 256 + offset, entry)


def _entries(folder: Path, tile: TileId) -> list[bytes]:
    """A bundle of entries; a partial one may be gone when the full one is there."""
    path = folder / tile_path(tile.level, tile.index, tile.width)
    if not path.exists():
        path = folder / tile_path(ENTRIES, tile.index)
    return parse_entry_bundle(path.read_bytes())[: tile.width]


def _read_unpacked(folder: Path, into: Findings) -> None:
    into.notes.append(_small(folder / _BUNDLED_CHECKPOINT))
    _read_file_of_events(folder / _BUNDLED_EVENTS, into)


def _read_bundle(path: Path, into: Findings) -> None:
    with zipfile.ZipFile(path) as bundle:
        with bundle.open(_BUNDLED_CHECKPOINT) as stream:
            into.notes.append(stream.read(_MAX_NOTE_BYTES))
        with bundle.open(_BUNDLED_EVENTS) as stream:
            _read_lines(stream, into)


def _read_file_of_events(path: Path, into: Findings) -> None:
    with path.open("rb") as stream:
        _read_lines(stream, into)


def _read_lines(stream: IO[bytes], into: Findings) -> None:
    while line := stream.readline(MAX_EVENT_BYTES + 2):
        if len(line) > MAX_EVENT_BYTES + 1:
            raise EvidenceStoreError("event_too_long", "a line is longer than an event can be")
        into.text(line.rstrip(b"\n"))


def _read_checkpoint(path: Path, into: Findings) -> None:
    signed = _small(path)
    checkpoint_of(signed)
    into.notes.append(signed)


def _small(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_MAX_NOTE_BYTES)
