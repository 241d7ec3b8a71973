"""Read one file and make its record. Runs in the sandbox; runs in-process for trusted tests alike."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from app.analysis.asked import Asked
from app.analysis.containers import movie_dump, read_into_packets, read_structure
from app.analysis.credentials import look
from app.analysis.embedding import take_blocks, take_iptc, take_pictures
from app.analysis.errors import AnalysisError
from app.analysis.extract_track import (
    read_data_tracks,
    read_gpmf_file,
    read_klv_file,
    read_subtitle_file,
    read_subtitle_track,
    settle_tracks,
)
from app.analysis.gathered import Gathered
from app.analysis.normalise import normalise
from app.analysis.probes.chunks import ChunkParts, walk_png, walk_webp
from app.analysis.probes.cr3 import walk_cr3
from app.analysis.probes.embedded import exif_thumbnail
from app.analysis.probes.exif import own_dump, read_exif
from app.analysis.probes.filetype import HEAD_BYTES, sniff
from app.analysis.probes.flir import read_flir
from app.analysis.probes.heif import HeifParts, walk_heif
from app.analysis.probes.image import MAX_PIXELS, header_size, tiff_size
from app.analysis.probes.jpeg import JpegParts, walk_jpeg
from app.analysis.probes.movie import read_movie
from app.analysis.probes.picture import of_chunks, of_heif, of_jpeg
from app.analysis.probes.readings import Readings, Remark, unread, unreadable
from app.analysis.probes.tiff import decode_text
from app.analysis.probes.video import read_video
from app.analysis.probes.xmp import read_xmp
from app.analysis.record_bytes import ANALYSER_VERSION
from app.analysis.rules import find
from app.analysis.track_facts import whole_track
from app.analysis.unusable import unusable_values
from schemas.records.v1.media_metadata import MediaMetadata

_XMP_TAG = ("IFD0", 0x02BC)
_MAX_TIFF_XMP = 8 * 1024 * 1024
_MAX_BLOCKS = 4
_PANASONIC_RAW = "image/x-panasonic-rw2"
_WITHOUT_METADATA = {"BMP"}


def inspect_file(path: Path, original_name: str, credentials: Asked | None = None) -> MediaMetadata:
    """Read a file in this process.

    Args:
        path: the file.
        original_name: the name it came with; only compared with the content's type.
        credentials: how to look for content credentials; without a trust list when left out.

    Returns:
        The record; what could not be read is a finding.
    """
    return inspect_with_track(path, original_name, credentials)[0]


def inspect_with_track(
    path: Path, original_name: str, credentials: Asked | None = None
) -> tuple[MediaMetadata, bytes | None]:
    """As `inspect_file`, with the whole track beside it (`TrackRecord`); None when there is no telemetry."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        gathered = Gathered(original_name, size, sniff(stream.read(HEAD_BYTES), size))
        reader = _READERS.get(gathered.type.format)
        if reader is not None:
            reader(gathered, stream, path)
        elif gathered.type.kind == "photo":
            _read_other_image(gathered, stream, path)
        elif gathered.type.kind == "video":
            _read_video(gathered, stream, path)
        _check_size(gathered)
        gathered.c2pa = look(gathered, stream, credentials or Asked())
    settle_tracks(gathered)
    _dump_xmp(gathered)
    gathered.dumps.append(Readings("catena", ANALYSER_VERSION))
    record = normalise(gathered)
    remarks = [*gathered.remarks, *gathered.xmp.remarks, *unusable_values(gathered)]
    record = record.model_copy(update={"findings": find(record, remarks)})
    return record, whole_track(gathered.track, record.track) if record.track.samples and gathered.track else None


def _read_jpeg(gathered: Gathered, stream: BinaryIO, _path: Path) -> None:
    parts = walk_jpeg(stream, gathered.size)
    gathered.picture = of_jpeg(parts)
    _take_embedded(gathered, parts, "jpeg")
    take_iptc(gathered, parts.iptc)
    if parts.comment:
        gathered.texts["comment"] = decode_text(parts.comment)
    gathered.flir = read_flir(parts.flir)
    gathered.remarks += gathered.flir.remarks
    if gathered.flir.texts:
        dump = Readings("flir", ANALYSER_VERSION)
        for name, text in gathered.flir.texts.items():
            dump.put(name, text)
        gathered.dumps.append(dump)


