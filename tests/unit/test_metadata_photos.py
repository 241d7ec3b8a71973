"""Photos made for the test, one oddity each: what is written is read, what is not is never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.analysis.extract import inspect_file
from app.analysis.record_bytes import to_bytes
from schemas.records.v1.media_metadata import MediaMetadata
from tests.media_samples import encoded, exif_bytes, gps, photo, png_header, ratio, xmp_packet

DMS_LAT = (ratio(47), ratio(30), ratio(4444, 100))
DMS_LON = (ratio(19), ratio(59), ratio(1556, 100))
CAPTURE = {0x9003: "2025:06:14 10:31:07"}


def codes(record: MediaMetadata) -> set[str]:
    return {finding.code for finding in record.findings}


def jpeg(folder: Path, **blocks: Any) -> MediaMetadata:  # noqa: ANN401 (groups of tags)
    xmp = blocks.pop("xmp", None)
    return inspect_file(
        photo(folder / "photo.jpg", exif=exif_bytes(**blocks) if blocks else None, xmp=xmp), "photo.jpg"
    )


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_same_facts_from_every_format(tmp_path: Path, suffix: str) -> None:
    block = exif_bytes(
        {0x010F: "Maker", 0x0110: "Model 1"},
        {**CAPTURE, 0x9011: "+02:00", 0x9291: "016", 0xA431: "SN-1"},
        gps(DMS_LAT, "S", DMS_LON, "W") | {5: b"\x01", 6: ratio(1234, 100)},
    )
    record = inspect_file(photo(tmp_path / f"photo.{suffix}", exif=block), f"photo.{suffix}")
    assert record.file.kind == "photo"
    assert (record.device.make.value, record.device.model.value) == ("Maker", "Model 1")
    assert record.device.camera_serial.value == "SN-1"
    assert record.position.lat.value == pytest.approx(-47.51234444, abs=1e-7)
    assert record.position.lon.value == pytest.approx(-19.98765556, abs=1e-7)
    assert record.position.alt_gps.value == pytest.approx(-12.34)
    assert record.time.capture_local.value == "2025-06-14T10:31:07.016"
    assert (record.time.utc_offset.value, record.time.utc_offset.certainty) == ("+02:00", "recorded")
    assert (record.time.capture_utc.value, record.time.capture_utc.certainty) == ("2025-06-14T08:31:07.016Z", "derived")
    assert (record.image.width.value, record.image.height.value) == (64, 48)
    assert codes(record) <= {"truncated"}


@pytest.mark.parametrize(
    ("tags", "certainty"),
    [
        ({}, "recorded"),
        ({0x12: "WGS-84", 0x09: "A"}, "recorded"),
        ({0x12: "WGS84"}, "recorded"),
        ({0x12: "TOKYO"}, "inferred"),
        ({0x09: "V"}, "inferred"),
    ],
)
def test_position_of_another_datum_or_a_void_measurement_rests_on_an_assumption(
    tmp_path: Path, tags: dict[int, str], certainty: str
) -> None:
    position = jpeg(tmp_path, gps=gps(DMS_LAT, "N", DMS_LON, "E") | tags).position
    assert position.lat.value == pytest.approx(47.51234444, abs=1e-7)
    assert (position.lat.certainty, position.lon.certainty) == (certainty, certainty)
    assert all(text in str(position.lat.source) for text in tags.values() if text == "TOKYO")


@pytest.mark.parametrize(("time", "conflicts"), [("2025-06-14T08:31:07Z", 0), ("2025-06-14T08:31:08Z", 1)])
def test_same_moment_in_the_words_of_another_zone_is_no_conflict(tmp_path: Path, time: str, conflicts: int) -> None:
    packet = xmp_packet(f'xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:DateTimeOriginal="{time}"')
    fact = jpeg(tmp_path, exif={**CAPTURE, 0x9011: "+02:00"}, xmp=packet).time.capture_local
    assert fact.value == "2025-06-14T10:31:07"
    assert len(fact.conflicts) == conflicts


def test_no_offset_means_no_utc(tmp_path: Path) -> None:
    record = jpeg(tmp_path, exif=CAPTURE)
    assert record.time.capture_local.value == "2025-06-14T10:31:07"
    assert record.time.utc_offset.value is None
    assert record.time.capture_utc.certainty == "absent"


def test_offset_taken_from_satellite_time_reads_as_inferred(tmp_path: Path) -> None:
    place = gps(DMS_LAT, "N", DMS_LON, "E") | {7: (ratio(8), ratio(31), ratio(5)), 0x1D: "2025:06:14"}
    record = jpeg(tmp_path, exif=CAPTURE, gps=place)
    assert (record.time.utc_offset.value, record.time.utc_offset.certainty) == ("+02:00", "inferred")
    assert record.time.capture_utc.certainty == "inferred"
    assert (record.time.gps_utc.value, record.time.gps_utc.certainty) == ("2025-06-14T08:31:05Z", "recorded")


def test_clock_that_fits_no_zone_is_a_finding_and_gives_no_offset(tmp_path: Path) -> None:
    place = gps(DMS_LAT, "N", DMS_LON, "E") | {7: (ratio(8), ratio(20), ratio(5)), 0x1D: "2025:06:14"}
    record = jpeg(tmp_path, exif=CAPTURE, gps=place)
    assert record.time.utc_offset.value is None
    assert "clock_differs_from_gps" in codes(record)


@pytest.mark.parametrize(("lat_ref", "lon_ref"), [(None, None), ("", ""), ("?", "?")])
def test_hemisphere_is_never_guessed(tmp_path: Path, lat_ref: str | None, lon_ref: str | None) -> None:
    record = jpeg(tmp_path, exif=CAPTURE, gps=gps(DMS_LAT, lat_ref, DMS_LON, lon_ref))
    assert (record.position.lat.value, record.position.lon.value) == (None, None)
    assert record.position.lat.certainty == "absent"


def test_half_a_position_is_named(tmp_path: Path) -> None:
    record = jpeg(tmp_path, exif=CAPTURE, gps=gps(DMS_LAT, "N", DMS_LON, None))
    assert record.position.lon.value is None
    assert "position_incomplete" in codes(record)


def test_zero_denominators_are_no_numbers(tmp_path: Path) -> None:
    undefined = (ratio(48), ratio(20), ratio(0, 0))
    record = jpeg(tmp_path, exif=CAPTURE, gps=gps(undefined, "N", undefined, "E") | {5: b"\0", 6: ratio(0, 0)})
    assert record.position.lat.value is None
    assert record.position.alt_gps.value is None


def test_position_zero_is_kept_and_named(tmp_path: Path) -> None:
    zero = (ratio(0), ratio(0), ratio(0))
    record = jpeg(tmp_path, exif=CAPTURE, gps=gps(zero, "S", zero, "W"))
    assert (record.position.lat.value, record.position.lon.value) == (0, 0)
    assert b"-0.0" not in to_bytes(record)
    assert "position_zero" in codes(record)


def test_altitude_without_its_reference_is_inferred(tmp_path: Path) -> None:
    record = jpeg(tmp_path, gps=gps(DMS_LAT, "N", DMS_LON, "E") | {6: ratio(1960)})
    assert (record.position.alt_gps.value, record.position.alt_gps.certainty) == (1960, "inferred")


@pytest.mark.parametrize("unset", ["0000:00:00 00:00:00", "    :  :     :  :  ", "2025:02:30 10:00:00", "2025:06:14"])
def test_dates_that_are_none_stay_absent(tmp_path: Path, unset: str) -> None:
    record = jpeg(tmp_path, exif={0x9003: unset})
    assert record.time.capture_local.value is None


def test_digitised_time_stands_in_only_as_inferred(tmp_path: Path) -> None:
    record = jpeg(tmp_path, exif={0x9004: "2025:06:14 10:31:07"})
    capture = record.time.capture_local
    assert (capture.value, capture.certainty) == ("2025-06-14T10:31:07", "inferred")
    assert "capture_time_inferred" in codes(record)


def test_offset_of_the_change_time_is_not_given_to_the_capture_time(tmp_path: Path) -> None:
    record = jpeg(tmp_path, ifd0={0x0132: "2025:07:01 09:00:00"}, exif=CAPTURE | {0x9010: "+03:00"})
    assert record.time.utc_offset.value is None
    assert "modified_after_capture" in codes(record)


def test_xmp_attributes_and_elements_are_read_by_namespace(tmp_path: Path) -> None:
    packet = (
        xmp_packet(
            'drone-dji:AbsoluteAltitude="+121.40" drone-dji:GimbalPitchDegree="-89.90" '
            'drone-dji:DroneSerialNumber="1581F"',
            "<drone-dji:RelativeAltitude>+80.20</drone-dji:RelativeAltitude>"
            "<exif:GPSLatitude>50,51.75N</exif:GPSLatitude><exif:GPSLongitude>4,40.3525W</exif:GPSLongitude>",
        )
        .replace(b"drone-dji:", b"any:")
        .replace(b"xmlns:drone-dji", b"xmlns:any")
    )
    record = jpeg(tmp_path, xmp=packet)
    assert (record.position.alt_absolute.value, record.position.alt_relative.value) == (121.4, 80.2)
    assert record.attitude.gimbal_pitch.value == -89.9
    assert record.device.drone_serial.value == "1581F"
    assert record.position.lat.value == pytest.approx(50.8625)
    assert record.position.lon.value == pytest.approx(-4.67254166, abs=1e-7)
    assert record.position.lat.source == "xmp exif:GPSLatitude"


def test_exif_and_xmp_that_disagree_are_conflicting_and_both_kept(tmp_path: Path) -> None:
    packet = xmp_packet('exif:GPSLatitude="50,51.75N" exif:GPSLongitude="4,40.3525E" tiff:Make="Other"')
    record = jpeg(tmp_path, ifd0={0x010F: "Maker"}, gps=gps(DMS_LAT, "N", DMS_LON, "E"), xmp=packet)
    assert record.position.lat.certainty == "conflicting"
    assert [conflict.value for conflict in record.position.lat.conflicts] == [pytest.approx(50.8625)]
    assert {"position_conflict", "device_conflict"} <= codes(record)


def test_placeholder_serial_gives_way_to_a_real_one(tmp_path: Path) -> None:
    both = jpeg(tmp_path, exif={0xA431: "0"}, xmp=xmp_packet('aux:SerialNumber="123063022888"'))
    assert both.device.camera_serial.value == "123063022888"
    alone = jpeg(tmp_path, exif={0xA431: "0"})
    assert alone.device.camera_serial.value == "0"
    assert "serial_placeholder" in codes(alone)


def test_entity_bomb_in_xmp_is_refused_and_the_rest_read(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + xmp_packet('tiff:Make="&b;"')
    record = jpeg(tmp_path, ifd0={0x010F: "Maker"}, xmp=bomb)
    assert record.device.make.value == "Maker"
    assert record.device.make.conflicts == ()
    assert "xmp_refused" in codes(record)


def test_malformed_xmp_still_gives_its_plain_properties(tmp_path: Path) -> None:
    record = jpeg(tmp_path, xmp=xmp_packet('tiff:Make="Maker"', "<aux:SerialNumber>77</aux:SerialNumber><broken"))
    assert (record.device.make.value, record.device.camera_serial.value) == ("Maker", "77")
    assert "xmp_malformed" in codes(record)


def test_photo_without_metadata_is_consistent_with_a_messenger(tmp_path: Path) -> None:
    record = jpeg(tmp_path)
    assert codes(record) == {"no_metadata"}
    assert record.time.capture_local.value is None


def test_editing_program_is_named(tmp_path: Path) -> None:
    assert "editing_software" in codes(jpeg(tmp_path, ifd0={0x0131: "Adobe Photoshop 25.0 (Windows)"}))


def test_no_finding_claims_a_proof(tmp_path: Path) -> None:
    record = jpeg(tmp_path, ifd0={0x0131: "GIMP 2.10", 0x0132: "2001:01:01 00:00:00"}, exif=CAPTURE)
    assert record.findings
    assert not [
        f.text for f in record.findings if any(word in f.text for word in ("proves", "fake", "forged", "authentic"))
    ]


def test_immense_png_is_flagged_and_never_decoded(tmp_path: Path) -> None:
    path = tmp_path / "immense.png"
    path.write_bytes(png_header(50_000, 50_000))
    record = inspect_file(path, path.name)
    assert (record.image.width.value, record.image.height.value) == (50_000, 50_000)
    assert [(f.code, f.severity) for f in record.findings if f.code == "image_too_large"] == [
        ("image_too_large", "error")
    ]


@pytest.mark.parametrize(
    ("content", "code", "kind"),
    [
        (b"", "empty_file", "other"),
        (b"just some words, no medium at all", "unknown_type", "other"),
        (b"\xff\xd8\xff\xe1\x00\x10Exif\0\0II*\0", "image_data_missing", "photo"),
        (b"\x89PNG\r\n\x1a\n\0\0", "truncated", "photo"),
        (b"RIFF\xff\xff\0\0WEBPVP8X", "truncated", "photo"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image_data_missing", "photo"),
        (b"GIF89a", "image_unreadable", "photo"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "index_missing", "video"),
    ],
)
def test_remains_of_a_file_become_a_record_with_a_finding(tmp_path: Path, content: bytes, code: str, kind: str) -> None:
    path = tmp_path / "remains"
    path.write_bytes(content)
    record = inspect_file(path, path.name)
    assert record.file.kind == kind
    assert code in codes(record)
    assert record.position.lat.value is None


def test_cut_off_jpeg_keeps_its_facts_and_is_named(tmp_path: Path) -> None:
    whole = encoded(Image.radial_gradient("L"), "JPEG", exif=exif_bytes({0x010F: "Maker"}, CAPTURE))
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    record = inspect_file(path, path.name)
    assert record.device.make.value == "Maker"
    assert "truncated" in codes(record)


def test_name_that_belies_the_content_is_named(tmp_path: Path) -> None:
    record = inspect_file(photo(tmp_path / "photo.png"), "DJI_0001.JPG")
    assert (record.file.format, record.file.original_name) == ("PNG", "DJI_0001.JPG")
    assert "extension_mismatch" in codes(record)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\x00b\x1b[2J.jpg", "\udcff.jpg", "x" * 9000])
def test_any_original_name_ends_in_valid_json(tmp_path: Path, name: str) -> None:
    record = inspect_file(photo(tmp_path / "photo.jpg"), name)
    assert MediaMetadata.model_validate_json(to_bytes(record)) == record


def test_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    path = photo(tmp_path / "photo.jpg", exif=exif_bytes({0x010F: "Mäker"}, CAPTURE))
    assert to_bytes(inspect_file(path, "a.jpg")) == to_bytes(inspect_file(path, "a.jpg"))


def test_unknown_field_in_a_record_is_refused(tmp_path: Path) -> None:
    data = to_bytes(jpeg(tmp_path, exif=CAPTURE)).replace(b'"device":{', b'"device":{"colour":1,')
    with pytest.raises(ValueError, match="colour"):
        MediaMetadata.model_validate_json(data)


@pytest.mark.parametrize("form", ["itxt", "compressed itxt", "imagemagick"])
def test_png_text_chunks_hold_xmp_and_exif(tmp_path: Path, form: str) -> None:
    packet = xmp_packet('tiff:Make="Maker" exif:DateTimeOriginal="2025-06-14T10:31:07+02:00"')
    info = PngInfo()
    if form == "imagemagick":
        block = exif_bytes({0x010F: "Maker"}, CAPTURE | {0x9011: "+02:00"})
        info.add_text("Raw profile type exif", f"\nexif\n{len(block):8d}\n{block.hex()}\n", zip=True)
    else:
        info.add_itxt("XML:com.adobe.xmp", packet.decode(), zip=form.startswith("compressed"))
    path = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    record = inspect_file(path, path.name)
    assert record.device.make.value == "Maker"
    assert record.time.capture_utc.value == "2025-06-14T08:31:07Z"


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_bytes_after_the_end_are_named(tmp_path: Path, suffix: str) -> None:
    path = photo(tmp_path / f"photo.{suffix}")
    path.write_bytes(path.read_bytes() + b"PK\x03\x04 something hidden")
    assert "trailing_data" in codes(inspect_file(path, path.name))


@pytest.mark.parametrize(("mode", "lossless"), [("RGB", False), ("RGB", True), ("RGBA", False)])
def test_size_of_every_kind_of_webp(tmp_path: Path, mode: str, lossless: bool) -> None:  # noqa: FBT001 (a row of the table)
    path = tmp_path / "photo.webp"
    Image.new(mode, (300, 200)).save(path, lossless=lossless)
    record = inspect_file(path, path.name)
    assert (record.image.width.value, record.image.height.value) == (300, 200)


def test_heic_gives_the_facts_and_the_stored_size(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "photo.heic"
    block = exif_bytes({0x010F: "Maker"}, CAPTURE, gps(DMS_LAT, "N", DMS_LON, "W"))
    pillow_heif.from_pillow(Image.new("RGB", (128, 96))).save(path, exif=block)
    record = inspect_file(path, path.name)
    assert (record.file.media_type, record.device.make.value) == ("image/heic", "Maker")
    assert (record.image.width.value, record.image.height.value) == (128, 96)
    assert record.position.lon.value == pytest.approx(-19.98765556, abs=1e-7)


def test_structure_built_to_be_read_for_ever_ends_and_is_named(tmp_path: Path) -> None:
    ifds = b"".join(b"\xff\xff" + b"\0" * 10 for _ in range(6_000))
    path = tmp_path / "endless.tif"
    path.write_bytes(b"II*\0\x08\0\0\0" + ifds + b"\x01" * 200_000)
    assert "exif_malformed" in codes(inspect_file(path, path.name))
