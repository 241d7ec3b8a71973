"""The sample media: what the demo and other tests rely on, read back with other tools than wrote it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import av
import cv2
import exifread
import imagehash
import numpy as np
import pytest
from PIL import Image

from scripts import sample_media
from scripts.sample_media import Sample, make_samples
from scripts.sample_terrain import Scene, render, watermark


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return make_samples(tmp_path_factory.mktemp("samples"))


def _named(samples: list[Sample], name: str) -> Sample:
    return next(sample for sample in samples if sample.path.name == name)


def _degrees(tags: dict[str, Any], axis: str) -> float:
    degrees, minutes, seconds = (float(part) for part in tags[f"GPS GPS{axis}"].values)
    sign = -1 if tags[f"GPS GPS{axis}Ref"].values in {"S", "W"} else 1
    return sign * (degrees + minutes / 60 + seconds / 3600)


def test_every_original_is_followed_by_its_copy(samples: list[Sample]) -> None:
    assert [sample.copy_of for sample in samples[1::2]] == [sample.path.name for sample in samples[::2]]
    assert all(sample.copy_of is None for sample in samples[::2])
    assert [sample.kind for sample in samples] == ["photo"] * 4 + ["clip"] * 2


@pytest.mark.parametrize("name", [shot.name for shot in sample_media.PHOTOS])
def test_exif_says_what_the_sample_says(samples: list[Sample], name: str) -> None:
    sample = _named(samples, name)
    with sample.path.open("rb") as stream:
        tags = exifread.process_file(stream, details=False)
    assert str(tags["Image Make"]) == "DJI"
    local = str(tags["EXIF DateTimeOriginal"]).replace(":", "-", 2).replace(" ", "T")
    assert local + str(tags["EXIF OffsetTimeOriginal"]) == sample.captured_at
    assert sample.latitude == pytest.approx(_degrees(tags, "Latitude"), abs=1e-6)
    assert sample.longitude == pytest.approx(_degrees(tags, "Longitude"), abs=1e-6)
    assert sample.altitude_m == pytest.approx(float(tags["GPS GPSAltitude"].values[0]))


def test_xmp_gives_heights_and_attitude(samples: list[Sample]) -> None:
    with Image.open(_named(samples, "DJI_0041.JPG").path) as image:
        packet = image.info["xmp"].decode()
    values = dict(re.findall(r'drone-dji:(\w+)="([^"]*)"', packet))
    assert values["RelativeAltitude"] == "+80.20"
    assert values["GimbalPitchDegree"] == "-89.90"
    assert values["GpsLongitude"] == "-19.987654"


def test_clip_carries_time_place_and_telemetry(samples: list[Sample]) -> None:
    with av.open(str(_named(samples, "DJI_0043.MP4").path)) as container:
        assert container.metadata["creation_time"] == "2025-06-14T11:44:20.000000Z"
        assert container.metadata["location"].startswith("+47.5160-019.9783+132.5")
        video = container.streams.video[0]
        assert (video.codec_context.name, video.width, video.height, video.frames) == ("h264", 960, 540, 250)
        texts = [bytes(packet)[2:].decode() for packet in container.demux(container.streams.subtitles[0])]
    spoken = [text for text in texts if "latitude" in text]
    assert len(spoken) == 10
    longitudes = [float(re.findall(r"longitude: (-?[\d.]+)", text)[0]) for text in spoken]
    assert longitudes == sorted(longitudes)


@pytest.mark.parametrize("name", ["forwarded_0041.jpg", "forwarded_0042.jpg"])
def test_forwarded_photo_carries_no_metadata(samples: list[Sample], name: str) -> None:
    with Image.open(_named(samples, name).path) as image:
        assert not image.getexif()
        assert "xmp" not in image.info
        assert image.width < 4000


def test_reposted_clip_is_a_bare_part_of_the_clip(samples: list[Sample]) -> None:
    with av.open(str(_named(samples, "repost.mp4").path)) as container:
        assert "creation_time" not in container.metadata
        assert "location" not in container.metadata
        assert not container.streams.subtitles
        assert container.streams.video[0].frames == 150


def _matching_features(first: Path, second: Path) -> int:
    """How many local features agree on one similarity transform."""
    found = []
    for path in (first, second):
        grey = cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_2)
        assert grey is not None
        small = cv2.resize(grey, (640, 480), interpolation=cv2.INTER_AREA)
        found.append(cv2.ORB.create(400).detectAndCompute(small, np.ones_like(small)))
    (first_points, first_marks), (second_points, second_marks) = found
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(first_marks, second_marks)
    here = np.array([first_points[pair.queryIdx].pt for pair in pairs], np.float32)
    there = np.array([second_points[pair.trainIdx].pt for pair in pairs], np.float32)
    _, inliers = cv2.estimateAffine2D(here, there, ransacReprojThreshold=4)
    return int(inliers.sum())


def test_a_copy_can_be_found_by_its_features_and_another_photo_cannot(samples: list[Sample]) -> None:
    first, first_copy, second, second_copy = (sample.path for sample in samples[:4])
    assert _matching_features(first, first_copy) > 60
    assert _matching_features(second, second_copy) > 60
    assert _matching_features(first, second_copy) < 15
    assert _matching_features(first, second) < 15


def test_the_two_photos_have_unrelated_hashes(samples: list[Sample]) -> None:
    hashes = []
    for sample in (samples[0], samples[2]):
        with Image.open(sample.path) as image:
            hashes.append(imagehash.phash(image, 16))
    assert hashes[0] - hashes[1] > 90


def test_the_fire_engine_is_red_where_it_is_drawn() -> None:
    scene = Scene(5, 640, 480, 10.0, 0.0, fire_engine=True, houses=0, trees=0)
    bare = Scene(5, 640, 480, 10.0, 0.0, fire_engine=False, houses=0, trees=0)
    changed = np.argwhere(np.abs(render(scene).astype(int) - render(bare)).sum(axis=2) > 200)
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert 80 <= right - left <= 92
    assert 22 <= bottom - top <= 30


def test_the_same_seed_draws_the_same_pixels_and_another_seed_others() -> None:
    first, again, other = (
        render(Scene(seed, 320, 240, 5.0, 20.0, fire_engine=True, houses=2, trees=20)) for seed in (7, 7, 8)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_watermark_is_there_and_small() -> None:
    picture = np.full((480, 640, 3), 90, np.uint8)
    watermark(picture, (0.1, 0.5), 3.0)
    share = float((picture > 100).any(axis=2).mean())
    assert 0.0005 < share < 0.02


def test_samples_lie_in_the_open_sea(samples: list[Sample]) -> None:
    for sample in samples[::2]:
        assert sample.latitude is not None
        assert sample.longitude is not None
        assert 47.4 < sample.latitude < 47.6
        assert -20.1 < sample.longitude < -19.9
