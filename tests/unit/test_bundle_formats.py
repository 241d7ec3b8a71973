"""Names, tag files, shapes and the manifest of a bundle: what is written can be read back, and nothing else can."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.bundle import asice, bagit, layout, shapes
from evidence_store.bundle.events import parse_event
from evidence_store.bundle.manifest import Manifest, format_manifest_json, read_manifest
from evidence_store.bundle.readme import readme
from evidence_store.canonical import canonical_bytes, parse_canonical
from evidence_store.errors import EvidenceStoreError
from tests.bundles import sample_archive

paths = st.text("abcXYZ0189_-", min_size=1, max_size=20).map(lambda name: f"data/{name}.jpg")
labels = st.text("ABCxyz-", min_size=1, max_size=10)
sha256_hex = st.binary(min_size=32, max_size=32).map(bytes.hex)


@cache
def files() -> tuple[tuple[str, bytes], ...]:
    return tuple(sample_archive("formats").files().items())


def manifest() -> Manifest:
    found, problems = read_manifest(parse_canonical(dict(files())[layout.MANIFEST]))
    assert problems == []
    assert found is not None
    return found


# --- names ----------------------------------------------------------------------------------------------------------


@given(st.text(max_size=300))
def test_any_received_name_becomes_a_safe_one(name: str) -> None:
    safe = layout.safe_name(name)
    assert layout.path_problem(safe) is None
    assert len(safe) <= 100
    assert layout.safe_name(safe) == safe


@pytest.mark.parametrize(
    ("received", "safe"),
    [
        ("DJI_0042.JPG", "DJI_0042.JPG"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\photo 1.jpg", "photo_1.jpg"),
        ("відео.mp4", "_.mp4"),
        ("café.jpg", "cafe_.jpg"),
        ("", "file"),
        ("...", "file"),
        ("a" * 300 + ".jpeg", "a" * 87 + ".jpeg"),
        ("archive.tar.gz", "archive.tar.gz"),
        ("name.with-a-very-long-extension", "name.with-a-very-long-extension"),
        ("NUL.txt", "_NUL.txt"),
        ("line\nbreak\t.mov", "line_break_.mov"),
    ],
)
def test_names_are_kept_as_far_as_they_are_safe(received: str, safe: str) -> None:
    assert layout.safe_name(received) == safe


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a//b",
        "./a",
        "a/..",
        "a b",
        "a%0a",
        ".hidden",
        "a.",
        "é",
        "con",
        "data/AUX.txt",
        "a" * 241,
        "a\nb",
        "a/",
    ],
)
def test_paths_that_any_tool_could_stumble_over_are_refused(path: str) -> None:
    assert layout.path_problem(path) is not None


def test_every_fixed_path_is_one_that_a_bundle_may_use() -> None:
    assert [path for path in layout.REQUIRED if layout.path_problem(path) is not None] == []


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        ("custody/timestamps/checkpoint.free-tsa.tst", ("free-tsa", None, None)),
        ("keys/tsa/free-tsa.pem", (None, "free-tsa", None)),
        ("custody/renewals/001/checkpoint", (None, None, ("001", "checkpoint"))),
        ("custody/renewals/012/checkpoint.ers", (None, None, ("012", "checkpoint.ers"))),
        ("custody/renewals/001/checkpoint.x.tst", (None, None, ("001", "checkpoint.x.tst"))),
        (
            "custody/renewals/001/item_3ad0ba03-8932-59c1-ab9a-8ab93e2203c9.ers",
            (None, None, ("001", "item_3ad0ba03-8932-59c1-ab9a-8ab93e2203c9.ers")),
        ),
        ("custody/timestamps/checkpoint.a.b.tst", (None, None, None)),
        ("custody/timestamps/checkpoint..tst", (None, None, None)),
        ("custody/timestamps/x/checkpoint.a.tst", (None, None, None)),
        ("custody/renewals/1/checkpoint", (None, None, None)),
        ("custody/renewals/001/notes.txt", (None, None, None)),
        ("custody/renewals/001/item.ers", (None, None, None)),
        ("keys/tsa/a.crt", (None, None, None)),
    ],
)
def test_places_of_time_stamps_roots_and_renewals_are_told_apart(path: str, meaning: tuple[object, ...]) -> None:
    assert (layout.token_authority(path), layout.roots_authority(path), layout.renewal_part(path)) == meaning
    assert layout.is_structure(path) == any(meaning)


def test_proofs_have_no_meaning_from_their_place_alone() -> None:
    assert not layout.is_structure(layout.proof_path("item:3ad0ba03-8932-59c1-ab9a-8ab93e2203c9"))


# --- BagIt and ASiC lists ---------------------------------------------------------------------------------------------


@given(st.dictionaries(paths, sha256_hex, max_size=5))
def test_a_bag_manifest_reads_back(digests: dict[str, str]) -> None:
    assert bagit.parse_manifest(bagit.format_manifest(digests), 64) == digests


@given(st.dictionaries(paths, sha256_hex, max_size=5))
def test_an_asic_manifest_reads_back(digests: dict[str, str]) -> None:
    assert asice.parse_asic_manifest(asice.format_asic_manifest(digests)) == digests


@given(st.dictionaries(paths, sha256_hex, min_size=1, max_size=3), st.data())
def test_any_other_bytes_are_refused_or_another_list(digests: dict[str, str], data: st.DataObject) -> None:
    written = bytearray(asice.format_asic_manifest(digests))
    at = data.draw(st.integers(0, len(written) - 1))
    written[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(EvidenceStoreError):
        assert asice.parse_asic_manifest(bytes(written)) != digests


@given(st.binary(max_size=200))
def test_garbage_raises_only_our_error(data: bytes) -> None:
    for parse in (lambda d: bagit.parse_manifest(d, 64), bagit.parse_bag_info, asice.parse_asic_manifest, parse_event):
        with contextlib.suppress(EvidenceStoreError):
            parse(data)


@given(st.lists(st.tuples(labels, st.text(max_size=50)), max_size=5, unique_by=lambda field: field[0]))
def test_bag_info_holds_one_line_per_field_whatever_the_text(fields: list[tuple[str, str]]) -> None:
    written = bagit.format_bag_info(fields)
    assert list(bagit.parse_bag_info(written)) == [label for label, _ in fields]
    assert len(written.decode().splitlines()) == len(fields)


# --- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (shapes.is_sha256, ["0" * 64], ["0" * 63, "A" * 64, 1, None, "0" * 64 + "\n"]),
        (shapes.is_sha512, ["f" * 128], ["f" * 64]),
        (shapes.is_uuid, ["3ad0ba03-8932-59c1-ab9a-8ab93e2203c9"], ["3AD0BA03-8932-59c1-ab9a-8ab93e2203c9", "x"]),
        (shapes.is_object_id, ["item:3ad0ba03-8932-59c1-ab9a-8ab93e2203c9"], ["item:1", ":", "Item:x"]),
        (shapes.is_text, ["", "x"], [None, 1, b"x"]),
        (shapes.is_name, ["x"], ["", None]),
        (shapes.is_count, [0, 2**53], [-1, True, 1.0, "1"]),
        (shapes.is_crc32, [0, 2**32 - 1], [2**32, -1, True]),
        (shapes.is_mapping, [{}], [[], None]),
        (shapes.is_list, [[]], [{}, ()]),
        (shapes.is_path, ["data/x"], ["../x", 1]),
        (
            shapes.is_time,
            ["2026-11-22T10:31:00.123456Z"],
            ["2026-13-22T10:31:00.123456Z", "2026-11-22T10:31:00Z", "2026-11-22T10:31:00.123456+00:00", 1],
        ),
        (shapes.equals(1), [1], [True, "1", 2]),
        (shapes.optional(shapes.is_text), [None, ""], [1]),
        (shapes.record({"a": shapes.is_text}), [{"a": "", "b": 1}], [{}, {"a": 1}, []]),
        (shapes.list_of(shapes.is_text), [[], ["x"]], [[1], "x"]),
    ],
)
def test_each_check_takes_what_it_says_and_nothing_else(
    check: shapes.Check, good: list[object], bad: list[object]
) -> None:
    assert all(check(value) for value in good)
    assert not any(check(value) for value in bad)


def test_every_problem_of_a_record_is_listed() -> None:
    shape = {"a": shapes.is_text, "b": shapes.is_count}
    assert shapes.shape_problems({"b": "x", "c": 1}, shape, exact=True) == [
        "'a' is missing",
        "'b' has a wrong type or form",
        "'c' is not a key of this record",
    ]
    assert shapes.shape_problems("x", shape) == ["not a JSON object"]


# --- manifest and events --------------------------------------------------------------------------------


def test_the_manifest_reads_back_and_is_canonical() -> None:
    stored = dict(files())[layout.MANIFEST]
    assert format_manifest_json(manifest()) == stored
    assert canonical_bytes(parse_canonical(stored)) == stored


def test_the_manifest_has_the_published_keys() -> None:
    record = json.loads(dict(files())[layout.MANIFEST])
    assert set(record) == {
        "v", "type", "bundle_id", "created_at", "created_by", "archive", "scope", "purpose", "checkpoint", "items",
        "objects", "files", "claims", "time", "witnesses",
    }  # fmt: skip
    assert set(record["items"][0]) == {
        "item", "case", "original_name", "path", "sha256", "sha512", "size", "media_type", "received_at",
    }  # fmt: skip
    assert set(record["objects"][0]) == {"object", "head_event_id", "head_sha256", "events", "tree_size", "proof"}
    assert set(record["files"][0]) == {"path", "role", "object", "sha256", "size"}


def test_keys_of_a_later_version_do_not_stop_a_reader() -> None:
    record: Any = parse_canonical(dict(files())[layout.MANIFEST])
    record["items"][0]["colour"] = "red"
    record["note"] = "x"
    assert read_manifest(record) == (manifest(), [])


@pytest.mark.parametrize("key", ["v", "type", "items", "checkpoint", "created_at", "claims"])
def test_a_manifest_without_a_key_is_no_manifest(key: str) -> None:
    record: Any = parse_canonical(dict(files())[layout.MANIFEST])
    del record[key]
    assert read_manifest(record) == (None, [("manifest", f"'{key}' is missing")])


@pytest.mark.parametrize(
    ("time", "place"),
    [
        (1, "time"),
        ({"authorities": [""], "stamps": []}, "time"),
        ({"authorities": [], "stamps": {}}, "time"),
        ({"authorities": [], "stamps": [{"subject": "checkpoint:1", "tsa": "a", "state": "good"}]}, "time.stamps[0]"),
        ({"authorities": [], "stamps": [{"subject": "bundle:1", "tsa": "a", "state": "done"}]}, "time.stamps[0]"),
    ],
)
def test_a_malformed_statement_of_time_is_named(time: object, place: str) -> None:
    record: Any = parse_canonical(dict(files())[layout.MANIFEST])
    _, problems = read_manifest(record | {"time": time})
    assert [where for where, _ in problems] == [place]


def test_a_manifest_of_version_0_1_is_read_and_written_as_it_is() -> None:
    record: Any = parse_canonical(dict(files())[layout.MANIFEST])
    del record["time"], record["witnesses"]
    found, problems = read_manifest(record)
    assert problems == []
    assert found is not None
    assert format_manifest_json(found) == canonical_bytes(record)


def test_a_malformed_entry_is_named_and_left_out() -> None:
    record: Any = parse_canonical(dict(files())[layout.MANIFEST])
    record["objects"][1]["proof"] = "../proof"
    found, problems = read_manifest(record)
    assert problems == [("objects[1]", "'proof' has a wrong type or form")]
    assert found is not None
    assert len(found.objects) == len(manifest().objects) - 1


def test_the_readme_cannot_be_given_commands_by_a_name() -> None:
    hostile = replace(manifest(), archive=replace(manifest().archive, org="Good\n\n    rm -rf ~\n"))
    commands = [line for line in readme(hostile).decode().splitlines() if line.startswith("    ")]
    assert commands == [line for line in readme(manifest()).decode().splitlines() if line.startswith("    ")]


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"object_seq": -1},
        {"object_seq": True},
        {"prev": ""},
        {"actor": {"id": "x", "name": "y"}},
        {"actor": "x"},
        {"time": "2026-11-22"},
        {"details": []},
        {"size": "1"},
        {"salt": "00"},
        {"event_id": "1"},
        {"object": "item"},
        {"type": ""},
    ],
)
def test_an_event_with_one_wrong_field_is_refused(change: dict[str, object]) -> None:
    line = dict(files())[layout.EVENTS].split(b"\n")[0]
    assert parse_event(line).object_seq == 0
    with pytest.raises(EvidenceStoreError) as caught:
        parse_event(canonical_bytes(json.loads(line) | change))
    assert caught.value.code == "event_shape"
