"""The archive's own authority: what its certificates say, and what it refuses to issue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from evidence_store.certificates import require_trusted
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.authority import check_organisation, create_ca, issue_seal_certificate
from evidence_store.keys.base import PublicKey
from evidence_store.keys.file import generate_ed25519, generate_p256

ARCHIVE = "0d8f1c3e-5a77-4b0e-9c62-6a1b2c3d4e5f"
NOW = datetime(2026, 11, 22, 10, 31, 0, 123456, tzinfo=UTC)


@pytest.fixture(scope="module")
def ca_key() -> ec.EllipticCurvePrivateKey:
    return generate_p256()


@pytest.fixture(scope="module")
def ca(ca_key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return create_ca(ca_key, "Example Documentation Centre", ARCHIVE, NOW)


@pytest.fixture(scope="module")
def seal(ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return issue_seal_certificate(
        ca, ca_key, generate_p256().public_key(), "Example Documentation Centre", ARCHIVE, NOW
    )


def described(certificate: x509.Certificate) -> dict[str, tuple[bool, x509.ExtensionType]]:
    return {each.oid._name: (each.critical, each.value) for each in certificate.extensions}


def usages(usage: x509.ExtensionType) -> set[str]:
    assert isinstance(usage, x509.KeyUsage)
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    return {name for name in (*names, "key_cert_sign", "crl_sign") if getattr(usage, name)}


def test_root_may_issue_certificates_one_level_deep_and_nothing_else(ca: x509.Certificate) -> None:
    extensions = described(ca)
    assert set(extensions) == {"basicConstraints", "keyUsage", "subjectKeyIdentifier"}
    assert extensions["basicConstraints"] == (True, x509.BasicConstraints(ca=True, path_length=0))
    assert extensions["keyUsage"][0]
    assert usages(extensions["keyUsage"][1]) == {"key_cert_sign", "crl_sign"}


def test_root_is_version_3_self_signed_and_valid_for_thirty_years(ca: x509.Certificate) -> None:
    ca.verify_directly_issued_by(ca)
    assert ca.version is x509.Version.v3
    assert isinstance(ca.signature_hash_algorithm, hashes.SHA256)
    assert ca.not_valid_before_utc == NOW.replace(microsecond=0)
    assert ca.not_valid_after_utc == datetime(2056, 11, 22, 10, 31, 0, tzinfo=UTC)


def test_seal_certificate_follows_the_profile(seal: x509.Certificate, ca: x509.Certificate) -> None:
    extensions = described(seal)
    assert extensions["basicConstraints"] == (True, x509.BasicConstraints(ca=False, path_length=None))
    assert extensions["keyUsage"][0]
    assert usages(extensions["keyUsage"][1]) == {"digital_signature", "content_commitment"}
    critical, purposes = extensions["extendedKeyUsage"]
    assert not critical
    assert isinstance(purposes, x509.ExtendedKeyUsage)
    assert [each.dotted_string for each in purposes] == ["1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36"]
    authority, subject = extensions["authorityKeyIdentifier"][1], described(ca)["subjectKeyIdentifier"][1]
    assert isinstance(authority, x509.AuthorityKeyIdentifier)
    assert isinstance(subject, x509.SubjectKeyIdentifier)
    assert authority.key_identifier == subject.digest
    assert "subjectKeyIdentifier" in extensions


def test_seal_certificate_is_issued_by_the_root_for_five_years(seal: x509.Certificate, ca: x509.Certificate) -> None:
    seal.verify_directly_issued_by(ca)
    assert seal.not_valid_after_utc == datetime(2031, 11, 22, 10, 31, 0, tzinfo=UTC)
    require_trusted(seal, [ca], NOW)


def test_certificates_name_organisation_role_and_archive(seal: x509.Certificate, ca: x509.Certificate) -> None:
    for certificate, name in ((ca, "Catena CA 0d8f1c3e"), (seal, "Catena seal 0d8f1c3e")):
        attributes = {each.oid: each.value for each in certificate.subject}
        assert attributes == {NameOID.ORGANIZATION_NAME: "Example Documentation Centre", NameOID.COMMON_NAME: name}


def test_serial_numbers_are_random_and_never_repeat(ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey) -> None:
    public = generate_p256().public_key()
    serials = {issue_seal_certificate(ca, ca_key, public, "Org", ARCHIVE, NOW).serial_number for _ in range(20)}
    assert len(serials) == 20
    assert min(serials) > 2**100


@pytest.mark.parametrize(
    "org",
    [
        "Центр документації «Пам'ять», №1",
        "مركز التوثيق",
        "کتاب\u200cخانه",  # noqa: RUF001 - a Persian word spelled with a joiner
        'O=Evil, CN="root" + #x\\',
        "a\u00e9" * 32,
        "證據檔案 🕊",
    ],
)
def test_names_in_any_script_and_with_awkward_punctuation_come_back_unchanged(
    org: str, ca_key: ec.EllipticCurvePrivateKey
) -> None:
    certificate = create_ca(ca_key, org, ARCHIVE, NOW)
    read = x509.load_der_x509_certificate(certificate.public_bytes(Encoding.DER))
    assert [each.value for each in read.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == [org]
    issue_seal_certificate(certificate, ca_key, ca_key.public_key(), org, ARCHIVE, NOW)


@pytest.mark.parametrize(
    "org",
    [
        "",
        " ",
        " padded",
        "padded\n",
        "x" * 65,
        "a\x00b",
        "a\nb",
        "a\x7fb",
        "\u202egnp.exe",
        "a\u200bb",
        "\ud800",
        "a\u2028b",
        "\ue000",
    ],
)
def test_names_that_are_empty_long_or_deceiving_are_refused(org: str, ca_key: ec.EllipticCurvePrivateKey) -> None:
    for attempt in (lambda: check_organisation(org), lambda: create_ca(ca_key, org, ARCHIVE, NOW)):
        with pytest.raises(EvidenceStoreError) as caught:
            attempt()
        assert caught.value.code == "bad_name"
        caught.value.detail.encode("utf-8")


@pytest.mark.parametrize("archive", ["", "x", "archive:0d8f1c3e", "0d8f1c3e-5a77-4b0e-9c62-6a1b2c3d4e5"])
def test_archive_that_is_not_named_by_a_uuid_is_refused(archive: str, ca_key: ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        create_ca(ca_key, "Org", archive, NOW)
    assert caught.value.code == "bad_archive_id"


def test_time_without_a_zone_is_refused_and_any_zone_becomes_utc(ca_key: ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        create_ca(ca_key, "Org", ARCHIVE, NOW.replace(tzinfo=None))
    assert caught.value.code == "bad_time"
    elsewhere = create_ca(ca_key, "Org", ARCHIVE, NOW.astimezone(timezone(timedelta(hours=5, minutes=45))))
    assert elsewhere.not_valid_before_utc == NOW.replace(microsecond=0)


def test_leap_day_start_ends_on_the_28th(ca_key: ec.EllipticCurvePrivateKey) -> None:
    ca = create_ca(ca_key, "Org", ARCHIVE, datetime(2028, 2, 29, 12, 0, 0, tzinfo=UTC))
    assert ca.not_valid_after_utc == datetime(2058, 2, 28, 12, 0, 0, tzinfo=UTC)


def test_seal_certificate_never_outlives_its_root(ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey) -> None:
    late = NOW + timedelta(days=365 * 28)
    certificate = issue_seal_certificate(ca, ca_key, generate_p256().public_key(), "Org", ARCHIVE, late)
    assert certificate.not_valid_after_utc == ca.not_valid_after_utc


def test_length_of_validity_can_be_chosen(ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey) -> None:
    certificate = issue_seal_certificate(ca, ca_key, generate_p256().public_key(), "Org", ARCHIVE, NOW, years=1)
    assert certificate.not_valid_after_utc == datetime(2027, 11, 22, 10, 31, 0, tzinfo=UTC)


def test_authority_refuses_a_foreign_key_an_unusable_key_and_the_wrong_time(
    ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey
) -> None:
    public = generate_p256().public_key()
    seal_key = generate_p256()
    not_an_authority = issue_seal_certificate(ca, ca_key, seal_key.public_key(), "Org", ARCHIVE, NOW)
    day = timedelta(days=1)
    attempts: list[tuple[str, x509.Certificate, ec.EllipticCurvePrivateKey, PublicKey, datetime]] = [
        ("key_mismatch", ca, generate_p256(), public, NOW),
        ("key_unsupported", ca, ca_key, generate_ed25519().public_key(), NOW),
        ("seal_certificate_not_yet_valid", ca, ca_key, public, NOW - day),
        ("seal_certificate_expired", ca, ca_key, public, NOW + 366 * 31 * day),
        ("seal_certificate_unsuitable", not_an_authority, seal_key, public, NOW),
    ]
    for code, issuer, issuer_key, subject_key, moment in attempts:
        with pytest.raises(EvidenceStoreError) as caught:
            issue_seal_certificate(issuer, issuer_key, subject_key, "Org", ARCHIVE, moment)
        assert caught.value.code == code
    with pytest.raises(EvidenceStoreError) as caught:
        create_ca(ec.generate_private_key(ec.SECP384R1()), "Org", ARCHIVE, NOW)
    assert caught.value.code == "key_unsupported"
