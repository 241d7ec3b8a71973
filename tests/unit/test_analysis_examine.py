"""One process makes all of a photo: what it had made when it broke is kept, and nothing else is claimed."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import pytest

from app.analysis import reading
from app.analysis.errors import SandboxFailure
from app.analysis.service import examine
from app.matching import service as matching
from app.matching.format import Fingerprint
from app.matching.photo import fingerprint_photo
from app.matching.service import FINGERPRINT_TASK, fingerprint_of
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


FORGES, ENDLESS = "tests.sandbox_targets:whole_that_is_forged", "tests.sandbox_targets:whole_in_parts_without_end"


def test_a_forged_record_is_a_failure_with_a_code(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_TASK", FORGES)
    found = examine(photo, "record that is none")
    assert found.record is None
    assert found.failure is not None
    assert found.failure.code == "parser_error"


@pytest.mark.parametrize("forged", ["preview of no size", "preview that is a page", "preview beyond a column"])
def test_a_forged_preview_is_none_and_takes_the_record_not_along(
    photo: Path, monkeypatch: pytest.MonkeyPatch, forged: str
) -> None:
    monkeypatch.setattr(reading, "_TASK", FORGES)
    found = examine(photo, forged)
    assert (found.failure, found.preview) == (None, None)
    assert found.preview_failure is not None
    assert found.preview_failure.code == "parser_error"


def test_parts_that_nobody_asked_for_end_the_process(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_TASK", FORGES)
    found = examine(photo, "part of no known name", further="not.handed:on")
    assert found.record is not None
    assert found.further is None
    assert found.preview_failure is not None
    assert "no known name" in found.preview_failure.detail


def test_parts_without_end_are_cut_off_before_the_time_is(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_TASK", ENDLESS)
    found = examine(photo, "a.jpg")
    assert found.record is not None
    assert found.preview_failure is not None
    assert found.preview_failure.code == "output_too_large"


def test_what_is_no_fingerprint_is_a_failure_and_not_kept(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "FINGERPRINT_TASK", "tests.sandbox_targets:no_fingerprint")
    with pytest.raises(SandboxFailure) as told:
        fingerprint_of(photo, "photo")
    assert told.value.code == "parser_error"
