"""Proxies over HTTP: who may have them, in pieces, one playback one event, and what is partial says so."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from app.evidence.service import Evidence
from app.wiring import make_worker
from tests.apis import Api, refused
from tests.checks import assert_clean
from tests.recordings import record


@cache
def recording() -> bytes:
    path = Path(mkdtemp()) / "a.mp4"
    times = [number / 10 for number in range(40)]
    return record(path, times, sound=(0.0, 4.0), container_options={"movflags": "faststart"}).read_bytes()


def deposited(api: Api, data: bytes | None = None, name: str = "a.mp4") -> str:
    item: str = api.deposit(data or recording(), X_Filename=name)["item"]["id"]
    api.work()
    return item


def playbacks(api: Api, item: str) -> list[str]:
    """Who read the proxy, by event."""
    events = api.events(item)
    return [e["actor"]["name"] for e in events if e["type"] == "access" and e["details"]["part"] == "proxy"]


def test_proxy_is_handed_to_readers_of_the_case_only_and_recorded_as_made(api: Api) -> None:
    item = api.deposit(recording(), X_Filename="a.mp4")["item"]["id"]
    path = f"/items/{item}/proxy"
    refused(api.get(None, path), 401, "token_required")
    refused(api.get("aud", path), 403, "not_allowed")
    for stranger in ("outsider", "outlaw"):
        refused(api.get(stranger, path), 404, "unknown_item")
    refused(api.get("ana", path), 404, "analysis_pending")
    assert api.get("ana", f"/items/{item}").json()["proxy"] is None
    api.work()

    shown = api.get("ana", f"/items/{item}").json()
    answer = api.get("ana", path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "video/mp4"
    digest = hashlib.sha256(answer.content).hexdigest()
    assert shown["proxy"] | {"seconds": 0} == {
        "state": "done",
        "sha256": digest,
        "seconds": 0,
        "of_seconds": shown["proxy"]["of_seconds"],
        "origin_seconds": 0.0,
        "missing": [],
        "failure_code": None,
        "failure_detail": None,
    }
    assert abs(shown["proxy"]["seconds"] - 4) < 0.2
    preview, proxy = shown["derivatives"]
    assert (preview["role"], proxy["role"], proxy["sha256"]) == ("preview", "proxy", digest)
    assert (proxy["width"], proxy["height"], proxy["size"]) == (320, 240, len(answer.content))

    (made,) = [event for event in api.events(item) if event["type"] == "migration"]
    assert made["sha256"] == hashlib.sha256(recording()).hexdigest(), "it names its source"
    assert made["sha512"] == hashlib.sha512(recording()).hexdigest()
    details = made["details"]
    assert (details["relationship"], details["state"]) == ("derivation", "done")
    (output,) = details["outputs"]
    assert (output["role"], output["sha256"], output["size"]) == ("proxy", digest, len(answer.content))
    assert "libx264" in details["tool"]
    assert "CRF" in details["parameters"]["video"]
    original = api.get("ana", f"/items/{item}/original").content
    assert original == recording(), "the original is as it was"
    assert_clean(api.services)


def test_pieces_of_one_playback_are_one_event_and_each_reader_and_quarter_of_an_hour_has_its_own(api: Api) -> None:
    item = deposited(api)
    path = f"/items/{item}/proxy"
    whole = api.get("ana", path).content
    pieces = [api.get("ana", path, headers={"Range": f"bytes={at}-{at + 999}"}) for at in range(0, 8000, 1000)]
    assert {piece.status_code for piece in pieces} == {206}
    assert b"".join(piece.content for piece in pieces) == whole[:8000]
    assert playbacks(api, item) == ["ana"]
    assert api.events(item)[-1]["details"] == {
        "part": "proxy",
        "sha256": hashlib.sha256(whole).hexdigest(),
        "within_s": 900,
    }
    api.get("leo", path, headers={"Range": "bytes=0-0"})
    assert playbacks(api, item) == ["ana", "leo"]
    now = api.services.archive.clock()
    later = now + timedelta(minutes=16)
    before = api.services.archive.clock
    object.__setattr__(api.services.archive, "clock", lambda: later)
    try:
        api.get("ana", path, headers={"Range": "bytes=0-0"})
    finally:
        object.__setattr__(api.services.archive, "clock", before)
    assert playbacks(api, item) == ["ana", "leo", "ana"]
    for nothing in ({"If-None-Match": f'"{hashlib.sha256(whole).hexdigest()}"'}, {"Range": "bytes=99999999-"}):
        assert api.get("outlaw", path, headers=nothing).status_code == 404
        assert api.get("liz", path, headers=nothing).status_code in {304, 416}
    assert api.call("liz", "HEAD", path).headers["content-length"] == str(len(whole))
    assert playbacks(api, item) == ["ana", "leo", "ana"], "where no byte leaves, none is recorded"
    assert_clean(api.services)


def test_no_byte_of_a_proxy_leaves_when_the_read_cannot_be_recorded(lite: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    item = deposited(lite)

    def broken(*_: object) -> None:
        raise OSError("no log")

    monkeypatch.setattr(Evidence, "record_playback", broken)
    answer = lite.get("ana", f"/items/{item}/proxy")
    assert answer.status_code == 500
    assert b"ftyp" not in answer.content


def test_half_a_recording_is_shown_as_partial_with_its_seconds(lite: Api) -> None:
    item = deposited(lite, recording()[: len(recording()) * 2 // 3])
    proxy = lite.get("ana", f"/items/{item}").json()["proxy"]
    assert proxy["state"] == "partial"
    assert "shorter_than_claimed" in proxy["missing"]
    assert proxy["seconds"] < proxy["of_seconds"] - 0.9
    assert lite.get("ana", f"/items/{item}/proxy").status_code == 200
    assert_clean(lite.services)


def test_what_has_no_proxy_says_why(lite: Api) -> None:
    note = deposited(lite, b"a note", "note.txt")
    refused(lite.get("ana", f"/items/{note}/proxy"), 404, "proxy_missing")
    assert lite.get("ana", f"/items/{note}").json()["proxy"] is None
    item = lite.deposit(recording(), X_Filename="a.mp4")["item"]["id"]
    worker = make_worker(lite.services)
    while lite.get("ana", f"/items/{item}").json()["proxy"] is None:
        assert worker.run_one()
    assert refused(lite.get("ana", f"/items/{item}/proxy"), 404, "proxy_pending")["status"] == 404
    broken = recording().replace(b"avc1", b"xxxx").replace(b"avcC", b"xxxx")
    other = deposited(lite, broken)
    shown = lite.get("ana", f"/items/{other}").json()["proxy"]
    assert (shown["state"], shown["sha256"]) == ("failed", None)
    assert shown["failure_code"] in {"video_unreadable", "no_picture"}
    assert shown["failure_code"] in refused(lite.get("ana", f"/items/{other}/proxy"), 404, "proxy_failed")["detail"]
    assert json.dumps(lite.events(other)).count('"migration"') == 1
    assert_clean(lite.services)
