"""The sun beside published values: altitude and azimuth to 0.02 degrees, sunrise and sunset to the minute."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from app.analysis.sun import sun_at
from app.errors import InvalidInputError


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_worked_example_of_the_solar_position_algorithm() -> None:
    """Reda and Andreas, NREL/TP-560-34302, table A5.1: Golden, Colorado."""
    sun = sun_at(39.742476, -105.1786, at("2003-10-17T12:30:30-07:00"))
    assert sun.altitude == pytest.approx(90 - 50.11162, abs=0.02)
    assert sun.azimuth == pytest.approx(194.34024, abs=0.02)
    assert sun.noon == at("2003-10-17T11:46:04-07:00")
    assert sun.sunrise is not None
    assert abs(sun.sunrise - at("2003-10-17T06:12:43-07:00")) <= timedelta(seconds=5)


def test_declination_of_meeus() -> None:
    """Astronomical Algorithms, example 25.a: apparent declination -7.78507 degrees on 13 October 1992, 0h."""
    sun = sun_at(40.0, 176.57, at("1992-10-13T00:00:00Z"))  # where it is noon then
    assert sun.azimuth == pytest.approx(180, abs=0.05)
    assert sun.altitude_geometric == pytest.approx(90 - 40 - 7.78507, abs=0.01)


@pytest.mark.parametrize(
    ("day", "noon"), [("2024-11-03", "11:43:34"), ("2024-02-11", "12:14:13"), ("2024-06-13", "12:00:00")]
)
def test_equation_of_time_at_its_extremes_and_at_zero(day: str, noon: str) -> None:
    """Greenwich: +16 min 26 s in November, -14 min 13 s in February, none in the middle of June (almanac)."""
    found = sun_at(51.4779, 0.0, at(f"{day}T12:00:00Z")).noon
    assert abs(found - at(f"{day}T{noon}Z")) <= timedelta(seconds=15)


@pytest.mark.parametrize(
    ("place", "lat", "lon", "day", "sunrise", "sunset"),
    [
        ("London", 51.5074, -0.1278, "2024-06-20T13:00:00+01:00", "04:43", "21:21"),
        ("New York", 40.7128, -74.0060, "2024-12-21T12:00:00-05:00", "07:17", "16:32"),
        ("Sydney", -33.8688, 151.2093, "2024-12-21T12:00:00+11:00", "05:41", "20:05"),
        ("Kyiv", 50.4501, 30.5234, "2024-06-20T13:00:00+03:00", "04:46", "21:13"),
        ("Quito", -0.1807, -78.4678, "2024-03-20T12:00:00-05:00", "06:18", "18:24"),
    ],
)
def test_almanac_times(place: str, lat: float, lon: float, day: str, sunrise: str, sunset: str) -> None:
    moment = at(day)
    sun = sun_at(lat, lon, moment)
    assert sun.sunrise is not None, place
    assert sun.sunset is not None, place
    for found, published in ((sun.sunrise, sunrise), (sun.sunset, sunset)):
        hour, minute = map(int, published.split(":"))
        expected = moment.replace(hour=hour, minute=minute)
        assert abs(found - expected) <= timedelta(seconds=75), (place, found)


def test_polar_day_and_night_have_no_edges() -> None:
    summer = sun_at(69.6492, 18.9553, at("2024-06-21T00:00:00Z"))
    winter = sun_at(69.6492, 18.9553, at("2024-12-21T11:00:00Z"))
    assert (summer.day, summer.sunrise, summer.sunset) == ("up_all_day", None, None)
    assert (winter.day, winter.phase, winter.sunset) == ("down_all_day", "civil twilight", None)


def test_shadows_point_away_from_the_sun_and_are_as_long_as_the_altitude_says() -> None:
    sun = sun_at(48.0, 37.0, at("2024-06-21T06:00:00Z"))
    assert sun.shadow_direction is not None
    assert sun.shadow_ratio is not None
    assert (sun.shadow_direction - sun.azimuth) % 360 == pytest.approx(180, abs=0.002)
    assert math.degrees(math.atan(1 / sun.shadow_ratio)) == pytest.approx(sun.altitude, abs=0.05)
    night = sun_at(48.0, 37.0, at("2024-06-21T22:00:00Z"))
    assert (night.shadow_direction, night.shadow_ratio, night.phase) == (None, None, "night")


def test_refraction_lifts_the_sun_by_half_a_degree_at_the_horizon_and_hardly_overhead() -> None:
    sun = sun_at(51.5074, -0.1278, at("2024-06-20T03:46:00Z"))
    assert sun.altitude - sun.altitude_geometric == pytest.approx(0.5, abs=0.1)
    high = sun_at(23.4, 0.0, at("2024-06-21T12:02:00Z"))
    assert high.altitude == pytest.approx(high.altitude_geometric, abs=0.005)
    assert high.altitude > 89.5


@pytest.mark.parametrize("lon", [-179.99, -100.0, 0.0, 100.0, 179.99])
@pytest.mark.parametrize("hour", [0, 6, 12, 18])
def test_the_solar_day_is_the_one_that_the_moment_is_in(lon: float, hour: int) -> None:
    moment = datetime(2024, 3, 3, hour, 30, tzinfo=UTC)
    sun = sun_at(10.0, lon, moment)
    assert abs(sun.noon - moment) <= timedelta(hours=12, seconds=30)
    assert sun.sunrise is not None
    assert sun.sunset is not None
    assert sun.sunrise < sun.noon < sun.sunset
    assert (sun.altitude > 0) == (sun.sunrise < moment < sun.sunset)


@pytest.mark.parametrize(
    ("lat", "lon", "when", "code"),
    [
        (91.0, 0.0, "2024-03-03T00:00:00Z", "bad_place"),
        (0.0, -180.1, "2024-03-03T00:00:00Z", "bad_place"),
        (math.nan, 0.0, "2024-03-03T00:00:00Z", "bad_place"),
        (0.0, math.inf, "2024-03-03T00:00:00Z", "bad_place"),
        (0.0, 0.0, "2024-03-03T00:00:00", "bad_time"),
        (0.0, 0.0, "1850-03-03T00:00:00Z", "bad_time"),
        (0.0, 0.0, "2200-03-03T00:00:00Z", "bad_time"),
    ],
)
def test_what_is_no_place_or_time_is_refused(lat: float, lon: float, when: str, code: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        sun_at(lat, lon, at(when))
    assert caught.value.code == code


@pytest.mark.parametrize("lat", [-90.0, 90.0])
def test_the_poles_are_no_exception(lat: float) -> None:
    assert sun_at(lat, 0.0, at("2024-06-21T12:00:00Z")).day == ("up_all_day" if lat > 0 else "down_all_day")


@pytest.mark.parametrize("when", ["1900-01-01T00:00:00+14:00", "2100-12-31T23:59:59-12:00"])
def test_the_first_and_the_last_year_hold_in_every_zone(when: str) -> None:
    assert sun_at(0.0, 179.0, at(when)).noon
