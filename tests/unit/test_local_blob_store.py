"""The local store against a hostile or failing disk."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evidence_store
from evidence_store.blobs.local import LocalBlobStore
from evidence_store.digests import DigestComputer
from evidence_store.errors import EvidenceStoreError

BODY = b"a photograph"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(root: Path) -> LocalBlobStore:
    return LocalBlobStore(root)


def _put(store: LocalBlobStore, body: bytes = BODY) -> str:
    with store.stage() as staged:
        staged.write(body)
        return staged.commit().digests.sha256


def _path(root: Path, sha256: str) -> Path:
    return root / "sha256" / sha256[:2] / sha256[2:4] / sha256


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(EvidenceStoreError) as failure:
        call()
    return failure.value.code


def _fails_with(number: int) -> Callable[..., Any]:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def _leftovers(root: Path) -> list[str]:
    return [path.name for path in (root / "staging").iterdir()]


def test_a_blob_is_a_read_only_file_in_the_published_layout(root: Path, store: LocalBlobStore) -> None:
    path = _path(root, _put(store))
    assert path.read_bytes() == BODY
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert path.stat().st_nlink == 1
    assert _leftovers(root) == []


def test_the_folders_are_private(root: Path, store: LocalBlobStore) -> None:
    shard = _path(root, _put(store)).parent
    for folder in (root, root / "staging", root / "conflicts", root / "sha256", shard.parent, shard):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_blobs_are_there_after_a_restart(root: Path, store: LocalBlobStore) -> None:
    sha256 = _put(store)
    again = LocalBlobStore(root)
    assert list(again.list()) == [sha256]
    assert _put(again) == sha256


def test_bytes_are_synced_before_they_are_named_and_the_folders_after(
    store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_fsync, real_link, real_unlink = os.fsync, os.link, Path.unlink

    def fsync(descriptor: int) -> None:
        steps.append("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        real_fsync(descriptor)

    def link(source: Path, target: Path, *, follow_symlinks: bool) -> None:
        steps.append("link")
        real_link(source, target, follow_symlinks=follow_symlinks)

    def unlink(self: Path, *, missing_ok: bool = False) -> None:
        steps.append("unlink")
        real_unlink(self, missing_ok=missing_ok)

    _put(store)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(Path, "unlink", unlink)
    _put(store, b"another")
    named = steps.index("link")
    assert steps[0] == "sync file"
    assert set(steps[1:named]) == {"sync folder"}
    assert steps[named:] == ["link", "sync folder", "unlink"]
    steps.clear()
    _put(store, b"another")
    assert steps == ["sync file", "link", "sync folder", "unlink"]


def test_folders_that_another_process_made_and_did_not_sync_are_synced_by_the_first_commit(
    root: Path, store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process may have died between mkdir and fsync; a power cut would then take the blob along."""
    sha256 = hashlib.sha256(BODY).hexdigest()
    shard = _path(root, sha256).parent
    shard.mkdir(parents=True)
    synced: set[int] = set()
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    assert _put(store) == sha256
    assert {folder.stat().st_ino for folder in (root / "sha256", shard.parent, shard)} <= synced


@pytest.mark.parametrize("inside", [".", "blobs/data", "no/such/folder/yet"])
def test_a_root_inside_the_package_is_refused(inside: str) -> None:
    package = Path(evidence_store.__file__).parent
    assert _code(lambda: LocalBlobStore(package / inside)) == "bad_location"
    assert not (package / "no").exists()
    assert not (package / "sha256").exists()


