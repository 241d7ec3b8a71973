"""`catena renew` on the command line: as docs/renewal.md prints it, and when it cannot be done."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Cli
from tests.conftest import ROOT
from tests.renewals import lasting
from tests.tsa import Authority, LocalTsa, authority

DOCS = (ROOT / "docs" / "renewal.md").read_text(encoding="utf-8")


@pytest.fixture
def asked(cli: Cli, tmp_path: Path) -> Iterator[LocalTsa]:
    """An authority that the archive asks."""
    with LocalTsa(tmp_path / "tsa", authority("first")) as tsa:
        add(cli, tmp_path, "first", tsa)
        yield tsa


def add(cli: Cli, folder: Path, name: str, tsa: LocalTsa) -> None:
    (folder / f"{name}.pem").write_bytes(tsa.authority.roots_pem)
    cli("tsa", "add", name, tsa.url, "--roots", folder / f"{name}.pem")


def commands_of(section: str) -> list[str]:
    """The commands that a section of the page prints, comments cut."""
    text = DOCS.split(f"## {section}\n")[1].split("\n## ")[0]
    return [re.sub(r"\s+# .*$", "", line[4:]) for line in text.splitlines() if line.startswith("    catena ")]


def test_every_command_of_the_page_works_as_printed(cli: Cli, asked: LocalTsa) -> None:
    commands = commands_of("Commands")
    assert len(commands) == 4
    said = [cli(*shlex.split(command)[1:]).out for command in commands]
    assert "renewal 1: " in said[0]
    assert "stamped by first at" in said[0]
    assert "holds until" in said[1]
    assert "2049-01-01" in said[1]
    assert said[2].strip() == "nothing is due"


def test_what_was_done_and_what_stands_are_one_document_each(cli: Cli, asked: LocalTsa) -> None:
    done = cli.json("renew")
    assert set(done) == {"reasons", "tree", "stamped", "silent", "problems"}
    assert done["tree"]["renewal"] == 1
    assert len(done["tree"]["root"]) == 128
    standing = cli.json("renew", "--status")
    assert set(standing) == {"log_size", "covered", "renewals", "due"}
    (renewal,) = standing["renewals"]
    assert renewal["root"] == done["tree"]["root"]
    assert standing["covered"] == renewal["tree_size"] == done["tree"]["tree_size"]
    assert standing["log_size"] > standing["covered"]
    assert renewal["lapsed"] is False
    assert [stamp["authority"] for stamp in renewal["stamps"]] == ["first"]
    assert cli.json("audit")["ok"] is True


def test_who_is_no_administrator_is_refused_and_may_look(cli: Cli, asked: LocalTsa) -> None:
    cli("renew", "--as", "lena", code=2).refused("not_allowed")
    assert "(none)" in cli("renew", "--status", "--as", "lena").out
    assert cli.json("renew", "--status", "--as", "lena")["renewals"] == []


def test_without_an_authority_the_way_out_is_told(cli: Cli) -> None:
    assert "catena tsa add" in cli("renew", code=2).refused("no_tsa")
    assert cli("renew", "--due").out.strip() == "nothing is due"


def test_authority_that_is_down_is_an_outage_and_nothing_is_left(cli: Cli, asked: LocalTsa) -> None:
    asked.stop()
    told = cli("renew", code=3)
    assert "catena: tsa_unreachable: " in told.err
    assert cli.json("renew", "--status")["renewals"] == []
    assert [path.name for path in (cli.data / "renewals").iterdir()] == ["lock"]


def test_due_and_status_exclude_each_other(cli: Cli) -> None:
    cli("renew", "--due", "--status", code=2)


def test_time_stamp_that_expires_soon_is_renewed_and_why_is_told(cli: Cli, tmp_path: Path) -> None:
    brief: Authority = lasting("brief", 100)
    with LocalTsa(tmp_path / "brief", brief) as tsa:
        add(cli, tmp_path, "brief", tsa)
        cli("renew")
        assert "due: the time stamp of renewal 1 holds until" in cli("renew", "--status").out
        told = cli("renew", "--due", code=1)
        assert "NOT DONE: no authority gave renewal 1 a time stamp that holds beyond" in told.out
        with LocalTsa(tmp_path / "long", authority("long")) as other:
            add(cli, tmp_path, "long", other)
            told = cli("renew", "--due")
            assert "due: the time stamp of renewal 1 holds until" in told.out
            assert "renewal 1 holds until 2049-01-01 now" in told.out
            tsa.stop()
            told = cli("renew")
            assert "no time stamp of brief: tsa_unreachable" in told.out
    assert cli.json("audit")["ok"] is True
