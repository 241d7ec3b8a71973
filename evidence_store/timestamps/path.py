"""From a time-stamping authority's certificate up to a root that the caller trusts (RFC 5280, section 6.1).

1. Each certificate is signed by the key, and names the subject, of the one above it, with a digest not weaker than
   SHA-256. The uppermost is one of the roots, byte for byte.
2. All of them, the root included, are within their validity at the given time.
3. Those above the first are authorities: CA:TRUE, key usage keyCertSign where it is stated, path length kept, an
   extended key usage (where there is one) that includes time stamping.
4. The first has a *critical* extended key usage of time stamping and nothing else (RFC 3161, section 2.3), is no
   authority, and its key usage, where stated, is only digital signature or non-repudiation.
5. None has a critical extension that is not understood here. Name constraints and policy constraints are not.

Any policy is accepted. Revocation is not read: it cannot be asked without a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from evidence_store.errors import EvidenceStoreError

_UNDERSTOOD: Final = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    # Restricts nothing as long as any policy will do; what demands a policy is another extension, refused as unknown.
    ExtensionOID.CERTIFICATE_POLICIES,
}
_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_MAX_DEPTH: Final = 6
_MAX_TRIED: Final = 64  # signatures verified in one search: certificates in a token come from whoever made it
_MIN_RSA: Final = 2048
_MIN_EC: Final = 256
_Kind = TypeVar("_Kind", bound=x509.ExtensionType)


def require_path(
    certificate: x509.Certificate,
    roots: Sequence[x509.Certificate],
    intermediates: Sequence[x509.Certificate],
    at: datetime,
) -> list[x509.Certificate]:
    """Find a path and check it.

    Args:
        certificate: of the authority that stamped.
        roots: what the caller trusts.
        intermediates: what may stand between; nothing is assumed of them.
        at: the time to judge validity at.

    Returns:
        The path, the authority's own certificate first and the root last.

    Raises:
        EvidenceStoreError: `timestamp_untrusted` (no path), `timestamp_certificate_unsuitable`,
            `timestamp_certificate_expired` (also: not yet valid). When several paths fail, the reason of the first.
    """
    _require_stamping(certificate)
    failure: EvidenceStoreError | None = None
    for path in _Search(roots, intermediates).paths([certificate]):
        try:
            _check(path, at)
        except EvidenceStoreError as error:
            failure = failure or error
        else:
            return path
    raise failure or EvidenceStoreError(
        "timestamp_untrusted", f"no trusted root is above {certificate.subject.rfc4514_string()}"
    )


class _Search:
    """Depth first, roots before intermediates."""

    def __init__(self, roots: Sequence[x509.Certificate], intermediates: Sequence[x509.Certificate]) -> None:
        self._roots = roots
        self._intermediates = intermediates
        self._left = _MAX_TRIED

    def paths(self, below: list[x509.Certificate]) -> list[list[x509.Certificate]]:
        """All paths that continue `below`."""
        last = below[-1]
        found = [[*below, root] for root in self._roots if self._issued(root, last)]
        if len(below) < _MAX_DEPTH:
            for each in self._intermediates:
                if each not in below and each not in self._roots and self._issued(each, last):
                    found += self.paths([*below, each])
        return found

    def _issued(self, issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
        """Whether `issuer`'s name and key are those that signed `certificate`, with a digest still trusted."""
        if certificate.issuer != issuer.subject or self._left == 0:
            return False
        self._left -= 1
        if certificate.signature_hash_algorithm is not None and not isinstance(
            certificate.signature_hash_algorithm, _HASHES
        ):
            return False
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True


def _check(path: list[x509.Certificate], at: datetime) -> None:
    for below, authority in enumerate(path[1:]):
        # An issuer's own certificate under a new key does not count (RFC 5280, section 4.2.1.9).
        between = sum(each.issuer != each.subject for each in path[1 : 1 + below])
        _require_authority(authority, between)
    for each in path:
        _require_understood(each)
        name = each.subject.rfc4514_string()
        if not each.not_valid_before_utc <= at <= each.not_valid_after_utc:
            raise EvidenceStoreError(
                "timestamp_certificate_expired",
                f"{name} is valid from {each.not_valid_before_utc.isoformat()} to "
                f"{each.not_valid_after_utc.isoformat()}, not at {at.isoformat()}",
            )


def _require_stamping(certificate: x509.Certificate) -> None:
    """Invariant 4."""
    extensions = certificate.extensions
    purposes = _found(extensions, x509.ExtendedKeyUsage)
    if purposes is None or not purposes.critical:
        raise _unsuitable("the authority's certificate has no critical extended key usage")
    if list(purposes.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise _unsuitable("the authority's certificate is not for time stamping alone")
    constraints = _found(extensions, x509.BasicConstraints)
    if constraints is not None and constraints.value.ca:
        raise _unsuitable("a certificate that issues others may not stamp")
    usage = _found(extensions, x509.KeyUsage)
    if usage is not None and not _only_signs(usage.value):
        raise _unsuitable("the key usage of the authority's certificate is not signing alone")
    _require_strong(certificate)
    _require_understood(certificate)


def _only_signs(usage: x509.KeyUsage) -> bool:
    others = (
        usage.key_encipherment,
        usage.data_encipherment,
        usage.key_agreement,
        usage.key_cert_sign,
        usage.crl_sign,
    )
    return (usage.digital_signature or usage.content_commitment) and not any(others)


def _require_authority(certificate: x509.Certificate, between: int) -> None:
    """Invariant 3; `between` counts the authorities below that do not issue themselves."""
    name = certificate.subject.rfc4514_string()
    constraints = _found(certificate.extensions, x509.BasicConstraints)
    if constraints is None or not constraints.value.ca:
        raise _unsuitable(f"{name} may not issue certificates")
    if constraints.value.path_length is not None and between > constraints.value.path_length:
        raise _unsuitable(f"{name} does not allow so many authorities below it")
    usage = _found(certificate.extensions, x509.KeyUsage)
    if usage is not None and not usage.value.key_cert_sign:
        raise _unsuitable(f"the key usage of {name} does not allow it to issue certificates")
    purposes = _found(certificate.extensions, x509.ExtendedKeyUsage)
    allowed = {ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if purposes is not None and not allowed & set(purposes.value):
        raise _unsuitable(f"{name} may not issue certificates for time stamping")
    _require_strong(certificate)


def _require_understood(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise _unsuitable(f"a critical extension is not understood: {extension.oid.dotted_string}")


def _require_strong(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    weak_rsa = isinstance(key, rsa.RSAPublicKey) and key.key_size < _MIN_RSA
    weak_ec = isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < _MIN_EC
    if weak_rsa or weak_ec:
        raise _unsuitable(f"the key of {certificate.subject.rfc4514_string()} is too short")


def _found(extensions: x509.Extensions, kind: type[_Kind]) -> x509.Extension[_Kind] | None:
    try:
        return extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _unsuitable(detail: str) -> EvidenceStoreError:
    return EvidenceStoreError("timestamp_certificate_unsuitable", detail)
