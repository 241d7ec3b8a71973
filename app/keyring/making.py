"""New keys, made in the folder of a change: private half, public half, and what is to be recorded of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.clock import rfc3339
from app.config import ArchiveIdentity
from app.errors import ConflictError, EnvironmentFailedError
from app.keyring import rules
from app.keyring.folder import IN_FILE, IN_TOKEN, PUBLIC, STEMS, KeyFolder, Plan
from app.keyring.pin import find_pin
from app.keyring.signing import load, read_certificate
from evidence_store.durable import write_new
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.authority import create_ca, issue_seal_certificate
from evidence_store.keys.base import ECDSA_P256_SHA256, ED25519, PublicKey
from evidence_store.keys.cosigner import make_cosigner
from evidence_store.keys.file import (
    PrivateKey,
    generate_ed25519,
    generate_p256,
    load_private_key,
    load_signer,
    save_private_key,
)
from evidence_store.keys.pkcs11 import Pkcs11Signer, find_in_token, generate_in_token, save_token_key
from evidence_store.log.cosignature import MLDSA44_COSIGNER, format_cosigner_vkey
from evidence_store.log.note import format_vkey
from evidence_store.trust import CA, LOG, PQ, SEAL, KeyHistory


@dataclass(frozen=True, slots=True)
class InToken:
    """That a new key shall be in a token.

    Attributes:
        module: path of the PKCS#11 library.
        token: label of the token.
        label: of the key.
        existing: take the key of that label, which is there already, instead of making one.
    """

    module: str
    token: str
    label: str
    existing: bool = False


@dataclass
class Making:
    """One change of keys in the making.

    Attributes:
        folder: the key folder, prepared for a change.
        identity: whose keys.
        history: as it stands.
        passphrase: of the key files.
        now: when the new keys begin and the old ones end.
        reason: why.
        keep_private: put the old private key files away instead of removing them.
        token: where the new key shall be; None for a file.
        in_file: leave a token for a file, which must be said.
        ca_key: file of the authority's private key, when it is not in the key folder.
    """

    folder: KeyFolder
    identity: ArchiveIdentity
    history: KeyHistory
    passphrase: Callable[[], bytes]
    now: datetime
    reason: str
    keep_private: bool = False
    token: InToken | None = None
    in_file: bool = False
    ca_key: Path | None = None
    _introduced: list[dict[str, Any]] = field(default_factory=list)
    _retired: list[dict[str, Any]] = field(default_factory=list)
    _files: list[str] = field(default_factory=list)
    _put_away: dict[str, str] = field(default_factory=dict)
    _remove: list[str] = field(default_factory=list)

    def plan(self, use: str) -> Plan:
        """Make the new key of a use, and what depends on it.

        Raises:
            ConflictError: `ca_key_missing`, `key_in_token`.
            EnvironmentFailedError: `key_compromised`: the authority may certify nothing any more.
            EvidenceStoreError: those of key files and tokens.
        """
        makers = {
            CA: self._make_authority,
            SEAL: self._make_seal_key,
            LOG: self._make_log_key,
            PQ: self._make_second_log_key,
        }
        makers[use]()
        changes = [*self._introduced, *reversed(self._retired)]
        return Plan(use, changes, self._files, self._put_away, self._remove)

    # -- of each use --------------------------------------------------------------------------

    def _make_authority(self) -> None:
        key = generate_p256()
        certificate = create_ca(key, self.identity.org, self.identity.id, self.now)
        self._save(CA, key)
        self._replace(CA, certificate.public_bytes(Encoding.PEM).decode())
        self._certify(certificate, key, self._seal_public_key(may_stay=True))

    def _make_seal_key(self) -> None:
        authority, current = read_certificate(self.folder, CA), self.history.current(CA)
        if current is not None and current.compromised is not None:
            raise EnvironmentFailedError("key_compromised", "the authority's key is compromised: rotate ca instead")
        self._certify(authority, self._authority_key(), self._seal_public_key(may_stay=False))

    def _make_log_key(self) -> None:
        if self.token is None:
            private = generate_ed25519()
            self._save(LOG, private)
            public: PublicKey = private.public_key()
        else:
            public = self._in_token(LOG, ED25519, self.token)
        self._replace(LOG, format_vkey(self.identity.log, public.public_bytes(Encoding.Raw, PublicFormat.Raw)))

    def _make_second_log_key(self) -> None:
        key = make_cosigner(self.folder.next, STEMS[PQ], self.identity.log, MLDSA44_COSIGNER, self.passphrase())
        self._takes_place(PQ, f"{STEMS[PQ]}{IN_FILE}")
        self._replace(PQ, format_cosigner_vkey(key.name, key.algorithm, key.public_key), written=True)

    # -- parts --------------------------------------------------------------------------------

    def _authority_key(self) -> EllipticCurvePrivateKey:
        path = self.ca_key or self.folder.path / f"{STEMS[CA]}{IN_FILE}"
        try:
            key = load_private_key(path, self.passphrase())
        except EvidenceStoreError as error:
            if error.code != "key_missing":
                raise
            detail = f"the authority's private key is not at {path}: bring it, or say where it is (--ca-key FILE)"
            raise ConflictError("ca_key_missing", detail) from None
        if not isinstance(key, EllipticCurvePrivateKey):
            raise EnvironmentFailedError("key_mismatch", f"{path} is not the key of the authority's certificate")
        return key

    def _certify(self, authority: x509.Certificate, key: EllipticCurvePrivateKey, public: PublicKey) -> None:
        issued = issue_seal_certificate(authority, key, public, self.identity.org, self.identity.id, self.now)
        self._replace(SEAL, issued.public_bytes(Encoding.PEM).decode())

    def _seal_public_key(self, *, may_stay: bool) -> PublicKey:
        """The key to certify: a new one; or the one in the token, which a new authority may certify once more."""
        current = self.history.current(SEAL)
        sound = current is not None and current.compromised is None
        in_token = self.folder.private(SEAL).suffix == IN_TOKEN
        if may_stay and in_token and sound and self.token is None and not self.in_file:
            return load(self.folder, SEAL, self.passphrase).public_key
        if self.token is not None:
            return self._in_token(SEAL, ECDSA_P256_SHA256, self.token)
        private = generate_p256()
        self._save(SEAL, private)
        return private.public_key()

    def _save(self, use: str, private: PrivateKey) -> None:
        """A new private key in a file, which is read back: one that does not open must not take effect."""
        if self.folder.private(use).suffix == IN_TOKEN and not self.in_file:
            detail = f"the {use} key is in a token: say where the new one shall be (--pkcs11 or --file)"
            raise ConflictError("key_in_token", detail)
        name = f"{STEMS[use]}{IN_FILE}"
        save_private_key(self.folder.next / name, private, self.passphrase())
        if load_signer(self.folder.next / name, self.passphrase()).public_key != private.public_key():
            raise EnvironmentFailedError("key_damaged", f"the new {use} key cannot be read back", status=500)
        self._takes_place(use, name)

    def _in_token(self, use: str, algorithm: str, wish: InToken) -> PublicKey:
        """A new private key in a token."""
        name = f"{STEMS[use]}{IN_TOKEN}"
        if wish.existing:
            where = find_in_token(wish.module, wish.token, wish.label, find_pin)
        else:
            where = generate_in_token(wish.module, wish.token, wish.label, algorithm, find_pin)
        signer = Pkcs11Signer(where, find_pin)
        if signer.algorithm != algorithm:
            raise EnvironmentFailedError("key_mismatch", f"key {wish.label} in the token is not for {algorithm}")
        save_token_key(self.folder.next / name, where)
        self._takes_place(use, name)
        return signer.public_key

    def _takes_place(self, use: str, name: str) -> None:
        """The new private half `name` takes the place of whatever holds or names the old one."""
        self._files.append(name)
        old = self.folder.private(use)
        record = self.history.current(use)
        if not old.exists():
            return
        if record is not None and (self.keep_private or old.suffix == IN_TOKEN):  # which names a key, and holds none
            self._put_away[old.name] = rules.put_away_name(record, old.name)
        if old.name != name:
            self._remove.append(old.name)

    def _replace(self, use: str, material: str, *, written: bool = False) -> None:
        """A new public half takes the place of the old one, and the log will say so."""
        name, at = PUBLIC[use], rfc3339(self.now)
        if not written:
            write_new(
                self.folder.next / name, material.encode() if use in {CA, SEAL} else f"{material}\n".encode(), 0o644
            )
        self._files.append(name)
        self._introduced.append(rules.introduction(use, material, at, self.reason))
        record = self.history.current(use)
        if record is not None:
            self._put_away[name] = rules.put_away_name(record, name)
            self._retired.append(rules.retirement(record, at, self.reason))