def test_a_link_into_the_package_does_not_hide_the_location(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(Path(evidence_store.__file__).parent)
    assert _code(lambda: LocalBlobStore(tmp_path / "link" / "data")) == "bad_location"


def test_a_root_that_cannot_be_made_is_a_coded_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert _code(lambda: LocalBlobStore(tmp_path / "file")) == "storage_failed"


def test_a_root_reached_through_a_link_is_the_operators_choice(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "blobs").symlink_to(tmp_path / "disk")
    sha256 = _put(LocalBlobStore(tmp_path / "blobs"))
    assert _path(tmp_path / "disk", sha256).is_file()


@pytest.mark.parametrize("folder", ["sha256", "staging", "conflicts"])
def test_a_linked_folder_of_the_store_is_refused_at_the_start(tmp_path: Path, root: Path, folder: str) -> None:
    root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (root / folder).symlink_to(tmp_path / "elsewhere")
    assert _code(lambda: LocalBlobStore(root)) == "blob_irregular"


def test_a_linked_blob_is_not_followed(tmp_path: Path, root: Path, store: LocalBlobStore) -> None:
    sha256 = _put(store)
    forged = tmp_path / "forged"
    forged.write_bytes(BODY)
    _path(root, sha256).unlink()
    _path(root, sha256).symlink_to(forged)
    assert _code(lambda: store.open(sha256)) == "blob_irregular"
    assert _code(lambda: store.size(sha256)) == "blob_irregular"
    assert _code(lambda: store.local_path(sha256).__enter__()) == "blob_irregular"
    assert not store.contains(sha256)
    assert list(store.list()) == []
    assert _code(lambda: _put(store)) == "blob_conflict"
    assert (root / "conflicts" / sha256).read_bytes() == BODY


@pytest.mark.parametrize("levels", [1, 2])
def test_a_linked_shard_is_not_followed(tmp_path: Path, root: Path, store: LocalBlobStore, levels: int) -> None:
    sha256 = _put(store)
    shard = _path(root, sha256).parents[levels - 1]
    shard.rename(tmp_path / "moved")
    shard.symlink_to(tmp_path / "moved")
    assert _code(lambda: store.open(sha256)) == "blob_irregular"
    assert list(store.list()) == []
    assert _code(lambda: _put(store)) == "blob_irregular"
    assert _leftovers(root) == []


@pytest.mark.parametrize("kind", ["folder", "fifo", "socket"])
def test_what_is_not_a_plain_file_is_not_a_blob_and_does_not_hang(
    root: Path, store: LocalBlobStore, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = _put(store)
    path = _path(root, sha256)
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        monkeypatch.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    assert _code(lambda: store.open(sha256)) == "blob_irregular"
    assert not store.contains(sha256)
    assert _code(lambda: _put(store)) == "blob_conflict"


def test_strays_name_everything_that_is_not_a_blob_in_its_place(
    tmp_path: Path, root: Path, store: LocalBlobStore
) -> None:
    sha256 = _put(store)
    assert list(store.strays()) == []
    objects, shard = root / "sha256", _path(root, sha256).parent
    (objects / "readme").write_bytes(b"")
    (objects / "zz").mkdir()
    (shard.parent / "linked").symlink_to(tmp_path)
    (shard / "note.txt").write_bytes(b"")
    (shard / ("0" * 64)).write_bytes(b"in the wrong folder")
    relative = f"{sha256[:2]}/{sha256[2:4]}"
    assert sorted(store.strays()) == sorted(
        ["readme", "zz", f"{sha256[:2]}/linked", f"{relative}/note.txt", f"{relative}/{'0' * 64}"]
    )
    assert list(store.list()) == [sha256]


def test_a_second_conflict_keeps_its_own_copy(root: Path, store: LocalBlobStore) -> None:
    sha256 = _put(store)
    path = _path(root, sha256)
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    for _ in range(2):
        assert _code(lambda: _put(store)) == "blob_conflict"
    names = list(store.conflicts())
    assert len(names) == 2
    assert all(name.startswith(sha256) and (root / "conflicts" / name).read_bytes() == BODY for name in names)
    assert path.read_bytes() == b"damaged"


def test_a_full_disk_in_the_middle_of_a_write_leaves_nothing(root: Path, store: LocalBlobStore) -> None:
    """The kernel itself says ENOSPC: the staging descriptor is put on /dev/full."""
    with store.stage() as staged:
        staged.write(BODY)
        assert staged._descriptor is not None
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, staged._descriptor)
        os.close(full)
        assert _code(lambda: staged.write(BODY)) == "storage_full"
        assert _leftovers(root) == []
        assert _code(staged.commit) == "stage_closed"
    assert list(store.list()) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "storage_full"), (errno.EDQUOT, "storage_full"), (errno.EIO, "storage_failed")],
)
@pytest.mark.parametrize("step", ["fchmod", "fsync", "link"])
def test_a_failed_step_of_the_commit_keeps_nothing_and_the_retry_completes(
    root: Path, store: LocalBlobStore, step: str, number: int, code: str
) -> None:
    with store.stage() as staged, pytest.MonkeyPatch.context() as patch:
        staged.write(BODY)
        patch.setattr(os, step, _fails_with(number))
        assert _code(staged.commit) == code
    assert _leftovers(root) == []
    assert list(store.list()) == []
    assert _path(root, _put(store)).read_bytes() == BODY


