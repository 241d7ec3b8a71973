"""Pure parts of matching: verdict rules, alignment, and the exact index."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from app.matching import rules, wording
from app.matching.agreement import Agreement
from app.matching.align import Pairs, Segment, align, enough
from app.matching.errors import FingerprintError
from app.matching.features import Geometry
from app.matching.index import BLOCK_ROWS, HashIndex, NumpyHashIndex
from app.matching.rules import Verdict


def _agreement(
    ncc: float, share: float = 1.0, *, middle_ncc: float = 1.0, middle_share: float = 1.0, overlap: float = 1.0
) -> Agreement:
    return Agreement(ncc, 100, share, middle_ncc, middle_share, 1.0, overlap)


@pytest.mark.parametrize(
    ("distance", "cropped", "quality", "ncc", "verdict"),
    [
        (0, False, 100, 0.95, "same_content"),
        (31, False, 50, 0.9, "same_content"),
        (31, False, 50, 0.89, "derived"),
        (32, False, 100, 0.95, "derived"),
        (50, False, 100, 0.5, "derived"),
        (51, False, 100, 1.0, None),
        (10, True, 100, 0.95, "derived"),
        (10, False, 49, 0.95, "derived"),
        (0, False, 100, 0.49, None),
    ],
)
def test_photo_hash_rule(*, distance: int, cropped: bool, quality: int, ncc: float, verdict: str | None) -> None:
    found = rules.photo_verdict_by_hash(distance, cropped=cropped, quality=quality, agreement=_agreement(ncc))
    assert found == verdict


@pytest.mark.parametrize(
    ("agreement", "verdict"),
    [
        (_agreement(0.99, 0.94), "derived"),
        (_agreement(0.8, middle_ncc=0.92), "possibly_related"),
        (_agreement(0.8, middle_share=0.79), "possibly_related"),
    ],
)
def test_near_hashes_do_not_outweigh_a_part_that_differs(agreement: Agreement, verdict: str) -> None:
    assert rules.photo_verdict_by_hash(0, cropped=False, quality=100, agreement=agreement) == verdict


@pytest.mark.parametrize(
    ("inliers", "spread", "ncc", "overlap", "verdict"),
    [
        (12, 0.1, 0.5, 0.02, "derived"),
        (11, 0.9, 0.9, 1.0, None),
        (29, 0.9, 0.49, 1.0, None),
        (30, 0.3, 0.49, 1.0, "possibly_related"),
        (300, 0.29, 0.1, 1.0, None),
        (20, 0.3, 0.9, 0.01, None),
    ],
)
def test_photo_geometry_rule(*, inliers: int, spread: float, ncc: float, overlap: float, verdict: str | None) -> None:
    found = rules.photo_verdict_by_geometry(
        inliers=inliers, spread=spread, reach=1.0, agreement=_agreement(ncc, overlap=overlap)
    )
    assert found == verdict


@pytest.mark.parametrize(
    ("middle_share", "middle_ncc", "reach", "agrees"),
    [(0.8, 0.5, 0.75, True), (0.8, 0.955, 0.0, True), (0.79, 0.99, 1.0, False), (1.0, 0.95, 0.64, False)],
)
def test_the_middle_must_agree_by_grey_levels_and_when_these_are_vague_by_points(
    *, middle_share: float, middle_ncc: float, reach: float, agrees: bool
) -> None:
    agreement = _agreement(0.9, middle_share=middle_share, middle_ncc=middle_ncc)
    assert rules.subject_agrees(agreement, reach=reach) is agrees
    found = rules.photo_verdict_by_geometry(inliers=400, spread=1.0, reach=reach, agreement=agreement)
    assert found == ("derived" if agrees else "possibly_related")
    assert rules.frames_agree(inliers=400, reach=reach, agreement=agreement) is agrees


def test_a_hint_whose_middle_differs_needs_more_points_than_a_copy() -> None:
    for inliers, verdict in ((12, None), (19, None), (20, "possibly_related")):
        differs = _agreement(0.9, middle_share=0.79)
        assert rules.photo_verdict_by_geometry(inliers=inliers, spread=0.1, reach=1.0, agreement=differs) == verdict


def test_of_photos_more_of_the_middle_must_hold_matching_points_than_of_frames() -> None:
    vague = _agreement(0.9, middle_ncc=0.9)
    assert rules.photo_verdict_by_geometry(inliers=400, spread=1.0, reach=0.7, agreement=vague) == "possibly_related"
    assert rules.frames_agree(inliers=400, reach=0.7, agreement=vague)


@pytest.mark.parametrize(
    ("inliers", "agreement", "verdict"),
    [
        (6, _agreement(0.85, middle_ncc=0.975, overlap=0.02), "derived"),
        (5, _agreement(1.0), None),
        (400, _agreement(0.849), None),
        (400, _agreement(0.99, middle_ncc=0.974), None),
        (400, _agreement(0.99, middle_share=0.79), None),
        (400, _agreement(1.0, overlap=0.019), None),
        (400, replace(_agreement(1.0), blocks=11), None),
    ],
)
def test_few_points_are_worth_nothing_unless_the_pictures_agree(
    inliers: int, agreement: Agreement, verdict: str | None
) -> None:
    """Not even a hint: any two pictures of that kind have some points in one geometry."""
    assert rules.photo_verdict_by_few_points(inliers=inliers, agreement=agreement) == verdict


def test_inliers_alone_never_make_two_frames_agree() -> None:
    assert rules.frames_agree(inliers=15, reach=1.0, agreement=_agreement(0.5))
    assert not rules.frames_agree(inliers=400, reach=1.0, agreement=_agreement(0.49))
    assert not rules.frames_agree(inliers=14, reach=1.0, agreement=_agreement(1.0))


@pytest.mark.parametrize("ncc", [0.4999, 0.495, 0.0, -0.3])
def test_a_value_below_its_limit_never_reads_as_equal_to_it(ncc: float) -> None:
    geometry = Geometry(np.eye(3), 40, mirrored=False, spread=1.0, reach=1.0)
    told = wording.photo_by_geometry("possibly_related", geometry, _agreement(ncc)).explanation
    shown = re.search(r"agree to (\d+) % \(limit 50 %\)", told)
    assert shown is not None
    assert int(shown[1]) < 50


@pytest.mark.parametrize("middle_ncc", [0.9549, 0.951, 0.5])
def test_the_middle_below_its_limit_never_reads_as_equal_to_it(middle_ncc: float) -> None:
    geometry = Geometry(np.eye(3), 40, mirrored=False, spread=1.0, reach=0.0)
    agreement = _agreement(0.9, middle_ncc=middle_ncc)
    assert rules.photo_verdict_by_geometry(inliers=40, spread=1.0, reach=0.0, agreement=agreement) == "possibly_related"
    told = wording.photo_by_geometry("possibly_related", geometry, agreement).explanation
    shown = re.search(r"In the middle, they agree to (\d+) % \(limit (\d+) %", told)
    assert shown is not None
    assert int(shown[1]) < int(shown[2])


@pytest.mark.parametrize(("ncc", "shown"), [(0.5, "50 %"), (0.58, "58 %"), (0.29, "29 %"), (1.0, "100 %")])
def test_a_whole_per_cent_is_shown_as_it_is(ncc: float, shown: str) -> None:
    geometry = Geometry(np.eye(3), 40, mirrored=False, spread=1.0, reach=1.0)
    assert f"agree to {shown}" in wording.photo_by_geometry("derived", geometry, _agreement(ncc)).explanation


def test_video_is_the_same_only_when_most_of_both_lines_up() -> None:
    assert rules.video_verdict_by_hash(31, query_cover=0.8, item_cover=0.8) == "same_content"
    assert rules.video_verdict_by_hash(32, query_cover=1.0, item_cover=1.0) == "derived"
    assert rules.video_verdict_by_hash(0, query_cover=1.0, item_cover=0.79) == "derived"


def test_verdicts_rank_by_strength_then_distance() -> None:
    verdicts = [
        Verdict("possibly_related", None, None, ""),
        Verdict("derived", None, None, ""),
        Verdict("derived", 40, 50, ""),
        Verdict("same_content", 4, 31, ""),
        rules.identical_verdict(),
    ]
    assert sorted(verdicts, key=rules.rank) == verdicts[::-1]


def _pairs(triples: list[tuple[float, float, float]]) -> Pairs:
    columns = np.array(triples, dtype=np.float64).reshape(-1, 3).T
    return Pairs(columns[0], columns[1], columns[2])


def _run(start: float, item_start: float, seconds: float, speed: float = 1.0) -> list[tuple[float, float, float]]:
    steps = np.arange(0, seconds, 0.5)
    return [(float(start + t), float(item_start + speed * t), 10.0) for t in steps]


def test_two_distinct_seconds_are_not_enough() -> None:
    assert not enough(_pairs([(0.0, 5.0, 1.0), (0.5, 5.5, 1.0), (1.0, 6.0, 1.0), (1.5, 6.5, 1.0)]))
    assert not enough(_pairs([(0.0, 5.0, 1.0), (1.0, 5.0, 1.0), (2.0, 5.0, 1.0), (3.0, 5.5, 1.0)]))
    assert enough(_pairs(_run(0, 5, 3)))


def test_clip_inside_a_compilation_gets_its_place() -> None:
    segments, used = align(_pairs(_run(0, 40, 5)), 0.5)
    assert segments == [Segment(0.0, 5.0, 40.0, 45.0)]
    assert len(used) == 10


def test_two_clips_in_changed_order_are_two_segments() -> None:
    segments, _ = align(_pairs(_run(0, 40, 5) + _run(5, 10, 5)), 0.5)
    assert segments == [Segment(0.0, 5.0, 40.0, 45.0), Segment(5.0, 10.0, 10.0, 15.0)]


def test_faster_copy_is_aligned_with_its_speed() -> None:
    segments, _ = align(_pairs(_run(0, 20, 16, speed=1.25)), 0.5)
    (segment,) = segments
    assert (segment.query_end_s, segment.item_end_s) == pytest.approx((16, 40), abs=1)


def test_strays_do_not_bend_the_alignment() -> None:
    strays = [(float(t), float((t * 7) % 31 + 60), 45.0) for t in range(20)]
    segments, _ = align(_pairs(_run(2, 12, 8) + strays), 0.5)
    assert segments[0] == Segment(2.0, 10.0, 12.0, 20.0)


def test_scattered_pairs_give_no_segment() -> None:
    assert align(_pairs([(0.0, 50.0, 9.0), (20.0, 3.0, 9.0), (40.0, 90.0, 9.0)]), 0.5)[0] == []


def test_long_gap_ends_a_segment() -> None:
    segments, _ = align(_pairs(_run(0, 0, 4) + _run(10, 10, 4)), 0.5)
    assert segments == [Segment(0.0, 4.0, 0.0, 4.0), Segment(10.0, 14.0, 10.0, 14.0)]


def _flip(row: bytes, bits: int, rng: np.random.Generator) -> bytes:
    unpacked = np.unpackbits(np.frombuffer(row, np.uint8))
    unpacked[rng.choice(256, bits, replace=False)] ^= 1
    return np.packbits(unpacked).tobytes()


@pytest.fixture
def index() -> HashIndex:
    return NumpyHashIndex()


def test_index_finds_exactly_the_rows_within_the_radius(index: HashIndex) -> None:
    rng = np.random.default_rng(5)
    rows = {f"item {n}": [rng.bytes(32) for _ in range(3)] for n in range(400)}
    value = rng.bytes(32)
    rows["near"] = [_flip(value, 31, rng), _flip(value, 32, rng), value]
    for item, values in rows.items():
        index.add(item, values)
    for radius in (0, 31, 32, 110):
        brute = [
            ((int.from_bytes(row) ^ int.from_bytes(value)).bit_count(), item, number)
            for item, values in rows.items()
            for number, row in enumerate(values)
        ]
        wanted = sorted((item, number, distance) for distance, item, number in brute if distance <= radius)
        assert sorted(index.search(value, radius)) == wanted
    assert index.search(value, 32) == [("near", 2, 0), ("near", 0, 31), ("near", 1, 32)]


def test_index_works_across_its_blocks(index: HashIndex) -> None:
    rng = np.random.default_rng(6)
    index.add("filler", [rng.bytes(32)] * (BLOCK_ROWS + 10))
    value = rng.bytes(32)
    index.add("last", [value])
    assert index.search(value, 20) == [("last", 0, 0)]


def test_removed_item_is_not_found_and_others_stay(index: HashIndex) -> None:
    rng = np.random.default_rng(7)
    value = rng.bytes(32)
    for item in ("a", "b", "c"):
        index.add(item, [value, _flip(value, 3, rng)])
    index.remove("b")
    index.remove("never there")
    assert index.search(value, 5) == [("a", 0, 0), ("c", 0, 0), ("a", 1, 3), ("c", 1, 3)]
    index.add("b", [value])
    assert index.search(value, 0) == [("a", 0, 0), ("c", 0, 0), ("b", 0, 0)]


def test_rows_added_later_are_numbered_on(index: HashIndex) -> None:
    index.add("a", [bytes(32)])
    index.add("a", [])
    index.add("a", [b"\x01" + bytes(31)])
    assert index.search(bytes(32), 1) == [("a", 0, 0), ("a", 1, 1)]


def test_row_of_another_length_is_refused(index: HashIndex) -> None:
    with pytest.raises(FingerprintError) as caught:
        index.add("a", [bytes(31)])
    assert caught.value.code == "malformed_fingerprint"
    assert index.search(bytes(32), 256) == []
