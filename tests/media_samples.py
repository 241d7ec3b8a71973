"""Small media files made for tests, with exactly known metadata."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
XMP_START = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    'xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" '
)
XMP_END = "</rdf:RDF></x:xmpmeta>"


def ratio(numerator: int, denominator: int = 1) -> IFDRational:
    return IFDRational(numerator, denominator)


def gps(lat: tuple[Any, ...], lat_ref: str | None, lon: tuple[Any, ...], lon_ref: str | None) -> dict[int, Any]:
    tags: dict[int, Any] = {2: lat, 4: lon}
    if lat_ref is not None:
        tags[1] = lat_ref
    if lon_ref is not None:
        tags[3] = lon_ref
    return tags


def exif_bytes(
    ifd0: dict[int, Any] | None = None, exif: dict[int, Any] | None = None, gps: dict[int, Any] | None = None
) -> bytes:
    """An Exif block ("Exif\\0\\0" and a TIFF structure) with these tags."""
    block = Image.Exif()
    for tag, value in (ifd0 or {}).items():
        block[tag] = value
    for pointer, tags in ((EXIF_IFD, exif), (GPS_IFD, gps)):
        if tags:
            block.get_ifd(pointer).update(tags)
    return block.tobytes()


def xmp_packet(attributes: str, elements: str = "") -> bytes:
    return f"{XMP_START}{attributes}>{elements}</rdf:Description>{XMP_END}".encode()


def photo(path: Path, *, exif: bytes | None = None, xmp: bytes | None = None, size: tuple[int, int] = (64, 48)) -> Path:
    """A gradient in the format of the path's suffix."""
    picture = Image.radial_gradient("L").resize(size).convert("RGB")
    options: dict[str, Any] = {}
    if exif is not None:
        options["exif"] = exif
    if xmp is not None:
        options["xmp"] = xmp
    picture.save(path, **options)
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def clip(
    path: Path,
    *,
    metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    subtitles: list[str] | None = None,
    frames: int = 20,
    fps: int = 10,
    rotation: int | None = None,
) -> Path:
    """A short H.264 clip, the left half dark and the right half bright, with subtitle blocks of one second each."""
    with av.open(str(path), "w", options=options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if rotation is not None:
            stream.set_display_rotation(rotation)
        words = container.add_mux_stream("mov_text", time_base=Fraction(1, 1000)) if subtitles else None
        for index in range(frames):
            pixels = np.zeros((48, 64, 3), dtype=np.uint8)
            pixels[:, 32:] = 200
            pixels[:4, : 1 + index] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
        for second, text in enumerate(subtitles or []):
            assert words is not None
            body = text.encode()
            packet = av.Packet(struct.pack(">H", len(body)) + body)
            packet.stream, packet.time_base = words, Fraction(1, 1000)
            packet.pts = packet.dts = second * 1000
            packet.duration = 1000
            container.mux(packet)
    return path


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401 (options of Pillow's writers)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
