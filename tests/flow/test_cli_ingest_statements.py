"""What options say of all files and a manifest of one: restrictions of both reach the item."""

from __future__ import annotations

from pathlib import Path

from tests.commands import Cli

QUIET = ("--case", "T1", "--no-analysis")


def listed(folder: Path, columns: str, row: str) -> tuple[Path, ...]:
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"picture")
    (folder / "list.csv").write_text(f"file,{columns}\na.jpg,{row}\n", encoding="utf-8")
    return (folder, Path("--manifest"), folder / "list.csv")


def test_row_does_not_lift_what_the_command_line_asks_for(bare_cli: Cli, tmp_path: Path) -> None:
    given = listed(
        tmp_path / "in",
        "handling,handling_note,consent,tool,caption,legal_basis",
        "distressing,blood,refused,other,x,consent",
    )
    options = (
        *("--handling", "do_not_share", "--handling", "protect_witness", "--handling-note", "ask ana"),
        *("--consent-note", "she signed", "--tool", "yt-dlp", "--tool-version", "9", "--caption-language", "uk"),
        *("--legal-basis", "other", "--legal-basis-note", "by decree", "--collector", "ana"),
    )
    done = bare_cli.json("ingest", *given, *options, *QUIET)
    item = next(one["id"] for one in done["items"] if one["path"].endswith("a.jpg"))
    told = bare_cli.json("items", "show", item)["source"]
    assert told == {
        "handling": ["distressing", "do_not_share", "protect_witness"],
        "handling_note": "blood\nask ana",
        "consent": "refused",
        "tool": "other",
        "caption": "x",
        "legal_basis": "consent",
        "collector": "ana",
    }
    assert [one for one in bare_cli.json("audit")["findings"] if one["severity"] != "info"] == []


def test_consent_that_both_state_differently_takes_nothing(bare_cli: Cli, tmp_path: Path) -> None:
    given = listed(tmp_path / "in", "consent", "given")
    line = bare_cli("ingest", *given, "--consent", "withdrawn", *QUIET, code=2).refused("bad_source")
    assert "a.jpg: consent: " in line
    assert bare_cli.one("SELECT count(*) FROM item") == "0"
