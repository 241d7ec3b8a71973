"""The archive's passphrase, keys and database are taken for evidence by nothing: no kind of collection, no link."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.intake.collections.entries import Collection, Entry, Sidecar
from app.intake.collections.own_files import OwnFiles
from schemas.records.v1.source import SourceContext
from tests.collectors import AutoArchive, ProofBundle, pgp_key
from tests.commands import Cli

QUIET = ("--case", "T1", "--no-analysis")
NOBODY = SourceContext()


def secrets(cli: Cli) -> dict[str, Path]:
    """By SHA-256: the files of the archive that must never leave it, as they were before anything was taken."""
    files = [cli.data / "passphrase", cli.data / "archive.json", *(cli.data / "keys").iterdir()]
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in files}


def holds_none(cli: Cli, own: dict[str, Path], done: dict[str, Any], *taken: str) -> None:
    """Only what was expected was taken, none of it is a secret, and the whole archive is sound."""
    assert sorted(Path(one["path"]).name for one in done["items"]) == sorted(taken)
    held = set(json.loads(cli.one("SELECT json_group_array(sha256) FROM item")))
    assert held & own.keys() == set()
    assert len(held) == len(taken)
    assert [one for one in cli.json("audit")["findings"] if one["severity"] != "info"] == []


def out(done: dict[str, Any]) -> set[str]:
    return {Path(one["path"]).name for one in done["left_out"] if one["code"] == "archive_data"}


@pytest.fixture
def working(bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `catena-data` and a picture in it, where a person stands."""
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.move(bare_cli.data, folder / "catena-data")
    bare_cli.data = folder / "catena-data"
    monkeypatch.delenv("CATENA_DATA")
    monkeypatch.chdir(folder)
    return folder


def test_folder_of_auto_archiver_around_the_archive_gives_up_its_media_alone(bare_cli: Cli, working: Path) -> None:
    own = secrets(bare_cli)
    made = AutoArchive(working)
    made.add("a.jpg", b"picture")
    made.write(database=True)
    done = bare_cli.json("ingest", ".", "--collection", "auto-archiver", *QUIET)
    assert {"passphrase", "ca.key", "seal.key", "catena.db", "archive.json"} <= out(done)
    holds_none(bare_cli, own, done, "a.jpg", "formatted.html", "db.csv")


def test_folder_of_proofmode_around_the_archive_gives_up_its_media_alone(bare_cli: Cli, working: Path) -> None:
    own = secrets(bare_cli)
    with pgp_key() as key:
        bundle = ProofBundle(key)
        bundle.add("a.jpg", b"picture")
    for name, data in bundle.files.items():
        (working / name).write_bytes(data)
    done = bare_cli.json("ingest", ".", *QUIET)
    assert {"passphrase", "ca.key", "seal.key", "catena.db"} <= out(done)
    holds_none(bare_cli, own, done, *bundle.files)


@pytest.mark.parametrize("option", [("--manifest", "list.csv"), ("--collection", "manifest")])
def test_manifest_that_names_the_passphrase_does_not_get_it(
    bare_cli: Cli, working: Path, option: tuple[str, str]
) -> None:
    own = secrets(bare_cli)
    (working / "a.jpg").write_bytes(b"picture")
    (working / "list.csv").write_text("file\na.jpg\ncatena-data/passphrase\ncatena-data/keys/ca.key\n")
    path = "." if option[0] == "--manifest" else "list.csv"
    done = bare_cli.json("ingest", path, *option, *QUIET)
    assert {"passphrase", "ca.key"} <= out(done)
    holds_none(bare_cli, own, done, "a.jpg", "list.csv")


def test_plain_folder_around_the_archive_and_links_into_it(bare_cli: Cli, working: Path) -> None:
    own = secrets(bare_cli)
    (working / "a.jpg").write_bytes(b"picture")
    (working / "a.xmp").symlink_to(working / "catena-data" / "keys" / "ca.key")
    (working / "link.txt").symlink_to(working / "catena-data" / "passphrase")
    (working / "twice.txt").symlink_to(working / "link.txt")
    done = bare_cli.json("ingest", ".", "--recursive", "--hidden", *QUIET)
    assert out(done) == {"catena-data", "a.xmp", "link.txt", "twice.txt"}
    holds_none(bare_cli, own, done, "a.jpg")


def test_link_that_is_named_does_not_lead_into_the_archive(bare_cli: Cli, working: Path) -> None:
    own = secrets(bare_cli)
    (working / "f").mkdir()
    (working / "f" / "link.txt").symlink_to(working / "catena-data" / "passphrase")
    (working / "f" / "folder").symlink_to(working / "catena-data" / "keys")
    (working / "a.jpg").write_bytes(b"picture")
    done = bare_cli.json("ingest", "a.jpg", "f/link.txt", "f/folder", "catena-data", "catena-data/../f", *QUIET)
    assert {"link.txt", "folder", "catena-data"} <= out(done)
    holds_none(bare_cli, own, done, "a.jpg")


