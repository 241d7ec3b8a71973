"""What the bytes are, told from their beginning; a file's name is never asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.analysis.probes.klv import UL_KEY
from app.analysis.probes.srt_fields import TELEMETRY

HEAD_BYTES = 4096


@dataclass(frozen=True)
class FileType:
    """Kind, IANA media type, short name of the format."""

    kind: Literal["photo", "video", "other"]
    media_type: str
    format: str


UNKNOWN = FileType("other", "application/octet-stream", "unknown")
EMPTY = FileType("other", "application/octet-stream", "empty")

_MAGIC: tuple[tuple[bytes, FileType], ...] = (
    (b"\xff\xd8\xff", FileType("photo", "image/jpeg", "JPEG")),
    (b"\x89PNG\r\n\x1a\n", FileType("photo", "image/png", "PNG")),
    (b"GIF87a", FileType("photo", "image/gif", "GIF")),
    (b"GIF89a", FileType("photo", "image/gif", "GIF")),
    (b"II*\0", FileType("photo", "image/tiff", "TIFF")),
    (b"MM\0*", FileType("photo", "image/tiff", "TIFF")),
    (b"IIRO", FileType("photo", "image/x-olympus-orf", "TIFF")),
    (b"IIRS", FileType("photo", "image/x-olympus-orf", "TIFF")),
    (b"MMOR", FileType("photo", "image/x-olympus-orf", "TIFF")),
    (b"IIU\0", FileType("photo", "image/x-panasonic-rw2", "TIFF")),
    (b"II+\0", FileType("photo", "image/tiff", "BigTIFF")),
    (b"MM\0+", FileType("photo", "image/tiff", "BigTIFF")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", FileType("photo", "image/jp2", "JPEG 2000")),
    (b"\0\0\0\x0cJXL \r\n\x87\n", FileType("photo", "image/jxl", "JPEG XL")),
    (b"\x1aE\xdf\xa3", FileType("video", "video/x-matroska", "Matroska")),
    (b"FLV\x01", FileType("video", "video/x-flv", "FLV")),
    (b"0&\xb2u\x8ef\xcf\x11", FileType("video", "video/x-ms-asf", "ASF")),
    (b"\0\0\x01\xba", FileType("video", "video/mpeg", "MPEG-PS")),
    (b"%PDF-", FileType("other", "application/pdf", "PDF")),
    (b"PK\x03\x04", FileType("other", "application/zip", "ZIP")),
    (b"OggS", FileType("video", "video/ogg", "Ogg")),
    (b"DEVC\0", FileType("other", "application/x-gpmf", "GPMF")),
    (UL_KEY, FileType("other", "application/x-misb-klv", "KLV")),
)
_RIFF = {
    b"WEBP": FileType("photo", "image/webp", "WebP"),
    b"AVI ": FileType("video", "video/x-msvideo", "AVI"),
    b"WAVE": FileType("other", "audio/wav", "WAVE"),
}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_HEIF_GENERIC_BRANDS = {b"mif1", b"msf1", b"mif2"}
_HEIC = FileType("photo", "image/heic", "HEIC")
_AVIF = FileType("photo", "image/avif", "AVIF")
_MAJOR_BRANDS = {
    **dict.fromkeys(_HEIF_BRANDS, _HEIC),
    b"avif": _AVIF,
    b"avis": _AVIF,
    b"crx ": FileType("photo", "image/x-canon-cr3", "CR3"),
    b"qt  ": FileType("video", "video/quicktime", "QuickTime"),
    b"M4A ": FileType("other", "audio/mp4", "M4A"),
    b"M4B ": FileType("other", "audio/mp4", "M4A"),
}
_TS_PACKETS = (188, 192)
_TS_SYNC = 0x47
_LOG_HEAD = 600
_LOG_STARTS = (b"HOME", b"GPS", b"<font", b"[", b"F/")
_BITMAP_HEADERS = {12, 40, 52, 56, 64, 108, 124}


def sniff(head: bytes, size: int) -> FileType:
    """Name the type.

    Args:
        head: the first HEAD_BYTES bytes, or all of a shorter file.
        size: length of the file in bytes.
    """
    if size == 0:
        return EMPTY
    for magic, file_type in _MAGIC:
        if head.startswith(magic):
            return _matroska(head) if file_type.format == "Matroska" else file_type
    for guess in (_riff, _iso_media, _headless_movie, _bitmap, _transport_stream, _subtitles):
        found = guess(head)
        if found is not None:
            return found
    return UNKNOWN


def _riff(head: bytes) -> FileType | None:
    return _RIFF.get(head[8:12]) if head[:4] == b"RIFF" else None


def _headless_movie(head: bytes) -> FileType | None:
    """QuickTime from before the file type box."""
    name = head[4:8]
    if name in {b"moov", b"mdat", b"wide", b"pnot"} or (name in {b"free", b"skip"} and b"mdat" in head):
        return FileType("video", "video/quicktime", "QuickTime")
    return None


def _bitmap(head: bytes) -> FileType | None:
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS:
        return FileType("photo", "image/bmp", "BMP")
    return None


def _matroska(head: bytes) -> FileType:
    if b"webm" in head[:64]:
        return FileType("video", "video/webm", "WebM")
    return FileType("video", "video/x-matroska", "Matroska")


def _iso_media(head: bytes) -> FileType | None:
    """By the brands of the file type box (ISO/IEC 14496-12, 23008-12)."""
    if head[4:8] != b"ftyp":
        return None
    length = max(16, min(int.from_bytes(head[:4], "big"), len(head)))
    major = head[8:12]
    brands = {head[at : at + 4] for at in range(16, length - 3, 4)}
    if major in _HEIF_GENERIC_BRANDS:
        if b"avif" in brands:
            return _AVIF
        return _HEIC if brands & _HEIF_BRANDS else FileType("photo", "image/heif", "HEIF")
    if major[:3] in {b"3gp", b"3g2"}:
        return FileType("video", "video/3gpp", "3GPP")
    return _MAJOR_BRANDS.get(major, FileType("video", "video/mp4", "MP4"))


def _transport_stream(head: bytes) -> FileType | None:
    for packet in _TS_PACKETS:
        offset = packet - 188
        marks = head[offset::packet][:4]
        if len(marks) == 4 and set(marks) == {_TS_SYNC}:  # noqa: PLR2004 (four packets in a row are no accident)
            return FileType("video", "video/mp2t", "MPEG-TS")
    return None


def _subtitles(head: bytes) -> FileType | None:
    """SubRip text: a number, then a line with `-->` (drones log their flight in it), or the flight log alone."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n")
    if b"-->" in head[:200] and start[:1].isdigit():
        return FileType("other", "application/x-subrip", "SRT")
    text = start[:_LOG_HEAD]
    if (text[:1].isdigit() or text.startswith(_LOG_STARTS)) and b"\0" not in text and _is_log(text):
        return FileType("other", "application/x-subrip", "SRT")
    return None


def _is_log(text: bytes) -> bool:
    """A position in the words of a flight log, near the beginning of a text."""
    return TELEMETRY.search(text.decode("utf-8", "replace")) is not None
