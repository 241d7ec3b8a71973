"""Files that are built to hurt whoever parses them: small to send, endless, enormous or absurd to read.

Everything is generated, nothing shows anything.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

from PIL import Image

MIB = 1024 * 1024
_CUTS = (0.01, 0.25, 0.5, 0.75, 0.97)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _zeros(count: int) -> bytes:
    """A zlib stream (RFC 1950) of so many zero bytes, rounded up to MiB, made without compressing them all.

    A block that was flushed whole may be repeated; Adler-32 of n zeros is n modulo 65521 over 1.
    """
    squeeze, times = zlib.compressobj(9, zlib.DEFLATED, -15), -(-count // MIB)
    block = squeeze.compress(bytes(MIB)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return b"\x78\xda" + block * times + b"\x03\0" + struct.pack(">HH", times * MIB % 65521, 1)


def _png(width: int, height: int, data: bytes, depth: int = 8, colour: int = 2) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def png_of_a_gigapixel() -> bytes:
    """32,000 x 32,000 black pixels in 3 MB."""
    return _png(32_000, 32_000, _zeros(32_000 * 96_001))


def png_that_just_fits() -> bytes:
    """A picture just below the bounds of many readers, which takes half a gigabyte once it is decoded."""
    return _png(13_000, 13_000, _zeros(13_000 * 39_001))


def png_text_bomb() -> bytes:
    """Compressed text chunks that are 200 MiB each."""
    good = _png(8, 8, zlib.compress(bytes(8 * 25)))
    text = _chunk(b"zTXt", b"Comment\0\0" + _zeros(200 * MIB))
    return good[:33] + text * 3 + good[33:]


def _picture(kind: str, size: tuple[int, int] = (160, 120), **options: object) -> bytes:
    stream = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(stream, kind, **options)
    return stream.getvalue()


def jpeg_of_65500_squared() -> bytes:
    """A small picture whose frame header claims the largest that there is."""
    data = bytearray(_picture("JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 65_500, 65_500)
    return bytes(data)


def jpeg_with_xmp_entities() -> bytes:
    """Billion laughs in an XMP packet."""
    names = "abcdefghij"
    entities = '<!ENTITY a "ha ha ha ha ha ha">' + "".join(
        f'<!ENTITY {name} "{f"&{names[index]};" * 12}">' for index, name in enumerate(names[1:])
    )
    packet = f'<?xpacket begin=""?><!DOCTYPE x [{entities}]><x:xmpmeta xmlns:x="adobe:ns:meta/">&j;</x:xmpmeta>'
    body = b"http://ns.adobe.com/xap/1.0/\0" + packet.encode()
    data = _picture("JPEG")
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def jpeg_of_scans() -> bytes:
    """A progressive picture whose scans are repeated thousands of times, at full size."""
    data = _picture("JPEG", (4000, 4000), progressive=True, quality=10)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 400 + b"\xff\xd9"


def tiff_of_a_terabyte() -> bytes:
    """One deflated strip that claims a million by a million pixels."""
    strip = _zeros(64 * MIB)
    tags = [
        (256, 4, 1, 1_000_000),
        (257, 4, 1, 1_000_000),
        (258, 3, 1, 8),
        (259, 3, 1, 8),
        (262, 3, 1, 1),
        (273, 4, 1, 200),
        (278, 4, 1, 1_000_000),
        (279, 4, 1, len(strip)),
    ]
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + body + struct.pack("<I", 0)
    return head.ljust(200, b"\0") + strip


def tiff_ring() -> bytes:
    """Directories that follow each other in a ring, each with 60,000 entries that all point at it."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 60_000) + entry * 60_000 + struct.pack("<I", 8)


def gif_of_65535_squared() -> bytes:
    """A hundred thousand frames on the largest canvas."""
    frame = b"\x21\xf9\x04\0\x01\0\0\0\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0x80, 0, 0) + bytes(6) + frame * 100_000 + b"\x3b"


