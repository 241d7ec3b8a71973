"""`catena ingest`: checks of files that are skipped, bytes that are gone, and runs that are to be gone on with."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.cli import watching
from app.cli.local import Local
from app.cli.orders import Ready
from app.cli.outcome import Beside, Refused, Taken
from app.cli.remote import Remote
from app.errors import CatenaError, EnvironmentFailedError, LimitError
from app.intake.collections.entries import Check
from tests.collectors import ProofBundle, pgp_key
from tests.commands import Cli, at, copy_of, furnished
from tests.processes import Nursery

QUIET = ("--case", "T1", "--no-analysis")
WRONG = "0" * 64


def listed(folder: Path, data: bytes = b"recording") -> tuple[object, ...]:
    """A folder with one file, a manifest with a wrong digest of it, and the words that name both."""
    folder.mkdir()
    (folder / "a.bin").write_bytes(data)
    table = folder.parent / f"{folder.name}.csv"
    table.write_text(f"file,sha256\na.bin,{WRONG}\n")
    (folder / "list.csv").write_text(table.read_text())
    return folder, "--manifest", folder / "list.csv"


def checks_of(cli: Cli, item: str) -> list[tuple[str, str, str]]:
    shown = cli.json("items", "show", item)["checks"]
    return [(one["kind"], one["verdict"], one["checked_by"]) for one in shown]


def clean(cli: Cli) -> None:
    assert [one for one in cli.json("audit")["findings"] if one["severity"] != "info"] == []


def of(told: dict[str, Any], name: str) -> bool:
    """Whether a line of the result is about a file; the manifest is an item, too."""
    return Path(told["path"]).name == name


def test_failed_check_of_a_file_that_the_case_holds_is_recorded_once_and_told(bare_cli: Cli, tmp_path: Path) -> None:
    words = listed(tmp_path / "in")
    (item,) = (one["id"] for one in bare_cli.json("ingest", tmp_path / "in" / "a.bin", *QUIET)["items"])
    for _ in range(2):
        told = bare_cli.json("ingest", *words, *QUIET, code=1)
        assert ([one["item"] for one in told["skipped"] if of(one, "a.bin")], told["failed"]) == ([item], [])
        assert not [one for one in told["items"] if of(one, "a.bin")]
        (failed,) = told["checks_failed"]
        assert (Path(failed["path"]).name, failed["item"], failed["kind"]) == ("a.bin", item, "manifest_sha256")
        assert failed["reason"]
        assert checks_of(bare_cli, item) == [("manifest_sha256", "failed", "archive")]
    assert "check manifest_sha256 FAILED" in bare_cli("ingest", *words, *QUIET, code=1).out
    bare_cli("ingest", *words, *QUIET, "--again", code=1)
    clean(bare_cli)


def test_checks_of_anothers_item_are_not_passed_over(bare_cli: Cli, tmp_path: Path) -> None:
    words = listed(tmp_path / "in")
    bare_cli("users", "add", "bea", "--role", "admin")
    bare_cli("ingest", tmp_path / "in" / "a.bin", "--as", "bea", *QUIET)
    told = bare_cli.json("ingest", *words, *QUIET, code=2)
    assert [(Path(one["path"]).name, one["code"]) for one in told["failed"]] == [("a.bin", "checks_not_recorded")]
    assert "not_the_depositor" in told["failed"][0]["detail"]
    assert len(told["checks_failed"]) == len(told["skipped"]) == 1
    assert bare_cli.one("SELECT count(*) FROM collector_check") == "0"


def test_checks_and_receipt_that_a_server_did_not_get_come_with_the_next_run(
    processes: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = at(copy_of(furnished, tmp_path / "served"), monkeypatch, capsys)
    server = processes.start("serve", "--port", "0", "--json", "--workers", "0", CATENA_DATA=str(cli.data))
    monkeypatch.setenv("CATENA_TOKEN", cli.json("tokens", "create", "admin")["token"])
    receipts = tmp_path / "receipts"
    order = ("ingest", *listed(tmp_path / "in", b"sent"), *QUIET[:2], "--server", server.url(), "--receipts", receipts)

    def gone(self: Remote, item: str, checks: Sequence[Check]) -> None:
        raise EnvironmentFailedError("server_unreachable", "pulled out")

    with monkeypatch.context() as patched:
        patched.setattr(Remote, "add_checks", gone)
        first = cli.json(*order, code=3)
    assert [one["code"] for one in first["failed"]] == ["checks_not_recorded", "not_related"], "the server is gone"
    (item,) = (one["id"] for one in first["items"] if of(one, "a.bin"))
    assert checks_of(cli, item) == []
    for kept in receipts.iterdir():
        kept.unlink()
    second = cli.json(*order, code=1)
    assert [(one["item"], one["reason"]) for one in second["skipped"] if of(one, "a.bin")] == [(item, "deposited")]
    assert len(second["sidecars"]) == 1, "and the manifest is related to its medium"
    assert checks_of(cli, item) == [("manifest_sha256", "failed", "depositor")]
    assert json.loads((receipts / f"{item}.json").read_bytes())["item"] == item
    server.stop()
    clean(cli)


def test_bytes_that_are_gone_are_not_said_to_be_held_and_come_back(bare_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"recording")
    digest = hashlib.sha256(b"recording").hexdigest()
    (first,) = (one["id"] for one in bare_cli.json("ingest", tmp_path / "a.bin", *QUIET)["items"])
    stored = bare_cli.data / "blobs" / "sha256" / digest[:2] / digest[2:4] / digest
    stored.unlink()
    told = bare_cli.json("ingest", tmp_path / "a.bin", *QUIET)
    assert ([one["duplicate_of"] for one in told["items"]], told["skipped"]) == ([[first]], [])
    assert stored.read_bytes() == b"recording"
    clean(bare_cli)
    stored.chmod(0o600)
    stored.write_bytes(b"short")
    told = bare_cli.json("ingest", tmp_path / "a.bin", *QUIET, code=2)
    assert [one["code"] for one in told["failed"]] == ["blob_conflict"]


@pytest.mark.parametrize(
    "error", [LimitError("quota_exceeded", "full", status=413), LimitError("too_many_files", "later", status=429)]
)
def test_run_that_met_a_limit_is_gone_on_with(
    bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: CatenaError
) -> None:
    (tmp_path / "a.bin").write_bytes(b"recording")

    def refuse(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(Local, "deposit", refuse)
        bare_cli("ingest", tmp_path / "a.bin", *QUIET, code=2)
    assert len(list((bare_cli.data / "ingest").iterdir())) == 1
    bare_cli("ingest", tmp_path / "a.bin", *QUIET)
    assert list((bare_cli.data / "ingest").iterdir()) == []


def test_relations_are_not_tried_once_the_server_is_gone_and_are_made_by_the_next_run(
    bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.mp4").write_bytes(b"movie %d" % n)
        (folder / f"{n}.srt").write_bytes(b"words %d" % n)
    tried: list[str] = []

    def gone(self: Local, beside: Beside) -> None:
        tried.append(beside.path)
        raise EnvironmentFailedError("server_unreachable", "pulled out")

    with monkeypatch.context() as patched:
        patched.setattr(Local, "relate", gone)
        told = bare_cli.json("ingest", folder, *QUIET, "--jobs", "1", code=3)
    assert len(tried) == 1
    assert [one["code"] for one in told["failed"]] == ["not_related"] * 3
    assert len(list((bare_cli.data / "ingest").iterdir())) == 1
    rest = bare_cli.json("ingest", folder, *QUIET)
    assert ({one["reason"] for one in rest["skipped"]}, len(rest["sidecars"])) == ({"deposited"}, 3)
    clean(bare_cli)


def related(cli: Cli) -> list[tuple[str, str]]:
    """Names of sidecars and media, as relations of the archive have them."""
    text = cli.one(
        "SELECT json_group_array(json_array(a.original_name, b.original_name)) FROM item_relation r "
        "JOIN item a ON a.id = r.item_id JOIN item b ON b.id = r.related_id"
    )
    return sorted((sidecar, medium) for sidecar, medium in json.loads(text))


def twins(folder: Path) -> list[tuple[str, str]]:
    """Recordings of equal bytes with their own subtitles, photos with equal sidecars; what belongs together."""
    folder.mkdir()
    for n in range(3):
        (folder / f"V{n}.MP4").write_bytes(b"the same recording")
        (folder / f"V{n}.SRT").write_bytes(b"words %d" % n)
        (folder / f"P{n}.jpg").write_bytes(b"photo %d" % n)
        (folder / f"P{n}.xmp").write_bytes(b"the same settings")
    return sorted(
        (f"{x}{n}.{a}", f"{x}{n}.{b}") for n in range(3) for x, a, b in (("V", "SRT", "MP4"), ("P", "xmp", "jpg"))
    )


def test_repeated_run_relates_nothing_to_the_copy_of_another_file(bare_cli: Cli, tmp_path: Path) -> None:
    true = twins(tmp_path / "in")
    bare_cli.json("ingest", tmp_path / "in", *QUIET)
    assert related(bare_cli) == true
    (tmp_path / "in").rename(tmp_path / "moved")
    for folder in ("moved", "moved"):
        would = bare_cli.json("ingest", tmp_path / folder, "--dry-run", *QUIET)
        again = bare_cli.json("ingest", tmp_path / folder, *QUIET)
        assert (again["items"], again["sidecars"], would["sidecars"]) == ([], [], [])
        assert related(bare_cli) == true
    (tmp_path / "late").mkdir()
    for name in ("V9.MP4", "V1.MP4"):
        (tmp_path / "late" / name).write_bytes(b"the same recording")
        (tmp_path / "late" / name).with_suffix(".SRT").write_text(f"late words of {name}")
    bare_cli.json("ingest", tmp_path / "late", *QUIET)
    assert related(bare_cli) == sorted([*true, ("V1.SRT", "V1.MP4")]), "of V9.MP4 only the bytes are known"
    clean(bare_cli)


def test_interrupted_run_adds_the_relations_that_are_missing_and_no_other(
    bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = twins(tmp_path / "in")
    real = Local.relate

    def gone(self: Local, beside: Beside) -> None:
        if "V" in Path(beside.path).name:
            raise EnvironmentFailedError("server_unreachable", "pulled out")
        real(self, beside)

    with monkeypatch.context() as patched:
        patched.setattr(Local, "relate", gone)
        bare_cli.json("ingest", tmp_path / "in", *QUIET, "--jobs", "1", code=3)
    assert related(bare_cli) != true
    bare_cli.json("ingest", tmp_path / "in", *QUIET)
    assert related(bare_cli) == true
    clean(bare_cli)


@pytest.mark.parametrize("again", [(), ("--again",)])
def test_killed_run_over_a_zip_goes_on_doubles_nothing_and_leaves_nothing_unpacked(
    processes: Nursery, bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: tuple[str, ...]
) -> None:
    with pgp_key() as key:
        bundle = ProofBundle(key)
        for n in range(2):
            bundle.add(f"IMG_{n}.jpg", b"photo %d" % n)
    path = bundle.zip(tmp_path / "b.zip")
    (scratch := tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    order = ["ingest", str(path), "--collection", "proofmode", *QUIET, *again]
    process = processes.start(
        *order, pause_at="app.evidence.relations:Relations.add", CATENA_DATA=str(bare_cli.data), TMPDIR=str(scratch)
    )
    process.paused()
    process.kill()
    assert len(list(scratch.iterdir())) == 1
    monkeypatch.chdir(tmp_path)
    order[1] = "b.zip"
    done = bare_cli.json(*order)
    assert list(scratch.iterdir()) == []
    assert (done["items"], {one["reason"] for one in done["skipped"]}) == ([], {"deposited"})
    assert [one["path"] for one in done["skipped"]][:2] == ["b.zip", f"{path}!/IMG_0.jpg"]
    assert bare_cli.one("SELECT count(*) FROM item") == str(1 + len(bundle.files))
    assert (f"{path}!/IMG_1.jpg", "b.zip") in {(one["of"], one["path"]) for one in done["sidecars"]}
    clean(bare_cli)


def test_interrupted_run_makes_an_item_of_each_copy_as_an_undisturbed_one_does(
    bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """f01 has the bytes of f00 in the same batch, f65 those of f02 in the batch before."""
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(66):
        (folder / f"f{n:02}.bin").write_bytes(b"file %d" % {1: 0, 65: 2}.get(n, n))
    real, left = Local.deposit, ["f01.bin", "f65.bin"]

    def deposit(self: Local, ready: Ready, moved: Callable[[int], None]) -> Taken:
        if ready.order.name in left:
            left.remove(ready.order.name)
            raise EnvironmentFailedError("server_unreachable", "pulled out")
        return real(self, ready, moved)

    monkeypatch.setattr(Local, "deposit", deposit)
    for items in (63, 64):
        bare_cli.json("ingest", folder, *QUIET, "--jobs", "1", code=3)
        assert bare_cli.one("SELECT count(*) FROM item") == str(items)
    would = bare_cli.json("ingest", folder, "--dry-run", *QUIET)
    done = bare_cli.json("ingest", folder, *QUIET, "--jobs", "1")
    assert [Path(one["path"]).name for one in done["items"]] == ["f64.bin", "f65.bin"]
    assert [one["path"] for one in would["items"]] == [one["path"] for one in done["items"]]
    assert {one["reason"] for one in done["skipped"]} == {"deposited"}
    assert bare_cli.one("SELECT count(DISTINCT original_name) FROM item") == "66"
    assert bare_cli.one("SELECT count(*) FROM item") == "66"
    told = bare_cli.one("SELECT count(*) FROM custody_event WHERE CAST(canonical AS TEXT) LIKE '%offered_again%'")
    assert told == "0", "none of them was there before this command"
    clean(bare_cli)


def test_watch_ends_with_what_the_environment_refused_and_what_could_not_be_read(
    bare_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.bin").write_bytes(b"recording")
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watching, "SETTLE_SECONDS", 0.0)

    def full(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise EnvironmentFailedError("storage_full", "no room", status=507)

    with monkeypatch.context() as patched:
        patched.setattr(Local, "deposit", full)
        told = bare_cli("ingest", tmp_path / "in", tmp_path / "gone", "--watch", "--json", *QUIET, code=3).json
    codes = {Path(one["path"]).name: one["code"] for one in told["failed"]}
    assert codes == {"a.bin": "storage_full", "gone": "unreadable"}


def test_watch_tells_of_the_worst_that_was_not_made_good_and_of_an_unsigned_log() -> None:
    watch = watching.Watch()
    watch.problems([Refused("gone", "unreadable", "not there")])
    assert watch.total().exit_code == 2
    fresh: Any = watching.Watch()
    fresh.problems([Refused("gone", "unreadable", "not there")])
    fresh.problems([])
    assert fresh.total().exit_code == 0
    fresh.all.exit_code = 3  # as `after` leaves it when the log's head cannot be signed
    assert fresh.total().exit_code == 3
