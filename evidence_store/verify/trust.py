"""The caller's trust file: CA certificates and log keys that he got from somewhere other than the bundle.

A text file with PEM certificates and/or verifier keys ("name+hexkeyid+base64", C2SP signed-note), each key on its own
line. Empty lines and lines that start with "#" are skipped; anything else is refused, so that a typing error cannot
pass for trust.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store.certificates import parse_certificate
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.note import VerifierKey, parse_vkey

MAX_KEYS = 100
"""Certificates or log keys in one file: more would only serve to keep the verifier busy."""

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


@dataclass(frozen=True)
class Trust:
    """Keys that the caller trusts; either list may be empty, not both."""

    roots: Sequence[x509.Certificate]
    log_keys: Sequence[VerifierKey]


def parse_trust(data: bytes) -> Trust:
    """Read a trust file.

    Raises:
        EvidenceStoreError: `trust_file_malformed`, with what is wrong.
    """
    try:
        roots = parse_certificates(data) if _PEM.search(data) else []
        keys = parse_log_keys(_PEM.sub(b"", data))
    except EvidenceStoreError as error:
        raise EvidenceStoreError("trust_file_malformed", error.detail) from error
    if not roots and not keys:
        raise EvidenceStoreError("trust_file_malformed", "it holds neither a certificate nor a log key")
    return Trust(roots, keys)


def parse_certificates(pem: bytes) -> list[x509.Certificate]:
    """Read every PEM certificate of a file; text around them is ignored, as openssl does.

    Raises:
        EvidenceStoreError: `certificate_malformed` when one cannot be read, or there is none.
    """
    blocks = _PEM.findall(pem)
    if not 0 < len(blocks) <= MAX_KEYS:
        raise EvidenceStoreError("certificate_malformed", f"{len(blocks)} PEM certificates, not 1 to {MAX_KEYS}")
    certificates = []
    for block in blocks:
        try:
            der = x509.load_pem_x509_certificate(block).public_bytes(Encoding.DER)
        except ValueError as error:
            raise EvidenceStoreError("certificate_malformed", "a PEM certificate cannot be read") from error
        certificates.append(parse_certificate(der))
    return certificates


def parse_log_keys(text: bytes) -> list[VerifierKey]:
    """Read verifier keys, one per line.

    Raises:
        EvidenceStoreError: `vkey_form` for a line that is no key, no comment and not empty.
    """
    try:
        lines = text.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise EvidenceStoreError("vkey_form", "not UTF-8 text") from error
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if len(keys) > MAX_KEYS:
        raise EvidenceStoreError("vkey_form", f"{len(keys)} keys, the limit is {MAX_KEYS}")
    return [parse_vkey(key) for key in keys]
