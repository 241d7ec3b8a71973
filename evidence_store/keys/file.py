"""Private keys in encrypted files.

A key file is a PEM `EncryptedPrivateKeyInfo` (RFC 5958) under PBES2 (RFC 8018) with scrypt (RFC 7914)
and AES-256-CBC. `openssl pkey -in FILE` reads it; one of ML-DSA-44 (RFC 9881, the seed alone) only
openssl 3.5 and later. The line of text before the PEM block carries a SHA-256 of the block: CBC does not
notice damage, and a damaged Ed25519 file would otherwise open as a *different* key. That sum finds
accidents; it is not a defence against somebody who may write the file. Files made by
`openssl pkcs8 -topk8 -scrypt` have no such line and load all the same.

No error, repr or traceback cause made here holds key material or a passphrase.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from evidence_store import asn1
from evidence_store.durable import write_new
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.base import ECDSA_P256_SHA256, ED25519, ML_DSA_44, PublicKey

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | mldsa.MLDSA44PrivateKey

# openssl refuses scrypt parameters that need 32 MiB or more when it reads PKCS#8, which rules out N = 2^15 with
# r = 8. Five passes over 16 MiB cost an attacker about what one pass over 128 MiB would.
SCRYPT_N: Final = 2**14
SCRYPT_R: Final = 8
SCRYPT_P: Final = 5
_SALT_SIZE: Final = 16
_AES_256_KEY_SIZE: Final = 32
_AES_BLOCK_SIZE: Final = 16
_MAX_PASSPHRASE: Final = 1023  # what openssl can take from a file or a prompt
_MAX_FILE: Final = 65_536
_MAX_SCRYPT_WORK: Final = 2**30  # bytes touched; above it a file could stall or exhaust the machine

_PBES2: Final = asn1.oid("1.2.840.113549.1.5.13")
_SCRYPT: Final = asn1.oid("1.3.6.1.4.1.11591.4.11")
_AES_256_CBC: Final = asn1.oid("2.16.840.1.101.3.4.1.42")

_PEM: Final = re.compile(
    rb"-----BEGIN ENCRYPTED PRIVATE KEY-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END ENCRYPTED PRIVATE KEY-----"
)
_CHECKSUM: Final = re.compile(rb"SHA-256 of the encrypted key: ([0-9a-f]{64})")


class FileSigner:
    """A `Signer` over a private key held in memory after loading.

    Args:
        key: Ed25519, ECDSA P-256 or ML-DSA-44.

    Raises:
        EvidenceStoreError: `key_unsupported`, for any other kind of key.
    """

    __slots__ = ("_key",)

    def __init__(self, key: PrivateKey) -> None:
        self._key = _supported(key)

    @property
    def algorithm(self) -> str:
        """`ed25519`, `ecdsa-p256-sha256` or `ml-dsa-44`."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return ED25519
        return ML_DSA_44 if isinstance(self._key, mldsa.MLDSA44PrivateKey) else ECDSA_P256_SHA256

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self._key.public_key()

    def sign(self, message: bytes) -> bytes:
        """Sign a whole message; see `Signer.sign` for the form of the result."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey):
            return self._key.sign(message)
        return self._key.sign(message, ec.ECDSA(hashes.SHA256()))

    def __repr__(self) -> str:
        spki = self.public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return f"FileSigner({self.algorithm}, public key sha256 {hashlib.sha256(spki).hexdigest()})"


def generate_ed25519() -> ed25519.Ed25519PrivateKey:
    """A new Ed25519 key (RFC 8032), for the log."""
    return ed25519.Ed25519PrivateKey.generate()


def generate_p256() -> ec.EllipticCurvePrivateKey:
    """A new ECDSA P-256 key (FIPS 186-5), for seals and for the archive's own authority."""
    return ec.generate_private_key(ec.SECP256R1())


def generate_mldsa44() -> mldsa.MLDSA44PrivateKey:
    """A new ML-DSA-44 key (FIPS 204), for co-signatures that a quantum computer cannot forge."""
    return mldsa.MLDSA44PrivateKey.generate()


def save_private_key(path: Path, key: PrivateKey, passphrase: bytes) -> None:
    """Write a key to a new file, encrypted, mode 0600, durable when this returns.

    Raises:
        EvidenceStoreError: `file_exists` (a key file is never overwritten), `bad_passphrase` (empty, or
            over 1,023 bytes), `key_unsupported`, `storage_full`, `storage_failed`.
    """
    der = _encrypted(_supported(key), _checked(passphrase))
    checksum = hashlib.sha256(der).hexdigest().encode("ascii")
    body = base64.b64encode(der)
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    text = b"\n".join(
        [
            b"Private key of a Catena archive. SHA-256 of the encrypted key: " + checksum,
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----",
            *lines,
            b"-----END ENCRYPTED PRIVATE KEY-----",
            b"",
        ]
    )
    write_new(path, text, 0o600)


def load_private_key(path: Path, passphrase: bytes) -> PrivateKey:
    """Read and decrypt a key file.

    Raises:
        EvidenceStoreError: `key_missing`, `key_permissions` (group or others may read or change it),
            `key_unreadable` (the disk or the system refuses), `key_damaged`, `key_unencrypted`,
            `key_unsupported` (another kind of key or of encryption), `bad_passphrase` (empty or too
            long), `wrong_passphrase`.
    """
    der = _pem_block(path, read_private_file(path))
    try:
        _require_scrypt(path, der)
    except asn1.Asn1Error:
        raise EvidenceStoreError("key_damaged", f"{path} holds no readable encrypted key") from None
    try:
        key = serialization.load_der_private_key(der, _checked(passphrase))
    except InternalError:  # of an Ed25519, X25519, Ed448 or X448 key that is too short or too long
        raise EvidenceStoreError("key_damaged", f"{path} opens, and holds no whole key") from None
    except UnsupportedAlgorithm:
        raise EvidenceStoreError("key_unsupported", f"{path} holds a kind of key that is not used here") from None
    except (ValueError, TypeError):
        raise EvidenceStoreError("wrong_passphrase", f"{path} does not open with this passphrase") from None
    return _supported(key)


