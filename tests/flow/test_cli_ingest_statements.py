"""What options say of all files and a manifest of one: restrictions of both reach the item."""

from __future__ import annotations

from pathlib import Path

from tests.collectors import ProofBundle, pgp_key
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


def test_one_file_name_does_not_make_a_folder_a_proofmode_bundle(bare_cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"picture")
    names = [
        "notes.proof.json",
        "x.proof.csv",
        f"{'a' * 63}.proof.json",
        f"{'g' * 64}.proof.csv",
        f"{'a' * 64}.proof.xml",
    ]
    for name in names:
        (folder / name).write_text(f'{{"of": "{name}"}}')
    ran = bare_cli("ingest", folder, "--json", *QUIET)
    assert sorted(Path(one["path"]).name for one in ran.json["items"]) == sorted(["a.jpg", *names])
    assert "--collection" not in ran.err
    assert [one for one in bare_cli.json("audit")["findings"] if one["severity"] != "info"] == []


def test_kind_that_was_found_is_said_unless_it_was_named(bare_cli: Cli, tmp_path: Path) -> None:
    with pgp_key() as key:
        bundle = ProofBundle(key)
        bundle.add("a.jpg", b"picture")
    folder = bundle.folder(tmp_path / "in")
    for options, said in (((), True), (("--collection", "proofmode"), False), (("--collection", "folder"), False)):
        ran = bare_cli("ingest", folder, *options, "--dry-run", *QUIET)
        assert ("ingest: read as --collection proofmode; --collection folder" in ran.err) is said
    listing = listed(tmp_path / "table", "collector", "ana")
    assert "ingest: read as --collection manifest\n" in bare_cli("ingest", *listing, "--dry-run", *QUIET).err


def test_folder_of_proofs_in_capitals_is_found(bare_cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / f"{'AB' * 32}.proof.json").write_text("{}")
    assert "read as --collection proofmode" in bare_cli("ingest", folder, "--dry-run", *QUIET, code=None).err
