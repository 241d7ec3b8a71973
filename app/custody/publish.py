"""Publishing the log as static files (C2SP tlog-tiles) that any web server may serve and anybody may mirror.

1. Nothing is written before all that will be written was hashed to the signed root; the entries go through a spool
   file on the way, so that the very bytes that were checked are those that are written.
2. The checkpoint is replaced last, in one step, and only by one that continues it. A reader, or whoever finds the
   folder after a crash, therefore always has a checkpoint whose tiles are all there.
3. A file that is there is never changed: the next run goes on from the checkpoint that is there, and what a killed
   run left beyond it is compared, not written again.
4. A partial tile is removed once the full one is published, as the specification allows; its readers then take that.
5. One run at a time per folder.

Entries are salted hashes of events: nothing here discloses evidence.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from app.custody.entries import entries_between
from app.custody.log_store import computed
from app.custody.proofs import checkpoint_of
from app.db import Database
from app.errors import ConflictError, EnvironmentFailedError
from evidence_store.durable import (
    coded_errors,
    fsync_directory,
    is_temporary,
    make_directories,
    place_file,
    remove_temporaries,
    replace_file,
)
from evidence_store.errors import EvidenceStoreError
from evidence_store.locks import locked
from evidence_store.log import merkle, note
from evidence_store.log.merkle import HASH_BYTES
from evidence_store.log.tiler import Tiler
from evidence_store.log.tiles import FULL_WIDTH, TileId, tile_path

CHECKPOINT, LOCK = "checkpoint", ".lock"
_BATCH = 16 * FULL_WIDTH
_FOLDERS_AT_ONCE = 64
_MODE = 0o644


@dataclass
class Published:
    """What a run did.

    Attributes:
        size: number of entries that the folder holds now.
        before: number that it held; None when it was new.
        files: tiles and bundles written.
        bytes: their size together.
    """

    size: int
    before: int | None
    files: int = 0
    bytes: int = 0


def publish(
    db: Database,
    folder: Path,
    signed: bytes,
    beside: Mapping[str, bytes],
    *,
    recheck: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Published:
    """Bring a folder up to a checkpoint.

    Args:
        db: the database.
        folder: the mirror; made when it is not there.
        signed: a checkpoint of this log, newest.
        beside: further small files by name, replaced when they differ.
        recheck: begin with the first entry and compare every file that is there.
        progress: told (entries done, of how many).

    Raises:
        ConflictError: `mirror_not_empty`, `mirror_other_log`, `mirror_newer`, `mirror_forked` or `mirror_damaged`: the
            folder is left as it was, apart from tiles that the log will have anyway.
        EnvironmentFailedError: `log_damaged` when the events do not hash to the signed root; nothing is written.
        EvidenceStoreError: `storage_full` or `storage_failed`; the folder then holds what it held.
    """
    target = checkpoint_of(signed)
    make_directories(folder)
    _require_ours(folder, beside)  # before so much as a lock is left in it
    with _alone(folder), _spool_in(folder) as spool:
        there = _continued(db, folder, target)
        tiler = _edge(folder, None if recheck else there)
        told = _Told(progress, target.size - tiler.size)
        first = tiler.size
        _spool(db, tiler, target, spool, told)
        spool.seek(0)
        mirror = _Mirror(folder, Published(target.size, None if there is None else there.size))
        mirror.write(_edge(folder, None if recheck else there), spool, target.size - first, told)
        _finish(folder, signed, beside)
        mirror.remove_superseded()
    return mirror.done


@dataclass
class _Told:
    """Progress over two passes of the same length."""

    progress: Callable[[int, int], None] | None
    total: int
    passed: int = 0

    def __call__(self, entries: int) -> None:
        self.passed += entries
        if self.progress is not None:
            self.progress(self.passed // 2, self.total)


def _continued(db: Database, folder: Path, target: note.Checkpoint) -> note.Checkpoint | None:
    """The checkpoint that is there, after the log was seen to continue it; None for a new mirror."""
    try:
        there = checkpoint_of((folder / CHECKPOINT).read_bytes())
    except FileNotFoundError:
        return None
    except (EvidenceStoreError, OSError, ValueError) as error:
        raise ConflictError("mirror_damaged", f"{folder / CHECKPOINT} is no checkpoint: nothing is written") from error
    if there.origin != target.origin:
        raise ConflictError("mirror_other_log", f"{folder} holds another log, {there.origin}")
    if there.size > target.size:
        raise ConflictError(
            "mirror_newer",
            f"{folder} holds {there.size} entries of this log, the database {target.size}: an older database was put "
            "in place, or the mirror is of a fork; see 'catena log recover' (docs/recovery.md)",
        )
    with db.read() as session:
        if computed(session, partial(merkle.root_at, there.size)) != there.root:
            raise ConflictError("mirror_forked", f"{folder} holds another history of this log; nothing is written")
    return there


def _require_ours(folder: Path, beside: Mapping[str, bytes]) -> None:
    """A folder without checkpoint is empty, or holds what a killed first run left."""
    if (folder / CHECKPOINT).exists():
        return
    with coded_errors("read the folder"):
        strange = [path for path in folder.iterdir() if path.name not in {LOCK, "tile"} and not is_temporary(path)]
        strange = [path for path in strange if not path.is_file() or beside.get(path.name) != path.read_bytes()]
    if strange:
        raise ConflictError(
            "mirror_not_empty", f"{folder} holds {min(strange).name} and no checkpoint: choose a new folder"
        )


@contextmanager
def _spool_in(folder: Path) -> Iterator[IO[bytes]]:
    """A file without a name, beside the mirror: where temporary files lie may be memory.

    Going back to its beginning and closing it write, too, what it still holds in memory.
    """
    with coded_errors("publish the log"), tempfile.TemporaryFile(dir=folder) as spool:
        yield spool


def _edge(folder: Path, there: note.Checkpoint | None) -> Tiler:
    """A tiler that goes on from what is published."""

    def read(tile: TileId) -> bytes:
        with coded_errors("read a tile"):
            return (folder / tile_path(tile.level, tile.index, tile.width)).read_bytes()

    if there is None:
        return Tiler()
    try:
        tiler = Tiler.resume(there.size, read)
        whole = tiler.root() == there.root
    except EvidenceStoreError as error:
        raise _damaged(folder, error.detail) from error
    if not whole:
        raise _damaged(folder, "its newest tiles do not hash to its checkpoint")
    return tiler


def _damaged(folder: Path, why: str) -> ConflictError:
    return ConflictError("mirror_damaged", f"{folder}: {why}; make a new one elsewhere and compare")


def _spool(db: Database, tiler: Tiler, target: note.Checkpoint, spool: IO[bytes], told: _Told) -> None:
    """First pass: hash everything that is new and see that it leads to the signed root."""
    while tiler.size < target.size:
        end = min(target.size, tiler.size + _BATCH)
        with db.read() as session:
            entries = entries_between(session, tiler.size, end)
        for entry in entries:
            tiler.add(entry)
        with coded_errors("write a temporary file"):
            spool.write(b"".join(entries))
        told(len(entries))
    if tiler.root() != target.root:
        raise EnvironmentFailedError(
            "log_damaged", "the events do not hash to the signed root; nothing is published: run 'catena audit'"
        )


@dataclass
class _Mirror:
    """Second pass: the files of one folder."""

    folder: Path
    done: Published
    _superseded: list[Path] = field(default_factory=list)
    _unsynced: set[Path] = field(default_factory=set)

    def write(self, tiler: Tiler, spool: IO[bytes], count: int, told: _Told) -> None:
        """Write the tiles of `count` spooled entries; on return all of them are durable."""
        left = count
        while left:
            batch = min(left, _BATCH)
            with coded_errors("read a temporary file"):
                data = spool.read(batch * HASH_BYTES)
            for start in range(0, len(data), HASH_BYTES):
                for tile, content in tiler.add(data[start : start + HASH_BYTES]):
                    self._put(tile, content)
            left -= batch
            told(batch)
        for tile, content in tiler.partial():
            self._put(tile, content)
        self._sync()

    def _put(self, tile: TileId, content: bytes) -> None:
        path = self.folder / tile_path(tile.level, tile.index, tile.width)
        narrower = path.with_name(f"{path.name}.p")
        if tile.width == FULL_WIDTH and narrower.exists():
            self._superseded.append(narrower)
        if not path.parent.is_dir():
            make_directories(path.parent, 0o755)
        self._unsynced.add(path.parent)
        with coded_errors("read a tile"):
            there = path.read_bytes() if path.exists() else None
        if there is None:
            place_file(path, content, _MODE)
            self.done.files += 1
            self.done.bytes += len(content)
        elif there != content:
            raise _damaged(self.folder, f"{path.relative_to(self.folder)} is not what the log says")
        if len(self._unsynced) > _FOLDERS_AT_ONCE:
            self._sync()

    def _sync(self) -> None:
        for folder in self._unsynced:
            remove_temporaries(folder)
            fsync_directory(folder)
        self._unsynced.clear()

    def remove_superseded(self) -> None:
        """Remove partial tiles that are full by now; one that cannot be removed does no harm."""
        for folder in self._superseded:
            shutil.rmtree(folder, ignore_errors=True)


def _finish(folder: Path, signed: bytes, beside: Mapping[str, bytes]) -> None:
    """The small files, and the checkpoint as the very last."""
    remove_temporaries(folder)
    for name, content in (*beside.items(), (CHECKPOINT, signed)):
        with coded_errors(f"read {name}"):
            there = (folder / name).read_bytes() if (folder / name).exists() else None
        if there != content and not (name == CHECKPOINT and there is not None and _says_as_much(there, content)):
            replace_file(folder / name, content, _MODE)


def _says_as_much(there: bytes, signed: bytes) -> bool:
    """Whether a checkpoint is of the same size with the same signatures, and perhaps more of witnesses."""
    text, _, lines = there.rpartition(b"\n\n")
    new_text, _, new_lines = signed.rpartition(b"\n\n")
    return text == new_text and set(new_lines.splitlines()) <= set(lines.splitlines())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with locked(folder / LOCK, "lock the folder"):
        yield
