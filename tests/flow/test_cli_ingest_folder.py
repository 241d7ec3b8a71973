"""`catena ingest` of folders: what is skipped, what belongs together, what is interrupted, what comes later."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import zipfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli import watching
from app.cli.fixed import Fixed
from app.cli.fixed import fix as fixed_before
from app.cli.ingest import ingest
from app.cli.local import Local
from app.cli.orders import Ready
from app.cli.outcome import Taken
from app.cli.own_files import Identity
from app.intake.collections.folder import read_folder
from schemas.records.v1.source import SourceContext
from tests.commands import Cli
from tests.conftest import ROOT
from tests.processes import Nursery, until

QUIET = ("--case", "T1", "--no-analysis")


def footage(folder: Path, number: int = 3) -> Path:
    """Recordings with subtitles of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(number):
        (folder / f"DJI_{n:04}.MP4").write_bytes(f"recording {n}".encode() * 1000)
        (folder / f"DJI_{n:04}.SRT").write_text(f"{n}\n00:00:00,000 --> 00:00:01,000\n")
    return folder


def notes(cli: Cli, item: str) -> list[dict[str, Any]]:
    """Details of what was noted on an item."""
    text = cli.one(
        "SELECT json_group_array(CAST(canonical AS TEXT)) FROM custody_event "  # noqa: S608 - an id of ours
        f"WHERE object = 'item:{item}' AND type = 'annotation'"
    )
    return [json.loads(event)["details"] for event in json.loads(text)]


def clean(cli: Cli) -> None:
    """The whole archive is checked; that work is still to be done is no fault."""
    assert [one for one in cli.json("audit")["findings"] if one["severity"] != "info"] == []


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [Path(row["path"]).name for row in rows]


def test_sidecars_become_items_of_their_own_that_belong_to_their_media(bare_cli: Cli, tmp_path: Path) -> None:
    folder = footage(tmp_path / "in", 2)
    (folder / "DJI_0001.json").write_text('{"alone": false}')
    (folder / ".DS_Store").touch()
    done = bare_cli.json("ingest", folder, "--source-note", "from a witness", *QUIET)
    ids = dict(zip(names(done["items"]), (one["id"] for one in done["items"]), strict=True))
    assert set(ids) == {"DJI_0000.MP4", "DJI_0000.SRT", "DJI_0001.MP4", "DJI_0001.SRT", "DJI_0001.json"}
    assert {(Path(one["path"]).name, Path(one["of"]).name, one["kind"]) for one in done["sidecars"]} == {
        ("DJI_0000.SRT", "DJI_0000.MP4", "srt"),
        ("DJI_0001.SRT", "DJI_0001.MP4", "srt"),
        ("DJI_0001.json", "DJI_0001.MP4", "json"),
    }
    assert [(Path(one["path"]).name, one["code"]) for one in done["left_out"]] == [(".DS_Store", "system_file")]
    medium = bare_cli.json("items", "show", ids["DJI_0001.MP4"])
    assert {(one["item"], one["direction"]) for one in medium["relations"]} == {
        (ids["DJI_0001.SRT"], "has"),
        (ids["DJI_0001.json"], "has"),
    }
    sidecar = bare_cli.json("items", "show", ids["DJI_0001.SRT"])
    (relation,) = sidecar["relations"]
    assert (relation["item"], relation["direction"], relation["kind"]) == (medium["id"], "belongs_to", "sidecar")
    assert sidecar["source"] == medium["source"] == {"note": "from a witness"}
    assert f"sidecar of {medium['id']}" in bare_cli("items", "show", ids["DJI_0001.SRT"]).out
    assert [one["relation"] for one in notes(bare_cli, sidecar["id"])] == [relation["id"]]
    bundle = tmp_path / "one.zip"
    bare_cli("export", "--item", medium["id"], "-o", bundle, "--purpose", "test")
    assert bare_cli.json("verify", bundle)["ok"] is True
    with zipfile.ZipFile(bundle) as inside:
        assert not [name for name in inside.namelist() if sidecar["id"].encode() in inside.read(name)]
    clean(bare_cli)


