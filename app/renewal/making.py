"""Making a renewal's files: the log is read once, checked against what was signed, and hashed into a tree."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from app.custody.log_scan import scan_log
from app.db import Database
from app.renewal.sorting import Sorter
from app.renewal.tree import MODE, write_tree
from evidence_store.bundle.renewals import CHECKPOINT, checkpoint_members, token_name
from evidence_store.digests import Digests, digest_file, digest_stream
from evidence_store.durable import coded_errors, fsync_directory, make_directories, write_new
from evidence_store.log.note import Checkpoint

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Made:
    """A hash tree on disk.

    Attributes:
        leaves: number of data object groups.
        root: SHA-512 that the first time stamp is to be over.
        files: digests of each file, by name.
    """

    leaves: int
    root: bytes
    files: dict[str, Digests]


@dataclass(frozen=True, slots=True)
class Renewed:
    """The checkpoint that is renewed.

    Attributes:
        checkpoint: what it says.
        note: its base note.
        tokens: those over it, by authority.
    """

    checkpoint: Checkpoint
    note: bytes
    tokens: Mapping[str, bytes]

    def group(self) -> tuple[str, list[bytes]]:
        """Name of its data object group, and the other members."""
        name, *members = checkpoint_members(
            self.checkpoint.size, self.note, [self.tokens[tsa] for tsa in sorted(self.tokens)]
        )
        return name.decode(), members


def make_files(db: Database, folder: Path, renewed: Renewed, progress: Progress | None) -> Made:
    """Write a renewal's checkpoint, tokens and hash tree into a new folder, durably.

    Args:
        db: the database.
        folder: where; it may not be there yet.
        renewed: the checkpoint that says which events there are.
        progress: told (events read, of how many).

    Raises:
        EnvironmentFailedError: `log_damaged` when the log is not what the checkpoint signed.
        EvidenceStoreError: `storage_full` or `storage_failed`.
    """
    make_directories(folder, 0o700)
    write_new(folder / CHECKPOINT, renewed.note, MODE)
    for tsa, token in renewed.tokens.items():
        write_new(folder / token_name(tsa), token, MODE)
    with Sorter(folder) as sorter, closing(_events(db, renewed.checkpoint, progress)) as events:
        name, members = renewed.group()
        for member in members:
            sorter.add(name, member)
        for about, canonical in events:
            sorter.add(about, canonical)
        leaves, root = write_tree(folder, sorter.groups(), sorter.longest)
    fsync_directory(folder)
    return Made(leaves, root, {path.name: digest_file(path) for path in sorted(folder.iterdir())})


def _events(db: Database, checkpoint: Checkpoint, progress: Progress | None) -> Generator[tuple[str, bytes]]:
    with db.read() as session, closing(scan_log(session, checkpoint)) as events:
        for event in events:
            yield event.about, event.canonical
            if progress is not None and (event.leaf_index + 1) % 1000 == 0:
                progress(event.leaf_index + 1, checkpoint.size)
    if progress is not None:
        progress(checkpoint.size, checkpoint.size)


def write_stamp(folder: Path, name: str, token: bytes) -> Digests:
    """Write a time stamp of the chain, durably; one of that name that no event knows is replaced.

    Raises:
        EvidenceStoreError: `storage_full` or `storage_failed`.
    """
    with coded_errors("remove what was not finished"):
        (folder / name).unlink(missing_ok=True)  # a process was killed before it recorded it
    write_new(folder / name, token, MODE)
    return digest_stream([token])
