"""What the caller trusts, from files that he got from somewhere other than the bundle.

A trust file is a text file with PEM certificates and/or verifier keys ("name+hexkeyid+base64", C2SP signed-note), each
key on its own line. Empty lines and lines that start with "#" are skipped; anything else is refused, so that a typing
error cannot pass for trust.

The roots of time-stamping authorities come in a file of their own: the archive's CA must not be able to vouch for time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store.certificates import parse_certificate
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import MLDSA44_COSIGNER, CosignerKey
from evidence_store.log.keyfile import parse_key_file
from evidence_store.log.note import VerifierKey
from evidence_store.log.policy import Policy, decode_policy, parse_policy
from evidence_store.timestamps.roots import TimeRoots, parse_roots

MAX_CERTIFICATES = 100
"""Certificates in one file: more would only serve to keep the verifier busy."""

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


@dataclass(frozen=True)
class Trust:
    """The archive's keys as the caller knows them; not all lists are empty.

    Attributes:
        roots: CA certificates.
        log_keys: Ed25519 keys of the log.
        pq_keys: its ML-DSA-44 keys.
    """

    roots: Sequence[x509.Certificate]
    log_keys: Sequence[VerifierKey]
    pq_keys: Sequence[CosignerKey] = ()


@dataclass(frozen=True)
class Anchors:
    """All that the caller trusts.

    Attributes:
        trust: keys of the archive; None when none were given.
        time_roots: roots of time-stamping authorities; empty when none were given.
        policy: witnesses and their quorum; None when none was given.
        time_intermediates: certificates that may stand between a root and an authority; not trusted by themselves.
    """

    trust: Trust | None = None
    time_roots: Sequence[x509.Certificate] = ()
    policy: Policy | None = None
    time_intermediates: Sequence[x509.Certificate] = ()


def parse_trust(data: bytes) -> Trust:
    """Read a trust file.

    Raises:
        EvidenceStoreError: `trust_file_malformed`, with what is wrong.
    """
    try:
        roots = parse_certificates(data) if _PEM.search(data) else []
        keys = parse_key_file(_PEM.sub(b"", data))
    except EvidenceStoreError as error:
        raise EvidenceStoreError("trust_file_malformed", error.detail) from error
    if any(key.algorithm != MLDSA44_COSIGNER for key in keys.cosigner_keys):
        raise EvidenceStoreError("trust_file_malformed", "a witness's key is no key of the archive: use --policy")
    if not roots and not keys.log_keys:
        raise EvidenceStoreError("trust_file_malformed", "it holds neither a certificate nor a log key")
    return Trust(roots, keys.log_keys, keys.cosigner_keys)


def parse_time_roots(data: bytes) -> TimeRoots:
    """Read the file of certificates of time-stamping authorities.

    Raises:
        EvidenceStoreError: `tsa_file_malformed`, also for text between the certificates that is no comment.
    """
    lines = [line.strip() for line in _PEM.sub(b"", data).split(b"\n")]
    if any(line and not line.startswith(b"#") for line in lines):
        raise EvidenceStoreError("tsa_file_malformed", "it holds something other than PEM certificates and comments")
    try:
        return parse_roots(data)
    except EvidenceStoreError as error:
        raise EvidenceStoreError("tsa_file_malformed", error.detail) from error


def parse_policy_file(data: bytes) -> Policy:
    """Read a witness policy.

    Raises:
        EvidenceStoreError: `policy_form`, `vkey_form`.
    """
    return parse_policy(decode_policy(data))


def parse_certificates(pem: bytes) -> list[x509.Certificate]:
    """Read every PEM certificate of a file; text around them is ignored, as openssl does.

    Raises:
        EvidenceStoreError: `certificate_malformed` when one cannot be read, or there is none.
    """
    blocks = _PEM.findall(pem)
    if not 0 < len(blocks) <= MAX_CERTIFICATES:
        raise EvidenceStoreError(
            "certificate_malformed", f"{len(blocks)} PEM certificates, not 1 to {MAX_CERTIFICATES}"
        )
    certificates = []
    for block in blocks:
        try:
            der = x509.load_pem_x509_certificate(block).public_bytes(Encoding.DER)
        except ValueError as error:
            raise EvidenceStoreError("certificate_malformed", "a PEM certificate cannot be read") from error
        certificates.append(parse_certificate(der))
    return certificates
