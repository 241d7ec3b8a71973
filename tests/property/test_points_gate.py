"""The gate before the comparison of two photos counts what its definition counts, bit for bit."""

from __future__ import annotations

import random
import struct
import tracemalloc
from hashlib import sha256
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from app.matching.common_points import MAX_SCALE, STRONG_DISTANCE, STRONG_PART_DISTANCE, shared_points
from app.matching.format import POINT_UNIT, FeatureSet, View
from app.matching.known import POINTS_ALIKE
from app.matching.points_alike import APART, AT_ONCE, KEYS, MOST_SHARED_KEYS, PIXELS, points_alike

BYTES, PART = 32, 4  # of a descriptor, and of the part of it that is compared first
FLIPPED = (0, 1, 7, 8, 9, 17, 35, 36, 37, 40, 64, 255, 256)


def flip(descriptor: bytes, bits: list[int]) -> bytes:
    number = int.from_bytes(descriptor, "big")
    for bit in bits:
        number ^= 1 << bit
    return number.to_bytes(BYTES, "big")


def points(descriptors: list[bytes], places: list[complex] | None = None) -> FeatureSet:
    where = places or [0j] * len(descriptors)
    stored = [round(side * POINT_UNIT) for place in where for side in (place.real, place.imag)]
    return FeatureSet(struct.pack(f">{len(stored)}H", *stored), b"".join(descriptors))


def view(own: FeatureSet, mirrored: FeatureSet) -> View:
    return View(0, 640, 480, own, mirrored, 1, 1, b"\0")


def alike(query: View, candidate: View) -> tuple[int, ...]:
    return tuple(points_alike(query, [candidate])[0].tolist())


def far(left: bytes, right: bytes) -> int:
    return (int.from_bytes(left) ^ int.from_bytes(right)).bit_count()


def near(query: list[bytes], candidate: list[bytes]) -> list[tuple[int, int]]:
    return [
        (ours, theirs)
        for ours, left in enumerate(query)
        for theirs, right in enumerate(candidate)
        if far(left[:PART], right[:PART]) <= STRONG_PART_DISTANCE and far(left, right) <= STRONG_DISTANCE
    ]


def as_defined(query: list[bytes], candidate: list[bytes]) -> int:
    pairs = near(query, candidate)
    return min(len({ours for ours, _ in pairs}), len({theirs for _, theirs in pairs}))


def lying_alike(pairs: list[tuple[complex, complex]]) -> int:
    """Each two pairs propose; the most that agree with any."""
    most = 0
    for (ours, theirs), (other, there) in combinations(pairs, 2):
        if min(abs(other - ours), abs(there - theirs)) < APART:
            continue
        turn = (there - theirs) / (other - ours)
        if not 1 / MAX_SCALE <= abs(turn) <= MAX_SCALE:
            continue
        allowed = PIXELS * max(1.0, abs(turn)) ** 0.5
        most = max(most, sum(abs(turn * (a - ours) + theirs - b) <= allowed for a, b in pairs))
    return most


@given(st.randoms(use_true_random=False), *(st.integers(0, 12) for _ in range(3)))
def test_shared_points_are_counted_as_defined(dice: random.Random, many: int, few: int, turned: int) -> None:
    theirs = [dice.randbytes(BYTES) for _ in range(many)]

    def relatives(count: int) -> list[bytes]:
        from_whom = [*theirs, dice.randbytes(BYTES)]
        return [flip(dice.choice(from_whom), dice.sample(range(256), dice.choice(FLIPPED))) for _ in range(count)]

    own, mirrored = relatives(few), relatives(turned)
    counted = shared_points(view(points(own), points(mirrored)), view(points(theirs), points([])))
    assert counted == (as_defined(own, theirs), as_defined(mirrored, theirs))


@given(st.randoms(use_true_random=False), st.integers(0, 14), st.integers(0, 6))
def test_points_that_lie_alike_are_counted_as_defined(dice: random.Random, together: int, astray: int) -> None:
    """Some points moved by one similarity, others anywhere; each has one near point, so that no choice is left."""
    count = together + astray
    descriptors = [dice.randbytes(BYTES) for _ in range(count)]
    ours = [complex(dice.randrange(40, 600), dice.randrange(40, 440)) for _ in range(count)]
    turn, shift = complex(dice.uniform(0.3, 0.6), dice.uniform(0.0, 0.2)), complex(dice.randrange(120, 200), 20)
    theirs = [
        turn * place + shift if number < together else complex(dice.randrange(640), dice.randrange(480))
        for number, place in enumerate(ours)
    ]
    candidate = [flip(descriptor, dice.sample(range(8 * (BYTES - PART)), 20)) for descriptor in descriptors]
    query, other = points(descriptors, ours), points(candidate, theirs)
    # As stored, in 1/64 of a pixel.
    places = [
        (complex(*a), complex(*b)) for a, b in zip(query.positions().tolist(), other.positions().tolist(), strict=True)
    ]
    counted = alike(view(query, points([])), view(other, points([])))
    assert counted == (lying_alike(places), 0)
    apart = [a for a, b in places[:together]]
    if together and max(abs(a - b) for a in apart for b in apart) * 0.3 > APART:
        assert counted[0] >= together


