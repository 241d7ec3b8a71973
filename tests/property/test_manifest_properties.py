"""Whatever stands in a manifest, it is read as it was written, or refused with a code."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInputError
from app.intake.collections.auto_archiver_page import parse_page
from app.intake.collections.auto_archiver_records import parse_values
from app.intake.collections.files import inside
from app.intake.collections.manifest import read_manifest
from app.intake.collections.openpgp import binary_key

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
    for parse, given_ in ((parse_values, text), (binary_key, data)):
        try:
            parse(given_)  # type: ignore[operator]
        except InvalidInputError as error:
            assert error.code  # noqa: PT017
