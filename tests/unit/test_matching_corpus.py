"""Matching on real media that nobody here wrote."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from app.matching.compare import compare
from app.matching.errors import FingerprintError
from app.matching.format import Fingerprint
from app.matching.photo import fingerprint_photo
from app.matching.video import fingerprint_video

# The pairs among the photos that show one and the same picture.
SAME_PHOTO = {
    frozenset({"HTC_Desire.jpg", "HTC_Desire.webp"}),
    frozenset({"IMG_1034.heic", "heic-maybebroken.HEIC"}),  # the same bytes
    frozenset({"iphone_hdr_NO.jpg", "iphone_hdr_YES.jpg"}),  # one release of the shutter, two developments
}
Named = dict[str, Fingerprint]


@pytest.fixture(scope="module")
def photos(corpus: Path) -> Named:
    found = {}
    for path in sorted((corpus / "photos").iterdir()):
        try:
            found[path.name] = fingerprint_photo(path)
        except FingerprintError:
            assert path.suffix in {".json", ".mp4"}
    return found


@pytest.fixture(scope="module")
def bridge(corpus: Path) -> Named:
    return {path.name: fingerprint_photo(path) for path in sorted((corpus / "near_duplicates" / "bridge").iterdir())}


@pytest.fixture(scope="module")
def videos(corpus: Path) -> Named:
    return {path.name: fingerprint_video(path) for path in sorted((corpus / "video").iterdir())}


def test_every_edit_of_the_bridge_is_found_from_the_original(bridge: Named) -> None:
    assert len(bridge) == 19
    for name, made in bridge.items():
        found = compare(bridge["aaa-orig.jpg"], made)
        assert found is not None, name
        assert found.verdict in {"same_content", "derived"}, name


def test_all_nineteen_bridges_are_one_cluster_pair_by_pair(bridge: Named) -> None:
    missed = [pair for pair in itertools.combinations(bridge, 2) if compare(bridge[pair[0]], bridge[pair[1]]) is None]
    assert missed == []


def test_flips_and_turns_are_named(bridge: Named) -> None:
    original = bridge["aaa-orig.jpg"]
    expected = {
        "bridge-2-rotate-90.jpg": ("rotated by 90 degrees",),
        "bridge-3-rotate-180.jpg": ("rotated by 180 degrees",),
        "bridge-5-flipx.jpg": ("mirrored upside down",),
        "bridge-6-flipy.jpg": ("mirrored",),
    }
    for name, transform in expected.items():
        found = compare(bridge[name], original)
        assert found is not None
        assert found.transform == transform


def test_only_the_same_photos_match_among_all_pairs(photos: Named) -> None:
    matched = {frozenset(pair) for pair in itertools.combinations(photos, 2) if compare(*(photos[n] for n in pair))}
    assert matched == SAME_PHOTO


def test_two_exposures_of_one_moment_are_not_called_a_copy_outright(photos: Named) -> None:
    found = compare(photos["iphone_hdr_NO.jpg"], photos["iphone_hdr_YES.jpg"])
    assert found is not None
    assert "two shots taken in the same moment" in found.explanation


def test_bridge_and_other_photos_never_match(photos: Named, bridge: Named) -> None:
    probes = [bridge[name] for name in ("aaa-orig.jpg", "square-128x128.jpg", "shrink-a-lot.jpg", "blur-a-lot.jpg")]
    assert [pair for pair in itertools.product(probes, photos.values()) if compare(*pair) is not None] == []


def test_all_versions_of_the_video_match_each_other_with_segments(videos: Named) -> None:
    for left, right in itertools.permutations(videos, 2):
        found = compare(videos[left], videos[right])
        assert found is not None, (left, right)
        assert found.segments, (left, right)


def test_shortened_version_lines_up_with_its_true_offset(videos: Named) -> None:
    found = compare(videos["chair-19-sd-bar.mp4"], videos["chair-orig-22-sd-bar.mp4"])
    assert found is not None
    for segment in found.segments:
        assert segment.item_start_s - segment.query_start_s == pytest.approx(3.7, abs=1)


def test_thermal_recording_and_chair_do_not_match(videos: Named, corpus: Path) -> None:
    thermal = fingerprint_video(corpus / "photos" / "FLIR_Thermal.mp4")
    assert [name for name, made in videos.items() if compare(thermal, made) is not None] == []


def test_no_photo_is_taken_for_a_picture_of_a_recording(
    photos: Named, bridge: Named, videos: Named, corpus: Path
) -> None:
    films = {**videos, "thermal": fingerprint_video(corpus / "photos" / "FLIR_Thermal.mp4")}
    pairs = itertools.product([*photos.values(), *bridge.values()], films.values())
    assert [verdict.explanation for verdict in (compare(*pair) for pair in pairs) if verdict is not None] == []
