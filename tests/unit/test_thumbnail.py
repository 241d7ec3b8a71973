"""The embedded thumbnail beside its image: turned, letterboxed, cropped and of another picture."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from app.analysis.preview import render_preview
from app.analysis.record_bytes import from_bytes
from app.analysis.rules_image import DIFFERENT, UNCLEAR
from app.analysis.service import examine
from app.analysis.thumbnail import compare_thumbnail
from schemas.records.v1.thumbnail_facts import ThumbnailFacts


def scene(seed: int, size: tuple[int, int] = (900, 600)) -> Image.Image:
    """A landscape of coarse shapes; another seed is another one."""
    picture = Image.new("RGB", size, (120 + seed % 60, 160, 200))
    draw = ImageDraw.Draw(picture)
    for number in range(14):
        key = (seed * 7919 + number * 104_729) % 100_003
        left, top = key % size[0], (key // 7) % size[1]
        shade = (key % 255, (key // 3) % 255, (key // 5) % 255)
        draw.rectangle((left, top, left + size[0] // 4, top + size[1] // 3), fill=shade)
    return picture


def jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def with_thumbnail(path: Path, picture: Image.Image, thumbnail: bytes, length: int | None = None) -> Path:
    """A JPEG whose Exif block has nothing but an IFD1 with this thumbnail (EXIF 2.32, section 4.5.7)."""
    claimed = len(thumbnail) if length is None else length
    head = b"MM\0*\0\0\0\x08" + b"\0\0" + (14).to_bytes(4, "big")  # an empty IFD0, then IFD1 at 14
    start = 14 + 2 + 2 * 12 + 4
    entries = b"".join(
        tag.to_bytes(2, "big") + b"\0\x04" + b"\0\0\0\x01" + value.to_bytes(4, "big")
        for tag, value in ((0x0201, start), (0x0202, claimed))
    )
    block = b"Exif\0\0" + head + b"\0\x02" + entries + b"\0\0\0\0" + thumbnail
    picture.save(path, "JPEG", quality=90, exif=block)
    return path


def compared(tmp_path: Path, picture: Image.Image, thumbnail: Image.Image) -> ThumbnailFacts:
    path = with_thumbnail(tmp_path / "a.jpg", picture, jpeg(thumbnail))
    return compare_thumbnail(path, render_preview(path, "photo").data)


def small(picture: Image.Image, size: tuple[int, int] = (160, 107)) -> Image.Image:
    return picture.resize(size)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_same_picture_in_four_rotations(tmp_path: Path, degrees: int) -> None:
    turned = small(scene(1)).rotate(-degrees, expand=True)
    found = compared(tmp_path, scene(1), turned)
    assert (found.state, found.rotation) == ("compared", degrees)
    assert found.distance is not None
    assert found.distance <= 6


def test_black_bars_are_no_difference(tmp_path: Path) -> None:
    boxed = Image.new("RGB", (160, 120))
    boxed.paste(small(scene(2)), (0, 6))
    found = compared(tmp_path, scene(2), boxed)
    assert found.distance is not None
    assert found.distance <= 6
    assert (found.width, found.height) == (160, 120)


def test_a_thumbnail_of_the_middle_is_no_difference(tmp_path: Path) -> None:
    found = compared(tmp_path, scene(3), scene(3).crop((150, 0, 750, 600)).resize((120, 120)))
    assert found.distance is not None
    assert found.distance < UNCLEAR


def test_other_pictures_differ(tmp_path: Path) -> None:
    distances = [compared(tmp_path, scene(seed), small(scene(seed + 50))).distance for seed in range(4, 12)]
    assert all(distance is not None and distance >= DIFFERENT for distance in distances), distances


def test_a_picture_that_was_changed_in_large_part_differs(tmp_path: Path) -> None:
    changed = scene(5)
    changed.paste(scene(77).crop((0, 0, 600, 600)), (0, 0))
    found = compared(tmp_path, changed, small(scene(5)))
    assert found.distance is not None
    assert found.distance >= DIFFERENT


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    assert compared(tmp_path, scene(1), Image.new("RGB", (160, 120), (90, 90, 90))).state == "not_compared"
    plain = tmp_path / "plain.jpg"
    scene(1).save(plain)
    assert compare_thumbnail(plain, jpeg(scene(1))).state == "absent"
    for number, thumbnail in enumerate((b"", b"no JPEG", jpeg(small(scene(1)))[:300], b"\xff\xd8\xff" * 50)):
        path = with_thumbnail(tmp_path / f"{number}.jpg", scene(1), thumbnail, length=5_000)
        assert compare_thumbnail(path, jpeg(scene(1))).state == "unreadable", number
    other = tmp_path / "a.png"
    scene(1).save(other)
    found = compare_thumbnail(other, jpeg(scene(1)))
    assert (found.state, found.reason) == ("not_compared", "thumbnails of PNG files are not read")


def test_the_record_holds_what_the_decoded_pixels_said(tmp_path: Path) -> None:
    path = with_thumbnail(tmp_path / "a.jpg", scene(6), jpeg(small(scene(66))))
    found = examine(path, "a.jpg")
    assert found.record is not None
    record = from_bytes(found.record)
    assert record.thumbnail.state == "compared"
    (finding,) = [one for one in record.findings if one.code == "thumbnail_differs"]
    assert {one.fact for one in finding.rests_on} >= {"thumbnail.distance", "thumbnail.sha256"}
    stored: Any = json.loads(found.record)
    assert stored["thumbnail"]["distance"] == record.thumbnail.distance


def test_thumbnails_of_real_cameras_are_of_their_pictures(corpus: Path) -> None:
    """Twelve makers; one camera stores them lying down."""
    seen = 0
    for path in sorted((corpus / "photos").glob("*.[jJ][pP][gG]")):
        if path.name == "broken1.jpg":
            continue
        found = compare_thumbnail(path, render_preview(path, "photo").data)
        if found.state == "compared":
            seen += 1
            assert found.distance is not None
            assert found.distance <= 6, path.name
    assert seen >= 25
