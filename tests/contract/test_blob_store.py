"""The contract of `evidence_store.blobs.base`, held by every backend."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from evidence_store.blobs.base import BlobStore, StoredBlob
from evidence_store.blobs.local import LocalBlobStore
from evidence_store.blobs.memory import MemoryBlobStore
from evidence_store.digests import CHUNK_BYTES, digest_stream
from evidence_store.errors import EvidenceStoreError

BODY = b"\xff\xd8\xff\xe0 a photograph"
ABSENT = "0" * 64


@dataclass(frozen=True)
class Backend:
    """A store, and the two things that only its backend can do: damage a blob, list what was kept aside."""

    store: BlobStore
    damage: Callable[[str, bytes], None]
    kept_aside: Callable[[], dict[str, bytes]]


def _memory() -> Backend:
    store = MemoryBlobStore()
    return Backend(
        store,
        lambda sha256, body: store._blobs.update({sha256: body}),
        lambda: {name: store._conflicts[name] for name in store.conflicts()},
    )


def _local(root: Path) -> Backend:
    store = LocalBlobStore(root)

    def damage(sha256: str, body: bytes) -> None:
        path = root / "sha256" / sha256[:2] / sha256[2:4] / sha256
        path.chmod(0o644)
        path.write_bytes(body)
        path.chmod(0o444)

    def kept_aside() -> dict[str, bytes]:
        return {name: (root / "conflicts" / name).read_bytes() for name in store.conflicts()}

    return Backend(store, damage, kept_aside)


@pytest.fixture(params=["memory", "local"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return _memory() if request.param == "memory" else _local(tmp_path / "blobs")


@pytest.fixture
def store(backend: Backend) -> BlobStore:
    return backend.store


def _put(store: BlobStore, *chunks: bytes) -> StoredBlob:
    with store.stage() as staged:
        for chunk in chunks:
            staged.write(chunk)
        return staged.commit()


def _read(store: BlobStore, sha256: str) -> bytes:
    with store.open(sha256) as stream:
        return stream.read()


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(EvidenceStoreError) as failure:
        call()
    return failure.value.code


def test_a_committed_blob_is_read_back_under_its_sha256(store: BlobStore) -> None:
    stored = _put(store, BODY[:5], BODY[5:])
    assert stored == StoredBlob(digest_stream([BODY]), created=True)
    assert _read(store, stored.digests.sha256) == BODY
    assert store.size(stored.digests.sha256) == len(BODY)
    assert store.contains(stored.digests.sha256)
    assert list(store.list()) == [stored.digests.sha256]


def test_an_empty_file_is_a_blob_and_twice_it_is_the_same(store: BlobStore) -> None:
    first, second = _put(store), _put(store)
    assert (first.created, second.created) == (True, False)
    assert first.digests.size == 0
    assert _read(store, first.digests.sha256) == b""


def test_a_blob_larger_than_a_chunk_is_whole(store: BlobStore) -> None:
    body = bytes(range(256)) * (CHUNK_BYTES // 256 + 3)
    stored = _put(store, body)
    assert _put(store, body).created is False
    assert _read(store, stored.digests.sha256) == body


def test_the_same_bytes_twice_are_one_blob(store: BlobStore) -> None:
    first, second = _put(store, BODY), _put(store, BODY)
    assert (first.created, second.created) == (True, False)
    assert first.digests == second.digests
    assert len(list(store.list())) == 1


def test_the_stream_is_seekable_from_the_first_byte(store: BlobStore) -> None:
    stored = _put(store, BODY)
    with store.open(stored.digests.sha256) as stream:
        stream.seek(4)
        assert stream.read(2) == BODY[4:6]


def test_the_digests_so_far_are_known_before_the_commit(store: BlobStore) -> None:
    with store.stage() as staged:
        staged.write(BODY)
        assert staged.digests() == digest_stream([BODY])
        assert staged.size == len(BODY)
        staged.write(BODY)
        assert staged.digests() == digest_stream([BODY, BODY])
        assert staged.size == 2 * len(BODY)


def test_a_staged_blob_is_invisible_until_it_is_committed(store: BlobStore) -> None:
    with store.stage() as staged:
        staged.write(BODY)
        assert not store.contains(staged.digests().sha256)
        assert list(store.list()) == []
        staged.commit()
        assert store.contains(staged.digests().sha256)


def test_leaving_without_commit_discards(store: BlobStore) -> None:
    with store.stage() as staged:
        staged.write(BODY)
    assert list(store.list()) == []


def test_an_error_in_the_block_discards(store: BlobStore) -> None:
    def interrupted() -> None:
        with store.stage() as staged:
            staged.write(BODY)
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        interrupted()
    assert list(store.list()) == []


def test_nothing_goes_into_a_closed_stage(store: BlobStore) -> None:
    with store.stage() as committed:
        committed.write(BODY)
        committed.commit()
        assert _code(lambda: committed.write(b"more")) == "stage_closed"
        assert _code(committed.commit) == "stage_closed"
        committed.discard()
    with store.stage() as discarded:
        discarded.discard()
        discarded.discard()
        assert _code(lambda: discarded.write(b"more")) == "stage_closed"
        assert _code(discarded.commit) == "stage_closed"
    assert _read(store, committed.digests().sha256) == BODY


def test_a_missing_blob_is_a_coded_error(store: BlobStore) -> None:
    _put(store, BODY)
    assert not store.contains(ABSENT)
    assert _code(lambda: store.open(ABSENT)) == "blob_missing"
    assert _code(lambda: store.size(ABSENT)) == "blob_missing"
    assert _code(lambda: store.local_path(ABSENT).__enter__()) == "blob_missing"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n", "/" * 64])
def test_a_name_that_is_no_sha256_never_reaches_the_store(store: BlobStore, name: str) -> None:
    assert _code(lambda: store.open(name)) == "digest_form"
    assert _code(lambda: store.size(name)) == "digest_form"
    assert _code(lambda: store.contains(name)) == "digest_form"
    assert _code(lambda: store.local_path(name).__enter__()) == "digest_form"


def test_the_list_is_sorted(store: BlobStore) -> None:
    names = {_put(store, bytes([n])).digests.sha256 for n in range(20)}
    assert list(store.list()) == sorted(names)


def test_a_local_path_holds_the_bytes(store: BlobStore) -> None:
    stored = _put(store, BODY)
    with store.local_path(stored.digests.sha256) as path:
        assert path.read_bytes() == BODY


def test_a_damaged_blob_is_not_overwritten_and_the_good_bytes_are_kept(backend: Backend) -> None:
    sha256 = _put(backend.store, BODY).digests.sha256
    backend.damage(sha256, b"damaged")
    assert _code(lambda: _put(backend.store, BODY)) == "blob_conflict"
    assert _read(backend.store, sha256) == b"damaged"
    assert backend.kept_aside() == {sha256: BODY}


def test_a_blob_cut_short_is_a_conflict_too(backend: Backend) -> None:
    sha256 = _put(backend.store, BODY).digests.sha256
    backend.damage(sha256, BODY[:-1])
    assert _code(lambda: _put(backend.store, BODY)) == "blob_conflict"


def test_writers_of_the_same_bytes_make_one_blob_and_one_says_created(store: BlobStore) -> None:
    ready = threading.Barrier(8)
    results: list[StoredBlob] = []

    def write() -> None:
        with store.stage() as staged:
            staged.write(BODY)
            ready.wait()
            results.append(staged.commit())

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.created for result in results) == [False] * 7 + [True]
    assert len(list(store.list())) == 1


def _finished(folder: Path, body: bytes) -> Path:
    path = folder / "finished.part"
    path.write_bytes(body)
    return path


def test_a_finished_file_is_adopted_and_twice_it_is_the_same(store: BlobStore, tmp_path: Path) -> None:
    path, digests = _finished(tmp_path, BODY), digest_stream([BODY])
    assert store.adopt(path, digests) == StoredBlob(digests, created=True)
    assert store.adopt(path, digests) == StoredBlob(digests, created=False), "a repeat after a crash"
    path.unlink()
    assert _read(store, digests.sha256) == BODY
    assert list(store.list()) == [digests.sha256]
    assert _put(store, BODY).created is False
    assert store.adopt(_finished(tmp_path, BODY), digests).created is False, "bytes that came another way before"


def test_a_file_of_another_size_than_its_digests_say_is_not_adopted(store: BlobStore, tmp_path: Path) -> None:
    path = _finished(tmp_path, BODY + b"!")
    assert _code(lambda: store.adopt(path, digest_stream([BODY]))) == "file_changed"
    assert _code(lambda: store.adopt(tmp_path / "absent", digest_stream([BODY]))) == "storage_failed"
    assert list(store.list()) == []


def test_an_adopted_file_never_overwrites_a_damaged_blob_and_is_kept_aside(backend: Backend, tmp_path: Path) -> None:
    digests = _put(backend.store, BODY).digests
    backend.damage(digests.sha256, b"damaged")
    path = _finished(tmp_path, BODY)
    assert _code(lambda: backend.store.adopt(path, digests)) == "blob_conflict"
    path.unlink()
    assert _read(backend.store, digests.sha256) == b"damaged"
    assert backend.kept_aside() == {digests.sha256: BODY}


def test_a_local_store_adopts_without_copying_and_takes_no_link(tmp_path: Path) -> None:
    store, digests = LocalBlobStore(tmp_path / "blobs"), digest_stream([BODY])
    path = _finished(tmp_path, BODY)
    (tmp_path / "link").symlink_to(path)
    assert _code(lambda: store.adopt(tmp_path / "link", digests)) == "storage_failed"
    store.adopt(path, digests)
    with store.local_path(digests.sha256) as kept:
        assert kept.samefile(path)
        assert kept.stat().st_mode & 0o222 == 0
