"""Photos: what a copy goes through must not hide it, and different scenes must never match."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from app.matching.compare import compare
from app.matching.errors import FingerprintError
from app.matching.format import Fingerprint
from app.matching.hashes import phash, quality, trimmed_window
from app.matching.photo import fingerprint_photo
from app.matching.video import fingerprint_video
from tests.matching_media import PHOTO_EDITS, Picture, caption, crop, letterbox, scene, write_photo

SCENES = 64


@pytest.fixture(scope="module")
def fingerprints(tmp_path_factory: pytest.TempPathFactory) -> list[Fingerprint]:
    folder = tmp_path_factory.mktemp("scenes")
    return [fingerprint_photo(write_photo(folder / f"{seed}.jpg", scene(seed))) for seed in range(SCENES)]


def _is_copy(found: object) -> bool:
    return getattr(found, "verdict", None) in {"same_content", "derived"}


@pytest.mark.parametrize("edit", PHOTO_EDITS)
@pytest.mark.parametrize("seed", [0, 1])
def test_edited_copy_is_found_from_both_sides(
    edit: str, seed: int, fingerprints: list[Fingerprint], tmp_path: Path
) -> None:
    copy = fingerprint_photo(write_photo(tmp_path / "copy.jpg", PHOTO_EDITS[edit](scene(seed)), quality=75))
    assert _is_copy(compare(copy, fingerprints[seed]))
    assert _is_copy(compare(fingerprints[seed], copy))
    assert compare(copy, fingerprints[seed + 1]) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_part_of_a_photo_that_is_out_of_focus_is_found_and_no_other_blur(seed: int, tmp_path: Path) -> None:
    """Such photos have next to no strong corners; with those alone the part was not found."""

    def blurred(number: int) -> Picture:
        return np.asarray(cv2.GaussianBlur(scene(number), (0, 0), 11), np.uint8)

    whole, other = (
        fingerprint_photo(write_photo(tmp_path / f"{n}.jpg", blurred(n), quality=85)) for n in (seed, seed + 50)
    )
    part = fingerprint_photo(write_photo(tmp_path / "part.jpg", crop(blurred(seed), 0.7, (0.2, 0.8)), quality=85))
    assert _is_copy(compare(part, whole))
    assert _is_copy(compare(whole, part))
    assert compare(part, other) is None
    assert compare(whole, other) is None


def test_strong_recompression_is_the_same_content(fingerprints: list[Fingerprint], tmp_path: Path) -> None:
    found = compare(fingerprint_photo(write_photo(tmp_path / "copy.jpg", scene(3), quality=40)), fingerprints[3])
    assert found is not None
    assert (found.verdict, found.threshold, found.transform) == ("same_content", 31, ())
    assert found.distance is not None
    assert found.distance <= 8
    assert f"differ in {found.distance} of 256 bits (limit 31)" in found.explanation


@pytest.mark.parametrize(
    ("edit", "verdict", "transform"),
    [
        ("mirrored", "same_content", ("mirrored",)),
        ("letterboxed", "same_content", ("borders removed",)),
        ("rotated by 180 degrees", "same_content", ("rotated by 180 degrees",)),
        ("cropped to 50 %", "derived", ("cropped",)),
        ("rotated by 5 degrees", "derived", ("rotated by 5 degrees",)),
        ("mirrored and cropped", "derived", ("mirrored", "cropped")),
    ],
)
def test_explanation_names_what_was_done(
    edit: str, verdict: str, transform: tuple[str, ...], fingerprints: list[Fingerprint], tmp_path: Path
) -> None:
    copy = fingerprint_photo(write_photo(tmp_path / "copy.png", PHOTO_EDITS[edit](scene(4))))
    found = compare(copy, fingerprints[4])
    assert found is not None
    assert (found.verdict, found.transform) == (verdict, transform)
    assert ", ".join(transform) in found.explanation


def test_derived_says_that_it_may_be_an_overlapping_view(fingerprints: list[Fingerprint], tmp_path: Path) -> None:
    found = compare(
        fingerprint_photo(write_photo(tmp_path / "part.jpg", crop(scene(5), 0.5, (0.2, 0.9)))), fingerprints[5]
    )
    assert found is not None
    assert "overlapping view of the same scene" in found.explanation
    assert found.inliers >= 12


def test_two_thousand_pairs_of_different_scenes_have_no_match(fingerprints: list[Fingerprint]) -> None:
    pairs = list(itertools.combinations(range(SCENES), 2))
    assert len(pairs) >= 2000
    assert [(a, b) for a, b in pairs if compare(fingerprints[a], fingerprints[b]) is not None] == []


def test_same_caption_and_logo_do_not_make_a_match(tmp_path: Path) -> None:
    made = [fingerprint_photo(write_photo(tmp_path / f"{s}.jpg", caption(letterbox(scene(s))))) for s in range(8)]
    assert [pair for pair in itertools.combinations(made, 2) if compare(*pair) is not None] == []


def test_comparing_twice_gives_the_same_verdict_to_the_digit(fingerprints: list[Fingerprint], tmp_path: Path) -> None:
    path = write_photo(tmp_path / "part.jpg", crop(scene(6), 0.5))
    first = compare(fingerprint_photo(path), fingerprints[6])
    cv2.setRNGSeed(99)
    assert compare(fingerprint_photo(path), fingerprints[6]) == first
    assert fingerprint_photo(path).to_bytes() == fingerprint_photo(path).to_bytes()


def test_exif_turn_is_applied_before_hashing(fingerprints: list[Fingerprint], tmp_path: Path) -> None:
    upright = Image.fromarray(np.ascontiguousarray(scene(7)[:, :, ::-1]))
    turns = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM}
    turns |= {5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90}
    turns |= {7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270}
    for orientation, turn in turns.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.jpg"
        upright.transpose(turn).save(path, exif=exif, quality=90)
        made = fingerprint_photo(path)
        found = compare(made, fingerprints[7])
        assert found is not None
        assert (found.verdict, found.transform, made.width) == ("same_content", (), 960), orientation


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16", "1"])
def test_pictures_of_every_mode_can_be_read(mode: str, tmp_path: Path) -> None:
    gray = Image.fromarray(np.asarray(cv2.cvtColor(scene(8), cv2.COLOR_BGR2GRAY)))
    deep = Image.fromarray(np.asarray(gray, dtype=np.uint16) * 200)
    path = tmp_path / "picture.tif"
    (deep if mode == "I;16" else gray.convert("RGB").convert(mode)).save(path)
    found = compare(fingerprint_photo(path), fingerprint_photo(write_photo(tmp_path / "plain.jpg", scene(8))))
    assert _is_copy(found)


def test_heic_and_jpeg_of_one_picture_match(fingerprints: list[Fingerprint], tmp_path: Path) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    path = tmp_path / "picture.heic"
    Image.fromarray(np.ascontiguousarray(scene(9)[:, :, ::-1])).save(path, quality=60)
    found = compare(fingerprint_photo(path), fingerprints[9])
    assert found is not None
    assert found.verdict == "same_content"


def _flat(level: int, noise: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rng = np.random.default_rng(level)
    return (level + rng.integers(0, noise + 1, (300, 400, 3))).astype(np.uint8)


def test_black_flat_and_noisy_dark_pictures_match_nothing(tmp_path: Path) -> None:
    pictures = [_flat(0, 0), _flat(0, 3), _flat(1, 3), _flat(128, 0), _flat(250, 2), letterbox(_flat(60, 2))]
    pictures.append(np.tile(np.linspace(0, 255, 400, dtype=np.uint8)[None, :, None], (300, 1, 3)))
    made = [fingerprint_photo(write_photo(tmp_path / f"{n}.png", p)) for n, p in enumerate(pictures)]
    assert [pair for pair in itertools.permutations(made, 2) if compare(*pair) is not None] == []


def test_pure_noise_matches_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noise = [rng.integers(0, 256, (480, 640, 3)).astype(np.uint8) for _ in range(6)]
    made = [fingerprint_photo(write_photo(tmp_path / f"{n}.png", p)) for n, p in enumerate(noise)]
    assert [pair for pair in itertools.combinations(made, 2) if compare(*pair) is not None] == []


def test_one_pixel_has_a_fingerprint_that_matches_nothing(fingerprints: list[Fingerprint], tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    dot = fingerprint_photo(tmp_path / "dot.png")
    assert (dot.hashes, dot.views) == ((), ())
    assert compare(dot, dot) is None
    assert compare(dot, fingerprints[0]) is None


def test_border_trim_finds_bars_of_any_colour_and_leaves_plain_pictures_alone() -> None:
    gray = np.asarray(cv2.cvtColor(scene(10, 640, 480), cv2.COLOR_BGR2GRAY), np.uint8)
    assert trimmed_window(gray) == (0, 0, 10_000, 10_000)
    for level in (0, 90, 255):
        framed = np.asarray(cv2.copyMakeBorder(gray, 48, 72, 64, 0, cv2.BORDER_CONSTANT, value=level), np.uint8)
        assert trimmed_window(framed) == (64 * 10_000 // 704, 800, 10_000, 8800)


def test_phash_is_imagehashs_own() -> None:
    import imagehash

    small = np.asarray(cv2.resize(cv2.cvtColor(scene(11), cv2.COLOR_BGR2GRAY), (64, 64)), np.uint8)
    assert phash(small).hex() == str(imagehash.phash(Image.fromarray(small), hash_size=16))


def test_quality_rises_from_flat_to_textured() -> None:
    assert quality(np.full((64, 64), 9, np.uint8)) == 0
    assert quality(np.asarray(cv2.resize(cv2.cvtColor(scene(11), cv2.COLOR_BGR2GRAY), (64, 64)), np.uint8)) == 100


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\xff\xd8\xff\xe0 broken", b"\x89PNG\r\n\x1a\n" + bytes(40)]
)
def test_what_is_no_picture_is_a_coded_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.jpg"
    path.write_bytes(content)
    with pytest.raises(FingerprintError) as caught:
        fingerprint_photo(path)
    assert caught.value.code == "unreadable_image"


def _cut_off(path: Path, share: float, *, progressive: bool = False) -> Path:
    whole = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(scene(0)[:, :, ::-1])).save(whole, "JPEG", progressive=progressive)
    path.write_bytes(whole.getvalue()[: round(share * len(whole.getvalue()))])
    return path


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.65, 0.9, 0.999])
def test_jpeg_cut_off_in_its_second_half_is_still_matched(
    *, share: float, progressive: bool, fingerprints: list[Fingerprint], tmp_path: Path
) -> None:
    made = fingerprint_photo(_cut_off(tmp_path / "cut.jpg", share, progressive=progressive))
    assert (made.width, made.height) == (960, 720)
    assert _is_copy(compare(made, fingerprints[0]))
    assert _is_copy(compare(fingerprints[0], made))
    assert compare(made, fingerprints[1]) is None


def test_two_cut_off_pictures_do_not_match_by_what_is_missing(tmp_path: Path) -> None:
    made = []
    for seed in range(4):
        path = write_photo(tmp_path / f"{seed}.jpg", scene(seed))
        path.write_bytes(path.read_bytes()[: round(0.6 * path.stat().st_size)])
        made.append(fingerprint_photo(path))
    assert [pair for pair in itertools.combinations(made, 2) if compare(*pair) is not None] == []


def test_jpeg_with_less_than_half_of_its_rows_is_a_coded_error(tmp_path: Path) -> None:
    with pytest.raises(FingerprintError) as caught:
        fingerprint_photo(_cut_off(tmp_path / "cut.jpg", 0.3))
    assert caught.value.code == "truncated_image"


def test_reading_a_cut_off_picture_leaves_the_decoder_strict(tmp_path: Path) -> None:
    for share in (0.3, 0.9):
        path = _cut_off(tmp_path / "cut.jpg", share)
        with contextlib.suppress(FingerprintError):
            fingerprint_photo(path)
        with Image.open(path) as image, pytest.raises(OSError, match="truncated"):
            image.load()


def _unreadable(folder: Path) -> list[Path]:
    png = io.BytesIO()
    Image.new("RGB", (300, 300), "red").save(png, "PNG")
    contents = {
        "empty.jpg": b"",
        "garbage.jpg": b"not a picture",
        "head.jpg": b"\xff\xd8\xff\xe0 broken",
        "cut.png": png.getvalue()[:80],
        "cut.tif": b"II*\x00\x08\x00\x00\x00\x05",
        "cut.heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
        "cut.mp4": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41\x00\x00",
        "cut.avi": b"RIFF\x00\x10\x00\x00AVI LIST",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.jpg").mkdir()
    _cut_off(folder / "third.jpg", 0.3)
    return [*sorted(folder.iterdir()), folder / "missing.jpg", Path("missing.jpg")]


@pytest.mark.parametrize("make", [fingerprint_photo, fingerprint_video])
def test_no_error_tells_a_path_or_a_file_name(make: Callable[[Path], Fingerprint], tmp_path: Path) -> None:
    for path in _unreadable(tmp_path):
        if make is fingerprint_video and path.name == "third.jpg":
            continue  # FFmpeg reads a picture as one frame
        with pytest.raises(FingerprintError) as caught:
            make(path)
        detail = caught.value.detail
        assert "/" not in detail, path
        assert path.name not in detail
        assert path.stem not in detail.split()


def test_enormous_png_is_refused_before_decoding(tmp_path: Path) -> None:
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (50_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    import zlib

    path = tmp_path / "huge.png"
    path.write_bytes(head + zlib.crc32(head[12:]).to_bytes(4, "big") + b"\x00\x00\x00\x00IEND\xaeB`\x82")
    with pytest.raises(FingerprintError) as caught:
        fingerprint_photo(path)
    assert caught.value.code == "image_too_large"


def test_fingerprints_of_different_recipes_are_not_compared(fingerprints: list[Fingerprint]) -> None:
    import dataclasses

    with pytest.raises(FingerprintError) as caught:
        compare(fingerprints[0], dataclasses.replace(fingerprints[0], version=1))
    assert caught.value.code == "incomparable_fingerprints"
