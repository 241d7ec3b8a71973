"""The gate before the comparison of two photos counts what its definition counts, bit for bit."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from app.matching.common_points import STRONG_DISTANCE, STRONG_PART_DISTANCE, shared_points
from app.matching.format import FeatureSet, View

BYTES, PART = 32, 4  # of a descriptor, and of the part of it that is compared first
FLIPPED = (0, 1, 7, 8, 9, 17, 35, 36, 37, 40, 64, 255, 256)


def flip(descriptor: bytes, bits: list[int]) -> bytes:
    number = int.from_bytes(descriptor, "big")
    for bit in bits:
        number ^= 1 << bit
    return number.to_bytes(BYTES, "big")


def view(own: list[bytes], mirrored: list[bytes]) -> View:
    features, turned = (FeatureSet(bytes(4 * len(points)), b"".join(points)) for points in (own, mirrored))
    return View(0, 640, 480, features, turned, 1, 1, b"\0")


def as_defined(query: list[bytes], candidate: list[bytes]) -> int:
    def far(left: bytes, right: bytes) -> int:
        return (int.from_bytes(left) ^ int.from_bytes(right)).bit_count()

    near = [
        (ours, theirs)
        for ours, left in enumerate(query)
        for theirs, right in enumerate(candidate)
        if far(left[:PART], right[:PART]) <= STRONG_PART_DISTANCE and far(left, right) <= STRONG_DISTANCE
    ]
    return min(len({ours for ours, _ in near}), len({theirs for _, theirs in near}))


@given(st.randoms(use_true_random=False), *(st.integers(0, 12) for _ in range(3)))
def test_shared_points_are_counted_as_defined(dice: random.Random, many: int, few: int, turned: int) -> None:
    theirs = [dice.randbytes(BYTES) for _ in range(many)]

    def relatives(count: int) -> list[bytes]:
        from_whom = [*theirs, dice.randbytes(BYTES)]
        return [flip(dice.choice(from_whom), dice.sample(range(256), dice.choice(FLIPPED))) for _ in range(count)]

    own, mirrored = relatives(few), relatives(turned)
    counted = shared_points(view(own, mirrored), view(theirs, []))
    assert counted == (as_defined(own, theirs), as_defined(mirrored, theirs))
