"""The published folder: exactly the tiles of the specification, grown in place, and never put in doubt by a run."""

from __future__ import annotations

import base64
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.custody.publish import Published, publish
from app.errors import CatenaError, ConflictError, EnvironmentFailedError
from evidence_store import durable
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.tiles import bundles_for_size, tile_path, tiles_for_size
from tests.databases import BACKENDS, fresh_database
from tests.logs import BareLog, sqlite_log
from tests.mirrors import files, verified

BESIDE = {"log.vkey": b"a key\n", "README.txt": b"read me\n"}
LINE = f"\N{EM DASH} witness.example {base64.b64encode(bytes(76)).decode()}\n".encode()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[BareLog]:
    made = sqlite_log(tmp_path)
    yield made
    made.close()


def bring_up(log: BareLog, folder: Path, size: int | None = None, *, recheck: bool = False) -> Published:
    return publish(log.db, folder, log.signed(size), BESIDE, recheck=recheck)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises((CatenaError, EvidenceStoreError)) as caught:
        call()
    assert isinstance(caught.value, CatenaError | EvidenceStoreError)
    return caught.value.code


def tiles(size: int) -> set[str]:
    return {tile_path(t.level, t.index, t.width) for t in (*tiles_for_size(size), *bundles_for_size(size))}


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 66_000])
def test_new_mirror_holds_the_tiles_of_its_size_and_nothing_else(log: BareLog, tmp_path: Path, size: int) -> None:
    log.grow(size)
    done = bring_up(log, tmp_path / "m")
    assert set(files(tmp_path / "m")) == {"checkpoint", *BESIDE} | tiles(size)
    assert (done.size, done.before, done.files) == (size, None, len(tiles(size)))
    assert verified(tmp_path / "m", log.vkey).size == size


def test_mirror_grows_by_what_is_new_and_full_tiles_are_never_touched_again(log: BareLog, tmp_path: Path) -> None:
    before = 0
    for size in (3, 200, 256, 300, 511, 512, 1500, 66_000):
        log.grow(size - before)
        full = {name: told for name, told in files(tmp_path / "m").items() if "tile/" in name and ".p/" not in name}
        done = bring_up(log, tmp_path / "m")
        assert (done.before or 0) == before
        assert verified(tmp_path / "m", log.vkey).size == size
        now = files(tmp_path / "m")
        assert {name: now[name] for name in full} == full
        assert done.files == len(tiles(size) - tiles(before))
        superseded = [name for name in now if ".p/" in name and name.partition(".p/")[0] in now]
        assert not superseded
        before = size


def test_a_run_without_news_writes_nothing(log: BareLog, tmp_path: Path) -> None:
    log.grow(300)
    bring_up(log, tmp_path / "m")
    before = files(tmp_path / "m")
    assert bring_up(log, tmp_path / "m", recheck=True).files == 0
    assert files(tmp_path / "m") == before


@pytest.mark.parametrize("backend", BACKENDS)
def test_both_databases_are_published_alike(backend: str, tmp_path: Path) -> None:
    log = BareLog(fresh_database(backend, tmp_path))
    log.grow(100, batch=1)
    bring_up(log, tmp_path / "m")
    log.grow(700)
    bring_up(log, tmp_path / "m")
    assert verified(tmp_path / "m", log.vkey).size == 800
    log.close()


def _other_log(log: BareLog, tmp_path: Path) -> BareLog:
    (tmp_path / "b").mkdir()
    return sqlite_log(tmp_path / "b", "archive.example/other")


def _older_database(log: BareLog, tmp_path: Path) -> BareLog:
    (tmp_path / "b").mkdir()
    other = sqlite_log(tmp_path / "b")
    other.grow(10)
    return other


def _another_history(log: BareLog, tmp_path: Path) -> BareLog:
    (tmp_path / "b").mkdir()
    other = sqlite_log(tmp_path / "b")
    other.grow(500)
    return other


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (_other_log, "mirror_other_log"),
        (_older_database, "mirror_newer"),
        (_another_history, "mirror_forked"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_mirror_of_what_the_log_does_not_continue_is_left_alone(
    log: BareLog, tmp_path: Path, other: Callable[[BareLog, Path], BareLog], code: str
) -> None:
    log.grow(300)
    bring_up(log, tmp_path / "m")
    before = files(tmp_path / "m")
    theirs = other(log, tmp_path)
    assert refused(lambda: bring_up(theirs, tmp_path / "m")) == code
    assert files(tmp_path / "m") == before
    theirs.close()


@pytest.mark.parametrize("name", ["a letter", "README.txt", "tile.txt"])
def test_folder_with_other_things_in_it_is_left_alone(log: BareLog, tmp_path: Path, name: str) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / name).write_text("mine")
    assert refused(lambda: bring_up(log, tmp_path / "m")) == "mirror_not_empty"
    assert [path.name for path in (tmp_path / "m").iterdir()] == [name]


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"\xff\xfe\n\n\n"])
def test_mirror_with_a_spoiled_checkpoint_is_left_alone(log: BareLog, tmp_path: Path, content: bytes) -> None:
    log.grow(10)
    bring_up(log, tmp_path / "m")
    (tmp_path / "m" / "checkpoint").write_bytes(content)
    before = files(tmp_path / "m")
    log.grow(10)
    assert refused(lambda: bring_up(log, tmp_path / "m")) == "mirror_damaged"
    assert files(tmp_path / "m") == before


