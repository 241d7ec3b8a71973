"""Preview pictures: upright, bounded, with time codes, and never made from what is too large."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.analysis.errors import AnalysisError, SandboxFailure
from app.analysis.preview import MAX_EDGE, Preview, render_preview, time_code
from app.analysis.sandbox import run_sandboxed
from tests.media_samples import clip, encoded, exif_bytes, photo, png_header

LEFT_DARK = Image.fromarray(np.repeat([[0] * 60 + [255] * 60], 80, axis=0).astype(np.uint8)).convert("RGB")


def opened(preview: Preview) -> Image.Image:
    picture = Image.open(io.BytesIO(preview.data))
    assert picture.format == preview.media_type.removeprefix("image/").upper()
    assert picture.size == (preview.width, preview.height)
    return picture.convert("L")


def dark_side(picture: Image.Image) -> str:
    pixels = np.asarray(picture, dtype=float)
    height, width = pixels.shape
    sides = {
        "left": pixels[:, : width // 4],
        "right": pixels[:, -width // 4 :],
        "top": pixels[: height // 4],
        "bottom": pixels[-height // 4 :],
    }
    return min(sides, key=lambda side: sides[side].mean())


@pytest.mark.parametrize(
    ("orientation", "side"),
    [(1, "left"), (2, "right"), (3, "right"), (4, "left"), (5, "top"), (6, "top"), (7, "bottom"), (8, "bottom")],
)
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_photo_is_turned_upright(tmp_path: Path, suffix: str, orientation: int, side: str) -> None:
    path = tmp_path / f"photo.{suffix}"
    LEFT_DARK.save(path, exif=exif_bytes({0x0112: orientation}))
    picture = opened(render_preview(path, "photo"))
    assert dark_side(picture) == side
    assert picture.size == ((80, 120) if orientation >= 5 else (120, 80))


def test_large_photo_is_shrunk_and_keeps_no_metadata(tmp_path: Path) -> None:
    path = photo(tmp_path / "photo.jpg", exif=exif_bytes({0x010F: "Secret maker"}), size=(3000, 2000))
    preview = render_preview(path, "photo")
    assert (preview.width, preview.height) == (MAX_EDGE, 683)
    assert b"Secret" not in preview.data


@pytest.mark.parametrize(
    ("taken", "shown"),
    [
        ((4032, 3024), (1008, 756)),  # a quarter is large enough by a little
        ((2250, 4000), (563, 1000)),
        ((3800, 2850), (1024, 768)),  # a quarter would be 950, so a half is decoded and shrunk
        ((1024, 20), (1024, 20)),
        ((3000, 1), (1024, 1)),
    ],
)
def test_photo_is_shown_as_the_decoder_shrinks_it_if_that_is_nearly_as_large_as_can_be(
    tmp_path: Path, taken: tuple[int, int], shown: tuple[int, int]
) -> None:
    Image.new("RGB", taken, "red").save(tmp_path / "photo.jpg")
    assert opened(render_preview(tmp_path / "photo.jpg", "photo")).size == shown


@pytest.mark.parametrize("width", [1000, 1030, 1200, 1638, 1700])
@pytest.mark.parametrize(("mode", "hidden"), [("L", 0), ("RGB", (255, 0, 255))])
def test_picture_with_one_transparent_colour_is_laid_on_white_at_any_size(
    tmp_path: Path, width: int, mode: str, hidden: int | tuple[int, int, int]
) -> None:
    Image.new(mode, (width, 300), hidden).save(tmp_path / "key.png", transparency=hidden)
    assert opened(render_preview(tmp_path / "key.png", "photo")).getpixel((20, 20)) in {255, (255, 255, 255)}


@pytest.mark.parametrize("width", [1030, 1280, 1400, 1600, 1700])
@pytest.mark.parametrize("orientation", [1, 6])
def test_picture_that_is_larger_by_little_keeps_its_colours_and_its_upright(
    tmp_path: Path, width: int, orientation: int
) -> None:
    picture = Image.new("RGB", (width, width * 3 // 4), (200, 30, 90))
    picture.paste((20, 160, 60), (0, 0, width // 2, width))
    picture.save(tmp_path / "photo.jpg", quality=95, exif=exif_bytes({0x0112: orientation}))
    with Image.open(io.BytesIO(render_preview(tmp_path / "photo.jpg", "photo").data)) as shown:
        assert shown.size == ((1024, 768) if orientation == 1 else (768, 1024))
        colours = [shown.convert("RGB").getpixel(at) for at in ((100, 100), (shown.width - 100, shown.height - 100))]
    for colour, wanted in zip(colours, [(20, 160, 60), (200, 30, 90)], strict=True):
        assert isinstance(colour, tuple)
        assert max(abs(ours - theirs) for ours, theirs in zip(colour, wanted, strict=True)) <= 4


@pytest.mark.parametrize("width", [1100, 1300, 1536, 1638])
def test_thin_lines_stay_lines(tmp_path: Path, width: int) -> None:
    """None vanishes between the pixels that are looked at."""
    scan = Image.new("L", (width, 400), 255)
    for x in range(11, width, 23):
        scan.paste(0, (x, 0, x + 1, 400))
    scan.save(tmp_path / "scan.png")
    row = list(opened(render_preview(tmp_path / "scan.png", "photo")).crop((0, 50, 1024, 51)).tobytes())
    places = [round((x + 0.5) * 1024 / width) for x in range(11, width, 23)][1:-1]
    ink = [sum(255 - level for level in row[at - 3 : at + 4]) for at in places]
    assert min(ink) > 0.45 * max(ink)


def test_transparent_picture_is_laid_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert opened(render_preview(tmp_path / "clear.png", "photo")).getpixel((20, 20)) == 255


def test_sixteen_bit_thermal_picture_is_stretched_to_be_seen(tmp_path: Path) -> None:
    values = np.linspace(29_000, 31_000, 64 * 48).reshape(48, 64).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "thermal.tif")
    low, high = opened(render_preview(tmp_path / "thermal.tif", "photo")).getextrema()
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    assert low < 10
    assert high > 245


def test_cut_off_photo_shows_what_is_there(tmp_path: Path) -> None:
    whole = encoded(LEFT_DARK.resize((1200, 800)), "JPEG")
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    preview = render_preview(tmp_path / "cut.jpg", "photo")
    assert (preview.width, preview.height) == (1024, 683)


def test_immense_png_is_refused(tmp_path: Path) -> None:
    (tmp_path / "immense.png").write_bytes(png_header(50_000, 50_000))
    with pytest.raises(AnalysisError) as caught:
        render_preview(tmp_path / "immense.png", "photo")
    assert caught.value.code == "image_too_large"
    with pytest.raises(SandboxFailure) as confined:
        run_sandboxed("app.analysis.tasks:preview_task", (tmp_path / "immense.png", "photo"))
    assert (confined.value.code, confined.value.reason) == ("parser_error", "image_too_large")


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "WEBP"])
def test_immense_picture_of_other_formats_is_refused(tmp_path: Path, kind: str) -> None:
    data = bytearray(encoded(Image.new("L" if kind != "WEBP" else "RGB", (256, 256)), kind))
    if kind == "BMP":
        data[18:26] = (20_000).to_bytes(4, "little") * 2
    elif kind == "TIFF":
        at = data.index((256).to_bytes(2, "little") + (4).to_bytes(2, "little"))
        assert data[at : at + 2] == (256).to_bytes(2, "little")
        data[at + 8 : at + 12] = data[at + 20 : at + 24] = (60_000).to_bytes(4, "little")
    else:
        data = bytearray(b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\x3f\x00" * 2)
    path = tmp_path / "immense"
    path.write_bytes(data)
    with pytest.raises(AnalysisError) as caught:
        render_preview(path, "photo")
    assert caught.value.code in {"image_too_large", "image_unreadable"}
    assert kind == "WEBP" or caught.value.code == "image_too_large"


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0", b"GIF89a"])
def test_remains_of_a_photo_give_a_coded_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "remains").write_bytes(content)
    with pytest.raises(AnalysisError) as caught:
        render_preview(tmp_path / "remains", "photo")
    assert caught.value.code == "image_unreadable"


def test_video_gives_a_sheet_of_nine_frames(tmp_path: Path) -> None:
    preview = render_preview(clip(tmp_path / "clip.mp4", frames=40), "video")
    assert (preview.width, preview.height) == (3 * 64 + 4, 3 * 48 + 4)
    opened(preview)


def test_short_video_gives_as_many_frames_as_there_are(tmp_path: Path) -> None:
    preview = render_preview(clip(tmp_path / "clip.mp4", frames=2), "video")
    assert (preview.width, preview.height) == (2 * 64 + 2, 48)


def test_turned_video_is_shown_upright(tmp_path: Path) -> None:
    # The left half is dark; a quarter turn clockwise brings it to the top.
    path = clip(tmp_path / "clip.mp4", frames=1, rotation=-90)
    preview = render_preview(path, "video")
    assert (preview.width, preview.height) == (48, 64)
    pixels = np.asarray(opened(preview), dtype=float)
    assert pixels[24:30].mean() < 60
    assert pixels[40:].mean() > 150


def test_video_without_frames_gives_a_coded_error(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")
    with pytest.raises(AnalysisError) as caught:
        render_preview(tmp_path / "clip.mp4", "video")
    assert caught.value.code in {"video_unreadable", "no_picture"}


def test_other_kinds_have_no_picture(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("words")
    with pytest.raises(AnalysisError) as caught:
        render_preview(tmp_path / "note.txt", "other")
    assert caught.value.code == "no_picture"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00:00.000"), (3661.5, "01:01:01.500"), (0.0004, "00:00:00.000"), (-1, "00:00:00.000")]
)
def test_time_code(seconds: float, text: str) -> None:
    assert time_code(seconds) == text


def test_heic_is_turned_once(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    heif = pillow_heif.from_pillow(LEFT_DARK)
    heif.save(tmp_path / "photo.heic", exif=exif_bytes({0x0112: 6}))
    assert dark_side(opened(render_preview(tmp_path / "photo.heic", "photo"))) in {"left", "top"}
