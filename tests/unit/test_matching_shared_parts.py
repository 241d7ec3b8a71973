"""Pictures that share a letterhead, a screen frame, a caption or a form are no copies of each other."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from app.matching.compare import compare
from app.matching.format import Fingerprint
from app.matching.photo import fingerprint_photo
from app.matching.video import fingerprint_video
from tests.matching_media import Picture, clip_frames, crop, scene, write_clip, write_photo

WORDS = (
    *("river", "bridge", "convoy", "hospital", "witness", "statement", "morning", "Tuesday", "the", "of", "and"),
    *("near", "commander", "medical", "list", "damaged", "water", "supplies", "was", "were", "by", "office", "with"),
    *("received", "signed", "district", "road", "report", "civilians", "shelter", "number", "from", "at", "in", "to"),
)


def _as_picture(image: Image.Image) -> Picture:
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])


def _as_image(picture: Picture, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1])).resize(size)


def _sentence(rng: np.random.Generator, letters: int) -> str:
    words = ""
    while len(words) < letters:
        words += f"{rng.choice(WORDS)} "
    return words[:letters]


def letter(seed: int, text_size: int = 22, lines: int = 30) -> Picture:
    """A typed page under a letterhead with an emblem; the seed chooses the words."""
    page = Image.new("RGB", (1000, 1414), "white")
    draw = ImageDraw.Draw(page)
    draw.ellipse((430, 40, 570, 180), fill=(150, 20, 30))
    draw.rectangle((480, 70, 520, 150), fill="white")
    draw.text((190, 195), "REPUBLIC OF EXAMPLIA - MINISTRY OF HEALTH", font=ImageFont.load_default(28), fill="black")
    draw.text((300, 235), "Directorate of Hospitals, 7 Harbour Road", font=ImageFont.load_default(20), fill="black")
    draw.line((60, 275, 940, 275), fill="black", width=4)
    rng = np.random.default_rng(seed)
    for line in range(lines):
        length = int(rng.integers(12, 51)) if line % 6 == 5 else 1900 // text_size
        top = 320 + round(line * text_size * 1.45)
        draw.text((80, top), _sentence(rng, length), font=ImageFont.load_default(text_size), fill="black")
    draw.line((60, 1330, 940, 1330), fill="black", width=2)
    draw.text((80, 1345), "Telephone 555 0142 - office@example.org", font=ImageFont.load_default(18), fill="black")
    return _as_picture(page)


def form(seed: int) -> Picture:
    """A ruled form; the seed fills it in."""
    page = Image.new("RGB", (1000, 1414), "white")
    draw = ImageDraw.Draw(page)
    rng, labels = np.random.default_rng(seed), np.random.default_rng(0)
    draw.text((80, 50), "FORM 12 - RECORD OF ADMISSION", font=ImageFont.load_default(36), fill="black")
    for row in range(16):
        top = 130 + row * 74
        draw.rectangle((80, top, 920, top + 74), outline="black", width=3)
        draw.line((360, top, 360, top + 74), fill="black", width=3)
        draw.text((95, top + 22), _sentence(labels, 16), font=ImageFont.load_default(24), fill="black")
        draw.text(
            (380, top + 20), _sentence(rng, int(rng.integers(8, 35))), font=ImageFont.load_default(26), fill="navy"
        )
    return _as_picture(page)


def chat(photo: Picture, height: int = 600) -> Picture:
    """A screenshot of a conversation with one photo in it."""
    screen = Image.new("RGB", (900, 1600), (236, 229, 221))
    draw = ImageDraw.Draw(screen)
    rng = np.random.default_rng(1)
    draw.rectangle((0, 0, 900, 160), fill=(18, 90, 80))
    draw.ellipse((40, 40, 130, 130), fill=(240, 200, 150))
    draw.text((160, 55), "Street 9 neighbours", font=ImageFont.load_default(46), fill="white")
    tops = (190, 320, 480 + height, 610 + height, 740 + height)
    for number, top in enumerate(top for top in tops if top < 1350):
        left = 30 if number % 2 else 260
        draw.rounded_rectangle((left, top, left + 600, top + 110), 18, fill="white")
        draw.text((left + 20, top + 15), _sentence(rng, 28), font=ImageFont.load_default(34), fill="black")
        draw.text((left + 20, top + 60), _sentence(rng, 20), font=ImageFont.load_default(34), fill="black")
    screen.paste(_as_image(photo, (800, height)), (50, 450))
    draw.rectangle((0, 1480, 900, 1600), fill="white")
    draw.text((60, 1515), "Write a message", font=ImageFont.load_default(40), fill="gray")
    draw.ellipse((790, 1495, 880, 1585), fill=(20, 150, 130))
    return _as_picture(screen)


def viewer(photo: Picture) -> Picture:
    """A picture in the window of a map or image viewer."""
    screen = Image.new("RGB", (1280, 800), (240, 240, 240))
    draw = ImageDraw.Draw(screen)
    rng = np.random.default_rng(2)
    draw.rectangle((0, 0, 1280, 60), fill=(45, 45, 55))
    draw.text((20, 14), "File   Edit   View   Layers   Tools   Help", font=ImageFont.load_default(28), fill="white")
    for row in range(14):
        draw.rectangle((16, 84 + row * 48, 40, 108 + row * 48), outline="black", width=3)
        draw.text((54, 82 + row * 48), _sentence(rng, 12), font=ImageFont.load_default(24), fill="black")
    screen.paste(_as_image(photo, (1010, 690)), (250, 70))
    draw.text((16, 768), "Scale 1:25,000   WGS 84   Ready", font=ImageFont.load_default(22), fill="black")
    return _as_picture(screen)


def street_map(seed: int) -> Picture:
    """A drawn map: roads, green, names."""
    rng = np.random.default_rng(seed)
    made = np.full((720, 960, 3), (235, 240, 242), np.uint8)
    for _ in range(6):
        box = (rng.uniform((0, 0), (960, 720)).tolist(), rng.uniform(60, 260, 2).tolist(), float(rng.uniform(0, 90)))
        cv2.fillPoly(made, [cv2.boxPoints(box).astype(np.int32)], (195, 225, 195))
    for _ in range(28):
        ends = rng.integers(0, (960, 720), (2, 2)).tolist()
        width = int(rng.integers(3, 12))
        cv2.line(made, ends[0], ends[1], (150, 150, 150), width + 4)
        cv2.line(made, ends[0], ends[1], (255, 255, 255), width)
    for _ in range(24):
        place = rng.integers(0, (860, 700)).tolist()
        cv2.putText(made, str(rng.choice(WORDS)), place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (60, 60, 60), 1)
    return made


def broadcast(photo: Picture) -> Picture:
    """The lower fifth covered by a caption, a station's logo in a corner."""
    made = np.asarray(cv2.resize(photo, (960, 720)), np.uint8).copy()
    cv2.rectangle(made, (0, 576), (960, 720), (120, 20, 20), -1)
    cv2.putText(made, "LIVE   BREAKING NEWS", (30, 635), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (255, 255, 255), 4)
    cv2.putText(made, "Fighting near the crossing", (30, 698), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 3)
    cv2.circle(made, (870, 80), 55, (0, 0, 220), -1)
    cv2.putText(made, "TV 5", (825, 95), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (255, 255, 255), 4)
    return made


