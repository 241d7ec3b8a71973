"""The bundle writer: order, repeatability, flat memory, and refusal before the signature."""

from __future__ import annotations

import io
import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from evidence_store.bundle import layout
from evidence_store.bundle.manifest import Stamp, TimeStatement
from evidence_store.bundle.plan import BundlePlan, ExtraFile
from evidence_store.bundle.writer import write_bundle
from evidence_store.digests import Digests, digest_stream
from evidence_store.errors import EvidenceStoreError
from tests.attested import local_tsa, policy_text, renewal_files, witness
from tests.bundles import SampleArchive, sample_archive, unzip


@pytest.fixture(scope="module")
def archive() -> SampleArchive:
    return sample_archive("writer")


def written(plan: BundlePlan, archive: SampleArchive) -> bytes:
    out = io.BytesIO()
    write_bundle(out, plan, archive.seal)
    return out.getvalue()


def refused(plan: BundlePlan) -> EvidenceStoreError:
    """The error of a plan that must be refused; the seal must not be asked for."""

    def never(_data: bytes) -> bytes:
        raise AssertionError("sealed what must not be sealed")

    with pytest.raises(EvidenceStoreError) as caught:
        write_bundle(io.BytesIO(), plan, never)
    return caught.value


def test_the_result_tells_digest_size_and_number_of_files(archive: SampleArchive) -> None:
    out = io.BytesIO()
    result = write_bundle(out, archive.plan(), archive.seal)
    data = out.getvalue()
    assert (result.sha256, result.size) == (sha256(data).hexdigest(), len(data))
    assert result.files == len(unzip(data))


def test_files_come_in_the_published_order(archive: SampleArchive) -> None:
    extra = ExtraFile("report.html", b"<p>", "report", None)
    names = list(unzip(archive.bundle(extra_files=[*archive.extra_files, extra])))
    folders = [name.rsplit("/", 1)[0] if "/" in name else name for name in names]
    order = list(
        dict.fromkeys(folder if not folder.startswith("data/originals") else "data/originals" for folder in folders)
    )
    assert order == [
        "mimetype", "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "manifest-sha512.txt", "manifest.json",
        "custody", "custody/proofs", "custody/receipts", "keys", "tools", "report.html", "README.txt",
        "tagmanifest-sha256.txt", "data/originals", "data/metadata", "data/previews", "data/matches", "data",
        "META-INF",
    ]  # fmt: skip
    assert names[0] == layout.MIMETYPE
    assert names[-2:] == [layout.ASIC_MANIFEST, layout.SEAL]
    assert names.index(layout.EVENTS) < names.index(layout.CHECKPOINT)


def test_what_others_say_comes_between_custody_and_keys() -> None:
    tsa = local_tsa("first")
    made = sample_archive("order", tsas={"first": tsa}, witnesses=[witness("w1.example")])
    made.policy = policy_text(["w1.example"], "any")
    names = list(unzip(made.bundle(renewals=renewal_files(made, tsa))))
    order = [
        layout.EVENTS, layout.CHECKPOINT, layout.COSIGNED, "custody/timestamps/checkpoint.first.tst",
        layout.receipt_path(min(item.item for item in made.items)), "custody/renewals/001/checkpoint",
        layout.CA_CERTIFICATE, layout.LOG_VKEY, layout.SEAL_CERTIFICATE, "keys/tsa/first.pem", layout.WITNESS_POLICY,
        layout.VERIFIER, layout.README, layout.TAG_MANIFEST,
    ]  # fmt: skip
    assert [name for name in names if name in order] == order
    assert [name for name in names if name.startswith(("custody/", "keys/", "tools/")) and not structural(name)] == []


def structural(name: str) -> bool:
    return layout.is_structure(name) or name.startswith(("custody/proofs/", "custody/receipts/"))


def test_mimetype_is_first_stored_and_without_extra_field(archive: SampleArchive) -> None:
    assert archive.bundle()[: 30 + 8 + 31] == (
        b"PK\x03\x04\x14\x00\x00\x08\x00\x00"
        + archive.bundle()[10:14]
        + zlib.crc32(layout.MIMETYPE_CONTENT).to_bytes(4, "little")
        + (31).to_bytes(4, "little") * 2
        + b"\x08\x00\x00\x00mimetypeapplication/vnd.etsi.asic-e+zip"
    )


def test_the_same_plan_gives_the_same_bytes_apart_from_the_signature(archive: SampleArchive) -> None:
    plan = archive.plan()
    signature = archive.seal(b"any")
    first, second = io.BytesIO(), io.BytesIO()
    write_bundle(first, plan, lambda _: signature)
    write_bundle(second, replace(plan, items=plan.items[::-1], extra_files=plan.extra_files[::-1]), lambda _: signature)
    assert first.getvalue() == second.getvalue()


