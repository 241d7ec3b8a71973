"""`catena audit` as an auditor runs it: signed when it can be, saved where he likes, told how far it is."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from app.audit.meter import Step
from app.audit.runs import Runs
from app.cli.audit import Bar, said
from app.clock import system_clock
from app.config import load_settings
from app.db import Database
from tests.commands import Cli
from tests.judges import require


def openssl_verifies(record: Path, seal: Path, authority: Path) -> bool:
    command = [require("openssl"), "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", str(seal)]
    command += ["-content", str(record), "-CAfile", str(authority), "-out", "/dev/null"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_command_that_the_docs_print_verifies_a_signed_report_and_refuses_a_changed_one(
    cli: Cli, tmp_path: Path
) -> None:
    """As it stands in docs/audits.md, in a folder with the report, its signature and ca.crt."""
    text = (Path(__file__).parents[2] / "docs" / "audits.md").read_text(encoding="utf-8")
    (command,) = [line.strip() for line in text.splitlines() if line.startswith("    openssl cms")]
    require("openssl")
    cli.json("audit", "--save", tmp_path / "report.json")
    shutil.copy(cli.data / "keys" / "ca.crt", tmp_path)
    run = partial(subprocess.run, shlex.split(command), cwd=tmp_path, capture_output=True, check=False)
    assert run().returncode == 0
    saved = tmp_path / "report.json"
    saved.write_bytes(saved.read_bytes().replace(b'"ok":true', b'"ok":null'))
    assert run().returncode != 0


def test_report_is_saved_with_a_signature_that_openssl_verifies(cli: Cli, tmp_path: Path) -> None:
    saved, seal = tmp_path / "report.json", tmp_path / "report.json.p7s"
    document = cli.json("audit", "--save", saved)
    assert document["signed"] is True
    assert json.loads(saved.read_bytes())["audit"] == document["id"]
    assert openssl_verifies(saved, seal, cli.data / "keys" / "ca.crt")
    assert saved.read_bytes() == (cli.data / "audits" / f"{document['id']}.json").read_bytes()
    saved.write_bytes(saved.read_bytes().replace(b'"ok":true', b'"ok":null'))
    assert not openssl_verifies(saved, seal, cli.data / "keys" / "ca.crt")


def test_report_is_never_written_over_and_that_is_said_before_the_audit(cli: Cli, tmp_path: Path) -> None:
    for name in ("report", "report.p7s"):
        (tmp_path / name).write_bytes(b"mine")
        cli("audit", "--save", tmp_path / "report", code=None).refused("file_exists")
        (tmp_path / name).unlink()
    cli("audit", "--save", tmp_path / "nowhere" / "report", code=None).refused("no_such_folder")
    assert cli.one("SELECT count(*) FROM audit") == "0"


def test_audit_without_the_passphrase_runs_and_says_that_it_is_not_signed(cli: Cli, tmp_path: Path) -> None:
    (cli.data / "passphrase").unlink()
    saved = tmp_path / "report.json"
    ran = cli("audit", "--save", saved)
    assert "NOT SIGNED" in ran.out
    assert "audit_report_unsigned" in ran.out
    assert "CLEAN" in ran.out
    assert not (tmp_path / "report.json.p7s").exists()
    record = json.loads(saved.read_bytes())
    assert "audit_report_unsigned" in {finding["code"] for finding in record["findings"]}
    assert not (cli.data / "audits" / f"{record['audit']}.p7s").exists()


@pytest.mark.parametrize("spoil", ["wrong passphrase", "key gone"])
def test_audit_with_a_key_that_does_not_open_says_why_it_is_not_signed(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    if spoil == "key gone":
        (cli.data / "keys" / "seal.key").unlink()
    else:
        monkeypatch.setenv("CATENA_PASSPHRASE", "another one")
    document = cli.json("audit", code=1 if spoil == "key gone" else 0)
    assert document["signed"] is False
    (finding,) = [one for one in document["findings"] if one["code"] == "audit_report_unsigned"]
    assert finding["detail"]


def test_all_digests_are_compared_when_asked_for(cli: Cli) -> None:
    assert cli.json("audit")["digests"] == ["sha256"]
    assert cli.json("audit", "--all-digests", "--workers", 2)["digests"] == ["sha256", "sha512", "crc32"]


def test_nothing_to_go_on_with_is_said(cli: Cli) -> None:
    cli("audit", "--resume", code=None).refused("unknown_audit")
    cli("audit", "--resume", "00000000-0000-4000-8000-000000000000", code=None).refused("unknown_audit")
    cli("audit", "--resume", "--sample", 1, code=None).refused("bad_resume")


def test_second_audit_at_the_same_time_is_refused(cli: Cli) -> None:
    runs = Runs(Database("sqlite://"), load_settings(cli.data).audits, system_clock)
    with runs.alone():
        cli("audit", code=None).refused("audit_running")
    assert cli.json("audit")["ok"]


def test_progress_is_told_line_by_line_where_there_is_no_terminal(cli: Cli) -> None:
    lines = cli("audit").err.splitlines()
    assert lines
    assert all(line.startswith("audit: ") for line in lines)
    assert any(line.startswith("audit: files: ") and "/s" in line for line in lines)


def test_progress_says_stage_amount_rate_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    step = Step("files", 120, 400, 3 << 30, 10 << 30, 250 << 20, 3723)
    assert said(step) == "audit: files: 120 of 400, 3.0 GiB of 10.0 GiB, 250.0 MiB/s, 1:02:03 left"
    assert said(Step("other files", 7, 0, 0, 0, 0, None)) == "audit: other files: 7"
    assert said(Step("files", 1, 1, 5, 5, 5, 0)) == "audit: files: 1 of 1, 5 bytes of 5 bytes, 5 bytes/s"
    bar = Bar()
    for tenth in range(11):
        for _ in range(3):
            bar(Step("events", tenth * 10, 100, 0, 0, 0, None))
    assert len(capsys.readouterr().err.splitlines()) == 11
