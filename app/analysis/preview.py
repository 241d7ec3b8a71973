"""A small picture of a file for people: a photo's thumbnail, a video's contact sheet with time codes.

It is a working copy for looking at; nothing is concluded from it.
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.analysis.errors import AnalysisError
from app.analysis.probes.chunks import walk_png
from app.analysis.probes.filetype import HEAD_BYTES, FileType, sniff
from app.analysis.probes.image import MAX_PIXELS

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from PIL.Image import Image as Picture

MAX_EDGE = 1024
FRAMES = 9
_COLUMNS = 3
_GAP = 2
_TILE = (MAX_EDGE - (_COLUMNS - 1) * _GAP) // _COLUMNS
_NEARLY = 15 / 16
_BY_LITTLE, _HARDLY = 1.6, 1.3  # times as large
_SMOOTHED = 0.6  # pixels
_QUALITY = 85
_DECODE_SECONDS = 6.0  # CPU time for all frames of a sheet; within the sandbox's ten
_FRAMES_PER_TARGET = 600


@dataclass(frozen=True)
class Preview:
    """A JPEG picture; width and height in pixels."""

    data: bytes
    media_type: str
    width: int
    height: int


def render_preview(path: Path, kind: str) -> Preview:
    """Draw the picture in this process.

    Args:
        path: the file.
        kind: "photo" or "video", as the record says.

    Raises:
        AnalysisError: `image_too_large`, `image_unreadable`, `video_unreadable`, `no_picture`.
    """
    with path.open("rb") as stream:
        file_type = sniff(stream.read(HEAD_BYTES), path.stat().st_size)
    if kind == "photo":
        return _encode(_photo(path, file_type))
    if kind == "video":
        return _encode(_contact_sheet(path, file_type))
    raise AnalysisError("no_picture", f"a file of kind {kind} has no picture")


def _encode(picture: Picture) -> Preview:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return Preview(buffer.getvalue(), "image/jpeg", picture.width, picture.height)


@contextmanager
def _bombs_refused() -> Iterator[None]:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS
        try:
            yield
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise AnalysisError("image_too_large", f"more than {MAX_PIXELS} pixels are not decoded") from error
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _photo(path: Path, file_type: FileType) -> Picture:
    if file_type.format == "PNG":
        _refuse_large_png(path)
    with _bombs_refused():
        try:
            if file_type.format in {"HEIC", "HEIF"}:
                return _flattened(_heif(path))
            return _flattened(_upright(path))
        except (AnalysisError, MemoryError, Warning):
            raise
        except Exception as error:
            _raise_bomb(error)
            raise AnalysisError(
                "image_unreadable", f"the image could not be decoded ({type(error).__name__})"
            ) from error


def _raise_bomb(error: Exception) -> None:
    from PIL import Image

    if isinstance(error, Image.DecompressionBombError):
        raise error


def _refuse_large_png(path: Path) -> None:
    with path.open("rb") as stream:
        parts = walk_png(stream, path.stat().st_size)
    if (parts.width or 0) * (parts.height or 0) > MAX_PIXELS:
        raise AnalysisError("image_too_large", f"{parts.width} x {parts.height} pixels are not decoded")


def _heif(path: Path) -> Picture:
    """Decode with libheif, which turns the picture by its own boxes; the EXIF orientation must not be applied again."""
    import pillow_heif

    heif = pillow_heif.open_heif(path, convert_hdr_to_8bit=True)
    width, height = heif.size
    if width * height > MAX_PIXELS:
        raise AnalysisError("image_too_large", f"{width} x {height} pixels are not decoded")
    picture: Picture = heif.to_pillow()
    picture.thumbnail((MAX_EDGE, MAX_EDGE))
    return picture


def _upright(path: Path) -> Picture:
    """Decode, shrink and turn by the EXIF orientation; a cut-off file gives what is there."""
    from PIL import Image, ImageFile

    try:
        return _shrunk(Image.open(path))
    except OSError:
        # Pillow has this switch only for the whole process; the sandbox is a process of one file.
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            return _shrunk(Image.open(path))
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def _shrunk(image: Picture) -> Picture:
    from PIL import Image

    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    with image:
        image.draft("RGB", _large_enough(image.size))  # a JPEG is decoded at a half, a quarter or an eighth of its size
        picture = _eight_bit(image)
        picture.load()
        picture = _resized(picture)
        # Pillow turns TIFF files itself when it decodes them.
        turn = None if image.format == "TIFF" else turns.get(_orientation(image))
        return picture.transpose(turn) if turn is not None else picture


def _large_enough(size: tuple[int, int]) -> tuple[int, int]:
    """What a picture has to measure to be shown as it is: of 4032 pixels a quarter is 1008, which will do."""
    share = min(1.0, _NEARLY * MAX_EDGE / max(size))
    return max(1, int(size[0] * share)), max(1, int(size[1] * share))


def _resized(picture: Picture) -> Picture:
    """With Pillow's Hamming filter, which looks as bicubic does for half the time.

    Where a picture is larger by little, interpolation between nearest pixels is as near to Lanczos on photos and keeps
    lines as even, once it is smoothed a little; it takes a quarter of that (docs/adr/0062).
    """
    from PIL import Image

    share = min(1.0, MAX_EDGE / max(picture.size))
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    if share == 1:
        return picture
    if picture.mode not in {"L", "RGB"} or "transparency" in picture.info or share * _BY_LITTLE < 1:
        return picture.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    bands = [np.asarray(band) for band in picture.split()]
    if share * _HARDLY < 1:
        bands = [np.asarray(cv2.GaussianBlur(band, (3, 3), _SMOOTHED), np.uint8) for band in bands]
    small = [np.asarray(cv2.resize(band, size, interpolation=cv2.INTER_LINEAR), np.uint8) for band in bands]
    return Image.merge(picture.mode, [Image.fromarray(band) for band in small])


def _orientation(image: Picture) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 (a broken EXIF structure turns no picture)
        return 1


def _eight_bit(image: Picture) -> Picture:
    """Scientific modes (16-bit, float: thermal cameras) stretched to 8 bits, a few outliers left out."""
    if not image.mode.startswith(("I", "F")):
        return image
    import numpy as np
    from PIL import Image

    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    low, high = (float(edge) for edge in np.percentile(values, (0.5, 99.5)))
    scaled = (np.clip(values, low, high) - low) * (255.0 / max(high - low, 1e-9))
    return Image.fromarray(scaled.astype(np.uint8))


def _flattened(picture: Picture) -> Picture:
    """RGB on white, without any metadata."""
    from PIL import Image

    if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        ground = Image.new("RGB", layer.size, "white")
        ground.paste(layer, mask=layer.getchannel("A"))
        return ground
    plain = picture if picture.mode == "RGB" else picture.convert("RGB")
    plain.info.clear()
    return plain


def _contact_sheet(path: Path, file_type: FileType) -> Picture:
    import av

    from app.analysis.probes.video import DEMUXERS, open_container

    try:
        with open_container(path, DEMUXERS.get(file_type.format)) as container:
            shots = list(_shots(container))
    except AnalysisError:
        raise
    except (OSError, ValueError, EOFError, RuntimeError, IndexError, av.error.FFmpegError) as error:
        if isinstance(error, MemoryError):
            raise
        raise AnalysisError("video_unreadable", f"no frame could be decoded ({type(error).__name__})") from error
    if not shots:
        raise AnalysisError("no_picture", "the file holds no video frame that can be decoded")
    return _laid_out(shots)


def _shots(container: InputContainer) -> Iterator[tuple[float, Picture]]:
    """Up to nine frames spread over the video, each with its time in seconds."""
    if not container.streams.video:
        raise AnalysisError("no_picture", "the file holds no video stream")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    duration = float(container.duration or 0) / 1_000_000
    targets = [duration * (index + 0.5) / FRAMES for index in range(FRAMES)] if duration > 0 else [0.0]
    began = time.process_time()
    seen: set[float] = set()
    for index, target in enumerate(targets):
        deadline = began + _DECODE_SECONDS * (index + 1) / len(targets)
        frame = _frame_at(container, target, deadline)
        if frame is None or frame.time is None or frame.time in seen:
            continue
        seen.add(frame.time)
        yield frame.time, _tile(frame)


def _frame_at(container: InputContainer, target: float, deadline: float) -> VideoFrame | None:
    """The frame shown at a time, or the nearest one before it that the budget allows."""
    import av

    reached: VideoFrame | None = None
    try:
        if target > 0:
            container.seek(int(target * 1_000_000), backward=True)
        for count, frame in enumerate(container.decode(video=0)):
            if reached is not None and frame.time is not None and frame.time > target:
                break
            reached = frame
            if time.process_time() > deadline or count >= _FRAMES_PER_TARGET:
                break
    except MemoryError:
        raise
    except av.error.FFmpegError:
        return reached
    return reached


def _tile(frame: VideoFrame) -> Picture:
    scale = min(_TILE / frame.width, _TILE / frame.height, 1.0)
    width, height = max(2, int(frame.width * scale) // 2 * 2), max(2, int(frame.height * scale) // 2 * 2)
    from PIL import Image

    pixels = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    picture: Picture = Image.fromarray(pixels)
    turn = getattr(frame, "rotation", 0) % 360
    return picture.rotate(turn, expand=True) if turn else picture


def _laid_out(shots: list[tuple[float, Picture]]) -> Picture:
    from PIL import Image, ImageDraw, ImageFont

    width, height = max(p.width for _, p in shots), max(p.height for _, p in shots)
    columns = min(_COLUMNS, len(shots))
    rows = -(-len(shots) // columns)
    size = columns * width + (columns - 1) * _GAP, rows * height + (rows - 1) * _GAP
    sheet = Image.new("RGB", size, "black")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for index, (seconds, picture) in enumerate(shots):
        left, top = index % columns * (width + _GAP), index // columns * (height + _GAP)
        sheet.paste(picture, (left + (width - picture.width) // 2, top + (height - picture.height) // 2))
        text = time_code(seconds)
        box = pen.textbbox((left + 4, top + 3), text, font=font)
        pen.rectangle((box[0] - 3, box[1] - 2, box[2] + 3, box[3] + 2), fill="black")
        pen.text((left + 4, top + 3), text, fill="white", font=font)
    return sheet


def time_code(seconds: float) -> str:
    """As "HH:MM:SS.mmm", of a time in the video."""
    total = max(0, round(seconds * 1000))
    return f"{total // 3_600_000:02d}:{total // 60_000 % 60:02d}:{total // 1000 % 60:02d}.{total % 1000:03d}"