def test_event_lines_are_the_exact_bytes_of_the_events(archive: SampleArchive) -> None:
    plan = archive.plan()
    assert unzip(written(plan, archive))[layout.EVENTS] == b"".join(line + b"\n" for line in plan.events)


def test_the_received_name_is_kept_in_full_in_the_manifest(archive: SampleArchive) -> None:
    items = json.loads(archive.files()[layout.MANIFEST])["items"]
    assert "відео 1.mp4" in {item["original_name"] for item in items}


@pytest.mark.parametrize(
    "data", [b"", b"short", bytes(range(256)) * 10 + b"longer", b"x" + bytes(range(1, 256)) + bytes(range(256)) * 9]
)
def test_an_original_that_is_not_what_was_received_stops_the_bundle_before_the_seal(
    data: bytes, archive: SampleArchive
) -> None:
    item = archive.items[0]
    assert item.digests.size == 2560
    error = refused(archive.plan(items=[replace(item, chunks=lambda: [data]), *archive.items[1:]]))
    assert error.code == "fixity_mismatch"
    assert item.item in error.detail


def test_wrong_known_digests_stop_the_bundle_too(archive: SampleArchive) -> None:
    item = archive.items[0]
    known = item.digests
    for wrong in (
        Digests(known.sha256, "0" * 128, known.crc32, known.size),
        Digests(known.sha256, known.sha512, known.crc32 ^ 1, known.size),
        Digests(known.sha256, known.sha512, known.crc32, known.size + 1),
    ):
        plan = archive.plan(items=[replace(item, digests=wrong), *archive.items[1:]])
        assert refused(plan).code == "fixity_mismatch"


def test_digests_that_are_not_those_of_the_ingestion_event_stop_the_bundle(archive: SampleArchive) -> None:
    item = archive.items[0]
    other = b"\0" * item.digests.size  # its bytes are those of its digests, and not what was received
    planted = replace(item, digests=digest_stream([other]), chunks=lambda: [other])
    error = refused(archive.plan(items=[planted, *archive.items[1:]]))
    assert (error.code, "ingestion event" in error.detail) == ("fixity_mismatch", True)


def test_an_originals_reader_is_closed_when_the_bundle_is_given_up(archive: SampleArchive) -> None:
    closed: list[str] = []

    def chunks() -> Iterator[bytes]:
        try:
            yield b"x" * 10_000
            yield b"never asked for"
        finally:
            closed.append("closed")

    item = archive.items[0]
    assert refused(archive.plan(items=[replace(item, chunks=chunks), *archive.items[1:]])).code == "fixity_mismatch"
    assert closed == ["closed"]


def test_a_seal_that_fails_leaves_no_complete_zip(archive: SampleArchive) -> None:
    def fail(_data: bytes) -> bytes:
        raise EvidenceStoreError("key_locked", "no passphrase")

    out = io.BytesIO()
    with pytest.raises(EvidenceStoreError) as caught:
        write_bundle(out, archive.plan(), fail)
    assert caught.value.code == "key_locked"
    assert b"PK\x05\x06" not in out.getvalue()


def stated(tsa: str, state: str) -> TimeStatement:
    return TimeStatement([tsa], [Stamp("checkpoint:9", tsa, state)])


