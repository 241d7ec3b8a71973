"""One process makes all of a photo: what it had made when it broke is kept, and nothing else is claimed."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import pytest

from app.analysis.service import examine
from app.matching.format import Fingerprint
from app.matching.photo import fingerprint_photo
from app.matching.service import FINGERPRINT_TASK
from tests.matching_media import scene, write_photo

DIES = "tests.sandbox_targets:dies_on_a_photo"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return write_photo(tmp_path / "a.jpg", scene(1))


def test_a_photo_is_read_drawn_and_fingerprinted(photo: Path) -> None:
    found = examine(photo, "a.jpg", further=FINGERPRINT_TASK)
    assert found.record is not None
    assert json.loads(found.record)["file"]["kind"] == "photo"
    assert found.preview is not None
    assert found.preview[0]["media_type"] == "image/jpeg"
    assert found.preview[1][:3] == b"\xff\xd8\xff"
    assert found.further is not None
    assert Fingerprint.from_bytes(found.further) == fingerprint_photo(photo)
    assert (found.failure, found.preview_failure) == (None, None)


def test_what_breaks_last_takes_nothing_along(photo: Path) -> None:
    found = examine(photo, "a.jpg", further=DIES)
    assert found.record is not None
    assert found.preview is not None
    assert found.further is None
    assert (found.failure, found.preview_failure) == (None, None)


def test_a_picture_that_cannot_be_drawn_takes_the_record_not_along(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    )
    found = examine(path, "bomb.png", further=FINGERPRINT_TASK)
    assert found.record is not None
    assert (found.failure, found.preview, found.further) == (None, None, None)
    assert found.preview_failure is not None
    assert found.preview_failure.reason == "image_too_large"


def test_what_is_no_photo_is_handed_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a note", encoding="utf-8")
    found = examine(path, "a.txt", further=DIES)
    assert found.record is not None
    assert (found.failure, found.preview, found.preview_failure, found.further) == (None, None, None, None)
