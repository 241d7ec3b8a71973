"""`catena incident`: suggestions without an archive, and incidents of one."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.commands import Cli

KHERSON = {
    "conflict_type": "iac",
    "actor": "rf_forces",
    "targets": ["fire_rescue_vehicle", "petrol_station"],
    "directed_at_target": True,
    "second_strike": True,
    "military_use_claimed": True,
    "killed": 0,
    "injured": 0,
}


def written(tmp_path: Path, document: Any) -> Path:  # noqa: ANN401 - any JSON document
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_suggestions_for_a_file_of_facts_need_no_archive(empty_cli: Cli, tmp_path: Path) -> None:
    told = empty_cli.json("incident", "suggest", "--facts", written(tmp_path, {"id": "RC", "facts": KHERSON}))
    assert {"suggest", "suppressed", "possible", "ask_lawyer"} <= set(told)
    leads = {one["provision"] for one in told["suggest"] if one["strength"] == "lead"}
    assert {"ap1-art61", "ap1-art62", "ap1-art52", "ap1-art65"} <= leads
    assert {"provision", "strength", "rules", "reason"} <= set(told["suggest"][0])
    assert {"ap1-art15", "icc-8-2-b-xxiv"} <= {one["provision"] for one in told["suppressed"] if one["why"]}
    assert all(one["needs"] for one in told["possible"])
    text = empty_cli("incident", "suggest", "--facts", written(tmp_path, KHERSON)).out
    assert "ap1-art62  [lead]" in text
    assert not empty_cli.data.exists()


def test_rules_are_switched_off_and_thresholds_set_on_the_command_line(empty_cli: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, KHERSON | {"minutes_between": 20, "metres_between": 40, "responders_present": True})
    asked = ("incident", "suggest", "--facts", path)
    told = empty_cli.json(*asked, "--without", "R01", "--threshold", "double_tap_minutes=10", "--date", "2025-07-06")
    assert [off["rule"] for off in told["rules"]["switched_off"]] == ["R01"]
    assert told["rules"]["thresholds_changed"] is True
    rules = {rule for one in told["suggest"] for rule in one["rules"]}
    assert "R12" in rules
    assert not rules & {"R01", "R11"}
    text = empty_cli(*asked, "--without", "R01", "--threshold", "double_tap_minutes=10").out
    assert "switched off: R01" in text
    assert "thresholds: double_tap_minutes 10.0" in text


def test_facts_come_from_standard_input(empty_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(json.dumps(KHERSON).encode())))
    assert empty_cli.json("incident", "suggest", "--facts", "-")["facts"]["killed"] == 0


def test_bad_input_is_one_line_and_no_traceback(empty_cli: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, KHERSON)
    asked = ("incident", "suggest", "--facts")
    empty_cli("incident", "suggest", code=2).refused("bad_usage")
    empty_cli("incident", "suggest", "X", "--facts", path, code=2).refused("bad_usage")
    empty_cli(*asked, path, "--without", "R99", code=2).refused("unknown_rule")
    empty_cli(*asked, path, "--threshold", "double_tap_minutes", code=2).refused("bad_threshold")
    empty_cli(*asked, path, "--threshold", "minutes=3", code=2).refused("unknown_threshold")
    empty_cli(*asked, path, "--date", "yesterday", code=2).refused("bad_date")
    for document, code in (({"colour": 1}, "unknown_fact"), ({"killed": "x"}, "bad_fact_value"), (3, "bad_facts")):
        empty_cli(*asked, written(tmp_path, document), code=2).refused(code)
    path.write_bytes(b"\xff{")
    empty_cli(*asked, path, code=2).refused("bad_facts_file")
    missing = empty_cli(*asked, tmp_path / "nowhere.json", "--json", code=2)
    assert missing.json["error"]["code"] == "environment"
    assert empty_cli(*asked, tmp_path, "--json", code=2).json["error"]["code"] == "usage"
