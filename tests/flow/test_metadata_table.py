"""The table of a case: who may have it, what stands in it, and that the read is told before a row leaves."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from app.analysis import case_table
from app.analysis.case_table import COLUMNS, csv_lines
from app.cells import guarded
from app.evidence.service import ItemPage
from tests.apis import Api, refused
from tests.checks import assert_clean
from tests.commands import Cli
from tests.media_samples import exif_bytes, gps, photo, ratio

FORMULA = "=HYPERLINK(0)"
BLOCK = exif_bytes(
    {0x010F: "+Maker", 0x0110: 'Model, "the" 1'},
    {0x9003: "2025:06:14 10:31:07", 0x9011: "+02:00"},
    gps((ratio(47), ratio(30), ratio(0)), "N", (ratio(19), ratio(30), ratio(0)), "W"),
)


def rows_of(data: bytes) -> list[dict[str, str]]:
    """The table as a reader of RFC 4180 takes it; every line ends in CR LF."""
    told = data.decode("utf-8-sig")
    assert told.endswith("\r\n")
    assert told.count("\n") == told.count("\r\n")
    return list(csv.DictReader(io.StringIO(told, newline=""), strict=True))


def test_table_of_a_case_is_for_its_members_and_recorded(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(api.get(None, "/cases/T1/metadata.csv"), 401, "token_required")
    refused(api.get("aud", "/cases/T1/metadata.csv"), 403, "not_allowed")
    refused(api.get("outsider", "/cases/T1/metadata.csv"), 404, "unknown_case")
    refused(api.get("ana", "/cases/none/metadata.csv"), 404, "unknown_case")
    monkeypatch.setattr(case_table, "_PAGE", 2)
    picture = photo(tmp_path / "a.jpg", exif=BLOCK).read_bytes()
    names = [f"{FORMULA}.jpg", "b.jpg", "c.jpg"]
    items = [api.deposit(picture, X_Filename=name)["item"]["id"] for name in names]
    api.work()
    items += [api.deposit(b"not analysed yet", X_Filename="d.txt")["item"]["id"]]
    api.deposit(b"elsewhere", who="outsider", case="T2")
    answer = api.get("leo", "/cases/T1/metadata.csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert "T1-metadata.csv" in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "private, no-store"
    rows = rows_of(answer.content)
    assert [row["item"] for row in rows] == items
    first, last = rows[0], rows[-1]
    assert tuple(first) == COLUMNS
    assert (first["original_name"], first["make"], first["model"]) == (f"'{FORMULA}.jpg", "'+Maker", 'Model, "the" 1')
    assert (first["lat"], first["lat_certainty"]) == ("47.5", "recorded")
    assert (first["lon"], first["lon_certainty"]) == ("-19.5", "recorded")
    assert (first["capture_utc"], first["capture_utc_certainty"]) == ("2025-06-14T08:31:07Z", "derived")
    assert (first["gps_utc"], first["gps_utc_certainty"]) == ("", "absent")
    assert (last["analysis"], last["lat"], last["lat_certainty"]) == ("pending", "", "")
    with api.services.archive.db.read() as session:
        from app.custody.service import events_of

        case = api.get("leo", "/cases/T1").json()["id"]
        told = [event for event in events_of(session, f"case:{case}") if event.type == "access"]
        assert len(told) == 1
        assert f'"items":4,"part":"metadata table","through":"{items[-1]}"' in str(told[0].canonical)
    assert answer.content == api.get("leo", "/cases/T1/metadata.csv?bom=false").content
    assert api.get("leo", "/cases/T1/metadata.csv?bom=true").content == b"\xef\xbb\xbf" + answer.content
    assert_clean(api.services)


def test_no_row_leaves_when_the_read_cannot_be_recorded(lite: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    lite.deposit(b"an item")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the log is gone")

    monkeypatch.setattr(lite.services.archive.custody, "record", broken)
    refused(lite.get("leo", "/cases/T1/metadata.csv"), 500, "internal")


def test_pages_are_read_as_rows_are_taken(lite: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case_table, "_PAGE", 2)
    for number in range(5):
        lite.deposit(b"item %d" % number)
    evidence, asked = lite.services.evidence, []
    list_items = evidence.list_items

    def counted(*args: Any, **kwargs: Any) -> ItemPage:  # noqa: ANN401 - as it is called
        asked.append(kwargs["cursor"])
        return list_items(*args, **kwargs)

    monkeypatch.setattr(evidence, "list_items", counted)
    who = lite.services.access.local_operator("adm")
    tables = case_table.CaseTable(lite.services.archive, evidence)
    lines = csv_lines(tables.rows(who, tables.open(who, "T1")))
    assert [next(lines)[:4], next(lines)[36:40], len(asked)] == [b"item", b",T1,", 1]
    lite.deposit(b"too late for this table")
    assert (len(list(lines)), len(asked)) == (4, 3)


def test_empty_case_is_a_line_of_names(lite: Api) -> None:
    assert lite.get("leo", "/cases/T1/metadata.csv").text == ",".join(COLUMNS) + "\r\n"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd", "'+cmd"),
        ("-cmd", "'-cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\uff1d1", "'\uff1d1"),
        ("+02:00", "'+02:00"),
        (-58.4563, "-58.4563"),
        ("-58.4563", "-58.4563"),
        ("+12", "+12"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("-1\n=cmd", "'-1\n=cmd"),
        ("plain", "plain"),
        ("", ""),
        (None, ""),
        (0, "0"),
        (0.0, "0.0"),
    ],
)
def test_cells_that_would_be_formulas_are_text_and_signed_numbers_are_numbers(value: object, told: str) -> None:
    assert guarded(value) == told


def test_line_breaks_quotes_and_commas_survive_a_strict_reader() -> None:
    odd = 'a "b", c\r\nd'
    (row,) = rows_of(b"".join(csv_lines([{"item": "1", "original_name": odd}])))
    assert row["original_name"] == odd


def test_cli_writes_the_same_table_and_overwrites_nothing(cli: Cli, tmp_path: Path) -> None:
    out = cli("items", "metadata", "--case", "T1", "--csv").out.encode()
    assert [row["original_name"] for row in rows_of(out)] == ["a.jpg", "b.png", "c.txt", "d.jpg"]
    target = tmp_path / "table.csv"
    done = cli.json("items", "metadata", "--case", "T1", "--csv", "--bom", "-o", target)
    assert done == {"case": "T1", "items": 4, "path": str(target)}
    assert target.read_bytes().startswith(b"\xef\xbb\xbfitem,")
    assert len(rows_of(target.read_bytes())) == 4
    cli("items", "metadata", "--case", "T1", "--csv", "-o", target, code=2).refused("output_exists")
    cli("items", "metadata", "--case", "NONE", "--csv", code=2).refused("unknown_case")
    cli("items", "metadata", "--case", "T1", code=2).refused("bad_usage")
    cli("users", "add", "otto", "--role", "investigator")
    cli("items", "metadata", "--case", "T1", "--csv", "--as", "otto", code=2).refused("unknown_case")
    listed = cli.json("items", "metadata", "--case", "T1")
    assert listed["columns"] == list(COLUMNS)
    assert [row["original_name"] for row in listed["items"]] == ["a.jpg", "b.png", "c.txt", "d.jpg"]
    cli("audit")
