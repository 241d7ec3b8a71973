"""Content credentials: real files with valid, broken, missing and distant manifests; nobody is asked over a network."""

from __future__ import annotations

import io
import random
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from app.analysis import reading, sandbox
from app.analysis.asked import Asked
from app.analysis.extract import inspect_file
from app.analysis.normalise_c2pa import facts_of
from app.analysis.probes.c2pa import NOBODY, STORE_TYPE, TrustTexts, holds_store, read_c2pa
from app.analysis.record_bytes import from_bytes
from app.analysis.service import examine
from app.analysis.trust import load_trust
from app.config import Settings
from app.errors import EnvironmentFailedError
from schemas.records.v1.c2pa_facts import C2paFacts
from schemas.records.v1.media_metadata import MediaMetadata
from tests.media_samples import photo, xmp_packet

NAMES = {
    "C.jpg": "valid_untrusted",
    "CA.jpg": "valid_untrusted",
    "CACA.jpg": "valid_untrusted",
    "video1.mp4": "valid_untrusted",
    "E-sig-CA.jpg": "invalid",
    "XCA.jpg": "invalid",
    "CIE-sig-CA.jpg": "invalid",
    "no_manifest.jpg": "absent",
    "IMG_0003.jpg": "absent",
    "cloud.jpg": "remote_only",
    "libpng-test_with_url.png": "remote_only",
}
WANTED = {
    "cloud.jpg": "https://cai-manifests.adobe.com/manifests/adobe-urn-uuid-5f37e182-3687-462e-a7fb-573462780391",
    "libpng-test_with_url.png": "http://localhost:5000/libpng-test.c2pa",
}


File = Callable[[str], Path]


@pytest.fixture(name="file")
def files(corpus: Path) -> File:
    return lambda name: corpus / "c2pa" / name


def inspected(path: Path, trust: TrustTexts = NOBODY) -> MediaMetadata:
    return inspect_file(path, path.name, Asked(trust))


def codes(record: MediaMetadata) -> set[str]:
    return {finding.code for finding in record.findings if finding.code.startswith("c2pa")}


@pytest.mark.parametrize(("name", "state"), NAMES.items())
def test_state_of_real_files(file: File, name: str, state: str) -> None:
    record = inspected(file(name))
    assert record.c2pa.state == state
    assert record.c2pa.remote_url == WANTED.get(name)
    assert bool(record.c2pa.reasons) == (name != "IMG_0003.jpg")  # the one that promises none
    unread = [finding.text for finding in record.findings if finding.code == "metadata_unread"]
    assert not any("C2PA" in text for text in unread)


@pytest.mark.parametrize(
    ("name", "reason", "found"),
    [
        ("E-sig-CA.jpg", "claimSignature.mismatch", {"c2pa_invalid", "c2pa_time_stamp_failed", "c2pa_edited"}),
        ("XCA.jpg", "assertion.dataHash.mismatch", {"c2pa_invalid", "c2pa_edited"}),
        (
            "CIE-sig-CA.jpg",
            "claimSignature.mismatch (ingredient E-sig-CA.jpg)",
            {"c2pa_invalid", "c2pa_edited"},
        ),
        (
            "no_manifest.jpg",
            "XMP names a manifest inside the file, and there is none",
            {"c2pa_missing"},
        ),
    ],
)
def test_reasons_and_findings_of_what_does_not_hold(file: File, name: str, reason: str, found: set[str]) -> None:
    record = inspected(file(name))
    assert reason in record.c2pa.reasons
    assert codes(record) == found


def test_what_a_valid_manifest_says_is_kept(file: File) -> None:
    record = inspected(file("CACA.jpg"))
    assert record.tools["c2pa-python"][0].isdigit()
    facts = record.c2pa
    assert facts.signer is not None
    assert "CN=C2PA Signer" in str(facts.signer.subject)
    assert "CN=Intermediate CA" in str(facts.signer.issuer)
    assert facts.signer.serial == "7e3e629adccfe7d99710135b5a48056972df8199"
    assert (facts.time_stamp.state, facts.time_stamp.time) == ("matched", "2025-10-16T17:31:55+00:00")
    assert "DigiCert" in str(facts.time_stamp.authority)
    assert [action.action for action in facts.actions] == ["c2pa.opened", "c2pa.color_adjustments"]
    assert [(one.depth, one.title, one.relationship) for one in facts.ingredients] == [
        (0, "CA.jpg", "parentOf"),
        (1, "A.jpg", "parentOf"),
    ]
    assert facts.generator == "make_test_images 0.67.1"
    assert facts.place == "APP11"
    assert (facts.library_state, facts.trust_list) == ("Valid", None)
    assert {status.outcome for status in facts.statuses} == {"success", "informational", "failure"}
    assert "signingCredential.untrusted" in {one.code for one in facts.statuses if one.outcome == "failure"}