SEEDS = range(5)
SHARED_PARTS: dict[str, Callable[[int], Picture]] = {
    "letterhead": letter,
    "letterhead, small print": lambda seed: letter(seed, text_size=15, lines=45),
    "letterhead, large print": lambda seed: letter(seed, text_size=34, lines=18),
    "letterhead, short letter": lambda seed: letter(seed, lines=9 + seed),
    "filled-in form": form,
    "chat with a wide photo": lambda seed: chat(scene(seed), 450),
    "chat with a large photo": lambda seed: chat(scene(seed), 850),
    "viewer of photos": lambda seed: viewer(scene(seed)),
    "viewer of maps": lambda seed: viewer(street_map(seed)),
    "map": street_map,
    "broadcast": lambda seed: broadcast(scene(seed)),
}


def _prints(folder: Path, make: Callable[[int], Picture]) -> list[Fingerprint]:
    return [fingerprint_photo(write_photo(folder / f"{seed}.jpg", make(seed), 85)) for seed in SEEDS]


@pytest.mark.parametrize("kind", SHARED_PARTS)
def test_a_shared_part_around_different_content_is_never_called_a_copy(kind: str, tmp_path: Path) -> None:
    found = [compare(left, right) for left, right in itertools.permutations(_prints(tmp_path, SHARED_PARTS[kind]), 2)]
    assert [verdict for verdict in found if verdict and verdict.verdict != "possibly_related"] == []


