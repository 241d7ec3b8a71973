"""Manifests: taken whole or not at all, and every error by row and column."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from app.errors import InvalidInputError
from app.intake.collections.manifest import read_manifest
from app.intake.collections.reading import read_entries
from schemas.records.v1.source import SourceContext
from tests.collectors import verdicts

A, B = b"first file", b"second file"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.jpg").write_bytes(A)
    (tmp_path / "sub" / "b, c.mp4").write_bytes(B)
    return tmp_path


def refused(folder: Path, name: str, text: str | bytes) -> InvalidInputError:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidInputError) as error:
        read_manifest(folder / name)
    return error.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_whatever_separates_its_cells(folder: Path, delimiter: str, encoding: str) -> None:
    rows = [
        ["file", "Platform", "caption", "posted_at", "handling", "sha256", "md5", "x_shelf"],
        ["a.jpg", "Telegram", 'two\nlines, "quoted"; здесь', "2025-07-06T14:00:00+03:00", "minors do_not_publish",
         hashlib.sha256(A).hexdigest().upper(), hashlib.md5(A, usedforsecurity=False).hexdigest(), "7"],
        ["", "", "", "", "", "", "", ""],
        ["./sub/b, c.mp4", "", "", "", "", hashlib.sha256(A).hexdigest(), "", ""],
    ]  # fmt: skip
    quoted = "\r\n".join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    (folder / "list.csv").write_bytes(quoted.encode(encoding))
    first, second = read_manifest(folder / "list.csv").entries
    assert first.path.read_bytes() == A
    assert first.source.as_record() == {
        "platform": "Telegram",
        "caption": 'two\nlines, "quoted"; здесь',
        "posted_at": "2025-07-06T14:00:00+03:00",
        "handling": ["do_not_publish", "minors"],
    }
    assert verdicts(first.checks) == {"manifest_sha256": "passed", "manifest_md5": "passed"}
    assert (second.name, second.source.as_record()) == ("b, c.mp4", {})
    assert verdicts(second.checks) == {"manifest_sha256": "failed"}
    assert second.checks[0].record["computed"] == hashlib.sha256(B).hexdigest()
    assert second.checks[0].record["sha256"] == hashlib.sha256(B).hexdigest()


@pytest.mark.parametrize("name", ["list.json", "list.jsonl"])
def test_json_is_read_as_an_array_or_line_by_line(folder: Path, name: str) -> None:
    rows = [
        {"file": "a.jpg", "handling": ["minors"], "note": None, "url": "", "sha512": hashlib.sha512(A).hexdigest()},
        {"file": "sub/b, c.mp4", "collector": "ana", "x_own": {"any": [1]}},
    ]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    text = f"[{','.join(lines)}]" if name == "list.json" else "\n\n".join(lines)
    (folder / name).write_text(text, encoding="utf-8")
    first, second = read_manifest(folder / name).entries
    assert first.source.as_record() == {"handling": ["minors"]}
    assert verdicts(first.checks) == {"manifest_sha512": "passed"}
    assert (second.source.as_record(), second.checks) == ({"collector": "ana"}, ())


@pytest.mark.parametrize(
    ("name", "text", "code", "part"),
    [
        ("l.csv", "file,posted_at\na.jpg,yesterday", "bad_manifest", "row 2, posted_at:"),
        ("l.csv", "file,url\na.jpg,\nnone.jpg,", "bad_manifest", "row 3, file: 'none.jpg' is not there"),
        ("l.csv", "file,sha256\na.jpg,abc", "bad_manifest", "row 2, sha256: is not 64 hex digits"),
        ("l.csv", "file\na.jpg\n./a.jpg", "bad_manifest", "row 3, file: 'a.jpg' stands in row 2 already"),
        ("l.csv", "file\n../a.jpg", "bad_manifest", "row 2, file:"),
        ("l.csv", "file\n/etc/passwd", "bad_manifest", "row 2, file:"),
        ("l.csv", "file\nsub", "bad_manifest", "is no plain file"),
        ("l.csv", "file\nsub\\b, c.mp4", "bad_manifest", "row 2"),
        ("l.csv", "file,note\na.jpg", "bad_manifest", "row 2: 1 cells, and the header has 2"),
        ("l.csv", "file,note\na.jpg,x,y", "bad_manifest", "row 2: 3 cells"),
        ("l.csv", 'file,note\na.jpg,"x', "bad_manifest", "row 2"),
        ("l.csv", "file,note\na.jpg," + "x" * 200_000, "bad_manifest", "row 2"),
        ("l.csv", "file,uri,x_a\na.jpg,x,y", "unknown_column", "row 1: 'uri'"),
        ("l.csv", "file,note,note\na.jpg,x,y", "bad_manifest", "row 1"),
        ("l.csv", "name\na.jpg", "bad_manifest", "row 1: there is no column 'file'"),
        ("l.csv", "", "bad_manifest", "no column"),
        ("l.csv", "file\n", "bad_manifest", "names no file"),
        ("l.csv", b"file\n\xff.jpg", "bad_encoding", "byte 5"),
        ("l.csv", "file,handling\na.jpg,secret", "bad_manifest", "row 2, handling"),
        ("l.csv", "file,caption\na.jpg,a\x00b", "bad_manifest", "row 2, caption: "),
        ("l.json", "[" * 100_000, "bad_json", "too deep"),
        ("l.json", '[{"file": "a.jpg", "file": "b"}]', "bad_json", "twice"),
        ("l.json", '[{"file": "a.jpg", "note": NaN}]', "bad_json", "NaN"),
        ("l.json", '[{"file": "a.jpg", "post_id": 17}]', "bad_manifest", "row 1, post_id: is no text"),
        ("l.json", '[{"file": "a.jpg", "Note": "x"}]', "unknown_column", "row 1: 'Note'"),
        ("l.json", '[{"file": 1}]', "bad_manifest", "row 1, file: is missing"),
        ("l.json", '[{"file": "a\\ud800"}]', "bad_manifest", "row 1, file:"),
        ("l.json", '{"file": "a.jpg"}', "bad_manifest", "array"),
        ("l.json", "[1]", "bad_manifest", "row 1: is no object"),
        ("l.jsonl", '{"file": "a.jpg"}\n{', "bad_json", "line 2"),
        ("l.txt", "a.jpg", "manifest_kind_unknown", "ends in"),
    ],
)
def test_what_cannot_be_read_is_refused_by_row_and_column(
    folder: Path, name: str, text: str | bytes, code: str, part: str
) -> None:
    error = refused(folder, name, text)
    assert error.code == code
    assert part in error.detail
    assert "\n" not in error.detail


def test_all_errors_of_a_table_are_told_together(folder: Path) -> None:
    error = refused(folder, "l.csv", "file\n" + "".join(f"none{number}\n" for number in range(30)))
    assert error.detail.count("is not there") == 20
    assert error.detail.endswith("and 10 more")


def test_all_errors_of_a_row_are_told_together(folder: Path) -> None:
    head = "file,posted_at,consent,legal_basis,url,sha256"
    error = refused(folder, "l.csv", f"{head}\nnone.jpg,yesterday,given_with_conditions,other,no address,abc")
    columns = ("file", "sha256", "posted_at", "url", "source")
    assert [error.detail.count(f"row 2, {column}: ") for column in columns] == [1] * 5
    assert "consent 'given_with_conditions' needs consent_note" in error.detail
    assert "legal_basis 'other' needs legal_basis_note" in error.detail
    noted = refused(folder, "l.csv", "file,consent,consent_note\na.jpg,given_with_conditions," + "x" * 3_000)
    assert "needs" not in noted.detail  # the note is there, only too long
    twice = refused(folder, "l.csv", "file,url\na.jpg,no address\na.jpg,")
    assert "row 2, url: " in twice.detail
    assert "row 3, file: 'a.jpg' stands in row 2 already" in twice.detail


def test_a_link_is_not_followed_wherever_it_stands(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret").write_bytes(b"secret")
    (folder / "link.jpg").symlink_to(outside / "secret")
    (folder / "way").symlink_to(outside)
    for name in ("link.jpg", "way/secret"):
        assert "symbolic link" in refused(folder, "l.csv", f"file\n{name}\n").detail


def test_what_no_row_names_is_left_out_by_name(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "a.jpg")
    (folder / "list.csv").write_text("file\na.jpg\n", encoding="utf-8")
    left_out = read_manifest(folder / "list.csv").left_out
    assert {one.path.name for one in left_out} == {"b, c.mp4", "link"}
    assert {one.code for one in left_out} == {"not_in_manifest"}


@pytest.mark.parametrize("named", [True, False])
def test_the_manifest_itself_is_kept_and_nothing_of_its_rows_is_stated_of_it(folder: Path, *, named: bool) -> None:
    table = folder / "list.csv"
    table.write_text("file,platform\na.jpg,Telegram\n", encoding="utf-8")
    paths, manifest = ([folder], table) if named else ([table], None)
    with read_entries(paths, SourceContext(), kind="manifest", manifest=manifest) as collection:
        given, medium = collection.entries
    assert (given.path, given.source.as_record()) == (table, {})
    assert (medium.name, medium.source.platform) == ("a.jpg", "Telegram")
    assert [(one.kind, one.path) for one in medium.sidecars] == [("manifest", table)]
