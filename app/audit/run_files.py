"""What an audit under way rests on: one small file for each, beside the reports and not in the database.

Who writes to the database alone can therefore neither order an audit in somebody's name, nor have it said that files
were hashed: a row without its file is no audit of this archive. The file is there from the order until the audit is
done or given up, so that an old one cannot be called back either.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence_store.bundle.shapes import is_uuid
from evidence_store.durable import make_directories, replace_file
from evidence_store.errors import EvidenceStoreError

ENDING = ".run"
REPORTS = (".json", ".p7s")
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Written:
    """What such a file holds.

    Attributes:
        options: what was asked, by whom and when, as the row has it.
        kept: what was hashed (app.audit.kept), unchecked JSON; None for nothing.
        resumptions: how often the audit was gone on with.
    """

    options: str
    kept: Any = None
    resumptions: int = 0


class RunFiles:
    """The files of one archive."""

    def __init__(self, folder: Path) -> None:
        """Name the folder, which is that of the reports."""
        self._folder = folder

    def write(self, run_id: str, written: Written) -> None:
        """Write it anew, durably.

        Raises:
            EvidenceStoreError: `storage_full` or `storage_failed`.
        """
        record = {"options": written.options, "kept": written.kept, "resumptions": written.resumptions}
        make_directories(self._folder, 0o700)
        replace_file(self._path(run_id), json.dumps(record, sort_keys=True).encode(), _MODE)

    def read(self, run_id: str) -> Written | None:
        """What is written of a run; None when nothing is, or nothing that can be read."""
        if not is_uuid(run_id):  # no path is built from anything else
            return None
        try:
            record = json.loads(self._path(run_id).read_bytes())
            options, resumptions = record["options"], record["resumptions"]
            if type(options) is not str or type(resumptions) is not int or resumptions < 0:
                return None
            return Written(options, record.get("kept"), resumptions)
        except (OSError, EvidenceStoreError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def drop(self, run_id: str, *, recorded: bool) -> None:
        """The run is over.

        Args:
            run_id: which one.
            recorded: whether its report is; else what a kill left of that goes as well, if the run was open until now.
        """
        if not is_uuid(run_id):
            return
        endings = (ENDING,) if recorded or self.read(run_id) is None else (*REPORTS, ENDING)
        with suppress(OSError):
            for ending in endings:
                self._path(run_id).with_suffix(ending).unlink(missing_ok=True)

    def there(self) -> list[str]:
        """Ids of the runs that something is written of."""
        with suppress(OSError):
            return sorted(path.stem for path in self._folder.glob(f"*{ENDING}") if is_uuid(path.stem))
        return []

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}{ENDING}"
