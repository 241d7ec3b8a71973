"""What a witness has co-signed, in one file that is replaced as a whole before any answer is given.

1. The file is canonical JSON (RFC 8785), then a line with the SHA-256 of it: damage must not pass for "nothing was
   signed yet". That sum finds accidents; it is no defence against somebody who may write the file.
2. A file that is missing, damaged or of another format is an error, never an empty state: a witness that has
   forgotten could be made to co-sign a fork. Only `create` makes an empty one.
3. Whoever reads it in order to replace it holds the lock: threads and processes alike.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from evidence_store.canonical import Json, canonical_bytes, parse_canonical
from evidence_store.durable import coded_errors, replace_file, write_new
from evidence_store.errors import EvidenceStoreError
from evidence_store.locks import locked
from evidence_store.log.merkle import HASH_BYTES
from evidence_store.log.note import decode_base64
from evidence_store.witness.rules import Seen

MAX_STATE_BYTES: Final = 64 * 1024 * 1024
_FORMAT: Final = "catena witness state"
_VERSION: Final = 1
_FIELDS: Final = {"size", "root", "time", "note"}
_MAX_SIZE: Final = 2**63 - 1


class StateFile:
    """The file, and the lock beside it."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is read yet."""
        self._path = path
        self._lock = path.with_suffix(".lock")

    def create(self) -> None:
        """Make an empty state.

        Raises:
            EvidenceStoreError: `file_exists`, `storage_full`, `storage_failed`.
        """
        write_new(self._path, _serialised({}), 0o600)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who reads in order to write.

        Raises:
            EvidenceStoreError: `storage_failed`.
        """
        with locked(self._lock, "lock the witness's state"):
            yield

    def read(self) -> dict[str, Seen]:
        """The newest co-signed checkpoint of each log, by origin.

        Raises:
            EvidenceStoreError: `witness_state_missing`, `witness_state_damaged`, `storage_failed`.
        """
        try:
            with coded_errors("read the witness's state"):
                data = self._path.read_bytes()
        except EvidenceStoreError:
            if not self._path.exists():
                raise EvidenceStoreError(
                    "witness_state_missing",
                    f"{self._path} is gone: what was co-signed is unknown, so nothing more is",
                ) from None
            raise
        return _parsed(data)

    def write(self, state: dict[str, Seen]) -> None:
        """Replace the file; it is on the disk when this returns.

        Raises:
            EvidenceStoreError: `storage_full`, `storage_failed`; the old file is then still there.
        """
        replace_file(self._path, _serialised(state), 0o600)


def _serialised(state: dict[str, Seen]) -> bytes:
    logs: dict[str, Json] = {
        # Sizes and times may be beyond what JSON readers keep exactly, so they are text.
        origin: {
            "size": str(seen.size),
            "root": seen.root.hex(),
            "time": str(seen.time),
            "note": base64.b64encode(seen.note).decode(),
        }
        for origin, seen in state.items()
    }
    body = canonical_bytes({"format": _FORMAT, "v": _VERSION, "logs": logs})
    return body + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n"


def _parsed(data: bytes) -> dict[str, Seen]:
    body, _, check = data[:MAX_STATE_BYTES].removesuffix(b"\n").rpartition(b"\n")
    if check != hashlib.sha256(body).hexdigest().encode() or not data.endswith(b"\n"):
        raise _damaged("its checksum does not fit")
    try:
        value = parse_canonical(body)
    except EvidenceStoreError:
        raise _damaged("it is not canonical JSON") from None
    if not isinstance(value, dict) or (value.get("format"), value.get("v")) != (_FORMAT, _VERSION):
        raise _damaged("it is of another format or version")
    logs = value.get("logs")
    if not isinstance(logs, dict) or set(value) != {"format", "v", "logs"}:
        raise _damaged("it is of another format or version")
    return {origin: _seen(entry) for origin, entry in logs.items()}


def _seen(entry: Json) -> Seen:
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        raise _damaged("an entry has other fields")
    size, time = _number(entry["size"]), _number(entry["time"])
    try:
        root = bytes.fromhex(str(entry["root"]))
    except ValueError:
        raise _damaged("a root is not hexadecimal") from None
    note = decode_base64(str(entry["note"])) if isinstance(entry["note"], str) else None
    if len(root) != HASH_BYTES or root.hex() != entry["root"] or note is None:
        raise _damaged("a root or a note is malformed")
    return Seen(size, root, time, note)


def _number(value: Json) -> int:
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > len(str(_MAX_SIZE)):
        raise _damaged("a number is malformed")
    number = int(value)
    if number > _MAX_SIZE or str(number) != value:
        raise _damaged("a number is malformed")
    return number


def _damaged(why: str) -> EvidenceStoreError:
    return EvidenceStoreError(
        "witness_state_damaged", f"the witness's state cannot be trusted, nothing is signed: {why}"
    )
