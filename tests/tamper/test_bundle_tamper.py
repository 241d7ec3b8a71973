"""Attacks on a finished bundle by someone without the archive's keys: each is found and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_store.bundle import layout
from evidence_store.canonical import canonical_bytes
from evidence_store.verify.__main__ import main
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.report import Finding, Report
from evidence_store.verify.trust import Trust
from tests.bundles import SampleArchive, relist, reseal, sample_archive, unzip, write_folder

Files = dict[str, bytes]


@cache
def archive() -> SampleArchive:
    return sample_archive()


@cache
def stored_files() -> tuple[tuple[str, bytes], ...]:
    return tuple(archive().files().items())


def files() -> Files:
    return dict(stored_files())


def trust() -> Trust:
    return archive().trust


def errors(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.severity == "error"]


def verify(changed: Files, folder: Path, trusted: Trust | None = None) -> Report:
    return verify_bundle(write_folder(changed, folder / "bundle"), trusted)


def codes(report: Report) -> set[str]:
    return {finding.code for finding in errors(report)}


def claim(report: Report, code: str) -> str:
    (text,) = [each["text"] for each in report.claims if each["code"] == code]
    return text


def names(report: Report, text: str) -> bool:
    return any(text in finding.subject or text in finding.detail for finding in errors(report))


def test_an_untouched_bundle_verifies_as_zip_and_as_folder(tmp_path: Path) -> None:
    zipped = tmp_path / "bundle.zip"
    zipped.write_bytes(archive().bundle())
    for report in (verify_bundle(zipped, trust()), verify(files(), tmp_path, trust())):
        assert [f for f in report.findings if f.severity != "info"] == []
        assert report.checked["files"] == len(files())
        assert report.checked["items"] == report.checked["receipts"] == 2
        assert report.checked["objects"] == report.checked["proofs"] == 4
        assert report.checked["events"] == 13
        assert report.checked["key changes"] == 4
        assert [each["code"] for each in report.claims][:3] == ["sealed", "logged", "received"]
        assert all("by a key that you trust" in each["text"] for each in report.claims[:2])
        assert "limit_trust" not in {each["code"] for each in report.claims}


def test_files_that_no_event_names_are_listed_as_sealed_only(tmp_path: Path) -> None:
    sealed_only = [f.subject for f in verify(files(), tmp_path).findings if f.code == "file_sealed_only"]
    assert sealed_only == sorted(path for path in files() if "matches" in path or "provisions" in path)


def test_without_trusted_keys_the_report_says_whose_keys_were_used(tmp_path: Path) -> None:
    report = verify(files(), tmp_path)
    assert report.ok
    assert [(f.code, f.subject) for f in report.findings if f.severity == "warning"] == [
        ("trust_not_anchored", "keys/ca.crt"),
        ("trust_not_anchored", "keys/log.vkey"),
    ]
    assert "anyone could have made" in report.claims[0]["text"]
    assert "nothing is anchored" in claim(report, "limit_trust")


@pytest.mark.parametrize("path", sorted(files()))
def test_one_flipped_byte_in_any_file_is_found_and_named(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = files()[path]
    folder = write_folder(files(), tmp_path / "bundle")
    for position in sorted({0, len(content) // 2, len(content) - 1}):
        flipped = bytearray(content)
        flipped[position] ^= 0x01
        (folder / path).write_bytes(flipped)
        assert main([str(folder), "--json"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert found["ok"] is False
        assert any(
            f["severity"] == "error" and (path in f["subject"] or path in f["detail"]) for f in found["findings"]
        ), (position, found["findings"])


@pytest.mark.parametrize("path", sorted(files()))
def test_a_removed_file_is_found_and_named(path: str, tmp_path: Path) -> None:
    changed = files()
    del changed[path]
    report = verify(changed, tmp_path)
    assert [f.subject for f in errors(report) if f.code == "file_missing"] == [path]


@pytest.mark.parametrize(
    "path", ["data/extra.jpg", "note.txt", "META-INF/signature002.p7s", "keys/other.crt", "data/originals/x"]
)
def test_an_added_file_is_found_and_named(path: str, tmp_path: Path) -> None:
    report = verify(files() | {path: b"new"}, tmp_path)
    assert ("file_unlisted", path) in {(f.code, f.subject) for f in errors(report)}


def test_a_file_added_with_new_bagit_manifests_is_still_not_sealed(tmp_path: Path) -> None:
    report = verify(relist(files() | {"data/extra.jpg": b"new"}), tmp_path)
    unlisted = [f for f in errors(report) if f.code == "file_unlisted"]
    assert [(f.subject, layout.ASIC_MANIFEST in f.detail) for f in unlisted] == [("data/extra.jpg", True)]


def test_a_changed_original_with_new_bagit_manifests_breaks_seal_list_item_and_event(tmp_path: Path) -> None:
    path = next(path for path in files() if path.startswith("data/originals/"))
    report = verify(relist(files() | {path: b"another picture"}), tmp_path)
    assert {"file_digest_mismatch", "file_not_as_described", "item_original_wrong"} <= codes(report)
    assert names(report, path)


def test_a_changed_manifest_with_new_bagit_manifests_is_found(tmp_path: Path) -> None:
    manifest = json.loads(files()[layout.MANIFEST])
    manifest["purpose"] = "Another purpose"
    report = verify(relist(files() | {layout.MANIFEST: canonical_bytes(manifest)}), tmp_path)
    assert layout.MANIFEST in {f.subject for f in errors(report) if f.code == "file_digest_mismatch"}


def test_recomputing_the_sealed_list_without_the_key_breaks_the_seal(tmp_path: Path) -> None:
    forged = reseal(files() | {"README.txt": b"All is well.\n"}, sample_archive("forger"))
    forged[layout.SEAL] = files()[layout.SEAL]
    report = verify(forged, tmp_path)
    assert "seal_invalid" in codes(report)


def test_a_seal_taken_from_another_bundle_is_refused(tmp_path: Path) -> None:
    other = archive().files(purpose="another bundle")
    report = verify(files() | {layout.SEAL: other[layout.SEAL]}, tmp_path)
    assert codes(report) == {"seal_invalid"}


def test_a_whole_bundle_of_a_forger_passes_alone_but_not_against_trusted_keys(tmp_path: Path) -> None:
    forged = sample_archive("forger").files()
    assert verify(forged, tmp_path / "alone").ok
    report = verify(forged, tmp_path / "trusted", trust())
    assert {"seal_invalid", "checkpoint_invalid", "receipt_seal_invalid"} <= codes(report)
    assert "ca_not_trusted" in {f.code for f in report.findings if f.severity == "warning"}
    assert not {"sealed", "logged", "received"} & {each["code"] for each in report.claims}


def test_a_trusted_log_key_alone_refuses_another_log_and_leaves_the_ca_unanchored(tmp_path: Path) -> None:
    own = Trust([], trust().log_keys)
    report = verify(files(), tmp_path / "own", own)
    assert report.ok
    assert [f.subject for f in report.findings if f.code == "trust_not_anchored"] == [layout.CA_CERTIFICATE]
    assert "anyone could have made" in claim(report, "sealed")
    assert "by a key that you trust" in claim(report, "logged")
    assert "who sealed" in claim(report, "limit_trust")
    assert "no CA certificate" in claim(report, "limit_trust")
    assert "checkpoint_invalid" in codes(verify(sample_archive("forger").files(), tmp_path / "other", own))


def test_a_trusted_ca_alone_lets_the_seal_vouch_for_the_log_key(tmp_path: Path) -> None:
    report = verify(files(), tmp_path, Trust([archive().ca], []))
    assert report.ok
    assert "by a key that you trust" in claim(report, "sealed")
    assert "by a log key that the seal vouches for" in claim(report, "logged")
    assert "no log key" in claim(report, "limit_trust")


def test_a_log_key_is_worth_nothing_when_the_seal_that_should_vouch_for_it_fails(tmp_path: Path) -> None:
    forged = sample_archive("forger").files()
    report = verify(forged, tmp_path, Trust([archive().ca], []))
    assert "seal_invalid" in codes(report)
    assert "logged" not in {each["code"] for each in report.claims}


# --- the chain of custody; the attacker recomputes the BagIt manifests ---------------------------------------------

Lines = list[bytes]


def with_lines(change: Callable[[Lines], object]) -> Files:
    changed = files()
    lines = changed[layout.EVENTS].split(b"\n")[:-1]
    change(lines)
    changed[layout.EVENTS] = b"".join(line + b"\n" for line in lines)
    return relist(changed)


def edited(line: bytes, **changes: Any) -> bytes:  # noqa: ANN401 - any field of an event
    return canonical_bytes(json.loads(line) | changes)


def multi_event_object() -> tuple[str, list[int]]:
    """The object with most events, and the numbers of its lines."""
    lines = files()[layout.EVENTS].split(b"\n")[:-1]
    places: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        places.setdefault(json.loads(line)["object"], []).append(number)
    return max(places.items(), key=lambda entry: len(entry[1]))


@pytest.mark.parametrize("which", range(9))
def test_any_removed_event_is_named_by_its_object(which: int, tmp_path: Path) -> None:
    lines = files()[layout.EVENTS].split(b"\n")
    removed = json.loads(lines[which])
    report = verify(with_lines(lambda lines: lines.pop(which)), tmp_path)
    assert {"event_count_differs", "event_sequence_broken", "event_head_differs"} & codes(report)
    about = [f for f in errors(report) if f.subject == removed["object"] or removed["object"] in f.subject]
    assert "event_count_differs" in {f.code for f in about}


def test_an_event_removed_from_the_middle_leaves_a_gap_and_a_broken_chain(tmp_path: Path) -> None:
    object_id, places = multi_event_object()
    following = json.loads(files()[layout.EVENTS].split(b"\n")[places[2]])["event_id"]
    report = verify(with_lines(lambda lines: lines.pop(places[1])), tmp_path)
    about = {f.code for f in errors(report) if f.subject.startswith(f"event {following} ({object_id}")}
    assert about == {"event_sequence_broken", "event_chain_broken"}


def test_two_swapped_events_are_named(tmp_path: Path) -> None:
    _, (first, second, *_) = multi_event_object()

    def swap(lines: Lines) -> None:
        lines[first], lines[second] = lines[second], lines[first]

    report = verify(with_lines(swap), tmp_path)
    moved = json.loads(files()[layout.EVENTS].split(b"\n")[second])["event_id"]
    assert {"event_sequence_broken", "event_chain_broken"} <= {
        f.code for f in errors(report) if f"event {moved}" in f.subject
    }


@pytest.mark.parametrize(
    "change",
    [
        {"actor": {"id": "x", "name": "Somebody Else", "auth": "token"}},
        {"time": "2020-01-01T00:00:00.000000Z"},
        {"type": "annotation"},
        {"details": {"note": "nothing happened"}},
        {"sha256": "0" * 64},
        {"salt": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("place", [0, -1])
def test_an_edited_field_breaks_the_chain_or_the_head(place: int, change: dict[str, Any], tmp_path: Path) -> None:
    object_id, places = multi_event_object()
    number = places[place]

    def edit(lines: Lines) -> None:
        lines[number] = edited(lines[number], **change)

    report = verify(with_lines(edit), tmp_path)
    expected = "event_chain_broken" if place == 0 else "event_head_differs"
    assert [f for f in errors(report) if f.code == expected and object_id in f.subject]


def test_a_rewritten_chain_with_a_rewritten_manifest_is_not_in_the_log(tmp_path: Path) -> None:
    object_id, places = multi_event_object()
    changed = files()
    lines = changed[layout.EVENTS].split(b"\n")[:-1]
    previous: str | None = None
    for number in places:
        lines[number] = edited(
            lines[number], prev=previous, actor={"id": "x", "name": "Somebody Else", "auth": "token"}
        )
        previous = sha256(lines[number]).hexdigest()
    manifest = json.loads(changed[layout.MANIFEST])
    (entry,) = (entry for entry in manifest["objects"] if entry["object"] == object_id)
    entry["head_sha256"] = previous
    changed |= {layout.EVENTS: b"\n".join([*lines, b""]), layout.MANIFEST: canonical_bytes(manifest)}
    # even the holder of the seal key cannot do this without the log key
    report = verify(reseal(changed, archive()), tmp_path)
    assert ("proof_invalid", object_id) in {(f.code, f.subject) for f in errors(report)}


# --- exchanged parts ------------------------------------------------------------------------------------------------


def receipts() -> list[str]:
    return sorted(path for path in files() if path.startswith("custody/receipts/") and path.endswith(".json"))


def test_receipts_swapped_between_items_are_named(tmp_path: Path) -> None:
    first, second = receipts()
    changed = files()
    for end in ("", ".p7s"):
        changed[first + end], changed[second + end] = changed[second + end], changed[first + end]
    report = verify(relist(changed), tmp_path)
    differing = {f.subject: f.detail for f in errors(report) if f.code == "receipt_differs"}
    assert set(differing) == {first, second}
    assert "item" in differing[first]
    assert "event_sha256" in differing[first]


def test_a_receipt_with_the_signature_of_another_is_named(tmp_path: Path) -> None:
    first, second = receipts()
    changed = files()
    changed[f"{first}.p7s"] = changed[f"{second}.p7s"]
    report = verify(relist(changed), tmp_path)
    assert ("receipt_seal_invalid", f"{first}.p7s") in {(f.code, f.subject) for f in errors(report)}


def test_a_stale_checkpoint_is_refused(tmp_path: Path) -> None:
    grown = sample_archive()
    older = grown.files()
    grown.record(next(iter(grown.events)), "access")
    newer = grown.files()
    mixed = newer | {layout.CHECKPOINT: older[layout.CHECKPOINT]}
    report = verify(reseal(mixed, grown), tmp_path)
    assert {"checkpoint_differs", "proof_invalid"} <= codes(report)
    assert "checkpoint_invalid" not in codes(report)


def test_proofs_exchanged_between_objects_are_named(tmp_path: Path) -> None:
    first, second = [path for path in sorted(files()) if "/item_" in path]
    changed = files()
    changed[first], changed[second] = changed[second], changed[first]
    report = verify(relist(changed), tmp_path)
    assert {f.subject for f in errors(report) if f.code == "proof_invalid"} == {
        f"item:{path.split('_')[1].removesuffix('.tlog-proof')}" for path in (first, second)
    }


# --- bundles of many shapes ------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(
    deposits=st.lists(st.tuples(st.text(max_size=40), st.binary(max_size=3000), st.integers(0, 3)), max_size=4),
    cases=st.integers(0, 2),
)
def test_every_bundle_that_is_written_verifies(
    tmp_path_factory: pytest.TempPathFactory, deposits: list[tuple[str, bytes, int]], cases: int
) -> None:
    made = SampleArchive("shapes")
    for _ in range(cases):
        made.record(f"case:{made.uuid()}", "case creation")
    for name, data, more in deposits:
        item = made.deposit(name, data)
        for number in range(more):
            made.derive(item, "metadata", f"data/metadata/{item}-{number}.json", data)
    path = tmp_path_factory.mktemp("shapes") / "bundle.zip"
    path.write_bytes(made.bundle())
    report = verify_bundle(path)
    assert errors(report) == []
    assert report.checked.get("items", 0) == len(deposits)
    assert report.checked["events"] == 4 + cases + sum(2 + more for _, _, more in deposits)
    assert unzip(path.read_bytes())[layout.MIMETYPE] == b"application/vnd.etsi.asic-e+zip"
