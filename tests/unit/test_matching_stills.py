"""A still is found in its recording, whatever second it is from; another picture of the scene is a hint at most."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from app.matching import known as known_module
from app.matching.compare import compare
from app.matching.format import Fingerprint
from app.matching.photo import fingerprint_photo
from app.matching.video import fingerprint_video
from tests.archives import close_archive, deposit, make_archive
from tests.checks import assert_clean, work_off
from tests.matching_media import (
    CLIP_FPS,
    Picture,
    caption,
    clip_frames,
    crop,
    letterbox,
    scene,
    tilt,
    turn,
    write_clip,
    write_photo,
)

MOMENTS = (10, 27, 45, 79)  # frames; samples are taken at every fourth


@pytest.fixture(scope="module")
def frames() -> list[Picture]:
    return list(clip_frames(100))


@pytest.fixture(scope="module")
def recording(frames: list[Picture], tmp_path_factory: pytest.TempPathFactory) -> Fingerprint:
    return fingerprint_video(write_clip(tmp_path_factory.mktemp("stills") / "clip.mp4", iter(frames)))


def photo_of(picture: Picture, folder: Path) -> Fingerprint:
    return fingerprint_photo(write_photo(folder / "photo.jpg", picture, 80))


@pytest.mark.parametrize("frame", MOMENTS)
def test_a_still_between_two_samples_is_found_with_its_moment(
    frames: list[Picture], recording: Fingerprint, frame: int, tmp_path: Path
) -> None:
    found = compare(photo_of(frames[frame], tmp_path), recording)
    assert found is not None
    assert found.verdict == "derived"
    (segment,) = found.segments
    assert segment.item_start_s == pytest.approx(frame / CLIP_FPS, abs=1)
    assert (segment.query_start_s, segment.query_end_s) == (0, 0)


@pytest.mark.parametrize("edit", ["mirrored", "letterboxed", "cropped", "captioned", "turned"])
def test_an_edited_still_is_found(frames: list[Picture], recording: Fingerprint, edit: str, tmp_path: Path) -> None:
    still = frames[27]
    edited = {
        "mirrored": np.ascontiguousarray(still[:, ::-1]),
        "letterboxed": letterbox(still),
        "cropped": crop(still, 0.75, (0.2, 0.7)),
        "captioned": caption(still),
        "turned": np.ascontiguousarray(np.rot90(still)),
    }[edit]
    found = compare(photo_of(edited, tmp_path), recording)
    assert found is not None
    if edit != "cropped":  # the camera comes back to what the crop shows
        assert found.segments[0].item_start_s == pytest.approx(27 / CLIP_FPS, abs=1)
    assert ("mirrored" in found.transform) == (edit == "mirrored")


def test_from_the_recordings_side_the_moment_stands_on_its_side(
    frames: list[Picture], recording: Fingerprint, tmp_path: Path
) -> None:
    photo = photo_of(frames[45], tmp_path)
    there, back = compare(photo, recording), compare(recording, photo)
    assert there is not None
    assert back is not None
    assert (there.verdict, there.explanation) == (back.verdict, back.explanation)
    assert there.segments[0].item_start_s == back.segments[0].query_start_s
    assert back.segments[0].item_end_s == 0


def test_a_picture_of_the_scene_with_another_subject_is_a_hint_at_most(
    frames: list[Picture], recording: Fingerprint, tmp_path: Path
) -> None:
    changed = tilt(frames[27])
    rows, columns = changed.shape[:2]
    other = cv2.resize(scene(900), (columns // 2, rows // 2))
    changed[rows // 4 : rows // 4 + other.shape[0], columns // 4 : columns // 4 + other.shape[1]] = other
    found = compare(photo_of(turn(changed, 7), tmp_path), recording)
    assert found is None or found.verdict == "possibly_related"


def test_stills_of_other_recordings_and_other_photos_match_nothing(recording: Fingerprint, tmp_path: Path) -> None:
    strangers = [frame for seed in (101, 102, 103) for frame in list(clip_frames(seed, 4.0))[::12]]
    strangers += [scene(seed) for seed in range(20, 30)]
    strangers += [np.full((200, 300, 3), level, np.uint8) for level in (0, 128, 255)]
    assert [n for n, picture in enumerate(strangers) if compare(photo_of(picture, tmp_path), recording)] == []


@pytest.mark.parametrize("compared", ["all", "short list"])
def test_a_photo_and_its_recording_find_each_other_in_an_archive_whichever_comes_first(
    frames: list[Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compared: str
) -> None:
    if compared == "short list":
        monkeypatch.setattr(known_module, "COMPARE_OTHERS_UP_TO", 0)
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    clip = write_clip(tmp_path / "clip.mp4", iter(frames)).read_bytes()
    before = deposit(services, who, case, write_photo(tmp_path / "a.jpg", frames[27]).read_bytes()).item.id
    work_off(services)
    film = deposit(services, who, case, clip, name="clip.mp4").item.id
    work_off(services)
    after = deposit(services, who, case, write_photo(tmp_path / "b.jpg", frames[60]).read_bytes()).item.id
    work_off(services)
    found = {match.item: match for match in services.matching.matches_of(who, film)}
    assert set(found) == {before, after}
    assert {match.verdict for match in found.values()} == {"derived"}
    assert float(found[before].segments[0]["query_start_s"]) == pytest.approx(27 / CLIP_FPS, abs=1)
    assert float(found[after].segments[0]["query_start_s"]) == pytest.approx(60 / CLIP_FPS, abs=1)
    assert float(found[after].segments[0]["item_start_s"]) == 0
    (own,) = (match for match in services.matching.matches_of(who, after) if match.item == film)
    assert float(own.segments[0]["item_start_s"]) == pytest.approx(60 / CLIP_FPS, abs=1)
    assert_clean(services)
    close_archive(services)
