"""Precision as geometry: the polygon holds the whole circle, wherever on earth it lies."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInputError
from app.incidents.bodies import Place, check_body
from app.incidents.double_tap import Spot, distance_m
from app.patterns.geometry import Located, located
from app.patterns.pictures import land


def place(lat: str | None = "46.6", lon: str | None = "32.6", doubt: int | None = 500, **more: object) -> Place:
    return Place.model_validate({"lat": lat, "lon": lon, "uncertainty_m": doubt, **more})


def rings(shape: Located) -> list[list[tuple[float, float]]]:
    return list(shape.polygons)


def area(ring: list[tuple[float, float]]) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring)) / 2


@given(
    lat=st.decimals(-80, 80, places=4),
    lon=st.decimals(-180, 180, places=4),
    doubt=st.integers(0, 300_000),
)
def test_every_corner_lies_outside_the_circle_and_rings_are_closed_and_counter_clockwise(
    lat: Decimal, lon: Decimal, doubt: int
) -> None:
    shape = located(place(f"{lat:f}", f"{lon:f}", doubt))
    assert shape.polygons
    for ring in rings(shape):
        assert ring[0] == ring[-1]
        assert area(ring) > 0
        for x, y in ring:
            assert -180 <= x <= 180
            assert -90 <= y <= 90
    centre = Spot(float(lat), float(lon), None)
    corners = [point for ring in rings(shape) for point in ring if abs(abs(point[0]) - 180) > 1e-6]
    for x, y in corners:
        assert distance_m(centre, Spot(y, x, None)) >= doubt - 0.02


def test_circle_over_the_antimeridian_is_cut_in_two() -> None:
    for lon in ("179.999", "-179.999"):
        west, east = sorted(rings(located(place("10", lon, 5000))), key=lambda ring: ring[0][0] < 0)
        assert max(x for x, _ in west) == 180
        assert min(x for x, _ in east) == -180
        geometry: Any = located(place("10", lon, 5000)).geometry
        assert geometry["type"] == "MultiPolygon"


@pytest.mark.parametrize("lon", ["180", "-180", "179.9999999", "-179.9999999", "179.95", "-179.954"])
@pytest.mark.parametrize("lat", ["0", "10", "-70"])
def test_no_corner_of_a_circle_on_the_antimeridian_stands_twice(lat: str, lon: str) -> None:
    shape = located(place(lat, lon, 5000))
    assert shape.polygons
    for ring in rings(shape):
        assert len({*ring}) == len(ring) - 1 >= 3
        assert area(ring) > 0


@pytest.mark.parametrize(
    ("given_", "note"),
    [
        (None, "no place is recorded"),
        (Place(), "no place is recorded"),
        (Place.model_validate({"city": "Town A"}), "named place or area"),
        (place(doubt=None), "unknown precision"),
        (place(lat=None), "no place"),
        (place(lat="91"), "none"),
        (place(lat="89.9999"), "pole"),
    ],
)
def test_nothing_is_drawn_of_what_is_not_known(given_: Place | None, note: str) -> None:
    shape = located(given_)
    assert (shape.polygons, shape.geometry) == ((), None)
    assert note in shape.note


TRIANGLE = [["32.60", "46.60"], ["32.60", "46.70"], ["32.70", "46.60"], ["32.60", "46.60"]]


def outline(ring: object, kind: str = "Polygon") -> dict[str, object]:
    return {"type": kind, "coordinates": [ring]}


def test_an_outline_is_drawn_as_it_is_given_counter_clockwise_and_outranks_a_point_of_unknown_precision() -> None:
    for ring in (TRIANGLE, TRIANGLE[::-1]):
        shape = located(place(doubt=None, outline=outline(ring)))
        (drawn,) = rings(shape)
        assert area(drawn) > 0
        assert {*drawn} == {(32.6, 46.6), (32.6, 46.7), (32.7, 46.6)}
        assert "outline" in shape.note


def test_what_an_older_record_calls_an_outline_is_no_reason_to_fail() -> None:
    for other in ("along the river", {"north": 1}, 7):
        assert located(Place.model_validate({"text": "x", "outline": other})).geometry is None


@pytest.mark.parametrize(
    "wrong",
    [
        outline(TRIANGLE, "LineString"),
        outline(TRIANGLE[:-1]),
        outline(TRIANGLE[:2] + TRIANGLE[:1]),
        outline([["32.6", "46.6"], ["32.7", "46.6"], ["32.8", "46.6"], ["32.6", "46.6"]]),
        outline([["179.9", "1"], ["-179.9", "1"], ["-179.9", "2"], ["179.9", "1"]]),
        outline([["32.6", "91"], *TRIANGLE[1:3], ["32.6", "91"]]),
        outline([[326, 466], *TRIANGLE[1:3], [326, 466]]),
        {"type": "Polygon", "coordinates": [TRIANGLE, TRIANGLE]},
        {"type": "Polygon"},
    ],
)
def test_an_outline_that_encloses_no_area_of_the_earth_is_refused(wrong: dict[str, object]) -> None:
    body: dict[str, Any] = {"title": "t", "place": {"outline": wrong}}
    for given_ in (body, {"title": "t", "sequence": [{"n": 1, "place": {"outline": wrong}}]}):
        with pytest.raises(InvalidInputError) as refused:
            check_body("incident", "I", given_)
        assert refused.value.code == "bad_incident_entry"
    assert check_body("incident", "I", {"title": "t", "place": {"outline": outline(TRIANGLE)}})


def test_no_place_is_ever_a_point() -> None:
    geometry: Any = located(place(doubt=0)).geometry
    assert geometry["type"] == "Polygon"
    assert len(geometry["coordinates"][0]) == 33


def test_outline_of_land_knows_land_from_sea() -> None:
    def inside(lon: float, lat: float) -> bool:
        hit = False
        for ring in land():
            for (x1, y1), (x2, y2) in pairwise(ring):
                if (y1 > lat) != (y2 > lat) and lon < (x2 - x1) * (lat - y1) / (y2 - y1) + x1:
                    hit = not hit
        return hit

    assert inside(32.6, 46.7)  # Kherson
    assert inside(34.1, 45.2)  # Crimea is land like all land: no border is drawn
    assert inside(36.2, 50.0)  # Kharkiv
    assert not inside(32.0, 43.5)  # the Black Sea
    assert not inside(-30.0, 40.0)  # the Atlantic
