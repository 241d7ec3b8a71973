"""Readers of recorded texts: they invert what writers do, and answer None to everything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.analysis.normalise_values import (
    coordinate,
    gps_moment,
    iso6709,
    number,
    offset_from_satellites,
    offset_text,
    parse_moment,
    parse_offset,
    to_utc,
    xmp_coordinate,
)

moments = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001 (wall clocks)
    lambda moment: moment.replace(microsecond=0)
)
offsets = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timedelta(minutes=15 * quarters))
micro_degrees = st.integers(-90_000_000, 90_000_000)


@given(moments, st.sampled_from(["%Y:%m:%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S"]))
def test_written_moment_is_read(moment: datetime, form: str) -> None:
    read = parse_moment(moment.strftime(form))
    assert read is not None
    assert (read.local, read.fraction, read.offset) == (moment, "", None)


@given(moments, offsets, st.text("0123456789", max_size=6))
def test_offset_and_fraction_survive_and_utc_follows(moment: datetime, offset: timedelta, fraction: str) -> None:
    dot = f".{fraction}" if fraction else ""
    read = parse_moment(f"{moment:%Y-%m-%dT%H:%M:%S}{dot}{offset_text(offset)}")
    assert read is not None
    assert (read.local, read.fraction, read.offset) == (moment, fraction, offset)
    utc = to_utc(read, offset)
    assert utc is not None
    assert datetime.fromisoformat(utc.split(".")[0].rstrip("Z")) == moment - offset


@given(st.text(max_size=40))
def test_any_text_is_a_value_or_none(text: str) -> None:
    for reader in (parse_moment, parse_offset, number, iso6709):
        reader(text)
    for limit in (90, 180):
        read = xmp_coordinate(text, limit=limit)
        assert read is None or abs(read) <= limit
    place = iso6709(text)
    assert place is None or (abs(place[0]) <= 90 and abs(place[1]) <= 180)


@given(offsets)
def test_offset_text_is_read_back(offset: timedelta) -> None:
    assert parse_offset(offset_text(offset)) == offset


@given(micro_degrees)
def test_degrees_minutes_seconds_give_the_same_place(micro: int) -> None:
    exact = Fraction(abs(micro), 1_000_000)
    degrees, rest = divmod(exact, 1)
    minutes, seconds = divmod(rest * 60, 1)
    letter = "S" if micro < 0 else "N"
    read = coordinate((int(degrees), int(minutes), seconds * 60), letter, limit=90)
    assert read == pytest.approx(micro / 1_000_000, abs=1e-12)
    written = f"{int(degrees)},{float(rest * 60):.10f}{letter}"
    assert xmp_coordinate(written, limit=90) == pytest.approx(micro / 1_000_000, abs=1e-9)


@given(micro_degrees, st.integers(-180_000_000, 180_000_000))
def test_iso6709_decimal_degrees_are_read(lat: int, lon: int) -> None:
    read = iso6709(f"{lat / 1e6:+010.6f}{lon / 1e6:+011.6f}+012.5/")
    assert read is not None
    assert list(read) == pytest.approx([lat / 1e6, lon / 1e6, 12.5])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("+34.0754-118.2543+139.344/", (34.0754, -118.2543, 139.344)),
        ("+3404.524-11815.258/", (34.0754, -118.2543, None)),
        ("+340431.44-1181515.48/", (34.0754, -118.2543, None)),
        ("+00-000/", (0.0, 0.0, None)),
        ("+12.5+045.25-10CRSWGS_84/", (12.5, 45.25, -10.0)),
        ("+95.0+010.0/", None),
        ("+123-010/", None),
        ("47.5,19.9", None),
    ],
)
def test_iso6709_forms(text: str, place: tuple[float, float, float | None] | None) -> None:
    read = iso6709(text)
    if place is None or read is None:
        assert read == place
    else:
        assert list(read[:2]) == pytest.approx(list(place[:2]))
        assert read[2] == place[2]


@pytest.mark.parametrize("text", ["+24:00", "+03:60", "03:00", "+3", "UTC", "", "+15:00"])
def test_offsets_that_are_none(text: str) -> None:
    assert parse_offset(text) is None


@given(moments, offsets, st.integers(-90, 90))
def test_offset_from_satellites_is_right_or_none(moment: datetime, offset: timedelta, late: int) -> None:
    gps = (moment - offset).replace(tzinfo=UTC) + timedelta(seconds=late)
    assert offset_from_satellites(moment, gps) in {offset, None}
    if offset.total_seconds() % 3600 == 0 and abs(late) < 90:
        assert offset_from_satellites(moment, gps) == offset


@pytest.mark.parametrize(
    ("day", "clock"),
    [
        ("2014:09:259", (13, 5, 12)),
        ("2014:09:16", (13, 5, None)),
        ("2014:09:16", (25, 5, 12)),
        ("2014:09:16", (13, 5, float("inf"))),
        ("1970:01:01", (0, 0, 0)),
        ("2014:13:01", (0, 0, 0)),
        ("", (1, 2, 3)),
        ("2014:09:16", ()),
    ],
)
def test_satellite_times_that_are_none(day: str, clock: tuple[float | None, ...]) -> None:
    assert gps_moment(day, clock) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("+12.3", 12.3), ("-8.07", -8.07), ("100/4", 25), ("1/0", None), ("nan", None), ("1e999", None), ("-0", 0)],
)
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value
    assert str(number(text)) != "-0.0"
