"""Attacks by the holder of the seal key: every list is recomputed and sealed again, and still each lie is found."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_store.bundle import asice, bagit, layout
from evidence_store.bundle.writer import write_bundle
from evidence_store.canonical import canonical_bytes
from evidence_store.digests import Digests
from evidence_store.log.note import Checkpoint, checkpoint_text, sign_note
from evidence_store.log.proof import TlogProof, format_proof, parse_proof
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.report import Finding, Report
from evidence_store.verify.trust import Trust, parse_log_keys
from tests.bundles import SampleArchive, reseal, sample_archive, write_folder

Files = dict[str, bytes]
Change = Callable[[Files], None]


@cache
def archive() -> SampleArchive:
    return sample_archive("insider")


@cache
def stored_files() -> tuple[tuple[str, bytes], ...]:
    return tuple(archive().files().items())


@cache
def zipped() -> bytes:
    return archive().bundle()


def verify(folder: Path, change: Change, *, seal: bool = True) -> Report:
    files = dict(stored_files())
    change(files)
    return verify_bundle(write_folder(reseal(files, archive()) if seal else files, folder / "bundle"))


def found(report: Report, code: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.code == code]


def item_ids() -> list[str]:
    return [item.item for item in archive().items]


def manifest_with(change: Callable[[dict[str, Any]], object]) -> Change:
    def apply(files: Files) -> None:
        manifest = json.loads(files[layout.MANIFEST])
        change(manifest)
        files[layout.MANIFEST] = canonical_bytes(manifest)

    return apply


def events_with(change: Callable[[list[bytes]], object]) -> Change:
    def apply(files: Files) -> None:
        lines = files[layout.EVENTS].split(b"\n")[:-1]
        change(lines)
        files[layout.EVENTS] = b"".join(line + b"\n" for line in lines)

    return apply


def receipt_with(**changes: Any) -> Change:  # noqa: ANN401 - any field of a receipt
    def apply(files: Files) -> None:
        path = layout.receipt_path(item_ids()[0])
        files[path] = canonical_bytes(json.loads(files[path]) | changes)
        files[f"{path}.p7s"] = archive().seal(files[path])

    return apply


def item_with(**changes: Any) -> Change:  # noqa: ANN401 - any field of an item
    """The manifest and the receipt tell the same lie."""

    def apply(files: Files) -> None:
        first = item_ids()[0]

        def change(manifest: dict[str, Any]) -> None:
            (entry,) = (entry for entry in manifest["items"] if entry["item"] == first)
            entry.update(changes)

        manifest_with(change)(files)
        receipt_with(**changes)(files)

    return apply


def content(path: str, data: bytes) -> Change:
    return lambda files: files.update({path: data})


def edit(lines: list[bytes], *numbers: int, **changes: Any) -> None:  # noqa: ANN401 - any field of an event
    for number in numbers:
        lines[number] = canonical_bytes(json.loads(lines[number]) | changes)


def add_event_before_all(lines: list[bytes], **changes: Any) -> None:  # noqa: ANN401 - any field of an event
    lines.insert(0, canonical_bytes(json.loads(lines[0]) | changes))


def swap_objects(lines: list[bytes]) -> None:
    lines.sort(key=lambda line: str(json.loads(line)["object"]), reverse=True)


def extra_proof_data(files: Files) -> None:
    path = layout.proof_path(f"item:{item_ids()[0]}")
    proof = parse_proof(files[path])
    files[path] = format_proof(TlogProof(proof.index, proof.hashes, proof.checkpoint, extra=b"hidden"))


def without_proof(files: Files) -> None:
    del files[layout.proof_path(f"item:{item_ids()[0]}")]


def exchange_preview(files: Files) -> None:
    path = f"data/previews/{item_ids()[0]}.jpg"
    files[path] = b"another picture"

    def describe(manifest: dict[str, Any]) -> None:
        (entry,) = (entry for entry in manifest["files"] if entry["path"] == path)
        entry.update(sha256=sha256(files[path]).hexdigest(), size=len(files[path]))

    manifest_with(describe)(files)


ITEM = 0
CASES: dict[str, tuple[str, Change]] = {
    "manifest lists an item twice": (
        "manifest_repeats",
        manifest_with(lambda m: m["items"].append(m["items"][0])),
    ),
    "manifest drops an item": ("original_without_item", manifest_with(lambda m: m["items"].pop())),
    "manifest drops a file": ("file_not_described", manifest_with(lambda m: m["files"].pop(0))),
    "manifest drops an object": ("object_not_listed", manifest_with(lambda m: m["objects"].pop(0))),
    "manifest drops an item's object": ("item_without_events", manifest_with(lambda m: m["objects"].pop())),
    "manifest invents an object": (
        "event_count_differs",
        manifest_with(lambda m: m["objects"].append(m["objects"][0] | {"object": f"user:{archive().archive_id}"})),
    ),
    "manifest names a file that is not here": (
        "file_missing",
        manifest_with(lambda m: m["files"].append(m["files"][0] | {"path": "data/lost.jpg"})),
    ),
    "manifest names an original that is not here": (
        "file_missing",
        manifest_with(lambda m: m["items"][ITEM].update(path=f"{layout.original_folder(item_ids()[0])}/lost.jpg")),
    ),
    "manifest gives another digest of an original": (
        "item_original_wrong",
        manifest_with(lambda m: m["items"][ITEM].update(sha512="0" * 128)),
    ),
    "manifest puts an original elsewhere": (
        "item_original_wrong",
        manifest_with(lambda m: m["items"][ITEM].update(path="data/provisions.json")),
    ),
    "manifest gives another digest of a file": (
        "file_not_as_described",
        manifest_with(lambda m: m["files"][0].update(size=1)),
    ),
    "manifest of another log": ("event_of_other_log", manifest_with(lambda m: m["archive"].update(log="other.log"))),
    "manifest of another archive": ("receipt_differs", manifest_with(lambda m: m["archive"].update(id="another"))),
    "manifest of another tree size": (
        "checkpoint_differs",
        manifest_with(lambda m: m["checkpoint"].update(size=m["checkpoint"]["size"] + 1)),
    ),
    "object of another tree size": ("proof_invalid", manifest_with(lambda m: m["objects"][0].update(tree_size=1))),
    "object whose proof is another file": (
        "proof_invalid",
        manifest_with(lambda m: m["objects"][0].update(proof="README.txt")),
    ),
    "object whose proof is not here": (
        "check_not_run",
        without_proof,
    ),
    "object whose proof has another name": (
        "proof_invalid",
        manifest_with(lambda m: m["objects"][0].update(proof="custody/proofs/none.tlog-proof")),
    ),
    "manifest with white space": (
        "manifest_not_canonical",
        lambda files: files.update({layout.MANIFEST: files[layout.MANIFEST] + b"\n"}),
    ),
    "manifest that is a list": ("manifest_malformed", content(layout.MANIFEST, b"[]")),
    "manifest with a malformed item": ("manifest_malformed", manifest_with(lambda m: m["items"].append({"item": 1}))),
    "manifest with a path that climbs": (
        "manifest_malformed",
        manifest_with(lambda m: m["files"][0].update(path="../../etc/passwd")),
    ),
    "event that is not JSON": ("event_malformed", events_with(lambda lines: lines.insert(0, b"\xff\x00"))),
    "event without salt": (
        "event_malformed",
        events_with(
            lambda lines: lines.insert(
                0, canonical_bytes({k: v for k, v in json.loads(lines[0]).items() if k != "salt"})
            )
        ),
    ),
    "event with one key too many": ("event_malformed", events_with(lambda lines: edit(lines, 0, comment="x"))),
    "event longer than the limit": (
        "event_malformed",
        events_with(lambda lines: edit(lines, 0, details={"x": "y" * 66_000})),
    ),
    "event listed twice": ("event_repeated", events_with(add_event_before_all)),
    "objects in another order": ("event_out_of_order", events_with(swap_objects)),
    "object split in two places": ("event_out_of_order", events_with(lambda lines: lines.append(lines[1]))),
    "event of an object that nobody lists": (
        "object_not_listed",
        events_with(lambda lines: add_event_before_all(lines, object=f"archive:{archive().archive_id}")),
    ),
    "last line without an end": (
        "line_not_ended",
        lambda files: files.update({layout.EVENTS: files[layout.EVENTS][:-1]}),
    ),
    "ingestion event of another file": (
        "ingestion_event_wrong",
        events_with(lambda lines: edit(lines, 1, sha256="0" * 64)),
    ),
    "no ingestion event": ("ingestion_event_wrong", events_with(lambda lines: edit(lines, 1, type="access"))),
    "three ingestion events": (
        "ingestion_event_wrong",
        events_with(lambda lines: edit(lines, *range(len(lines)), type="ingestion")),
    ),
    "ingestion event that tells no name": (
        "ingestion_event_wrong",
        events_with(lambda lines: edit(lines, 1, details={"case": "T1"})),
    ),
    "item under another name": (
        "ingestion_event_wrong",
        item_with(original_name="hospital.jpg"),
    ),
    "item of another case": ("ingestion_event_wrong", item_with(case="T2")),
    "item received earlier": (
        "ingestion_event_wrong",
        item_with(received_at="2020-01-01T00:00:00.000000Z"),
    ),
    "receipt made again": ("receipt_without_event", receipt_with()),
    "outputs that are no list": (
        "output_without_event",
        events_with(lambda lines: edit(lines, *range(len(lines)), details={"outputs": "all"})),
    ),
    "outputs without digests": (
        "output_without_event",
        events_with(lambda lines: edit(lines, *range(len(lines)), details={"outputs": [{}]})),
    ),
    "receipt of another event": ("receipt_differs", receipt_with(event_sha256="0" * 64)),
    "receipt of another CRC": ("receipt_differs", receipt_with(crc32=1)),
    "receipt beyond the log": ("receipt_differs", receipt_with(leaf_index=9)),
    "receipt of another archive": (
        "receipt_differs",
        receipt_with(archive={"id": "other", "org": "Other", "log": "other"}),
    ),
    "receipt with a wrong type": ("receipt_malformed", receipt_with(v=True)),
    "receipt with a CRC that is too large": ("receipt_malformed", receipt_with(crc32=1 << 32)),
    "receipt that is not canonical": (
        "receipt_malformed",
        lambda files: files.update({layout.receipt_path(item_ids()[0]): b"{} "}),
    ),
    "proof that is not one": (
        "proof_invalid",
        lambda files: files.update({layout.proof_path(f"item:{item_ids()[0]}"): b"trust me"}),
    ),
    "proof with unsigned extra data": ("proof_invalid", extra_proof_data),
    "preview exchanged": ("output_without_event", exchange_preview),
    "certificate that is not one": ("key_malformed", content(layout.CA_CERTIFICATE, b"trust me")),
    "certificate that is empty inside": (
        "key_malformed",
        content(layout.CA_CERTIFICATE, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ),
    "too many certificates": (
        "key_malformed",
        lambda files: files.update({layout.SEAL_CERTIFICATE: files[layout.SEAL_CERTIFICATE] * 101}),
    ),
    "another seal certificate": (
        "seal_certificate_differs",
        lambda files: files.update({layout.SEAL_CERTIFICATE: files[layout.CA_CERTIFICATE]}),
    ),
    "log key that is not one": ("key_malformed", content(layout.LOG_VKEY, b"trust me\n")),
    "log key that is not text": ("key_malformed", content(layout.LOG_VKEY, b"\xff\xfe")),
    "too many log keys": (
        "key_malformed",
        lambda files: files.update({layout.LOG_VKEY: files[layout.LOG_VKEY] * 101}),
    ),
    "log key of another log": (
        "checkpoint_invalid",
        content(layout.LOG_VKEY, sample_archive("forger").log_vkey.encode()),
    ),
    "checkpoint that is not one": ("checkpoint_invalid", content(layout.CHECKPOINT, b"trust me")),
    "mimetype of a plain ZIP": ("file_content_wrong", content(layout.MIMETYPE, b"application/zip")),
}


@pytest.mark.parametrize("attack", CASES)
def test_an_insiders_lie_is_found(attack: str, tmp_path: Path) -> None:
    code, change = CASES[attack]
    report = verify(tmp_path, change)
    assert {finding.severity for finding in found(report, code)} == {"error"}
    assert not report.ok


def test_a_clock_that_was_set_back_is_a_warning_and_no_lie(tmp_path: Path) -> None:
    odd = SampleArchive("clock-set-back")
    item = odd.deposit("a.jpg", b"a")
    odd.record(f"item:{item}", "access", time="2001-01-01T00:00:00.000000Z")
    report = verify_bundle(write_folder(odd.files(), tmp_path / "bundle"))
    assert [finding.severity for finding in found(report, "event_time_backwards")] == ["warning"]
    assert report.ok


def test_a_receipt_forged_under_another_ca_is_named_by_who_trusts_only_the_log(tmp_path: Path) -> None:
    """The forger has no key of the archive: he keeps events, proofs and checkpoint, and seals all else himself."""
    true, forger = archive(), sample_archive("forger")
    item = true.items[0]
    receipt = canonical_bytes(
        json.loads(item.receipt) | {"original_name": "hospital.jpg", "received_at": "2020-01-01T00:00:00.000000Z"}
    )
    forged = replace(
        item,
        original_name="hospital.jpg",
        received_at="2020-01-01T00:00:00.000000Z",
        receipt=receipt,
        receipt_signature=forger.seal(receipt),
    )
    plan = true.plan(
        items=[forged, *true.items[1:]],
        ca_pem=forger.ca_pem,
        seal_pem=forger.seal_certificate.public_bytes(Encoding.PEM),
    )
    out = io.BytesIO()
    write_bundle(out, plan, forger.seal)
    path = tmp_path / "forged.zip"
    path.write_bytes(out.getvalue())
    report = verify_bundle(path, Trust([], parse_log_keys(true.log_vkey.encode())))
    place = layout.receipt_path(item.item)
    assert {finding.subject for finding in found(report, "receipt_without_event")} == {place, f"{place}.p7s"}
    (wrong,) = found(report, "ingestion_event_wrong")
    assert "original_name, received_at" in wrong.detail
    assert "received" not in {claim["code"] for claim in report.claims}


def test_the_names_of_a_failed_check_are_in_the_report_not_passed_over(tmp_path: Path) -> None:
    def remove(files: Files) -> None:
        for path in (layout.MANIFEST, layout.EVENTS, layout.CA_CERTIFICATE, layout.LOG_VKEY):
            del files[path]

    report = verify(tmp_path, remove, seal=False)
    not_run = {finding.subject for finding in found(report, "check_not_run")}
    assert {"manifest", "events", "seal", "checkpoint", "proofs", "items", "outputs"} <= not_run
    assert {claim["code"] for claim in report.claims} == {
        "limit_authenticity",
        "limit_time",
        "limit_completeness",
        "limit_trust",
    }


def test_without_manifest_events_and_checkpoint_are_still_checked_by_themselves(tmp_path: Path) -> None:
    def remove(files: Files) -> None:
        del files[layout.MANIFEST]
        lines = files[layout.EVENTS].split(b"\n")
        files[layout.EVENTS] = b"\n".join(lines[:1] + lines[2:])

    report = verify(tmp_path, remove, seal=False)
    assert found(report, "event_chain_broken")
    assert report.checked["checkpoints"] == 1
    assert {"events against manifest.json", "checkpoint against manifest.json"} <= {
        finding.subject for finding in found(report, "check_not_run")
    }


def test_without_ca_a_receipts_seal_counts_as_not_checked(tmp_path: Path) -> None:
    report = verify(tmp_path, lambda files: files.update({layout.CA_CERTIFICATE: b""}))
    assert f"seal of {layout.receipt_path(item_ids()[0])}" in {f.subject for f in found(report, "check_not_run")}
    assert "receipts" not in report.checked


def test_without_checkpoint_a_receipts_place_in_the_log_is_not_judged(tmp_path: Path) -> None:
    report = verify(tmp_path, lambda files: files.update({layout.CHECKPOINT: b""}))
    assert not found(report, "receipt_differs")
    assert "proofs" in {f.subject for f in found(report, "check_not_run")}


def test_without_original_the_receipt_is_still_compared(tmp_path: Path) -> None:
    item = archive().items[0]

    def remove(files: Files) -> None:
        del files[layout.original_path(item.item, item.original_name)]

    report = verify(tmp_path, remove, seal=False)
    assert not found(report, "receipt_differs")
    assert found(report, "file_missing")


def test_a_bundle_without_items_is_whole_but_says_so(tmp_path: Path) -> None:
    empty = SampleArchive("empty")
    empty.record(f"archive:{empty.uuid()}", "archive creation")
    report = verify_bundle(write_folder(empty.files(), tmp_path / "bundle"))
    assert report.ok
    assert found(report, "bundle_without_items")
    assert [claim["code"] for claim in report.claims][:2] == ["sealed", "logged"]


def test_a_checkpoint_signed_by_a_key_of_another_log_is_refused(tmp_path: Path) -> None:
    signer = sample_archive("witness")
    text = checkpoint_text(Checkpoint("log.example.org/insider", 1, bytes(32)))
    note = sign_note(text, signer.log_name, signer._log_public, signer._log_signer.sign)
    changes = {layout.CHECKPOINT: note, layout.LOG_VKEY: signer.log_vkey.encode()}
    report = verify(tmp_path, lambda files: files.update(changes))
    assert "not of log log.example.org/insider" in found(report, "checkpoint_invalid")[0].detail


# --- lists ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"no end of line",
        b"00  README.txt\n",
        b"0" * 64 + b" README.txt\n",
        b"0" * 64 + b"  ../README.txt\n",
        (b"0" * 64 + b"  data/a\n") * 2,
        b"0" * 64 + b"  README.txt\n",
    ],
)
def test_a_malformed_payload_manifest_is_named_and_counts_as_not_checked(data: bytes, tmp_path: Path) -> None:
    report = verify(tmp_path, content(layout.MANIFEST_SHA256, data), seal=False)
    assert layout.MANIFEST_SHA256 in {finding.subject for finding in found(report, "list_malformed")}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        asice.format_asic_manifest({}) + b"\n",
        asice.format_asic_manifest({"README.txt": "0" * 62}),
        asice.format_asic_manifest({"README.txt": "0" * 64}).replace(b"AAAA", b"=AAA", 1),
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + asice.format_asic_manifest({}),
    ],
)
def test_an_asic_manifest_in_another_form_is_refused(data: bytes, tmp_path: Path) -> None:
    report = verify(tmp_path, content(layout.ASIC_MANIFEST, data), seal=False)
    assert {finding.subject for finding in found(report, "list_malformed")} == {layout.ASIC_MANIFEST}


@pytest.mark.parametrize(
    "data", [b"\xff\n", b"Label: x", b"no label\n", b"A: 1\nA: 2\n", b"Payload-Oxum: 1.1\n", b"Bagging-Date: today\n"]
)
def test_a_wrong_bag_info_is_named(data: bytes, tmp_path: Path) -> None:
    assert found(verify(tmp_path, content(layout.BAG_INFO, data), seal=False), "bag_info_wrong")


def test_digests_of_the_three_payload_lists_agree_with_the_receipt() -> None:
    item = archive().items[0]
    files = dict(stored_files())
    path = layout.original_path(item.item, item.original_name)
    listed = (
        bagit.parse_manifest(files[layout.MANIFEST_SHA256], 64)[path],
        bagit.parse_manifest(files[layout.MANIFEST_SHA512], 128)[path],
        asice.parse_asic_manifest(files[layout.ASIC_MANIFEST])[path],
    )
    receipt = json.loads(item.receipt)
    assert listed == (receipt["sha256"], receipt["sha512"], receipt["sha256"])
    assert item.digests == Digests(receipt["sha256"], receipt["sha512"], receipt["crc32"], receipt["size"])


# --- anything at all ------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    """Where a JSON value can be changed."""
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def replaced(data: bytes, draw: st.DataObject) -> bytes:
    value = json.loads(data)
    path = draw.draw(st.sampled_from(list(places(value))))
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = draw.draw(json_values)
    return canonical_bytes(value)


@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_no_sealed_nonsense_crashes_a_check(tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject) -> None:
    files = dict(stored_files())
    which = draw.draw(st.sampled_from([layout.MANIFEST, layout.receipt_path(item_ids()[0]), layout.EVENTS]))
    if which == layout.EVENTS:
        lines = files[which].split(b"\n")[:-1]
        number = draw.draw(st.integers(0, len(lines) - 1))
        lines[number] = replaced(lines[number], draw)
        files[which] = b"".join(line + b"\n" for line in lines)
    else:
        files[which] = replaced(files[which], draw)
    folder = write_folder(reseal(files, archive()), tmp_path_factory.mktemp("nonsense"))
    crashed = [finding for finding in found(verify_bundle(folder), "check_not_run") if "Error: " in finding.detail]
    assert crashed == []


@settings(max_examples=100, deadline=None)
@given(draw=st.data())
def test_no_byte_of_a_bundle_can_be_changed_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    data = bytearray(zipped())
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("changed") / "bundle.zip"
    path.write_bytes(data)
    assert not verify_bundle(path).ok
