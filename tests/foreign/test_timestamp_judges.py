"""openssl, pyHanko and rfc3161-client, which nobody here wrote, agree on time stamps and on seals that hold them."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from rfc3161_client import VerifierBuilder, decode_timestamp_response
from rfc3161_client.errors import VerificationError

from app.timestamps.client import in_order
from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import add_tokens, build_seal, seal_imprint
from evidence_store.timestamps.request import granted_response
from evidence_store.timestamps.token import verify_token
from tests.conftest import ROOT
from tests.judges import judged_by_pyhanko, require
from tests.sealing import DATA, SIGNED, identity
from tests.tokens import ESS_V2, Forgery, attribute, der_of, octets, sequence
from tests.tsa import Authority, Kind, LocalTsa, Wanted, authority, expired

GUIDE = (ROOT / "docs" / "timestamps.md").read_text(encoding="utf-8")
STAMPED = b"what is stamped"
IMPRINT = hashlib.sha256(STAMPED).digest()


def sh(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    require("openssl")
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False)


def guide(heading: str) -> list[str]:
    """The commands of a section of docs/timestamps.md that call openssl, as printed."""
    section = GUIDE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [line[4:] for line in section.splitlines() if line.startswith("    ") and "openssl" in line]


def openssl_accepts(der: bytes, roots: bytes, folder: Path, data: bytes = STAMPED) -> bool:
    (folder / "token.tst").write_bytes(der)
    (folder / "data").write_bytes(data)
    (folder / "root.pem").write_bytes(roots)
    command = "openssl ts -verify -token_in -in token.tst -data data -CAfile root.pem -untrusted root.pem"
    return "Verification: OK" in sh(command, folder).stdout


def we_accept(der: bytes, here: Authority, imprint: bytes = IMPRINT) -> bool:
    try:
        verify_token(der, imprint, "sha256", here.roots)
    except EvidenceStoreError:
        return False
    return True


def the_client_accepts(der: bytes, here: Authority, imprint: bytes = IMPRINT) -> bool:
    try:
        response = decode_timestamp_response(granted_response(in_order(der)))
        return VerifierBuilder(roots=list(here.roots)).build().verify(response, imprint)
    except (ValueError, VerificationError):
        return False


# Tokens of openssl, judged by us


@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize("intermediate", [False, True])
@pytest.mark.parametrize("ess_digest", ["sha1", "sha256", "sha512"])
def test_we_accept_what_openssl_stamps(kind: Kind, intermediate: bool, ess_digest: str, tmp_path: Path) -> None:  # noqa: FBT001
    here = authority("judged", kind, intermediate=intermediate)
    tsa = LocalTsa(tmp_path / "tsa", here, ess_digest=ess_digest)
    der = tsa.token(IMPRINT)
    token = verify_token(der, IMPRINT, "sha256", here.roots)
    assert abs(token.gen_time - datetime.now(UTC)) < timedelta(minutes=5)
    assert (token.nonce, token.accuracy) == (4711, timedelta(seconds=1, milliseconds=500, microseconds=100))
    assert len(token.path) == (3 if intermediate else 2)
    assert openssl_accepts(der, here.roots_pem, tmp_path)
    assert the_client_accepts(der, here)


@pytest.mark.parametrize("precision", [0, 1, 3, 6])
@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_we_read_the_time_that_openssl_prints(precision: int, name: str, tmp_path: Path) -> None:
    here = authority("judged")
    tsa = LocalTsa(tmp_path / "tsa", here, precision=precision, signer_digest=name)
    imprint = hashlib.new(name, STAMPED).digest()
    der = tsa.token(imprint, name)
    token = verify_token(der, imprint, name, here.roots)
    (tmp_path / "token.tst").write_bytes(der)
    text = sh("openssl ts -reply -token_in -in token.tst -token_out -text", tmp_path).stdout
    printed = re.search(r"Time stamp: (.*) GMT", text)
    assert printed is not None
    when = re.sub(r"(\.\d+)?( \d{4})$", r"\2", printed[1])
    fraction = re.search(r"\.(\d+) ", printed[1])
    moment = datetime.strptime(when, "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    assert token.gen_time == moment.replace(microsecond=int(fraction[1].ljust(6, "0")) if fraction else 0)
    assert f"Serial number: 0x{token.serial:04X}" in text
    assert f"Policy OID: {token.policy}" in text


# Tokens of ours, judged by openssl and rfc3161-client


@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"digest": "sha512"},
        {"ess": ("v1",)},
        {"ess": ("v1", "v2")},
        {"issuer_serial": False},
        {"gen_time": b"20261122103100.123456Z"},
        {"unsigned": asn1.encode(asn1.context(1), attribute(ESS_V2, octets(b"anything")))},
        {"after_time": sequence(asn1.integer(1))},
    ],
    ids=str,
)
def test_all_three_accept_the_same_tokens_and_refuse_them_once_spoilt(
    kind: Kind, changes: dict[str, Any], tmp_path: Path
) -> None:
    here, stranger = authority("judged", kind), authority("another", kind)
    der = Forgery(here.tsa, IMPRINT, **changes).der()
    assert we_accept(der, here)
    assert openssl_accepts(der, here.roots_pem, tmp_path)
    assert the_client_accepts(der, here)
    spoilt = bytearray(der)
    spoilt[spoilt.index(IMPRINT)] ^= 1
    for bad, under in ((bytes(spoilt), here), (der, stranger)):
        assert not we_accept(bad, under)
        assert not openssl_accepts(bad, under.roots_pem, tmp_path)
        assert not the_client_accepts(bad, under)
    assert not openssl_accepts(der, here.roots_pem, tmp_path, STAMPED + b" ")


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("unfit", purposes=None),
        Wanted("unfit", purposes_critical=False),
        Wanted("unfit", purposes=(ExtendedKeyUsageOID.CODE_SIGNING,)),
        Wanted("unfit", usage=("key_encipherment",)),
    ],
    ids=["no purpose", "not critical", "another purpose", "key usage"],
)
def test_openssl_and_we_refuse_certificates_that_may_not_stamp(wanted: Wanted, tmp_path: Path) -> None:
    here = authority("judged")
    der = Forgery(wanted.issue(here.root), IMPRINT).der()
    assert not we_accept(der, here)
    assert not openssl_accepts(der, here.roots_pem, tmp_path)


def test_openssl_judges_an_expired_certificate_as_we_do_once_it_is_told_the_time(tmp_path: Path) -> None:
    here = expired()
    tsa = LocalTsa(tmp_path / "tsa", here)
    assert not we_accept(tsa.token(IMPRINT), here)
    assert not openssl_accepts(tsa.token(IMPRINT), here.roots_pem, tmp_path)
    earlier = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)
    der = Forgery(here.tsa, IMPRINT, at=earlier).der()
    assert we_accept(der, here)
    openssl_accepts(der, here.roots_pem, tmp_path)
    command = "openssl ts -verify -token_in -in token.tst -data data -CAfile root.pem -attime "
    assert "Verification: OK" in sh(command + str(int(earlier.timestamp())), tmp_path).stdout


@pytest.mark.parametrize("changes", [{"pss": True}, {"by_key_identifier": True}])
def test_good_tokens_that_rfc3161_client_cannot_take(changes: dict[str, Any]) -> None:
    """Why its refusal is not counted for these; the day it can, this fails and the exception can go."""
    here = authority("judged", "rsa")
    der = Forgery(here.tsa, IMPRINT, **changes).der()
    assert we_accept(der, here)
    assert not the_client_accepts(der, here)


def test_ed25519_is_another_that_it_cannot_take() -> None:
    here = authority("judged", "ed25519")
    der = Forgery(here.tsa, IMPRINT, digest="sha512").der()
    assert we_accept(der, here)
    assert not the_client_accepts(der, here)


def test_certificates_in_the_order_that_openssl_writes_are_put_in_the_order_of_der(tmp_path: Path) -> None:
    here = authority("judged", "rsa", intermediate=True)
    held = [one.certificate for one in (here.tsa, here.between[0])]
    ders = [
        Forgery(here.tsa, IMPRINT, certificates=[der_of(one) for one in order]).der() for order in (held, held[::-1])
    ]
    assert ders[0] != ders[1]
    assert in_order(ders[0]) == in_order(ders[1])
    accepted = set()
    for der in ders:
        assert we_accept(der, here)
        assert the_client_accepts(der, here)
        try:
            decode_timestamp_response(granted_response(der))
        except ValueError:
            continue
        accepted.add(der)
    assert len(accepted) == 1  # the day it takes both, putting them in order can go
    assert in_order(ders[0]) in accepted


# Seals with time stamps


def stamped(*names: Authority, tmp_path: Path) -> bytes:
    me = identity()
    der = build_seal(DATA, me.certificate, me.sign, SIGNED, authority=me.ca)
    tokens = [LocalTsa(tmp_path / f"tsa{number}", each).token(seal_imprint(der)) for number, each in enumerate(names)]
    return add_tokens(der, tokens)


def lay_out(folder: Path, der: bytes, here: Authority) -> None:
    (folder / "receipt").write_bytes(DATA)
    (folder / "receipt.p7s").write_bytes(der)
    (folder / "ca.crt").write_bytes(identity().ca.public_bytes(Encoding.PEM))
    (folder / "example.pem").write_bytes(here.roots_pem)


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_openssl_alone_checks_seal_and_token_as_the_guide_says(kind: Kind, tmp_path: Path) -> None:
    here = authority("judged", kind)
    lay_out(tmp_path, stamped(here, tmp_path=tmp_path), here)
    verify, *rest = guide("Checking a seal's token with openssl alone")
    at = f" -attime {int(SIGNED.timestamp())}"  # so that this test does not expire with the seal's certificate
    assert "CAdES Verification successful" in sh(verify + at, tmp_path).stderr
    assert "Verification: OK" in sh("\n".join(rest), tmp_path).stdout
    assert hashlib.sha256((tmp_path / "sigval.bin").read_bytes()).digest() == seal_imprint(
        (tmp_path / "receipt.p7s").read_bytes()
    )


def test_openssl_finds_the_token_of_another_seal_out(tmp_path: Path) -> None:
    here = authority("judged")
    der = stamped(here, tmp_path=tmp_path / "one")
    lay_out(tmp_path, der, here)
    _, *rest = guide("Checking a seal's token with openssl alone")
    assert "Verification: OK" in sh("\n".join(rest), tmp_path).stdout
    lay_out(tmp_path, stamped(here, tmp_path=tmp_path / "two"), here)
    (tmp_path / "other.tst").write_bytes((tmp_path / "token.tst").read_bytes())
    sh("\n".join(rest), tmp_path)
    result = sh(rest[-1].replace("token.tst", "other.tst"), tmp_path)
    assert "Verification: FAILED" in result.stdout + result.stderr


def test_openssl_alone_checks_a_checkpoints_token_as_the_guide_says(tmp_path: Path) -> None:
    here = authority("judged", "rsa", intermediate=True)
    note = b"log.example\n57\nhash\n\nsignature\n"
    (tmp_path / "checkpoint").write_bytes(note)
    token = LocalTsa(tmp_path / "tsa", here).token(hashlib.sha256(note).digest())
    (tmp_path / "checkpoint.example.tst").write_bytes(token)
    (tmp_path / "example.pem").write_bytes(here.roots_pem)
    fingerprint, verify, show = guide("Checking a checkpoint's token with openssl alone")
    wanted = hashlib.sha256(der_of(here.root.certificate)).hexdigest().upper()
    assert wanted in sh(fingerprint, tmp_path).stdout.replace(":", "")
    assert "Verification: OK" in sh(verify, tmp_path).stdout
    assert "Time stamp:" in sh(show, tmp_path).stdout
    (tmp_path / "checkpoint").write_bytes(note + b"\n")
    assert "Verification: OK" not in sh(verify, tmp_path).stdout


def test_what_openssl_would_write_from_a_stamped_seal_is_the_seal(tmp_path: Path) -> None:
    here = authority("judged")
    lay_out(tmp_path, stamped(here, authority("another", "rsa"), tmp_path=tmp_path), here)
    sh("openssl cms -cmsout -inform DER -in receipt.p7s -outform DER -out again.p7s", tmp_path)
    assert (tmp_path / "again.p7s").read_bytes() == (tmp_path / "receipt.p7s").read_bytes()


def pyhanko_says(der: bytes, time_roots: Sequence[x509.Certificate], data: bytes = DATA) -> Any:  # noqa: ANN401
    """pyHanko's verdict on a detached seal."""
    return judged_by_pyhanko(der, data, [identity().ca], time_roots)


