"""Reading items: lists, originals whole and in part, previews, metadata."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zlib
from typing import BinaryIO

import pytest
from PIL import Image

from app.api.files import StoredFile
from app.evidence.service import Evidence
from tests.apis import Api, refused

DATA = bytes(range(256)) * 5_000  # more than one batch of 1 MiB
HOSTILE = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def photo() -> bytes:
    target = io.BytesIO()
    picture = Image.radial_gradient("L").resize((320, 240)).convert("RGB")
    picture.save(target, "JPEG", quality=90)
    return target.getvalue()


def test_items_are_listed_page_by_page_without_gap_or_repeat(api: Api) -> None:
    made = [api.deposit(b"item %d" % number)["item"]["id"] for number in range(5)]
    other = api.deposit(b"elsewhere", who="outsider", case="T2")["item"]["id"]
    seen: list[str] = []
    cursor = ""
    while True:
        page = api.get("leo", f"/items?case=T1&limit=2{cursor}").json()
        seen += [item["id"] for item in page["items"]]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert seen == made
    assert [item["id"] for item in api.get("adm", "/items").json()["items"]] == [*made, other]
    assert [item["id"] for item in api.get("outsider", "/items").json()["items"]] == [other]


def test_original_comes_back_byte_for_byte_and_the_read_is_recorded_first(api: Api) -> None:
    item = api.deposit(DATA, X_Filename="a.bin")["item"]["id"]
    answer = api.get("leo", f"/items/{item}/original")
    assert answer.status_code == 200
    assert answer.content == DATA
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["etag"] == f'"{hashlib.sha256(DATA).hexdigest()}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "private, no-store"
    last = api.events(item)[-1]
    assert (last["type"], last["actor"]["name"], last["details"]["part"]) == ("access", "leo", "original")


def test_no_byte_of_an_original_leaves_when_the_read_cannot_be_recorded(
    lite: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = lite.deposit(photo())["item"]["id"]
    lite.work()

    def broken(*_: object) -> None:
        raise RuntimeError("the log is gone")

    monkeypatch.setattr(Evidence, "record_access", broken)
    opened: list[BinaryIO] = []
    blobs = lite.services.archive.blobs
    open_blob = blobs.open

    def noted(sha256: str) -> BinaryIO:
        opened.append(open_blob(sha256))
        return opened[-1]

    monkeypatch.setattr(blobs, "open", noted)
    for part in ("/original", "/preview", "/metadata", ""):
        refused(lite.get("leo", f"/items/{item}{part}"), 500, "internal")
    for stream in opened:
        stream.close()


RANGES = [
    ("bytes=0-0", 0, 1),
    ("bytes=0-99", 0, 100),
    ("bytes=1048570-1048590", 1_048_570, 21),
    ("bytes=1279990-", 1_279_990, 10),
    ("bytes=-5", 1_279_995, 5),
    ("bytes=-99999999", 0, 1_280_000),
    ("bytes=10-99999999", 10, 1_279_990),
]


def test_one_range_of_an_original_is_served(lite: Api) -> None:
    item = lite.deposit(DATA)["item"]["id"]
    for header, first, length in RANGES:
        answer = lite.get("leo", f"/items/{item}/original", headers={"Range": header})
        assert answer.status_code == 206, header
        assert answer.content == DATA[first : first + length]
        assert answer.headers["content-range"] == f"bytes {first}-{first + length - 1}/{len(DATA)}"
    reads = [event for event in lite.events(item) if event["type"] == "access"]
    assert len(reads) == len(RANGES)


def test_ranges_that_cannot_be_served_send_the_whole_or_416(lite: Api) -> None:
    item = lite.deposit(DATA)["item"]["id"]
    path = f"/items/{item}/original"
    for header in ("bytes=0-1,4-5", "bytes=5-4", "bytes=-", "bytes=a-b", "lines=0-1", "bytes 0-1"):
        answer = lite.get("leo", path, headers={"Range": header})
        assert (answer.status_code, len(answer.content)) == (200, len(DATA)), header
    before = len(lite.events(item))
    for header in ("bytes=1280000-", "bytes=9999999-99999999", "bytes=-0"):
        answer = lite.get("leo", path, headers={"Range": header})
        refused(answer, 416, "range_not_satisfiable")
        assert answer.headers["content-range"] == "bytes */1280000"
    assert len(lite.events(item)) == before


def test_conditional_requests_follow_the_digest(lite: Api) -> None:
    item = lite.deposit(DATA)["item"]["id"]
    path, tag = f"/items/{item}/original", f'"{hashlib.sha256(DATA).hexdigest()}"'
    for same in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = lite.get("leo", path, headers={"If-None-Match": same})
        assert (answer.status_code, answer.content) == (304, b"")
    assert lite.get("leo", path, headers={"If-None-Match": '"x"'}).status_code == 200
    part = {"Range": "bytes=0-9"}
    assert lite.get("leo", path, headers={**part, "If-Range": tag}).status_code == 206
    assert lite.get("leo", path, headers={**part, "If-Range": '"other"'}).status_code == 200
    assert lite.get("leo", path, headers={**part, "If-Range": "Sun, 22 Nov 2026 10:00:00 GMT"}).status_code == 200


def test_hostile_svg_is_handed_out_so_that_no_browser_runs_it(lite: Api) -> None:
    item = lite.deposit(HOSTILE, X_Filename="picture.svg", Content_Type="image/svg+xml")["item"]["id"]
    answer = lite.get("ana", f"/items/{item}/original")
    assert answer.content == HOSTILE
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"].startswith("attachment;")


def test_original_whose_bytes_are_gone_is_a_coded_error_and_no_read(lite: Api) -> None:
    item = lite.deposit(DATA)["item"]
    sha256 = item["sha256"]
    before = len(lite.events(item["id"]))
    (lite.services.archive.settings.blobs / "sha256" / sha256[:2] / sha256[2:4] / sha256).unlink()
    refused(lite.get("leo", f"/items/{item['id']}/original"), 500, "blob_missing")
    assert len(lite.events(item["id"])) == before


def test_original_that_was_cut_short_breaks_the_connection(lite: Api) -> None:
    item = lite.deposit(DATA)["item"]
    sha256 = item["sha256"]
    path = lite.services.archive.settings.blobs / "sha256" / sha256[:2] / sha256[2:4] / sha256
    path.chmod(0o600)
    path.write_bytes(DATA[:100])
    with pytest.raises(OSError, match="shorter"):
        lite.client_that_raises().get(
            f"/api/v1/items/{item['id']}/original", headers={"Authorization": f"Bearer {lite.tokens['leo']}"}
        )


def test_before_the_analysis_metadata_and_preview_are_pending(lite: Api) -> None:
    item = lite.deposit(photo())["item"]["id"]
    assert lite.get("ana", f"/items/{item}").json()["analysis"]["state"] == "pending"
    for part in ("metadata", "preview"):
        answer = lite.get("ana", f"/items/{item}/{part}")
        refused(answer, 404, "analysis_pending")
        assert answer.headers["retry-after"] == "1"


def test_after_the_analysis_metadata_is_what_its_event_hashed(api: Api) -> None:
    item = api.deposit(photo(), X_Filename="p.jpg")["item"]["id"]
    api.work()
    shown = api.get("ana", f"/items/{item}").json()
    assert shown["analysis"]["state"] == "done"
    assert shown["analysis"]["media_type"] == "image/jpeg"
    assert shown["previews"] == ["image/jpeg"]
    record = api.get("ana", f"/items/{item}/metadata")
    reads = [event for event in api.events(item) if event["type"] == "access"]
    assert [(event["actor"]["name"], event["details"]["part"]) for event in reads] == [
        ("ana", "summary"),
        ("ana", "metadata"),
    ]
    assert record.headers["content-type"] == "application/json"
    assert json.loads(record.content)["file"]["kind"] == "photo"
    (made,) = [event for event in api.events(item) if event["type"] == "metadata extraction"]
    outputs = {output["role"]: output["sha256"] for output in made["details"]["outputs"]}
    assert outputs["metadata"] == hashlib.sha256(record.content).hexdigest()
    preview = api.get("ana", f"/items/{item}/preview")
    assert preview.headers["content-type"] == "image/jpeg"
    assert outputs["preview"] == hashlib.sha256(preview.content).hexdigest()
    assert Image.open(io.BytesIO(preview.content)).format == "JPEG"
    assert api.events(item)[-1]["details"]["part"] == "preview"


def test_a_file_that_breaks_the_parsers_is_still_there_with_its_reason(lite: Api) -> None:
    truncated = photo()[:900]
    item = lite.deposit(truncated, X_Filename="broken.jpg")["item"]["id"]
    lite.work()
    shown = lite.get("ana", f"/items/{item}").json()
    assert shown["analysis"]["state"] in {"done", "failed"}
    assert shown["sealed"] is True
    assert lite.get("ana", f"/items/{item}/original").content == truncated
    if shown["analysis"]["state"] == "failed":
        assert shown["analysis"]["failure_code"]


def test_a_picture_of_50000_by_50000_is_kept_and_flagged_not_decoded(lite: Api) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(150_001 * 100))
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    item = lite.deposit(bomb, X_Filename="bomb.png")["item"]["id"]
    lite.work()
    shown = lite.get("ana", f"/items/{item}").json()
    assert shown["sealed"] is True
    assert shown["analysis"]["state"] != "pending"
    assert shown["previews"] == []
    refused(lite.get("ana", f"/items/{item}/preview"), 404, "preview_missing")
    assert lite.get("ana", f"/items/{item}/original").content == bomb
    refused(lite.post("leo", "/match", content=bomb), 422, "parser_error")


def test_a_stored_file_tells_its_tag() -> None:
    assert StoredFile("ab", 1, "n").etag == '"ab"'


def test_lists_carry_no_position_and_no_capture_time(lite: Api) -> None:
    item = lite.deposit(photo())["item"]["id"]
    lite.work()
    (listed,) = lite.get("ana", "/items").json()["items"]
    assert listed["id"] == item
    assert not {"lat", "lon", "position", "captured_at", "analysis"} & set(listed)


def test_head_of_a_file_tells_its_size_and_tag_and_reads_nothing(lite: Api) -> None:
    item = lite.deposit(DATA, X_Filename="a.bin")["item"]["id"]
    before = len(lite.events(item))
    answer = lite.call("leo", "HEAD", f"/items/{item}/original", headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer.content) == (200, b"")
    whole = lite.get("leo", f"/items/{item}/original")
    for name in ("content-length", "etag", "content-disposition", "repr-digest", "content-type"):
        assert answer.headers[name] == whole.headers[name]
    assert len(lite.events(item)) == before + 1  # that of the GET
    assert lite.call("aud", "HEAD", f"/items/{item}/original").status_code == 403
    assert lite.call("outsider", "HEAD", f"/items/{item}/original").status_code == 404
