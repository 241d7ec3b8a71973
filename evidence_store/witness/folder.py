"""A witness's folder: its keys, the logs that it knows, what it has co-signed, and what it was shown that must not be.

| file | holds |
|---|---|
| `ed25519.key` `ed25519.vkey`, `ml-dsa-44.key` `ml-dsa-44.vkey` | its keys, one pair or both; encrypted with scrypt |
| `logs.policy` | the logs, as a C2SP tlog-policy with `quorum none` |
| `state.json` `state.lock` | what was co-signed last of each log (evidence_store.witness.state) |
| `equivocations/` | for each log that signed two roots of one size: the second signed note; the first is in the state |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from evidence_store.durable import coded_errors, make_directories, replace_file, write_new
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.cosigner import Cosigner, load_cosigner, make_cosigner, read_cosigner_key
from evidence_store.locks import locked
from evidence_store.log.cosignature import ED25519_COSIGNER, MLDSA44_COSIGNER, CosignerKey
from evidence_store.log.note import Checkpoint, checkpoint_text
from evidence_store.log.policy import decode_policy, parse_log_vkey, parse_policy
from evidence_store.witness.rules import LogKey
from evidence_store.witness.state import StateFile

ALGORITHMS: Final = {"ed25519": ED25519_COSIGNER, "ml-dsa-44": MLDSA44_COSIGNER}
"""Names of the key files, and what the keys are for."""

MAX_EQUIVOCATIONS: Final = 100
_LOGS: Final = "logs.policy"
_NO_LOGS: Final = (
    b"# Logs that this witness knows: C2SP tlog-policy. 'catena witness add-log' adds a line.\nquorum none\n"
)


class WitnessFolder:
    """The files of one witness."""

    def __init__(self, path: Path) -> None:
        """Name the folder; nothing is read yet."""
        self.path = path
        self.state = StateFile(path / "state.json")

    def create(self, name: str, algorithms: Sequence[str], passphrase: bytes) -> list[CosignerKey]:
        """Make keys, an empty list of logs and an empty state, in this order: without a state nothing is signed.

        Args:
            name: of the witness; a schema-less URL is usual ("witness.example/w1").
            algorithms: names of `ALGORITHMS`.
            passphrase: that the private keys are encrypted with.

        Raises:
            EvidenceStoreError: `vkey_form` for a bad name, `file_exists` when there is a witness already,
                `bad_passphrase`, `storage_full`, `storage_failed`.
        """
        make_directories(self.path, 0o700)
        keys = [make_cosigner(self.path, each, name, ALGORITHMS[each], passphrase) for each in algorithms]
        write_new(self.path / _LOGS, _NO_LOGS, 0o644)
        self.state.create()
        return keys

    def public_keys(self) -> list[CosignerKey]:
        """The public keys.

        Raises:
            EvidenceStoreError: `no_witness` when there are none, and as `read_cosigner_key`.
        """
        return [read_cosigner_key(self.path, stem) for stem in self._stems()]

    def cosigners(self, passphrase: bytes) -> list[Cosigner]:
        """The private keys.

        Raises:
            EvidenceStoreError: `no_witness`, and as `load_cosigner`.
        """
        return [load_cosigner(self.path, stem, passphrase) for stem in self._stems()]

    def _stems(self) -> list[str]:
        stems = [stem for stem in ALGORITHMS if (self.path / f"{stem}.vkey").exists()]
        if not stems:
            raise EvidenceStoreError("no_witness", f"no witness in {self.path}: run 'catena witness init' first")
        return stems

    def logs(self) -> list[LogKey]:
        """The keys of the logs that it knows; read anew each time, so that a log can be added while it serves.

        Raises:
            EvidenceStoreError: `witness_logs_missing`, `policy_form`, `vkey_form`, `storage_failed`.
        """
        return [log.key for log in parse_policy(self._logs_text()).logs]

    def _logs_text(self) -> str:
        path = self.path / _LOGS
        if not path.exists():
            raise EvidenceStoreError("witness_logs_missing", f"there is no {path}")
        with coded_errors("read the list of logs"):
            return decode_policy(path.read_bytes())

    def add_log(self, vkey: str) -> LogKey:
        """Know one more log, or one more key of a log; a key that is known already changes nothing.

        Raises:
            EvidenceStoreError: `vkey_form`, `own_key` for a key of this witness, and as `logs`.
        """
        key = parse_log_vkey(vkey)
        if any(key.public_key == own.public_key for own in self.public_keys()):
            raise EvidenceStoreError("own_key", "a witness does not witness itself")
        with self._alone():
            text = self._logs_text()
            known = [log.key for log in parse_policy(text).logs]
            if key not in known:
                text = f"log {vkey}\n{text}"
                parse_policy(text)
                replace_file(self.path / _LOGS, text.encode(), 0o644)
        return key

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with locked(self.path / "logs.lock", "lock the list of logs"):
            yield

    def keep_equivocation(self, checkpoint: Checkpoint, note: bytes) -> Path | None:
        """Keep a signed note that contradicts what was co-signed.

        Args:
            checkpoint: what the note says.
            note: with the log's signatures.

        Returns:
            Where it is; None when there are enough of them.

        Raises:
            EvidenceStoreError: `storage_full`, `storage_failed`.
        """
        folder = self.path / "equivocations"
        make_directories(folder, 0o700)
        digest = hashlib.sha256(checkpoint_text(checkpoint).encode()).hexdigest()[:32]
        path = folder / f"{checkpoint.size}-{digest}.note"
        with coded_errors("look into a folder"):
            if not path.exists() and sum(1 for _ in folder.iterdir()) >= MAX_EQUIVOCATIONS:
                return None
        replace_file(path, note, 0o600)
        return path

    def equivocations(self) -> list[str]:
        """Names of the notes that were kept."""
        folder = self.path / "equivocations"
        with coded_errors("look into a folder"):
            return sorted(path.name for path in folder.glob("*.note")) if folder.is_dir() else []
