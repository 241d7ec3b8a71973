"""Durable writes: the order of steps, what a failure leaves, and how it is coded."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence_store import durable
from evidence_store.errors import EvidenceStoreError


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(EvidenceStoreError) as failure:
        call()
    return failure.value.code


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _fails_with(number: int) -> Callable[..., Any]:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The order of syncs and namings, with what each sync was of."""
    seen: list[str] = []
    real_fsync, real_link, real_replace = os.fsync, os.link, Path.replace

    def fsync(descriptor: int) -> None:
        seen.append("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        real_fsync(descriptor)

    def link(source: Path, target: Path, *, follow_symlinks: bool) -> None:
        seen.append("link")
        real_link(source, target, follow_symlinks=follow_symlinks)

    def replace(self: Path, target: Path) -> Path:
        seen.append("rename")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(Path, "replace", replace)
    return seen


def test_a_new_file_is_synced_before_it_is_named_and_its_folder_after(tmp_path: Path, steps: list[str]) -> None:
    durable.write_new(tmp_path / "key.pem", b"secret", 0o600)
    assert steps == ["sync file", "link", "sync folder"]


def test_a_replaced_file_is_synced_before_it_is_named_and_its_folder_after(tmp_path: Path, steps: list[str]) -> None:
    durable.replace_file(tmp_path / "checkpoint", b"new", 0o644)
    assert steps == ["sync file", "rename", "sync folder"]


def test_a_new_folder_is_synced_into_its_parent(tmp_path: Path, steps: list[str]) -> None:
    durable.make_directories(tmp_path / "a" / "b")
    assert steps == ["sync folder", "sync folder"]
    durable.make_directories(tmp_path / "a" / "b")
    assert len(steps) == 2


def test_a_name_found_taken_is_synced_too(tmp_path: Path, steps: list[str]) -> None:
    (tmp_path / "staged").write_bytes(b"x")
    (tmp_path / "final").write_bytes(b"y")
    assert durable.link_new(tmp_path / "staged", tmp_path / "final") is False
    assert steps == ["link", "sync folder"]
    assert (tmp_path / "final").read_bytes() == b"y"


def test_write_new_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    durable.write_new(path, b"first", 0o600)
    assert _code(lambda: durable.write_new(path, b"second", 0o600)) == "file_exists"
    assert path.read_bytes() == b"first"
    assert _names(tmp_path) == ["key.pem"]


def test_write_new_does_not_write_through_a_planted_link(tmp_path: Path) -> None:
    (tmp_path / "key.pem").symlink_to(tmp_path / "elsewhere")
    assert _code(lambda: durable.write_new(tmp_path / "key.pem", b"secret", 0o600)) == "file_exists"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o600, 0o444, 0o644])
def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path, mode: int) -> None:
    previous = os.umask(0o077)
    try:
        durable.write_new(tmp_path / "new", b"", mode)
        durable.replace_file(tmp_path / "replaced", b"", mode)
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "replaced").stat().st_mode) == mode


def test_a_folder_is_made_with_the_mode_asked_for(tmp_path: Path) -> None:
    durable.make_directories(tmp_path / "private" / "inner", 0o700)
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "storage_full"), (errno.EDQUOT, "storage_full"), (errno.EIO, "storage_failed")],
)
@pytest.mark.parametrize("step", ["write", "fsync", "link", "fchmod"])
def test_a_failed_step_is_coded_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, code: str
) -> None:
    monkeypatch.setattr(os, step, _fails_with(number))
    assert _code(lambda: durable.write_new(tmp_path / "f", b"data", 0o600)) == code
    assert _names(tmp_path) == []


def test_a_failed_replacement_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint"
    durable.replace_file(path, b"old", 0o644)
    monkeypatch.setattr(Path, "replace", _fails_with(errno.EIO))
    assert _code(lambda: durable.replace_file(path, b"new", 0o644)) == "storage_failed"
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["checkpoint"]


def test_a_write_that_the_system_takes_in_pieces_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real_write(descriptor, bytes(data[:3])))
    durable.write_new(tmp_path / "f", b"0123456789", 0o600)
    assert (tmp_path / "f").read_bytes() == b"0123456789"


def test_a_file_in_the_place_of_a_folder_is_a_coded_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert _code(lambda: durable.make_directories(tmp_path / "file")) == "storage_failed"
    assert _code(lambda: durable.make_directories(tmp_path / "file" / "inner")) == "storage_failed"
    assert _code(lambda: durable.fsync_directory(tmp_path / "file")) == "storage_failed"
    assert _code(lambda: durable.fsync_directory(tmp_path / "missing")) == "storage_failed"


def test_an_error_without_a_number_is_coded_too() -> None:
    with pytest.raises(EvidenceStoreError) as failure, durable.coded_errors("reach the disk"):
        raise OSError("gone")
    assert (failure.value.code, failure.value.detail) == ("storage_failed", "could not reach the disk: gone")
