"""Matches over HTTP, on pictures that are drawn here."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from app.analysis.errors import SandboxFailure
from app.matching import service as matching
from tests.apis import Api, refused
from tests.checks import assert_clean


def scene(seed: int) -> Image.Image:
    """A picture with enough in it to be told from others."""
    dice = random.Random(seed)  # noqa: S311 - pictures, not secrets
    picture = Image.new("RGB", (960, 720), (90, 120, 150))
    draw = ImageDraw.Draw(picture)
    for _ in range(120):
        x, y, size = dice.randrange(960), dice.randrange(720), dice.randrange(10, 160)
        colour = (dice.randrange(256), dice.randrange(256), dice.randrange(256))
        draw.polygon([(x, y), (x + size, y + dice.randrange(size)), (x - dice.randrange(size), y + size)], fill=colour)
    return picture


def jpeg(picture: Image.Image, quality: int = 92) -> bytes:
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=quality)
    return target.getvalue()


def test_copies_are_found_with_a_reason_and_strangers_are_not(lite: Api) -> None:
    picture = scene(1)
    original = lite.deposit(jpeg(picture), X_Filename="a.jpg")["item"]["id"]
    again = lite.deposit(jpeg(picture), X_Filename="b.jpg")["item"]["id"]
    smaller = lite.deposit(jpeg(picture.resize((480, 360)), 60), X_Filename="c.jpg")["item"]["id"]
    stranger = lite.deposit(jpeg(scene(2)), X_Filename="d.jpg")["item"]["id"]
    hidden = lite.deposit(jpeg(picture, 80), who="outsider", case="T2")["item"]["id"]
    lite.work()
    found = lite.get("leo", f"/items/{original}/matches").json()
    assert found["item"] == original
    verdicts = {match["item"]: match["verdict"] for match in found["matches"]}
    assert verdicts[again] == "identical"
    assert verdicts[smaller] == "same_content"
    assert stranger not in verdicts
    assert hidden not in verdicts
    assert all(match["explanation"] for match in found["matches"])
    everywhere = {match["item"] for match in lite.get("adm", f"/items/{original}/matches").json()["matches"]}
    assert hidden in everywhere


def test_a_forged_fingerprint_is_a_failure_of_its_file_and_of_no_other(
    lite: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row that cannot be read would end every comparison of the archive."""
    with monkeypatch.context() as hostile:
        hostile.setattr(matching, "FINGERPRINT_TASK", "tests.sandbox_targets:no_fingerprint")
        forged = lite.deposit(jpeg(scene(7)))["item"]["id"]
        lite.work()
    original = lite.deposit(jpeg(scene(8)))["item"]["id"]
    again = lite.deposit(jpeg(scene(8), 70))["item"]["id"]
    lite.work()
    assert [one["item"] for one in lite.get("adm", f"/items/{original}/matches").json()["matches"]] == [again]
    told = lite.services.matching.state_of(forged)
    assert (told["state"], told["code"]) == ("failed", "parser_error")
    assert_clean(lite.services)


def test_a_file_is_compared_and_not_kept(lite: Api) -> None:
    picture = scene(3)
    item = lite.deposit(jpeg(picture))["item"]["id"]
    lite.work()
    copy = jpeg(picture, 70)
    answer = lite.post("leo", "/match", content=copy, headers={"X-Filename": "../copy%0A.jpg"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [match["item"] for match in body["matches"]] == [item]
    assert body["query"]["name"] == "copy%0A.jpg"
    assert body["query"]["size"] == len(copy)
    assert len(lite.get("adm", "/items").json()["items"]) == 1
    assert list((lite.services.archive.settings.data / "compare").iterdir()) == []
    outside = lite.post("outsider", "/match", content=copy)
    assert outside.json()["matches"] == []


def test_bad_files_to_compare_are_refused_and_leave_nothing(lite: Api) -> None:
    refused(lite.post(None, "/match", content=b"x"), 401, "token_required")
    refused(lite.post("aud", "/match", content=b"x"), 403, "not_allowed")
    refused(lite.post("ana", "/match", content=b""), 422, "empty_file")
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    refused(lite.post("ana", "/match", content=b"x", headers=form), 415, "unsupported_media_type")
    limit = lite.services.archive.settings.max_upload_bytes
    refused(lite.post("ana", "/match", content=b"x", headers={"Content-Length": str(limit + 1)}), 413, "too_large")
    status, body = lite.stream("ana", "/match", [b"x" * (limit // 2), b"x" * (limit // 2), b"x"])
    assert (status, b'"too_large"' in body) == (413, True)
    status, body = lite.stream("ana", "/match", [b"x" * 2_000_000, None])
    assert (status, b'"body_cut_off"' in body) == (400, True)
    folder: Path = lite.services.archive.settings.data / "compare"
    assert list(folder.iterdir()) == []


def test_what_a_killed_server_left_of_a_comparison_is_swept_away(lite: Api) -> None:
    folder = lite.services.archive.settings.data / "compare"
    stale = folder / "file-stale"
    stale.mkdir(parents=True)
    (stale / "file").write_bytes(b"left behind")
    os.utime(stale, (0, 0))
    fresh = folder / "file-fresh"
    fresh.mkdir()
    assert lite.post("ana", "/match", content=b"some bytes").status_code == 200
    assert not stale.exists()
    assert fresh.exists()


def test_a_comparison_that_was_not_made_does_not_read_as_no_match(lite: Api) -> None:
    good = lite.deposit(jpeg(scene(5)), X_Filename="a.jpg")["item"]["id"]
    text = lite.deposit(b"not a picture", X_Filename="a.txt")["item"]["id"]

    def comparison(item: str) -> dict[str, object]:
        said: dict[str, object] = lite.get("leo", f"/items/{item}/matches").json()["comparison"]
        return said

    assert comparison(good) == {"state": "pending", "code": None, "detail": None}
    lite.work()
    assert comparison(good)["state"] == "done"
    assert comparison(text)["state"] == "none"


def test_a_failed_comparison_says_so_with_code_and_detail(lite: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise SandboxFailure("parser_cpu", "the parser used up its CPU time")

    monkeypatch.setattr("app.matching.service.FINGERPRINT_TASK", "tests.sandbox_targets:dies_on_a_photo")
    monkeypatch.setattr("app.matching.service.fingerprint_of", broken)
    item = lite.deposit(jpeg(scene(6)))["item"]["id"]
    lite.work()
    said = lite.get("leo", f"/items/{item}/matches").json()
    assert said["comparison"] == {"state": "failed", "code": "parser_cpu", "detail": "the parser used up its CPU time"}
    assert said["matches"] == []


def test_a_file_that_shows_nothing_is_compared_by_its_bytes_and_says_so(lite: Api) -> None:
    item = lite.deposit(b"not a picture")["item"]["id"]
    said = lite.post("ana", "/match", content=b"not a picture").json()
    assert [match["item"] for match in said["matches"]] == [item]
    assert (said["compared_by"]["bytes"], said["compared_by"]["content"]) == (True, False)
    assert "other" in said["compared_by"]["reason"]
    said = lite.post("ana", "/match", content=jpeg(scene(7))).json()
    assert said["compared_by"] == {"bytes": True, "content": True, "reason": None}
