"""Whatever stands in a manifest, it is read as it was written, or refused with a code."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidInputError
from app.intake.collections.auto_archiver import read_auto_archiver
from app.intake.collections.auto_archiver_page import parse_page
from app.intake.collections.auto_archiver_records import parse_values
from app.intake.collections.entries import Collection
from app.intake.collections.files import inside
from app.intake.collections.manifest import read_manifest
from app.intake.collections.openpgp import binary_key
from app.intake.collections.proofmode import read_proofmode

FOLDER = Path(tempfile.mkdtemp(prefix="catena-manifest-"))
(FOLDER / "a.jpg").write_bytes(b"a")
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40).map(str.strip)
KEYS = st.sampled_from(["file", "note", "x_a", "handling"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def read(name: str, data: bytes) -> list[dict[str, object]]:
    (FOLDER / name).write_bytes(data)
    return [{**entry.source.as_record()} for entry in read_manifest(FOLDER / name).entries]


@given(TEXTS, TEXTS, st.sampled_from([",", ";", "\t"]))
def test_what_was_written_as_a_table_is_read_as_it_was(note: str, collector: str, delimiter: str) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerows([["file", "note", "collector"], ["a.jpg", note, collector]])
    expected = {key: text for key, text in (("note", note), ("collector", collector)) if text}
    try:
        assert read("l.csv", stream.getvalue().encode()) == [expected]
    except InvalidInputError as error:
        assert "collector: " in error.detail  # noqa: PT017 - a line separator in a name
        assert {"\u2028", "\u2029"} & set(collector)


@given(st.binary(max_size=400), st.sampled_from(["l.csv", "l.tsv", "l.json", "l.jsonl"]), st.booleans())
def test_any_bytes_are_a_manifest_or_a_coded_refusal(data: bytes, name: str, headed: bool) -> None:  # noqa: FBT001
    head = b"file,note\na.jpg," if headed else b""
    try:
        read(name, head + data)
    except InvalidInputError as error:
        assert "\n" not in error.detail  # noqa: PT017 - one line for a person


@given(VALUES)
def test_any_json_is_a_manifest_or_a_coded_refusal(value: object) -> None:
    try:
        read("l.json", json.dumps(value).encode())
    except InvalidInputError as error:
        assert error.code  # noqa: PT017


NAMES = st.sampled_from(["a.jpg", "b.mp4", "x/a.jpg", "x/y/a.jpg", "store/x/a.jpg", "gone.png"])
DATA = st.sampled_from([b"1", b"2", b"3"])
MEDIA: st.SearchStrategy[Any] = st.recursive(
    st.tuples(NAMES | st.none(), DATA | st.none(), st.just([])),
    lambda inner: st.tuples(NAMES | st.none(), DATA | st.none(), st.lists(inner, max_size=2)),
    max_leaves=4,
)
URLS = st.sampled_from(["https://example.org/1", "https://example.org/2"])


def medium_of(told: Any) -> dict[str, Any]:  # noqa: ANN401 - a tree of tuples
    name, data, inner = told
    properties: dict[str, Any] = {"parts": [medium_of(each) for each in inner]}
    if data is not None:
        properties["hash"] = f"SHA-256:{hashlib.sha256(data).hexdigest()}"
    return {"filename": "f", "_key": name, "properties": properties}


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def unheard(folder: Path, collection: Collection) -> set[Path]:
    """Files of which nothing is said."""
    told = {path for entry in collection.entries for path in (entry.path, *(one.path for one in entry.sidecars))}
    told |= {one.path for one in collection.left_out} | {folder / one.where for one in collection.problems}
    return {path for path in folder.rglob("*") if path.is_file()} - told


@settings(deadline=None)
@given(st.dictionaries(NAMES, DATA), st.lists(st.tuples(URLS, st.lists(MEDIA, max_size=3)), min_size=1, max_size=3))
def test_no_file_of_auto_archiver_is_lost_and_each_is_one_entry(files: dict[str, bytes], records: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = [{"metadata": {"url": url}, "media": [medium_of(each) for each in media]} for url, media in records]
        write(folder, files | {f"{n}.json": json.dumps(each).encode() for n, each in enumerate(told)})
        collection = read_auto_archiver(folder)
        assert unheard(folder, collection) == set()
        assert len({entry.path for entry in collection.entries}) == len(collection.entries)
        assert all(
            "reason" in one.record for each in collection.entries for one in each.checks if one.verdict != "passed"
        )


PROVEN = [hashlib.sha256(data).hexdigest() for data in (b"1", b"2")]
PARTS = ["a.jpg", "pubkey.asc", "HowToVerifyProofData.txt", "batchproof.csv", "chain.pem"]
PARTS += [
    f"{case}.{end}" for one in PROVEN for case in (one, one.upper()) for end in ("asc", "proof.json", "ots", "gst")
]
PLACES = st.tuples(st.sampled_from(["", "1/", "2/", "2/3/"]), st.sampled_from(PARTS)).map("".join)


@settings(deadline=None)
@given(st.dictionaries(PLACES, DATA, min_size=1, max_size=12))
def test_no_file_of_proofmode_is_lost(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.intake.collections.openpgp.shutil.which", lambda _: None)
        folder = Path(name)
        write(folder, files | {f"2/{PROVEN[0]}.proof.csv": b"x"})
        collection = read_proofmode(folder)
        assert unheard(folder, collection) == set()
        assert all(
            "reason" in one.record for each in collection.entries for one in each.checks if one.verdict != "passed"
        )


@given(st.text(max_size=60))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    try:
        found = inside(FOLDER, name)
    except InvalidInputError:
        return
    assert found.resolve().is_relative_to(FOLDER.resolve())


@given(st.text(max_size=300), st.binary(max_size=300))
def test_what_strangers_wrote_raises_nothing_but_coded_errors(text: str, data: bytes) -> None:
    parse_page(f"bellingcat/auto-archiver {text}", "page")
    for parse in (partial(parse_values, text), partial(binary_key, data)):
        try:
            parse()
        except InvalidInputError as error:
            assert error.code  # noqa: PT017
