"""How a picture is coded and what lies beside it: read from the structure, digested, and never guessed."""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from app.analysis.extract import inspect_file
from schemas.records.v1.media_metadata import MediaMetadata
from tests.media_samples import encoded, exif_bytes, photo, xmp_packet

PICTURE = Image.radial_gradient("L").resize((96, 64)).convert("RGB")


def inspect(folder: Path, data: bytes, name: str = "photo.jpg") -> MediaMetadata:
    path = folder / name
    path.write_bytes(data)
    return inspect_file(path, name)


def codes(record: MediaMetadata) -> set[str]:
    return {finding.code for finding in record.findings}


def segment(data: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment behind its first marker."""
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[2:]


def resources(*parts: tuple[int, bytes]) -> bytes:
    whole = b"Photoshop 3.0\0"
    for number, data in parts:
        whole += b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)
    return whole


def dataset(record: int, number: int, value: bytes) -> bytes:
    return bytes([0x1C, record, number]) + struct.pack(">H", len(value)) + value


@pytest.mark.parametrize("quality", [25, 50, 75, 92, 100])
def test_quality_of_scaled_example_tables_is_known_exactly(tmp_path: Path, quality: int) -> None:
    image = inspect(tmp_path, encoded(PICTURE, "JPEG", quality=quality)).image
    assert (image.quality.value, image.quality.certainty) == (quality, "derived")
    assert [(table.id, table.bits, table.quality) for table in image.quantisation] == [(0, 8, quality), (1, 8, quality)]


def test_tables_of_an_encoder_of_its_own_give_only_an_estimate_and_a_digest(tmp_path: Path) -> None:
    own = {0: [3] * 63 + [9], 1: [7] * 64}
    first, again = (inspect(tmp_path, encoded(PICTURE, "JPEG", qtables=own)).image for _ in range(2))
    assert (first.quality.certainty, first.quantisation[0].quality) == ("inferred", None)
    assert first.quantisation[1].sha256 == hashlib.sha256(bytes([7] * 64)).hexdigest()
    assert first.quantisation_sha256.value == again.quantisation_sha256.value
    other = inspect(tmp_path, encoded(PICTURE, "JPEG", quality=80)).image
    assert other.quantisation_sha256.value != first.quantisation_sha256.value


@pytest.mark.parametrize(("progressive", "coding"), [(False, "baseline DCT"), (True, "progressive DCT")])
@pytest.mark.parametrize(("subsampling", "sampling"), [(0, "1x1,1x1,1x1"), (1, "2x1,1x1,1x1"), (2, "2x2,1x1,1x1")])
def test_coding_sampling_and_depth(
    tmp_path: Path,
    progressive: bool,  # noqa: FBT001 (a row of the table)
    coding: str,
    subsampling: int,
    sampling: str,
) -> None:
    data = encoded(PICTURE, "JPEG", progressive=progressive, subsampling=subsampling, restart_marker_blocks=3)
    image = inspect(tmp_path, data).image
    assert (image.coding.value, image.sampling.value, image.bits.value) == (coding, sampling, 8)
    assert (image.components.value, image.restart_interval.value, image.trailing_bytes.value) == (3, 3, 0)
    assert image.scans.value is not None
    assert (image.scans.value > 1) is progressive


def test_thumbnail_and_profile_are_digested(tmp_path: Path) -> None:
    thumbnail = encoded(PICTURE.resize((32, 16)), "JPEG")
    block = Image.Exif()
    block.get_ifd(0x8769)[0xA002] = 400
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 14)
    ifd1 = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 44, 0x0202, 4, 1, len(thumbnail), 0)
    exif = (head + ifd1).ljust(44, b"\0") + thumbnail
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = inspect(tmp_path, encoded(PICTURE, "JPEG", exif=b"Exif\0\0" + exif, icc_profile=profile)).image
    [found] = image.embedded
    assert (found.kind, found.size, found.width, found.height) == ("thumbnail", len(thumbnail), 32, 16)
    assert found.sha256 == hashlib.sha256(thumbnail).hexdigest()
    assert image.profile.sha256.value == hashlib.sha256(profile).hexdigest()
    assert (image.profile.description.value, image.profile.device_class.value) == ("sRGB built-in", "display device")


def test_second_picture_of_a_multi_picture_file_is_found_and_is_no_trailing_data(tmp_path: Path) -> None:
    path = tmp_path / "two.jpg"
    PICTURE.save(path, "MPO", save_all=True, append_images=[PICTURE.resize((48, 32))])
    record = inspect_file(path, path.name)
    [second] = record.image.embedded
    assert (second.kind, second.width, second.height) == ("mpf", 48, 32)
    assert second.offset is not None
    whole = path.read_bytes()
    assert second.sha256 == hashlib.sha256(whole[second.offset : second.offset + second.size]).hexdigest()
    assert record.image.trailing_bytes.value == second.size
    assert "trailing_data" not in codes(record)


def test_bytes_behind_a_jpeg_are_counted_digested_and_named(tmp_path: Path) -> None:
    data = encoded(PICTURE, "JPEG")
    record = inspect(tmp_path, data + b"PK\x03\x04 hidden")
    assert record.image.trailing_bytes.value == 11
    [trailer] = record.image.embedded
    assert (trailer.offset, trailer.sha256) == (len(data), hashlib.sha256(b"PK\x03\x04 hidden").hexdigest())
    assert "trailing_data" in codes(record)
    clip = b"\0\0\0\x14ftypmp42\0\0\0\0mp42" + b"\0" * 20
    assert [one.kind for one in inspect(tmp_path, data + clip).image.embedded] == ["motion photo"]


def test_trailer_of_samsung_tells_when_the_picture_was_taken(tmp_path: Path) -> None:
    name = b"Image_UTC_Data"
    block = b"\0\0\x01\x0a" + struct.pack("<I", len(name)) + name + b"1749889867016"
    directory = b"SEFH" + struct.pack("<II", 101, 1) + struct.pack("<HHII", 0, 0x0A01, len(block), len(block))
    trailer = block + directory + struct.pack("<I", len(directory)) + b"SEFT"
    data = encoded(PICTURE, "JPEG", exif=exif_bytes({0x010F: "samsung"}, {0x9003: "2025:06:14 14:16:07"}))
    record = inspect(tmp_path, data + trailer)
    assert (record.time.utc_offset.value, record.time.utc_offset.certainty) == ("+05:45", "inferred")
    assert "trailing_data" not in codes(record)
    shifted = encoded(PICTURE, "JPEG", exif=exif_bytes({0x010F: "samsung"}, {0x9003: "2025:06:14 11:31:07"}))
    found = inspect(tmp_path, shifted + trailer).time
    assert (found.utc_offset.value, found.utc_offset.certainty) == ("+03:00", "inferred")
    assert found.capture_utc.value == "2025-06-14T08:31:07Z"


def test_iptc_texts_are_recorded_text_with_their_character_set(tmp_path: Path) -> None:
    iptc = (
        dataset(1, 90, b"\x1b%G")
        + dataset(2, 90, "Żytomierz".encode())
        + dataset(2, 25, b"bridge")
        + dataset(2, 25, b"river")
        + dataset(2, 120, b"A bridge")
        + dataset(2, 55, b"20250614")
        + dataset(2, 60, b"103107+0300")
    )
    data = segment(encoded(PICTURE, "JPEG"), 0xED, resources((0x0404, iptc)))
    record = inspect(tmp_path, data)
    told = record.description
    assert (told.city.value, told.keywords.value, told.caption.value) == ("Żytomierz", "bridge; river", "A bridge")
    assert (told.created.value, told.city.source) == ("2025-06-14T10:31:07+03:00", "iptc City")
    assert (record.time.capture_local.value, record.time.capture_local.certainty) == ("2025-06-14T10:31:07", "inferred")
    assert record.raw["iptc"]["CodedCharacterSet"] == "UTF-8"
    assert "no_metadata" not in codes(record)
    broken = segment(encoded(PICTURE, "JPEG"), 0xED, resources((0x0404, dataset(2, 90, b"Lviv") + b"\x1c\x02\x05")))
    assert "metadata_unreadable" in codes(inspect(tmp_path, broken))


def test_caption_that_another_place_tells_otherwise_is_conflicting(tmp_path: Path) -> None:
    iptc = segment(
        encoded(PICTURE, "JPEG", exif=exif_bytes({0x010E: "Another"})),
        0xED,
        resources((0x0404, dataset(2, 120, b"One"))),
    )
    caption = inspect(tmp_path, iptc).description.caption
    assert (caption.value, caption.certainty) == ("One", "conflicting")
    assert [conflict.value for conflict in caption.conflicts] == ["Another"]


def test_xmp_and_thumbnail_in_photoshop_resources_are_read(tmp_path: Path) -> None:
    thumbnail = encoded(PICTURE.resize((20, 10)), "JPEG")
    body = resources((0x0424, xmp_packet('tiff:Make="Maker"')), (0x040C, b"\0" * 28 + thumbnail))
    record = inspect(tmp_path, segment(encoded(PICTURE, "JPEG"), 0xED, body))
    assert record.device.make.value == "Maker"
    assert [(one.kind, one.width) for one in record.image.embedded] == [("photoshop thumbnail", 20)]


def test_serial_and_firmware_of_gopro_are_read_from_their_segment(tmp_path: Path) -> None:
    def key(name: bytes, value: bytes) -> bytes:
        return name + b"c" + struct.pack(">BH", len(value), 1) + value + b"\0" * (-len(value) % 4)

    inside = key(b"MINF", b"HERO6 Black") + key(b"FMWR", b"HD6.01.01.51.00") + key(b"CASN", b"C3221324657219")
    body = b"GoPro\0DEVC\0" + struct.pack(">BH", 1, len(inside)) + inside
    device = inspect(tmp_path, segment(encoded(PICTURE, "JPEG"), 0xE6, body)).device
    assert (device.camera_serial.value, device.firmware.value) == ("C3221324657219", "HD6.01.01.51.00")
    assert device.model.value == "HERO6 Black"


def test_png_texts_time_and_depth(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("Creation Time", "Sat, 14 Jun 2025 10:31:07 +0300")
    info.add_text("Author", "Nobody")
    info.add(b"tIME", b"\x07\xe9\x06\x0f\x0a\x1f\x07")
    buffer = io.BytesIO()
    Image.new("RGBA", (8, 8)).save(buffer, "PNG", pnginfo=info)
    record = inspect(tmp_path, buffer.getvalue(), "a.png")
    assert (record.time.capture_local.value, record.time.capture_local.certainty) == ("2025-06-14T10:31:07", "inferred")
    assert record.time.capture_utc.value == "2025-06-14T07:31:07Z"
    assert (record.time.container_modified.value, record.time.container_modified.certainty) == (
        "2025-06-15T10:31:07Z",
        "inferred",
    )
    assert record.description.byline.value == "Nobody"
    assert (record.image.bits.value, record.image.components.value, record.image.color_space.value) == (8, 4, "RGBA")


def test_heic_tells_coding_depth_and_thumbnail(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "photo.heic"
    pillow_heif.from_pillow(PICTURE.resize((512, 384))).save(path)
    image = inspect_file(path, path.name).image
    assert (image.coding.value, image.bits.value, image.width.value) == ("HEVC", 8, 512)
    avif = inspect_file(photo(tmp_path / "photo.avif"), "photo.avif").image
    assert (avif.coding.value, avif.width.value) == ("AV1", 64)
