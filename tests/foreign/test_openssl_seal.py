"""openssl, which nobody here wrote, agrees on seals, certificates and key files."""

from __future__ import annotations

import re
import subprocess
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from evidence_store.certificates import require_valid_at
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys import file as key_file
from evidence_store.keys.authority import create_ca, issue_seal_certificate
from evidence_store.keys.file import (
    FileSigner,
    PrivateKey,
    generate_ed25519,
    generate_p256,
    load_signer,
    save_private_key,
)
from evidence_store.seal import build_seal, verify_seal
from tests.judges import require
from tests.sealing import ARCHIVE, DATA, SIGNED, Identity, identity, new_identity

PASSPHRASE = "correct horse battery staple"


def openssl(*arguments: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [require("openssl"), *arguments], cwd=folder, capture_output=True, check=False, stdin=subprocess.DEVNULL
    )


def at(moment_seconds: float) -> list[str]:
    """Judge certificates at the signing time, so that this test does not expire."""
    return ["-attime", str(int(moment_seconds))]


CMS_VERIFY = ["cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", "data.p7s", "-content", "data"]
CMS_VERIFY += ["-CAfile", "ca.crt", "-out", "out", *at(SIGNED.timestamp())]


def lay_out(folder: Path, me: Identity, data: bytes = DATA, *, authority: bool = True) -> None:
    der = build_seal(data, me.certificate, me.sign, SIGNED, authority=me.ca if authority else None)
    (folder / "data").write_bytes(data)
    (folder / "data.p7s").write_bytes(der)
    (folder / "ca.crt").write_bytes(me.ca.public_bytes(Encoding.PEM))
    (folder / "seal.crt").write_bytes(me.certificate.public_bytes(Encoding.PEM))


