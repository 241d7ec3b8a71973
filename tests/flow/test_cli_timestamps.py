"""`catena tsa`, as an operator uses it, and what openssl makes of the files that it writes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_store.seal import seal_tokens
from tests.commands import Cli
from tests.conftest import ROOT
from tests.judges import require
from tests.tsa import LocalTsa, authority, start_tsa

ITEM = "SELECT id FROM item ORDER BY received_at LIMIT 1"


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[LocalTsa]:
    """A running authority; its root is in the file beside it."""
    here = start_tsa(tmp_path, kind="rsa")
    yield here
    here.stop()


def roots(tsa: LocalTsa) -> Path:
    return tsa.folder / "root.pem"


def guide(heading: str) -> list[str]:
    """The commands of a section of docs/timestamps.md, as printed."""
    text = (ROOT / "docs" / "timestamps.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [line[4:] for line in section.splitlines() if line.startswith("    ")]


def test_an_authority_is_added_used_listed_and_removed(cli: Cli, tsa: LocalTsa) -> None:
    assert cli.json("tsa", "list") == {"authorities": [], "unusable": []}
    assert cli.json("tsa", "add", "example", tsa.url, "--roots", roots(tsa))["tried"] is True
    assert len(tsa.requests) == 1
    (shown,) = cli.json("tsa", "list")["authorities"]
    assert (shown["name"], shown["url"], shown["done"]) == ("example", tsa.url, 0)
    assert shown["roots"] == ["CN=first root,O=Time for tests"]
    wanted = cli.json("tsa", "backfill")["receipts"]
    assert wanted >= 1
    assert cli.json("tsa", "backfill")["receipts"] == 0
    before = cli.json("tsa", "status")
    assert {(one["state"], one["count"]) for one in before["counts"]} >= {("pending", wanted), ("done", 0)}
    assert len(before["open"]) == wanted
    again = cli.json("tsa", "retry", "example")
    assert again["asked_again"] == wanted
    assert again["open"] == []
    assert {one["count"] for one in again["counts"] if one["state"] == "done"} == {wanted + 1}  # and a checkpoint
    assert cli.json("tsa", "remove", "example") == {"name": "example", "given_up": 0}
    assert cli.json("tsa", "list") == {"authorities": [], "unusable": []}
    assert "example" in cli("tsa", "status").out  # what it did is still there
    assert cli.json("audit")["ok"]


def test_authority_whose_files_were_altered_is_listed_with_what_is_wrong(cli: Cli, tsa: LocalTsa) -> None:
    cli("tsa", "add", "example", tsa.url, "--roots", roots(tsa))
    record = next(cli.data.rglob("tsa/example.json"))
    record.write_bytes(b"{}")
    shown = cli.json("tsa", "list")
    assert shown["authorities"] == []
    (unusable,) = shown["unusable"]
    assert (unusable["name"], unusable["trouble"].partition(":")[0]) == ("example", "tsa_damaged")
    assert cli("tsa", "list").out.startswith("example is not asked: tsa_damaged: ")


def test_text_for_a_person_names_what_is_open_and_why(cli: Cli, tsa: LocalTsa) -> None:
    assert "example is asked from now on" in cli("tsa", "add", "example", tsa.url, "--roots", roots(tsa)).out
    tsa.stop()
    cli("tsa", "backfill")
    text = cli("tsa", "retry").out
    assert "pending" in text
    assert "tsa_unreachable: ConnectError" in text
    assert "example" in cli("tsa", "list").out
    assert "(none)" not in cli("tsa", "status").out
    cli("tsa", "remove", "example")
    assert "(none)" in cli("tsa", "list").out


def test_wrong_addresses_names_files_and_roots_are_told_in_one_line(cli: Cli, tsa: LocalTsa, tmp_path: Path) -> None:
    cli("tsa", "add", "Ex", tsa.url, "--roots", roots(tsa), code=2).refused("bad_tsa_name")
    cli("tsa", "add", "ex", "tsa.example", "--roots", roots(tsa), code=2).refused("bad_tsa_url")
    cli("tsa", "add", "ex", tsa.url, "--roots", tmp_path / "none.pem", code=2).refused("no_such_file")
    cli("tsa", "add", "ex", tsa.url, "--roots", tsa.folder / "tsa.crt", code=2).refused("tsa_roots_malformed")
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(authority("stranger").roots_pem)
    cli("tsa", "add", "ex", tsa.url, "--roots", stranger, code=2).refused("timestamp_untrusted")
    tsa.stop()
    cli("tsa", "add", "ex", tsa.url, "--roots", roots(tsa), code=3).refused("tsa_unreachable", 3)
    assert cli.json("tsa", "list") == {"authorities": [], "unusable": []}
    assert cli.json("tsa", "add", "ex", tsa.url, "--roots", roots(tsa), "--untried")["tried"] is False
    cli("tsa", "add", "ex", tsa.url, "--roots", roots(tsa), "--untried", code=2).refused("tsa_name_taken")
    for command in ("remove", "retry"):
        cli("tsa", command, "other", code=2).refused("unknown_tsa")


def test_only_an_admin_sets_authorities_up(cli: Cli, tsa: LocalTsa) -> None:
    cli("users", "add", "aud", "--role", "auditor")
    for command in (
        ("add", "ex", tsa.url, "--roots", roots(tsa)),
        ("remove", "ex"),
        ("backfill",),
        ("retry",),
    ):
        cli("tsa", *command, "--as", "aud", code=2).refused("not_allowed")
    assert cli.json("tsa", "list", "--as", "aud") == {"authorities": [], "unusable": []}
    assert tsa.requests == []


def test_fetched_files_are_checked_by_openssl_as_the_guide_says(cli: Cli, tsa: LocalTsa, tmp_path: Path) -> None:
    require("openssl")
    cli("tsa", "add", "example", tsa.url, "--roots", roots(tsa))
    cli("tsa", "backfill")
    cli("tsa", "retry")
    fetch, *checks = guide("Checking a checkpoint's token with openssl alone")
    assert fetch == "catena tsa fetch checkpoint:57 --out stamps && cd stamps"
    size = cli.one("SELECT substr(subject, 12) FROM timestamp WHERE subject LIKE 'checkpoint:%'")
    files = cli.json("tsa", "fetch", f"checkpoint:{size}", "--out", tmp_path / "stamps")["files"]
    assert files == ["checkpoint", "checkpoint.example.tst", "example.pem"]
    assert "Verification: OK" in run(checks, tmp_path / "stamps")
    files = cli.json("tsa", "fetch", f"receipt:{cli.one(ITEM)}", "--out", tmp_path / "receipt")["files"]
    assert files == ["example.pem", "receipt", "receipt.example.tst", "receipt.p7s"]
    signature = (tmp_path / "receipt" / "receipt.p7s").read_bytes()
    assert seal_tokens(signature) == ((tmp_path / "receipt" / "receipt.example.tst").read_bytes(),)
    (tmp_path / "receipt" / "ca.crt").write_bytes((cli.data / "keys" / "ca.crt").read_bytes())
    assert "Verification: OK" in run(guide("Checking a seal's token with openssl alone"), tmp_path / "receipt")


def run(commands: list[str], folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(commands)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_nothing_to_fetch_of_what_is_not_there_or_not_stamped(cli: Cli, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "stamps")
    cli("tsa", "fetch", f"receipt:{cli.one(ITEM)}", *out, code=2).refused("unknown_timestamp")
    for subject in ("checkpoint:999999", "checkpoint:x", "nothing", "receipt:x", "bundle:x"):
        ran = cli("tsa", "fetch", subject, *out, code=2)
        assert "unknown_subject" in ran.err or "unknown_item" in ran.err
    assert not (tmp_path / "stamps").exists()
