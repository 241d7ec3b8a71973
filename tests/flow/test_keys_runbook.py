"""Every command of docs/keys.md works as printed, one after the other, on one archive."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.softhsm import LABEL, PIN, new_token

RUNBOOK = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """The indented lines, comments cut."""
    lines = [line[4:] for line in RUNBOOK.splitlines() if line.startswith("    ")]
    return [re.sub(r"\s+# .*$", "", line) for line in lines]


def shell(command: str, folder: Path, variables: dict[str, str]) -> str:
    """Run a line as a person would, with `catena` on the path."""
    launcher = folder / "bin" / "catena"
    launcher.parent.mkdir(exist_ok=True)
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m app.cli "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)
    path = f"{launcher.parent}{os.pathsep}{os.environ['PATH']}"
    settings = {name: value for name, value in os.environ.items() if not name.startswith("CATENA_")}
    done = subprocess.run(
        ["sh", "-e", "-c", command],
        cwd=folder,
        env={**settings, **variables, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.timeout(900)
def test_the_runbook_works_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = new_token(tmp_path, monkeypatch)
    (tmp_path / "offline").mkdir()
    (tmp_path / "offline" / "pin").write_text(f"{PIN}\n")
    variables: dict[str, str] = {}
    said: dict[str, str] = {}
    run = commands()
    assert len([line for line in run if line.startswith("catena ")]) >= 18
    for line in run:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            variables[name] = value.replace("./", f"{tmp_path}/")
            continue
        command = line.replace("MODULE", token.module).replace("LABEL", f"'{LABEL}'")
        if "BEGINNING" in command:  # the log key that was the first
            former = re.findall(r"^log +([0-9a-f]{8}) .*retired", said["catena keys history"], re.MULTILINE)
            command = command.replace("BEGINNING", former[-1])
        said[line] = shell(command, tmp_path, variables)
    assert re.search(r"^ca .* elsewhere", shell("catena keys list", tmp_path, variables), re.MULTILINE)
    assert "in a token" in shell("catena keys list", tmp_path, variables)
    trust = (tmp_path / "trust-2027.txt").read_text(), (tmp_path / "trust-2027-b.txt").read_text()
    assert (trust[0].count("+"), trust[0].count("BEGIN")) != (trust[1].count("+"), trust[1].count("BEGIN"))
    assert said["catena audit"].endswith("CLEAN\n")
    found = json.loads(shell("catena audit --json || true", tmp_path, variables))["findings"]
    errors = {(one["code"], one["subject"].split()[0]) for one in found if one["severity"] == "error"}
    assert errors == {("key_compromised", "log")}, "a stolen key, and no time stamp: that does not go away"


def test_every_verdict_of_the_program_stands_in_the_runbook() -> None:
    from evidence_store.trust import Verdict

    for verdict in set(Verdict) - {Verdict.VALID}:
        assert f"`{verdict}`" in RUNBOOK
