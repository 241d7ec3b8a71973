"""Items, cases, matching, law, review and inspection on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.commands import Cli, drawing
from tests.media_samples import exif_bytes, gps, photo, png_header, ratio


def items_of(cli: Cli) -> dict[str, str]:
    """Id of each item by name."""
    return {one["original_name"]: one["id"] for one in cli.json("items", "list")["items"]}


def test_items_list_shows_what_is_there_by_case(cli: Cli) -> None:
    listed = cli.json("items", "list", "--case", "T1")["items"]
    assert [one["original_name"] for one in listed] == ["a.jpg", "b.png", "c.txt", "d.jpg"]
    assert [one["kind"] for one in listed] == ["photo", "photo", "other", "photo"]
    assert {one["analysis"] for one in listed} == {"done"}
    cli("cases", "create", "EMPTY")
    assert cli.json("items", "list", "--case", "EMPTY")["items"] == []
    assert cli("items", "list", "--case", "EMPTY").out == "(none)\n"
    cli("items", "list", "--case", "NONE", code=2).refused("unknown_case")
    assert "a.jpg" in cli("items", "list").out


def test_items_show_holds_receipt_metadata_matches_and_links(cli: Cli) -> None:
    items = items_of(cli)
    shown = cli.json("items", "show", items["a.jpg"])
    assert shown["receipt"]["item"] == items["a.jpg"]
    assert shown["metadata"]["file"]["media_type"] == "image/jpeg"
    assert shown["source"] == {"note": "from a witness"}
    assert [(m["item"], m["verdict"]) for m in shown["matches"]] == [(items["d.jpg"], "identical")]
    assert shown["links"] == []
    told = cli("items", "show", items["a.jpg"]).out
    assert "log position: " in told
    assert "identical" in told
    assert cli.one("SELECT count(*) FROM custody_event WHERE type = 'access'") == "2"
    for unknown in ("nothing", "../../etc/passwd", "0" * 5_000, "00000000-0000-0000-0000-000000000000"):
        cli("items", "show", unknown, code=2).refused("unknown_item")


def test_outsiders_learn_nothing_of_a_case(cli: Cli) -> None:
    item = items_of(cli)["a.jpg"]
    cli("users", "add", "otto", "--role", "investigator")
    cli("items", "show", item, "--as", "otto", code=2).refused("unknown_item")
    cli("match", item, "--as", "otto", code=2).refused("unknown_item")
    cli("log", "prove", item, "--as", "otto", code=2).refused("unknown_item")
    cli("items", "list", "--case", "T1", "--as", "otto", code=2).refused("unknown_case")
    assert cli.json("items", "list", "--as", "otto")["items"] == []
    assert cli.json("cases", "list", "--as", "otto")["cases"] == []


def test_cases_are_made_once_and_people_come_and_go(cli: Cli) -> None:
    made = cli.json("cases", "create", "T2", "--title", "Second case")
    assert made["title"] == "Second case"
    assert [case["ref"] for case in cli.json("cases", "list")["cases"]] == ["T1", "T2"]
    cli("cases", "create", "T2", code=2).refused("case_exists")
    cli("cases", "create", "no such/ref", code=2).refused("bad_case_ref")
    cli("cases", "create", "T3", "--title", "a\nb", code=2).refused("bad_text")
    cli("cases", "create", "T3", "--title", "x" * 301, code=2).refused("text_too_long")
    cli("cases", "add-member", "T2", "nobody", code=2).refused("unknown_user")
    cli("cases", "add-member", "T9", "lena", code=2).refused("unknown_case")
    cli("cases", "remove-member", "T2", "lena", code=2).refused("not_a_member")
    cli("cases", "add-member", "T2", "lena")
    cli("cases", "add-member", "T2", "lena")
    assert len(cli.json("cases", "list", "--as", "lena")["cases"]) == 2
    cli("cases", "remove-member", "T2", "lena")
    assert len(cli.json("cases", "list", "--as", "lena")["cases"]) == 1
    cli("cases", "add-member", "T1", "admin", "--as", "lena", code=2).refused("not_allowed")


def test_match_of_a_file_says_verdict_and_reason_best_first(cli: Cli, tmp_path: Path) -> None:
    items = items_of(cli)
    again = drawing(tmp_path / "again.jpg")
    found = cli.json("match", again)
    assert set(found) == {"query", "matches"}
    assert {match["item"] for match in found["matches"]} >= {items["a.jpg"], items["d.jpg"]}
    assert [match["verdict"] for match in found["matches"]][:2] == ["identical", "identical"]
    for match in found["matches"]:
        assert set(match) == {"item", "verdict", "distance", "explanation", "segments"}
        assert match["explanation"]
    assert "identical" in cli("match", again).out
    Image.open(again).save(tmp_path / "worse.jpg", quality=40)
    assert cli.json("match", tmp_path / "worse.jpg")["matches"][0]["verdict"] == "same_content"
    by_item = cli.json("match", items["a.jpg"])
    assert by_item["query"]["item"] == items["a.jpg"]
    assert by_item["matches"][0]["item"] == items["d.jpg"]
    assert len(items_of(cli)) == 4


def test_match_of_what_cannot_be_compared_is_never_no_match(cli: Cli, tmp_path: Path) -> None:
    cli("match", "neither-file-nor-item", code=2).refused("unknown_item")
    cli("match", tmp_path, code=2).refused("not_a_file")
    (tmp_path / "bomb.png").write_bytes(png_header(50_000, 50_000))
    ran = cli("match", tmp_path / "bomb.png", "--json", code=None)
    assert ran.code in {2, 3}
    assert "matches" not in ran.json
    (tmp_path / "empty.jpg").touch()
    assert "matches" not in cli("match", tmp_path / "empty.jpg", "--json", code=2).json
    (tmp_path / "text.txt").write_text("words")
    assert cli.json("match", tmp_path / "text.txt")["matches"] == []


def test_provisions_can_be_listed_searched_and_shown(cli: Cli) -> None:
    listed = cli.json("provisions", "list")["provisions"]
    assert len(listed) > 50
    found = cli.json("provisions", "search", "civil defence")["provisions"]
    assert "ap1-art62" in {one["id"] for one in found}
    assert len(found) < len(listed)
    assert cli.json("provisions", "search", "zzzzzz")["provisions"] == []
    shown = cli.json("provisions", "show", "ap1-art62")
    assert shown["id"] == "ap1-art62"
    assert "ap1-art62" in cli("provisions", "show", "ap1-art62").out
    cli("provisions", "show", "nothing", code=2).refused("unknown_provision")
    instrument = listed[0]["instrument"]
    some = cli.json("provisions", "list", "--instrument", instrument)["provisions"]
    assert 0 < len(some) < len(listed)
    assert all(instrument in one["instrument"] for one in some)


def test_link_needs_a_second_person_and_the_author_cannot_be_that(cli: Cli) -> None:
    item = items_of(cli)["a.jpg"]
    arguments = ("--direction", "supports", "--rationale", "A fire engine is seen.")
    made = cli.json("link", item, "ap1-art62", *arguments, "--as", "lena")
    assert made["state"] == "proposed"
    cli("review", made["id"], "--decision", "approve", "--as", "lena", code=2).refused("own_work")
    done = cli.json("review", made["id"], "--decision", "approve", "--comment", "Seen.")
    assert done["decision"] == "approve"
    assert cli.json("items", "show", item)["links"][0]["state"] == "approved"
    assert "(approved)" in cli("items", "show", item).out
    cli("review", made["id"], "--decision", "reject", code=2).refused("comment_required")
    cli("review", "nothing", "--decision", "approve", code=2).refused("unknown_link")


@pytest.mark.parametrize(
    ("item", "provision", "rationale", "code"),
    [
        ("nothing", "ap1-art62", "reason", "unknown_item"),
        ("a.jpg", "nothing", "reason", "unknown_provision"),
        ("a.jpg", "ap1-art62", "", None),
        ("a.jpg", "ap1-art62", "x" * 100_000, None),
        ("a.jpg", "ap1-art62", "a\x00b\x1b", None),
    ],
)
def test_link_that_says_nothing_sound_is_refused(
    cli: Cli, item: str, provision: str, rationale: str, code: str | None
) -> None:
    ran = cli(
        "link", items_of(cli).get(item, item), provision, "--direction", "neutral", "--rationale", rationale, code=2
    )
    assert ran.err.startswith("catena: ")
    if code is not None:
        ran.refused(code)
    assert cli.one("SELECT count(*) FROM provision_link") == "0"


def test_inspect_needs_no_archive_and_prints_the_promised_keys(empty_cli: Cli, tmp_path: Path) -> None:
    where = gps((ratio(50), ratio(27), ratio(0)), "N", (ratio(30), ratio(31), ratio(0)), "E")
    camera = {0x010F: "DJI", 0x0110: "FC3411"}
    taken = {0x9003: "2025:07:06 14:00:00", 0x9011: "+03:00"}
    file = photo(tmp_path / "DJI_0001.jpg", exif=exif_bytes(camera, taken, where))
    record = empty_cli.json("inspect", file)
    assert {"position", "time", "device", "track", "findings"} <= set(record)
    assert record["position"]["lat"]["value"] == pytest.approx(50.45)
    assert record["position"]["lon"]["value"] == pytest.approx(30.516667, abs=1e-5)
    assert "value" in record["position"]["alt_gps"]
    assert record["time"]["capture_local"]["value"].startswith("2025-07-06T14:00:00")
    assert record["time"]["utc_offset"]["value"] == "+03:00"
    assert record["time"]["capture_utc"]["value"].startswith("2025-07-06T11:00:00")
    assert {"make", "model", "camera_serial", "drone_serial"} <= set(record["device"])
    assert {"points", "first", "last"} <= set(record["track"])
    assert "capture, UTC" in empty_cli("inspect", file).out
    assert not empty_cli.data.exists()


def test_inspect_of_bad_files_is_a_line_or_a_finding(empty_cli: Cli, tmp_path: Path) -> None:
    empty_cli("inspect", tmp_path / "missing", code=2).refused("no_such_file")
    empty_cli("inspect", tmp_path, code=2).refused("no_such_file")
    whole = photo(tmp_path / "whole.jpg", size=(300, 200)).read_bytes()
    (tmp_path / "empty").touch()
    (tmp_path / "truncated.jpg").write_bytes(whole[:900])
    (tmp_path / "bomb.png").write_bytes(png_header(50_000, 50_000))
    (tmp_path / "text").write_text("words")
    for name in ("empty", "truncated.jpg", "bomb.png", "text"):
        ran = empty_cli("inspect", tmp_path / name, "--json", code=None)
        assert ran.code in {0, 2}
        assert ran.json


def test_originals_are_never_changed_by_any_command(cli: Cli) -> None:
    before = {path: path.read_bytes() for path in (cli.data / "blobs" / "sha256").rglob("*") if path.is_file()}
    items = items_of(cli)
    cli("match", items["a.jpg"])
    cli("log", "prove", items["a.jpg"])
    cli("audit")
    cli("worker", "--drain")
    shutil.rmtree(cli.data / "receipts")
    assert json.loads(cli("items", "show", items["a.jpg"], "--json").out)["receipt"]
    assert {path: path.read_bytes() for path in before} == before


def test_match_draws_why_two_items_match_and_overwrites_nothing(cli: Cli, tmp_path: Path) -> None:
    items = items_of(cli)
    first, second, stranger = items["a.jpg"], items["d.jpg"], items["c.txt"]
    out = tmp_path / "why.png"
    cli("match", first, "--picture", str(out), code=2).refused("bad_usage")
    cli("match", first, second, code=2).refused("bad_usage")
    cli("match", first, "nonsense", "--picture", str(out), code=2).refused("unknown_item")
    cli("match", first, stranger, "--picture", str(out), code=2).refused("unknown_match")
    assert not out.exists()
    made = cli.json("match", first, second, "--picture", str(out))
    assert made["size"] == out.stat().st_size
    assert out.read_bytes().startswith(b"\x89PNG\r\n")
    cli("match", first, second, "--picture", str(out), code=2).refused("output_exists")
    assert cli.one("SELECT count(*) FROM custody_event WHERE CAST(canonical AS TEXT) LIKE '%match picture%'") == "2"


def test_adjudicate_needs_a_match_and_a_reason_and_the_cluster_shows_what_was_confirmed(cli: Cli) -> None:
    items = items_of(cli)
    first, second, stranger = items["a.jpg"], items["d.jpg"], items["b.png"]
    cli("adjudicate", first, second, "confirm", code=2)
    cli("adjudicate", first, second, "perhaps", "--reason", "x", code=2).refused("bad_match_decision")
    cli("adjudicate", first, "nonsense", "confirm", "--reason", "x", code=2).refused("unknown_item")
    made = cli.json("adjudicate", first, second, "confirm", "--reason", "the same bytes")
    assert (made["decision"], made["reason"], made["number"]) == ("confirm", "the same bytes", 1)
    assert {one["item"] for one in cli.json("cluster", second)["members"]} == {first, second}
    assert first in cli("cluster", second).out
    assert "[confirm: the same bytes]" in cli("match", first).out
    cli("adjudicate", first, second, "reject", "--reason", "not so")
    assert second not in {one["item"] for one in cli.json("match", first)["matches"]}
    assert second in {one["item"] for one in cli.json("match", first, "--rejected")["matches"]}
    assert [one["item"] for one in cli.json("cluster", stranger)["members"]] == [stranger]
