"""`catena incident`: suggestions without an archive, and incidents of one."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.commands import Cli
from tests.incident_samples import REF, body, document

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
    for wrong, code in (({"colour": 1}, "unknown_fact"), ({"killed": "x"}, "bad_fact_value"), (3, "bad_facts")):
        empty_cli(*asked, written(tmp_path, wrong), code=2).refused(code)
    path.write_bytes(b"\xff{")
    empty_cli(*asked, path, code=2).refused("bad_facts_file")
    missing = empty_cli(*asked, tmp_path / "nowhere.json", "--json", code=2)
    assert missing.json["error"]["code"] == "environment"
    assert empty_cli(*asked, tmp_path, "--json", code=2).json["error"]["code"] == "usage"


def test_incident_is_entered_shown_imported_and_exported(cli: Cli, tmp_path: Path) -> None:
    made = cli.json("incident", "add", "INC-1", "--case", "T1", "--title", "A first strike")
    assert (made["ref"], made["version"]) == ("INC-1", 1)
    cli("incident", "add", "INC-1", "--case", "T1", "--title", "again", code=2).refused("incident_exists")
    cli("incident", "add", "INC-2", "--case", "T1", code=2).refused("bad_usage")
    cli("incident", "add", "INC-2", "--case", "T1", "--from", written(tmp_path, {}), code=2).refused(
        "bad_incident_entry"
    )
    given = tmp_path / "given.json"
    given.write_text(json.dumps(document(), ensure_ascii=False), encoding="utf-8")
    assert len(cli.json("incident", "import", given, "--case", "T7")["created"]) == 12  # the case is made
    assert "12 unchanged" in cli("incident", "import", given, "--case", "T7").out
    assert [one["ref"] for one in cli.json("incident", "list")["incidents"]] != []
    assert [one["ref"] for one in cli.json("incident", "list", "--case", "T7")["incidents"]] == [REF, "INC-B"]
    assert "2025-08-01/2025-08-31" in cli("incident", "list", "--case", "T7").out
    shown = cli("incident", "show", REF).out
    assert "[personal data]" in shown
    assert "strike 2: fire engine" in shown
    assert "Sample Person" in cli("incident", "show", REF, "--personal").out
    told = cli.json("incident", "suggest", REF, "--case", "T7", "--without", "R41")
    assert (told["ref"], told["conflicting_facts"]) == (REF, [])
    assert "ap1-art62" in {one["provision"] for one in told["suggest"]}
    assert "ap1-art62  [lead]" in cli("incident", "suggest", REF).out
    (pair,) = cli.json("incident", "double-tap", "--case", "T7")["pairs"]
    assert (pair["verdict"], pair["strikes"][1]["strike"]) == ("possible", 2)
    assert "possible  INC-A strike 1 / INC-A strike 2" in cli("incident", "double-tap", "--case", "T7").out
    cli("incident", "double-tap", "--case", "T7", "--minutes", "0", code=2).refused("bad_threshold")
    out = tmp_path / "out.json"
    cli("incident", "export", "--case", "T7", "-o", out)
    assert json.loads(out.read_bytes()) == document()
    cli("incident", "export", REF, "--case", "T7", "-o", out, code=2).refused("file_exists")
    changed = document()
    changed["incidents"][1]["title"] = "Another title"
    given.write_text(json.dumps(changed), encoding="utf-8")
    assert cli.json("incident", "import", given, "--case", "T7", code=1)["differs"] == ["incident:INC-B"]
    assert cli.json("incident", "import", given, "--case", "T7", "--update", "as printed")["revised"] != []
    changed["incidents"][1] |= {"date": {"earliest": "2025-08-02"}, "statements": ["ST-9"]}
    given.write_text(json.dumps(changed), encoding="utf-8")
    warned = cli("incident", "import", given, "--case", "T7", "--update", "a bound").out
    assert "warning: incident:INC-B: statements names 'ST-9', which is not in the case (unknown_statement)" in warned
    assert "2025-08-02/.." in cli("incident", "list", "--case", "T7").out
    shown = cli("incident", "show", "INC-B", "--case", "T7").out
    assert "not before 2025-08-02" in shown
    assert "warning unknown_statement" in shown
    cli("incident", "show", "INC-\udcff", code=2).refused("unknown_incident")  # bytes that are no text
    cli("incident", "show", "INC-9", code=2).refused("unknown_incident")
    cli("incident", "import", written(tmp_path, []), "--case", "T7", code=2).refused("bad_incident_file")
    cli("incident", "import", tmp_path / "none.json", "--case", "T8", code=2)
    cli("incident", "list", "--case", "T8", code=2).refused("unknown_case")  # nothing was half-done


def test_rules_are_asked_of_one_strike_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    targets = [{"id": "T-1", "kind": "object", "text": "the engine", "strikes": [2]}, "a pump"]
    cli("incident", "add", "INC-P", "--case", "T1", "--from", written(tmp_path, body(targets=targets)))
    cli("incident", "suggest", "INC-P", "--target", "T-9", code=2).refused("unknown_target")
    facts = written(tmp_path, KHERSON)
    cli("incident", "suggest", "--facts", facts, "--strike", "1", code=2).refused("bad_usage")
    of_engine = {"speaker": "S", "text": "a livery", "fact": "insignia", "value": ["service_livery"], "strike": 2}
    cli("incident", "claim", "INC-P", "--from", written(tmp_path, of_engine))
    assert cli.json("incident", "suggest", "INC-P", "--strike", "2")["facts"]["insignia"] == ["service_livery"]
    assert "OF strike 2, target T-1 ALONE" in cli("incident", "suggest", "INC-P").out
    shown = cli("incident", "show", "INC-P").out
    assert all(
        one in shown for one in ("S, of strike 2: a livery", "target T-1 (object): the engine", "target: a pump")
    )
