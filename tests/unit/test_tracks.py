"""Readers of telemetry, each by its own standard: the values, and what is left out, marked or named."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import av
import pytest

from app.analysis.extract import inspect_file, inspect_with_track
from app.analysis.probes.djmd import read_djmd
from app.analysis.probes.gpmf_track import Payload, read_gpmf, split_raw
from app.analysis.probes.klv import checksum
from app.analysis.probes.klv_track import imapb, read_klv
from app.analysis.probes.srt import read_blocks, read_srt
from app.analysis.probes.telemetry import MAX_SAMPLES, Sample, Telemetry
from app.analysis.track_facts import read_track, summarise, whole_track
from schemas.records.v1.media_metadata import MediaMetadata
from tests.media_samples import clip
from tests.telemetry_samples import (
    LAT,
    LON,
    djmd,
    gpmf,
    gps5_payload,
    gps9_payload,
    karma_payload,
    klv,
    klv_place,
    klv_stream,
    movie,
    nested,
)


def written(tmp_path: Path, data: bytes, name: str) -> MediaMetadata:
    path = tmp_path / name
    path.write_bytes(data)
    return inspect_file(path, name)


def codes(record: MediaMetadata) -> set[str]:
    return {finding.code for finding in record.findings}


def srt(*bodies: str) -> str:
    return "\n".join(
        f"{at + 1}\n00:00:{at:02d},000 --> 00:00:{at + 1:02d},000\n{body}\n" for at, body in enumerate(bodies)
    )


# -- SRT -------------------------------------------------------------------------------------------


def test_every_field_of_the_long_dialect_is_read() -> None:
    (point,) = read_srt(
        srt(
            "F/2.8, SS 206.14, ISO 150, EV 0, GPS (-122.1699, 37.4275, 20), HOME (-122.1700, 37.4270, 3.5m), "
            "D 224.10m, H 84.00m, H.S 5.41m/s, V.S -2.10m/s, F.PRY (2.7°, -7.0°, 110.1°), G.PRY (-24.4°, 0.0°, 110.4°)"
        )
    ).points
    assert (point.lat, point.lon, point.satellites) == (37.4275, -122.1699, 20)
    assert (point.distance_home, point.alt_relative, point.speed, point.speed_vertical) == (224.1, 84.0, 5.41, -2.1)
    assert (point.pitch, point.roll, point.yaw) == (2.7, -7.0, 110.1)
    assert (point.gimbal_pitch, point.gimbal_roll, point.gimbal_yaw) == (-24.4, 0.0, 110.4)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("[latitude: 41.424724] [longitude: 2.234156] [altitude: 117.000000]", (41.424724, 2.234156, 117.0, None)),
        ("[latitude : -34.8] [longtitude : -57.8] [altitude: 74.7]", (-34.8, -57.8, 74.7, None)),
        ("[latitude: 1.5] [longitude: 2.5] [rel_alt: 1.300 abs_alt: 53.2] [gb_yaw: 9.5]", (1.5, 2.5, 53.2, 1.3)),
        ("GPS(116.3900,39.9063,19) BAROMETER:-1.9", (39.9063, 116.39, None, -1.9)),
        ("GPS(39.9063,116.3900,12.5M) BAROMETER(3.5)", (39.9063, 116.39, 12.5, 3.5)),
        ("GPS(149.0251,-20.2533,16) Hb:1.9 Hs:1.8", (-20.2533, 149.0251, None, 1.9)),
        ("GPS (W: 82.43, N: 27.98, 12.3m)", (27.98, -82.43, 12.3, None)),
        ("GPS (S: 33.5, E: 18.25, 8)", (-33.5, 18.25, None, None)),
    ],
)
def test_dialects_of_a_position(body: str, place: tuple[float | None, ...]) -> None:
    (point,) = read_srt(srt(body)).points
    assert (point.lat, point.lon, point.alt, point.alt_relative) == place


@pytest.mark.parametrize(
    ("bodies", "basis", "inferred", "lat"),
    [
        (["GPS(10.5,20.5,9)", "GPS(120.5,20.5,9)"], "range", False, 20.5),
        (["HOME(120.5,20.4) GPS(10.5,20.5,9)"], "range", False, 20.5),
        (["GPS(20.005,60.000,9), HOME(20.0,60.0), D 277.99m"], "distance", True, 60.0),
        (["GPS(20.005,60.000,9), HOME(20.0,60.0), D 555.97m"], "distance", True, 20.005),
        (["GPS(50.005,10.000,9), HOME(50.0,10.0), D 5.00m"], "habit", True, 10.0),
        (["GPS(10.5,20.5,9)"], "habit", True, 20.5),
        (["GPS(10.5,20.5,0.0M)"], "habit", True, 10.5),
    ],
)
def test_axis_order_names_what_it_rests_on(bodies: list[str], basis: str, *, inferred: bool, lat: float) -> None:
    track = read_srt(srt(*bodies))
    assert (track.axis_order, track.inferred, track.points[0].lat) == (basis, inferred, lat)


def test_pairs_that_contradict_each_other_give_no_position(tmp_path: Path) -> None:
    record = written(tmp_path, srt("GPS(120.5,20.5,9)", "GPS(20.5,120.5,9)", "GPS(1.5,2.5,9)").encode(), "DJI.SRT")
    assert (record.track.samples, record.track.points, record.track.certainty) == (3, 0, "inferred")
    assert {"track_axis_order_contradictory", "track_without_position"} <= codes(record)


def test_movie_location_settles_an_order_that_values_do_not() -> None:
    blocks = [(0.0, "GPS(10.5,20.5,9)")]
    track = read_blocks(blocks, "subtitle stream", (10.51, 20.49))
    assert (track.axis_order, track.inferred, track.points[0].lat) == ("location", True, 10.5)
    assert read_blocks(blocks, "subtitle stream", (70.0, 70.0)).axis_order == "habit"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1\n{home} 2017.08.05 14:11:51\n{gps}\n\n2\n{home} 2017.08.05 14:11:53\n{gps}\n", [0.0, 2.0]),
        ("{home} 2017.8.5 14:11:51\n{gps}\n{home} 2017.8.5 14:11:52\n{gps}\n", [0.0, 1.0]),
        ("{gps}\n{gps}\n", [None, None]),
    ],
)
def test_log_without_timing_lines_has_the_recorders_clock_at_best(
    tmp_path: Path, text: str, seconds: list[float | None]
) -> None:
    text = text.format(home="HOME(149.0,-20.2)", gps="GPS(149.1,-20.3,16)")
    track = read_srt(text)
    assert [point.t for point in track.points] == seconds
    assert track.timing == ("absent" if seconds[0] is None else "derived")
    record = written(tmp_path, text.encode(), "DJI.SRT")
    assert (record.file.format, record.track.points, record.track.timing) == ("SRT", 2, track.timing)


@pytest.mark.parametrize("day", ["2017.08.05 14:11:51", "2017.8.5 14:11:51", "2017-08-05 14:11:51,774,808"])
def test_three_spellings_of_a_date(day: str) -> None:
    (point,) = read_srt(srt(f"{day}\nGPS(149.1,-20.3,16)")).points
    assert point.time is not None
    assert point.time.startswith("2017-08-05T14:11:51")


def test_flight_log_in_matroska_is_read_as_in_mp4(tmp_path: Path) -> None:
    log, film = tmp_path / "a.srt", clip(tmp_path / "a.mp4")
    log.write_text(srt("[latitude: 41.5] [longitude: 2.25]", "[latitude: 41.6] [longitude: 2.25]"))
    with av.open(str(film)) as picture, av.open(str(log)) as text, av.open(str(tmp_path / "a.mkv"), "w") as made:
        parts = [(source, made.add_stream_from_template(source.streams[0])) for source in (picture, text)]
        for source, stream in parts:
            for packet in source.demux(source.streams[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    made.mux(packet)
    track = inspect_file(tmp_path / "a.mkv", "a.mkv").track
    assert (track.points, track.source, track.timing) == (2, "subtitle stream", "recorded")
    assert track.last is not None
    assert (track.last.t, track.last.lat, track.last.lon) == (1.0, 41.6, 2.25)


# -- GPMF ------------------------------------------------------------------------------------------


def test_gps5_samples_lie_evenly_in_their_payload() -> None:
    payloads = [Payload(gps5_payload(at, [(LAT, LON), (LAT, LON + 0.1)]), at * 1.001, 1.001) for at in range(2)]
    track = read_gpmf(payloads, "gpmd track")
    assert [point.t for point in track.points] == [0.0, 0.5, 1.001, 1.501]
    first = track.points[0]
    assert (first.lat, first.lon, first.alt, first.speed, first.speed_3d) == (LAT, LON, 100.0, 5.0, 5.2)
    assert (first.fix, first.dop, first.utc) == (3, 1.87, "2025-06-14T10:44:00.000Z")
    assert (track.device, track.timing, track.dialect) == ("Hero5 Black", "recorded", "GPMF GPS5")


def test_gps9_has_utc_fix_and_dilution_with_every_sample() -> None:
    track = read_gpmf([Payload(gps9_payload([(LAT, LON)], 2.5, fix=2))], "gpmf")
    (point,) = track.points
    assert (point.utc, point.fix, point.dop, track.alt_datum) == ("2025-06-14T10:44:02.500Z", 2, 1.87, "mean sea level")
    assert (point.t, track.timing) == (0.0, "derived")


def test_karma_receiver_is_read_by_its_type_string() -> None:
    (point,) = read_gpmf([Payload(karma_payload([(LAT, LON)]))], "gpmf").points
    assert (point.lat, point.lon, point.alt, point.satellites, point.fix) == (LAT, LON, 120.5, 14, 3)
    assert (point.error_horizontal, point.error_vertical, point.speed, point.heading) == (1.3, 2.1, 7.4, 180.5)
    assert point.utc == "2025-06-14T10:44:00.000Z"


def test_recording_with_both_kinds_is_read_by_the_newer() -> None:
    both = gps5_payload(0, [(1.0, 1.0)]) + gps9_payload([(LAT, LON)])
    track = read_gpmf([Payload(both)], "gpmf")
    assert (track.dialect, len(track.points), track.points[0].lat) == ("GPMF GPS9", 1, LAT)


@pytest.mark.parametrize(
    "stream",
    [
        gpmf(b"GPS5", "l", 8, b"\0" * 16),
        gpmf(b"SCAL", "l", 4, struct.pack(">2i", 1, 1)) + gpmf(b"GPS5", "l", 20, b"\0" * 20),
        gpmf(b"SCAL", "l", 4, struct.pack(">i", 0)) + gpmf(b"GPS5", "l", 20, b"\0" * 20),
        gpmf(b"TYPE", "c", 1, b"lllllllS") + gpmf(b"GPS9", "?", 32, b"\0" * 32),
        gpmf(b"GPS5", "l", 20, b"\0" * 20, count=9),
    ],
    ids=["too narrow", "two scales", "scale zero", "type too short", "cut off"],
)
def test_malformed_stream_is_named_and_the_others_are_read(stream: bytes) -> None:
    broken = nested(b"DEVC", nested(b"STRM", stream))
    track = read_gpmf([Payload(broken), Payload(gps5_payload(1, [(LAT, LON)]))], "gpmf")
    assert [remark.code for remark in track.remarks] == ["telemetry_malformed"]
    assert len(track.points) == 1


def test_raw_stream_of_the_corpus_gives_points_and_ends(corpus: Path) -> None:
    wanted = {
        "hero5": (18, 18, (33.1264969, -117.3273542, -20.184), (33.1264973, -117.3273579, -20.041)),
        "hero6": (17, 0, (33.1265542, -117.3271299, -18.172), (33.1265624, -117.3271188, -18.163)),
        "hero6_ble": (18, 0, (33.1267334, -117.3274448, -16.823), (33.1267334, -117.3274448, -16.823)),
        "hero7": (308, 308, (42.3425835, -8.7526142, 58.512), (42.3423429, -8.752681, 56.686)),
    }
    for name, (count, usable, first, last) in wanted.items():
        path = corpus / "telemetry" / f"{name}.raw"
        record = inspect_file(path, path.name)
        track = record.track
        assert (record.file.format, track.points, track.points - track.without_fix) == ("GPMF", count, usable), name
        for point, place in ((track.first, first), (track.last, last)):
            assert point is not None
            assert (point.lat, point.lon, point.alt) == place, name
        assert ("track_without_fix" in codes(record)) == (usable == 0)
        assert track.certainty == ("recorded" if usable else "conflicting")
        assert len(split_raw(path.read_bytes())) >= 1


def test_data_track_of_a_movie_has_its_times_and_its_edit_list(tmp_path: Path) -> None:
    payloads = [gps5_payload(at, [(LAT, LON)]) for at in range(7)]
    plain = written(tmp_path, movie(b"gpmd", payloads, 1001), "a.mp4").track
    assert (plain.points, plain.start_s, plain.end_s, plain.source) == (7, 0.0, 6.006, "gpmd track")
    edited = written(tmp_path, movie(b"gpmd", payloads, 1001, edit_ms=500), "b.mp4").track
    assert (edited.start_s, edited.end_s) == (-0.5, 5.506)


def test_read_track_is_no_unread_metadata_and_an_unknown_one_is(tmp_path: Path) -> None:
    assert "metadata_unread" not in codes(
        written(tmp_path, movie(b"gpmd", [gps5_payload(0, [(LAT, LON)])], 1000), "a.mp4")
    )
    assert "metadata_unread" in codes(written(tmp_path, movie(b"xxxx", [b"data"], 1000), "b.mp4"))
    broken = movie(b"gpmd", [gps5_payload(0, [(LAT, LON)])], 1000).replace(b"stsz", b"free")
    assert "metadata_unreadable" in codes(written(tmp_path, broken, "c.mp4"))


# -- KLV -------------------------------------------------------------------------------------------


def test_values_of_the_standard_example_and_the_verdict_on_its_checksum(corpus: Path) -> None:
    right = inspect_file(corpus / "telemetry" / "DynamicOnlyMISMMSPacketData.bin", "a.bin")
    assert (right.file.format, right.track.points, right.track.checksums_right) == ("KLV", 1, 1)
    point = right.track.first
    assert point is not None
    assert point.lat == pytest.approx(60.1768229669783, abs=1e-8)
    assert point.lon == pytest.approx(128.426759042045, abs=1e-8)
    assert (point.alt, point.yaw, point.utc) == (14190.72, 159.974, "2009-01-12T22:08:22.000Z")
    assert point.pitch == pytest.approx(-0.43153239, abs=1e-4)
    assert point.roll == pytest.approx(3.40586566, abs=1e-4)

    wrong = inspect_file(corpus / "telemetry" / "DynamicConstantMISMMSPacketData.bin", "b.bin")
    assert (wrong.track.points, wrong.track.checksums_wrong, wrong.track.certainty) == (1, 1, "conflicting")
    assert "klv_checksum_wrong" in codes(wrong)
    assert wrong.track.first is not None
    assert wrong.track.first.checksum == "wrong"
    assert wrong.position.lat.value is None, "no position rests on it"


def test_checksum_counts_the_first_byte_of_a_pair_as_the_higher() -> None:
    assert checksum(b"\x01\x02\x03") == 0x0402
    assert checksum(b"\xff" * 1000) == (0xFFFF * 500) & 0xFFFF


def test_error_values_and_other_sizes_are_absent() -> None:
    packet = klv([(13, b"\x80\0\0\0"), (14, b"\0\0\0\0"), (6, b"\x80\0"), (15, b"\1\2\3"), (5, b"\0\0")])
    (point,) = read_klv([(0.0, packet)], "klv").points
    assert (point.lat, point.lon, point.pitch, point.alt, point.yaw) == (None, None, None, None, 0.0)


def test_fuller_forms_leap_seconds_and_long_tags() -> None:
    extra = ((90, (0x40000000).to_bytes(4, "big")), (136, b"\xfb"), (112, bytes.fromhex("4000")))
    (point,) = read_klv([(0.0, klv_place(5.0, LAT, LON, *extra))], "klv").points
    assert point.pitch == pytest.approx(45.0, abs=1e-4)
    assert point.utc == "2025-06-14T10:44:00.000Z", "the set's own correction of five seconds is applied"
    assert point.heading is not None


def test_imapb_maps_its_ends_zero_and_special_values() -> None:
    assert imapb(bytes.fromhex("0000"), -900, 40000) == -900
    assert imapb(bytes.fromhex("2f921e"), -900, 40000) == pytest.approx(23_456.24, abs=0.01), "the standard's example"
    assert imapb(bytes.fromhex("c800"), -900, 40000) is None, "an infinity"
    assert imapb(b"", 0, 360) is None


def test_packets_of_a_transport_stream_have_the_videos_time(tmp_path: Path) -> None:
    packets = [(at / 5, klv_place(at / 5, LAT + at / 1e5, LON)) for at in range(6)]
    packets[3] = (0.6, klv_place(0.6, LAT, LON, checksum=1))
    path = klv_stream(tmp_path / "a.ts", packets)
    record = inspect_file(path, "a.ts")
    track = record.track
    assert (track.points, track.checksums_right, track.checksums_wrong) == (6, 5, 1)
    assert (track.start_s, track.end_s, track.timing) == (0.0, 1.0, "recorded")
    assert "klv_checksum_wrong" in codes(record)
    assert "metadata_unread" not in codes(record)


def test_sets_among_other_bytes_and_damaged_ones() -> None:
    good = klv_place(0.0, LAT, LON)
    track = read_klv([(None, b"noise" + good + b"\0\0" + good[:-20]), (None, good)], "klv")
    assert (len(track.points), [remark.code for remark in track.remarks]) == (2, ["telemetry_malformed"])
    without = read_klv([(0.0, klv([(5, b"\0\0")], without=True))], "klv")
    assert without.checksums_missing == 1


# -- djmd ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "degrees", "vehicle", "certainty"),
    [
        ("dvtm_Mini4_Pro.proto", False, 3, "recorded"),
        ("dvtm_Mini4_Pro.proto", True, 3, "recorded"),
        ("dvtm_AVATA2.proto", False, 4, "recorded"),
        ("dvtm_NotKnown.proto", False, 3, "inferred"),
        (None, True, 4, "inferred"),
    ],
)
def test_dji_data_track(tmp_path: Path, protocol: str | None, *, degrees: bool, vehicle: int, certainty: str) -> None:
    messages = [
        djmd(LAT + at / 1e5, LON, protocol=protocol if at == 0 else None, degrees=degrees, vehicle=vehicle)
        for at in range(20)
    ]
    record = written(tmp_path, movie(b"djmd", messages, 33), "DJI.MP4")
    track = record.track
    assert (track.points, track.certainty, track.device) == (20, certainty, "DJI Mini 4 Pro" if protocol else None)
    assert track.first is not None
    assert (track.first.lat, track.first.lon) == (LAT, LON)
    assert (track.first.alt, track.first.alt_relative) == (72.5, 12.3)
    assert (track.first.roll, track.first.pitch, track.first.yaw) == (-12.5, 0.0, 90.0)
    assert record.device.model.value == ("DJI Mini 4 Pro" if protocol else None)
    assert record.device.drone_serial.value == ("1581F6" if protocol else None)
    if vehicle == 3:
        assert (track.first.gimbal_pitch, track.first.gimbal_yaw) == (-30.0, 10.0)


def test_dji_data_without_a_known_place_are_unread_and_not_guessed(tmp_path: Path) -> None:
    record = written(tmp_path, movie(b"djmd", [djmd(0.0, 0.0, protocol="dvtm_New.proto")] * 3, 33), "DJI.MP4")
    assert record.track.samples == 0
    assert "metadata_unread" in codes(record)
    zero = written(tmp_path, movie(b"djmd", [djmd(0.0, 0.0, protocol="dvtm_Air3.proto")] * 3, 33), "DJI.MP4")
    assert (zero.track.samples, zero.track.points, zero.track.zero) == (3, 0, 3)


def test_radians_beyond_their_range_are_degrees() -> None:
    wrong_unit = djmd(math.degrees(LAT), math.degrees(0.5), protocol="dvtm_Air3.proto")
    track = read_djmd([(0.0, wrong_unit)], "djmd track")
    assert track.points[0].lat == pytest.approx(LAT)


# -- the track as a whole --------------------------------------------------------------------------


def test_whole_track_fits_its_summary_and_columns_without_values_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "DJI.SRT"
    path.write_text(srt("[latitude: 1.5] [longitude: 2.5]", "[latitude: 0.0] [longitude: 0.0]"))
    record, data = inspect_with_track(path, "DJI.SRT")
    assert data is not None
    track = read_track(data)
    assert (track.summary, track.columns) == (record.track, ("t", "lat", "lon"))
    assert track.rows == ((0.0, 1.5, 2.5), (1.0, None, None))
    assert "track_zero" in codes(record)


def test_track_of_a_very_long_recording_is_thinned_over_all_of_it() -> None:
    track = Telemetry()
    count = MAX_SAMPLES * 2 + 1
    kept = track.thinned(range(count))
    assert (len(kept), kept[-1], track.in_file) == (-(-count // 3), (count - 1) // 3 * 3, count)
    assert [remark.code for remark in track.remarks] == ["track_thinned"]


def test_jumps_of_clock_and_place_are_found(tmp_path: Path) -> None:
    def line(second: int, lat: float) -> str:
        return f"2025-06-14 10:{44 + second // 60}:{second % 60:02d}.000\n[latitude: {lat}] [longitude: 19.5]"

    calm = written(tmp_path, srt(*(line(at, 47.0 + at / 1e5) for at in range(5))).encode(), "A.SRT")
    assert codes(calm) == {"capture_time_inferred"}
    jumpy = written(tmp_path, srt(line(0, 47.0), line(90, 47.00001), line(60, 47.2)).encode(), "B.SRT")
    assert {"track_time_jump", "track_time_backwards", "track_speed_implausible"} <= codes(jumpy)
    assert jumpy.track.jumps is not None
    assert (jumpy.track.jumps.backwards, jumpy.track.jumps.first_gap_s) == (1, 0.0)


def test_track_elsewhere_than_the_movies_place_is_a_finding(tmp_path: Path) -> None:
    there = {"com.apple.quicktime.location.ISO6709": "+10.0000+010.0000/"}
    log = ["2025-06-14 10:44:01.500\n[latitude: 47.1] [longitude: -19.1]"] * 3
    path = clip(tmp_path / "a.mov", metadata=there, options={"movflags": "use_metadata_tags"}, subtitles=log)
    assert "track_position_differs" in codes(inspect_file(path, "a.mov"))


def test_summary_of_nothing_is_absent() -> None:
    assert summarise(None).certainty == "absent"
    track = Telemetry(points=[Sample(t=0.0, lat=1.0, lon=2.0)])
    assert whole_track(track, summarise(track)).startswith(b'{"columns":["t","lat","lon"]')