def test_what_the_case_holds_is_skipped_and_recorded_and_again_makes_a_second_item(
    bare_cli: Cli, tmp_path: Path
) -> None:
    folder = footage(tmp_path / "in", 1)
    (folder / "same.mp4").write_bytes((folder / "DJI_0000.MP4").read_bytes())
    first = bare_cli.json("ingest", folder, *QUIET)
    assert (names(first["items"]), first["skipped"]) == (["DJI_0000.MP4", "DJI_0000.SRT", "same.mp4"], [])
    item, twin = first["items"][0]["id"], first["items"][2]["id"]
    assert first["items"][2]["duplicate_of"] == [item], "copies that were collected together are items of their own"
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "renamed.mp4").write_bytes((folder / "same.mp4").read_bytes())
    asked = bare_cli.json("ingest", tmp_path / "later", "--source-note", "B", "--dry-run", *QUIET)
    assert (asked["items"], names(asked["skipped"]), asked["dry_run"]) == ([], ["renamed.mp4"], True)
    second = bare_cli.json("ingest", tmp_path / "later", "--source-note", "B", *QUIET)
    assert (second["items"], names(second["skipped"])) == ([], ["renamed.mp4"])
    assert second["skipped"][0] | {"path": ""} == {
        "path": "",
        "sha256": first["items"][0]["sha256"],
        "size": first["items"][0]["size"],
        "item": item,
        "reason": "known",
        "stated": [],
    }
    offered = [one["offered_again"] for one in notes(bare_cli, item) if "offered_again" in one]
    assert [(one["original_name"], one["source"]) for one in offered] == [("renamed.mp4", {"note": "B"})]
    again = bare_cli.json("ingest", tmp_path / "later", "--again", *QUIET)
    assert (names(again["items"]), again["items"][0]["duplicate_of"]) == (["renamed.mp4"], [item, twin])
    once_more = bare_cli.json("ingest", folder, *QUIET)
    assert (once_more["items"], len(once_more["skipped"])) == ([], 3)
    elsewhere = bare_cli.json("ingest", tmp_path / "later", "--case", "T2", "--no-analysis")
    assert names(elsewhere["items"]) == ["renamed.mp4"]
    clean(bare_cli)


def test_dry_run_says_what_would_happen_and_does_nothing(bare_cli: Cli, tmp_path: Path) -> None:
    folder = footage(tmp_path / "in", 1)
    (folder / "twin.mp4").write_bytes((folder / "DJI_0000.MP4").read_bytes())
    (folder / "empty").touch()
    would = bare_cli.json("ingest", folder, folder / "gone", "--dry-run", *QUIET, code=2)
    assert names(would["items"]) == ["DJI_0000.MP4", "DJI_0000.SRT", "empty", "twin.mp4"]
    digest = hashlib.sha256((folder / "DJI_0000.MP4").read_bytes()).hexdigest()
    assert (would["items"][0]["id"], would["items"][0]["sha256"]) == (None, digest)
    assert would["skipped"] == []
    assert [one["code"] for one in would["failed"]] == ["unreadable"]
    assert len(would["sidecars"]) == 1
    assert "nothing was done" in bare_cli("ingest", folder, "--dry-run", *QUIET).out
    assert bare_cli.one("SELECT count(*) FROM item") == "0"
    assert bare_cli.one("SELECT count(*) FROM evidence_case") == "0"
    assert not (bare_cli.data / "ingest").exists()