def test_the_same_corners_in_another_order_do_not_lie_alike() -> None:
    """Windows look like windows: near as points, in no place that one similarity puts them."""
    descriptors = [sha256(bytes([number])).digest() for number in range(12)]
    places = [complex(20 + 2 * one[0], 20 + one[1]) for one in descriptors]
    shuffled = [places[(5 * number + 1) % len(places)] for number in range(len(places))]
    here, there = view(points(descriptors, places), points([])), view(points(descriptors, shuffled), points([]))
    assert shared_points(here, there)[0] == len(descriptors)
    assert alike(here, there)[0] < POINTS_ALIKE
    assert alike(here, here)[0] == len(descriptors)


@given(st.integers(1, 40))
def test_one_point_that_resembles_many_counts_once(many: int) -> None:
    one = sha256(bytes([many])).digest()
    crowd = [complex(16 * number % 640, 40 * number % 480) for number in range(many)]
    counted = alike(view(points([one], [100 + 100j]), points([])), view(points([one] * many, crowd), points([])))
    assert counted == (0, 0)


def scattered(dice: random.Random, count: int) -> list[complex]:
    return [complex(dice.randrange(640), dice.randrange(480)) for _ in range(count)]


@given(st.randoms(use_true_random=False), st.integers(0, 12))
def test_points_without_a_sixteenth_in_common_are_not_looked_at(dice: random.Random, count: int) -> None:
    """Two bits differ in each sixteenth, or in all but one: both are near, and the second kind is seen."""
    places, descriptors = scattered(dice, count), [sha256(bytes([number])).digest() for number in range(count)]
    width = 8 * BYTES // KEYS
    in_each = [width * key + bit for key in range(KEYS) for bit in (3, 9)]
    spared = dice.randrange(KEYS)
    in_others = [bit for bit in in_each if bit // width != spared]
    here = view(points(descriptors, places), points([]))
    for bits, kept in ((in_each, False), (in_others, True)):
        there = view(points([flip(one, bits) for one in descriptors], places), points([]))
        pairs = [(place, place) for place in places] if kept else []
        assert alike(here, there) == (lying_alike(pairs), 0)


@given(st.randoms(use_true_random=False), st.integers(0, 2 * AT_ONCE + 3))
def test_many_are_asked_as_each_by_itself(dice: random.Random, count: int) -> None:
    pool = [dice.randbytes(BYTES) for _ in range(9)]

    def some() -> View:
        own, turned = (dice.sample(pool, dice.randrange(len(pool))) for _ in range(2))
        return view(points(own, scattered(dice, len(own))), points(turned, scattered(dice, len(turned))))

    query, others = some(), [some() for _ in range(count)]
    together = points_alike(query, others)
    assert together.shape == (count, 2)
    assert [tuple(row) for row in together.tolist()] == [alike(query, other) for other in others]


def test_a_picture_of_one_point_over_and_over_neither_fills_the_memory_nor_hides_a_copy() -> None:
    """590 equal descriptors share all sixteen keys 696,200 times: more pairs than are ever laid out."""
    many, own = 590, [sha256(bytes([number])).digest() for number in range(10)]
    places = [complex(24 * (number % 26), 20 * (number // 26)) for number in range(many + len(own))]
    wall = points([*own, *[sha256(b"brick").digest()] * many], places)
    assert many * many * KEYS > MOST_SHARED_KEYS
    other = view(points([sha256(b"other" + one).digest() for one in own], places[: len(own)]), wall)
    tracemalloc.start()
    counted = points_alike(view(wall, wall), [view(wall, wall), other, view(wall, wall), other, view(wall, wall)])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counted[1].tolist() == counted[3].tolist() == [0, 0]
    assert min(counted[number].min() for number in (0, 2, 4)) >= len(own)
    assert most < 100 << 20
