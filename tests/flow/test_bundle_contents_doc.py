"""docs/bundle-contents.md: its commands are run, its columns and files are those of the program."""

from __future__ import annotations

import json
import re
import shlex
import zipfile
from pathlib import Path

import pytest

from app.export.descriptions import NAMES
from app.export.descriptions.table import COLUMNS
from app.export.rules import MAX_ENTRIES
from tests.commands import Cli
from tests.incident_samples import document

DOC = (Path(__file__).resolve().parents[2] / "docs" / "bundle-contents.md").read_text("utf-8")


def test_the_commands_of_the_page_make_bundles_that_verify(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    item = cli.json("items", "list", "--case", "T1")["items"][0]["id"]
    given = document()
    given["incidents"][0]["items"] = [item]
    Path("dossier.json").write_text(json.dumps(given), encoding="utf-8")
    cli("incident", "import", "dossier.json", "--case", "T1")
    commands = re.findall(r"^    catena (export .*-o [A-Z0-9-]+\.zip|verify \S+)$", DOC, re.MULTILINE)
    commands = [one for one in commands if "REF" not in one and "BUNDLE" not in one]
    assert len(commands) == 3
    for command in commands:
        cli(*shlex.split(command))
    with zipfile.ZipFile("INC-A.zip") as opened:
        assert "incidents.json" in opened.namelist()
    with zipfile.ZipFile("T1.zip") as opened:
        assert "incidents.json" not in opened.namelist()
    cli("export", "-o", "none.zip", code=2)
    cli("export", "--case", "T1", "--item", item, "-o", "none.zip", code=2)
    assert not Path("none.zip").exists()


def test_files_columns_and_limits_of_the_page_are_those_of_the_program() -> None:
    named = set(re.findall(r"`([^`\s]+)`", DOC))
    assert set(NAMES) <= named
    (listed,) = re.findall(r"\*\*Columns of `index.csv`\*\*: (.*?)\. New", DOC, re.DOTALL)
    assert tuple(re.findall(r"`([a-z0-9_]+)`", listed)) == COLUMNS
    assert f"at most {MAX_ENTRIES:,} entries" in DOC