def webp_of_16384_squared() -> bytes:
    """An extended WebP whose canvas is the largest, over a tiny picture."""
    inner = _picture("WEBP")[12:]
    chunks = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + b"\xff\x3f\0" * 2 + inner
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def heif_grid() -> bytes:
    """A HEIC whose every stated size is enormous."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    data = bytearray(_picture("HEIF"))
    at = data.find(b"ispe")
    while at >= 0:
        data[at + 8 : at + 16] = struct.pack(">II", 0x7FFFFFF0, 0x7FFFFFF0)
        at = data.find(b"ispe", at + 4)
    return bytes(data)


def _box(name: bytes, *bodies: bytes) -> bytes:
    body = b"".join(bodies)
    return struct.pack(">I", len(body) + 8) + name + body


_FTYP = _box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")


def mp4_of_50_million_samples() -> bytes:
    """A track whose sample tables claim 50 million samples and hold a handful."""
    count = struct.pack(">II", 0, 50_000_000)
    stsd = _box(b"stsd", struct.pack(">II", 0, 1), _box(b"gpmd", bytes(6) + struct.pack(">H", 1)))
    tables = (
        _box(b"stts", count, bytes(64)),
        _box(b"stsz", struct.pack(">III", 0, 0, 50_000_000), bytes(64)),
        _box(b"stsc", count, bytes(64)),
        _box(b"co64", count, bytes(64)),
    )
    mdhd = _box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 1000, 0xFFFFFFF0, 0, 0))
    hdlr = _box(b"hdlr", bytes(8), b"meta", bytes(13))
    minf = _box(b"minf", _box(b"stbl", stsd, *tables))
    mvhd = _box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, 0xFFFFFFF0), bytes(80))
    return _FTYP + _box(b"moov", mvhd, _box(b"trak", _box(b"mdia", mdhd, hdlr, minf)))


def mp4_of_fixed_samples() -> bytes:
    """The same with samples of one size, which need no bytes in the table at all."""
    data = mp4_of_50_million_samples()
    at = data.index(b"stsz") + 8
    return data[:at] + struct.pack(">I", 1) + data[at + 4 :]


def mp4_of_a_million_boxes() -> bytes:
    """Ten to the six boxes of eight bytes, inside a moov."""
    return _FTYP + _box(b"moov", _box(b"free") * 1_000_000)


def mp4_of_nested_boxes() -> bytes:
    """A hundred thousand boxes, each inside the last."""
    depth = 100_000
    return _FTYP + b"".join(struct.pack(">I", (depth - level) * 8) + b"moov" for level in range(depth))


def mp4_of_nested_udta() -> bytes:
    """Nested user data with texts as long as the sizes allow."""
    inner = _box(b"\xa9xyz", struct.pack(">HH", 0xFFFF, 0), b"+48.0" * 10_000)
    for name in (b"udta", b"meta", b"ilst") * 300:
        inner = _box(name, inner)
    return _FTYP + _box(b"moov", inner)


def mp4_of_a_sparse_file() -> bytes:
    """A box that claims sixteen exabytes."""
    return _FTYP + struct.pack(">I", 1) + b"mdat" + struct.pack(">Q", 2**63 - 1) + bytes(1000)


def avi_without_end() -> bytes:
    """RIFF lists with sizes beyond the file, nested a thousand times."""
    return b"RIFF\xff\xff\xff\xffAVI " + b"LIST\xff\xff\xff\xffhdrl" * 1000 + b"avih" + bytes(100)


def matroska_without_end() -> bytes:
    """EBML elements of unknown size in each other."""
    head = b"\x1a\x45\xdf\xa3\x8f\x42\x82\x88matroska\x42\x87\x81\x04"
    return head + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" * 1 + b"\x1f\x43\xb6\x75\xff" * 200_000


def deep_json() -> bytes:
    """A million open brackets."""
    return b"[" * 1_000_000


def wide_json() -> bytes:
    """A number with a million digits, and as many keys."""
    return json.dumps({f"k{number}": "9" * 20 for number in range(200_000)}).encode() + b"9" * 1_000_000


def deep_xml() -> bytes:
    """A hundred thousand elements, each inside the last."""
    return b'<?xml version="1.0"?>' + b"<a>" * 100_000 + b"</a>" * 100_000


def gpx_of_a_million_points() -> bytes:
    """A track with 300,000 points."""
    point = b'<trkpt lat="48.1" lon="37.6"><ele>1</ele></trkpt>'
    return b'<?xml version="1.0"?><gpx version="1.1"><trk><trkseg>' + point * 300_000 + b"</trkseg></trk></gpx>"


def srt_of_a_million_lines() -> bytes:
    """A drone's subtitles, ten to the six lines."""
    cue = "{0}\n00:00:00,000 --> 00:00:00,033\n[latitude: 48.{0}] [longitude: 37.6] [rel_alt: 1.0]\n\n"
    return "".join(cue.format(number) for number in range(250_000)).encode()


