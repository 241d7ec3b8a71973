"""Versions of metadata records on the command line."""

from __future__ import annotations

from pathlib import Path

from tests.commands import Cli
from tests.media_samples import exif_bytes, photo


def test_items_are_analysed_again_and_each_version_stays(bare_cli: Cli, tmp_path: Path) -> None:
    cli = bare_cli
    path = photo(tmp_path / "a.jpg", exif=exif_bytes({0x010F: "Maker"}))
    item = cli.json("ingest", path, "--case", "T1")["items"][0]["id"]
    cli("items", "reanalyse", code=2).refused("bad_usage")
    cli("items", "reanalyse", item, "--all-older", code=2).refused("bad_usage")
    cli("items", "reanalyse", "0" * 36, code=2).refused("unknown_item")
    assert cli.json("items", "reanalyse", "--all-older") == {"asked": [], "pending": []}

    assert cli.json("items", "reanalyse", item)["asked"] == [{"item": item, "version": 2}]
    cli("items", "reanalyse", item, code=2).refused("analysis_pending")
    assert cli.json("items", "reanalyse", "--case", "T1") == {"asked": [], "pending": [item]}
    cli("worker", "--drain")
    versions = cli.json("items", "versions", item)["versions"]
    assert [(one["number"], one["state"]) for one in versions] == [(1, "done"), (2, "done")]
    assert versions[0]["sha256"] == versions[1]["sha256"], "the same analyser says the same"
    assert "analyser" in cli("items", "versions", item).out
    assert cli.json("items", "changes", item, 1, 2)["changes"] == []
    assert cli("items", "changes", item, 1, 2).out.strip() == "nothing differs"
    cli("items", "changes", item, 1, 3, code=2).refused("unknown_version")
    assert cli("audit").code == 0
