"""The certificates that a bundle needs: of its own seal, and of each receipt, however old."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives.serialization import Encoding

from app.archive import SealKey
from evidence_store import cades
from evidence_store.trust import CA, SEAL, KeyHistory, key_of_certificate


def bundle_certificates(current: SealKey, history: KeyHistory, receipt_seals: Iterable[bytes]) -> tuple[bytes, bytes]:
    """CA and seal certificates that somebody needs who checks a bundle's seals.

    Args:
        current: what the bundle will be sealed with.
        history: all keys of the archive.
        receipt_seals: seals of the receipts in it.

    Returns:
        CA certificates and seal certificates, PEM, each newest first.

    Raises:
        EvidenceStoreError: a seal cannot be read.
    """
    embedded = {
        key_of_certificate(certificate) for seal in receipt_seals for certificate in cades.parse(seal).certificates
    }
    first = {CA: current.authority, SEAL: current.certificate}
    found = []
    for use, certificate in first.items():
        own = key_of_certificate(certificate.public_bytes(Encoding.DER))
        others = [record.material for record in history.of(use) if record.key in embedded and record.key != own]
        pems = [certificate.public_bytes(Encoding.PEM).decode(), *others]
        found.append("".join(pem.rstrip("\n") + "\n" for pem in pems).encode())
    return found[0], found[1]