EXTRA = ExtraFile("data/reviews/x.json", b"{}", "review", f"item:{'0' * 8}-0000-0000-0000-{'0' * 12}")
TAG = ExtraFile("x.txt", b"{}", "notes", None)
Fault = Callable[[BundlePlan, BundlePlan], dict[str, Any]]
FAULTS: dict[str, Fault] = {
    "an item twice": lambda plan, _: {"items": [plan.items[0], plan.items[0]]},
    "an item without events": lambda plan, other: {"items": [replace(plan.items[0], item=other.items[0].item)]},
    "a name that climbs": lambda _, __: {"extra_files": [replace(EXTRA, path="data/reviews/../x")]},
    "a file in META-INF": lambda _, __: {"extra_files": [replace(TAG, path="META-INF/x.xml", object=EXTRA.object)]},
    "a file of the bundle's own": lambda _, __: {"extra_files": [replace(TAG, path="bagit.txt")]},
    "a second mimetype": lambda _, __: {"extra_files": [replace(TAG, path="mimetype")]},
    "files that differ in capitals": lambda _, __: {"extra_files": [EXTRA, replace(EXTRA, path="data/reviews/X.json")]},
    "the same file twice": lambda _, __: {"extra_files": [EXTRA, EXTRA]},
    "a role without a name": lambda _, __: {"extra_files": [replace(TAG, role="")]},
    "a second original": lambda plan, _: {
        "extra_files": [replace(EXTRA, path=f"data/originals/{plan.items[0].item}/b.jpg", role="original")]
    },
    "a file where only originals lie": lambda plan, _: {
        "extra_files": [replace(EXTRA, path=f"data/originals/{plan.items[0].item}/b.jpg", role="better original")]
    },
    "a preview among the records": lambda _, __: {"extra_files": [replace(EXTRA, role="preview")]},
    "payload of no object": lambda _, __: {"extra_files": [replace(EXTRA, object=None)]},
    "events in another order": lambda plan, _: {"events": plan.events[::-1]},
    "a missing event": lambda plan, _: {"events": plan.events[1:]},
    "events of another log": lambda plan, other: {"events": other.events, "proofs": plan.proofs, "items": []},
    "a missing proof": lambda plan, _: {"proofs": dict(list(plan.proofs.items())[1:])},
    "proofs of another checkpoint": lambda plan, other: {
        "proofs": dict.fromkeys(plan.proofs, next(iter(other.proofs.values())))
    },
    "a time stamp without roots": lambda _, __: {"tokens": {"first": b"0"}, "time": stated("first", "done")},
    "a time stamp that is said to be there": lambda _, __: {"time": stated("first", "done")},
    "a time stamp that is said not to be there": lambda _, __: {
        "tokens": {"first": b"0"},
        "authority_roots": {"first": b"pem"},
        "time": stated("first", "pending"),
    },
    "a time stamp that nothing is said of": lambda _, __: {
        "tokens": {"first": b"0"},
        "authority_roots": {"first": b"pem"},
        "time": None,
    },
    "an authority with a name that climbs": lambda _, __: {"authority_roots": {"../first": b"pem"}},
    "a renewal elsewhere": lambda _, __: {"renewals": {"data/renewals/001/checkpoint": b"x"}},
    "a renewal with another file": lambda _, __: {"renewals": {"custody/renewals/001/readme": b"x"}},
    "a state of time that nobody knows": lambda _, __: {"time": stated("first", "perhaps")},
    "co-signatures of another checkpoint": lambda _, other: {"cosigned": other.checkpoint},
    "an identifier that is no UUID": lambda _, __: {"bundle_id": "1"},
    "a time before ZIP": lambda _, __: {"created_at": "1979-12-31T23:59:59.000000Z"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_plan_that_the_verifier_would_refuse_is_not_written(fault: str, archive: SampleArchive) -> None:
    plan = archive.plan()
    changes = FAULTS[fault](plan, sample_archive("other").plan())
    assert refused(replace(plan, **changes)).code == "bundle_plan_invalid"


def test_a_list_longer_than_the_verifier_reads_is_not_written(
    archive: SampleArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = archive.plan()
    monkeypatch.setattr("evidence_store.bundle.layout.MAX_LIST_BYTES", 3000)
    assert refused(plan).code == "bundle_plan_invalid"


def test_a_checkpoint_of_another_log_than_the_archives_is_not_written(archive: SampleArchive) -> None:
    plan = archive.plan(events=[], items=[], proofs={}, archive=replace(archive.plan().archive, log="another"))
    assert "another log" in refused(plan).detail


def test_a_checkpoint_that_its_key_did_not_sign_is_not_written(archive: SampleArchive) -> None:
    assert refused(archive.plan(log_vkey=sample_archive("other").log_vkey)).code == "note_unsigned"


def test_an_event_that_is_not_canonical_is_not_written(archive: SampleArchive) -> None:
    events = [archive.plan().events[0] + b" ", *archive.plan().events[1:]]
    assert refused(archive.plan(events=events)).code == "event_not_canonical"


def test_a_clock_that_was_set_back_does_not_stop_a_disclosure() -> None:
    odd = sample_archive("clock")
    odd.record(f"item:{odd.items[0].item}", "access", time="2001-01-01T00:00:00.000000Z")
    assert unzip(odd.bundle())


def test_more_files_than_a_bundle_may_have_are_not_written(
    archive: SampleArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "MAX_FILES", 10)
    assert refused(archive.plan()).code == "bundle_plan_invalid"


def test_memory_stays_flat_for_a_large_original() -> None:
    big = SampleArchive("big-writer")
    chunk = bytes(1 << 16)
    count = 640  # 40 MiB
    item = big.deposit("big.mov", chunk * count)

    def chunks() -> Iterator[bytes]:
        return (chunk for _ in range(count))

    big.items = [replace(big.items[0], chunks=chunks)]
    big.record(f"item:{item}", "access")

    class Sink(io.RawIOBase):
        def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
            return len(data)

    plan = big.plan()
    tracemalloc.start()
    result = write_bundle(Sink(), plan, big.seal)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.size > 40 << 20
    assert peak < 16 << 20