def test_an_ingredient_that_was_broken_before_it_was_put_in_is_told_by_the_claim(file: File) -> None:
    facts = inspected(file("CIE-sig-CA.jpg")).c2pa
    assert facts.library_state == "Valid"  # the library does not count it
    admitted = [one for one in facts.statuses if one.by == "claim" and one.outcome == "failure"]
    assert [(one.code, one.about) for one in admitted] == [("claimSignature.mismatch", "E-sig-CA.jpg")]
    assert "claimSignature.mismatch" in facts.ingredients[0].failures


def test_marks_of_synthetic_content_are_findings(file: File) -> None:
    record = inspected(file("C.jpg"))
    assert record.c2pa.source_types == ("http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia",)
    found = next(finding for finding in record.findings if finding.code == "synthetic_source_type")
    assert found.rests_on[0].value == record.c2pa.source_types[0]


def test_the_mark_counts_in_xmp_too(tmp_path: Path) -> None:
    mark = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    attributes = f'xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" i:DigitalSourceType="{mark}"'
    record = inspected(photo(tmp_path / "a.jpg", xmp=xmp_packet(attributes)))
    assert (record.c2pa.state, record.c2pa.source_types) == ("absent", (mark,))
    assert "synthetic_source_type" in {finding.code for finding in record.findings}


def certificates(path: Path) -> Iterator[x509.Certificate]:
    """The certificates that a manifest brings along."""
    data, at = path.read_bytes(), 0
    while (at := data.find(b"\x30\x82", at)) >= 0:
        length = int.from_bytes(data[at + 2 : at + 4], "big") + 4
        try:
            yield x509.load_der_x509_certificate(data[at : at + length])
        except ValueError:
            at += 2
        else:
            at += length


def named(path: Path, subject: str) -> bytes:
    found = (one for one in certificates(path) if subject in one.subject.rfc4514_string())
    return next(found).public_bytes(Encoding.PEM)


def settings(tmp_path: Path, **lists: Path) -> Settings:
    base = Settings(tmp_path, "sqlite://", 1, 1, 1.0, 1)
    return replace(base, **lists)  # type: ignore[arg-type]


