"""`catena pattern`, `release`, `rules` and the care of `provisions`: as a user would run them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.law.catalogue import packaged_catalogue
from tests.commands import Cli
from tests.incident_samples import REF, document

RULE: dict[str, Any] = {
    "title": "Fire engines",
    "where": {"field": "target", "op": "mentions", "value": ["fire engine"]},
}


@pytest.fixture
def dossier(cli: Cli, tmp_path: Path) -> Path:
    """A folder with a rule, in an archive with a dossier."""
    for name, content in (("dossier.json", document()), ("rule.json", RULE)):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    cli("incident", "import", tmp_path / "dossier.json", "--case", "T1")
    return tmp_path


def test_count_is_frozen_verified_and_compared_with_today(cli: Cli, dossier: Path) -> None:
    made = cli.json("pattern", "rule", "engines", "--case", "T1", "--from", dossier / "rule.json")
    assert (made["ref"], made["number"]) == ("engines", 1)
    assert len(cli.json("pattern", "rules", "--case", "T1")["rules"]) == 1
    assert "1 included (incidents), 1 unknown" in cli("pattern", "count", "engines", "--case", "T1").out
    frozen = cli.json("release", "freeze", "R1", "--case", "T1", "--rule", "engines", "--title", "1 incident")
    assert (frozen["title"], frozen["numbers"]["included"]) == ("1 incident", 1)
    assert cli.json("release", "list", "--case", "T1")["releases"][0]["sha256"] == frozen["sha256"]
    assert "as it was frozen" in cli("release", "diff", "R1", "--case", "T1").out

    changed = document()
    changed["incidents"][1]["sequence"] = [{"n": 1, "target": "a fire engine", "method": "drone"}]
    (dossier / "dossier.json").write_text(json.dumps(changed), encoding="utf-8")
    cli("incident", "import", dossier / "dossier.json", "--case", "T1", "--update", "the service's report")
    told = cli("release", "diff", "R1", "--case", "T1").out
    assert "added: INC-B: version 2 by" in told
    assert "the service's report" in told
    assert "the same bytes from 2 members" in cli("release", "verify", "R1", "--case", "T1").out
    assert cli.json("release", "verify", "R1", "--case", "T1")["identical"] is True
    cli("release", "show", "R1", "--case", "T1", "-o", dossier / "out")
    assert {one.name for one in (dossier / "out").iterdir()} == {"release.json", "release.json.p7s"}
    cli("release", "show", "R1", "--case", "T1", "-o", dossier / "out", code=2).refused("file_exists")

    cli.sql("UPDATE incident_version SET record = CAST(replace(record, 'petrol', 'gas') AS BLOB) WHERE number = 1")
    broken = cli.json("release", "verify", "R1", "--case", "T1", code=1)
    assert {one["code"] for one in broken["findings"]} == {"member_gone"}
    cli("release", "freeze", "R1", "--case", "T1", "--rule", "engines", code=2).refused("release_exists")
    cli("release", "show", "R9", "--case", "T1", code=2).refused("unknown_release")


def test_shapes_and_pictures_are_written_once(cli: Cli, dossier: Path) -> None:
    cli("pattern", "rule", "engines", "--case", "T1", "--from", dossier / "rule.json")
    for form, begins in (("geojson", b"{"), ("kml", b"<?xml"), ("csv", b"id,ref"), ("timeline", b"{")):
        cli("pattern", "shapes", form, "--case", "T1", "-o", dossier / f"out.{form}")
        assert (dossier / f"out.{form}").read_bytes().startswith(begins)
    for what, start in (("months", "<svg"), ("map", "<svg"), ("page", "<!doctype")):
        cli("pattern", "picture", what, "engines", "--case", "T1", "--lang", "uk", "-o", dossier / what)
        assert (dossier / what).read_text(encoding="utf-8").startswith(start)
    cli("pattern", "shapes", "csv", "--case", "T1", "-o", dossier / "out.csv", code=2).refused("file_exists")
    (dossier / "rule.json").write_text('{"title": "all"}', encoding="utf-8")
    cli("pattern", "rule", "x", "--case", "T1", "--from", dossier / "rule.json", code=2).refused("bad_pattern_rule")
    (dossier / "rule.json").write_text("[", encoding="utf-8")
    cli("pattern", "rule", "x", "--case", "T1", "--from", dossier / "rule.json", code=2).refused("bad_facts_file")


def test_lawyer_signs_off_and_switches_rules_off(cli: Cli, dossier: Path) -> None:
    sign = ("provisions", "sign", "ap1-art62", "--scope", "read")
    cli(*sign, code=2).refused("not_allowed")  # the first admin is no lawyer
    assert cli.json(*sign, "--as", "lena")["decision"] == "sign"
    assert "signed off in version 1: lena" in cli("provisions", "show", "ap1-art62").out
    assert "draft until" in cli("provisions", "show", "ap1-art61").out

    cli("provisions", "export", "-o", dossier / "catalogue.json")
    assert (dossier / "catalogue.json").read_bytes() == packaged_catalogue()
    entries = json.loads(packaged_catalogue())
    entries[0]["notes"] = "said anew"
    (dossier / "new.json").write_text(json.dumps(entries), encoding="utf-8")
    done = cli.json("provisions", "import", dossier / "new.json", "--reason", "corrected")
    assert (done["version"], done["changed"]) == (2, [entries[0]["id"]])
    assert "draft until" in cli("provisions", "show", "ap1-art62").out
    assert len(cli.json("provisions", "versions")["versions"]) == 2
    assert cli.json("provisions", "signoffs", "ap1-art62")["signoffs"][0]["catalogue"]["version"] == 1
    cli(*sign, "--withdraw", "--version", "1", "--as", "lena")
    asked = ("provisions", "applies", "ap1-art62", "--conflict", "iac", "--actor", "rf_forces", "--date", "2025-07-06")
    assert cli.json(*asked)["provisions"][0]["applies"] == "yes"

    cli("rules", "off", "R01", "--reason", "too wide", code=2).refused("not_allowed")
    assert cli.json("rules", "off", "R01", "--reason", "too wide", "--as", "lena")["state"] == "unconfirmed"
    told = cli.json("incident", "suggest", REF)
    assert [one["rule"] for one in told["rules"]["switched_off"]] == ["R01"]
    assert told["rules"]["changes"][0]["reason"] == "too wide"
    assert "change 1: rule R01 off; unconfirmed; lena: too wide" in cli("rules", "list").out
    cli("rules", "review", "1", "--decision", "confirm", "--as", "lena", code=2).refused("own_work")
    cli("rules", "threshold", "double_tap_minutes", "30", "--reason", "agreed", "--as", "lena")
    cli("rules", "on", "R01", "--reason", "it fits", "--as", "lena")
    assert len(cli.json("rules", "changes")["changes"]) == 3
    cli("rules", "export", "-o", dossier / "rules.json")
    waits = ("rules", "import", dossier / "rules.json", "--reason", "x", "--as", "lena")
    cli(*waits, code=2).refused("rules_unchanged")
