"""Encryption to named recipients: CMS AuthEnvelopedData (RFC 5083, RFC 5084) in one pass, memory flat.

1. The content is AES-256-GCM under a fresh key, which is wrapped for each recipient's X.509 certificate: RSAES-OAEP
   with SHA-256 (RFC 3560, RFC 4055), or ECDH with the X9.63 KDF over SHA-256 and AES-256 key wrap (RFC 5753).
2. The encoding is BER of indefinite length (X.690, section 8.1.3.6), so that the size need not be known; everything
   inside is DER. `openssl cms -decrypt` (3.0 and newer) reads it.
3. Encryption is for the way. It shows nothing of who made the file: the bundle inside is signed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence_store.errors import EvidenceStoreError

MEDIA_TYPE = "application/pkcs7-mime; smime-type=authEnveloped-data"
MAX_RECIPIENTS = 100
MAX_CONTENT = (1 << 36) - 32
"""Bytes under one key and nonce (NIST SP 800-38D, section 5.2.1.1): 64 GiB."""

_RSA_BITS = 2048
_NONCE, _TAG, _KEY = 12, 16, 32
_SEQUENCE, _SET, _OCTETS, _INTEGER, _OID, _BITS, _NULL = 0x30, 0x31, 0x04, 0x02, 0x06, 0x03, 0x05
_END = b"\x00\x00"


def encrypt(
    chunks: Iterable[bytes], recipients: Sequence[x509.Certificate], now: datetime | None = None
) -> Iterator[bytes]:
    """Encrypt a stream.

    Args:
        chunks: the content, in pieces of any size.
        recipients: each of them can decrypt it with his key alone.
        now: certificates must be valid then; None: validity is not asked.

    Returns:
        The bytes of the CMS file, as they come.

    Raises:
        EvidenceStoreError: `recipient_unfit` before the first byte; `content_too_large`.
    """
    key, nonce = secrets.token_bytes(_KEY), secrets.token_bytes(_NONCE)
    infos = _recipient_infos(recipients, key, now)
    return _encrypted(chunks, key, nonce, infos)


def load_recipients(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file.

    Raises:
        EvidenceStoreError: `recipient_unfit`.
    """
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise EvidenceStoreError("recipient_unfit", "no PEM certificate") from error
    return found


def _encrypted(chunks: Iterable[bytes], key: bytes, nonce: bytes, infos: bytes) -> Iterator[bytes]:
    encryptor = Cipher(AES256(key), GCM(nonce)).encryptor()
    parameters = _tlv(_SEQUENCE, _tlv(_OCTETS, nonce) + _integer(_TAG))
    yield b"".join(
        (
            b"\x30\x80",
            _oid("1.2.840.113549.1.9.16.1.23"),  # id-ct-authEnvelopedData
            b"\xa0\x80\x30\x80",
            _integer(0),
            infos,
            b"\x30\x80",
            _oid("1.2.840.113549.1.7.1"),  # id-data
            _tlv(_SEQUENCE, _oid("2.16.840.1.101.3.4.1.46") + parameters),  # aes256-GCM
            b"\xa0\x80",  # [0] IMPLICIT OCTET STRING, in pieces
        )
    )
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_CONTENT:
            raise EvidenceStoreError("content_too_large", f"more than {MAX_CONTENT} bytes are not encrypted as one")
        if chunk:
            yield _tlv(_OCTETS, encryptor.update(chunk))
    yield b"".join((_tail(encryptor.finalize()), _END, _END, _tlv(_OCTETS, encryptor.tag), _END, _END, _END))


def _tail(rest: bytes) -> bytes:
    return _tlv(_OCTETS, rest) if rest else b""


