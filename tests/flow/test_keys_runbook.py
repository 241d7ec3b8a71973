"""Every command of docs/keys.md works as printed, one after the other, on one archive."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from unittest import mock

import pytest

from evidence_store.keys import file as key_file
from evidence_store.trust import Verdict
from tests import commands
from tests.commands import Cli
from tests.conftest import ROOT
from tests.softhsm import LABEL, PIN, new_token

RUNBOOK = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")


def printed() -> list[str]:
    """The indented lines, comments cut."""
    lines = [line[4:] for line in RUNBOOK.splitlines() if line.startswith("    ")]
    return [re.sub(r"\s+# .*$", "", line) for line in lines]


def run(cli: Cli, line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Do what a line says: `catena` in this process, which has loaded it already, the rest in a shell."""
    if line.startswith("export "):
        name, _, value = line.removeprefix("export ").partition("=")
        monkeypatch.setenv(name, value)
        return ""
    if line.startswith("catena "):
        return cli(*shlex.split(line)[1:]).out
    subprocess.run(["sh", "-e", "-c", line], cwd=folder, check=True)
    return ""


@pytest.mark.timeout(600)
def test_the_runbook_works_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token = new_token(tmp_path, monkeypatch)
    (tmp_path / "offline").mkdir()
    (tmp_path / "offline" / "pin").write_text(f"{PIN}\n")
    cli = commands.at(tmp_path / "archive", monkeypatch, capsys)
    monkeypatch.chdir(tmp_path)
    said: dict[str, str] = {}
    assert len([line for line in printed() if line.startswith("catena ")]) >= 18
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        for line in printed():
            command = line.replace("MODULE", token.module).replace("LABEL", f"'{LABEL}'")
            if "BEGINNING" in command:  # the log key that was the first
                former = re.findall(r"^log +([0-9a-f]{8}) .*retired", said["catena keys history"], re.MULTILINE)
                command = command.replace("BEGINNING", former[-1])
            said[line] = run(cli, command, tmp_path, monkeypatch)
        listed = cli("keys", "list").out
        assert re.search(r"^ca .* elsewhere", listed, re.MULTILINE)
        assert listed.count("in a token") == 2
        assert said["catena audit"].endswith("CLEAN\n")
        found = cli.json("audit", code=1)["findings"]
    errors = {(one["code"], one["subject"].split()[0]) for one in found if one["severity"] == "error"}
    assert errors == {("key_compromised", "log")}, "a stolen key, and no time stamp: that does not go away"
    trust = [(tmp_path / name).read_text().splitlines() for name in ("trust-2027.txt", "trust-2027-b.txt")]
    log_keys = [sum(line.startswith("catena/") for line in lines) for lines in trust]
    assert log_keys == [4, 3], "the stolen log key was in the first trust file, and is not in the second"


def test_every_verdict_of_the_program_stands_in_the_runbook() -> None:
    for verdict in set(Verdict) - {Verdict.VALID}:
        assert f"`{verdict}`" in RUNBOOK
