"""A bundle's file is there whole, or it is not there."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path
from typing import BinaryIO

import pytest

from app.export import publish
from evidence_store.durable import SYNC_AHEAD_BYTES
from evidence_store.errors import EvidenceStoreError


def test_file_appears_only_when_it_is_published(tmp_path: Path) -> None:
    final = tmp_path / "sub" / "bundle.zip"
    with publish.staged(final) as staged:
        staged.write(b"whole")
        assert not final.exists()
        staged.publish(0o400)
        assert final.read_bytes() == b"whole"
    assert final.stat().st_mode & 0o777 == 0o400
    assert list(final.parent.iterdir()) == [final]


def test_large_file_that_goes_to_the_disk_piece_by_piece_is_whole(tmp_path: Path) -> None:
    final = tmp_path / "bundle.zip"
    pieces = [bytes([number]) * (SYNC_AHEAD_BYTES // 3 + number) for number in range(8)]
    with publish.staged(final) as staged:
        for piece in pieces:
            assert staged.write(piece) == len(piece)
        staged.publish(0o400)
    assert final.read_bytes() == b"".join(pieces)


def test_file_that_was_not_published_leaves_nothing(tmp_path: Path) -> None:
    final = tmp_path / "bundle.zip"
    with publish.staged(final) as staged:
        staged.stream.write(b"half")
    assert list(tmp_path.iterdir()) == []


def test_error_half_way_leaves_nothing_and_keeps_its_code(tmp_path: Path) -> None:
    final = tmp_path / "bundle.zip"

    def fill_the_disk() -> None:
        with publish.staged(final) as staged:
            staged.stream.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(EvidenceStoreError) as failed:
        fill_the_disk()
    assert failed.value.code == "storage_full"
    assert list(tmp_path.iterdir()) == []


def test_taken_name_is_never_overwritten(tmp_path: Path) -> None:
    final = tmp_path / "bundle.zip"
    final.write_bytes(b"older evidence")
    with pytest.raises(EvidenceStoreError) as refused, publish.staged(final) as staged:
        staged.publish(0o400)
    assert refused.value.code == "file_exists"
    assert final.read_bytes() == b"older evidence"


def test_two_makers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    final = tmp_path / "bundle.zip"
    with publish.staged(final) as staged:
        assert publish.is_being_made(final)
        with pytest.raises(EvidenceStoreError) as refused, publish.staged(final):
            pass
        assert refused.value.code == "file_exists"
        staged.stream.write(b"the first")
        staged.publish(0o400)
    assert final.read_bytes() == b"the first"


def test_part_file_of_a_dead_process_does_not_stand_in_the_way(tmp_path: Path) -> None:
    final = tmp_path / "bundle.zip"
    publish.part_of(final).write_bytes(b"half, from before the power cut")
    assert not publish.is_being_made(final)
    publish.part_of(final).write_bytes(b"again")
    with publish.staged(final) as staged:
        staged.stream.write(b"whole")
        staged.publish(0o400)
    assert final.read_bytes() == b"whole"


def test_part_files_of_the_dead_are_removed_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    dead = publish.part_of(tmp_path / "dead.zip")
    dead.write_bytes(b"half")
    other = tmp_path / "whole.zip"
    other.write_bytes(b"whole")
    with publish.staged(tmp_path / "living.zip") as staged:
        publish.remove_dead(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"living.zip.part", "whole.zip"}
        staged.stream.write(b"whole")
        staged.publish(0o400)
    assert {path.name for path in tmp_path.iterdir()} == {"living.zip", "whole.zip"}
    publish.remove_dead(tmp_path / "no such folder")


def test_part_file_taken_for_a_dead_one_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, lock = tmp_path / "bundle.zip", fcntl.flock
    taken: list[bool] = []

    def late(stream: BinaryIO, how: int) -> None:
        if not taken:
            taken.append(True)
            publish.part_of(final).unlink()
        lock(stream, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with publish.staged(final) as staged:
        staged.stream.write(b"whole")
        staged.publish(0o400)
    assert taken
    assert final.read_bytes() == b"whole"


def test_finished_file_is_finished_although_its_part_name_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = tmp_path / "bundle.zip"

    def refuse(_path: Path, *, missing_ok: bool = False) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch, publish.staged(final) as staged:
        staged.stream.write(b"whole")
        staged.publish(0o400)
        patch.setattr(Path, "unlink", refuse)
    assert final.read_bytes() == b"whole"
    publish.remove_dead(tmp_path)
    assert list(tmp_path.iterdir()) == [final]


def test_copy_is_whole_and_never_overwrites(tmp_path: Path) -> None:
    source, target = tmp_path / "a.zip", tmp_path / "b.zip"
    source.write_bytes(b"bundle" * 100_000)
    publish.copy_to(source, target)
    assert target.read_bytes() == source.read_bytes()
    with pytest.raises(EvidenceStoreError) as refused:
        publish.copy_to(source, target)
    assert refused.value.code == "file_exists"


def test_discarding_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    final = tmp_path / "bundle.zip"
    publish.discard(final)
    final.write_bytes(b"x")
    publish.discard(final)
    assert not final.exists()
