"""Pictures of matches over HTTP and by command: who may see them, what they are, and that each look is recorded."""

from __future__ import annotations

import hashlib
import io

import pytest
from PIL import Image
from sqlmodel import col, select

from app.matching import match_pictures
from app.matching.models import FingerprintRow
from tests.apis import Api, refused
from tests.checks import assert_clean
from tests.flow.test_api_match_decisions import copies
from tests.flow.test_api_matches import jpeg, scene


def path(item: str, other: str) -> str:
    return f"/items/{item}/matches/{other}/picture.png"


def looks(api: Api, item: str) -> int:
    """How often a picture of its matches was read, by the item's events."""
    return sum(event["details"].get("part") == "match picture" for event in api.events(item))


def test_a_picture_needs_a_token_the_role_both_cases_and_a_match(lite: Api) -> None:
    first, second, _ = copies(lite, 21)
    stranger = lite.deposit(b"no picture")["item"]["id"]
    hidden = lite.deposit(jpeg(scene(21), 60), who="outsider", case="T2")["item"]["id"]
    lite.work()
    refused(lite.get(None, path(first, second)), 401, "token_required")
    refused(lite.get("aud", path(first, second)), 403, "not_allowed")
    refused(lite.get("outsider", path(first, second)), 404, "unknown_item")
    refused(lite.get("outsider", path(hidden, second)), 404, "unknown_item")
    refused(lite.get("leo", path(first, hidden)), 404, "unknown_item")
    refused(lite.get("leo", path(first, "0" * 8)), 404, "unknown_item")
    refused(lite.get("leo", path(first, stranger)), 404, "unknown_match")
    refused(lite.get("leo", path(first, first)), 404, "unknown_match")
    assert [looks(lite, item) for item in (first, second)] == [0, 0]
    assert_clean(lite.services)


def test_the_picture_is_one_file_whole_or_in_part_and_each_look_is_recorded_of_both(lite: Api) -> None:
    first, second, third = copies(lite, 22)
    whole = lite.get("leo", path(first, second))
    assert (whole.status_code, whole.headers["content-type"]) == (200, "image/png")
    assert whole.headers["cache-control"] == "private, no-store"
    assert whole.headers["etag"] == f'"{hashlib.sha256(whole.content).hexdigest()}"'
    assert Image.open(io.BytesIO(whole.content)).format == "PNG"
    assert [looks(lite, item) for item in (first, second, third)] == [1, 1, 0]
    part = lite.get("leo", path(second, first), headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")
    assert [looks(lite, item) for item in (first, second)] == [2, 2]
    known = lite.get("leo", path(first, second), headers={"If-None-Match": whole.headers["etag"]})
    head = lite.call("leo", "HEAD", path(first, second))
    assert (known.status_code, head.status_code, head.content) == (304, 200, b"")
    refused(lite.get("leo", path(first, second), headers={"Range": "bytes=99999999-"}), 416, "range_not_satisfiable")
    assert [looks(lite, item) for item in (first, second)] == [2, 2]
    for item, other in ((first, second), (second, first)):
        assert all(other not in str(event["details"]) for event in lite.events(item))
    assert_clean(lite.services)


def test_a_preview_that_cannot_be_read_gives_way_to_the_fingerprint_and_never_to_a_traceback(
    lite: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = copies(lite, 23)
    whole = lite.get("leo", path(first, second)).content
    for target in ("no_fingerprint", "nothing_of_that_name"):
        monkeypatch.setattr(match_pictures, "PIXELS_TASK", f"tests.sandbox_targets:{target}")
        less = lite.get("leo", path(first, second))
        assert less.status_code == 200
        assert less.content != whole


def test_without_fingerprints_there_is_no_picture_and_that_is_said(lite: Api) -> None:
    same = [lite.deposit(b"not a picture at all")["item"]["id"] for _ in range(2)]
    lite.work()
    assert lite.get("leo", f"/items/{same[0]}/matches").json()["matches"][0]["verdict"] == "identical"
    refused(lite.get("leo", path(*same)), 404, "picture_missing")
    first, second, _ = copies(lite, 24)
    with lite.services.archive.db.write() as session:
        for row in session.exec(select(FingerprintRow).where(col(FingerprintRow.item_id) == first)):
            row.data = b"CFP1 tampered"
            session.add(row)
    refused(lite.get("leo", path(first, second)), 404, "picture_missing")
