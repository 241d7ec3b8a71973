"""The sun, and what is worked out beside an item's metadata: closed to strangers, recorded as a read, not stored."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.apis import Api, refused
from tests.checks import assert_clean
from tests.commands import Cli
from tests.media_samples import exif_bytes, gps, photo, ratio

NOON = "/sun?lat=48.1&lon=37.7&at=2024-06-21T12:00:00%2B03:00"
KYIV_SUMMER = {"X_Source": json.dumps({"posted_at": "2024-06-20T10:00:00Z"})}


def taken(path: Path) -> bytes:
    """A photo of 21 June 2024, 12:00 at UTC+3, at a known place."""
    block = exif_bytes(
        {0x010F: "Maker"},
        {0x9003: "2024:06:21 12:00:00", 0x9011: "+03:00"},
        gps((ratio(48), ratio(6), ratio(0)), "N", (ratio(37), ratio(42), ratio(0)), "E"),
    )
    return photo(path, exif=block).read_bytes()


def test_the_sun_is_told_to_whoever_is_known(lite: Api) -> None:
    refused(lite.get(None, NOON), 401, "token_required")
    found = lite.get("aud", NOON).json()
    assert found == lite.get("ana", NOON.replace("%2B", "+")).json()  # a plus that was not escaped reads as a blank
    assert found["at"] == "2024-06-21T09:00:00Z"
    assert found["altitude"] == pytest.approx(64.6, abs=0.5)
    assert "computed, not recorded" in found["note"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("lat=95&lon=0&at=2024-06-21T12:00:00Z", "bad_place"),
        ("lat=nan&lon=0&at=2024-06-21T12:00:00Z", "bad_place"),
        ("lat=1e308&lon=0&at=2024-06-21T12:00:00Z", "bad_place"),
        ("lat=0&lon=0&at=2024-06-21T12:00:00", "bad_time"),
        ("lat=0&lon=0&at=noon", "bad_time"),
        ("lat=0&lon=0&at=0001-01-01T00:00:00%2B14:00", "bad_time"),
        ("lat=0&lon=0&at=9999-12-31T23:59:59-14:00", "bad_time"),
        ("lat=x&lon=0&at=2024-06-21T12:00:00Z", "invalid_request"),
        ("lon=0&at=2024-06-21T12:00:00Z", "invalid_request"),
    ],
)
def test_no_place_or_time_is_refused_with_a_code(lite: Api, query: str, code: str) -> None:
    refused(lite.get("ana", f"/sun?{query}"), 422, code)


def test_aids_of_an_item_name_what_they_rest_on_and_leave_the_record_alone(api: Api, tmp_path: Path) -> None:
    item = api.deposit(taken(tmp_path / "a.jpg"), **KYIV_SUMMER)["item"]["id"]
    path = f"/items/{item}/aids"
    refused(api.get(None, path), 401, "token_required")
    refused(api.get("aud", path), 403, "not_allowed")
    refused(api.get("outsider", path), 404, "unknown_item")
    refused(api.get("ana", path), 404, "analysis_pending")
    api.work()
    before = api.get("ana", f"/items/{item}/metadata").content
    found: dict[str, Any] = api.get("ana", path).json()
    assert found["record_sha256"] == hashlib.sha256(before).hexdigest()
    assert found["sun"] == api.get("ana", "/sun?lat=48.1&lon=37.7&at=2024-06-21T09:00:00Z").json()
    assert found["sun_certainty"] == "derived"
    rests = {one["fact"]: one["value"] for one in found["sun_rests_on"]}
    assert (rests["position.lat"], rests["time.capture_utc"]) == (48.1, "2024-06-21T09:00:00Z")
    (finding,) = found["findings"]
    assert finding["code"] == "capture_after_source"
    assert finding["rests_on"][0] == {"fact": "source.posted_at", "value": "2024-06-20T10:00:00+00:00", "source": None}
    assert b"capture_after_source" not in before
    reads = [event["details"]["part"] for event in api.events(item) if event["type"] == "access"]
    assert reads.count("metadata") == 2
    assert_clean(api.services)


def test_without_place_or_time_there_is_no_sun(lite: Api, tmp_path: Path) -> None:
    item = lite.deposit(photo(tmp_path / "plain.png").read_bytes())["item"]["id"]
    lite.work()
    found = lite.get("ana", f"/items/{item}/aids").json()
    assert (found["sun"], found["sun_certainty"], found["findings"]) == (None, "absent", [])
    assert {one["value"] for one in found["sun_rests_on"]} == {None}


def test_the_command_line_says_the_same_without_an_archive(empty_cli: Cli) -> None:
    at = ("--lat", "48.1", "--lon", "37.7", "--at", "2024-06-21T12:00:00+03:00")
    found = empty_cli.json("sun", *at)
    assert (found["at"], found["phase"]) == ("2024-06-21T09:00:00Z", "day")
    assert "shadows point to" in empty_cli("sun", *at).out
    assert "the sun does not rise" in empty_cli("sun", "--lat", "70", "--lon", "19", "--at", "2024-12-21T11:00:00Z").out
    empty_cli("sun", "--lat", "95", "--lon", "0", "--at", "2024-06-21T12:00:00Z", code=2).refused("bad_place")
    empty_cli("sun", "--lat", "5", "--lon", "0", "--at", "2024-06-21", code=2).refused("bad_time")
    empty_cli("sun", "--lat", "5", "--lon", "nan", "--at", "2024-06-21T12:00:00Z", code=2).refused("bad_place")
