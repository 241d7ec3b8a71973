"""Videos: recompressed, cut, cropped, mirrored and letterboxed copies line up; other recordings never do."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from app.analysis.limits import SMALL, Limits, for_decoding, for_reading
from app.matching import collect, video
from app.matching.compare import compare
from app.matching.errors import FingerprintError
from app.matching.format import Fingerprint
from app.matching.rules import Verdict
from app.matching.service import _is_seconds, fingerprint_of
from app.matching.video import fingerprint_video
from tests.matching_media import CLIP_FPS, Picture, clip_frames, crop, letterbox, write_clip

TRIM_START_S = 3.5


def _copies(frames: list[Picture]) -> dict[str, list[Picture]]:
    start = round(TRIM_START_S * CLIP_FPS)
    part = frames[start : start + 4 * CLIP_FPS]
    return {
        "recompressed": [np.asarray(cv2.resize(f, (320, 240), interpolation=cv2.INTER_AREA), np.uint8) for f in frames],
        "trimmed": part,
        "cropped": [crop(f, 0.85, (0.3, 0.7)) for f in frames],
        "trimmed and cropped": [crop(f, 0.85, (0.3, 0.7)) for f in part],
        "letterboxed": [letterbox(f) for f in frames],
        "mirrored": [np.ascontiguousarray(f[:, ::-1]) for f in frames],
        "mirrored and cropped": [crop(np.ascontiguousarray(f[:, ::-1]), 0.8, (0.6, 0.3)) for f in frames],
        "faster": [frames[round(1.25 * n)] for n in range(63)],
        "twice": frames[16:56] + list(clip_frames(105, 4.0)) + frames[16:56],
    }


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    frames = list(clip_frames(100))
    made = {"original": write_clip(folder / "original.mp4", iter(frames))}
    for name, copy in _copies(frames).items():
        made[name] = write_clip(folder / f"{name}.mp4", iter(copy), crf=36 if name == "recompressed" else 28)
    for seed in (101, 102, 103):
        made[f"other {seed}"] = write_clip(folder / f"{seed}.mp4", clip_frames(seed, 6.0))
    return made


@pytest.fixture(scope="module")
def fingerprints(clips: dict[str, Path]) -> dict[str, Fingerprint]:
    return {name: fingerprint_video(path) for name, path in clips.items()}


def _found(fingerprints: dict[str, Fingerprint], query: str, item: str = "original") -> Verdict:
    found = compare(fingerprints[query], fingerprints[item])
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["recompressed", "letterboxed", "mirrored"])
def test_whole_copy_is_the_same_content_from_start_to_end(fingerprints: dict[str, Fingerprint], name: str) -> None:
    found = _found(fingerprints, name)
    assert found.verdict == "same_content"
    assert ("mirrored" in found.transform) == (name == "mirrored")
    (segment,) = found.segments
    ends = [segment.query_start_s, segment.query_end_s, segment.item_start_s, segment.item_end_s]
    assert ends == pytest.approx([0, 10, 0, 10], abs=0.5)


@pytest.mark.parametrize("name", ["trimmed", "trimmed and cropped"])
def test_four_seconds_are_found_where_they_were_cut_from(fingerprints: dict[str, Fingerprint], name: str) -> None:
    found = _found(fingerprints, name)
    assert found.verdict == "derived"
    (segment,) = found.segments
    assert (segment.query_start_s, segment.query_end_s) == pytest.approx((0, 4), abs=1)
    assert (segment.item_start_s, segment.item_end_s) == pytest.approx((TRIM_START_S, TRIM_START_S + 4), abs=1)


def test_cropped_copy_is_derived_by_geometry(fingerprints: dict[str, Fingerprint]) -> None:
    found = _found(fingerprints, "cropped")
    assert (found.verdict, found.distance) == ("derived", None)
    assert "matching points" in found.explanation
    assert found.segments[0].item_end_s - found.segments[0].item_start_s > 8


def test_mirrored_and_cropped_copy_is_derived_and_says_so(fingerprints: dict[str, Fingerprint]) -> None:
    found = _found(fingerprints, "mirrored and cropped")
    assert (found.verdict, found.distance) == ("derived", None)
    assert "mirrored" in found.transform
    (segment,) = found.segments
    assert (segment.query_start_s, segment.query_end_s) == pytest.approx((segment.item_start_s, segment.item_end_s))
    assert segment.item_end_s - segment.item_start_s > 8


def test_faster_copy_lines_up_with_its_speed(fingerprints: dict[str, Fingerprint]) -> None:
    (segment,) = _found(fingerprints, "faster").segments
    ends = [segment.query_start_s, segment.query_end_s, segment.item_start_s, segment.item_end_s]
    assert ends == pytest.approx([0, 7.9, 0, 9.8], abs=1)


def test_clip_that_is_shown_twice_gives_two_stretches(fingerprints: dict[str, Fingerprint]) -> None:
    first, second = _found(fingerprints, "twice").segments
    assert (first.query_start_s, first.query_end_s) == pytest.approx((0, 5), abs=1)
    assert (second.query_start_s, second.query_end_s) == pytest.approx((9, 14), abs=1)
    for segment in (first, second):
        assert (segment.item_start_s, segment.item_end_s) == pytest.approx((2, 7), abs=1)


def test_clip_that_the_item_shows_twice_gives_two_stretches_too(fingerprints: dict[str, Fingerprint]) -> None:
    segments = _found(fingerprints, "original", "twice").segments
    assert len(segments) == 2
    for segment, start in zip(sorted(segments, key=lambda s: s.item_start_s), (0, 9), strict=True):
        assert (segment.query_start_s, segment.query_end_s) == pytest.approx((2, 7), abs=1)
        assert (segment.item_start_s, segment.item_end_s) == pytest.approx((start, start + 5), abs=1)


def test_relation_is_found_from_the_items_side_too(fingerprints: dict[str, Fingerprint]) -> None:
    for name in set(fingerprints) - {"original", "other 101", "other 102", "other 103"}:
        assert _found(fingerprints, "original", name).segments, name


def test_segments_as_text_hold_decimal_seconds(fingerprints: dict[str, Fingerprint]) -> None:
    (text,) = _found(fingerprints, "recompressed").segments_as_text()
    assert text == {"query_start_s": "0.00", "query_end_s": "10.00", "item_start_s": "0.00", "item_end_s": "10.00"}


def test_different_recordings_never_match(fingerprints: dict[str, Fingerprint]) -> None:
    others = {name: made for name, made in fingerprints.items() if name.startswith("other")}
    ours = [fingerprints[name] for name in ("original", "cropped", "letterboxed", "mirrored")]
    pairs = [*itertools.combinations(others.values(), 2), *itertools.product(others.values(), ours)]
    assert [pair for pair in pairs if compare(*pair) is not None] == []


def test_sampling_is_two_frames_a_second(fingerprints: dict[str, Fingerprint]) -> None:
    made = fingerprints["original"]
    times = sorted({row.time_ms for row in made.hashes})
    assert made.frames_sampled == len(times) == 20
    assert np.abs(np.diff(times) - 500).max() <= 1000 / CLIP_FPS
    assert made.duration_ms == pytest.approx(10_000, abs=100)


def test_fingerprinting_twice_gives_the_same_bytes(
    clips: dict[str, Path], fingerprints: dict[str, Fingerprint]
) -> None:
    assert fingerprint_video(clips["trimmed"]).to_bytes() == fingerprints["trimmed"].to_bytes()


def test_black_recordings_have_no_hashes_and_match_nothing(tmp_path: Path) -> None:
    made = []
    for level in (0, 4, 16):
        frame = np.full((180, 320, 3), level, np.uint8)
        made.append(fingerprint_video(write_clip(tmp_path / f"{level}.mp4", iter([letterbox(frame)] * 60))))
    assert [(f.hashes, f.views) for f in made] == [((), ())] * 3
    assert [pair for pair in itertools.product(made, made) if compare(*pair) is not None] == []


def test_same_borders_around_different_recordings_do_not_match(tmp_path: Path) -> None:
    made = []
    for seed in (7, 8):
        frames = (letterbox(frame, 0.4) for frame in clip_frames(seed, 5.0))
        made.append(fingerprint_video(write_clip(tmp_path / f"{seed}.mp4", frames)))
    assert compare(*made) is None


def test_still_recording_matches_its_copy_within_bounds(tmp_path: Path) -> None:
    frame = next(clip_frames(9))
    long = fingerprint_video(write_clip(tmp_path / "long.mp4", iter([frame] * CLIP_FPS * 20)))
    short = fingerprint_video(write_clip(tmp_path / "short.mp4", iter([frame] * CLIP_FPS * 5), crf=30))
    found = compare(short, long)
    assert found is not None
    assert found.segments[0].query_end_s == pytest.approx(5, abs=0.5)


def test_one_frame_is_too_little_to_say_anything(tmp_path: Path) -> None:
    made = fingerprint_video(write_clip(tmp_path / "frame.mp4", iter([next(clip_frames(9))])))
    assert made.frames_sampled == 1
    assert compare(made, made) is None


def test_long_recordings_are_thinned_and_views_stay_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MAX_FRAME_ROWS", 16)
    monkeypatch.setattr(collect, "MAX_FRAME_VIEWS", 4)
    made = fingerprint_video(write_clip(tmp_path / "long.mp4", clip_frames(11, 12.0)))
    assert len(made.hashes) <= 18
    assert len(made.views) <= 4
    assert made.hashes[-1].time_ms > 9000


def test_decoding_stops_at_the_bound(clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "MAX_DECODED", 30)
    made = fingerprint_video(clips["original"])
    assert made.frames_sampled == 8


@pytest.mark.parametrize("content", [b"", b"not a video", b"\x00\x00\x00\x18ftypmp42" + bytes(64)])
def test_what_is_no_video_is_a_coded_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.mp4"
    path.write_bytes(content)
    with pytest.raises(FingerprintError) as caught:
        fingerprint_video(path)
    assert caught.value.code == "unreadable_video"


def test_sound_alone_is_a_coded_error(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(FingerprintError) as caught:
        fingerprint_video(path)
    assert caught.value.code == "no_video_stream"


def test_playlist_cannot_make_the_reader_open_other_files(clips: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_text(f"ffconcat version 1.0\nfile {clips['original'].name}\n", encoding="utf-8")
    (tmp_path / clips["original"].name).write_bytes(clips["original"].read_bytes())
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)) is not None  # the attack works on a reader without a list of formats
    with pytest.raises(FingerprintError) as caught:
        fingerprint_video(path)
    assert caught.value.code == "unreadable_video"


def test_cut_off_recording_counts_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "whole.mkv", clip_frames(12, 8.0))
    whole = fingerprint_video(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    part = fingerprint_video(path)
    assert 6 <= part.frames_sampled < whole.frames_sampled
    found = compare(part, whole)
    assert found is not None
    assert found.segments[0].item_start_s == 0


def test_seconds_that_are_done_are_told_through_the_sandbox(clips: dict[str, Path]) -> None:
    told: list[tuple[int, int | None]] = []
    made = fingerprint_of(clips["original"], "video", progress=lambda done, total: told.append((done, total)))
    duration_s = Fingerprint.from_bytes(made).duration_ms // 1000
    assert [done for done, _ in told] == list(range(1, max(done for done, _ in told) + 1))
    assert told[-1][0] in {duration_s - 1, duration_s}
    assert {total for _, total in told} == {duration_s}


def test_progress_that_a_hostile_file_makes_up_is_not_taken() -> None:
    assert [_is_seconds(value) for value in (0, 61, 2**31 - 1)] == [True, True, True]
    assert not any(_is_seconds(value) for value in (-1, 2**31, True, "61", 1.5, None))


def test_time_for_a_recording_grows_with_its_bytes_and_ends() -> None:
    assert for_decoding(10_000) == SMALL
    assert for_decoding(10 * 1024**2).cpu_s == SMALL.cpu_s + 600
    assert for_decoding(50 * 1024**3).cpu_s == 5400
    assert for_decoding(50 * 1024**3).wall_s <= 7200
    assert for_reading(10_000).wall_s == pytest.approx(SMALL.wall_s, rel=0.01)
    assert for_reading(50 * 1024**3).cpu_s == SMALL.cpu_s + 600
    assert SMALL.patient(3) == Limits(cpu_s=SMALL.cpu_s, wall_s=3 * SMALL.wall_s)
    assert SMALL.within(5.0).wall_s == 5.0
    assert SMALL.within(-3.0).wall_s == 2.0