@pytest.mark.parametrize("name", ["tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"])
@pytest.mark.parametrize("spoil", [lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b[:-1], lambda _: b""])
def test_damage_at_the_edge_of_a_mirror_is_found_before_anything_is_built_on_it(
    log: BareLog, tmp_path: Path, name: str, spoil: Callable[[bytes], bytes]
) -> None:
    log.grow(300)
    bring_up(log, tmp_path / "m")
    path = tmp_path / "m" / name
    path.write_bytes(spoil(path.read_bytes()))
    before = files(tmp_path / "m")
    log.grow(300)
    assert refused(lambda: bring_up(log, tmp_path / "m")) == "mirror_damaged"
    assert files(tmp_path / "m") == before


def test_damage_inside_a_mirror_is_named_by_a_recheck(log: BareLog, tmp_path: Path) -> None:
    log.grow(1000)
    bring_up(log, tmp_path / "m")
    path = tmp_path / "m" / "tile" / "0" / "001"
    path.write_bytes(bytes(8192))
    with pytest.raises(ConflictError, match="tile/0/001") as caught:
        bring_up(log, tmp_path / "m", recheck=True)
    assert caught.value.code == "mirror_damaged"
    assert path.read_bytes() == bytes(8192), "it shows what happened: it is not for us to cover it up"


@pytest.mark.parametrize("where", [5, 299, 511])
def test_altered_event_stops_the_run_before_anything_is_written(log: BareLog, tmp_path: Path, where: int) -> None:
    log.grow(512)
    signed = log.signed()
    with log.db.write() as session:
        session.execute(text("UPDATE custody_event SET canonical = x'7b7d' WHERE leaf_index = :at"), {"at": where})
    with pytest.raises(EnvironmentFailedError) as caught:
        publish(log.db, tmp_path / "m", signed, BESIDE)
    assert caught.value.code == "log_damaged"
    assert files(tmp_path / "m") == {}


def test_missing_event_stops_the_run(log: BareLog, tmp_path: Path) -> None:
    log.grow(20)
    signed = log.signed()
    with log.db.write() as session:
        session.execute(text("DELETE FROM custody_event WHERE leaf_index = 7"))
    assert refused(lambda: publish(log.db, tmp_path / "m", signed, BESIDE)) == "log_damaged"


def test_signatures_of_witnesses_are_added_and_never_lost(log: BareLog, tmp_path: Path) -> None:
    log.grow(10)
    signed = log.signed()
    for note in (signed, signed + LINE):
        publish(log.db, tmp_path / "m", note, BESIDE)
        assert (tmp_path / "m" / "checkpoint").read_bytes() == note
    publish(log.db, tmp_path / "m", signed, BESIDE)
    assert (tmp_path / "m" / "checkpoint").read_bytes() == signed + LINE


def test_two_runs_at_once_take_turns(log: BareLog, tmp_path: Path) -> None:
    log.grow(3000)
    signed = [log.signed(size) for size in (1000, 3000, 3000, 3000)]
    codes: list[str] = []

    def run(note: bytes) -> None:
        try:
            publish(log.db, tmp_path / "m", note, BESIDE)
        except ConflictError as error:
            codes.append(error.code)

    threads = [threading.Thread(target=run, args=(note,)) for note in signed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {"mirror_newer"}, "only the run with the older checkpoint may have come too late"
    assert verified(tmp_path / "m", log.vkey).size == 3000


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_leaves_the_mirror_as_it_was_and_the_next_run_completes_it(
    log: BareLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    log.grow(300)
    bring_up(log, tmp_path / "m")
    log.grow(900)
    codes: set[str] = set()
    honest = durable.write_all
    writes, runs = 0, 0

    def write_all(descriptor: int, data: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes > 1:
            os.write(descriptor, data[: len(data) // 2])
            raise OSError(number, os.strerror(number))
        honest(descriptor, data)

    monkeypatch.setattr(durable, "write_all", write_all)
    while runs < 100:  # each gets one file further
        writes, runs = 0, runs + 1
        assert verified(tmp_path / "m", log.vkey).size == 300
        try:
            bring_up(log, tmp_path / "m")
        except EvidenceStoreError as error:
            codes.add(error.code)
        else:
            break
    assert codes == {"storage_full" if number == errno.ENOSPC else "storage_failed"}
    assert 100 > runs >= len(tiles(1200) - tiles(300))
    assert verified(tmp_path / "m", log.vkey).size == 1200
    assert not [name for name in files(tmp_path / "m") if "/." in name or name.startswith(".")]


def test_what_a_killed_run_left_is_tidied_and_does_not_count_as_somebody_elses(log: BareLog, tmp_path: Path) -> None:
    log.grow(600)
    left = tmp_path / "m" / "tile" / "0"
    left.mkdir(parents=True)
    (left / f".001.{'a' * 32}").write_bytes(b"half a tile")
    (tmp_path / "m" / f".checkpoint.{'b' * 32}").write_bytes(b"half a checkpoint")
    bring_up(log, tmp_path / "m")
    assert set(files(tmp_path / "m")) == {"checkpoint", *BESIDE} | tiles(600)