def test_pyhanko_reports_a_trusted_intact_cades_t_seal(tmp_path: Path) -> None:
    here = authority("judged", "rsa", intermediate=True)
    der = stamped(here, tmp_path=tmp_path)
    status = pyhanko_says(der, here.roots)
    assert status.bottom_line
    assert status.intact
    assert status.valid
    assert status.trusted
    stamp = status.timestamp_validity
    assert stamp.intact
    assert stamp.valid
    assert stamp.trusted
    (token,) = cms.ContentInfo.load(der)["content"]["signer_infos"][0]["unsigned_attrs"][0]["values"]
    assert stamp.timestamp == verify_token(token.dump(), seal_imprint(der), "sha256", here.roots).gen_time
    assert status.summary() == "INTACT:TRUSTED,TIMESTAMP_TOKEN<INTACT:TRUSTED>"


@pytest.mark.parametrize(("kind", "changes"), [("rsa", {"pss": True}), ("ed25519", {"digest": "sha512"})])
def test_pyhanko_accepts_the_signatures_that_openssl_ts_cannot_take(
    kind: Kind, changes: dict[str, Any], tmp_path: Path
) -> None:
    here = authority("judged", kind)
    der = identity().seal()
    token = Forgery(here.tsa, seal_imprint(der), **changes).der()
    verify_token(token, seal_imprint(der), "sha256", here.roots)
    assert not openssl_accepts(token, here.roots_pem, tmp_path)
    assert pyhanko_says(add_tokens(der, [token]), here.roots).bottom_line