def _read_png(gathered: Gathered, stream: BinaryIO, _path: Path) -> None:
    parts = walk_png(stream, gathered.size)
    gathered.picture = of_chunks(parts, "png")
    _take_embedded(gathered, parts, "png")
    take_iptc(gathered, parts.iptc)
    gathered.texts = parts.texts
    dump = Readings("png", ANALYSER_VERSION)
    for keyword, text in parts.texts.items():
        dump.put(keyword, text)
    if dump.tags:
        gathered.dumps.append(dump)


def _read_webp(gathered: Gathered, stream: BinaryIO, _path: Path) -> None:
    parts = walk_webp(stream, gathered.size)
    gathered.picture = of_chunks(parts, "webp")
    _take_embedded(gathered, parts, "webp")


def _read_heif(gathered: Gathered, stream: BinaryIO, _path: Path) -> None:
    parts = walk_heif(stream, gathered.size)
    gathered.brand = parts.brand
    gathered.picture = of_heif(parts)
    _take_embedded(gathered, parts, "heif")


def _read_cr3(gathered: Gathered, stream: BinaryIO, _path: Path) -> None:
    parts = walk_cr3(stream, gathered.size)
    gathered.brand, gathered.exif, gathered.maker = parts.brand, parts.tags, parts.maker
    gathered.remarks += parts.remarks
    gathered.xmp = read_xmp(parts.xmp[:_MAX_BLOCKS])
    gathered.dumps.append(own_dump(parts.tags, ANALYSER_VERSION))
    size = tiff_size(parts.tags)
    if size is not None:
        gathered.size_in_header = (*size, "tiff")


def _read_tiff(gathered: Gathered, stream: BinaryIO, _path: Path) -> None:
    jpeg = _take_exif(gathered, stream)
    if jpeg is not None and gathered.type.media_type == _PANASONIC_RAW:
        stream.seek(jpeg[0])
        inner = io.BytesIO(stream.read(min(jpeg[1], _MAX_TIFF_XMP)))
        for block in walk_jpeg(inner, len(inner.getbuffer())).exif[:1]:
            _take_exif(gathered, io.BytesIO(block))
    take_pictures(gathered, stream)
    packet = gathered.exif.get(_XMP_TAG)
    if packet is not None:
        gathered.xmp = read_xmp([_packet_bytes(packet.value)])
    elif _XMP_TAG in gathered.exif_unread:
        gathered.remarks.append(unreadable("XMP in a TIFF tag is longer than what is read, or cut off"))
    size = tiff_size(gathered.exif)
    if size is not None:
        gathered.size_in_header = (*size, "tiff")


def _packet_bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value[:_MAX_TIFF_XMP]
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, tuple):
        return bytes(part & 0xFF for part in value if isinstance(part, int))
    return b""


def _take_embedded(gathered: Gathered, parts: JpegParts | ChunkParts | HeifParts, tool: str) -> None:
    """Exif, XMP, size and remarks of a container format."""
    gathered.remarks += parts.remarks
    for block in parts.exif[:_MAX_BLOCKS]:
        _take_exif(gathered, io.BytesIO(block))
    take_blocks(gathered)
    gathered.xmp = read_xmp(parts.xmp[:_MAX_BLOCKS])
    for name, blocks in (("EXIF", parts.exif), ("XMP", parts.xmp)):
        if len(blocks) > _MAX_BLOCKS:
            gathered.remarks.append(unread(f"{len(blocks) - _MAX_BLOCKS} more {name} blocks"))
    if parts.width and parts.height:
        gathered.size_in_header = (parts.width, parts.height, tool)