def load_signer(path: Path, passphrase: bytes) -> FileSigner:
    """A signer from a key file; raises what `load_private_key` raises."""
    return FileSigner(load_private_key(path, passphrase))


def _supported(key: object) -> PrivateKey:
    if isinstance(key, ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise EvidenceStoreError("key_unsupported", "only Ed25519, ECDSA P-256 and ML-DSA-44 keys are used here")


def _checked(passphrase: bytes) -> bytes:
    if not 1 <= len(passphrase) <= _MAX_PASSPHRASE:
        raise EvidenceStoreError("bad_passphrase", f"a passphrase has 1 to {_MAX_PASSPHRASE} bytes")
    return passphrase


def _encrypted(key: PrivateKey, passphrase: bytes) -> bytes:
    """EncryptedPrivateKeyInfo: PBES2 { scrypt, AES-256-CBC }, and the padded, encrypted PrivateKeyInfo."""
    salt, iv = os.urandom(_SALT_SIZE), os.urandom(_AES_BLOCK_SIZE)
    secret = Scrypt(salt=salt, length=_AES_256_KEY_SIZE, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(passphrase)
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    padder = padding.PKCS7(algorithms.AES256.block_size).padder()
    encryptor = Cipher(algorithms.AES256(secret), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    costs = (asn1.integer(SCRYPT_N), asn1.integer(SCRYPT_R), asn1.integer(SCRYPT_P))
    scrypt = asn1.encode(asn1.SEQUENCE, asn1.encode(asn1.OCTET_STRING, salt), *costs)
    kdf = asn1.encode(asn1.SEQUENCE, _SCRYPT, scrypt)
    cipher = asn1.encode(asn1.SEQUENCE, _AES_256_CBC, asn1.encode(asn1.OCTET_STRING, iv))
    scheme = asn1.encode(asn1.SEQUENCE, _PBES2, asn1.encode(asn1.SEQUENCE, kdf, cipher))
    return asn1.encode(asn1.SEQUENCE, scheme, asn1.encode(asn1.OCTET_STRING, sealed))


def _require_scrypt(path: Path, der: bytes) -> None:
    """Refuse a file whose passphrase is protected by a weaker function than scrypt at its usual cost."""
    outer = asn1.Reader(der)
    info = outer.enter(asn1.SEQUENCE)
    outer.end()
    scheme = info.enter(asn1.SEQUENCE)
    info.take(asn1.OCTET_STRING)
    info.end()
    if scheme.take_element(asn1.OBJECT_IDENTIFIER) == _PBES2:
        kdf = scheme.enter(asn1.SEQUENCE).enter(asn1.SEQUENCE)
        if kdf.take_element(asn1.OBJECT_IDENTIFIER) == _SCRYPT:
            parameters = kdf.enter(asn1.SEQUENCE)
            parameters.take(asn1.OCTET_STRING)
            n, r, p = (int.from_bytes(parameters.take(asn1.INTEGER), "big") for _ in range(3))
            if n >= SCRYPT_N and r >= SCRYPT_R and 128 * n * r * p <= _MAX_SCRYPT_WORK:
                return
    raise EvidenceStoreError("key_unsupported", f"{path} is not encrypted with scrypt at a usual cost")


def _pem_block(path: Path, text: bytes) -> bytes:
    """The DER inside the PEM block, compared with the checksum line when there is one."""
    found = _PEM.search(text)
    if found is None:
        if b"PRIVATE KEY-----" in text and b"ENCRYPTED" not in text:
            raise EvidenceStoreError("key_unencrypted", f"{path} holds a key without encryption")
        raise EvidenceStoreError("key_damaged", f"{path} holds no encrypted private key")
    try:
        der = base64.b64decode(b"".join(found.group(1).split()), validate=True)
    except ValueError:
        raise EvidenceStoreError("key_damaged", f"{path} is not valid base64") from None
    checksum = _CHECKSUM.search(text)
    if checksum is not None and checksum.group(1) != hashlib.sha256(der).hexdigest().encode("ascii"):
        raise EvidenceStoreError("key_damaged", f"{path} differs from the checksum written with it")
    return der


def read_private_file(path: Path) -> bytes:
    """All bytes of a regular file that only its owner may touch.

    Raises:
        EvidenceStoreError: `key_missing`, `key_permissions`, `key_unreadable`, `key_damaged` (too large).
    """
    try:
        # Non-blocking, so that a named pipe in the key's place cannot hang the archive.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise EvidenceStoreError("key_missing", f"there is no key file {path}") from None
    except OSError as error:
        raise EvidenceStoreError("key_unreadable", f"{path} cannot be opened: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise EvidenceStoreError("key_unreadable", f"{path} is not a regular file")
        if status.st_mode & 0o077:
            raise EvidenceStoreError("key_permissions", f"{path} is open to group or others; set its mode to 0600")
        if status.st_size > _MAX_FILE:
            raise EvidenceStoreError("key_damaged", f"{path} is too large for a key file")
        return os.read(descriptor, _MAX_FILE)
    finally:
        os.close(descriptor)
