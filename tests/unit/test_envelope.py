"""Encryption to recipients, decrypted by openssl: RSA, curves, each of several alone; a changed byte is refused."""

from __future__ import annotations

import subprocess
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from evidence_store.envelope import encrypt, load_recipients
from evidence_store.errors import EvidenceStoreError

NOW = datetime(2026, 11, 22, tzinfo=UTC)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def certificate(key: Key, at: datetime = NOW, *, usage: x509.KeyUsage | None = None) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Recipient")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=1))
    )
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def signing_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def decrypted(folder: Path, message: bytes, key: Key, cert: x509.Certificate) -> bytes | None:
    """What openssl makes of it; None when it refuses."""
    (folder / "in.p7m").write_bytes(message)
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "cert.pem").write_bytes(cert.public_bytes(Encoding.PEM))
    (folder / "out").unlink(missing_ok=True)
    command = ["openssl", "cms", "-decrypt", "-inform", "DER", "-in", "in.p7m", "-inkey", "key.pem"]
    ran = subprocess.run([*command, "-recip", "cert.pem", "-out", "out"], cwd=folder, capture_output=True, check=False)
    return (folder / "out").read_bytes() if ran.returncode == 0 else None


def test_each_recipient_decrypts_alone_with_openssl_and_nobody_else(tmp_path: Path) -> None:
    keys: list[Key] = [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
    ]
    certificates = [certificate(key) for key in keys]
    content = [b"", b"a", b"b" * 200, b"c" * 70_000, b"", b"d" * 3]
    message = b"".join(encrypt(iter(content), certificates, NOW))
    for key, cert in zip(keys, certificates, strict=True):
        assert decrypted(tmp_path, message, key, cert) == b"".join(content)
    other = ec.generate_private_key(ec.SECP256R1())
    assert decrypted(tmp_path, message, other, certificate(other)) is None
    assert b"c" * 16 not in message


@pytest.mark.parametrize("chunks", [[], [b""], [b"x"], [b"y" * 127], [b"z" * 128], [b"w" * 65_536] * 3])
def test_every_size_comes_back(tmp_path: Path, chunks: list[bytes]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    cert = certificate(key)
    message = b"".join(encrypt(chunks, [cert]))
    assert decrypted(tmp_path, message, key, cert) == b"".join(chunks)


def test_a_changed_or_cut_message_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    cert = certificate(key)
    message = b"".join(encrypt([b"content " * 100], [cert]))
    place = len(message) - 400  # within the content
    changed = message[:place] + bytes([message[place] ^ 1]) + message[place + 1 :]
    assert decrypted(tmp_path, changed, key, cert) is None
    assert decrypted(tmp_path, message[:-40], key, cert) is None


def test_the_same_content_is_never_encrypted_alike() -> None:
    cert = certificate(ec.generate_private_key(ec.SECP256R1()))
    first, second = (b"".join(encrypt([b"same" * 100], [cert])) for _ in range(2))
    assert first[-300:] != second[-300:]


def test_recipients_who_cannot_decrypt_are_refused_before_the_first_byte() -> None:
    curve, small = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is refused
    for certificates, now in (
        ([], NOW),
        ([certificate(ed25519.Ed25519PrivateKey.generate())], NOW),
        ([certificate(small)], NOW),
        ([certificate(curve, usage=signing_only())], NOW),
        ([certificate(curve)], NOW + timedelta(days=9)),
        ([certificate(curve)] * 101, NOW),
    ):
        with pytest.raises(EvidenceStoreError) as refused:
            encrypt([b"x"], certificates, now)
        assert refused.value.code == "recipient_unfit"
    with pytest.raises(EvidenceStoreError):
        load_recipients(b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")


def test_memory_does_not_grow_with_the_content() -> None:
    cert = certificate(ec.generate_private_key(ec.SECP256R1()))
    block = bytes(1 << 18)
    tracemalloc.start()
    size = sum(len(part) for part in encrypt((block for _ in range(200)), [cert]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 200 * len(block)
    assert peak < 4 * len(block)
