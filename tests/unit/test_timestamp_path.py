"""From a TSA's certificate to a root: which chains hold at which time, and who may not stand in one."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.path import require_path
from evidence_store.timestamps.roots import MAX_PEM, parse_roots
from evidence_store.timestamps.token import verify_token
from tests.bundles import of_no_known_version
from tests.tokens import DEFAULT_TIME, Forgery, der_of
from tests.tsa import END, START, Issued, Wanted, authority

UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
POLICIES = x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("1.3.6.1.4.1.55555.2"), None)])
ROOT = Wanted.authority("path root").issue()


def judged(
    tsa: Issued, *between: Issued, roots: list[x509.Certificate] | None = None, at: datetime = DEFAULT_TIME
) -> str | None:
    """The error's code; None when there is a path."""
    trusted = [ROOT.certificate] if roots is None else roots
    try:
        path = require_path(tsa.certificate, trusted, [one.certificate for one in between], at)
    except EvidenceStoreError as error:
        return error.code
    assert path[0] == tsa.certificate
    assert path[-1] in trusted
    return None


def tsa_under(issuer: Issued, **changes: Any) -> Issued:  # noqa: ANN401 - fields of Wanted
    return replace(Wanted("path TSA"), **changes).issue(issuer)


def middle(issuer: Issued, name: str = "path middle", **changes: Any) -> Issued:  # noqa: ANN401 - fields of Wanted
    return replace(Wanted.authority(name), **changes).issue(issuer)


def test_path_straight_to_the_root_and_over_intermediates_in_any_order() -> None:
    assert judged(tsa_under(ROOT)) is None
    first = middle(ROOT, "upper")
    second = middle(first, "lower")
    tsa = tsa_under(second)
    assert judged(tsa, first, second) is None
    assert judged(tsa, second, first, middle(ROOT, "bystander")) is None
    assert judged(tsa, second) == "timestamp_untrusted"
    assert judged(tsa, first) == "timestamp_untrusted"


def test_intermediates_come_from_the_token_or_from_the_caller() -> None:
    issuing = middle(ROOT)
    tsa = tsa_under(issuing)
    imprint = hashlib.sha256(b"x").digest()
    with_it = Forgery(tsa, imprint, certificates=[der_of(tsa.certificate), der_of(issuing.certificate)]).der()
    assert len(verify_token(with_it, imprint, "sha256", [ROOT.certificate]).path) == 3
    without = Forgery(tsa, imprint).der()
    verify_token(without, imprint, "sha256", [ROOT.certificate], [issuing.certificate])
    with pytest.raises(EvidenceStoreError) as caught:
        verify_token(without, imprint, "sha256", [ROOT.certificate])
    assert caught.value.code == "timestamp_untrusted"


def test_root_that_the_token_brings_along_is_not_trusted_for_that() -> None:
    own = Wanted.authority("path root").issue(key=ec.generate_private_key(ec.SECP256R1()))
    assert own.certificate.subject == ROOT.certificate.subject
    assert judged(tsa_under(own), own) == "timestamp_untrusted"


def test_certificate_of_the_tsa_is_no_root_of_its_own() -> None:
    """A caller who lists it among the roots has still not said who vouches for it."""
    tsa = tsa_under(ROOT)
    assert judged(tsa, roots=[tsa.certificate]) == "timestamp_untrusted"


def test_intermediate_that_is_trusted_as_a_root_ends_the_path() -> None:
    issuing = middle(ROOT)
    assert judged(tsa_under(issuing), roots=[issuing.certificate]) is None


def test_loop_of_authorities_that_vouch_for_each_other_ends() -> None:
    one = Wanted.authority("loop one").issue()
    two = middle(one, "loop two")
    back = Wanted.authority("loop one").issue(two)
    assert judged(tsa_under(back), two, back) == "timestamp_untrusted"


def test_many_certificates_of_one_name_do_not_hold_the_search_up() -> None:
    """Each would have to be tried for each: the search gives up instead."""
    names = [
        Wanted.authority("crowd").issue(key=ec.generate_private_key(ec.SECP256R1()), issuer=None) for _ in range(12)
    ]
    crowd = [Wanted.authority("crowd").issue(other, key=one.key) for one in names for other in names[:6]]
    assert judged(tsa_under(crowd[0]), *crowd) == "timestamp_untrusted"


def test_path_of_seven_is_too_long() -> None:
    chain = [ROOT]
    for depth in range(6):
        chain.append(middle(chain[-1], f"depth {depth}"))
    assert judged(tsa_under(chain[5]), *chain[1:]) is None
    assert judged(tsa_under(chain[6]), *chain[1:]) == "timestamp_untrusted"


@pytest.mark.parametrize(
    "changes",
    [
        {"purposes": None},
        {"purposes_critical": False},
        {"purposes": (ExtendedKeyUsageOID.CODE_SIGNING,)},
        {"purposes": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)},
        {"purposes": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)},
        {"ca": True},
        {"usage": ("key_encipherment",)},
        {"usage": ("digital_signature", "key_cert_sign")},
        {"usage": ("digital_signature", "crl_sign")},
        {"usage": ("digital_signature", "data_encipherment")},
        {"extra": ((UNKNOWN, True),)},
        {"extra": ((x509.NameConstraints([x509.DNSName("example.org")], None), True),)},
    ],
    ids=str,
)
def test_certificate_that_may_not_stamp(changes: dict[str, Any]) -> None:
    assert judged(tsa_under(ROOT, **changes)) == "timestamp_certificate_unsuitable"


