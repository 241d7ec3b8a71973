"""Private keys inside a PKCS#11 token: a smart card, a hardware module, or SoftHSM (OASIS PKCS #11 3.0).

A small file takes the place of the key file and names the key: module, token, label and id, no secret. It is held to
the same permissions as a key file, for whoever writes it chooses the library that this program loads.

ECDSA P-256 is CKM_ECDSA over the SHA-256 digest, which every token has; its r and s become a DER `ECDSA-Sig-Value`.
Ed25519 is CKM_EDDSA over the message.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from evidence_store import asn1
from evidence_store.durable import write_new
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.base import ECDSA_P256_SHA256, ED25519, PublicKey
from evidence_store.keys.file import read_private_file
from evidence_store.keys.token_session import Pin, with_session

if TYPE_CHECKING:
    from pkcs11.constants import ObjectClass
    from pkcs11.types import Session

_P256: Final = asn1.oid("1.2.840.10045.3.1.7")
_EDWARDS25519: Final = asn1.oid("1.3.101.112")  # RFC 8410
_ID_BYTES: Final = 16
_HALF: Final = 32  # of an ECDSA P-256 signature: r, then s
_FIELDS: Final = ("module", "token", "label", "id")


@dataclass(frozen=True, slots=True)
class TokenKey:
    """Where a key is.

    Attributes:
        module: path of the PKCS#11 library.
        token: label of the token.
        label: label of the key (CKA_LABEL).
        id: CKA_ID in hex, the same for both halves.
    """

    module: str
    token: str
    label: str
    id: str


class Pkcs11Signer:
    """A `Signer` whose private key never leaves its token.

    Args:
        where: the key.
        pin: asked whenever a session has to be opened.

    Raises:
        EvidenceStoreError: `key_unsupported` for another kind of key, and those of `with_session`.
    """

    __slots__ = ("_pin", "_public_key", "_where")

    def __init__(self, where: TokenKey, pin: Pin) -> None:
        self._where = where
        self._pin = pin
        self._public_key = with_session(where.module, where.token, pin, lambda session: _public_key(session, where))

    @property
    def algorithm(self) -> str:
        """`ed25519` or `ecdsa-p256-sha256`."""
        return ED25519 if isinstance(self._public_key, Ed25519PublicKey) else ECDSA_P256_SHA256

    @property
    def public_key(self) -> PublicKey:
        """The public half, as the token gave it when this was made."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Sign a whole message; see `Signer.sign` for the form of the result.

        Raises:
            EvidenceStoreError: those of `with_session`.
        """
        ed25519 = self.algorithm == ED25519

        def work(session: Session) -> bytes:
            import pkcs11

            key = _the_key(session, pkcs11.ObjectClass.PRIVATE_KEY, self._where.label, self._where.id)
            if ed25519:
                return bytes(key.sign(message, mechanism=pkcs11.Mechanism.EDDSA))
            return bytes(key.sign(hashlib.sha256(message).digest(), mechanism=pkcs11.Mechanism.ECDSA))

        signature = with_session(self._where.module, self._where.token, self._pin, work)
        if ed25519:
            return signature
        if len(signature) != 2 * _HALF:
            raise EvidenceStoreError("pkcs11_failed", f"the token made a signature of {len(signature)} bytes, not 64")
        return encode_dss_signature(int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big"))

    def __repr__(self) -> str:
        return f"Pkcs11Signer({self.algorithm}, {self._where.label!r} in token {self._where.token!r})"


def generate_in_token(module: str, token: str, label: str, algorithm: str, pin: Pin) -> TokenKey:
    """Make a key pair inside a token; its private half can never be read out.

    Args:
        module: path of the PKCS#11 library.
        token: label of the token.
        label: label for the key; it must be free.
        algorithm: `ecdsa-p256-sha256` or `ed25519`.
        pin: asked once.

    Raises:
        EvidenceStoreError: `pkcs11_key_exists`, and those of `with_session`.
    """
    identifier = secrets.token_bytes(_ID_BYTES)

    def work(session: Session) -> TokenKey:
        import pkcs11

        if list(session.get_objects({pkcs11.Attribute.LABEL: label})):
            raise EvidenceStoreError("pkcs11_key_exists", f"token {token!r} has something labelled {label!r} already")
        edwards = algorithm == ED25519
        parameters = session.create_domain_parameters(
            pkcs11.KeyType.EC_EDWARDS if edwards else pkcs11.KeyType.EC,
            {pkcs11.Attribute.EC_PARAMS: _EDWARDS25519 if edwards else _P256},
            local=True,
        )
        parameters.generate_keypair(
            store=True,
            label=label,
            id=identifier,
            capabilities=pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY,
            private_template={pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False},
        )
        return TokenKey(module, token, label, identifier.hex())

    return with_session(module, token, pin, work, write=True)


def find_in_token(module: str, token: str, label: str, pin: Pin) -> TokenKey:
    """Name a key that is in a token already.

    Raises:
        EvidenceStoreError: those of `with_session`; `pkcs11_key_missing` also when several keys have that label.
    """

    def work(session: Session) -> TokenKey:
        import pkcs11

        key = _the_key(session, pkcs11.ObjectClass.PRIVATE_KEY, label)
        return TokenKey(module, token, label, bytes(key[pkcs11.Attribute.ID]).hex())

    return with_session(module, token, pin, work)


def save_token_key(path: Path, where: TokenKey) -> None:
    """Write the file that names a key: new, mode 0600, durable when this returns.

    Raises:
        EvidenceStoreError: `file_exists`, `storage_full`, `storage_failed`.
    """
    write_new(path, json.dumps({"v": 1, **asdict(where)}, indent=1, sort_keys=True).encode() + b"\n", 0o600)


def load_token_key(path: Path) -> TokenKey:
    """Read the file that names a key.

    Raises:
        EvidenceStoreError: `key_missing`, `key_permissions`, `key_unreadable`, `key_damaged`.
    """
    try:
        record = json.loads(read_private_file(path))
        values = [record[name] for name in _FIELDS]
        if record["v"] == 1 and all(isinstance(value, str) and value for value in values):
            bytes.fromhex(values[-1])
            return TokenKey(*values)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise EvidenceStoreError("key_damaged", f"{path} does not name a key in a token")


def _the_key(session: Session, kind: ObjectClass, label: str, identifier: str | None = None) -> Any:  # noqa: ANN401
    """The one key of a label; its type is put together by the library at run time."""
    import pkcs11

    wanted: dict[pkcs11.Attribute, Any] = {pkcs11.Attribute.CLASS: kind, pkcs11.Attribute.LABEL: label}
    if identifier is not None:
        wanted[pkcs11.Attribute.ID] = bytes.fromhex(identifier)
    found = list(session.get_objects(wanted))  # to the end: a search that is left open locks the session
    if len(found) != 1:
        raise pkcs11.NoSuchKey
    return found[0]


def _public_key(session: Session, where: TokenKey) -> PublicKey:
    import pkcs11

    key = _the_key(session, pkcs11.ObjectClass.PUBLIC_KEY, where.label, where.id)
    try:
        if key.key_type == pkcs11.KeyType.EC and bytes(key[pkcs11.Attribute.EC_PARAMS]) == _P256:
            return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), _point(key[pkcs11.Attribute.EC_POINT]))
        if key.key_type == pkcs11.KeyType.EC_EDWARDS:  # Ed448 has longer points
            return Ed25519PublicKey.from_public_bytes(_point(key[pkcs11.Attribute.EC_POINT]))
    except (asn1.Asn1Error, ValueError):
        pass
    raise EvidenceStoreError("key_unsupported", f"key {where.label!r} is neither ECDSA P-256 nor Ed25519")


def _point(value: bytes) -> bytes:
    """CKA_EC_POINT is the DER OCTET STRING of the point (PKCS #11 3.0, section 6.3.3)."""
    reader = asn1.Reader(bytes(value))
    raw = reader.take(asn1.OCTET_STRING)
    reader.end()
    return raw