def test_pyhanko_does_not_trust_a_token_under_another_root(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    status = pyhanko_says(stamped(authority("judged"), tmp_path=tmp_path), authority("another").roots)
    assert status.timestamp_validity.intact
    assert not status.timestamp_validity.trusted
    assert not status.bottom_line
    assert caplog.records  # it says why


def test_pyhanko_takes_the_token_it_trusts_of_two(tmp_path: Path) -> None:
    one, two = authority("judged"), authority("another", "rsa")
    der = stamped(one, two, tmp_path=tmp_path)
    for each in (one, two):
        assert pyhanko_says(der, each.roots).bottom_line


def test_pyhanko_sees_no_time_stamp_in_a_plain_seal_and_no_integrity_over_other_bytes(tmp_path: Path) -> None:
    me, here = identity(), authority("judged")
    plain = build_seal(DATA, me.certificate, me.sign, SIGNED, authority=me.ca)
    assert pyhanko_says(plain, here.roots).timestamp_validity is None
    assert not pyhanko_says(stamped(here, tmp_path=tmp_path), here.roots, DATA + b" ").bottom_line


def test_pyhanko_finds_a_token_over_another_seal_not_intact(tmp_path: Path) -> None:
    """Put there around our own checks, which refuse it."""
    from evidence_store import cades

    here = authority("judged")
    der = stamped(here, tmp_path=tmp_path)
    other = identity().seal()
    mixed = replace(cades.parse(other), tokens=cades.parse(der).tokens).encode()
    status = pyhanko_says(mixed, here.roots)
    assert not status.timestamp_validity.intact
    assert not status.bottom_line
