"""Findings with the values they rest on: each rule on the smallest record that calls for it, and beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.analysis.aids import aids
from app.analysis.findings import docs_of
from app.analysis.geodesy import distance
from app.analysis.record_bytes import from_bytes, to_bytes
from app.analysis.rules import find
from app.analysis.rules_source import find_with_source
from schemas.records.v1.c2pa_facts import C2paFacts
from schemas.records.v1.media_metadata import (
    Conflict,
    DeviceFacts,
    EditingTrace,
    ImageFacts,
    IntegerFact,
    MediaMetadata,
    NumberFact,
    PositionFacts,
    TextFact,
    TimeFacts,
)
from schemas.records.v1.thumbnail_facts import ThumbnailFacts
from tests.unit.test_metadata_rules import codes, record, recorded, times


def degrees(value: float, *others: tuple[float, str]) -> NumberFact:
    conflicts = tuple(Conflict(value=other, raw=str(other), source=source) for other, source in others)
    return NumberFact(
        value=value, raw=str(value), unit="deg", source="exifread GPS", certainty="recorded", conflicts=conflicts
    )


def place(lat: float, lon: float) -> PositionFacts:
    return PositionFacts(lat=degrees(lat), lon=degrees(lon))


def pixels(width: int, height: int) -> ImageFacts:
    width_fact, height_fact = (IntegerFact(value=side, source="png", certainty="recorded") for side in (width, height))
    return ImageFacts(width=width_fact, height=height_fact)


@pytest.mark.parametrize(
    ("offset", "lon", "odd"),
    [
        ("+03:00", 37.6, False),  # Moscow
        ("+08:00", 75.9, False),  # Kashgar keeps the time of Beijing: the sun is 3 hours behind
        ("-09:00", 172.9, False),  # Attu in summer, beyond the date line
        ("+01:00", 33.4, False),  # Kvitoeya: the sun is 1.2 hours ahead
        ("+14:00", -157.4, False),  # Kiritimati
        ("+13:00", -171.8, False),  # Apia
        ("-03:00", -73.5, False),  # Patagonia
        ("+00:00", 37.6, True),
        ("+02:00", -77.0, True),
        ("-05:00", 37.6, True),
        ("+09:00", 37.6, True),
    ],
)
def test_offset_beside_the_suns_time(offset: str, lon: float, odd: bool) -> None:  # noqa: FBT001 (a row of the table)
    time = times("2025-06-14T10:31:07", utc_offset=recorded(offset))
    found = find(record(time=time, position=place(48.0, lon)))
    assert [finding.code for finding in found] == (["offset_unlike_longitude"] if odd else [])
    for finding in found:
        assert [(one.fact, one.value) for one in finding.rests_on] == [
            ("time.utc_offset", offset),
            ("position.lat", 48.0),
            ("position.lon", lon),
        ]


def test_no_zone_is_expected_at_the_poles_or_at_zero_zero_or_of_a_guess() -> None:
    time = times("2025-06-14T10:31:07", utc_offset=recorded("-08:00"))
    assert "offset_unlike_longitude" not in codes(record(time=time, position=place(-77.8, 166.7)))
    assert "offset_unlike_longitude" not in codes(record(time=time, position=place(0.0, 0.0)))
    guessed = time.model_copy(update={"utc_offset": recorded("-08:00").model_copy(update={"certainty": "inferred"})})
    assert "offset_unlike_longitude" not in codes(record(time=guessed, position=place(48.0, 37.6)))


@pytest.mark.parametrize(
    ("local", "unset"),
    [
        ("1970-01-01T02:13:00", True),
        ("2000-01-01T14:00:00", True),
        ("2016-01-01T00:04:10", True),
        ("2016-01-01T01:04:10", False),
        ("2016-01-02T00:04:10", False),
        ("2025-06-14T00:00:00", False),
    ],
)
def test_clocks_that_began_anew(local: str, unset: bool) -> None:  # noqa: FBT001 (a row of the table)
    assert ("clock_default" in codes(record(time=times(local)))) == unset


def test_gps_time_at_its_own_beginning() -> None:
    time = TimeFacts(gps_utc=recorded("1980-01-06T00:00:12Z"))
    assert codes(record(time=time)) == {"clock_default"}


def test_positions_that_disagree_say_by_how_much() -> None:
    position = PositionFacts(
        lat=degrees(48.0, (48.01, "xmp drone-dji:GpsLatitude")),
        lon=degrees(37.0, (37.0001, "xmp drone-dji:GpsLongitude")),
    )
    (found,) = find(record(position=position))
    assert (found.code, "1.1 km away" in found.text) == ("position_conflict", True)
    assert [(one.fact, one.value, one.source) for one in found.rests_on] == [
        ("position.lat", 48.0, "exifread GPS"),
        ("position.lat", 48.01, "xmp drone-dji:GpsLatitude"),
        ("position.lon", 37.0, "exifread GPS"),
        ("position.lon", 37.0001, "xmp drone-dji:GpsLongitude"),
    ]


def test_distances_on_the_globe() -> None:
    assert distance(0, 0, 0, 1) == pytest.approx(111_195, abs=5)
    assert distance(48.8566, 2.3522, 51.5074, -0.1278) == pytest.approx(343_500, rel=0.005)  # Paris, London
    assert distance(10, 179.9, 10, -179.9) == pytest.approx(21_900, rel=0.005)
    assert distance(48, 37, 48, 37) == 0


def test_serials_that_disagree() -> None:
    device = DeviceFacts(make=recorded("Maker"), drone_serial=recorded("1ZNBH", "1ZNXX"))
    (found,) = find(record(device=device))
    assert found.code == "device_conflict"
    assert [one.value for one in found.rests_on] == ["1ZNBH", "1ZNXX"]


@pytest.mark.parametrize(
    ("form", "size", "seen"),
    [
        ("PNG", (1170, 2532), True),
        ("PNG", (2532, 1170), True),
        ("JPEG", (1170, 2532), True),
        ("PNG", (1171, 2532), False),
        ("TIFF", (1170, 2532), False),
    ],
)
def test_screens_by_size(form: str, size: tuple[int, int], seen: bool) -> None:  # noqa: FBT001 (a row of the table)
    assert ("screenshot_like" in codes(record(form=form, device=DeviceFacts(), image=pixels(*size)))) == seen


def test_a_photo_of_a_camera_is_no_screenshot_whatever_its_size() -> None:
    assert "screenshot_like" not in codes(record(image=pixels(1170, 2532)))


@pytest.mark.parametrize(
    ("distance_bits", "code"),
    [
        (0, None),
        (12, None),
        (13, "thumbnail_unclear"),
        (15, "thumbnail_unclear"),
        (16, "thumbnail_differs"),
        (40, "thumbnail_differs"),
    ],
)
def test_thumbnails_by_distance(distance_bits: int, code: str | None) -> None:
    thumbnail = ThumbnailFacts(state="compared", distance=distance_bits, rotation=0)
    assert codes(record(thumbnail=thumbnail)) == ({code} if code else set())


@pytest.mark.parametrize(
    ("text", "code"), [("Midjourney v6", "generator_named"), ("Adobe Firefly", "generator_named"), ("Firefox", None)]
)
def test_programs_that_make_pictures(text: str, code: str | None) -> None:
    trace = EditingTrace(kind="software", text=text, source="png Software")
    assert (codes(record(editing=(trace,))) - {"editing_software"}) == ({code} if code else set())


def test_settings_of_picture_generators_in_png_texts() -> None:
    raw = {"png": {"parameters": "a street, Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"}}
    assert codes(record("a.png", form="PNG", raw=raw)) == {"generator_named"}
    assert codes(record("a.png", form="PNG", raw={"png": {"parameters": "Steps: to the church"}})) == set()


def test_every_finding_names_its_section_and_survives_the_record_as_json() -> None:
    source = record(
        "a.png", time=times("2025-06-14T10:31:07", "2025-06-14T10:31:08"), c2pa=C2paFacts(state="unreadable")
    )
    found = find(source)
    assert {finding.code for finding in found} == {"extension_mismatch", "modified_after_capture", "c2pa_unreadable"}
    assert all(finding.docs == docs_of(finding.code) and finding.rests_on for finding in found)
    whole: MediaMetadata = source.model_copy(update={"findings": found})
    assert from_bytes(to_bytes(whole)) == whole


def test_absence_is_what_a_finding_rests_on_too() -> None:
    (found,) = find(record(device=DeviceFacts()))
    assert found.code == "no_metadata"
    assert ("device.make", None) in {(one.fact, one.value) for one in found.rests_on}


POSTED = datetime(2025, 6, 14, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "late"),
    [
        (TimeFacts(capture_utc=recorded("2025-06-14T12:06:00Z")), True),
        (TimeFacts(capture_utc=recorded("2025-06-14T12:04:00Z")), False),  # clocks are not compared more finely
        (TimeFacts(capture_local=recorded("2025-06-15T01:00:00")), False),  # 13 hours later, and it may be UTC+14
        (TimeFacts(capture_local=recorded("2025-06-15T02:30:00")), True),
        (TimeFacts(gps_utc=recorded("2031-01-01T00:00:00Z")), True),
        (TimeFacts(modified=recorded("2025-06-13T02:30:00")), False),
        (TimeFacts(capture_utc=TextFact(value="2031-01-01T00:00:00Z", certainty="inferred")), False),
        (
            TimeFacts(
                capture_local=recorded("2031-01-01T00:00:00"),
                capture_utc=TextFact(value="2031-01-01T00:00:00Z", certainty="inferred"),
            ),
            True,  # a zone that is inferred takes nothing from the reading
        ),
        (TimeFacts(), False),
    ],
)
def test_clocks_beside_a_moment_at_which_the_file_was_there(time: TimeFacts, late: bool) -> None:  # noqa: FBT001 (a row of the table)
    found = find_with_source(record(time=time), posted_at=POSTED, received_at=POSTED + timedelta(days=40))
    assert [finding.code for finding in found] == (["capture_after_source"] if late else [])
    for finding in found:
        assert finding.rests_on[0].fact == "source.posted_at"


@pytest.mark.parametrize(
    ("certainties", "certainty"),
    [
        (("recorded", "recorded"), "derived"),
        (("recorded", "inferred"), "inferred"),
        (("conflicting", "inferred"), "conflicting"),
    ],
)
def test_the_sun_is_no_more_certain_than_place_and_time(certainties: tuple[str, str], certainty: str) -> None:
    lat = degrees(48.0).model_copy(update={"certainty": certainties[0]})
    utc = recorded("2025-06-14T10:31:07Z").model_copy(update={"certainty": certainties[1]})
    of = record(time=TimeFacts(capture_utc=utc), position=PositionFacts(lat=lat, lon=degrees(37.0)))
    found = aids("item", "0" * 64, of, {}, "2026-01-01T00:00:00.000000Z")
    assert found.sun is not None
    assert found.sun_certainty == certainty


def test_without_a_moment_nothing_is_said() -> None:
    assert find_with_source(record(time=TimeFacts(capture_utc=recorded("2031-01-01T00:00:00Z")))) == ()
    later = record(time=TimeFacts(capture_utc=recorded("2031-01-01T00:00:00Z")))
    (found,) = find_with_source(later, received_at=POSTED)
    assert found.rests_on[0].fact == "received_at"
