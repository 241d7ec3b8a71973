"""Depositing over HTTP: an item with its receipt, or nothing at all."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from app.api.gate import API
from app.errors import EnvironmentFailedError
from evidence_store.seal import verify_seal
from tests.apis import Api, opened, refused

DATA = b"\xff\xd8\xff\xe0 not much of a photo" * 50
DIGEST = hashlib.sha256(DATA)


def field(digest: bytes) -> str:
    return f"sha-256=:{base64.b64encode(digest).decode()}:"


def nothing_kept(api: Api, *, items: int = 0) -> None:
    """No item, no blob, no staging file, no event."""
    store = Path(api.services.archive.settings.blobs)
    assert len(api.get("adm", "/items").json()["items"]) == items
    assert len(list(api.services.archive.blobs.list())) == items
    assert list((store / "staging").iterdir()) == []


def test_deposit_needs_a_token_the_role_and_the_case(api: Api) -> None:
    refused(api.post(None, "/items?case=T1", content=DATA), 401, "token_required")
    refused(api.post("leo", "/items?case=T1", content=DATA), 403, "not_allowed")
    refused(api.post("aud", "/items?case=T1", content=DATA), 403, "not_allowed")
    refused(api.post("outsider", "/items?case=T1", content=DATA), 404, "unknown_case")
    refused(api.post("ana", "/items?case=T9", content=DATA), 404, "unknown_case")
    refused(api.post("ana", "/items", content=DATA), 422, "invalid_request")
    nothing_kept(api)


def test_deposit_gives_the_item_and_a_receipt_that_verifies(api: Api) -> None:
    answer = api.post("ana", "/items?case=T1", content=DATA, headers={"X-Filename": "a.jpg"})
    assert answer.status_code == 201
    body = answer.json()
    item, receipt = body["item"], body["receipt"]
    assert answer.headers["location"] == f"/api/v1/items/{item['id']}"
    assert (item["sha256"], item["size"], item["original_name"]) == (DIGEST.hexdigest(), len(DATA), "a.jpg")
    assert item["sha512"] == hashlib.sha512(DATA).hexdigest()
    statement = base64.b64decode(receipt["statement_base64"])
    assert json.loads(statement) == receipt["statement"]
    assert receipt["statement"]["sha256"] == DIGEST.hexdigest()
    authority = api.services.archive.seal_key().authority
    verify_seal(base64.b64decode(receipt["p7s_base64"]), statement, [authority])
    first = api.events(item["id"])[0]
    assert (first["type"], first["sha256"]) == ("ingestion", DIGEST.hexdigest())
    assert receipt["position"]["event_id"] == first["event_id"]
    assert body["duplicate_of"] == []
    assert body["repeated"] is False


def test_same_bytes_twice_are_two_items_over_one_blob(lite: Api) -> None:
    first = lite.deposit(DATA)
    second = lite.deposit(DATA)
    assert second["duplicate_of"] == [first["item"]["id"]]
    assert list(lite.services.archive.blobs.list()) == [DIGEST.hexdigest()]
    shown = lite.get("ana", f"/items/{first['item']['id']}").json()
    assert shown["duplicate_of"] == [second["item"]["id"]]


def test_repeated_idempotency_key_makes_no_second_item(api: Api) -> None:
    first = api.deposit(DATA, Idempotency_Key="f3a1-77")
    for key in ("f3a1-77", '"f3a1-77"'):
        again = api.deposit(DATA, Idempotency_Key=key)
        assert again["item"]["id"] == first["item"]["id"]
        assert again["receipt"] == first["receipt"]
        assert again["repeated"] is True
        other = api.post("ana", "/items?case=T1", content=b"other", headers={"Idempotency-Key": key})
        refused(other, 409, "key_reused")
    nothing_kept(api, items=1)


def test_announced_digest_is_checked_before_anything_is_kept(lite: Api) -> None:
    wrong = hashlib.sha256(b"what was meant").digest()
    answer = lite.post("ana", "/items?case=T1", content=DATA, headers={"Repr-Digest": field(wrong)})
    refused(answer, 400, "digest_mismatch")
    nothing_kept(lite)
    sha512 = base64.b64encode(hashlib.sha512(DATA).digest()).decode()
    both = f"{field(DIGEST.digest())}, sha-512=:{sha512}:, md5=:AAAA:"
    assert lite.deposit(DATA, Repr_Digest=both)["item"]["sha256"] == DIGEST.hexdigest()


def test_source_is_recorded_from_json_or_from_fields(lite: Api) -> None:
    said = {
        "url": "https://example.org/%D0%B0?b=1",
        "note": "Überbracht, 100 % sicher\nzweite Zeile",
        "collector": "Ана",
        "collected_at": "2026-11-22T12:00:00+02:00",
    }
    expected = said | {"collected_at": "2026-11-22T12:00:00+02:00"}
    for header in (quote(json.dumps(said)), json.dumps(said), quote(json.dumps(said, ensure_ascii=False))):
        assert lite.deposit(DATA, X_Source=header)["item"]["source"] == expected
    fields = {
        "X_Source_Url": said["url"],
        "X_Source_Note": quote(said["note"]),
        "X_Collector": quote(said["collector"]),
        "X_Collected_At": said["collected_at"],
    }
    assert lite.deposit(DATA, **fields)["item"]["source"] == expected


def test_a_note_of_5000_characters_is_kept_whole(api: Api) -> None:
    note = "Ж" * 5_000
    item = api.deposit(DATA, X_Source_Note=quote(note))["item"]
    assert item["source"]["note"] == note
    assert api.get("ana", f"/items/{item['id']}").json()["source"]["note"] == note


BAD_HEADERS = [
    ({"X-Source": "{"}, 400, "bad_header"),
    ({"X-Source": "[1]"}, 400, "bad_header"),
    ({"X-Source": '{"note": "a"}', "X-Source-Note": "b"}, 400, "bad_header"),
    ({"X-Source": '{"colour": "red"}'}, 422, "bad_source"),
    ({"X-Source": '{"note": "a\\u0000b"}'}, 422, "bad_source"),
    ({"X-Source": '{"note": "first", "note": "second"}'}, 422, "bad_source"),
    ({"X-Source-Note": "a%00b"}, 422, "bad_source"),
    ({"X-Source-Note": "n" * 8_001}, 422, "bad_source"),
    ({"X-Collected-At": "yesterday"}, 422, "bad_source"),
    ({"X-Collected-At": "2026-11-22T12:00:00"}, 422, "bad_source"),
    ({"X-Filename": "%ff%fe"}, 400, "bad_header"),
    ({"Repr-Digest": "sha-256=abc"}, 400, "bad_header"),
    ({"Repr-Digest": "sha-256=:AAAA:"}, 400, "bad_header"),
    ({"Repr-Digest": "md5=:AAAA:"}, 400, "bad_header"),
    ({"Idempotency-Key": "k" * 101}, 422, "bad_deposit_key"),
    ({"Idempotency-Key": '""'}, 422, "bad_deposit_key"),
    ({"Content-Type": "multipart/form-data; boundary=x"}, 415, "unsupported_media_type"),
    ({"Content-Encoding": "gzip"}, 415, "unsupported_encoding"),
]


def test_bad_header_is_refused_with_a_code(lite: Api) -> None:
    for headers, status, code in BAD_HEADERS:
        refused(lite.post("ana", "/items?case=T1", content=DATA, headers=headers), status, code)
    nothing_kept(lite)


NAMES = [
    ("../../etc/passwd", "passwd"),
    ("..%2F..%2Fetc%2Fpasswd", "passwd"),
    ("C:%5Ctemp%5Cclip.mp4", "clip.mp4"),
    ("a%0D%0ASet-Cookie:%20x=1.jpg", "a%0D%0ASet-Cookie: x=1.jpg"),
    ("%E2%80%AEgpj.exe", "%E2%80%AEgpj.exe"),
    ("%D0%B2%D1%96%D0%B4%D0%B5%D0%BE.mp4", "відео.mp4"),
    ("..", "unnamed"),
    ("", "unnamed"),
    ("100%.jpg", "100%.jpg"),
]


def test_hostile_file_name_is_kept_readable_and_harmless(lite: Api) -> None:
    for given, recorded in NAMES:
        item = lite.deposit(DATA, X_Filename=given)["item"]
        assert item["original_name"] == recorded
        answer = lite.get("ana", f"/items/{item['id']}/original")
        assert answer.content == DATA
        disposition = answer.headers["content-disposition"]
        assert disposition.startswith("attachment; filename=")
        assert "set-cookie" not in answer.headers
        assert disposition.endswith(f"filename*=UTF-8''{quote(recorded, safe='!#$&+-.^_`|~')}")


def test_raw_utf8_file_name_is_read_too(lite: Api) -> None:
    raw = "фото.jpg".encode()
    answer = lite.client.post(
        "/api/v1/items?case=T1",
        content=DATA,
        headers=[(b"x-filename", raw), (b"authorization", f"Bearer {lite.tokens['ana']}".encode())],
    )
    assert answer.json()["item"]["original_name"] == "фото.jpg"


def test_empty_file_is_refused(api: Api) -> None:
    refused(api.post("ana", "/items?case=T1", content=b""), 422, "empty_file")
    nothing_kept(api)


def test_unknown_type_is_kept_and_sealed(api: Api) -> None:
    body = api.deposit(b"\x00\x01 no known type", X_Filename="thing.xyz")
    assert body["receipt"]["statement"]["original_name"] == "thing.xyz"


def test_too_large_is_refused_early_when_announced_and_at_the_limit_when_not(tmp_path: Path) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 100_000

    with opened(tmp_path, "sqlite", max_upload_bytes=1_500_000) as api:
        taken = 0

        def counted() -> Iterator[bytes]:
            nonlocal taken
            taken += 1
            yield b"x" * 1_500_001

        announced = api.post("ana", "/items?case=T1", content=counted(), headers={"Content-Length": "1500001"})
        refused(announced, 413, "too_large")
        refused(api.post("ana", "/items?case=T1", content=endless()), 413, "too_large")
        nothing_kept(api)
        assert api.deposit(b"x" * 1_500_000)["item"]["size"] == 1_500_000


def test_full_disk_is_a_coded_error_and_keeps_nothing(lite: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(wanted: int = 0) -> None:
        raise EnvironmentFailedError("storage_full", "the archive's disk is full; nothing was kept", status=507)

    with monkeypatch.context() as patch:
        patch.setattr(lite.services.intake, "check_room", full)
        refused(lite.post("ana", "/items?case=T1", content=DATA), 507, "storage_full")
    nothing_kept(lite)


def test_disk_that_fills_up_half_way_keeps_nothing(lite: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from evidence_store.blobs import local

    written = 0

    def write_some(descriptor: int, data: bytes) -> None:
        nonlocal written
        written += 1
        if written > 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(local, "write_all", write_some)
        status, body = lite.stream("ana", "/items?case=T1", [b"x" * 1_000_000] * 4)
    assert (status, json.loads(body)["code"]) == (507, "storage_full")
    assert written == 2
    nothing_kept(lite)


def test_client_that_goes_away_half_way_leaves_nothing(api: Api) -> None:
    for chunks in ([None], [b"x" * 10, None], [b"x" * 3_000_000, b"y" * 3_000_000, None]):
        status, body = api.stream("ana", "/items?case=T1", chunks)
        assert (status, json.loads(body)["code"]) == (400, "body_cut_off")
    nothing_kept(api)
    status, body = api.stream("ana", "/items?case=T1", [DATA[:100], DATA[100:]])
    assert (status, json.loads(body)["item"]["sha256"]) == (201, DIGEST.hexdigest())


def test_body_shorter_than_announced_keeps_nothing(lite: Api) -> None:
    answer = lite.post("ana", "/items?case=T1", content=DATA, headers={"Content-Length": str(len(DATA) + 1)})
    refused(answer, 400, "body_cut_off")
    nothing_kept(lite)


def test_unreadable_content_length_is_refused(lite: Api) -> None:
    for length in ("-1", "1e3", "9" * 30, "+5"):
        answer = lite.post("ana", "/items?case=T1", content=DATA, headers={"Content-Length": length})
        refused(answer, 400, "bad_header")
    nothing_kept(lite)


def test_field_that_is_given_twice_is_refused_not_half_lost(lite: Api) -> None:
    bearer = ("Authorization", f"Bearer {lite.tokens['ana']}")
    for name in ("X-Source", "X-Source-Note", "X-Filename", "Idempotency-Key"):
        twice = [bearer, (name, '{"note": "a"}'), (name, '{"note": "b"}')]
        refused(lite.client.post(f"{API}/items?case=T1", content=DATA, headers=twice), 400, "bad_header")
    nothing_kept(lite)


def test_idempotency_key_with_another_name_or_note_is_refused(lite: Api) -> None:
    said = {"Idempotency-Key": "k1", "X-Filename": "a.jpg", "X-Source-Note": "first"}
    item = lite.deposit(DATA, **{name.replace("-", "_"): value for name, value in said.items()})["item"]
    for other in ({"X-Filename": "b.jpg"}, {"X-Source-Note": "second"}):
        answer = lite.post("ana", "/items?case=T1", content=DATA, headers={**said, **other})
        refused(answer, 409, "key_reused")
    again = lite.post("ana", "/items?case=T1", content=DATA, headers=said).json()
    assert (again["item"]["id"], again["repeated"]) == (item["id"], True)
