"""Resumable uploads over HTTP (tus 1.0): every status, both databases, and exactly one item."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any

import pytest

from app.api.streams import BATCH_BYTES
from app.cli import resumable
from app.intake import writing
from tests.apis import Api, refused
from tests.tus import (
    CHUNK,
    DATA,
    VERSION,
    begin,
    broken_patch,
    checksum,
    create,
    delete,
    head,
    items,
    metadata,
    patch,
    shown,
    source,
    spool,
    with_settings,
)


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
    assert 1_000_000 < kept < 2_500_000
    assert delete(one, path).status_code == 204


@pytest.mark.parametrize("commit", [BATCH_BYTES, 1 << 30])
@pytest.mark.parametrize("more", [[b"TAIL"], [b"T" * BATCH_BYTES] * 3, [b"TAIL", None]])
def test_a_file_with_more_bytes_than_it_was_said_to_have_is_no_item_however_they_come(
    one: Api, more: list[bytes | None], commit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "COMMIT_BYTES", commit)
    before, size = items(one), 4 * BATCH_BYTES
    path = begin(one, size)
    status, body = broken_patch(one, path, 0, [*[b"x" * BATCH_BYTES] * 4, *more])  # the file is four batches
    assert (status, body["code"]) in {(413, "too_large"), (400, "body_cut_off")}
    kept = int(head(one, path).headers["upload-offset"])
    assert kept == (size - BATCH_BYTES if commit == BATCH_BYTES else 0), "what was committed, and never all of it"
    assert (shown(one, path)["state"], items(one)) == ("open", before)
    refused(patch(one, path, kept, b"x" * (size - kept) + b"TAIL"), 413, "too_large")
    assert patch(one, path, kept, b"x" * (size - kept)).headers["catena-state"] == "done"
    assert items(one) == before + 1


def test_a_body_without_a_length_completes_a_file_only_with_its_own_end(one: Api) -> None:
    path = begin(one, 10)
    status, body = broken_patch(one, path, 0, [b"0123456789", None])
    assert (status, body["code"]) == (400, "body_cut_off"), "more might have come"
    assert shown(one, path)["state"] == "open"
    assert broken_patch(one, path, 0, [b"01234", b"56789"])[0] == 204
    path = begin(one, 10)
    broken_patch(one, path, 0, [b"0123456789", None], **{"Content-Length": "10"})
    assert shown(one, path)["state"] == "done", "nothing can follow on bytes that were announced"


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