def _take_exif(gathered: Gathered, stream: BinaryIO) -> tuple[int, int] | None:
    """Take EXIF; returns where a JPEG lies in the structure that holds more of it, if one does."""
    read = read_exif(stream)
    for key, tag in read.tags.items():
        gathered.exif.setdefault(key, tag)
    gathered.exif_unread |= read.unread
    gathered.order = read.order
    if not gathered.maker.values:
        gathered.maker = read.maker
    if gathered.type.format != "TIFF":
        thumbnail = exif_thumbnail(read.tags, stream)
        gathered.picture.embedded += [thumbnail] if thumbnail else []
    gathered.dumps += read.dumps
    gathered.remarks += read.remarks
    return read.jpeg


def _read_other_image(gathered: Gathered, _stream: BinaryIO, path: Path) -> None:
    if gathered.type.format not in _WITHOUT_METADATA:
        gathered.remarks.append(unread(f"whatever a {gathered.type.format} file may hold beside its picture"))
    try:
        size = header_size(path)
    except AnalysisError as error:
        gathered.remarks.append(Remark(error.code, error.detail))
        return
    if size is None:
        gathered.remarks.append(Remark("image_unreadable", "the image's header could not be read"))
    else:
        gathered.size_in_header = (*size, "Pillow")


def _read_video(gathered: Gathered, stream: BinaryIO, path: Path) -> None:
    elsewhere = read_data_tracks(gathered, stream, path)
    gathered.video, dump = read_video(path, gathered.type.format, elsewhere)
    gathered.dumps.append(dump)
    gathered.remarks += gathered.video.remarks
    read_into_packets(gathered, path)
    first = next((one for one in gathered.video.streams if one.type == "video"), None)
    if first is not None and first.width and first.height:
        gathered.size_in_header = (first.width, first.height, "PyAV")
    read_subtitle_track(gathered)


def _read_movie(gathered: Gathered, stream: BinaryIO, path: Path) -> None:
    gathered.movie = read_movie(stream, gathered.size)
    gathered.dumps.append(movie_dump(gathered.movie))
    gathered.remarks += gathered.movie.remarks
    if gathered.movie.xmp:
        gathered.xmp = read_xmp(gathered.movie.xmp)
    for _, picture in gathered.movie.pictures:
        for block in walk_jpeg(io.BytesIO(picture), len(picture)).exif[:1]:
            _take_exif(gathered, io.BytesIO(block))
    _read_video(gathered, stream, path)


def _read_container(gathered: Gathered, stream: BinaryIO, path: Path) -> None:
    """Containers whose own structure is read beside what the demuxer tells."""
    read_structure(gathered, stream)
    _read_video(gathered, stream, path)


def _dump_xmp(gathered: Gathered) -> None:
    if gathered.xmp.properties:
        dump = Readings("xmp", ANALYSER_VERSION)
        for name, text in gathered.xmp.properties.items():
            dump.put(name, text)
        gathered.dumps.append(dump)


def _check_size(gathered: Gathered) -> None:
    if gathered.type.kind != "photo":
        return
    if gathered.size_in_header is None:
        codes = {remark.code for remark in gathered.remarks}
        if not (codes & _SIZE_REMARKS or gathered.exif or gathered.xmp.properties):
            gathered.remarks.append(Remark("image_unreadable", "the image's header could not be read"))
        return
    width, height, _ = gathered.size_in_header
    if width * height > MAX_PIXELS:
        text = f"{width} x {height} pixels are more than the {MAX_PIXELS} that are decoded; the file is kept as it is"
        gathered.remarks.append(Remark("image_too_large", text))


_SIZE_REMARKS = {"image_unreadable", "image_too_large", "image_data_missing"}
_READERS: dict[str, Callable[[Gathered, BinaryIO, Path], None]] = {
    "JPEG": _read_jpeg,
    "PNG": _read_png,
    "WebP": _read_webp,
    "HEIC": _read_heif,
    "HEIF": _read_heif,
    "AVIF": _read_heif,
    "TIFF": _read_tiff,
    "CR3": _read_cr3,
    "MP4": _read_movie,
    "QuickTime": _read_movie,
    "3GPP": _read_movie,
    "M4A": _read_movie,
    "Matroska": _read_container,
    "WebM": _read_container,
    "AVI": _read_container,
    "MPEG-TS": _read_container,
    "SRT": read_subtitle_file,
    "GPMF": read_gpmf_file,
    "KLV": read_klv_file,
}