@pytest.mark.parametrize("authority", [True, False])
@pytest.mark.parametrize("data", [DATA, b"", b"line\nline\r\n\x00\xff", b"x" * 200_000])
def test_openssl_verifies_the_seal_as_cades(authority: bool, data: bytes, tmp_path: Path) -> None:  # noqa: FBT001
    lay_out(tmp_path, identity(), data, authority=authority)
    result = openssl(*CMS_VERIFY, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert b"CAdES Verification successful" in result.stderr
    assert (tmp_path / "out").read_bytes() == data


def test_openssl_refuses_the_seal_over_other_bytes(tmp_path: Path) -> None:
    lay_out(tmp_path, identity())
    (tmp_path / "data").write_bytes(DATA + b" ")
    result = openssl(*CMS_VERIFY, folder=tmp_path)
    assert result.returncode != 0
    assert b"content verify error" in result.stderr


def test_openssl_refuses_the_seal_under_another_authority_of_the_same_name(tmp_path: Path) -> None:
    lay_out(tmp_path, identity())
    (tmp_path / "ca.crt").write_bytes(new_identity().ca.public_bytes(Encoding.PEM))
    assert openssl(*CMS_VERIFY, folder=tmp_path).returncode != 0


def test_openssl_reads_back_signing_time_and_the_four_signed_attributes(tmp_path: Path) -> None:
    lay_out(tmp_path, identity())
    result = openssl("cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", "data.p7s", folder=tmp_path)
    text = result.stdout.decode()
    signed = text[text.index("signedAttrs") : text.index("signatureAlgorithm", text.index("signedAttrs"))]
    assert re.findall(r"object: (\S+)", signed) == [
        "contentType",
        "signingTime",
        "messageDigest",
        "id-smime-aa-signingCertificateV2",
    ]
    assert "UTCTIME:Nov 22 10:31:00 2026 GMT" in signed
    assert re.search(r"eContent:\s+<ABSENT>", text)


def test_what_openssl_would_write_from_the_seal_is_the_seal(tmp_path: Path) -> None:
    lay_out(tmp_path, identity())
    openssl(
        "cms", "-cmsout", "-inform", "DER", "-in", "data.p7s", "-outform", "DER", "-out", "again.p7s", folder=tmp_path
    )
    assert (tmp_path / "again.p7s").read_bytes() == (tmp_path / "data.p7s").read_bytes()


def test_seal_made_by_openssl_in_another_form_is_refused_with_a_code(tmp_path: Path) -> None:
    """Ours is one strict form; openssl's CAdES adds S/MIME capabilities, so it must not slip through half checked."""
    me = identity()
    lay_out(tmp_path, me)
    save_private_key(tmp_path / "seal.key", me.seal_key, PASSPHRASE.encode())
    result = openssl(
        *("cms", "-sign", "-cades", "-binary", "-in", "data", "-signer", "seal.crt", "-inkey", "seal.key"),
        *("-passin", f"pass:{PASSPHRASE}", "-md", "sha256", "-outform", "DER", "-out", "foreign.p7s"),
        folder=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    with pytest.raises(EvidenceStoreError) as caught:
        verify_seal((tmp_path / "foreign.p7s").read_bytes(), DATA, [me.ca])
    assert caught.value.code == "seal_attributes_wrong"


@pytest.mark.parametrize("purpose", ["smimesign", "any"])
def test_openssl_accepts_both_certificates_in_strict_mode(purpose: str, tmp_path: Path) -> None:
    lay_out(tmp_path, identity())
    strict = ["verify", "-x509_strict", "-check_ss_sig", *at(SIGNED.timestamp()), "-CAfile", "ca.crt"]
    result = openssl(*strict, "-purpose", purpose, "seal.crt", folder=tmp_path)
    assert result.stdout.strip() == b"seal.crt: OK", result.stderr
    assert openssl(*strict, "ca.crt", folder=tmp_path).returncode == 0


def test_openssl_finds_the_seal_certificate_expired_when_we_do(tmp_path: Path) -> None:
    me = identity()
    lay_out(tmp_path, me)
    last = me.certificate.not_valid_after_utc
    second = timedelta(seconds=1)
    # The last second itself is valid (RFC 5280, section 4.1.2.5), but openssl counts it as past.
    for moment, verdict in ((last - second, 0), (last + second, 2)):
        result = openssl("verify", *at(moment.timestamp()), "-CAfile", "ca.crt", "seal.crt", folder=tmp_path)
        assert result.returncode == verdict, result.stderr
        if verdict == 0:
            require_valid_at(me.certificate, moment)
            continue
        with pytest.raises(EvidenceStoreError) as caught:
            require_valid_at(me.certificate, moment)
        assert caught.value.code == "seal_certificate_expired"


@pytest.mark.parametrize("org", ["Центр документації «Пам'ять»", 'O=Evil, CN="root" + #x\\', "證" * 64])
def test_openssl_verifies_seals_of_organisations_with_awkward_names(org: str, tmp_path: Path) -> None:
    me = new_identity(org)
    lay_out(tmp_path, me)
    assert verify_seal((tmp_path / "data.p7s").read_bytes(), DATA, [me.ca]).certificate == me.certificate
    result = openssl(*CMS_VERIFY, folder=tmp_path)
    assert b"CAdES Verification successful" in result.stderr


def test_openssl_verifies_a_seal_made_after_2049(tmp_path: Path) -> None:
    me = identity()
    late = SIGNED.replace(year=2051)
    key = generate_p256()
    certificate = issue_seal_certificate(me.ca, me.ca_key, key.public_key(), "Org", ARCHIVE, late)
    lay_out(tmp_path, me)
    (tmp_path / "data.p7s").write_bytes(build_seal(DATA, certificate, FileSigner(key).sign, late))
    result = openssl(*CMS_VERIFY[:-2], *at(late.timestamp()), folder=tmp_path)
    assert b"CAdES Verification successful" in result.stderr


@pytest.mark.parametrize("generate", [generate_ed25519, generate_p256])
def test_openssl_opens_our_key_file_with_the_passphrase_and_not_without(generate: type, tmp_path: Path) -> None:
    key: PrivateKey = generate()
    save_private_key(tmp_path / "our.key", key, PASSPHRASE.encode())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    result = openssl("pkey", "-pubout", "-in", "our.key", "-passin", f"pass:{PASSPHRASE}", folder=tmp_path)
    assert result.stdout == public
    plain = openssl("pkcs8", "-in", "our.key", "-passin", f"pass:{PASSPHRASE}", folder=tmp_path).stdout
    assert load_pem_private_key(plain, None).public_key() == key.public_key()
    assert openssl("pkey", "-in", "our.key", "-passin", "pass:wrong", folder=tmp_path).returncode != 0


def test_our_key_file_says_scrypt_and_aes_256_to_openssl(tmp_path: Path) -> None:
    with mock.patch.object(key_file, "SCRYPT_P", 5):  # that it is 5 outside the tests is shown in unit/test_keys_file
        save_private_key(tmp_path / "our.key", generate_ed25519(), PASSPHRASE.encode())
    text = openssl("asn1parse", "-in", "our.key", folder=tmp_path).stdout.decode()
    assert ":PBES2" in text
    assert ":scrypt" in text
    assert ":aes-256-cbc" in text
    assert re.findall(r"INTEGER +:(\w+)", text) == ["4000", "08", "05"]
    assert len(re.findall(r"OCTET STRING +\[HEX DUMP\]:[0-9A-F]{32}$", text, re.MULTILINE)) == 2  # salt and IV


@pytest.mark.parametrize(
    "algorithm", [["-algorithm", "ed25519"], ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]]
)
def test_we_open_a_key_file_that_openssl_made(algorithm: list[str], tmp_path: Path) -> None:
    openssl("genpkey", *algorithm, "-out", "plain.key", folder=tmp_path)
    openssl(
        *("pkcs8", "-topk8", "-scrypt", "-in", "plain.key", "-out", "their.key", "-passout", f"pass:{PASSPHRASE}"),
        folder=tmp_path,
    )
    (tmp_path / "their.key").chmod(0o600)
    signer = load_signer(tmp_path / "their.key", PASSPHRASE.encode())
    public = openssl("pkey", "-in", "plain.key", "-pubout", folder=tmp_path).stdout
    assert signer.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) == public
    with pytest.raises(EvidenceStoreError) as caught:
        load_signer(tmp_path / "their.key", b"wrong")
    assert caught.value.code == "wrong_passphrase"


