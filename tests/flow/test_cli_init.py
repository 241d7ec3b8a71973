"""`catena init`, `migrate`, passphrases, and what holds for every command."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import Cli
from tests.conftest import ROOT


def test_init_makes_an_archive_and_says_what_is_needed(empty_cli: Cli) -> None:
    made = empty_cli.json("init", "--org", "Мережа свідків")
    assert made["archive"]["org"] == "Мережа свідків"
    assert made["archive"]["log"].endswith(made["archive"]["id"])
    assert made["admin"] == "admin"
    assert made["token"].startswith("catena_")
    passphrase = Path(made["passphrase_file"])
    assert stat.S_IMODE(passphrase.stat().st_mode) == 0o600
    assert len(passphrase.read_text().strip()) >= 32
    for name in ("ca.key", "seal.key", "log.key"):
        assert stat.S_IMODE((empty_cli.data / "keys" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(empty_cli.data.stat().st_mode) == 0o700
    assert empty_cli.json("audit")["ok"] is True


def test_init_in_words_shows_the_token_once_and_it_is_stored_nowhere(empty_cli: Cli) -> None:
    told = empty_cli("init", "--org", "Org").out
    token = next(line.rsplit(" ", 1)[1] for line in told.splitlines() if "token" in line.lower())
    secret = token.rsplit("_", 1)[1].encode()
    for path in empty_cli.data.rglob("*"):
        assert path.is_dir() or secret not in path.read_bytes(), path


def test_second_init_is_refused_and_changes_nothing_even_with_the_passphrase_moved_away(empty_cli: Cli) -> None:
    empty_cli("init")
    moved = empty_cli.data.parent / "moved"
    (empty_cli.data / "passphrase").rename(moved)
    before = {path: path.stat().st_mtime_ns for path in empty_cli.data.rglob("*") if path.is_file()}
    empty_cli("init", "--json", code=2).refused("archive_exists")
    assert {path: path.stat().st_mtime_ns for path in empty_cli.data.rglob("*") if path.is_file()} == before
    moved.rename(empty_cli.data / "passphrase")
    empty_cli("log", "checkpoint")


def test_init_over_a_half_made_archive_is_refused(empty_cli: Cli) -> None:
    empty_cli("init")
    (empty_cli.data / "archive.json").unlink()
    empty_cli("init", code=2).refused("folder_not_empty")
    empty_cli("cases", "list", code=3).refused("no_archive", 3)


@pytest.mark.parametrize("org", ["", "a\nb", "x" * 500])
def test_init_with_a_name_that_no_certificate_can_carry_leaves_nothing(empty_cli: Cli, org: str) -> None:
    ran = empty_cli("init", "--org", org, code=2)
    assert ran.err.startswith("catena: ")
    assert not (empty_cli.data / "passphrase").exists()
    empty_cli("init", "--org", "A good name")


def test_passphrase_from_the_environment_is_kept_nowhere(empty_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATENA_PASSPHRASE", "from the environment")
    assert empty_cli.json("init")["passphrase_file"] is None
    for path in empty_cli.data.rglob("*"):
        assert path.is_dir() or b"from the environment" not in path.read_bytes()
    empty_cli("log", "checkpoint")
    monkeypatch.setenv("CATENA_PASSPHRASE", "another one")
    assert empty_cli("log", "checkpoint", code=None).refused("wrong_passphrase", 2)
    monkeypatch.delenv("CATENA_PASSPHRASE")
    empty_cli("log", "checkpoint", code=3).refused("passphrase_missing", 3)
    empty_cli("audit")  # needs no secret


def test_passphrase_from_a_file(empty_cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"from a file\r\n")
    monkeypatch.setenv("CATENA_PASSPHRASE_FILE", str(secret))
    assert empty_cli.json("init")["passphrase_file"] is None
    secret.write_bytes(b"from a file")
    empty_cli("log", "checkpoint")
    secret.unlink()
    empty_cli("log", "checkpoint", code=3).refused("passphrase_unreadable", 3)


def test_empty_passphrase_is_refused(empty_cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\n")
    monkeypatch.setenv("CATENA_PASSPHRASE_FILE", str(tmp_path / "secret"))
    ran = empty_cli("init", code=None)
    assert ran.code in {2, 3}
    assert ran.err.startswith("catena: ")


def test_wrong_passphrase_makes_no_half_item(bare_cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("evidence")
    monkeypatch.setenv("CATENA_PASSPHRASE", "a wrong one")
    bare_cli("ingest", tmp_path / "a.txt", "--case", "T1", "--json", code=2).refused("wrong_passphrase")
    assert bare_cli.one("SELECT count(*) FROM item") == "0"
    monkeypatch.delenv("CATENA_PASSPHRASE")
    assert len(bare_cli.json("ingest", tmp_path / "a.txt", "--case", "T1", "--no-analysis")["items"]) == 1


def test_migrate_of_a_current_database_does_nothing(bare_cli: Cli) -> None:
    done = bare_cli.json("migrate")
    assert done["before"] == done["after"]
    assert bare_cli("migrate").out == "up to date\n"


def test_outdated_newer_and_damaged_databases_are_named(bare_cli: Cli) -> None:
    known = bare_cli.one("SELECT version_num FROM alembic_version")
    bare_cli.sql("UPDATE alembic_version SET version_num = '9999'")
    bare_cli("cases", "list", code=3).refused("database_newer", 3)
    bare_cli("migrate", code=3).refused("database_newer", 3)
    bare_cli.sql(f"UPDATE alembic_version SET version_num = '{known}'")  # noqa: S608 - our own number
    bare_cli("cases", "list")
    bare_cli.sql("DELETE FROM alembic_version")
    bare_cli("cases", "list", code=3).refused("database_outdated", 3)
    (bare_cli.data / "catena.db").write_bytes(b"no database at all, but long enough to be looked at " * 200)
    bare_cli("cases", "list", code=3).refused("database_damaged", 3)
    bare_cli("audit", "--json", code=3).refused("database_damaged", 3)
    bare_cli("migrate", code=3).refused("database_damaged", 3)


def test_database_that_cannot_be_reached_and_settings_that_cannot_be_read(
    bare_cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CATENA_DATABASE_URL", f"postgresql://postgres@/none?host={tmp_path}")
    bare_cli("cases", "list", code=3).refused("database_failed", 3)
    monkeypatch.setenv("CATENA_DATABASE_URL", "no url")
    bare_cli("cases", "list", code=2).refused("bad_setting")
    monkeypatch.delenv("CATENA_DATABASE_URL")
    monkeypatch.setenv("CATENA_LEASE_SECONDS", "soon")
    bare_cli("cases", "list", code=2).refused("bad_setting")
    monkeypatch.delenv("CATENA_LEASE_SECONDS")
    monkeypatch.setenv("CATENA_SANDBOX", "maybe")
    bare_cli("cases", "list", code=2).refused("bad_setting")
    monkeypatch.setenv("CATENA_SANDBOX", "require")
    bare_cli("cases", "list")


@pytest.mark.parametrize(
    "arguments",
    [
        ["cases", "list"],
        ["items", "list"],
        ["items", "show", "x"],
        ["provisions", "list"],
        ["users", "list"],
        ["tokens", "list"],
        ["keys", "list"],
        ["log", "checkpoint"],
        ["audit"],
        ["migrate"],
        ["worker", "--drain"],
        ["match", "x"],
        ["export", "--case", "T1", "-o", "x.zip"],
    ],
    ids=" ".join,
)
def test_every_command_says_where_no_archive_is(empty_cli: Cli, arguments: list[str]) -> None:
    empty_cli(*arguments, "--json", code=3).refused("no_archive", 3)
    assert not empty_cli.data.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing-like-it"],
        ["ingest"],
        ["ingest", "x"],
        ["items", "list", "--nonsense"],
        ["link", "a", "b", "--direction", "sideways", "--rationale", "r"],
        ["users", "add", "x", "--role", "king"],
        ["audit", "--sample", "0"],
        ["log", "consistency", "0", "1"],
        ["serve", "--port", "70000"],
        ["tokens", "create", "admin", "--days", "0"],
        ["export", "--case", "T1"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_explained_with_exit_code_2(empty_cli: Cli, arguments: list[str]) -> None:
    ran = empty_cli(*arguments, code=2)
    assert "Usage:" in ran.err
    assert ran.out == ""
    assert empty_cli(*arguments, "--json", code=2).json["error"]["code"] == "usage"


def catena(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_the_command_as_a_process_of_its_own(tmp_path: Path) -> None:
    data = str(tmp_path / "архів")
    given = {"CATENA_DATA": data, "CATENA_PASSPHRASE": "in the environment", "PYTHONIOENCODING": "ascii"}
    made = catena("init", "--json", **given)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["data"] == data
    refused = catena("items", "show", "nothing", "--json", **given)
    assert refused.returncode == 2
    assert refused.stderr == "catena: unknown_item: there is no such item, or you are not a member of its case\n"
    assert json.loads(refused.stdout)["error"]["code"] == "unknown_item"


def test_version_and_help_are_no_failures(empty_cli: Cli) -> None:
    assert empty_cli("--version").out.startswith("catena, version ")
    assert "Exit codes" in empty_cli("--help").out
    assert "Usage: catena" in empty_cli(code=2).err
