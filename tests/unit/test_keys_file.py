"""Key files: they rest encrypted, open only with the passphrase, and never leak."""

from __future__ import annotations

import base64
import logging
import os
import stat
import subprocess
import sys
import traceback
from pathlib import Path
from unittest.mock import Mock

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.base import Signer
from evidence_store.keys.file import (
    SCRYPT_N,
    FileSigner,
    PrivateKey,
    generate_ed25519,
    generate_mldsa44,
    generate_p256,
    load_private_key,
    load_signer,
    save_private_key,
)
from tests.conftest import ROOT

PASSPHRASE = "pässphrase of the archive".encode()


def refused(path: Path, passphrase: bytes = PASSPHRASE) -> EvidenceStoreError:
    with pytest.raises(EvidenceStoreError) as caught:
        load_private_key(path, passphrase)
    return caught.value


def write_private(path: Path, data: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(data)
    return path


def plain(key: PrivateKey, form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


@pytest.fixture(scope="module")
def log_key() -> ed25519.Ed25519PrivateKey:
    return generate_ed25519()


@pytest.fixture(scope="module")
def key_file(log_key: ed25519.Ed25519PrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "log.key"
    save_private_key(path, log_key, PASSPHRASE)
    return path


@pytest.fixture
def key_text(key_file: Path) -> bytes:
    return key_file.read_bytes()


def test_saved_ed25519_key_opens_again(key_file: Path, log_key: ed25519.Ed25519PrivateKey) -> None:
    signer: Signer = load_signer(key_file, PASSPHRASE)
    assert signer.algorithm == "ed25519"
    assert signer.public_key == log_key.public_key()
    log_key.public_key().verify(signer.sign(b"message"), b"message")


def test_saved_p256_key_opens_again_and_signs_with_sha256(tmp_path: Path) -> None:
    key = generate_p256()
    save_private_key(tmp_path / "seal.key", key, PASSPHRASE)
    signer: Signer = load_signer(tmp_path / "seal.key", PASSPHRASE)
    assert signer.algorithm == "ecdsa-p256-sha256"
    key.public_key().verify(signer.sign(b"message"), b"message", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key.public_key().verify(signer.sign(b"message"), b"other", ec.ECDSA(hashes.SHA256()))


def test_saved_mldsa_key_opens_again_and_signs_with_an_empty_context(tmp_path: Path) -> None:
    key = generate_mldsa44()
    save_private_key(tmp_path / "log-mldsa.key", key, PASSPHRASE)
    signer: Signer = load_signer(tmp_path / "log-mldsa.key", PASSPHRASE)
    assert signer.algorithm == "ml-dsa-44"
    assert "ml-dsa-44" in repr(signer)
    key.public_key().verify(signer.sign(b"message"), b"message", b"")
    with pytest.raises(InvalidSignature):
        key.public_key().verify(signer.sign(b"message"), b"message", b"context")
    assert key.private_bytes_raw() not in (tmp_path / "log-mldsa.key").read_bytes()


def test_damaged_mldsa_key_does_not_open_as_another_key(tmp_path: Path) -> None:
    path = tmp_path / "log-mldsa.key"
    save_private_key(path, generate_mldsa44(), PASSPHRASE)
    text = path.read_text(encoding="ascii")
    body = text.split("-----")[2]
    der = bytearray(base64.b64decode(body))
    for place in range(len(der) - 64, len(der)):
        damaged = bytearray(der)
        damaged[place] ^= 0x40
        path.write_text(text.replace(body, f"\n{base64.b64encode(damaged).decode()}\n"), encoding="ascii")
        assert refused(path).code == "key_damaged"


def test_key_file_is_readable_by_its_owner_alone(tmp_path: Path, log_key: PrivateKey) -> None:
    before = os.umask(0)
    try:
        save_private_key(tmp_path / "log.key", log_key, PASSPHRASE)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "log.key").stat().st_mode) == 0o600


def test_key_file_is_never_overwritten(key_file: Path, key_text: bytes) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        save_private_key(key_file, generate_ed25519(), PASSPHRASE)
    assert caught.value.code == "file_exists"
    assert key_file.read_bytes() == key_text


def test_key_file_holds_nothing_of_the_key_in_clear(key_text: bytes, log_key: ed25519.Ed25519PrivateKey) -> None:
    body = key_text.split(b"-----")[2]
    assert log_key.private_bytes_raw() not in base64.b64decode(body)
    assert b"ENCRYPTED" in key_text


def test_two_saves_of_one_key_share_neither_salt_nor_ciphertext(
    key_text: bytes, tmp_path: Path, log_key: PrivateKey
) -> None:
    save_private_key(tmp_path / "again.key", log_key, PASSPHRASE)
    first, second = (
        base64.b64decode(text.split(b"-----")[2]) for text in (key_text, (tmp_path / "again.key").read_bytes())
    )
    assert len(first) == len(second)
    # Three fields of 16 random-looking bytes or more differ: salt, IV and ciphertext.
    assert sum(a != b for a, b in zip(first, second, strict=True)) > 64


def test_wrong_passphrase_is_told_apart_from_damage(key_file: Path) -> None:
    assert refused(key_file, b"not the passphrase").code == "wrong_passphrase"


@pytest.mark.parametrize("passphrase", [b"", b"x" * 1024])
def test_passphrase_without_bytes_or_with_too_many_is_refused(
    passphrase: bytes, key_file: Path, tmp_path: Path, log_key: PrivateKey
) -> None:
    assert refused(key_file, passphrase).code == "bad_passphrase"
    with pytest.raises(EvidenceStoreError) as caught:
        save_private_key(tmp_path / "new.key", log_key, passphrase)
    assert caught.value.code == "bad_passphrase"
    assert list(tmp_path.iterdir()) == []


def test_any_damaged_byte_of_the_encrypted_key_is_noticed(key_text: bytes, tmp_path: Path) -> None:
    head, body, tail = key_text.split(b"PRIVATE KEY-----")
    der = base64.b64decode(body.split(b"-----")[0])
    path = write_private(tmp_path / "log.key", b"")
    for position in range(len(der)):
        damaged = bytearray(der)
        damaged[position] ^= 0x01
        text = base64.encodebytes(bytes(damaged)) + b"-----END ENCRYPTED "
        path.write_bytes(b"PRIVATE KEY-----".join([head, b"\n" + text, tail]))
        assert refused(path).code == "key_damaged", position


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\x00\xff" * 50,
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA=A==\n-----END ENCRYPTED PRIVATE KEY-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n",
        b" " * 65_537,
    ],
)
def test_file_that_is_no_key_is_called_damaged(text: bytes, tmp_path: Path) -> None:
    assert refused(write_private(tmp_path / "log.key", text)).code == "key_damaged"


