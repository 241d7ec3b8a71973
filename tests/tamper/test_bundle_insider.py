"""Attacks by the holder of the seal key: every list is recomputed and sealed again, and still each lie is found."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store.bundle import layout
from evidence_store.bundle.writer import write_bundle
from evidence_store.canonical import canonical_bytes
from evidence_store.log.note import Checkpoint, checkpoint_text, sign_note
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.trust import Trust
from tests.bundles import SampleArchive, sample_archive, write_folder
from tests.insiders import (
    Change,
    add_event_before_all,
    archive,
    content,
    described,
    edit,
    events_with,
    exchange_preview,
    extra_proof_data,
    found,
    item_ids,
    item_with,
    manifest_with,
    other_sha512,
    receipt_with,
    second_original,
    swap_objects,
    verify,
    with_role,
    without_proof,
)

ITEM = 0
CASES: dict[str, tuple[str, Change]] = {
    "manifest lists an item twice": (
        "manifest_repeats",
        manifest_with(lambda m: m["items"].append(m["items"][0])),
    ),
    "manifest drops an item": ("original_without_item", manifest_with(lambda m: m["items"].pop())),
    "second original": ("original_without_item", second_original("original", f"item:{item_ids()[0]}")),
    "second original under another role": ("original_without_item", second_original("full quality original", None)),
    "role of another place": ("file_role_wrong", with_role("data/previews/", role="metadata")),
    "role that nobody knows among previews": ("file_role_wrong", with_role("data/previews/", role="better preview")),
    "preview of no object": ("file_role_wrong", with_role("data/previews/", object=None)),
    "payload of a role that nobody knows and of no object": (
        "file_role_wrong",
        described("data/x.jpg", b"x", "picture", None),
    ),
    "manifest drops a file": ("file_not_described", manifest_with(lambda m: m["files"].pop(0))),
    "manifest drops an object": ("object_not_listed", manifest_with(lambda m: m["objects"].pop(0))),
    "manifest drops an item's object": ("item_without_events", manifest_with(lambda m: m["objects"].pop(-2))),
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
    "output with another SHA-512": ("output_differs", other_sha512("0" * 128)),
    "output whose SHA-512 is none": ("output_differs", other_sha512(None)),
    "receipt of another event": ("receipt_differs", receipt_with(event_sha256="0" * 64)),
    "receipt of another CRC": ("receipt_differs", receipt_with(crc32=1)),
    "receipt beyond the log": ("receipt_differs", receipt_with(leaf_index=13)),
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
    report = verify_bundle(path, Trust([], true.trust.log_keys))
    place = layout.receipt_path(item.item)
    assert {finding.subject for finding in found(report, "receipt_without_event")} == {place, f"{place}.p7s"}
    (wrong,) = found(report, "ingestion_event_wrong")
    assert "original_name, received_at" in wrong.detail
    assert "received" not in {claim["code"] for claim in report.claims}


def test_a_checkpoint_signed_by_a_key_of_another_log_is_refused(tmp_path: Path) -> None:
    signer = sample_archive("witness")
    text = checkpoint_text(Checkpoint("log.example.org/insider", 1, bytes(32)))
    note = sign_note(text, signer.log_name, signer._log_public, signer._log_signer.sign)
    changes = {layout.CHECKPOINT: note, layout.LOG_VKEY: signer.log_vkey.encode()}
    report = verify(tmp_path, lambda files: files.update(changes))
    assert "of another log than the key" in found(report, "checkpoint_invalid")[0].detail
