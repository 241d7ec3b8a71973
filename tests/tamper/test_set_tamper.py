"""A set is whole when all parts of the signed list are here and no others; anything else has a name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.bundle import layout
from evidence_store.bundle.sets import SEAL_ENDING, BundleSet, format_set, read_set
from evidence_store.canonical import canonical_bytes
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.__main__ import main
from evidence_store.verify.sets import set_list, verify_set
from tests.bundles import SampleArchive, unzip, write_folder
from tests.sets import edit_list, part, put_list, three_items, write_set


@cache
def archive(seed: str = "sets") -> SampleArchive:
    return three_items(seed)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_set(archive(), tmp_path / "set")


def errors(path: Path) -> list[str]:
    report = verify_set(path, archive().anchors)
    return [f"{one.code} {one.subject}" for one in report.findings if one.severity == "error"]


def test_a_whole_set_verifies_and_says_that_all_is_here(path: Path) -> None:
    report = verify_set(path, archive().anchors)
    assert errors(path) == []
    assert (report.checked["parts"], report.checked["items"], report.verdict) == (3, 3, "verified")
    claims = [claim["code"] for claim in report.claims]
    assert claims.count("set_whole") == 1
    assert "limit_set" not in claims
    assert claims.count("sealed") == 1  # what holds of every part is said once


def test_without_keys_of_ones_own_a_set_is_whole_but_nobodys(path: Path) -> None:
    report = verify_set(path)
    assert (report.ok, report.verdict) == (True, "whole, but not shown whose")
    (claim,) = [claim["text"] for claim in report.claims if claim["code"] == "set_whole"]
    assert "which anyone could have made" in claim


def test_the_command_takes_the_list_the_folder_and_unzipped_parts(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = part(path, 2)
    write_folder(unzip(second.read_bytes()), second.with_suffix(""))
    second.unlink()
    for named in (path, path.parent):
        assert main([str(named), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["bundle"]["parts"], told["checked"]["parts"]) == (3, 3)
    page = path.with_name("page.html")
    assert main([str(path), "--html", str(page)]) == 0
    assert "Parts of the set" in page.read_text()


def test_a_part_alone_verifies_and_says_that_the_rest_was_not_looked_at(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(part(path, 2))]) == 0
    told = capsys.readouterr().out
    assert "It is part 2 of 3" in told
    assert "the rest of the set" in told


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_missing_part_is_named_by_its_place(path: Path, number: int) -> None:
    part(path, number).unlink()
    assert errors(path) == [f"set_part_missing part {number} of 3"]


def test_names_may_change_and_places_may_not(path: Path) -> None:
    part(path, 1).rename(path.with_name("первая часть.zip"))
    assert errors(path) == []
    part(path, 2).rename(part(path, 1))
    assert errors(path) == [f"set_part_swapped {part(path, 1).name}"]


def test_a_changed_byte_in_a_part_is_named_with_the_part(path: Path) -> None:
    data = bytearray(part(path, 3).read_bytes())
    data[data.index(b"\2" * 3_000) + 7] ^= 1
    part(path, 3).write_bytes(data)
    found = errors(path)
    assert f"set_part_changed {part(path, 3).name}" in found
    assert any(line.startswith(f"file_digest_mismatch {part(path, 3).name}: data/originals/") for line in found)
    assert "set_part_missing part 3 of 3" in found


def test_the_sealed_list_and_seal_of_another_part_do_not_seal_this_one(path: Path, tmp_path: Path) -> None:
    ours, theirs = (unzip(part(path, number).read_bytes()) for number in (1, 2))
    for taken in (layout.ASIC_MANIFEST, layout.SEAL):
        ours[taken] = theirs[taken]
    write_folder(ours, path.with_name("part 1"))
    part(path, 1).unlink()
    found = {one.code for one in verify_set(path, archive().anchors).findings if one.severity == "error"}
    assert {"file_digest_mismatch", "file_unlisted", "file_missing", "set_part_doubled", "set_part_missing"} <= found


def test_a_part_in_place_of_another_is_missing_and_doubled(path: Path) -> None:
    part(path, 1).write_bytes(part(path, 2).read_bytes())
    assert errors(path) == [
        f"set_part_swapped {part(path, 1).name}",
        f"set_part_doubled {part(path, 2).name}",
        "set_part_missing part 1 of 3",
    ]


@pytest.mark.parametrize("what", ["another set's part", "no bundle", "an empty file"])
def test_what_lies_beside_the_list_and_is_no_part_is_named(path: Path, what: str, tmp_path: Path) -> None:
    added = path.with_name("added.zip")
    other = part(write_set(archive("others"), tmp_path / "other"), 1).read_bytes()
    added.write_bytes({"another set's part": other, "no bundle": b"PK", "an empty file": b""}[what])
    assert errors(path) == ["set_part_foreign added.zip"]


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "for others"},
        {"scope": {"case": "T2"}},
        {"ca": ""},
        {"created_at": "2020-01-01T00:00:00.000000Z"},
    ],
)
def test_a_list_that_somebody_edited_does_not_hold(path: Path, changes: dict[str, object]) -> None:
    edit_list(path, **changes)
    assert f"set_seal_invalid {path.name}{SEAL_ENDING}" in errors(path)


def without_last(whole: BundleSet) -> BundleSet:
    return replace(whole, parts=whole.parts[:-1], items=len(whole.parts) - 1)


def test_a_list_without_the_last_part_contradicts_the_parts(tmp_path: Path) -> None:
    path = write_set(archive(), tmp_path / "set", change=without_last)
    part(path, 3).unlink()
    assert errors(path) == [
        line for number in (1, 2) for line in (
            f"set_part_swapped {part(path, number).name}", f"set_part_differs {part(path, number).name}"
        )
    ]  # fmt: skip


def as_before(path: Path, digest: Callable[[bytes], object]) -> None:
    """Seal the list as lists were made before ADR 43: it names each part by a SHA-512, too."""
    listed = json.loads(path.read_bytes())
    for one in listed["parts"]:
        one["sha512"] = digest(part(path, one["part"]).read_bytes())
    put_list(path.parent, canonical_bytes(listed), archive())


def test_a_list_of_before_with_sha512_stays_valid(path: Path) -> None:
    as_before(path, lambda data: hashlib.sha512(data).hexdigest())
    report = verify_set(path, archive().anchors)
    assert (errors(path), report.verdict) == ([], "verified")
    whole, problems = read_set(json.loads(path.read_bytes()))
    assert whole is not None
    assert problems == []
    assert format_set(whole) == path.read_bytes()


def test_a_part_that_fits_a_list_of_before_by_sha256_alone_is_named(path: Path) -> None:
    as_before(path, lambda data: "0" * 128 if data == part(path, 2).read_bytes() else hashlib.sha512(data).hexdigest())
    report = verify_set(path, archive().anchors)
    (told,) = [one for one in report.findings if one.severity == "error"]
    assert (told.code, told.subject) == ("set_part_differs", part(path, 2).name)
    assert told.detail.endswith("sha512.")


@pytest.mark.parametrize("digest", [None, "", "0" * 64, 0])
def test_a_sha512_of_a_part_is_whole_or_absent(path: Path, digest: object) -> None:
    as_before(path, lambda _: digest)
    assert f"set_list_malformed {path.name}" in errors(path)


def test_new_lists_name_parts_by_sha256_alone(path: Path) -> None:
    listed = json.loads(path.read_bytes())
    assert [sorted(one) for one in listed["parts"]] == 3 * [
        ["bundle_id", "files", "items", "part", "sealed_list_sha256", "sha256", "size"]
    ]


def test_a_list_sealed_by_somebody_else_or_by_the_seal_of_a_part_does_not_hold(path: Path) -> None:
    statement = path.read_bytes()
    put_list(path.parent, statement, archive("others"))
    assert f"set_seal_invalid {path.name}{SEAL_ENDING}" in errors(path)
    path.with_name(path.name + SEAL_ENDING).write_bytes(unzip(part(path, 1).read_bytes())["META-INF/signature001.p7s"])
    assert f"set_seal_invalid {path.name}{SEAL_ENDING}" in errors(path)


def test_a_forger_who_seals_a_list_of_true_parts_is_found_without_any_key_of_ones_own(path: Path) -> None:
    forger = archive("others")
    put_list(path.parent, json_with(path, ca=forger.ca_pem.decode()), forger)
    report = verify_set(path)
    assert [one.code for one in report.findings if one.severity == "error"] == ["set_seal_invalid"]
    assert "set_whole" not in [claim["code"] for claim in report.claims]


def json_with(path: Path, **changes: object) -> bytes:
    edit_list(path, **changes)
    return path.read_bytes()


def test_several_lists_in_a_folder_ask_which_one(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.with_name("other-set.json").write_bytes(path.read_bytes())
    with pytest.raises(EvidenceStoreError) as refused:
        set_list(path.parent)
    assert refused.value.code == "not_a_bundle"
    assert main([str(path.parent)]) == 2
    assert "name the list of one of them" in capsys.readouterr().err


@pytest.mark.parametrize("spoil", [lambda _: b"", lambda data: data[:-1], lambda _: b"[]", lambda data: b" " + data])
def test_a_list_that_cannot_be_read_is_named_and_the_parts_are_checked_all_the_same(
    path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    path.write_bytes(spoil(path.read_bytes()))
    report = verify_set(path, archive().anchors)
    assert "set_list_malformed" in [one.code for one in report.findings]
    assert report.checked["items"] == 3


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_no_json_value_is_taken_for_a_list_or_stops_the_reader(value: object) -> None:
    assert read_set(value)[0] is None


def test_every_edit_of_one_field_is_refused_or_changes_the_bytes_that_are_sealed(path: Path) -> None:
    record = json.loads(path.read_bytes())
    whole, problems = read_set(record)
    assert problems == []
    assert whole is not None
    assert format_set(whole) == path.read_bytes()
    for key in record:
        assert read_set({**record, key: None})[0] is None
        assert read_set({name: value for name, value in record.items() if name != key})[0] is None
    for key in record["parts"][0]:
        changed = [{**record["parts"][0], key: None}, *record["parts"][1:]]
        assert read_set({**record, "parts": changed})[0] is None
