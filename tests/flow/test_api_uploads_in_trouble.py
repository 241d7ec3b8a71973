"""Resumable uploads when something dies, fills up or takes too long: what is promised is kept."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from app.api.streams import BATCH_BYTES
from app.errors import EnvironmentFailedError
from app.intake import finishing, quotas, room, running, service, writing
from app.intake.models import Upload
from evidence_store.errors import EvidenceStoreError
from tests.apis import Api, refused
from tests.tus import (
    DATA,
    begin,
    broken_patch,
    checksum,
    delete,
    head,
    items,
    patch,
    shown,
    spool,
)


def test_digests_are_read_from_the_disk_after_a_restart(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = begin(one, len(DATA))
    assert patch(one, path, 0, DATA[:2_000_000]).status_code == 204
    one.services.uploads._book.forget(path.rsplit("/", 1)[-1])
    uncommitted = one.services.archive.settings.uploads / f"{path.rsplit('/', 1)[-1]}.part"
    with uncommitted.open("ab") as stream:
        stream.write(b"never promised")  # as a killed server leaves it
    item = patch(one, path, 2_000_000, DATA[2_000_000:]).headers["catena-item"].rsplit("/", 1)[-1]
    assert one.get("ana", f"/items/{item}").json()["sha256"] == hashlib.sha256(DATA).hexdigest()


def test_item_that_takes_long_is_made_after_the_answer(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    catch_up = running.RunningDigests.catch_up

    def slow(self: running.RunningDigests) -> Any:  # noqa: ANN401 - digests
        go_on.wait(30)
        return catch_up(self)

    monkeypatch.setattr(running.RunningDigests, "catch_up", slow)
    monkeypatch.setattr("app.api.uploads.FINISH_SECONDS", 0.2)
    monkeypatch.setattr("app.api.uploads.ASKED_SECONDS", 0.1)
    path = begin(one, 10)
    answer = patch(one, path, 0, b"slow slow.")
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, "10")
    assert answer.headers["catena-state"] == "finishing"
    assert "catena-item" not in answer.headers
    assert head(one, path).headers["catena-state"] == "finishing"
    refused(delete(one, path), 409, "upload_complete")
    go_on.set()
    monkeypatch.setattr("app.api.uploads.ASKED_SECONDS", 10.0)
    assert shown(one, path)["state"] == "done"


MOMENTS = ["Intake.deposit_file", "Intake._write_item", "Intake.seal_item", "UploadRows.is_item", "SpoolFile.remove"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_finishing_that_dies_at_any_step_is_gone_on_with_and_makes_one_item(
    both: Api, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.intake import spool as spools
    from app.intake import upload_rows

    name, method = moment.split(".")
    owner = {"Intake": service.Intake, "UploadRows": upload_rows.UploadRows, "SpoolFile": spools.SpoolFile}[name]
    data, before = f"dies in {moment}".encode(), items(both)
    path = begin(both, len(data))
    with monkeypatch.context() as patched:

        def dies(*_: Any, **__: Any) -> None:  # noqa: ANN401 - stands in for any function
            raise EnvironmentFailedError("storage_full", "no room", status=507)

        patched.setattr(owner, method, dies)
        answer = patch(both, path, 0, data)
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(len(data))), answer.text
    both.services.uploads.work()
    told = shown(both, path)
    assert (told["state"], told["failure_code"]) == ("done", None)
    assert head(both, path).headers["catena-item"] == f"/api/v1/items/{told['item']}"
    assert items(both) == before + 1
    assert spool(both) == []


def test_disk_that_fills_up_keeps_what_is_synced_and_the_upload_goes_on_when_there_is_room(
    one: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    path = begin(one, len(DATA))
    pwrite, written = os.pwrite, 0

    def full(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal written
        written += 1
        if written > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(descriptor, data[: len(data) // 2 if written == 2 else len(data)], offset)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        parts = [DATA[at : at + 65_536] for at in range(0, len(DATA), 65_536)]
        status, body = broken_patch(one, path, 0, [*parts])
        assert (status, body["code"]) == (507, "storage_full")
    kept = int(head(one, path).headers["upload-offset"])
    assert kept == BATCH_BYTES, "the batch of which half was written is not counted"
    item = patch(one, path, kept, DATA[kept:]).headers["catena-item"].rsplit("/", 1)[-1]
    assert one.get("ana", f"/items/{item}").json()["sha256"] == hashlib.sha256(DATA).hexdigest()


def test_bytes_whose_sync_failed_are_never_promised(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    path = begin(one, 10)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        refused(patch(one, path, 0, b"0123456789"), 503, "storage_failed")
    assert head(one, path).headers["upload-offset"] == "0"
    (left,) = spool(one)
    assert left.stat().st_size == 0, "pages whose writing failed may be forgotten: they must come again"
    assert patch(one, path, 0, b"0123456789").headers["catena-state"] == "done"


def test_offset_moves_at_bounded_steps_and_never_before_the_sync(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    assert writing.COMMIT_BYTES <= 64 << 20
    path = begin(one, 5 << 20)
    order: list[tuple[str, int]] = []
    fdatasync, has_come = os.fdatasync, one.services.uploads._rows.has_come

    def synced(descriptor: int) -> None:
        order.append(("sync", os.fstat(descriptor).st_size))
        fdatasync(descriptor)

    def promised(upload_id: str, committed: int) -> Upload:
        order.append(("offset", committed))
        return has_come(upload_id, committed)

    monkeypatch.setattr(writing, "COMMIT_BYTES", 2 << 20)
    monkeypatch.setattr(os, "fdatasync", synced)
    monkeypatch.setattr(one.services.uploads._rows, "has_come", promised)
    assert broken_patch(one, path, 0, [b"x" * (1 << 18)] * 20)[0] == 204
    mib = 1 << 20
    steps = [2 * mib, 4 * mib, 5 * mib]
    assert order == [(what, size) for size in steps for what in ("sync", "offset")]


def test_expired_upload_is_gone_and_its_bytes_are_removed(both: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = begin(both, 10), begin(both, 10)
    patch(both, path, 0, b"01234")
    with both.services.archive.db.write() as session:
        session.get_one(Upload, path.rsplit("/", 1)[-1]).expires_at = "2020-01-01T00:00:00.000000Z"
    assert head(both, path).status_code == 410, "also before anybody has tidied it away"
    refused(patch(both, path, 5, b"56789"), 410, "upload_expired")
    both.services.uploads.work()
    refused(patch(both, path, 5, b"56789"), 410, "upload_expired")
    assert [one.name for one in spool(both)] == [f"{other.rsplit('/', 1)[-1]}.part"]
    with both.services.archive.db.write() as session:
        session.get_one(Upload, path.rsplit("/", 1)[-1]).updated_at = "2020-01-01T00:00:00.000000Z"
    both.services.uploads.work()
    refused(patch(both, path, 5, b"56789"), 404, "unknown_upload")
    assert delete(both, other).status_code == 204


def test_file_that_may_be_a_blob_is_never_opened_for_writing(one: Api) -> None:
    path = begin(one, 10)
    upload_id = path.rsplit("/", 1)[-1]
    file = one.services.archive.settings.uploads / f"{upload_id}.part"
    (file.parent / "another-name").hardlink_to(file)
    refused(patch(one, path, 0, b"0123456789"), 500, "upload_damaged")
    (file.parent / "another-name").unlink()
    assert patch(one, path, 0, b"0123456789").headers["catena-state"] == "done"


def test_upload_whose_bytes_are_gone_says_so(one: Api) -> None:
    path = begin(one, 10)
    patch(one, path, 0, b"01234")
    file = one.services.archive.settings.uploads / f"{path.rsplit('/', 1)[-1]}.part"
    file.write_bytes(b"012")
    refused(patch(one, path, 5, b"56789"), 500, "upload_damaged")
    file.unlink()
    refused(patch(one, path, 5, b"56789"), 500, "upload_damaged")
    with one.services.archive.db.write() as session:
        session.delete(session.get_one(Upload, path.rsplit("/", 1)[-1]))


FAULTS = ["blob_conflict", "blob_irregular", "bad_signer", "storage_failed"]


@pytest.mark.parametrize("code", FAULTS)
def test_fault_of_the_archive_is_no_fault_of_the_file(one: Api, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = begin(one, 10)
    upload_id = path.rsplit("/", 1)[-1]
    tries: list[str] = []
    with monkeypatch.context() as patched:

        def fails(*_: Any, **__: Any) -> None:  # noqa: ANN401 - stands in for any function
            tries.append(code)
            raise EvidenceStoreError(code, "not the file's fault")

        patched.setattr(service.Intake, "deposit_file", fails)
        assert patch(one, path, 0, b"0123456789").headers["catena-state"] == "finishing"
        with one.services.archive.db.write() as session:
            session.get_one(Upload, upload_id).expires_at = "2020-01-01T00:00:00.000000Z"
        for _ in range(4):
            one.services.uploads.work()
        assert len(tries) == 2, "at once, then at growing intervals"
        (left,) = spool(one)
        assert left.read_bytes() == b"0123456789", "it is never expired"
        told = shown(one, path)
        assert (told["state"], told["failure_code"]) == ("finishing", code)
    assert shown(one, path)["state"] == "done"


def test_damaged_bytes_are_removed_by_nobody_but_their_owner(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = begin(one, 10)

    def changed(*_: Any, **__: Any) -> None:  # noqa: ANN401 - stands in for any function
        raise EvidenceStoreError("file_changed", "another file")

    with monkeypatch.context() as patched:
        patched.setattr(service.Intake, "deposit_file", changed)
        patch(one, path, 0, b"0123456789")
    told = shown(one, path)
    assert (told["state"], told["failure_code"], told["expires_at"][:4]) == ("failed", "file_changed", "9999")
    assert delete(one, path).status_code == 204


def test_one_item_that_takes_long_holds_up_neither_the_others_nor_the_house(
    one: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, real = threading.Event(), service.Intake.deposit_file
    paths = {}

    def slow(self: service.Intake, *given: Any, **more: Any) -> Any:  # noqa: ANN401 - as the real one
        if given[2].stem == slow_id:
            go_on.wait(30)
        return real(self, *given, **more)

    def full(*_: Any, **__: Any) -> None:  # noqa: ANN401 - stands in for any function
        raise EvidenceStoreError("storage_full", "no room")

    with monkeypatch.context() as patched:
        patched.setattr(service.Intake, "deposit_file", full)
        for name in "ab":
            paths[name] = begin(one, 5)
            patch(one, paths[name], 0, f"take{name}".encode())
    late = begin(one, 10)
    with one.services.archive.db.write() as session:
        session.get_one(Upload, late.rsplit("/", 1)[-1]).expires_at = "2020-01-01T00:00:00.000000Z"
    first, second = sorted(paths.values())  # the slow one is begun first
    slow_id = first.rsplit("/", 1)[-1]
    monkeypatch.setattr(service.Intake, "deposit_file", slow)
    monkeypatch.setattr(finishing, "KEEPING_PATIENCE_SECONDS", 1.0)
    try:
        began = time.monotonic()
        one.services.uploads.work()
        assert time.monotonic() - began < 5
        with one.services.archive.db.read() as session:
            states = [session.get_one(Upload, path.rsplit("/", 1)[-1]).state for path in (first, second, late)]
        assert states == ["finishing", "done", "expired"]
    finally:
        go_on.set()
    assert shown(one, first)["state"] == "done"


def test_reserve_is_asked_for_before_each_commit_and_what_was_committed_stays(
    one: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, mib = begin(one, 5 << 20), 1 << 20
    free = iter([one.services.intake.room.reserve, one.services.intake.room.reserve - 1])
    with monkeypatch.context() as patched:
        patched.setattr(writing, "COMMIT_BYTES", 2 << 20)
        patched.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
        status, body = broken_patch(one, path, 0, [b"x" * (1 << 18)] * 20)
        assert (status, body["code"]) == (507, "storage_full")
    assert head(one, path).headers["upload-offset"] == str(2 * mib)
    assert patch(one, path, 2 * mib, b"x" * (3 * mib)).headers["catena-state"] == "done"


def test_body_without_a_size_takes_room_in_steps(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms, reserve = one.services.intake.room, one.services.intake.room.reserve
    monkeypatch.setattr(room, "STEP_BYTES", 1000)
    path = begin(one, 5000)  # whose promise is not for others
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=reserve + 5500))
        held = rooms.hold(0)
        held.need(400)
        assert rooms.promised == 400, "no room for a step, but for these"
        held.release()
        status, body = one.stream("ana", "/items?case=T1", [b"y" * 300, b"y" * 300])
        assert (status, json.loads(body)["code"]) == (507, "storage_full")
        assert one.stream("ana", "/items?case=T1", [b"y" * 200, b"y" * 200])[0] == 201
        assert delete(one, path).status_code == 204
        held = rooms.hold(0)
        held.need(400)
        assert rooms.promised == 1000
        held.wrote(400)
        held.need(700)
        assert rooms.promised == 1600
        held.release()
    assert rooms.promised == 0


def test_checked_body_is_as_large_as_is_worth_sending_again(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "CHECKED_BYTES", 1_500_000)
    path, data = begin(one, len(DATA)), DATA[:1_500_001]
    problem = refused(patch(one, path, 0, data, Upload_Checksum=checksum(data)), 413, "chunk_too_large")
    assert problem["limit"] == 1_500_000
    status, body = broken_patch(one, path, 0, [data[:800_000], data[800_000:]], **{"Upload-Checksum": checksum(data)})
    assert (status, body["code"]) == (413, "chunk_too_large")
    assert head(one, path).headers["upload-offset"] == "0"
    assert patch(one, path, 0, data[:-1], Upload_Checksum=checksum(data[:-1])).status_code == 204
    assert delete(one, path).status_code == 204


def test_deposit_waits_for_its_owners_others_only_a_while(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    books, ana = one.services.quotas, one.services.access.local_operator("ana")
    admin, had = one.services.access.local_operator(), books.used(ana.user_id)
    monkeypatch.setattr(quotas, "HOLD_SECONDS", 0.2)
    try:
        books.decide(admin, "ana", had + 10)
        with books.hold(ana, 10):
            answer = one.post("ana", "/items?case=T1", content=b"x")
            refused(answer, 429, "too_many_deposits")
            assert answer.headers["retry-after"] == str(quotas.RETRY_SECONDS)
    finally:
        books.decide(admin, "ana", None)
