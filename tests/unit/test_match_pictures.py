"""Pictures of matches: they show the true common part and are the same every time, whatever they are given."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.matching.align import Segment
from app.matching.compare import compare
from app.matching.drawing import WIDTH, Shown, clock, draw
from app.matching.explain import MAX_PAIRS, Pair, explain
from app.matching.format import Fingerprint
from app.matching.photo import fingerprint_photo
from app.matching.video import fingerprint_video
from tests.matching_media import Picture, clip_frames, crop, letterbox, scene, write_clip, write_photo

NO_WORDS = Shown(("a", "b"), "derived", "", (None, None), [])


def printed(folder: Path, name: str, picture: Picture) -> Fingerprint:
    return fingerprint_photo(write_photo(folder / f"{name}.jpg", picture))


def box(pair: Pair, side: str) -> list[float]:
    """Left, top, right, bottom of an outline, in shares."""
    outline = (pair.left if side == "left" else pair.right).outline
    return [*outline.min(axis=0), *outline.max(axis=0)]


def opened(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png))
    picture.load()
    assert (picture.format, picture.mode, picture.width) == ("PNG", "RGB", WIDTH)
    return picture


def test_the_outline_of_a_crop_is_where_it_was_cut_from(tmp_path: Path) -> None:
    whole = printed(tmp_path, "whole", scene(1))
    (pair,) = explain(printed(tmp_path, "part", crop(scene(1), 0.6, (0.25, 0.75))), whole, [])
    assert box(pair, "right") == pytest.approx([0.1, 0.3, 0.7, 0.9], abs=0.01)
    assert box(pair, "left") == pytest.approx([0, 0, 1, 1], abs=0.01)
    assert len(pair.left.points) == len(pair.right.points) >= 12
    assert np.abs(0.1 + 0.6 * pair.left.points[:, 0] - pair.right.points[:, 0]).max() < 0.03


def test_a_mirrored_crop_is_outlined_and_its_points_are_turned_back(tmp_path: Path) -> None:
    whole = printed(tmp_path, "whole", scene(2))
    mirrored = crop(np.ascontiguousarray(scene(2)[:, ::-1]), 0.6, (0.25, 0.75))
    (pair,) = explain(printed(tmp_path, "part", mirrored), whole, [])
    assert "mirrored" in pair.changes
    assert box(pair, "right") == pytest.approx([0.3, 0.3, 0.9, 0.9], abs=0.01)
    assert np.abs(0.9 - 0.6 * pair.left.points[:, 0] - pair.right.points[:, 0]).max() < 0.03


def test_a_letterboxed_copy_is_outlined_inside_its_bars(tmp_path: Path) -> None:
    (pair,) = explain(printed(tmp_path, "b", letterbox(scene(3), 0.2)), printed(tmp_path, "a", scene(3)), [])
    assert box(pair, "left") == pytest.approx([0, 1 / 7, 1, 6 / 7], abs=0.02)


def test_the_same_pair_gives_the_same_bytes_every_time(tmp_path: Path) -> None:
    one, other = printed(tmp_path, "a", scene(4)), printed(tmp_path, "b", crop(scene(4), 0.7))
    made = {draw(explain(other, one, []), NO_WORDS) for _ in range(3)}
    assert len(made) == 1
    opened(made.pop())


def test_strangers_have_no_outline_and_no_points(tmp_path: Path) -> None:
    (pair,) = explain(printed(tmp_path, "a", scene(5)), printed(tmp_path, "b", scene(6)), [])
    assert (len(pair.left.outline), len(pair.right.points), pair.changes) == (0, 0, "")
    opened(draw([pair], NO_WORDS))


def test_a_strip_holds_frames_of_the_same_moment_of_both_recordings(tmp_path: Path) -> None:
    frames = list(clip_frames(7, 10))
    whole = fingerprint_video(write_clip(tmp_path / "whole.mp4", iter(frames)))
    part = fingerprint_video(write_clip(tmp_path / "part.mp4", (crop(frame, 0.85) for frame in frames[24:72])))
    found = compare(part, whole)
    assert found is not None
    pairs = explain(part, whole, list(found.segments))
    assert 2 <= len(pairs) <= MAX_PAIRS
    assert all(abs(pair.right.view.time_ms - pair.left.view.time_ms - 3000) <= 800 for pair in pairs)
    near = [pair for pair in pairs if len(pair.right.outline)]
    assert len(near) >= len(pairs) - 1
    shown = Shown(("a", "b"), found.verdict, found.explanation, (6.0, 10.0), list(found.segments))
    assert opened(draw(pairs, shown)).height > 500


def test_words_of_any_length_and_letters_are_drawn(tmp_path: Path) -> None:
    pairs = explain(printed(tmp_path, "a", scene(8)), printed(tmp_path, "b", scene(8)), [])
    for text in ("", "\x00\u202e" + "\u0431" * 9_999, "word " * 9_999):
        shown = Shown(("\n", "x" * 999), "same_content", text, (None, None), [])
        assert opened(draw(pairs, shown)).height < 2_000
    many = [Segment(float(n), n + 0.5, 3.0, 4e6) for n in range(16)]
    assert opened(draw([], Shown(("a", "b"), "derived", "", (16.0, 4e6), many))).height < 1_000


def test_a_flat_picture_has_nothing_to_show(tmp_path: Path) -> None:
    dot = printed(tmp_path, "dot", np.full((4, 4, 3), 9, np.uint8))
    assert explain(dot, dot, []) == []


def test_times_are_written_as_hours_minutes_seconds_and_tenths() -> None:
    assert [clock(at) for at in (0, 59.96, 3_725.25)] == ["0:00:00.0", "0:01:00.0", "1:02:05.2"]
