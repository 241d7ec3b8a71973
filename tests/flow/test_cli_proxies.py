"""Proxies on the command line."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.commands import Cli
from tests.recordings import play, record


def test_proxy_is_shown_written_out_once_and_asked_for_again(bare_cli: Cli, tmp_path: Path) -> None:
    cli = bare_cli
    original = record(tmp_path / "a.mkv", [number / 10 for number in range(20)])
    item = cli.json("ingest", original, "--case", "T1")["items"][0]["id"]
    shown = cli.json("items", "show", item)
    assert shown["proxy"]["state"] == "done"
    assert [made["role"] for made in shown["derivatives"]] == ["preview", "proxy"]
    assert "proxy: 1." in cli("items", "show", item).out

    out = tmp_path / "proxy.mp4"
    told = cli.json("items", "proxy", item, "-o", out)
    assert told["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest() == shown["proxy"]["sha256"]
    assert len(play(out).pictures) == 20
    assert (
        cli.one(
            "SELECT count(*) FROM custody_event WHERE type = 'access' AND CAST(canonical AS TEXT) LIKE '%\"proxy\"%'"
        )
        == "1"
    )
    cli("items", "proxy", item, "-o", out, code=2).refused("output_exists")
    cli("items", "proxy", item, code=2).refused("bad_usage")
    cli("items", "proxy", item, "-o", tmp_path / "none" / "a.mp4", code=None)
    cli("items", "proxy", "0" * 36, "-o", tmp_path / "b.mp4", code=2).refused("unknown_item")
    assert not (tmp_path / "b.mp4").exists()

    assert cli.json("items", "proxy", item, "--make")["state"] == "pending"
    cli("items", "proxy", item, "--make", code=2).refused("proxy_pending")
    assert cli.json("items", "show", item)["proxy"]["state"] == "pending"
    assert cli.json("items", "show", item)["proxy"]["sha256"] == told["sha256"], "the older one stays at hand"
    cli("users", "add", "out", "--role", "investigator")
    cli("items", "proxy", item, "-o", tmp_path / "b.mp4", "--as", "out", code=2).refused("unknown_item")
    assert cli("audit").code == 0


def test_proxy_that_was_altered_on_the_disk_is_not_written_out(bare_cli: Cli, tmp_path: Path) -> None:
    cli = bare_cli
    item = cli.json("ingest", record(tmp_path / "a.mkv", [0.0, 0.1]), "--case", "T1")["items"][0]["id"]
    digest = cli.json("items", "show", item)["proxy"]["sha256"]
    stored = cli.data / "blobs" / "sha256" / digest[:2] / digest[2:4] / digest
    stored.chmod(0o600)
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    cli("items", "proxy", item, "-o", tmp_path / "b.mp4", code=None).refused("fixity_mismatch")
    assert not (tmp_path / "b.mp4").exists()
    assert cli("audit", code=1).code == 1