@pytest.mark.parametrize("more", [[], ["--watch"], ["--dry-run"]])
def test_folder_that_the_command_itself_writes_to_is_not_taken(
    more: list[str], bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = footage(tmp_path / "in", 1)
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    for named, receipts in (("in", folder), ("link", "in"), ("in/../in", "link"), ("new", "new")):
        said = bare_cli("ingest", named, "--receipts", receipts, "--recursive", *QUIET, *more, code=2)
        assert "bad_options" in said.err
    assert bare_cli.one("SELECT count(*) FROM item") == "0"
    clean(bare_cli)


def test_receipts_below_the_folder_are_not_taken_by_the_next_run(bare_cli: Cli, tmp_path: Path) -> None:
    folder = footage(tmp_path / "in", 1)
    order = ("ingest", folder, "--recursive", "--receipts", folder / "receipts", *QUIET)
    assert len(bare_cli.json(*order)["items"]) == 2
    again = bare_cli.json(*order)
    assert (again["items"], [one["code"] for one in again["left_out"]]) == ([], ["archive_data"])
    clean(bare_cli)


def test_file_that_changes_or_vanishes_between_hashing_and_reading_is_refused_and_the_rest_is_taken(
    bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "grows", "same_size", "vanishes", "z"):
        (folder / name).write_bytes(name.encode())

    def fix(path: Path, never: Collection[Identity]) -> Fixed:
        fixed = fixed_before(path, never)
        if path.name == "grows":
            path.write_bytes(b"more bytes than before")
        if path.name == "same_size":
            path.write_bytes(b"emas_ezis")
            os.utime(path, ns=(fixed.state[3], fixed.state[3]))  # only the bytes tell
        if path.name == "vanishes":
            path.unlink()
        return fixed

    monkeypatch.setattr("app.cli.taking.fix", fix)
    done = bare_cli.json("ingest", folder, *QUIET, code=2)
    assert names(done["items"]) == ["a", "z"]
    assert [(Path(one["path"]).name, one["code"]) for one in done["failed"]] == [
        ("grows", "changed_while_read"),
        ("same_size", "changed_while_read"),
        ("vanishes", "vanished"),
    ]
    assert bare_cli.one("SELECT count(*) FROM blob") == "2"
    assert list((bare_cli.data / "blobs" / "staging").iterdir()) == []


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own answer to Ctrl-C, also where the tests were started by what ignores it (nohup, a shell's `&`)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_after_the_files_under_way_and_the_same_command_goes_on(
    bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(6):
        (folder / f"{n}.bin").write_bytes(bytes([n]) * 1000)
    real = Local.deposit

    def deposit(self: Local, ready: Ready, moved: Callable[[int], None]) -> Taken:
        if ready.order.name == "2.bin":
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, ready, moved)

    with monkeypatch.context() as patched:
        patched.setattr(Local, "deposit", deposit)
        ran = bare_cli("ingest", folder, "--jobs", "1", "--json", *QUIET, code=2)
    stopped = ran.json
    assert "2.bin" in names(stopped["items"])  # under way when it was told
    assert {one["code"] for one in stopped["failed"]} == {"not_tried"}
    assert len(stopped["items"]) + len(stopped["failed"]) == 6
    assert "run the same command again" in ran.err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    rest = bare_cli.json("ingest", folder, "--jobs", "1", *QUIET)
    assert names(rest["items"]) == names(stopped["failed"])
    assert {one["reason"] for one in rest["skipped"]} == {"deposited"}
    assert all(notes(bare_cli, one["id"]) == [] for one in stopped["items"])  # not offered again: done
    third = bare_cli.json("ingest", folder, *QUIET)
    assert {one["reason"] for one in third["skipped"]} == {"known"}
    assert list((bare_cli.data / "ingest").iterdir()) == []
    clean(bare_cli)


@pytest.mark.parametrize("again", [(), ("--again",)])
def test_kill_9_in_the_middle_and_the_same_command_makes_exactly_one_item_of_each_file(
    processes: Nursery, bare_cli: Cli, tmp_path: Path, again: tuple[str, ...]
) -> None:
    folder = footage(tmp_path / "in", 40)
    order = ["ingest", str(folder), *QUIET, "--jobs", "2", "--json", *again]
    for pause_at in ("app.evidence.relations:Relations.add", None):
        process = processes.start(*order, pause_at=pause_at, CATENA_DATA=str(bare_cli.data))
        if pause_at is None:
            until(lambda: int(bare_cli.one("SELECT count(*) FROM item")) > 66, "the second run has begun to deposit")
        else:
            process.paused()  # everything of the first batch is deposited, nothing related
        process.kill()
    done = bare_cli.json(*(word for word in order if word != "--json"))
    assert len(done["items"]) + len(done["skipped"]) == 80
    assert done["failed"] == []
    assert bare_cli.one("SELECT count(*) FROM item") == "80"
    assert bare_cli.one("SELECT count(DISTINCT sha256) FROM item") == "80"
    assert bare_cli.one("SELECT count(*) FROM item_relation") == "40"
    assert (
        bare_cli.one("SELECT count(*) FROM custody_event WHERE CAST(canonical AS TEXT) LIKE '%offered_again%'") == "0"
    )
    assert len(done["sidecars"]) == 40
    clean(bare_cli)


def test_watched_folder_is_taken_as_files_are_complete_survives_a_restart_and_ends_on_ctrl_c(
    processes: Nursery, bare_cli: Cli, tmp_path: Path
) -> None:
    folder = footage(tmp_path / "in", 1)
    order = ["ingest", str(folder), *QUIET, "--watch", "--recursive", "--json"]

    def items() -> int:
        return int(bare_cli.one("SELECT count(*) FROM item"))

    first = processes.start(*order, CATENA_DATA=str(bare_cli.data))
    with (folder / "growing.bin").open("wb") as growing:

        def two_are_taken() -> bool:
            growing.write(b"x")
            growing.flush()
            return items() == 2

        until(two_are_taken, "what was complete is taken")
        growing.write(b"the end")
    until(lambda: items() == 3, "the file that was written to is taken once it is whole")
    digest = hashlib.sha256((folder / "growing.bin").read_bytes()).hexdigest()
    assert bare_cli.one(f"SELECT count(*) FROM item WHERE sha256 = '{digest}'") == "1"  # noqa: S608 - a digest
    first.kill()
    (folder / "deep").mkdir()
    (folder / "deep" / "later.bin").write_bytes(b"later")
    (folder / "empty").touch()
    second = processes.start(*order, CATENA_DATA=str(bare_cli.data))
    until(lambda: "not taken" in second.stderr and items() == 4, "what came meanwhile is taken")
    second.send(signal.SIGINT)
    assert second.wait() == 2, second.stderr
    assert "Traceback" not in second.stderr
    told = json.loads(second.stdout)
    assert names(told["items"]) == ["later.bin"]
    assert [one["code"] for one in told["failed"]] == ["empty_file"]
    assert (
        bare_cli.one("SELECT count(*) FROM custody_event WHERE CAST(canonical AS TEXT) LIKE '%offered_again%'") == "0"
    )
    assert sorted(path.name for path in folder.iterdir()) == [
        "DJI_0000.MP4",
        "DJI_0000.SRT",
        "deep",
        "empty",
        "growing.bin",
    ]
    clean(bare_cli)


def test_watch_waits_for_files_to_settle_and_looks_again_when_they_change(tmp_path: Path) -> None:
    now = 0.0
    watch = watching.Watch(clock=lambda: now)
    folder = footage(tmp_path / "in", 1)

    def ready() -> list[str]:
        entries = read_folder([folder], SourceContext()).entries
        return [entry.path.name for entry, _ in watch.ready(entries)]

    assert ready() == []
    now = 2.9
    assert ready() == []
    (folder / "DJI_0000.MP4").write_bytes(b"more")
    now = 3.5
    assert ready() == []
    now = 6.6
    assert ready() == ["DJI_0000.MP4"]
    assert ready() == ["DJI_0000.MP4"]  # nobody said that it was dealt with
    watch.note(watch.ready(read_folder([folder], SourceContext()).entries), watch.all)
    assert ready() == []
    (folder / "DJI_0000.xmp").write_text("a sidecar that came later")
    assert ready() == []
    now = 10.0
    assert ready() == ["DJI_0000.MP4"]


def test_commands_of_the_page_are_understood_and_the_plain_ones_do_what_it_says(
    bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "ingest.md").read_text(encoding="utf-8")
    printed = [shlex.split(line)[1:] for line in page.splitlines() if line.startswith("    catena ")]
    assert len(printed) == 4
    monkeypatch.chdir(tmp_path)
    footage(tmp_path / "footage" / "card", 1)
    for words in reversed(printed):
        ingest.make_context("ingest", words[1:])
        if "--server" not in words and "--watch" not in words:
            told = bare_cli(*words, "--no-analysis").out
            assert "nothing was done" in told if "--dry-run" in words else "2 taken, 0 not" in told


def test_withdrawn_consent_stated_of_a_held_file_does_not_read_as_done(bare_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42 of a witness")
    item = bare_cli.json("ingest", tmp_path / "a.mp4", *QUIET)["items"][0]["id"]
    asked = ("--consent", "withdrawn", "--handling", "do_not_share")
    told = bare_cli.json("ingest", tmp_path / "a.mp4", *asked, *QUIET)
    assert told["skipped"][0]["stated"] == ["consent withdrawn", "handling do_not_share"]
    said = bare_cli("ingest", str(tmp_path / "a.mp4"), *asked, *QUIET)
    assert f"consent withdrawn, handling do_not_share; only noted: 'catena items source {item}'" in said.out
    assert "consent" not in bare_cli.json("items", "show", item)["source"]
    assert bare_cli.json("ingest", tmp_path / "a.mp4", "--consent", "given", *QUIET)["skipped"][0]["stated"] == []