def zip_of_zips() -> bytes:
    """Archives in archives, sixteen times as many in each layer; the innermost is 256 MiB of zeros."""
    data = gzip.compress(bytes(64 * MIB))
    for _ in range(6):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(16):
                archive.writestr(f"{number}.zip", data)
        data = stream.getvalue()
    return data


def pdf_without_end() -> bytes:
    """A PDF with a hundred thousand objects that refer to each other."""
    return b"%PDF-1.7\n" + b"".join(b"%d 0 obj<</Parent %d 0 R>>endobj\n" % (n, n + 1) for n in range(100_000))


def zeros() -> bytes:
    """Sixty MiB of nothing."""
    return bytes(60 * MIB)


def newlines() -> bytes:
    """Thirty MiB of line ends."""
    return b"\r\n" * (15 * MIB)


def one_byte() -> bytes:
    """As little as can be deposited."""
    return b"\0"


BOMBS: dict[str, Callable[[], bytes]] = {
    "gigapixel.png": png_of_a_gigapixel,
    "just-fits.png": png_that_just_fits,
    "text.png": png_text_bomb,
    "huge.jpg": jpeg_of_65500_squared,
    "entities.jpg": jpeg_with_xmp_entities,
    "scans.jpg": jpeg_of_scans,
    "terabyte.tif": tiff_of_a_terabyte,
    "ring.tif": tiff_ring,
    "huge.gif": gif_of_65535_squared,
    "huge.webp": webp_of_16384_squared,
    "grid.heic": heif_grid,
    "samples.mp4": mp4_of_50_million_samples,
    "fixed-samples.mp4": mp4_of_fixed_samples,
    "boxes.mp4": mp4_of_a_million_boxes,
    "nested.mp4": mp4_of_nested_boxes,
    "udta.mp4": mp4_of_nested_udta,
    "sparse.mp4": mp4_of_a_sparse_file,
    "endless.avi": avi_without_end,
    "endless.mkv": matroska_without_end,
    "deep.json": deep_json,
    "wide.json": wide_json,
    "deep.xml": deep_xml,
    "points.gpx": gpx_of_a_million_points,
    "lines.srt": srt_of_a_million_lines,
    "nest.zip": zip_of_zips,
    "endless.pdf": pdf_without_end,
    "zeros.bin": zeros,
    "newlines.txt": newlines,
    "one.byte": one_byte,
}
QUICK = ("huge.jpg", "entities.jpg", "ring.tif", "samples.mp4", "nested.mp4", "deep.json", "one.byte")


def truncated() -> Iterator[tuple[str, bytes]]:
    """Good pictures and bombs, cut off."""
    whole = {
        "a.jpg": _picture("JPEG"),
        "a.png": _picture("PNG"),
        "a.webp": _picture("WEBP"),
        "a.tif": _picture("TIFF"),
        "a.gif": _picture("GIF"),
        "samples.mp4": mp4_of_50_million_samples(),
    }
    for name, data in whole.items():
        for cut in _CUTS:
            yield f"cut-{int(cut * 100)}-{name}", data[: max(1, int(len(data) * cut))]
