"""The last signed checkpoint, kept outside the database: in the data folder, and in a second place when one is set.

1. The first place must be there and must be readable: without it a rollback could not be told, so nothing is signed.
2. The second place is best on another disk or machine, which may be away for a while. That it is away says nothing
   about the log, and the first place still guards it; so the archive goes on, says so, and the audit says so. A file
   that is there and is no checkpoint of this log is never overwritten, and nothing is signed until it is put right.
3. Neither is ever replaced by a checkpoint of fewer events, or of as many with another root; the first place is
   written before the second.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from app.errors import EnvironmentFailedError
from evidence_store.durable import make_directories, move_file, replace_file
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import note

log = logging.getLogger("catena.log")

FIRST = "the checkpoint kept outside the database"
SECOND = "the second copy of the checkpoint"
_RECOVERY = "'catena log recover' (docs/recovery.md)"
_MISSING = (
    f"{FIRST} is gone, so a rollback could not be told; nothing is signed until a copy of it (from a bundle, a mirror, "
    f"a backup or a reader) is put back: {_RECOVERY}"
)


class KeptHeads:
    """The places outside the database.

    Attributes:
        known: the largest number of events that a checkpoint was seen to cover, in this process.
    """

    def __init__(self, first: Path, second: Path | None = None) -> None:
        """Name the places; nothing is read or written yet.

        Args:
            first: the file in the data folder.
            second: the second place; its folder must be there, for a missing one may be a disk that is away.
        """
        self.first = first
        self.second = second
        self.known = 0
        self._told = False

    def begin(self) -> None:
        """Make the folder of the first place.

        Raises:
            EnvironmentFailedError: `log_has_begun` when a checkpoint is in either place already.
        """
        make_directories(self.first.parent)
        if self.first.exists() or (self.second is not None and self.second.exists()):
            raise EnvironmentFailedError("log_has_begun", "a checkpoint is kept already where this log's would be")

    def read(self, keys: Sequence[note.VerifierKey]) -> list[note.Checkpoint]:
        """What is kept: the first place, and the second when it can be reached.

        Args:
            keys: verifier keys of the log.

        Raises:
            EnvironmentFailedError: `head_file_missing`, `head_file_damaged` or `head_copy_damaged`.
        """
        try:
            kept = [open_kept(self.first.read_bytes(), keys)]
        except FileNotFoundError:
            raise missing() from None
        except (EvidenceStoreError, OSError) as error:
            raise EnvironmentFailedError(
                "head_file_damaged", f"{FIRST} is damaged: nothing is signed until it is put right: {_RECOVERY}"
            ) from error
        kept += self._read_second(keys)
        self.known = max(self.known, *(one.size for one in kept))
        return kept

    def _read_second(self, keys: Sequence[note.VerifierKey]) -> list[note.Checkpoint]:
        if self.second is None:
            return []
        try:
            data = self.second.read_bytes()
        except OSError as error:
            self._tell(error.strerror or type(error).__name__)
            return []
        try:
            return [open_kept(data, keys)]
        except EvidenceStoreError as error:
            raise EnvironmentFailedError(
                "head_copy_damaged",
                f"{self.second} is no checkpoint of this log ({error.detail}): nothing is signed until it is put right",
            ) from error

    def notes(self) -> list[bytes]:
        """The bytes of both places, unchecked, as far as they can be read: for a recovery."""
        found = []
        for path in (self.first, self.second):
            with suppress(OSError):
                found += [] if path is None else [path.read_bytes()]
        return found

    def put_back(self, signed: bytes, keys: Sequence[note.VerifierKey]) -> bool:
        """Put a checkpoint into the first place if none can be read there; what is there instead is kept beside it.

        Args:
            signed: a checkpoint that the log was found to continue.
            keys: verifier keys of the log.

        Returns:
            Whether it was put back.
        """
        try:
            open_kept(self.first.read_bytes(), keys)
        except FileNotFoundError:
            make_directories(self.first.parent)
        except (EvidenceStoreError, OSError):
            move_file(self.first, self.first.with_name("checkpoint.damaged"))
        else:
            return False
        replace_file(self.first, signed, 0o644)
        return True

    def write(self, signed: bytes, kept: Sequence[note.Checkpoint]) -> None:
        """Keep a new checkpoint. Its size is what the note says, whatever a caller took it for.

        Args:
            signed: the note, verified.
            kept: what `read` gave: the first place, then the second if it was there; empty for a log that begins.

        Raises:
            EnvironmentFailedError: `log_rolled_back` when it is of fewer events than one that is kept, `log_forked`
                when it is of as many and has another root; both places are left as they are.
            EvidenceStoreError: `checkpoint_form`; `storage_full` or `storage_failed` for the first place, the second
                only warns.
        """
        new = note.parse_checkpoint(note.split_note(signed)[0])
        for one in kept:
            if new.size < one.size:
                raise rolled_back(new.size, one.size)
            if new.size == one.size and new.root != one.root:
                raise forked()
        if not kept or kept[0].size < new.size:
            replace_file(self.first, signed, 0o644)
        self.known = max(self.known, new.size)
        if self.second is None or (len(kept) > 1 and kept[1].size >= new.size):
            return
        if len(kept) == 1 and os.path.lexists(self.second):
            return  # it came back since it was looked for: what it holds is read before it is replaced
        try:
            replace_file(self.second, signed, 0o644)
        except EvidenceStoreError as error:
            self._tell(error.detail)
        else:
            self._told = False

    def _tell(self, why: str) -> None:
        """Warn, once until all is well again: a server signs every few seconds."""
        if not self._told:
            log.warning("%s cannot be reached at %s: %s; the first one guards the log alone", SECOND, self.second, why)
        self._told = True


def missing() -> EnvironmentFailedError:
    """The error of an archive whose first place is empty."""
    return EnvironmentFailedError("head_file_missing", _MISSING)


def rolled_back(here: int, signed: int) -> EnvironmentFailedError:
    """The error of a database that holds fewer events than were signed."""
    return EnvironmentFailedError(
        "log_rolled_back",
        f"the database holds {here} events but a checkpoint of {signed} was signed before: an older database was put "
        f"in place. Nothing is signed, for that would fork the log. Put the newer database back, or bring back what "
        f"is missing with {_RECOVERY}",
    )


def forked() -> EnvironmentFailedError:
    """The error of a database that holds other events than were signed."""
    return EnvironmentFailedError(
        "log_forked",
        "the log contradicts a checkpoint kept outside the database: events that were signed have been replaced by "
        f"others. Nothing is signed. Run 'catena audit'; see {_RECOVERY}",
    )


def open_kept(data: bytes, keys: Sequence[note.VerifierKey]) -> note.Checkpoint:
    """A checkpoint of this log, under any of its keys.

    Raises:
        EvidenceStoreError: as `note.open_own_checkpoint`.
    """
    return note.open_own_checkpoint(data, keys)[0]