@pytest.mark.parametrize(
    "named",
    [
        ("catena-data",),
        ("catena-data", "--recursive"),
        ("catena-data/keys",),
        ("catena-data/passphrase",),
        ("catena-data/keys/../passphrase",),
        ("catena-data", "--collection", "auto-archiver"),
        ("catena-data", "--collection", "proofmode"),
        ("catena-data/bundle.zip", "--collection", "proofmode"),
        ("catena-data/list.csv", "--collection", "manifest"),
        (".", "--manifest", "catena-data/list.csv"),
        ("catena-data", "--watch"),
    ],
    ids=" ".join,
)
def test_archive_that_is_named_is_refused(bare_cli: Cli, working: Path, named: tuple[str, ...]) -> None:
    own = secrets(bare_cli)
    (working / "catena-data" / "list.csv").write_text("file\npassphrase\n")
    shutil.copy(working / "catena-data" / "list.csv", working / "catena-data" / "bundle.zip")
    bare_cli("ingest", *named, *QUIET, code=2).refused("archive_data")
    (working / "catena-data" / "list.csv").unlink()
    (working / "catena-data" / "bundle.zip").unlink()
    holds_none(bare_cli, own, {"items": []})


def test_hard_links_to_secrets_are_known_by_what_they_are(bare_cli: Cli, working: Path) -> None:
    """No path tells: the same file has a second name outside the archive's folder."""
    own = secrets(bare_cli)
    folder = working / "in"
    folder.mkdir()
    for name in ("passphrase", "keys/ca.key", "keys/seal.key", "catena.db"):
        os.link(working / "catena-data" / name, folder / Path(name).name)
    (folder / "a.jpg").write_bytes(b"picture")
    told = bare_cli.json("ingest", "in", "--dry-run", *QUIET, code=2)
    done = bare_cli.json("ingest", "in", *QUIET, code=2)
    for one in (told, done):
        assert {Path(each["path"]).name for each in one["failed"]} == {"passphrase", "ca.key", "seal.key", "catena.db"}
        assert {each["code"] for each in one["failed"]} == {"archive_data"}
    for path in folder.iterdir():  # with one name each, or the audit would wonder
        path.unlink()
    holds_none(bare_cli, own, done, "a.jpg")


def test_passphrase_that_is_kept_elsewhere_is_no_evidence(
    bare_cli: Cli, working: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = secrets(bare_cli)
    folder = working / "in"
    folder.mkdir()
    shutil.move(working / "catena-data" / "passphrase", folder / "pass.txt")
    monkeypatch.setenv("CATENA_PASSPHRASE_FILE", str(folder / "pass.txt"))
    (folder / "a.jpg").write_bytes(b"picture")
    os.link(folder / "pass.txt", folder / "b.jpg")
    done = bare_cli.json("ingest", "in", *QUIET, code=2)
    assert out(done) == {"pass.txt"}
    assert [(Path(one["path"]).name, one["code"]) for one in done["failed"]] == [("b.jpg", "archive_data")]
    holds_none(bare_cli, own, done, "a.jpg")


def test_receipts_may_be_kept_where_the_files_are(bare_cli: Cli, working: Path) -> None:
    own = secrets(bare_cli)
    (working / "in").mkdir()
    (working / "in" / "a.jpg").write_bytes(b"picture")
    done = bare_cli.json("ingest", "in", "--receipts", "in/receipts", "--recursive", *QUIET)
    again = bare_cli.json("ingest", "in", "--receipts", "in/receipts", "--recursive", *QUIET)
    assert (again["items"], out(again)) == ([], {"receipts"})
    assert out(bare_cli.json("ingest", "in", "--receipts", ".", *QUIET)) == set()
    holds_none(bare_cli, own, done, "a.jpg")


def test_sidecar_is_not_lost_with_a_medium_that_is_the_archives_own(tmp_path: Path) -> None:
    for name in ("own/key", "b.mp4", "a.srt", "b.srt", "both.xmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a.mp4").symlink_to(tmp_path / "own" / "key")
    beside = [Sidecar(tmp_path / name, "srt") for name in ("a.srt", "b.srt", "both.xmp")]
    told = SourceContext(collector="ana")
    found = OwnFiles([tmp_path / "own"]).without(
        Collection(
            (
                Entry(tmp_path / "a.mp4", "a.mp4", told, sidecars=(beside[0], beside[2])),
                Entry(tmp_path / "b.mp4", "b.mp4", NOBODY, sidecars=(beside[1], beside[2])),
            )
        )
    )
    assert [(one.name, len(one.sidecars), one.source) for one in found.entries] == [
        ("b.mp4", 2, NOBODY),
        ("a.srt", 0, told),
    ]
    assert [(one.path.name, one.code) for one in found.left_out] == [("a.mp4", "archive_data")]
