"""Keys that sign: loaded once, used until the log tells of a change, refused once they are compromised.

A server keeps its keys in memory, and somebody may change or disown them from the command line meanwhile. So each
signature is made while the key folder is locked against changes, and only if the log has told of no change since the
key was loaded. A retired key therefore never signs again, whichever process has it in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.archive import LogKey, SealKey
from app.clock import Clock
from app.config import ArchiveIdentity
from app.custody.checkpoints import Checkpointer
from app.db import Database
from app.errors import EnvironmentFailedError
from app.keyring.folder import IN_TOKEN, STEMS, KeyFolder
from app.keyring.history import changes_of, read_history
from app.keyring.pin import find_pin
from evidence_store.keys.base import Signer
from evidence_store.keys.cosigner import load_cosigner
from evidence_store.keys.file import load_signer
from evidence_store.keys.pkcs11 import Pkcs11Signer, load_token_key
from evidence_store.log import note
from evidence_store.seal import build_seal
from evidence_store.trust import CA, LOG, PQ, SEAL

R = TypeVar("R")
CHANGED = "key_changed"


class SigningKeys:
    """The keys that sign, for one opened archive."""

    def __init__(
        self,
        folder: KeyFolder,
        identity: ArchiveIdentity,
        db: Database,
        passphrase: Callable[[], bytes],
        clock: Clock,
    ) -> None:
        """Bind to an archive; nothing is loaded yet.

        Args:
            folder: the key folder.
            identity: whose keys.
            db: holds the log.
            passphrase: of the key files; asked once, and kept, for keys that take the place of these.
            clock: source of the times that co-signatures claim.
        """
        self.folder = folder
        self.passphrase = cache(passphrase)
        self._identity = identity
        self._db = db
        self._clock = clock
        self._lock = threading.Lock()
        self._seal: tuple[int, SealKey] | None = None
        self._log: tuple[int, LogKey] | None = None
        self.complete: Callable[[], None] = lambda: None
        """Ends a change of keys that was interrupted; the composition root puts it here."""

    def seal_key(self) -> SealKey:
        """The current seal key.

        Raises:
            EnvironmentFailedError: `key_compromised`, `key_ambiguous`, `key_damaged`.
            EvidenceStoreError: those of the key file or token; `key_mismatch`.
        """
        with self._lock:
            changes = self._settled()
            if self._seal is None or self._seal[0] != changes:
                self._seal = changes, self._load_seal(changes)
            return self._seal[1]

    def log_key(self) -> LogKey:
        """The current keys of the log; raises what `seal_key` raises."""
        with self._lock:
            changes = self._settled()
            if self._log is None or self._log[0] != changes:
                self._log = changes, self._load_log(changes)
            return self._log[1]

    def _settled(self) -> int:
        """The number of changes so far, none of them half-done."""
        if self.folder.pending():
            self.complete()
        return self._changes()

    def _changes(self) -> int:
        with self._db.look() as connection:
            return changes_of(connection, self._identity.id)

    def _load_seal(self, changes: int) -> SealKey:
        with self.folder.shared():
            self._refuse_compromised(CA, SEAL)
            certificate, authority = (read_certificate(self.folder, use) for use in (SEAL, CA))
            signer = load(self.folder, SEAL, self.passphrase)
        if signer.public_key != certificate.public_key():
            raise EnvironmentFailedError("key_mismatch", "the seal key is not the one of the seal certificate")

        begun = self._begun(SEAL)

        def seal(data: bytes, when: datetime) -> bytes:
            at = max(when, begun)
            return self._guarded(changes, lambda: build_seal(data, certificate, signer.sign, at, authority=authority))

        return SealKey(certificate, authority, seal)

    def _load_log(self, changes: int) -> LogKey:
        with self.folder.shared():
            self._refuse_compromised(LOG, PQ)
            begun = self._begun(PQ)
            clock = lambda: max(self._clock(), begun)  # noqa: E731 - a clock that does not go back before the key
            key = load_log_key(self.folder, self._identity.log, self.passphrase, clock)
        cosign = key.cosign
        return LogKey(
            key.name,
            key.public_key,
            lambda text: self._guarded(changes, lambda: key.sign(text)),
            None if cosign is None else lambda text: self._guarded(changes, lambda: cosign(text)),
        )

    def _refuse_compromised(self, *uses: str) -> None:
        with self._db.read() as session:
            history = read_history(session, self._identity.id)
        for use in uses:
            current = history.current(use)
            if current is not None and current.compromised is not None:
                raise EnvironmentFailedError(
                    "key_compromised",
                    f"the {use} key is compromised since {current.compromised.isoformat()} and signs nothing: "
                    f"'catena keys rotate {use}' makes another",
                )

    def _begun(self, use: str) -> datetime:
        """Since when the current key of this use is in use: it never claims to have signed before.

        A clock that is set back after a rotation would else make signatures that no verifier accepts (`key_not_yet`).
        """
        with self._db.read() as session:
            current = read_history(session, self._identity.id).current(use)
        return datetime.min.replace(tzinfo=UTC) if current is None else current.introduced

    def _guarded(self, changes: int, sign: Callable[[], R]) -> R:
        with self.folder.shared():
            if self._changes() != changes:
                raise EnvironmentFailedError(CHANGED, "the key was changed just now: do it again")
            return sign()


def sign_head(checkpointer: Checkpointer, log_key: Callable[[], LogKey]) -> bytes:
    """The signed checkpoint of the log as it stands; tried twice, for the key may be changed just then.

    Raises:
        EnvironmentFailedError: those of `Checkpointer.sign_head` and `SigningKeys.log_key`.
    """
    try:
        return _sign_head(checkpointer, log_key())
    except EnvironmentFailedError as error:
        if error.code != CHANGED:
            raise
    return _sign_head(checkpointer, log_key())


def _sign_head(checkpointer: Checkpointer, key: LogKey) -> bytes:
    return checkpointer.sign_head(key.public_key, key.sign, key.cosign)


def load(folder: KeyFolder, use: str, passphrase: Callable[[], bytes]) -> Signer:
    """The current private key of a use, from a file or a token.

    Raises:
        EnvironmentFailedError: `key_ambiguous`, `pkcs11_pin_missing`.
        EvidenceStoreError: those of `load_signer`, `load_token_key` and `Pkcs11Signer`.
    """
    path = folder.private(use)
    if path.suffix == IN_TOKEN:
        return Pkcs11Signer(load_token_key(path), find_pin)
    return load_signer(path, passphrase())


def load_log_key(folder: KeyFolder, origin: str, passphrase: Callable[[], bytes], clock: Clock) -> LogKey:
    """The log's keys as they lie in the folder; whoever calls this sees to it that nobody changes them.

    Raises:
        EnvironmentFailedError: `key_mismatch` when a private half is not of the public one, or of another log.
        EvidenceStoreError: as `load`, and those of `load_cosigner`.
    """
    signer = load(folder, LOG, passphrase)
    if not isinstance(signer.public_key, Ed25519PublicKey):
        raise EnvironmentFailedError("key_mismatch", "the log key is not an Ed25519 key")
    raw = signer.public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    if note.format_vkey(origin, raw) != folder.public(LOG):
        raise EnvironmentFailedError("key_mismatch", "the log key is not the one of log.vkey")
    return LogKey(origin, raw, signer.sign, _load_cosign(folder, origin, passphrase, clock))


def _load_cosign(
    folder: KeyFolder, origin: str, passphrase: Callable[[], bytes], clock: Clock
) -> Callable[[str], str] | None:
    """The log's ML-DSA-44 signature; archives made before it have no key for it."""
    if folder.public(PQ) is None and not folder.private(PQ).exists():
        return None
    cosigner = load_cosigner(folder.path, STEMS[PQ], passphrase())
    if cosigner.key.name != origin:
        raise EnvironmentFailedError("key_mismatch", f"{STEMS[PQ]}.vkey is the key of another log")
    return lambda text: cosigner.line(text, int(clock().timestamp()))


def read_certificate(folder: KeyFolder, use: str) -> x509.Certificate:
    """A current certificate.

    Raises:
        EnvironmentFailedError: `key_damaged`.
    """
    try:
        return x509.load_pem_x509_certificate((folder.public(use) or "").encode())
    except (ValueError, x509.InvalidVersion):
        raise EnvironmentFailedError("key_damaged", f"the {use} certificate cannot be read") from None