def test_cut_short_key_file_is_called_damaged(key_text: bytes, tmp_path: Path) -> None:
    for length in (10, len(key_text) // 2, len(key_text) - 10):
        path = write_private(tmp_path / f"{length}.key", key_text[:length])
        assert refused(path).code == "key_damaged"


def test_missing_key_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.key").code == "key_missing"
    (tmp_path / "file").touch()
    assert refused(tmp_path / "file" / "none.key").code == "key_missing"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644])
def test_key_file_that_others_may_touch_is_refused(mode: int, key_text: bytes, tmp_path: Path) -> None:
    path = write_private(tmp_path / "log.key", key_text)
    path.chmod(mode)
    assert refused(path).code == "key_permissions"


def test_folder_pipe_or_link_loop_in_the_place_of_a_key_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in (".", "pipe", "loop"):
        assert refused(tmp_path / name).code == "key_unreadable"


@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
def test_unencrypted_key_is_refused(form: serialization.PrivateFormat, tmp_path: Path) -> None:
    path = write_private(tmp_path / "seal.key", plain(generate_p256(), form))
    assert refused(path).code == "key_unencrypted"


def test_weak_key_derivation_is_refused(tmp_path: Path, log_key: PrivateKey) -> None:
    weak = log_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(PASSPHRASE),  # PBKDF2
    )
    assert refused(write_private(tmp_path / "log.key", weak)).code == "key_unsupported"


SAVED = """
import sys
from pathlib import Path
from evidence_store.keys.file import generate_ed25519, save_private_key
save_private_key(Path(sys.argv[1]), generate_ed25519(), b"a passphrase")
"""


def test_outside_of_tests_a_key_costs_five_passes_over_16_mib(tmp_path: Path) -> None:
    """Tests make theirs for one pass; a process that knows nothing of tests does not."""
    path = tmp_path / "log.key"
    subprocess.run([sys.executable, "-c", SAVED, path], cwd=ROOT, check=True)
    der = base64.b64decode(b"".join(path.read_bytes().splitlines()[2:-1]))
    cost = b"".join(asn1.integer(number) for number in (2**14, 8, 5))
    assert der.count(cost) == 1


