"""Time-stamp tokens that openssl cannot be made to write: at a chosen time, by a chosen certificate, in an odd form.

Truly signed, by the key of whatever certificate is given; what else is in them, the test chooses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store import asn1, cades

if TYPE_CHECKING:
    from tests.tsa import Issued

DIGESTS: Final = {
    "sha1": "1.3.14.3.2.26",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - what must be refused
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_ECDSA: Final = {"sha1": "1.2.840.10045.4.1"} | {
    name: f"1.2.840.10045.4.3.{last}" for name, last in (("sha256", 2), ("sha384", 3), ("sha512", 4))
}
_RSA: Final = {name: f"1.2.840.113549.1.1.{last}" for name, last in (("sha256", 11), ("sha384", 12), ("sha512", 13))}
SIGNED_DATA: Final = asn1.oid("1.2.840.113549.1.7.2")
TST_INFO: Final = asn1.oid("1.2.840.113549.1.9.16.1.4")
CONTENT_TYPE: Final = asn1.oid("1.2.840.113549.1.9.3")
MESSAGE_DIGEST: Final = asn1.oid("1.2.840.113549.1.9.4")
ESS_V1: Final = asn1.oid("1.2.840.113549.1.9.16.2.12")
ESS_V2: Final = asn1.oid("1.2.840.113549.1.9.16.2.47")
DEFAULT_TIME: Final = datetime(2026, 11, 22, 10, 31, 0, tzinfo=UTC)


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE."""
    return asn1.encode(asn1.SEQUENCE, *parts)


def algorithm(name: str) -> bytes:
    """AlgorithmIdentifier of a digest."""
    return sequence(asn1.oid(DIGESTS[name]))


def octets(data: bytes) -> bytes:
    """An OCTET STRING."""
    return asn1.encode(asn1.OCTET_STRING, data)


def attribute(name: bytes, *values: bytes) -> bytes:
    """An Attribute."""
    return sequence(name, asn1.set_of(*values))


def general_names(name: x509.Name) -> bytes:
    """GeneralNames with one directory name."""
    return sequence(asn1.encode(asn1.context(4), name.public_bytes()))


def der_of(certificate: x509.Certificate) -> bytes:
    """The certificate as it stands in a token."""
    return certificate.public_bytes(Encoding.DER)