def test_two_letters_are_told_to_share_a_part_and_that_a_person_must_look(tmp_path: Path) -> None:
    found = compare(*_prints(tmp_path, letter)[:2])
    assert found is not None
    assert found.verdict == "possibly_related"
    assert "share a part, such as a frame, a letterhead, a form or a caption" in found.explanation
    assert found.explanation.endswith("A person must look.")
    assert "same picture" not in found.explanation


@pytest.mark.parametrize("kind", ["letterhead", "letterhead, small print", "filled-in form", "chat with a large photo"])
def test_true_copies_of_documents_and_screens_are_still_found(kind: str, tmp_path: Path) -> None:
    whole = SHARED_PARTS[kind](1)
    original = fingerprint_photo(write_photo(tmp_path / "original.png", whole))
    half = np.asarray(cv2.resize(whole, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    copies = {
        "same_content": [whole, half, np.ascontiguousarray(whole[:, ::-1]), np.ascontiguousarray(np.rot90(whole))],
        # Cropped small print is as hazy as other small print: a person decides.
        "derived": [] if "small print" in kind else [crop(whole, 0.8, (0.3, 0.6))],
    }
    for verdict, pictures in copies.items():
        for number, picture in enumerate(pictures):
            copy = fingerprint_photo(write_photo(tmp_path / "copy.jpg", picture, 40))
            for found in (compare(copy, original), compare(original, copy)):
                assert found is not None, number
                assert found.verdict == verdict, number


@pytest.mark.parametrize("show", [broadcast, viewer])
def test_the_same_photo_in_a_frame_or_under_a_caption_is_derived(
    show: Callable[[Picture], Picture], tmp_path: Path
) -> None:
    for seed in SEEDS:
        original = fingerprint_photo(write_photo(tmp_path / "original.jpg", scene(seed)))
        shown = fingerprint_photo(write_photo(tmp_path / "shown.jpg", show(scene(seed)), 80))
        for found in (compare(shown, original), compare(original, shown)):
            assert found is not None, seed
            assert found.verdict == "derived", seed


def test_a_caption_is_named_as_a_part_that_differs(tmp_path: Path) -> None:
    original = fingerprint_photo(write_photo(tmp_path / "original.jpg", scene(1)))
    found = compare(fingerprint_photo(write_photo(tmp_path / "shown.jpg", broadcast(scene(1)))), original)
    assert found is not None
    assert "they differ, as under a caption, a logo or a changed part" in found.explanation


def test_recordings_of_one_app_with_different_content_do_not_match(tmp_path: Path) -> None:
    screen = np.asarray(cv2.resize(chat(scene(9)), (360, 640)), np.uint8)

    def shown(frame: Picture) -> Picture:
        made = screen.copy()
        made[180:420, 20:340] = cv2.resize(frame, (320, 240))
        return made

    made = [
        fingerprint_video(write_clip(tmp_path / f"{seed}.mp4", (shown(frame) for frame in clip_frames(seed, 6))))
        for seed in (100, 101, 102)
    ]
    assert [pair for pair in itertools.permutations(made, 2) if compare(*pair) is not None] == []
