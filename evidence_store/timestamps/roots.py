"""Whom to trust for time: a PEM file with roots, and certificates that may stand between them and an authority."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store.certificates import parse_certificate
from evidence_store.errors import EvidenceStoreError

MAX_PEM: Final = 262_144


@dataclass(frozen=True, slots=True)
class TimeRoots:
    """What a PEM file holds; give both to `verify_token`.

    Attributes:
        roots: certificates that name themselves as issuer: trusted.
        intermediates: the others: not trusted by themselves.
    """

    roots: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...]


def parse_roots(pem: bytes) -> TimeRoots:
    """Read a PEM file of certificates; text around them is skipped, as openssl does.

    Raises:
        EvidenceStoreError: `tsa_roots_malformed`, also when there is no root among them.
    """
    if len(pem) > MAX_PEM:
        raise EvidenceStoreError("tsa_roots_malformed", f"a file of roots has at most {MAX_PEM} bytes")
    try:
        loaded = x509.load_pem_x509_certificates(pem)
        every = [parse_certificate(each.public_bytes(Encoding.DER)) for each in loaded]
    except Exception:  # noqa: BLE001 - x509 errors share no base class, and the file may come from a bundle
        raise EvidenceStoreError("tsa_roots_malformed", "this is no PEM file of X.509 v3 certificates") from None
    roots = tuple(each for each in every if each.issuer == each.subject)
    if not roots:
        raise EvidenceStoreError("tsa_roots_malformed", "no root (a certificate that names itself as issuer) is here")
    return TimeRoots(roots, tuple(each for each in every if each not in roots))
