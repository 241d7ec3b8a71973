"""Resumable uploads over HTTP (tus 1.0): every status, both databases, and exactly one item."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlmodel import func, select, update

from app.api.streams import BATCH_BYTES
from app.cli import resumable
from app.config import Settings
from app.errors import EnvironmentFailedError
from app.evidence.models import Item
from app.intake import finishing, quotas, room, running, service, uploads, writing
from app.intake.models import Upload
from app.intake.uploads import Uploads
from evidence_store.errors import EvidenceStoreError
from tests.apis import Api, opened, refused
from tests.checks import assert_clean
from tests.databases import BACKENDS
from tests.tus import CHUNK, VERSION, begin, checksum, create, delete, head, metadata, patch, shown, source

DATA = bytes(range(256)) * 12_000  # 3 MB: several batches, and a last one that is not full


@pytest.fixture(scope="module", params=BACKENDS)
def archive_of_both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One archive on each kind of database, for all tests of the module; clean at the end."""
    with opened(tmp_path_factory.mktemp("uploads"), request.param) as api:
        yield api
        assert_clean(api.services)


@pytest.fixture(scope="module")
def archive_of_one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One archive on SQLite for all tests of the module; clean at the end."""
    with opened(tmp_path_factory.mktemp("uploads"), "sqlite") as api:
        yield api
        assert_clean(api.services)


@pytest.fixture
def both(archive_of_both: Api) -> Iterator[Api]:
    """The archive on each kind of database, without what another test left unfinished."""
    yield archive_of_both
    tidy(archive_of_both)


@pytest.fixture
def one(archive_of_one: Api) -> Iterator[Api]:
    """The archive on SQLite, for what the database has no part in."""
    yield archive_of_one
    tidy(archive_of_one)


def tidy(api: Api) -> None:
    """Unfinished uploads expire."""
    with api.services.archive.db.write() as session:
        session.exec(update(Upload).values(expires_at="2020-01-01T00:00:00.000000Z"))
    api.services.uploads.work()
    assert spool(api) == []


def items(api: Api) -> int:
    with api.services.archive.db.read() as session:
        return session.exec(select(func.count()).select_from(Item)).one()


def spool(api: Api) -> list[Path]:
    folder = api.services.archive.settings.uploads
    return sorted(folder.iterdir()) if folder.exists() else []


def test_uploads_need_a_token_the_role_and_the_case(both: Api) -> None:
    refused(create(both, 5, who=None), 401, "token_required")
    refused(create(both, 5, who="leo"), 403, "not_allowed")
    refused(create(both, 5, who="aud"), 403, "not_allowed")
    refused(create(both, 5, who="outsider"), 404, "unknown_case")
    refused(create(both, 5, query="?case=T9"), 404, "unknown_case")
    refused(create(both, 5, query=""), 404, "unknown_case")
    assert both.call("leo", "OPTIONS", "/uploads").status_code == 403
    path = begin(both, 5)
    for who, status, code in (
        (None, 401, "token_required"),
        ("leo", 403, "not_allowed"),
        ("adm", 404, "unknown_upload"),
    ):
        refused(patch(both, path, 0, b"12345", who=who), status, code)
        refused(delete(both, path, who=who), status, code)
        refused(both.get(who, path), status, code)
        assert head(both, path, who=who).status_code == status
    refused(patch(both, path, 0, b"12345", who="outsider"), 404, "unknown_upload")
    assert shown(both, path)["offset"] == 0
    assert delete(both, path).status_code == 204
    assert spool(both) == []


def test_membership_that_ends_ends_the_upload(one: Api) -> None:
    one.services.access.create_user(one.services.access.local_operator().actor, "eve", "investigator")
    case = one.services.evidence.find_case(one.services.access.local_operator(), "T1")
    actor = one.services.access.local_operator().actor
    one.services.access.add_member(actor, case.id, "eve")
    one.tokens["eve"] = one.services.access.create_token(actor, "eve")[1]
    path = begin(one, 5, who="eve")
    one.services.access.remove_member(actor, case.id, "eve")
    refused(patch(one, path, 0, b"12345", who="eve"), 404, "unknown_case")
    one.services.access.add_member(actor, case.id, "eve")
    assert delete(one, path, who="eve").status_code == 204


def test_server_tells_what_it_speaks(one: Api) -> None:
    answer = one.call("ana", "OPTIONS", "/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-extension"] == "creation,creation-with-upload,termination,checksum,expiration"
    assert answer.headers["tus-checksum-algorithm"] == "sha256,sha1"
    assert answer.headers["catena-checksum-max-size"] == str(writing.CHECKED_BYTES) == str(64 << 20)
    assert resumable.PIECE_BYTES <= writing.CHECKED_BYTES, "our own client keeps to it"
    assert answer.headers["tus-max-size"] == str(one.services.archive.settings.max_upload_bytes)


def test_a_file_in_parts_becomes_one_item_with_all_that_was_said_of_it(both: Api) -> None:
    before = items(both)
    said = {"url": "https://example.org/p/1", "note": "відео", "collector": "Ана"}
    described = metadata(
        filename="../дрон.mp4", case="T1", source=source(**said), sha256=hashlib.sha256(DATA).hexdigest()
    )
    path = begin(both, len(DATA), query="", Upload_Metadata=described)
    for start, end, algorithm in (
        (0, 1_100_000, None),
        (1_100_000, 2_500_000, "sha256"),
        (2_500_000, 3_000_000, "sha1"),
    ):
        assert int(head(both, path).headers["upload-offset"]) == start
        part = DATA[start:end]
        fields = {} if algorithm is None else {"Upload_Checksum": checksum(part, algorithm)}
        answer = patch(both, path, start, part, **fields)
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(end)), answer.text
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert parsedate_to_datetime(answer.headers["upload-expires"]) > datetime.now(UTC) + timedelta(days=6)
    last = patch(both, path, 3_000_000, DATA[3_000_000:])
    assert (last.status_code, last.headers["catena-state"]) == (204, "done")
    item = last.headers["catena-item"].removeprefix("/api/v1/items/")

    asked = head(both, path)
    assert asked.status_code == 200
    assert (asked.headers["upload-offset"], asked.headers["upload-length"]) == (str(len(DATA)), str(len(DATA)))
    assert asked.headers["upload-metadata"] == described
    assert asked.headers["catena-item"] == f"/api/v1/items/{item}"
    told = shown(both, path)
    assert (told["state"], told["item"], told["offset"], told["size"]) == ("done", item, len(DATA), len(DATA))
    assert told["receipt"]["statement"]["sha256"] == hashlib.sha256(DATA).hexdigest()

    kept = both.get("ana", f"/items/{item}").json()
    assert (kept["original_name"], kept["source"]) == ("дрон.mp4", said)
    assert kept["sha512"] == hashlib.sha512(DATA).hexdigest()
    assert both.get("ana", f"/items/{item}/original").content == DATA
    assert both.events(item)[0]["type"] == "ingestion"
    assert spool(both) == []

    # However often the end is repeated, there is one item.
    again = patch(both, path, len(DATA), b"")
    assert (again.status_code, again.headers["catena-item"]) == (204, f"/api/v1/items/{item}")
    refused(patch(both, path, 3_000_000, DATA[3_000_000:]), 409, "wrong_offset")
    refused(delete(both, path), 409, "upload_complete")
    assert items(both) == before + 1


def test_creation_may_bring_the_first_bytes_or_all(both: Api) -> None:
    def with_bytes(size: int, data: bytes, **fields: str) -> Any:  # noqa: ANN401 - an answer
        headers = {
            **VERSION,
            **CHUNK,
            "Upload-Length": str(size),
            **{k.replace("_", "-"): v for k, v in fields.items()},
        }
        return both.post("ana", "/uploads?case=T1", content=data, headers=headers)

    first = with_bytes(10, b"01234")
    assert (first.status_code, first.headers["upload-offset"]) == (201, "5")
    path = first.headers["location"].removeprefix("/api/v1")
    assert patch(both, path, 5, b"56789").headers["catena-state"] == "done"
    whole = with_bytes(10, b"abcdefghij", Upload_Checksum=checksum(b"abcdefghij"))
    assert whole.status_code == 201
    assert whole.headers["catena-item"]
    refused(with_bytes(10, b"abcdefghij", Upload_Checksum=checksum(b"other")), 460, "checksum_mismatch")
    refused(with_bytes(5, b"abcdefghij"), 413, "too_large")
    refused(with_bytes(10, b"abc", Content_Type="image/jpeg"), 415, "unsupported_media_type")
    assert spool(both) == [], "an upload whose address nobody learnt is given up"


def test_a_checksum_that_differs_keeps_nothing_of_the_chunk_and_the_next_try_goes_through(both: Api) -> None:
    path = begin(both, len(DATA))
    assert patch(both, path, 0, DATA[:1000]).status_code == 204
    for algorithm in ("sha256", "sha1"):
        answer = patch(both, path, 1000, DATA[1000:], Upload_Checksum=checksum(b"what was meant", algorithm))
        refused(answer, 460, "checksum_mismatch")
        assert head(both, path).headers["upload-offset"] == "1000"
    done = patch(both, path, 1000, DATA[1000:], Upload_Checksum=checksum(DATA[1000:]))
    item = done.headers["catena-item"].rsplit("/", 1)[-1]
    assert both.get("ana", f"/items/{item}").json()["sha256"] == hashlib.sha256(DATA).hexdigest()


PATCHES: list[tuple[dict[str, str], int, str]] = [
    ({"Tus-Resumable": ""}, 412, "tus_version"),
    ({"Tus-Resumable": "0.2.2"}, 412, "tus_version"),
    ({"Content-Type": "application/octet-stream"}, 415, "unsupported_media_type"),
    ({"Content-Type": "multipart/form-data; boundary=x"}, 415, "unsupported_media_type"),
    ({"Content-Encoding": "gzip"}, 415, "unsupported_encoding"),
    ({"Upload-Offset": "6"}, 409, "wrong_offset"),
    ({"Upload-Offset": "4"}, 409, "wrong_offset"),
    ({"Upload-Offset": "-5"}, 400, "bad_header"),
    ({"Upload-Offset": "five"}, 400, "bad_header"),
    ({"Upload-Offset": "9999999999999999999"}, 400, "bad_header"),
    ({"Upload-Checksum": "md5 AAAA"}, 400, "unknown_algorithm"),
    ({"Trailer": "Upload-Checksum"}, 400, "bad_header"),
    ({"Upload-Checksum": "sha256 AAAA"}, 400, "bad_header"),
    ({"Upload-Checksum": "sha256"}, 400, "bad_header"),
    ({"Upload-Checksum": "sha1 %%%%"}, 400, "bad_header"),
]


def test_chunk_that_does_not_fit_is_refused_with_its_status_and_changes_nothing(one: Api) -> None:
    path = begin(one, 20)
    assert patch(one, path, 0, b"01234").status_code == 204
    for fields, status, code in PATCHES:
        answer = one.call(
            "ana", "PATCH", path, content=b"56789", headers={**VERSION, **CHUNK, "Upload-Offset": "5"} | fields
        )
        refused(answer, status, code)
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert (status == 412) == ("tus-version" in answer.headers)
    refused(patch(one, path, 5, b"x" * 16), 413, "too_large")
    missing = one.call("ana", "PATCH", path, content=b"56789", headers={**VERSION, **CHUNK})
    refused(missing, 400, "bad_header")
    twice = [*VERSION.items(), *CHUNK.items(), ("Upload-Offset", "5"), ("Upload-Offset", "6")]
    bearer = ("Authorization", f"Bearer {one.tokens['ana']}")
    refused(one.client.patch(f"/api/v1{path}", content=b"5", headers=[bearer, *twice]), 400, "bad_header")
    assert head(one, path).headers["upload-offset"] == "5"
    assert delete(one, path).status_code == 204


def test_body_without_a_length_that_goes_beyond_the_file_is_cut_at_its_batches(one: Api) -> None:
    path = begin(one, 2_500_000)
    status, body = broken_patch(one, path, 0, [b"x" * 100_000] * 40)
    assert (status, body["code"]) == (413, "too_large")
    kept = int(head(one, path).headers["upload-offset"])
    assert 1_000_000 < kept <= 2_500_000
    assert delete(one, path).status_code == 204


CREATIONS: list[tuple[dict[str, str], int, str]] = [
    ({"Tus-Resumable": "2.0.0"}, 412, "tus_version"),
    ({"Upload-Length": "-1"}, 400, "bad_header"),
    ({"Upload-Length": ""}, 400, "bad_header"),
    ({"Upload-Length": "0"}, 422, "empty_file"),
    ({"Upload-Length": "999999999999"}, 413, "too_large"),
    ({"Upload-Defer-Length": "1"}, 400, "length_required"),
    ({"Trailer": "Expires, upload-checksum"}, 400, "bad_header"),
    ({"Upload-Checksum": checksum(b"")}, 400, "bad_header"),
    ({"Upload-Metadata": "case VDI="}, 400, "bad_header"),
    ({"Upload-Metadata": "filename"}, 201, ""),
    ({"Upload-Metadata": "filename ????"}, 400, "bad_header"),
    ({"Upload-Metadata": "filename YQ==,filename Yg=="}, 400, "bad_header"),
    ({"Upload-Metadata": "filename //8="}, 400, "bad_header"),
    ({"Upload-Metadata": metadata(source="{")}, 400, "bad_header"),
    ({"Upload-Metadata": metadata(source='{"colour": "red"}')}, 422, "bad_source"),
    ({"Upload-Metadata": metadata(source='{"note": "a", "note": "b"}')}, 422, "bad_source"),
    ({"Upload-Metadata": metadata(sha256="abc")}, 400, "bad_header"),
    ({"Upload-Metadata": metadata(idempotency_key="k" * 101)}, 422, "bad_deposit_key"),
]


def test_creation_that_cannot_become_an_item_is_refused_before_the_first_byte(one: Api) -> None:
    for fields, status, code in CREATIONS:
        answer = one.post("ana", "/uploads?case=T1", headers={**VERSION, "Upload-Length": "10"} | fields)
        if status == 201:
            assert answer.status_code == 201, answer.text
            assert delete(one, answer.headers["location"].removeprefix("/api/v1")).status_code == 204
        else:
            refused(answer, status, code)
            assert answer.headers["tus-resumable"] == "1.0.0"
    assert spool(one) == []


def test_terminated_and_unknown_uploads_are_gone(one: Api) -> None:
    path = begin(one, 10)
    patch(one, path, 0, b"01234")
    assert delete(one, path).status_code == 204
    refused(delete(one, path), 410, "upload_terminated")
    refused(patch(one, path, 5, b"56789"), 410, "upload_terminated")
    assert head(one, path).status_code == 410
    assert shown(one, path)["state"] == "terminated"
    for unknown in ("/uploads/none", "/uploads/5f1d7c1e-6c0f-4a53-9b0e-0f5cf1f6a001", "/uploads/..%2f..%2fkeys"):
        assert head(one, unknown).status_code == 404
        assert patch(one, unknown, 0, b"1").status_code == 404
        assert delete(one, unknown).status_code == 404


def test_client_that_can_only_post_names_its_method(one: Api) -> None:
    path = begin(one, 5)
    fields = {**VERSION, **CHUNK, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert one.post("ana", path, content=b"012", headers=fields).headers["upload-offset"] == "3"
    asked = one.post("ana", path, headers={**VERSION, "X-HTTP-Method-Override": "HEAD"})
    assert asked.headers["upload-offset"] == "3"
    refused(one.post("ana", path, headers={**VERSION, "X-HTTP-Method-Override": "TRACE"}), 405, "method_not_allowed")
    assert one.post("ana", path, headers={**VERSION, "X-HTTP-Method-Override": "DELETE"}).status_code == 204


def test_announced_digest_that_differs_makes_no_item_says_so_and_keeps_the_bytes(both: Api) -> None:
    before = items(both)
    wrong = hashlib.sha256(b"what was meant").hexdigest()
    path = begin(both, 10, Upload_Metadata=metadata(sha256=wrong))
    refused(patch(both, path, 0, b"0123456789"), 400, "digest_mismatch")
    told = shown(both, path)
    assert (told["state"], told["failure_code"], told["item"]) == ("failed", "digest_mismatch", None)
    assert head(both, path).status_code == 410
    refused(patch(both, path, 10, b""), 410, "upload_failed")
    assert [path.read_bytes() for path in spool(both)] == [b"0123456789"]
    assert items(both) == before
    assert delete(both, path).status_code == 204
    assert spool(both) == []


def test_idempotency_key_is_the_items_also_across_ways_of_sending(both: Api) -> None:
    sent = both.deposit(b"one deposit", Idempotency_Key="key-1", X_Filename="a.bin")["item"]["id"]
    described = metadata(idempotency_key="key-1", filename="a.bin")
    path = begin(both, 11, Upload_Metadata=described)
    assert patch(both, path, 0, b"one deposit").headers["catena-item"] == f"/api/v1/items/{sent}"
    for size, said in (
        (12, {}),
        (11, {"filename": "b.bin"}),
        (11, {"source": source(note="another")}),
        (11, {"sha256": hashlib.sha256(b"another one").hexdigest()}),
    ):
        new = {"idempotency_key": "key-1", "filename": "a.bin"} | said
        refused(create(both, size, Upload_Metadata=metadata(**new)), 409, "key_reused")
    adms = begin(both, 11, who="adm", Upload_Metadata=described)  # a key is each user's own
    refused(create(both, 11, query="?case=T2", who="adm", Upload_Metadata=described), 409, "key_reused")
    assert delete(both, adms, who="adm").status_code == 204
    other = begin(both, 11, Upload_Metadata=described)
    refused(patch(both, other, 0, b"another one"), 409, "key_reused")
    assert shown(both, other)["failure_code"] == "key_reused"
    assert delete(both, other).status_code == 204


def test_key_of_an_unfinished_upload_is_no_other_files(both: Api) -> None:
    sha256 = hashlib.sha256(b"0123456789").hexdigest()
    described = {"idempotency_key": "key-2", "filename": "a.bin", "sha256": sha256}
    path = begin(both, 10, Upload_Metadata=metadata(**described))
    for size, said in ((11, {}), (10, {"filename": "b.bin"}), (10, {"sha256": "0" * 64})):
        refused(create(both, size, Upload_Metadata=metadata(**(described | said))), 409, "key_reused")
    again = begin(both, 10, Upload_Metadata=metadata(**described))  # a client that lost its first address
    assert delete(both, path).status_code == delete(both, again).status_code == 204
    assert delete(both, begin(both, 11, Upload_Metadata=metadata(**described))).status_code == 204


def test_failed_upload_counts_as_long_as_its_bytes_are_here(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    books, admin = one.services.quotas, one.services.access.local_operator()
    had = books.used(one.services.access.local_operator("ana").user_id)
    try:
        books.decide(admin, "ana", had + 15)
        path = begin(one, 10, Upload_Metadata=metadata(sha256="0" * 64))
        refused(patch(one, path, 0, b"0123456789"), 400, "digest_mismatch")
        problem = refused(create(one, 10), 413, "quota_exceeded")
        assert problem["used"] == had + 10
        books.decide(admin, "ana", None)
        with monkeypatch.context() as patched:
            with_settings(one, patched, open_uploads_per_user=1)
            assert refused(create(one, 10), 429, "too_many_uploads")["used"] == 1
        with monkeypatch.context() as patched:  # the bytes are on the disk: no room is promised for them
            patched.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
            assert delete(one, begin(one, 10)).status_code == 204
        told = shown(one, path)
        day = datetime.fromisoformat(told["expires_at"]) - datetime.fromisoformat(told["created_at"])
        assert timedelta(hours=23) < day < timedelta(hours=25)
        assert delete(one, path).status_code == 204
        books.decide(admin, "ana", had + 15)
        assert delete(one, begin(one, 15)).status_code == 204
    finally:
        books.decide(admin, "ana", None)


def with_settings(api: Api, monkeypatch: pytest.MonkeyPatch, **changed: int) -> None:
    settings: Settings = dataclasses.replace(api.services.archive.settings, **changed)  # type: ignore[arg-type]
    archive = dataclasses.replace(api.services.archive, settings=settings)
    monkeypatch.setattr(api.services.uploads, "_archive", archive)


def test_places_and_the_disks_room_are_promised_once(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    first = begin(one, 1_000_000)
    with monkeypatch.context() as patched:
        with_settings(one, patched, open_uploads_per_user=1)
        body = refused(create(one, 10), 429, "too_many_uploads")
        assert (body["limit"], body["used"]) == (1, 1)
        others = begin(one, 10, who="adm")  # the bound is each user's own
        assert delete(one, others, who="adm").status_code == 204
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2_000_000))
        refused(create(one, 1_000_001), 507, "storage_full")  # as many are promised already
        second = begin(one, 900_000)
        refused(create(one, 100_001), 507, "storage_full")
        assert patch(one, first, 0, b"x" * 500_000).status_code == 204  # what is on the disk is no longer promised
        third = begin(one, 600_000)
    for path in (first, second, third):
        assert delete(one, path).status_code == 204


def test_quota_counts_what_is_promised_already(one: Api) -> None:
    quotas, admin = one.services.quotas, one.services.access.local_operator()
    ana = one.services.access.local_operator("ana")
    had = quotas.used(ana.user_id)
    try:
        quotas.decide(admin, "ana", had + 150)
        first, second = begin(one, 100), begin(one, 50)
        problem = refused(create(one, 1), 413, "quota_exceeded")
        assert (problem["limit"], problem["used"]) == (had + 150, had + 150)
        assert delete(one, first).status_code == delete(one, second).status_code == 204
        assert quotas.used(ana.user_id) == had
    finally:
        quotas.decide(admin, "ana", None)


# -- links that drop, requests that meet -----------------------------------------------------------


def broken_patch(
    api: Api, path: str, offset: int, chunks: list[bytes | None], **fields: str
) -> tuple[int, dict[str, Any]]:
    headers = {**VERSION, **CHUNK, "Upload-Offset": str(offset), "X-HTTP-Method-Override": "PATCH", **fields}
    status, body = api.stream("ana", path, chunks, headers)
    return status, json.loads(body or b"{}")


def test_what_has_arrived_is_kept_when_the_link_drops(both: Api) -> None:
    path = begin(both, len(DATA))
    status, body = broken_patch(both, path, 0, [DATA[:1_300_000], DATA[1_300_000:1_300_007], None])
    assert (status, body["code"]) == (400, "body_cut_off")
    assert head(both, path).headers["upload-offset"] == "1300007"
    status, body = broken_patch(
        both, path, 1_300_007, [DATA[1_300_007:2_000_000], None], **{"Upload-Checksum": checksum(DATA[1_300_007:])}
    )
    assert (status, body["code"]) == (400, "body_cut_off")
    assert head(both, path).headers["upload-offset"] == "1300007", "what cannot be checked is not kept"
    item = patch(both, path, 1_300_007, DATA[1_300_007:]).headers["catena-item"].rsplit("/", 1)[-1]
    assert both.get("ana", f"/items/{item}").json()["sha256"] == hashlib.sha256(DATA).hexdigest()


@contextmanager
def held(api: Api, path: str, *, beating: bool) -> Iterator[Callable[[], None]]:
    """Another request writes to the upload: its client sends, or has fallen silent and gives way when asked."""
    who = api.services.access.local_operator("ana")
    at_work = api.services.uploads.begin(who, path.rsplit("/", 1)[-1], 0, None, None)
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.05):
            if beating:
                at_work.heard = time.monotonic()
            elif api.services.uploads.is_wanted(at_work):
                at_work.end(whole=False)
                return

    at_work.write(b"01234")
    at_work.heard = time.monotonic() - (0 if beating else 60)
    thread = threading.Thread(target=beat)
    thread.start()

    def leave() -> None:
        stop.set()
        thread.join()
        if beating:
            at_work.end(whole=False)

    try:
        yield leave
    finally:
        leave()


def test_second_writer_is_answered_at_once_while_the_first_is_at_work(both: Api) -> None:
    path = begin(both, 10)
    with held(both, path, beating=True):
        started = time.monotonic()
        for answer in (patch(both, path, 0, b"0123456789"), delete(both, path)):
            refused(answer, 423, "upload_locked")
            assert answer.headers["retry-after"] == "1"
        assert head(both, path).headers["upload-offset"] == "0", "what is durable is told without waiting"
        assert time.monotonic() - started < 2.0
    assert head(both, path).headers["upload-offset"] == "5"
    assert patch(both, path, 5, b"56789").headers["catena-state"] == "done"


def test_client_that_comes_back_takes_over_from_its_own_dead_line(one: Api) -> None:
    path = begin(one, 10)
    with held(one, path, beating=False):
        started = time.monotonic()
        assert head(one, path).headers["upload-offset"] == "5", "the silent writer left, what it had is kept"
        assert patch(one, path, 5, b"56789").headers["catena-state"] == "done"
        assert time.monotonic() - started < 3.0


def test_silent_writer_in_another_process_is_asked_too(one: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = begin(one, 10)
    services = one.services
    another = Uploads(
        services.archive, services.access, services.intake, services.quotas
    )  # as another server would have it
    monkeypatch.setattr(uploads, "QUIET_SECONDS", 0.2)
    with held(one, path, beating=False):
        time.sleep(0.3)
        who = services.access.local_operator("ana")
        assert another.offset(who, path.rsplit("/", 1)[-1]).committed == 5
    assert delete(one, path).status_code == 204


# -- what dies, fills up, or takes too long --------------------------------------------------------


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
