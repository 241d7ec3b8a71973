"""Every photo of the corpus against exiftool's values: right, or absent where exiftool has nothing usable.

Position to 1e-6 degrees, altitude to 0.1 m, times to the second; make, model, serials and offset equal.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.analysis.extract import inspect_file
from app.analysis.record_bytes import to_bytes
from benchmarks.metadata_coverage import compare
from schemas.records.v1.media_metadata import MediaMetadata

PHOTOS = (
    "photos/001.tif",
    "photos/67-0_length_string.jpg",
    "photos/8d8582b004aa2560f5bccffbccf4f3d6.tif",
    "photos/Apple_iPhone_4.jpg",
    "photos/Apple_iPhone_5.jpg",
    "photos/Apple_iPhone_6.jpg",
    "photos/DJI_0001_R.JPG",
    "photos/DJI_0002_R.JPG",
    "photos/DJI_0005_R.JPG",
    "photos/DJI_0010_R.JPG",
    "photos/DJI_0014_R.JPG",
    "photos/DJI_0021.JPG",
    "photos/DJI_0024.JPG",
    "photos/DJI_0030.JPG",
    "photos/DSCN0021.jpg",
    "photos/DSCN0025.jpg",
    "photos/DSCN0027.jpg",
    "photos/DSCN0040.jpg",
    "photos/DSCN0042.jpg",
    "photos/FLIR_Thermal.mp4",
    "photos/FLIR_Vue_Pro_640.jpg",
    "photos/FLIR_iPhone_device.jpg",
    "photos/FujiFilm_FinePixS1Pro_1_.jpg",
    "photos/FujiFilm_FinePixS1Pro_4_.jpg",
    "photos/FujiFilm_FinePixS1Pro_5_.jpg",
    "photos/FujiFilm_FinePixS2Pro.jpg",
    "photos/HMD_Nokia_8.3_5G_hdr.heif",
    "photos/HTC_Desire.jpg",
    "photos/HTC_Desire.webp",
    "photos/IMG_1034.heic",
    "photos/Issue_151.tif",
    "photos/Issue_508.jpg",
    "photos/Nikon_D5000.jpg",
    "photos/Nokia_Lumia_800.jpg",
    "photos/Olympus_FE230-X790.jpg",
    "photos/Oppo_R7_Plus.jpg",
    "photos/Samsung_GT-I9000_Galaxy_S_.jpg",
    "photos/aux_YCbCr.heic",
    "photos/broken1.jpg",
    "photos/empty-imagedesc-in-ifd0.jpg",
    "photos/fbf48d_DJI_0001_R.JPG",
    "photos/heic-iphone7.heic",
    "photos/heic-maybebroken.HEIC",
    "photos/iphone_hdr_NO.jpg",
    "photos/iphone_hdr_YES.jpg",
    "photos/issue-exifr-59.jpg",
    "photos/pug.heic",
)
TRACKS = (
    "telemetry/air2s.srt",
    "telemetry/broken_incomplete.SRT",
    "telemetry/broken_incomplete2.SRT",
    "telemetry/mavic_pro.SRT",
    "telemetry/mavic_pro_buggy.SRT",
    "telemetry/old_format.SRT",
    "telemetry/p4_rtk.SRT",
)
CAPTURE_TAGS = (
    "ExifIFD:DateTimeOriginal",
    "XMP-exif:DateTimeOriginal",
    "FLIR:DateTimeOriginal",
    "UserData:DateTimeOriginal",
)
SERIAL_TAGS = ("ExifIFD:SerialNumber", "IFD0:CameraSerialNumber", "FLIR:CameraSerialNumber", "XMP-aux:SerialNumber")


@cache
def _load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


@cache
def _record(path: Path) -> MediaMetadata:
    return inspect_file(path, path.name)


def _first(tags: dict[str, Any], *names: str) -> str | None:
    return next((str(tags[name]) for name in names if tags.get(name) not in (None, "")), None)


@pytest.fixture
def expected(corpus: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = _load(corpus / "photos" / "expected.json")[name]
    return found


@pytest.fixture
def record(corpus: Path, name: str) -> MediaMetadata:
    return _record(corpus / name)


@pytest.mark.parametrize("name", PHOTOS)
class TestPhoto:
    def test_position_equals(self, record: MediaMetadata, expected: dict[str, Any]) -> None:
        composite = expected["composite"]
        if composite.get("GPSLatitude") in (None, ""):
            # Nothing usable in EXIF: what stands here instead comes from another record of the same file.
            sources = (record.position.lat.source, record.position.lon.source)
            assert all(source is None or not source.startswith(("exifread", "tiff")) for source in sources)
            return
        assert record.position.lat.value == pytest.approx(composite["GPSLatitude"], abs=1e-6)
        assert record.position.lon.value == pytest.approx(composite["GPSLongitude"], abs=1e-6)

    def test_altitude_equals(self, record: MediaMetadata, expected: dict[str, Any]) -> None:
        altitude = expected["composite"].get("GPSAltitude")
        if altitude is None:
            assert record.position.alt_gps.certainty in {"absent", "inferred"} or "flir" in str(
                record.position.alt_gps.source
            )
            return
        assert record.position.alt_gps.value == pytest.approx(altitude, abs=0.1)

    def test_capture_time_equals_to_the_second(self, record: MediaMetadata, expected: dict[str, Any]) -> None:
        wanted = _first(expected["tags"], *CAPTURE_TAGS)
        found = record.time.capture_local
        if wanted is None:
            assert found.value is None
            return
        assert found.value is not None
        assert found.value[:19] == wanted[:19].replace(":", "-", 2).replace(" ", "T")
        assert found.certainty in {"recorded", "conflicting"}

    def test_offset_equals_and_is_marked_when_it_is_not_recorded(
        self, record: MediaMetadata, expected: dict[str, Any]
    ) -> None:
        wanted = _first(expected["tags"], "ExifIFD:OffsetTimeOriginal")
        found = record.time.utc_offset
        if wanted is not None:
            assert (found.value, found.certainty) == (wanted, "recorded")
        elif found.certainty == "recorded":
            clocks = [str(expected["tags"].get(tag, "")) for tag in CAPTURE_TAGS]
            assert any(clock.replace("Z", "+00:00").endswith(str(found.value)) for clock in clocks)

    def test_make_and_model_equal(self, record: MediaMetadata, expected: dict[str, Any]) -> None:
        tags = expected["tags"]
        assert record.device.make.value == _first(tags, "IFD0:Make", "XMP-tiff:Make")
        assert record.device.model.value == _first(tags, "IFD0:Model", "XMP-tiff:Model", "FLIR:CameraModel")

    def test_serials_equal(self, record: MediaMetadata, expected: dict[str, Any]) -> None:
        tags = expected["tags"]
        assert record.device.camera_serial.value == _first(tags, *SERIAL_TAGS)
        lens = _first(tags, "ExifIFD:LensSerialNumber", "XMP-aux:LensSerialNumber", "FLIR:LensSerialNumber")
        assert record.device.lens_serial.value == lens

    def test_attitude_and_drone_heights_equal(self, record: MediaMetadata, expected: dict[str, Any]) -> None:
        tags = expected["tags"]
        for ours, name in (
            (record.attitude.flight_yaw, "FlightYawDegree"),
            (record.attitude.flight_pitch, "FlightPitchDegree"),
            (record.attitude.flight_roll, "FlightRollDegree"),
            (record.attitude.gimbal_yaw, "GimbalYawDegree"),
            (record.attitude.gimbal_pitch, "GimbalPitchDegree"),
            (record.attitude.gimbal_roll, "GimbalRollDegree"),
            (record.position.alt_absolute, "AbsoluteAltitude"),
            (record.position.alt_relative, "RelativeAltitude"),
        ):
            wanted = tags.get(f"XMP-drone-dji:{name}")
            if wanted is not None:
                assert ours.value == pytest.approx(float(wanted), abs=1e-6), name

    def test_type_and_size_equal(self, record: MediaMetadata, expected: dict[str, Any]) -> None:
        tags = expected["tags"]
        assert record.file.media_type == tags["File:MIMEType"]
        places = ("File", "RIFF", "Track1") if tags["File:FileType"] != "TIFF" else ("IFD0",)
        width, height = (
            _first(tags, *(f"{place}:{side}" for place in places)) for side in ("ImageWidth", "ImageHeight")
        )
        assert (str(record.image.width.value), str(record.image.height.value)) == (width, height)
        if "IFD0:Orientation" in tags:
            assert record.image.orientation.value == tags["IFD0:Orientation"]

    def test_record_survives_its_own_json(self, record: MediaMetadata) -> None:
        data = to_bytes(record)
        assert MediaMetadata.model_validate_json(data) == record
        assert to_bytes(MediaMetadata.model_validate_json(data)) == data
        assert len(data) < 400_000


@pytest.mark.parametrize("name", TRACKS)
def test_track_has_the_expected_points_and_ends(corpus: Path, name: str) -> None:
    wanted = _load(corpus / "telemetry" / "expected_tracks.json")[name]
    track = _record(corpus / name).track
    assert (track.points, track.samples) == (wanted["with_position"], wanted["blocks"])
    for ours, theirs in ((track.first, wanted["first"]), (track.last, wanted["last"])):
        assert ours is not None
        assert (ours.lat, ours.lon, ours.t) == (theirs["lat"], theirs["lon"], theirs["t"])
        if "rel_alt" in theirs:
            assert ours.alt_relative == theirs["rel_alt"]
        if "alt" in theirs:
            assert ours.alt == theirs["alt"]


def test_axis_order_that_values_cannot_settle_is_marked_inferred(corpus: Path) -> None:
    assert _record(corpus / "telemetry/mavic_pro.SRT").track.certainty == "recorded"
    ambiguous = _record(corpus / "telemetry/p4_rtk.SRT")
    assert ambiguous.track.certainty == "inferred"
    assert "track_axis_order_inferred" in {finding.code for finding in ambiguous.findings}


@pytest.mark.parametrize(
    "name",
    ["chair-19-sd-bar.mp4", "chair-22-sd-grey-bar.mp4", "chair-22-with-large-logo-bar.mp4", "chair-orig-22-sd-bar.mp4"],
)
def test_remuxed_video_is_said_to_be_consistent_with_re_encoding(corpus: Path, name: str) -> None:
    record = _record(corpus / "video" / name)
    assert (record.file.kind, record.container.codec.value) == ("video", "h264")
    assert record.container.duration_s.value is not None
    assert "encoder_reencoded" in {finding.code for finding in record.findings}
    assert record.position.lat.value is None


def test_no_value_is_wrong_where_exiftool_has_one_and_what_is_absent_is_known(corpus: Path) -> None:
    files, fields, groups = compare(corpus / "photos")
    assert files == len(PHOTOS)
    assert [wrong for count in fields.values() for wrong in count.wrong] == []
    # a satellite date of "2014:09:259" is the one value that is left out
    assert {name: len(count.absent) for name, count in fields.items() if count.absent} == {"time.gps_utc": 1}
    assert sum(count.right for count in groups.values()) > 630