@pytest.mark.parametrize(
    "algorithm",
    [["RSA"], ["X25519"], ["EC", "-pkeyopt", "ec_paramgen_curve:secp112r1"]],
    ids=["RSA", "X25519", "secp112r1"],
)
def test_key_file_of_openssl_with_a_kind_of_key_not_used_here(algorithm: list[str], tmp_path: Path) -> None:
    openssl("genpkey", "-algorithm", *algorithm, "-out", "plain.key", folder=tmp_path)
    openssl(
        *("pkcs8", "-topk8", "-scrypt", "-in", "plain.key", "-out", "their.key", "-passout", f"pass:{PASSPHRASE}"),
        folder=tmp_path,
    )
    (tmp_path / "their.key").chmod(0o600)
    with pytest.raises(EvidenceStoreError) as caught:
        load_signer(tmp_path / "their.key", PASSPHRASE.encode())
    assert caught.value.code == "key_unsupported"


def test_openssl_checks_signatures_of_both_kinds_of_signer(tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(b"the message")
    for key in (generate_p256(), generate_ed25519()):
        signer = FileSigner(key)
        (tmp_path / "signature").write_bytes(signer.sign(b"the message"))
        (tmp_path / "public").write_bytes(
            signer.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        command = [
            "pkeyutl",
            "-verify",
            "-rawin",
            "-pubin",
            "-inkey",
            "public",
            "-sigfile",
            "signature",
            "-in",
            "message",
        ]
        if isinstance(key, ec.EllipticCurvePrivateKey):
            command += ["-digest", "sha256"]
        else:
            assert isinstance(key, ed25519.Ed25519PrivateKey)
        result = openssl(*command, folder=tmp_path)
        assert b"Signature Verified Successfully" in result.stdout, result.stderr


def test_openssl_reads_the_root_as_x509(tmp_path: Path) -> None:
    ca = create_ca(generate_p256(), "Org", ARCHIVE, SIGNED)
    assert isinstance(ca, x509.Certificate)
    (tmp_path / "ca.crt").write_bytes(ca.public_bytes(Encoding.PEM))
    text = openssl("x509", "-in", "ca.crt", "-noout", "-text", folder=tmp_path).stdout.decode()
    assert "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0" in text
    assert "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign" in text