@pytest.mark.parametrize("n", [2, SCRYPT_N // 2, 2**40])
def test_scrypt_cost_that_is_too_cheap_or_that_would_stall_is_refused(
    n: int, tmp_path: Path, log_key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence_store.keys.file.SCRYPT_N", 2)
    real = base64.b64decode
    save_private_key(tmp_path / "log.key", log_key, PASSPHRASE)
    monkeypatch.undo()
    lines = (tmp_path / "log.key").read_bytes().split(b"\n")
    der = real(b"".join(lines[2:-2]))
    cheap, wanted = b"\x02\x01\x02\x02\x01\x08", n.to_bytes(6, "big")
    assert der.count(cheap) == 1
    # Same layout with another N: every enclosing length grows by five.
    grown = der.replace(cheap, b"\x02\x06" + wanted + b"\x02\x01\x08")
    text = base64.encodebytes(_grow_lengths(grown, 5))
    path = write_private(
        tmp_path / "other.key",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + text + b"-----END ENCRYPTED PRIVATE KEY-----\n",
    )
    assert refused(path).code == "key_unsupported"


@pytest.mark.parametrize("oid", ["2a864886f70d01050d", "2b06010401da47040b"])
def test_other_encryption_scheme_or_derivation_is_refused(oid: str, key_text: bytes, tmp_path: Path) -> None:
    der = base64.b64decode(key_text.split(b"-----")[2])
    other = der.replace(bytes.fromhex(oid), bytes.fromhex(oid)[:-1] + b"\x7f")
    assert other != der
    text = base64.encodebytes(other)
    pem = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + text + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    assert refused(write_private(tmp_path / "other.key", pem)).code == "key_unsupported"


def _grow_lengths(der: bytes, growth: int) -> bytes:
    """Add to the lengths of the nested sequences that lead to the scrypt cost."""
    grown = bytearray(der)
    offset = 0
    for _ in range(5):  # info, scheme, PBES2 parameters, KDF, scrypt parameters
        while grown[offset] != 0x30:
            offset += 2 + grown[offset + 1]
        if grown[offset + 1] == 0x81:
            grown[offset + 2] += growth
            offset += 3
        else:
            grown[offset + 1] += growth
            offset += 2
    return bytes(grown)


@pytest.mark.parametrize("size", [0, 31, 33])
@pytest.mark.parametrize("oid", ["2b656e", "2b656f", "2b6570", "2b6571"])  # X25519, X448, Ed25519, Ed448 (RFC 8410)
def test_encrypted_key_of_a_wrong_length_is_called_damaged(
    oid: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library has no error of its own for these: it says that OpenSSL is broken."""
    algorithm = asn1.encode(asn1.SEQUENCE, asn1.encode(asn1.OBJECT_IDENTIFIER, bytes.fromhex(oid)))
    secret = asn1.encode(asn1.OCTET_STRING, asn1.encode(asn1.OCTET_STRING, b"a" * size))
    key = Mock(private_bytes=lambda *_: asn1.encode(asn1.SEQUENCE, asn1.integer(0), algorithm, secret))
    monkeypatch.setattr("evidence_store.keys.file._supported", lambda given: given)
    save_private_key(tmp_path / "log.key", key, PASSPHRASE)
    assert refused(tmp_path / "log.key").code == "key_damaged"


@pytest.mark.parametrize("kind", ["rsa", "p384", "p256k1"])
def test_other_kinds_of_key_are_refused(kind: str, tmp_path: Path) -> None:
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind == "rsa":
        key = rsa.generate_private_key(65_537, 2048)
    else:
        key = ec.generate_private_key(ec.SECP384R1() if kind == "p384" else ec.SECP256K1())
    with pytest.raises(EvidenceStoreError) as caught:
        save_private_key(tmp_path / "other.key", key, PASSPHRASE)  # type: ignore[arg-type]
    assert caught.value.code == "key_unsupported"
    with pytest.raises(EvidenceStoreError) as caught:
        FileSigner(key)  # type: ignore[arg-type]
    assert caught.value.code == "key_unsupported"


def test_neither_error_nor_repr_nor_log_shows_key_or_passphrase(
    key_file: Path, log_key: ed25519.Ed25519PrivateKey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    signer = load_signer(key_file, PASSPHRASE)
    shown = [repr(signer), str(signer)]
    for wrong in (b"wrong-secret-words", b"y" * 2000):
        with pytest.raises(EvidenceStoreError) as caught:
            load_signer(key_file, wrong)
        assert caught.value.__cause__ is None
        shown.append("".join(traceback.format_exception(caught.value)) + repr(caught.value))
    text = "\n".join([*shown, caplog.text])
    assert len(shown) == 4
    raw = log_key.private_bytes_raw()
    for secret in (
        "wrong-secret-words",
        "yyyy",
        PASSPHRASE.decode(),
        raw.hex(),
        repr(raw),
        base64.b64encode(raw).decode(),
    ):
        assert secret not in text
    assert not hasattr(signer, "__dict__")  # so that no generic dump of attributes shows the key