def test_a_disk_that_fails_after_the_link_says_so_and_the_retry_finds_the_blob(
    root: Path, store: LocalBlobStore
) -> None:
    sha256 = _put(store, b"other")
    with store.stage() as staged, pytest.MonkeyPatch.context() as patch:
        staged.write(BODY)
        real_link = os.link

        def link_then_fail(source: Path, target: Path, *, follow_symlinks: bool) -> None:
            real_link(source, target, follow_symlinks=follow_symlinks)
            patch.setattr(os, "fsync", _fails_with(errno.EIO))

        patch.setattr(os, "link", link_then_fail)
        assert _code(staged.commit) == "storage_failed"
    assert _leftovers(root) == []
    with store.stage() as retry:
        retry.write(BODY)
        assert retry.commit().created is False
    assert len(list(store.list())) == 2
    assert store.contains(sha256)


def test_a_staging_file_that_cannot_be_opened_is_a_coded_error(
    store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", _fails_with(errno.ENOSPC))
    assert _code(store.stage) == "storage_full"


def test_a_store_that_cannot_be_read_is_a_coded_error(
    root: Path, store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = _put(store)
    monkeypatch.setattr(os, "open", _fails_with(errno.EACCES))
    assert _code(lambda: store.open(sha256)) == "storage_failed"
    assert _code(lambda: store.contains(sha256)) == "storage_failed"
    monkeypatch.setattr(os, "scandir", _fails_with(errno.EACCES))
    assert _code(lambda: list(store.list())) == "storage_failed"


def test_a_stored_blob_that_cannot_be_read_is_neither_equal_nor_a_conflict(
    root: Path, store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(store)
    monkeypatch.setattr(store, "open", _fails_to_open)
    assert _code(lambda: _put(store)) == "storage_failed"
    assert list(store.conflicts()) == []
    assert _leftovers(root) == []


def _fails_to_open(_sha256: str) -> None:
    raise EvidenceStoreError("storage_failed", "could not open a blob")


def test_discarding_survives_a_disk_that_fails(store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.stage() as staged:
        staged.write(BODY)
        monkeypatch.setattr(Path, "unlink", _fails_with(errno.EIO))
    assert list(store.list()) == []


def test_only_old_staging_files_are_purged(root: Path, store: LocalBlobStore) -> None:
    with store.stage() as live:
        live.write(BODY)
        stale = root / "staging" / "stale.part"
        stale.write_bytes(b"half an upload")
        an_hour_ago = stale.stat().st_mtime - 3600
        os.utime(stale, (an_hour_ago, an_hour_ago))
        assert store.purge_staging(1800) == 1
        assert not stale.exists()
        live.write(BODY)
        assert live.commit().created


def test_a_staging_file_that_goes_away_during_the_purge_is_no_error(
    root: Path, store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "staging" / "gone.part").write_bytes(b"")
    monkeypatch.setattr(Path, "unlink", _fails_with(errno.ENOENT))
    assert store.purge_staging(0) == 0


def test_a_staging_file_that_cannot_be_purged_is_a_coded_error(
    root: Path, store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "staging" / "stuck.part").write_bytes(b"")
    monkeypatch.setattr(Path, "unlink", _fails_with(errno.EACCES))
    assert _code(lambda: store.purge_staging(0)) == "storage_failed"


@pytest.mark.parametrize("size", [10, 1 << 20], ids=["told-by-write", "told-by-commit"])
def test_digests_that_cannot_be_computed_leave_nothing(
    root: Path, store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def no_memory(_: DigestComputer, __: bytes) -> None:
        raise MemoryError

    def put() -> None:
        staged.write(b"x" * size)
        staged.commit()

    staged = store.stage()
    with monkeypatch.context() as patched:
        patched.setattr(DigestComputer, "_update_sha512", no_memory)
        assert _code(put) == "digests_broken"
    assert _code(lambda: staged.write(b"more")) == "stage_closed"
    assert _leftovers(root) == []
    assert list(store.list()) == []


def test_staged_file_that_is_not_what_was_digested_is_no_blob(root: Path, store: LocalBlobStore) -> None:
    staged = store.stage()
    staged.write(BODY)
    with next((root / "staging").iterdir()).open("ab") as stream:
        stream.write(b"more")
    assert _code(staged.commit) == "file_changed"
    assert _leftovers(root) == []
    assert list(store.list()) == []


def test_discarding_waits_for_the_thread_that_writes(store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, write = threading.Event(), threading.Event(), os.write
    order: list[str] = []

    def slow(descriptor: int, data: bytes) -> int:
        begun.set()
        go_on.wait(10)
        order.append("written")
        return write(descriptor, data)

    def discard() -> None:
        staged.discard()
        order.append("discarded")

    staged = store.stage()
    writer = threading.Thread(target=staged.write, args=(BODY,))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", slow)
        writer.start()
        assert begun.wait(10)
        end = threading.Thread(target=discard)
        end.start()
        end.join(0.2)
        go_on.set()
        writer.join()
        end.join()
    assert order == ["written", "discarded"]