def _recipient_infos(recipients: Sequence[x509.Certificate], key: bytes, now: datetime | None) -> bytes:
    if not 1 <= len(recipients) <= MAX_RECIPIENTS:
        raise EvidenceStoreError("recipient_unfit", f"1 to {MAX_RECIPIENTS} recipients, not {len(recipients)}")
    infos = []
    for certificate in recipients:
        _require_fit(certificate, now)
        public = certificate.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            infos.append(_key_transport(certificate, public, key))
        elif isinstance(public, ec.EllipticCurvePublicKey):
            infos.append(_key_agreement(certificate, public, key))
        else:
            raise _unfit(certificate, "its key is neither RSA nor of an elliptic curve")
    return _tlv(_SET, b"".join(sorted(infos)))


def _require_fit(certificate: x509.Certificate, now: datetime | None) -> None:
    public = certificate.public_key()
    if now is not None and not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise _unfit(certificate, "it is not valid now")
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < _RSA_BITS:
        raise _unfit(certificate, f"its RSA key has {public.key_size} bits; {_RSA_BITS} are the least")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    except ValueError as error:
        raise _unfit(certificate, "its extensions cannot be read") from error
    needed = usage.key_encipherment if isinstance(public, rsa.RSAPublicKey) else usage.key_agreement
    if not needed:
        raise _unfit(certificate, "its key usage does not allow encryption to it")


def _unfit(certificate: x509.Certificate, why: str) -> EvidenceStoreError:
    return EvidenceStoreError("recipient_unfit", f"{certificate.subject.rfc4514_string()[:200]}: {why}")


def _key_transport(certificate: x509.Certificate, public: rsa.RSAPublicKey, key: bytes) -> bytes:
    """KeyTransRecipientInfo (RFC 5652, section 6.2.1)."""
    sha256 = hashes.SHA256()
    wrapped = public.encrypt(key, padding.OAEP(padding.MGF1(sha256), sha256, None))
    digest = _tlv(_SEQUENCE, _oid("2.16.840.1.101.3.4.2.1") + _tlv(_NULL, b""))
    mask = _tlv(_SEQUENCE, _oid("1.2.840.113549.1.1.8") + digest)
    oaep = _oid("1.2.840.113549.1.1.7") + _tlv(_SEQUENCE, _tlv(0xA0, digest) + _tlv(0xA1, mask))
    return _tlv(_SEQUENCE, _integer(0) + _name(certificate) + _tlv(_SEQUENCE, oaep) + _tlv(_OCTETS, wrapped))


def _key_agreement(certificate: x509.Certificate, public: ec.EllipticCurvePublicKey, key: bytes) -> bytes:
    """KeyAgreeRecipientInfo with an ephemeral key (RFC 5753, section 3.1.1)."""
    ephemeral = ec.generate_private_key(public.curve)
    wrap = _tlv(_SEQUENCE, _oid("2.16.840.1.101.3.4.1.45"))  # id-aes256-wrap
    shared_info = _tlv(_SEQUENCE, wrap + _tlv(0xA2, _tlv(_OCTETS, (_KEY * 8).to_bytes(4, "big"))))
    secret = ephemeral.exchange(ec.ECDH(), public)
    wrapped = aes_key_wrap(X963KDF(hashes.SHA256(), _KEY, shared_info).derive(secret), key)
    point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    originator = _tlv(0xA1, _tlv(_SEQUENCE, _oid("1.2.840.10045.2.1")) + _tlv(_BITS, b"\0" + point))
    algorithm = _tlv(_SEQUENCE, _oid("1.3.132.1.11.1") + wrap)  # dhSinglePass-stdDH-sha256kdf-scheme
    one = _tlv(_SEQUENCE, _name(certificate) + _tlv(_OCTETS, wrapped))
    return _tlv(0xA1, _integer(3) + _tlv(0xA0, originator) + algorithm + _tlv(_SEQUENCE, one))


def _name(certificate: x509.Certificate) -> bytes:
    """IssuerAndSerialNumber."""
    return _tlv(_SEQUENCE, certificate.issuer.public_bytes() + _integer(certificate.serial_number))


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:  # noqa: PLR2004 - the short form of DER
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _integer(value: int) -> bytes:
    return _tlv(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    encoded = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | (arc & 0x7F))
        encoded += bytes(reversed(groups))
    return _tlv(_OID, bytes(encoded))
