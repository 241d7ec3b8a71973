"""Parts that are missing or malformed: what could not be checked is said, and what is left is still checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evidence_store.bundle import asice, bagit, layout
from evidence_store.digests import Digests
from evidence_store.verify.checks import verify_bundle
from tests.bundles import SampleArchive, write_folder
from tests.insiders import (
    Files,
    archive,
    content,
    found,
    item_ids,
    stored_files,
    verify,
)


def test_the_names_of_a_failed_check_are_in_the_report_not_passed_over(tmp_path: Path) -> None:
    def remove(files: Files) -> None:
        for path in (layout.MANIFEST, layout.EVENTS, layout.CA_CERTIFICATE, layout.LOG_VKEY):
            del files[path]

    report = verify(tmp_path, remove, seal=False)
    not_run = {finding.subject for finding in found(report, "check_not_run")}
    assert {"manifest", "events", "seal", "checkpoint", "proofs", "items", "outputs"} <= not_run
    assert {claim["code"] for claim in report.claims} == {
        "limit_age",
        "limit_authenticity",
        "limit_completeness",
        "limit_keys",
        "limit_pq",
        "limit_time",
        "limit_trust",
        "limit_witnesses",
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
