"""The end of a UUID is no withheld value; everything else that looks like one is."""

from __future__ import annotations

import pytest

from app.disclosure.needles import Needles

ITEM = "5f1d7c1e-6c0f-4a53-9b0e-0f5cf1f6a0bb"


@pytest.mark.parametrize("value", ["b.jpg", "bb.jpg", "0bb.jpg", "a0bb"])
def test_end_of_a_uuid_is_not_taken_for_a_short_name(value: str) -> None:
    path = f"data/previews/{ITEM}.jpg".encode()
    assert Needles([value]).find(path) is None
    for at in range(len(path)):
        assert Needles([value]).find_in([path[:at], path[at:]]) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("b.jpg", f"{ITEM}/b.jpg"),
        ("b.jpg", f"x{ITEM[1:]}.jpg"),  # no UUID
        ("b.jpg", "IMG_b.jpg"),
        ("6a0bb.jpg", f"{ITEM}.jpg"),  # five characters do not stand there by chance
        ("bean", "a bean"),
        (ITEM, f"data/previews/{ITEM}.jpg"),
    ],
)
def test_what_stands_elsewhere_is_found_wherever_the_bytes_are_cut(value: str, text: str) -> None:
    data = text.encode()
    for at in range(len(data) + 1):
        assert Needles([value]).find_in([data[:at], data[at:]]) == value
