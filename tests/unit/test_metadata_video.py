"""Clips made for the test: locations, clocks, telemetry, and the difference between recorded and inferred."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import pytest

from app.analysis.extract import inspect_file
from app.analysis.probes.movie import read_movie
from app.analysis.record_bytes import to_bytes
from schemas.records.v1.media_metadata import MediaMetadata
from tests.media_samples import clip

MOTION = {"movflags": "use_metadata_tags"}
NEWER = "{n}\n2025-06-14 10:44:{n:02d}.500\n[latitude: 47.{n}] [longitude: -19.{n}] [rel_alt: 1.{n} abs_alt: 30.{n}]"


def codes(record: MediaMetadata) -> set[str]:
    return {finding.code for finding in record.findings}


def inspect(path: Path) -> MediaMetadata:
    return inspect_file(path, path.name)


def with_text(path: Path, code: bytes, text: bytes) -> Path:
    """A movie whose index is at the end, with a text of QuickTime user data added to it."""
    data = path.read_bytes()
    at = data.index(b"moov") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    added = _box(b"udta", _box(code, struct.pack(">HH", len(text), 0x15C7) + text))
    grown = (size + len(added)).to_bytes(4, "big") + data[at + 4 : at + size] + added
    path.write_bytes(data[:at] + grown + data[at + size :])
    return path


def test_places_of_one_movie_that_disagree_are_a_conflict(tmp_path: Path) -> None:
    keyed = clip(
        tmp_path / "clip.mov",
        metadata={"com.apple.quicktime.location.ISO6709": "-33.5000-070.2500+012/"},
        options=MOTION,
    )
    record = inspect(with_text(keyed, b"\xa9xyz", b"+33.5000+070.2500+012/"))
    assert (record.position.lat.value, record.position.lat.certainty) == (-33.5, "conflicting")
    assert [one.value for one in record.position.lon.conflicts] == [70.25]
    assert "position_conflict" in {finding.code for finding in record.findings}


@pytest.mark.parametrize(
    ("day", "conflicts"),
    [
        ("2025-06-14T12:31:07+0200", []),
        ("2025-06-14T10:31:07Z", []),  # the same moment in another zone
        ("2021-01-02T03:04:05Z", ["boxes udta ©day"]),
    ],
)
def test_times_of_one_movie_that_disagree_are_a_conflict(tmp_path: Path, day: str, conflicts: list[str]) -> None:
    text = day.encode()
    path = with_text(
        clip(
            tmp_path / "clip.mov",
            metadata={"com.apple.quicktime.creationdate": "2025-06-14T12:31:07+0200"},
            options=MOTION,
        ),
        b"\xa9day",
        text,
    )
    fact = inspect(path).time.capture_local
    assert fact.value == "2025-06-14T12:31:07"
    assert [one.source for one in fact.conflicts] == conflicts


def test_duration_that_samples_and_header_give_differently_is_a_conflict(tmp_path: Path) -> None:
    data = bytearray(clip(tmp_path / "clip.mov").read_bytes())
    at = data.index(b"mvhd") + 4 + 12
    scale, ticks = struct.unpack_from(">II", data, at)
    assert ticks == 2 * scale
    struct.pack_into(">I", data, at + 4, 29 * scale)
    (tmp_path / "longer.mov").write_bytes(data)
    fact = inspect(tmp_path / "longer.mov").container.duration_s
    assert (fact.value, fact.source, fact.certainty) == (29.0, "boxes moov/mvhd duration", "conflicting")
    assert [(one.value, one.source) for one in fact.conflicts] == [(2.0, "PyAV duration")]


def test_apple_keys_give_place_device_and_local_time_with_offset(tmp_path: Path) -> None:
    keys = {
        "com.apple.quicktime.location.ISO6709": "+47.5160-019.9783+132.500/",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.model": "iPhone 13 Pro",
        "com.apple.quicktime.software": "16.2",
        "com.apple.quicktime.creationdate": "2025-06-14T10:44:20-0100",
    }
    record = inspect(clip(tmp_path / "clip.mov", metadata=keys, options=MOTION))
    assert record.file.media_type == "video/quicktime"
    assert (record.position.lat.value, record.position.lon.value) == (47.516, -19.9783)
    assert record.position.alt_gps.value == 132.5
    assert (record.device.make.value, record.device.model.value) == ("Apple", "iPhone 13 Pro")
    assert (record.time.capture_local.value, record.time.utc_offset.value) == ("2025-06-14T10:44:20", "-01:00")
    assert (record.time.capture_utc.value, record.time.capture_utc.certainty) == ("2025-06-14T11:44:20Z", "derived")
    assert record.position.lat.source == "boxes keys com.apple.quicktime.location.ISO6709"


def test_container_clock_reads_as_inferred_because_cameras_break_the_standard(tmp_path: Path) -> None:
    record = inspect(clip(tmp_path / "clip.mp4", metadata={"creation_time": "2025-06-14T11:44:20Z"}))
    assert (record.time.container_created.value, record.time.container_created.certainty) == (
        "2025-06-14T11:44:20Z",
        "inferred",
    )
    assert record.time.capture_local.value is None
    assert record.time.capture_utc.certainty == "inferred"


def test_container_facts(tmp_path: Path) -> None:
    record = inspect(clip(tmp_path / "clip.mp4", frames=20, fps=10))
    container = record.container
    assert (container.codec.value, container.fps.value, container.duration_s.value) == ("h264", 10.0, 2.0)
    assert [(track.type, track.width, track.height, track.frames) for track in container.tracks] == [
        ("video", 64, 48, 20)
    ]
    assert container.encoder.value is not None
    assert container.encoder.value.startswith("Lavf")
    assert (container.brand.value, container.trailing_bytes.value) == ("isom", 0)
    assert {"no_metadata", "encoder_reencoded"} <= codes(record)


@pytest.mark.parametrize("suffix", ["mkv", "avi", "ts"])
def test_other_containers_are_read(tmp_path: Path, suffix: str) -> None:
    record = inspect(clip(tmp_path / f"clip.{suffix}"))
    assert (record.file.kind, record.container.codec.value) == ("video", "h264")
    assert record.image.width.value == 64


def test_embedded_flight_log_gives_track_place_and_clock_as_derived_or_inferred(tmp_path: Path) -> None:
    record = inspect(clip(tmp_path / "DJI_0001.mp4", subtitles=[NEWER.format(n=n) for n in range(1, 6)]))
    track = record.track
    assert (track.points, track.samples, track.certainty) == (5, 5, "recorded")
    assert track.first is not None
    assert track.last is not None
    assert (track.first.lat, track.first.lon, track.first.alt, track.first.alt_relative) == (47.1, -19.1, 30.1, 1.1)
    assert (track.last.lat, track.last.lon, track.last.t) == (47.5, -19.5, 4.0)
    assert (record.position.lat.value, record.position.lat.certainty) == (47.1, "derived")
    assert (record.time.capture_local.value, record.time.capture_local.certainty) == (
        "2025-06-14T10:44:01.500",
        "inferred",
    )


def test_subtitles_of_a_film_are_no_track(tmp_path: Path) -> None:
    record = inspect(clip(tmp_path / "film.mp4", subtitles=["Where are we?", "At 47.1, -19.1, I think."]))
    assert record.track.points == 0
    assert record.track.first is None


@pytest.mark.parametrize(
    ("blocks", "order", "certainty"),
    [
        (["GPS(149.0251,-20.2533,16) BAROMETER:1.9"], (-20.2533, 149.0251), "recorded"),
        (["GPS(-20.2533,149.0251,0.0M) BAROMETER:1.9M"], (-20.2533, 149.0251), "recorded"),
        (["GPS(-58.4563,-34.7383,19) BAROMETER:20.1"], (-34.7383, -58.4563), "inferred"),
        (["GPS(39.9063,16.3900,0.0M) BAROMETER:0.0M"], (39.9063, 16.39), "inferred"),
        (["GPS(0.0000,0.0000,0) BAROMETER:0.0", "GPS(12.5,41.9,9) BAROMETER:1.0"], (41.9, 12.5), "inferred"),
        (["[latitude : -34.869950] [longtitude : -57.823395]"], (-34.86995, -57.823395), "recorded"),
    ],
)
def test_axis_order_follows_the_evidence(
    tmp_path: Path, blocks: list[str], order: tuple[float, float], certainty: str
) -> None:
    path = tmp_path / "DJI_0001.SRT"
    lines = [f"{i + 1}\n00:00:0{i},000 --> 00:00:0{i + 1},000\n{text}\n" for i, text in enumerate(blocks)]
    path.write_text("\n".join(lines))
    track = inspect(path).track
    assert track.first is not None
    assert ((track.first.lat, track.first.lon), track.certainty) == (order, certainty)


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, name) + body


def _movie(*children: bytes) -> bytes:
    return _box(b"ftyp", b"mp42\0\0\0\0mp42") + _box(b"moov", b"".join(children))


def test_3gpp_location_is_signed_and_longitude_comes_first(tmp_path: Path) -> None:
    fixed = struct.pack(">iii", round(-118.2543 * 65536), round(34.07539 * 65536), -5 * 65536)
    path = tmp_path / "clip.mp4"
    path.write_bytes(_movie(_box(b"udta", _box(b"loci", b"\0\0\0\0\x15\xc7name\0\0" + fixed + b"earth\0\0"))))
    position = inspect(path).position
    assert (position.lat.value, position.lon.value, position.alt_gps.value) == (34.07539, -118.2543, -5.0)


def test_android_user_data_gives_the_place(tmp_path: Path) -> None:
    text = b"+47.5160-019.9783/"
    path = tmp_path / "clip.mp4"
    path.write_bytes(_movie(_box(b"udta", _box(b"\xa9xyz", struct.pack(">HH", len(text), 0x15C7) + text))))
    position = inspect(path).position
    assert (position.lat.value, position.lon.value, position.alt_gps.value) == (47.516, -19.9783, None)


def test_clock_at_zero_is_no_time(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(_movie(_box(b"mvhd", b"\0" * 100)))
    assert inspect(path).time.container_created.value is None


def test_trailing_bytes_and_cut_off_boxes_are_named(tmp_path: Path) -> None:
    whole = clip(tmp_path / "clip.mp4").read_bytes()
    (tmp_path / "longer.mp4").write_bytes(whole + b"\xff" * 100)
    (tmp_path / "shorter.mp4").write_bytes(whole[:-200])
    longer = inspect(tmp_path / "longer.mp4")
    assert longer.container.trailing_bytes.value == 100
    assert "trailing_data" in codes(longer)
    assert "truncated" in codes(inspect(tmp_path / "shorter.mp4"))


def test_boxes_nested_without_end_are_bounded(tmp_path: Path) -> None:
    body = b""
    for _ in range(3_000):
        body = _box(b"moov", body)
    path = tmp_path / "deep.mp4"
    path.write_bytes(_box(b"ftyp", b"mp42\0\0\0\0") + body)
    with path.open("rb") as stream:
        assert read_movie(stream, path.stat().st_size).has_movie
    path.write_bytes(_box(b"ftyp", b"mp42\0\0\0\0") + _box(b"free", b"") * 30_000)
    assert "structure_too_large" in codes(inspect(path))


def test_rotation_is_read_in_degrees_clockwise(tmp_path: Path) -> None:
    record = inspect(clip(tmp_path / "clip.mp4", rotation=-90))
    with av.open(str(tmp_path / "clip.mp4")) as container:
        frame = next(container.decode(video=0))
    assert frame.rotation == -90
    assert record.container.rotation.value == 90
    assert record.container.tracks[0].rotation == 90


def test_record_of_a_video_survives_its_own_json(tmp_path: Path) -> None:
    record = inspect(clip(tmp_path / "clip.mp4", metadata={"title": "Привет \u202e"}))
    assert MediaMetadata.model_validate_json(to_bytes(record)) == record