def test_a_signer_is_trusted_under_the_operators_list_and_under_no_other(file: File, tmp_path: Path) -> None:
    anchors, other, allowed = tmp_path / "anchors.pem", tmp_path / "other.pem", tmp_path / "allowed.pem"
    anchors.write_bytes(named(file("C.jpg"), "CN=Intermediate CA"))
    allowed.write_bytes(named(file("C.jpg"), "CN=C2PA Signer"))
    other.write_bytes(
        next(one for one in certificates(file("C.jpg")) if "DigiCert" in str(one.issuer)).public_bytes(Encoding.PEM)
    )
    lists = [
        ({"c2pa_trust": anchors}, "valid_trusted"),
        ({"c2pa_trust": other}, "valid_untrusted"),
        ({"c2pa_allowed": allowed}, "valid_trusted"),
        ({}, "valid_untrusted"),
    ]
    digests = set()
    for given, state in lists:
        trust = load_trust(settings(tmp_path, **given))
        record = inspected(file("C.jpg"), trust)
        assert (record.c2pa.state, record.c2pa.trust_list) == (state, trust.sha256)
        assert ("c2pa_untrusted_signer" in codes(record)) == (state == "valid_untrusted")
        digests.add(trust.sha256)
    assert len(digests) == len(lists)
    trust = load_trust(settings(tmp_path, c2pa_trust=anchors))
    for name in ("E-sig-CA.jpg", "XCA.jpg", "CIE-sig-CA.jpg"):
        assert inspected(file(name), trust).c2pa.state == "invalid"  # trust in a signer mends nothing


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_list_that_cannot_be_read_is_an_error_and_not_an_empty_list(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "anchors.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnvironmentFailedError) as caught:
        load_trust(settings(tmp_path, c2pa_trust=path))
    assert caught.value.code == "trust_list_unreadable"


def test_the_sandboxed_reader_says_the_same_as_the_one_here(file: File) -> None:
    for name in ("CACA.jpg", "CIE-sig-CA.jpg", "video1.mp4", "libpng-test_with_url.png"):
        found = examine(file(name), name)
        assert found.record is not None, name
        assert from_bytes(found.record).c2pa == inspected(file(name)).c2pa


def test_a_manifest_that_kills_its_reader_costs_the_manifest_and_not_the_record(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sandbox.run_sandboxed

    def run(target: str, args: tuple[Any, ...], *more: Any, **named_args: Any) -> object:  # noqa: ANN401
        if target.endswith("whole_task"):
            target = "tests.sandbox_targets:whole_whose_credentials_kill"
        return real(target, args, *more, **named_args)

    monkeypatch.setattr(reading, "run_sandboxed", run)
    found = examine(file("CACA.jpg"), "CACA.jpg")
    assert found.record is not None
    record = from_bytes(found.record)
    assert record.c2pa.state == "unreadable"
    assert "parser_crashed" in record.c2pa.reasons[0]
    assert (record.image.width.value, codes(record)) == (1024, {"c2pa_unreadable"})


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    """A server on loopback that remembers who asked."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    asked.append("asked")

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], asked
        over.set()
        thread.join()


def test_nobody_is_asked_for_a_manifest_that_lies_elsewhere(tmp_path: Path, listener: tuple[int, list[str]]) -> None:
    port, asked = listener
    url = f"http://127.0.0.1:{port}/manifest.c2pa"
    attributes = f'xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="{url}"'
    path = photo(tmp_path / "far.jpg", xmp=xmp_packet(attributes))
    record = inspected(path)
    assert (record.c2pa.state, record.c2pa.remote_url) == ("remote_only", url)
    assert codes(record) == {"c2pa_remote_only"}
    with path.open("rb") as stream:
        read = read_c2pa(stream, "image/jpeg")  # the library itself, outside the sandbox, is kept from asking
    assert (read.outcome, read.remote_url) == ("remote", url)
    assert asked == []


def test_a_file_without_a_mark_never_loads_the_library(
    file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)  # importing it now raises
    record = inspected(photo(tmp_path / "plain.jpg"))
    assert record.c2pa == C2paFacts()
    with pytest.raises(ImportError):
        inspected(file("C.jpg"))


def test_the_mark_is_found_across_the_pieces_in_which_a_file_is_read() -> None:
    for at in range((1 << 20) - 17, (1 << 20) + 2):
        assert holds_store(io.BytesIO(b"\0" * at + STORE_TYPE), video=False), at
    assert not holds_store(io.BytesIO(STORE_TYPE[:-1]), video=False)
    assert not holds_store(io.BytesIO(b""), video=True)


def test_a_store_in_the_wrong_place_is_unreadable_and_not_absent(file: File, tmp_path: Path) -> None:
    path = photo(tmp_path / "odd.jpg")
    path.write_bytes(path.read_bytes() + b"jumd" + STORE_TYPE)
    record = inspected(path)
    assert (record.c2pa.state, codes(record)) == ("unreadable", {"c2pa_unreadable"})
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(file("C.jpg").read_bytes()[:5_000])
    assert inspected(cut).c2pa.state == "unreadable"


def test_a_changed_picture_or_claim_never_stays_valid_and_no_bytes_raise(file: File) -> None:
    data = file("C.jpg").read_bytes()
    start = data.rindex(b"\xff\xda") + 100  # behind the manifest: the picture, which is hashed whole
    choose = random.Random(28)  # noqa: S311 (which bytes are changed, the same each time)
    for number in range(200):
        changed = bytearray(data)
        at = choose.randrange(start, len(data) - 2) if number % 2 else choose.randrange(20, 60_000)
        changed[at] ^= 1 + choose.randrange(255)
        read = read_c2pa(io.BytesIO(bytes(changed)), "image/jpeg")
        state = facts_of(read, NOBODY, None).state if read.outcome == "read" else read.outcome
        assert state in {"invalid", "unreadable"} if number % 2 else state != "valid_trusted", (number, at)
