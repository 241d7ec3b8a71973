"""What a run of `catena ingest` has done, so that the next run of the same command goes on instead of beginning anew.

1. The archive decides what was deposited: each file has an idempotency key made of the run's number, the case, the
   digest, the absolute path and the source. The journal remembers the run's number, uploads under way, skips recorded.
2. Lost or spoilt, it costs time: files are then known by their bytes, and skipped. Nothing is doubled or lost.
3. It holds hashed keys of deposits, ids of items and addresses of uploads, and nobody else may read it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Literal

from schemas.records.v1.source import SourceContext

Fact = Literal["skipped", "namesake", "upload", "related"]


def state_folder() -> Path:
    """Where this user's programs keep their state (XDG base directories)."""
    given = os.environ.get("XDG_STATE_HOME")
    base = Path(given) if given and Path(given).is_absolute() else Path.home() / ".local" / "state"
    return base / "catena" / "ingest"


class Journal:
    """The notes of one run; safe to use from several threads."""

    def __init__(
        self, path: Path | None, run: str, facts: dict[tuple[str, str], str], *, resumed: bool = False
    ) -> None:
        """Made by `open`.

        Args:
            path: the file; None when there is no place for one.
            run: number of the run.
            facts: what earlier runs noted, by fact and key.
            resumed: whether the run was begun by an earlier process, which may have deposited something.
        """
        self.run = run
        self.resumed = resumed
        self._path = path
        self._facts = facts
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path, *names: str) -> Journal:
        """The journal of a command, that of its interrupted run when there is one.

        Args:
            folder: where journals lie; made when missing.
            names: what makes this command this command: archive, case, paths, options that matter.

        Returns:
            A journal; when the folder cannot be written to, one that forgets.
        """
        path = _place(folder, names)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            run, facts = _read(path)
            resumed = run is not None
            if run is None:
                run, facts = uuid.uuid4().hex, {}
                _replace(path, json.dumps({"run": run}) + "\n")
        except OSError:
            return cls(None, uuid.uuid4().hex, {})
        return cls(path, run, facts, resumed=resumed)

    @classmethod
    def peek(cls, folder: Path, *names: str) -> Journal:
        """What an interrupted run of a command left; nothing is made, and nothing will be written."""
        run: str | None = None
        facts: dict[tuple[str, str], str] = {}
        with suppress(OSError):
            run, facts = _read(_place(folder, names))
        return cls(None, run or uuid.uuid4().hex, facts, resumed=run is not None)

    @property
    def kept(self) -> bool:
        """Whether the notes outlive this process."""
        return self._path is not None

    def key(self, case: str, sha256: str, place: str, source: SourceContext) -> str:
        """The idempotency key of one file's deposit in this run; `place` is the same in each run of the command."""
        said = json.dumps(source.as_record(), sort_keys=True)
        whole = json.dumps([self.run, case, sha256, place, said]).encode("utf-8", "surrogatepass")
        return f"ingest-{hashlib.sha256(whole).hexdigest()[:48]}"

    def known(self, fact: Fact, key: str) -> str | None:
        """What was noted."""
        with self._lock:
            return self._facts.get((fact, key))

    def note(self, fact: Fact, key: str, value: str) -> None:
        """Remember a fact; a disk that takes no more is no reason to stop."""
        line = json.dumps({"fact": fact, "key": key, "value": value}) + "\n"
        with self._lock:
            self._facts[(fact, key)] = value
            if self._path is not None:
                with suppress(OSError), self._path.open("a", encoding="utf-8") as stream:
                    stream.write(line)

    def end(self) -> None:
        """The run is done; the next one of the same command is another."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()


def _place(folder: Path, names: tuple[str, ...]) -> Path:
    digest = hashlib.sha256(json.dumps(names).encode("utf-8", "surrogatepass")).hexdigest()
    return folder / f"{digest[:32]}.jsonl"


def _read(path: Path) -> tuple[str | None, dict[tuple[str, str], str]]:
    """Number of the run and its facts; a line that a crash cut off is passed over."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None, {}
    run: str | None = None
    facts = {}
    for line in lines:
        try:
            record = json.loads(line)
            if "run" in record:
                run = str(record["run"])
            else:
                facts[(str(record["fact"]), str(record["key"]))] = str(record["value"])
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return run, facts


def _replace(path: Path, text: str) -> None:
    part = path.with_suffix(f".{uuid.uuid4().hex[:8]}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)
