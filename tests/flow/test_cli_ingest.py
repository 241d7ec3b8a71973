"""`catena ingest`: everything it takes, everything it refuses, and what it prints."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from app.errors import EnvironmentFailedError
from app.intake.service import Intake
from tests.commands import Cli
from tests.media_samples import photo, png_header


def test_document_has_the_promised_shape_and_the_digests_are_those_of_openssl(bare_cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep" / "deeper").mkdir(parents=True)
    photo(folder / "a.jpg")
    (folder / "deep" / "deeper" / "same.jpg").write_bytes((folder / "a.jpg").read_bytes())
    (folder / "deep" / "note.txt").write_text("text")
    done = bare_cli.json("ingest", folder, "--recursive", "--case", "T1", "--again", "--jobs", "1")
    assert set(done) == {"items", "failed", "skipped", "sidecars", "left_out", "checks_failed"}
    assert (done["failed"], done["skipped"], done["sidecars"], done["left_out"]) == ([], [], [], [])
    assert [Path(one["path"]).name for one in done["items"]] == ["a.jpg", "same.jpg", "note.txt"]
    for one in done["items"]:
        assert set(one) == {"id", "path", "sha256", "size", "duplicate_of", "receipt"}
        judged = subprocess.run(["openssl", "dgst", "-sha256", "-r", one["path"]], capture_output=True, check=True)
        assert judged.stdout.split()[0].decode() == one["sha256"]
        assert one["size"] == Path(one["path"]).stat().st_size
        statement = json.loads(Path(one["receipt"]).read_bytes())
        assert (statement["item"], statement["sha256"]) == (one["id"], one["sha256"])
        assert Path(one["receipt"] + ".p7s").stat().st_size > 500
    first, second, third = done["items"]
    assert [first["duplicate_of"], second["duplicate_of"], third["duplicate_of"]] == [[], [first["id"]], []]
    shown = bare_cli.json("items", "show", second["id"])
    assert shown["analysis"] == "done"
    assert shown["duplicates"] == [first["id"]]
    assert [match["verdict"] for match in shown["matches"]] == ["identical"]
    assert bare_cli.json("audit")["findings"] == []


def test_without_recursive_only_the_files_of_a_folder_itself_are_taken(bare_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("a")
    (tmp_path / "in" / "deep" / "b.txt").write_text("b")
    done = bare_cli.json("ingest", tmp_path / "in", "--case", "T1", "--no-analysis")
    assert [Path(one["path"]).name for one in done["items"]] == ["a.txt"]


def test_each_bad_file_is_refused_or_kept_and_flagged_and_the_rest_is_taken(bare_cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    whole = photo(folder / "whole.jpg", size=(400, 300)).read_bytes()
    (folder / "empty.jpg").touch()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 3])
    (folder / "bomb.png").write_bytes(png_header(50_000, 50_000))
    (folder / "unknown.xyz").write_bytes(b"\x00\x01\x02 unknown")
    os.mkfifo(folder / "pipe")
    done = bare_cli.json("ingest", folder, folder / "missing.jpg", folder / "pipe", "--case", "T1", code=2)
    assert {(Path(one["path"]).name, one["code"]) for one in done["failed"]} == {
        ("empty.jpg", "empty_file"),
        ("missing.jpg", "unreadable"),
        ("pipe", "not_a_file"),
    }
    assert all(one["detail"] for one in done["failed"])
    kept = {Path(one["path"]).name: one["id"] for one in done["items"]}
    flags = {
        "whole.jpg": set(),
        "truncated.jpg": {"truncated"},
        "bomb.png": {"image_too_large"},
        "unknown.xyz": {"unknown_type"},
    }
    assert set(kept) == set(flags)
    for name, item in kept.items():
        shown = bare_cli.json("items", "show", item)
        assert shown["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert shown["analysis"] == "done"
        assert {f["code"] for f in shown["metadata"]["findings"] if f["severity"] != "info"} == flags[name]
    assert bare_cli.json("audit")["ok"] is True


HOSTILE_NAMES = {
    b"..\\..\\etc\\passwd": "passwd",
    b"line\nbreak.txt": "line%0Abreak.txt",
    b"\x1b[31mred\x07.txt": "%1B[31mred%07.txt",
    b"no\xfftext.txt": "no%ED%B3%BFtext.txt",
    "right\u202eleft.txt".encode(): "right%E2%80%AEleft.txt",
    "Фото 😀.txt".encode(): "Фото 😀.txt",
}


def test_hostile_file_names_are_recorded_readably_and_never_reach_the_terminal(bare_cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in HOSTILE_NAMES:
        (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_bytes(name)
    told = bare_cli("ingest", folder, "--case", "T1", "--no-analysis")
    assert "\x1b" not in told.out + told.err
    assert "\u202e" not in told.out + told.err
    assert len(told.out.splitlines()) == 1 + len(HOSTILE_NAMES) + 1
    listed = bare_cli.json("items", "list")["items"]
    assert {one["original_name"] for one in listed} == set(HOSTILE_NAMES.values())
    assert "\x1b" not in bare_cli("items", "list").out
    again = bare_cli.json("ingest", folder, "--case", "T1", "--no-analysis")
    assert {os.fsencode(Path(one["path"]).name) for one in again["skipped"]} == set(HOSTILE_NAMES)
    (folder / "\x1bempty").touch()
    assert "\x1b" not in bare_cli("ingest", folder / "\x1bempty", "--case", "T1", code=2).out


def test_a_long_note_is_kept_whole_and_one_that_is_too_long_takes_nothing(bare_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    note = "Ж" * 5_000
    said = (
        "--source-url",
        "https://example.org/1",
        "--collected-at",
        "2025-07-06T14:00:00+03:00",
        "--collector",
        "ana",
    )
    taken = bare_cli.json("ingest", tmp_path / "a.txt", "--case", "T1", "--no-analysis", "--source-note", note, *said)
    source = bare_cli.json("items", "show", taken["items"][0]["id"])["source"]
    assert source == {
        "url": "https://example.org/1",
        "note": note,
        "collected_at": "2025-07-06T14:00:00+03:00",
        "collector": "ana",
    }
    ran = bare_cli("ingest", tmp_path / "a.txt", "--case", "T1", "--source-note", "Ж" * 9_000, "--json", code=2)
    assert "note" in ran.refused("bad_source")
    assert len(bare_cli.json("items", "list")["items"]) == 1


@pytest.mark.parametrize("when", ["yesterday", "2025-07-06T14:00:00", "2025-13-01T00:00:00Z", ""])
def test_time_that_cannot_be_read_takes_nothing(bare_cli: Cli, tmp_path: Path, when: str) -> None:
    (tmp_path / "a.txt").write_text("a")
    ran = bare_cli("ingest", tmp_path / "a.txt", "--case", "T1", "--collected-at", when, code=2)
    assert "collected_at" in ran.refused("bad_source")
    assert bare_cli.json("items", "list")["items"] == []


def test_nothing_there_and_bad_case_references(bare_cli: Cli, tmp_path: Path) -> None:
    bare_cli("ingest", tmp_path, "--case", "T1", code=2).refused("nothing_to_ingest")
    (tmp_path / "a.txt").write_text("a")
    for reference in ("", "../T1", "a b", "x" * 65):
        bare_cli("ingest", tmp_path / "a.txt", "--case", reference, code=2).refused("bad_case_ref")


def test_who_may_not_ingest_is_refused_and_the_attempt_is_recorded(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    before = cli.one("SELECT count(*) FROM item")
    cli("ingest", tmp_path / "a.txt", "--case", "T1", "--as", "lena", code=2).refused("not_allowed")
    cli("ingest", tmp_path / "a.txt", "--case", "NEW", "--as", "lena", code=2).refused("not_allowed")
    cli("ingest", tmp_path / "a.txt", "--case", "T1", "--as", "nobody", code=2).refused("unknown_user")
    assert cli.one("SELECT count(*) FROM item") == before
    assert cli.one("SELECT count(*) FROM custody_event WHERE type = 'access denied'") == "2"


def test_full_disk_is_the_environment_and_every_file_is_accounted_for(
    bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.txt").write_text(name)
    real = Intake.check_room

    def room_for_one(self: Intake, wanted: int = 0) -> None:
        real(self, wanted)
        if list(self._archive.blobs.list())[1:]:
            raise EnvironmentFailedError("storage_full", "the archive's disk is full; nothing was kept", status=507)

    bare_cli("ingest", tmp_path / "a.txt", "--case", "T1", "--no-analysis")
    monkeypatch.setattr(Intake, "check_room", room_for_one)
    files = [tmp_path / f"{name}.txt" for name in "bcd"]
    done = bare_cli.json("ingest", *files, "--case", "T1", "--no-analysis", "--jobs", "1", code=3)
    assert [Path(one["path"]).name for one in done["items"]] == ["b.txt"]
    assert [(Path(one["path"]).name, one["code"]) for one in done["failed"]] == [
        ("c.txt", "storage_full"),
        ("d.txt", "storage_full"),
    ]


def test_failure_after_the_files_were_taken_still_tells_what_was_taken(
    bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("a")

    def busy(*_: object) -> None:
        raise EnvironmentFailedError("database_busy", "the database is busy; try again")

    monkeypatch.setattr("app.jobs.service.Jobs.claim", busy)
    ran = bare_cli("ingest", tmp_path / "a.txt", "--case", "T1", "--json", code=3)
    assert len(ran.json["items"]) == 1
    assert "database_busy" in ran.err


def test_receipts_go_where_they_are_wanted_and_when_they_cannot_the_item_is_taken(
    bare_cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("a")
    wanted = tmp_path / "receipts" / "deep"
    done = bare_cli.json("ingest", tmp_path / "a.txt", "--case", "T1", "--no-analysis", "--receipts", wanted)
    assert {path.name for path in wanted.iterdir()} == {f"{done['items'][0]['id']}.json{end}" for end in ("", ".p7s")}
    (tmp_path / "taken").write_text("this is no folder")
    ran = bare_cli(
        *("ingest", tmp_path / "a.txt", "--case", "T1", "--no-analysis", "--json", "--again"),
        *("--receipts", tmp_path / "taken"),
    )
    assert ran.json["failed"] == []
    assert ran.json["items"][0]["receipt"] is None
    assert "receipt of item" in ran.err


def test_folder_that_cannot_be_read_is_an_error_and_not_left_out(
    bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in" / "closed").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("a")
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", scandir)
        ran = bare_cli("ingest", tmp_path / "in", "--recursive", "--case", "T1", code=3)
    assert "closed: Permission denied" in ran.refused("environment", 3)
    assert bare_cli.json("items", "list")["items"] == []


def test_corpus_is_taken_whole(bare_cli: Cli, corpus: Path) -> None:
    done = bare_cli.json("ingest", corpus / "photos", corpus / "video", "--recursive", "--case", "T1", "--no-analysis")
    assert done["failed"] == []
    files = [path for part in ("photos", "video") for path in (corpus / part).rglob("*") if path.is_file()]
    assert {one["path"] for one in done["items"]} == {str(path) for path in files}
    for one in done["items"]:
        with open(one["path"], "rb") as stream:  # noqa: PTH123 - file_digest wants the stream
            assert hashlib.file_digest(stream, "sha256").hexdigest() == one["sha256"]
