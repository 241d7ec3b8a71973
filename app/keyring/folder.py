"""The key folder: which files hold the current keys, and how others take their place.

    ca.crt ca.key seal.crt seal.key log.vkey log.key log-mldsa.vkey log-mldsa.key   the current keys
    seal.pkcs11, log.pkcs11     in place of seal.key or log.key: names a key inside a token
    retired/                    public halves of former keys, for ever; private ones only when that was asked for;
                                names of compromised keys begin with compromised-
    next/                       a change that is under way

1. Current keys have fixed names. A change is prepared whole in `next/`; its plan is written last, so that a folder
   without a plan is a change that never came about.
2. The log decides: what `next/` holds takes effect when the log has introduced it (app.keyring.service), and is thrown
   away otherwise. After that moment `switch` may be repeated as often as it takes.
3. A former public half is in `retired/` before its successor has its name.
4. Whoever signs holds the folder's lock with others, whoever changes it holds it alone (flock on the folder).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from app.custody.vkeys import MLDSA_STEM, RETIRED
from app.errors import EnvironmentFailedError
from evidence_store.durable import coded_errors, fsync_directory, link_new, make_directories, move_file, write_new

PUBLIC = {"ca": "ca.crt", "seal": "seal.crt", "log": "log.vkey", "pq": f"{MLDSA_STEM}.vkey"}
"""File of the current public half, by use."""

STEMS = {"ca": "ca", "seal": "seal", "log": "log", "pq": MLDSA_STEM}
IN_FILE, IN_TOKEN = ".key", ".pkcs11"
_PLAN = "plan.json"


@dataclass(frozen=True)
class Plan:
    """A change of keys, as it is recorded in the log and carried out in the folder.

    Attributes:
        use: what was asked to be changed.
        changes: details of the events, in order.
        files: names in `next/` that take the place of those in the key folder.
        put_away: name in the key folder -> name in `retired/` that it keeps.
        remove: names in the key folder that have no successor.
    """

    use: str
    changes: list[dict[str, Any]]
    files: list[str]
    put_away: dict[str, str] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)

    def introduced(self) -> list[tuple[str, str]]:
        """(use, key) of each new key."""
        return [(one["use"], one["key"]) for one in self.changes if one["change"] == "introduction"]

    def retired(self, use: str) -> str | None:
        """The key of this use that it retires."""
        found = (one["key"] for one in self.changes if (one["change"], one["use"]) == ("retirement", use))
        return next(found, None)


class KeyFolder:
    """The files of the archive's keys."""

    def __init__(self, path: Path) -> None:
        """Bind to a folder, which need not be there yet."""
        self.path = path
        self.next = path / "next"
        self.retired = path / RETIRED

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Nobody changes keys meanwhile."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody signs or changes keys meanwhile."""
        with self._locked(fcntl.LOCK_EX):
            yield

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            detail = f"the key folder {self.path} cannot be opened: {error.strerror}"
            raise EnvironmentFailedError("key_missing", detail) from None
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)

    def public(self, use: str) -> str | None:
        """The current public half: a PEM certificate or a verifier key; None when there is none.

        Raises:
            EnvironmentFailedError: `key_damaged` when it cannot be read.
        """
        path = self.path / PUBLIC[use]
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            raise EnvironmentFailedError("key_damaged", f"{path} cannot be read") from None
        return text if path.suffix == ".crt" else text.strip()

    def private(self, use: str) -> Path:
        """The file that holds, or names, the current private half.

        Raises:
            EnvironmentFailedError: `key_ambiguous` when there are two.
        """
        held, named = (self.path / f"{STEMS[use]}{suffix}" for suffix in (IN_FILE, IN_TOKEN))
        if held.exists() and named.exists():
            raise EnvironmentFailedError("key_ambiguous", f"there are both {held.name} and {named.name}: remove one")
        return named if named.exists() else held

    # -- a change -----------------------------------------------------------------------------

    def prepare(self) -> Path:
        """An empty folder for a change; what an earlier one left that never took effect is thrown away."""
        self.discard()
        make_directories(self.next, 0o700)
        return self.next

    def commit(self, plan: Plan) -> None:
        """Say that all files of the change are there."""
        write_new(self.next / _PLAN, json.dumps(asdict(plan), indent=1).encode() + b"\n", 0o600)

    def pending(self) -> bool:
        """Whether there is something in `next/`."""
        return self.next.exists()

    def plan(self) -> Plan | None:
        """The change that was prepared whole; None when there is none.

        Raises:
            EnvironmentFailedError: `key_damaged` when it cannot be read.
        """
        try:
            return Plan(**json.loads((self.next / _PLAN).read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, RecursionError):
            detail = f"{self.next / _PLAN} cannot be read, and a change of keys is under way"
            raise EnvironmentFailedError("key_damaged", detail) from None

    def switching(self, plan: Plan) -> bool:
        """Whether some new key has its place already, so that the folder holds old and new ones mixed."""
        return not all((self.next / name).exists() for name in plan.files)

    def switch(self, plan: Plan) -> None:
        """Let the new keys take the place of the old ones; steps that were done before are left out."""
        make_directories(self.retired, 0o700)
        for name in [*plan.files, *plan.remove]:
            if name in plan.files and not (self.next / name).exists():
                continue  # it has its place already
            current = self.path / name
            if name in plan.put_away and current.exists():
                link_new(current, self.retired / plan.put_away[name])
            if name in plan.files:
                move_file(self.next / name, current)
            else:
                with coded_errors("remove a key"):
                    current.unlink(missing_ok=True)
        fsync_directory(self.path)

    def discard(self) -> None:
        """Remove `next/`, the plan first: without it, the rest means nothing."""
        with coded_errors("remove a change of keys"):
            (self.next / _PLAN).unlink(missing_ok=True)
            if self.next.exists():
                fsync_directory(self.next)
                shutil.rmtree(self.next)
