"""Degenerate media stay within bounds and make no false match: black, tiny, still, noisy, endless."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from app.matching import collect
from app.matching.canonical_image import CanonicalImage, Gray
from app.matching.collect import MAX_FRAME_ROWS, MAX_FRAME_VIEWS, Collector
from app.matching.compare import compare
from app.matching.compare_video import MAX_PAIRS
from app.matching.features import extract_view
from app.matching.format import Fingerprint, HashRow, View
from app.matching.hashes import FULL
from app.matching.photo import fingerprint_photo
from app.matching.video import fingerprint_video
from tests.matching_media import Picture, scene, write_photo

HOURS = 10


def encode(path: Path, frames: Iterable[Picture], rate: Fraction, codec: str = "libx264") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuv420p"
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "crf": "30", "g": "20"}
        made: dict[int, tuple[Picture, av.VideoFrame]] = {}  # a picture that is shown again is not converted again
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame.shape[:2]
            if id(frame) not in made:
                shown = av.VideoFrame.from_ndarray(frame, format="bgr24").reformat(format="yuv420p")
                made[id(frame)] = frame, shown
            shown = made[id(frame)][1]
            shown.pts, shown.time_base = number, 1 / rate
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
    return path


def shrunk(seed: int, width: int = 320, height: int = 240) -> Picture:
    return np.asarray(cv2.resize(scene(seed), (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def test_one_pixel_is_no_picture_and_matches_nothing(tmp_path: Path) -> None:
    dot = np.full((1, 1, 3), 200, np.uint8)
    photo = fingerprint_photo(write_photo(tmp_path / "dot.png", dot))
    film = fingerprint_video(encode(tmp_path / "dot.mkv", [dot] * 200, Fraction(10), "ffv1"))
    assert (photo.hashes, photo.views, film.hashes, film.views) == ((), (), (), ())
    assert film.frames_sampled == 40
    assert [pair for pair in itertools.product((photo, film), repeat=2) if compare(*pair)] == []


def test_twenty_thousand_equal_frames_keep_few_views_and_match_their_copy_only(tmp_path: Path) -> None:
    made = [
        fingerprint_video(
            encode(tmp_path / f"{seed}.mp4", itertools.repeat(shrunk(seed, 160, 120), count), Fraction(200))
        )
        for seed, count in ((1, 20_000), (1, 1_000), (2, 1_000))
    ]
    assert made[0].frames_sampled == 200
    assert len(made[0].views) <= MAX_FRAME_VIEWS
    found = compare(made[1], made[0])
    assert found is not None
    assert len(found.segments) == 1
    assert compare(made[2], made[0]) is None
    assert compare(made[0], made[2]) is None


def test_noise_matches_no_other_noise(tmp_path: Path) -> None:
    def noise(seed: int) -> Iterable[Picture]:
        rng = np.random.default_rng(seed)
        return (rng.integers(0, 256, (120, 160, 3), np.uint8) for _ in range(50))

    films = [fingerprint_video(encode(tmp_path / f"{seed}.mp4", noise(seed), Fraction(10))) for seed in range(3)]
    photos = [
        fingerprint_photo(write_photo(tmp_path / f"{seed}.png", next(iter(noise(seed + 9))))) for seed in range(3)
    ]
    assert [pair for pair in itertools.permutations([*films, *photos], 2) if compare(*pair)] == []


def test_a_slideshow_of_ten_hours_stays_within_its_caps_and_is_told_from_another(tmp_path: Path) -> None:
    count = HOURS * 60  # a frame every minute
    films = []
    for first, shown_for in ((0, count), (50, count // 10)):
        slides = [shrunk(first + n, 160, 120) for n in range(12)]
        shown = (slides[(n // 3) % 12] for n in range(shown_for))
        films.append(fingerprint_video(encode(tmp_path / f"{first}.mp4", shown, Fraction(1, 60))))
    assert films[0].duration_ms == pytest.approx(HOURS * 3_600_000, rel=0.05)
    assert len(films[0].hashes) <= MAX_FRAME_ROWS
    assert len(films[0].views) <= MAX_FRAME_VIEWS
    assert compare(films[0], films[1]) is None


def still_film(seed: int, seconds: int) -> Fingerprint:
    rng = np.random.default_rng(seed)
    plain, mirrored = rng.bytes(32), rng.bytes(32)
    rows = tuple(
        HashRow("whole", dihedral, FULL, 500 * n, 90, value)
        for n in range(2 * seconds)
        for dihedral, value in ((0, plain), (4, mirrored))
    )
    return Fingerprint("video", 640, 480, seconds * 1000, 2 * seconds, rows, ())


def test_two_long_still_recordings_are_compared_with_bounded_pairs() -> None:
    long = still_film(1, 1200)
    found = compare(long, long)
    assert found is not None
    assert found.verdict == "same_content"
    assert compare(long, still_film(2, 1200)) is None
    assert MAX_PAIRS <= 500_000


def test_a_film_that_flickers_for_hours_keeps_its_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sample begins a shot; views are thinned all the same, and points are computed ever more seldom."""
    monkeypatch.setattr(collect, "MAX_FRAME_VIEWS", 8)
    monkeypatch.setattr(collect, "MAX_FRAME_ROWS", 200)
    calls: list[int] = []

    def counted(gray: Gray, *, time_ms: int, points: int, picture_side: int, mirrored: bool) -> View | None:
        calls.append(time_ms)
        return extract_view(gray, time_ms=time_ms, points=points, picture_side=picture_side, mirrored=mirrored)

    monkeypatch.setattr(collect, "extract_view", counted)
    pictures = [CanonicalImage(320, 240, np.ascontiguousarray(shrunk(seed)[..., 0])) for seed in (1, 2)]
    found = Collector()
    for time_ms in range(0, 400_000, 500):
        if time_ms >= found.due_ms:
            found.add(pictures[(time_ms // 500) % 2], time_ms)
    assert len(found.views()) <= 8
    assert len(found.rows) <= 204
    assert len(calls) <= 80