@pytest.mark.parametrize(
    "changes",
    [
        {"usage": None},
        {"constraints": False},
        {"usage": ("digital_signature", "content_commitment")},
        {"usage": ("content_commitment",)},
        {"extra": ((UNKNOWN, False),)},
        {"extra": ((POLICIES, True),)},
    ],
    ids=str,
)
def test_certificate_that_may(changes: dict[str, Any]) -> None:
    assert judged(tsa_under(ROOT, **changes)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"ca": False},
        {"constraints": False},
        {"usage": ("digital_signature",)},
        {"purposes": (ExtendedKeyUsageOID.SERVER_AUTH,)},
        {"extra": ((UNKNOWN, True),)},
        {"extra": ((x509.PolicyConstraints(0, None), True),)},
    ],
    ids=str,
)
def test_intermediate_that_may_not_issue(changes: dict[str, Any]) -> None:
    issuing = middle(ROOT, **changes)
    assert judged(tsa_under(issuing), issuing) == "timestamp_certificate_unsuitable"


@pytest.mark.parametrize(
    "changes",
    [
        {"usage": None},
        {"purposes": (ExtendedKeyUsageOID.TIME_STAMPING,), "purposes_critical": False},
        {"purposes": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), "purposes_critical": False},
        {"path_length": 0},
    ],
    ids=str,
)
def test_intermediate_that_may(changes: dict[str, Any]) -> None:
    issuing = middle(ROOT, **changes)
    assert judged(tsa_under(issuing), issuing) is None


def test_path_length_counts_the_authorities_below() -> None:
    upper = middle(ROOT, "upper", path_length=0)
    lower = middle(upper, "lower")
    assert judged(tsa_under(upper), upper) is None
    assert judged(tsa_under(lower), upper, lower) == "timestamp_certificate_unsuitable"
    wider = middle(ROOT, "upper", path_length=1)
    lower = middle(wider, "lower")
    assert judged(tsa_under(lower), wider, lower) is None


def test_authority_that_issued_itself_a_new_key_does_not_count() -> None:
    old = middle(ROOT, "renamed", path_length=0)
    new = Wanted.authority("renamed").issue(old, key=ec.generate_private_key(ec.SECP256R1()))
    assert judged(tsa_under(new), old, new) is None


def test_another_path_is_taken_when_the_first_one_fails() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    past = replace(Wanted.authority("cross"), valid=(START, datetime(2021, 1, 1, tzinfo=UTC))).issue(ROOT, key=key)
    now = Wanted.authority("cross").issue(ROOT, key=key)
    tsa = tsa_under(now)
    assert judged(tsa, past, now) is None
    assert judged(tsa, past) == "timestamp_certificate_expired"


@pytest.mark.parametrize("which", ["tsa", "middle", "root"])
def test_every_certificate_must_be_valid_at_the_time(which: str) -> None:
    valid = dict.fromkeys(("tsa", "middle", "root"), (START, END))
    valid[which] = (datetime(2027, 1, 1, tzinfo=UTC), END)
    root = replace(Wanted.authority("dated root"), valid=valid["root"]).issue()
    issuing = middle(root, valid=valid["middle"])
    tsa = tsa_under(issuing, valid=valid["tsa"])
    assert judged(tsa, issuing, roots=[root.certificate]) == "timestamp_certificate_expired"
    later = datetime(2028, 1, 1, tzinfo=UTC)
    assert judged(tsa, issuing, roots=[root.certificate], at=later) is None


def test_certificate_signed_with_a_short_digest_is_not_trusted() -> None:
    assert judged(tsa_under(ROOT, digest=hashes.SHA224)) == "timestamp_untrusted"


def test_keys_that_are_too_short() -> None:
    small_rsa = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what must be refused
    small_ec = ec.generate_private_key(ec.SECP224R1())
    for key in (small_rsa, small_ec):
        weak = Wanted("weak TSA").issue(ROOT, key=key)
        assert judged(weak) == "timestamp_certificate_unsuitable"
    issuing = Wanted.authority("weak").issue(ROOT, key=small_rsa)
    assert judged(tsa_under(issuing), issuing) == "timestamp_certificate_unsuitable"


def test_file_of_roots_holds_roots_and_what_stands_between() -> None:
    one, two = authority("first", intermediate=True), authority("second")
    pem = b"# the roots of two authorities\n" + one.roots_pem + one.between[0].pem + two.roots_pem
    read = parse_roots(pem)
    assert list(read.roots) == [one.root.certificate, two.root.certificate]
    assert list(read.intermediates) == [one.between[0].certificate]


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"no certificate",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        authority("first").tsa.pem,
        authority("first").roots_pem + b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        b"#" * (MAX_PEM + 1),
        of_no_known_version(authority("first").root.certificate),
    ],
    ids=["empty", "text", "cut", "no root", "second broken", "large", "unknown version"],
)
def test_file_that_holds_no_roots(pem: bytes) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        parse_roots(pem)
    assert caught.value.code == "tsa_roots_malformed"