@dataclass
class Forgery:
    """A token in the making; `der()` signs and writes it. What is left alone is as in a good token.

    Attributes:
        signer: certificate and key that sign.
        imprint: what is stamped.
        at: the time stated; `gen_time` (contents of a GeneralizedTime) overrides it.
        certificates: DER of what is embedded; the signer's alone by default.
        named: the certificate that the attribute names; the signer's by default.
        info: a whole TSTInfo instead of the one made here.
        attributes: further signed attributes.
        instead: signed attributes that replace all others.
        pss: sign with RSA-PSS.
    """

    signer: Issued
    imprint: bytes
    imprint_algorithm: str = "sha256"
    at: datetime = DEFAULT_TIME
    gen_time: bytes | None = None
    nonce: int | None = None
    after_time: bytes = b""
    after_nonce: bytes = b""
    info: bytes | None = None
    info_version: int = 1
    digest: str = "sha256"
    digests: Sequence[bytes] | None = None
    pss: bool = False
    pss_parameters: bytes | None = None
    signature_algorithm: bytes | None = None
    certificates: Sequence[bytes] | None = None
    named: x509.Certificate | None = None
    ess: Sequence[str] = ("v2",)
    ess_digest: str = "sha256"
    issuer_serial: bool = True
    by_key_identifier: bool = False
    signer_version: int | None = None
    attributes: Sequence[bytes] = ()
    instead: Sequence[bytes] | None = None
    unsigned: bytes = b""
    version: int = 3
    content_type: bytes = TST_INFO
    revocations: bytes = b""
    signers: int = 1
    signature: bytes | None = field(default=None)

    def statement(self) -> bytes:
        """The TSTInfo."""
        if self.info is not None:
            return self.info
        digits = self.gen_time or self.at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()
        return sequence(
            asn1.integer(self.info_version),
            asn1.oid("1.3.6.1.4.1.55555.3.2"),
            sequence(algorithm(self.imprint_algorithm), octets(self.imprint)),
            asn1.integer(77),
            asn1.encode(asn1.GENERALIZED_TIME, digits),
            self.after_time,
            b"" if self.nonce is None else asn1.integer(self.nonce),
            self.after_nonce,
        )

    def signed_attributes(self) -> list[bytes]:
        """What is signed."""
        if self.instead is not None:
            return list(self.instead)
        found = [attribute(CONTENT_TYPE, self.content_type), *self.attributes]
        found.append(attribute(MESSAGE_DIGEST, octets(hashlib.new(self.digest, self.statement()).digest())))
        return found + [self.signing_certificate(kind) for kind in self.ess]

    def signing_certificate(self, kind: str) -> bytes:
        """The attribute that names the certificate, `v1` or `v2`."""
        certificate = self.named or self.signer.certificate
        name = hashlib.new("sha1" if kind == "v1" else self.ess_digest, der_of(certificate)).digest()
        explicit = kind == "v2" and self.ess_digest != "sha256"
        parts = [algorithm(self.ess_digest)] if explicit else []
        parts.append(octets(name))
        if self.issuer_serial:
            parts.append(sequence(general_names(certificate.issuer), asn1.integer(certificate.serial_number)))
        return attribute(ESS_V1 if kind == "v1" else ESS_V2, sequence(sequence(sequence(*parts))))

    def signer_info(self) -> bytes:
        """The SignerInfo."""
        certificate = self.signer.certificate
        identifier = sequence(cades.issuer_and_serial(certificate))
        if self.by_key_identifier:
            key = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
            identifier = asn1.encode(asn1.primitive(0), key)
        attributes = asn1.set_of(*self.signed_attributes())
        name, signature = self._signature(attributes)
        version = self.signer_version or (3 if self.by_key_identifier else 1)
        return sequence(
            asn1.integer(version),
            identifier,
            algorithm(self.digest),
            asn1.encode(asn1.context(0), asn1.Reader(attributes).take(asn1.SET)),
            self.signature_algorithm or name,
            octets(signature if self.signature is None else self.signature),
            self.unsigned,
        )

    def _signature(self, signed: bytes) -> tuple[bytes, bytes]:
        key, digest = self.signer.key, _HASHES[self.digest]
        if isinstance(key, rsa.RSAPrivateKey) and self.pss:
            scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)
            return self._pss_name(digest.digest_size), key.sign(signed, scheme, digest)
        if isinstance(key, rsa.RSAPrivateKey):
            name = sequence(asn1.oid(_RSA[self.digest]), asn1.encode(asn1.NULL))
            return name, key.sign(signed, padding.PKCS1v15(), digest)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return sequence(asn1.oid(_ECDSA[self.digest])), key.sign(signed, ec.ECDSA(digest))
        return sequence(asn1.oid("1.3.101.112")), key.sign(signed)

    def _pss_name(self, salt: int) -> bytes:
        parameters = self.pss_parameters or pss_parameters(self.digest, self.digest, salt)
        return sequence(asn1.oid("1.2.840.113549.1.1.10"), parameters)

    def der(self) -> bytes:
        """The token."""
        digests = [algorithm(self.digest)] if self.digests is None else self.digests
        held = [der_of(self.signer.certificate)] if self.certificates is None else self.certificates
        signed_data = sequence(
            asn1.integer(self.version),
            asn1.set_of(*digests),
            sequence(self.content_type, asn1.encode(asn1.context(0), octets(self.statement()))),
            asn1.encode(asn1.context(0), *held) if held else b"",
            self.revocations,
            asn1.set_of(*[self.signer_info() for _ in range(self.signers)]),
        )
        return sequence(SIGNED_DATA, asn1.encode(asn1.context(0), signed_data))


def pss_parameters(digest: str, mask: str, salt: int) -> bytes:
    """RSASSA-PSS-params."""
    mgf1 = sequence(asn1.oid("1.2.840.113549.1.1.8"), algorithm(mask))
    parts = (algorithm(digest), mgf1, asn1.integer(salt))
    return sequence(*(asn1.encode(asn1.context(number), part) for number, part in enumerate(parts)))
