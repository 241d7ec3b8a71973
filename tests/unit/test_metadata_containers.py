"""Containers put together by hand: every clock, edit, code and atom that stands in them is told, and nothing more."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from PIL import Image

from app.analysis.complete_video import completed_text
from app.analysis.extract import inspect_file
from app.analysis.facts import Said
from app.analysis.normalise_values import iso6709
from app.analysis.probes.riff import parse_date
from app.analysis.probes.timecode import label
from app.analysis.probes.traces import sei_payloads
from app.analysis.record_bytes import to_bytes
from schemas.records.v1.media_metadata import Certainty, MediaMetadata, TextFact
from tests.boxes import (
    box,
    chunk,
    element,
    elst,
    ftyp,
    hdlr,
    keys_and_values,
    mdhd,
    mvhd,
    packet,
    pes,
    section,
    since_1904,
    stsd,
    text,
    tkhd,
    track,
)
from tests.media_samples import clip, encoded, exif_bytes, xmp_packet

DAY = since_1904("2025-06-14T11:44:20")
PLACE = "com.apple.quicktime.location.ISO6709"
MADE = "com.apple.quicktime.creationdate"


def record_of(tmp_path: Path, data: bytes, name: str = "clip.mp4") -> MediaMetadata:
    path = tmp_path / name
    path.write_bytes(data)
    record = inspect_file(path, name)
    assert MediaMetadata.model_validate_json(to_bytes(record)) == record
    return record


def video(number: int = 1, *, edits: bytes = b"", turn: int = 0, name: str = "Camera") -> bytes:
    head = tkhd(number, DAY + 1, DAY + 2, turn=turn)
    return track(head, mdhd(DAY + 3, DAY + 4), hdlr(b"vide", name), stsd(b"avc1", bytes(78)), edits)


def movie(*parts: bytes, head: bytes | None = None) -> bytes:
    return ftyp() + box(b"moov", head or mvhd(DAY, DAY + 60), *parts) + box(b"mdat", bytes(16))


def test_every_header_has_its_own_clocks_and_none_is_called_utc_for_sure(tmp_path: Path) -> None:
    record = record_of(tmp_path, movie(video()))
    found = record.container.tracks[0]
    clocks = (found.header_created, found.header_modified, found.media_created, found.media_modified)
    assert [clock.value for clock in clocks] == [f"2025-06-14T11:44:2{n}Z" for n in (1, 2, 3, 4)]
    assert {clock.certainty for clock in clocks} == {"inferred"}
    assert found.header_created.source == "boxes track 1 tkhd creation_time, if its clock is UTC as the standard asks"
    assert (record.time.container_created.value, record.time.container_modified.value) == (
        "2025-06-14T11:44:20Z",
        "2025-06-14T11:45:20Z",
    )


def test_clocks_of_64_bits_are_read_and_zero_is_no_time(tmp_path: Path) -> None:
    track_head = track(tkhd(1, 0, DAY, version=1), mdhd(), hdlr(b"vide", "x"), stsd(b"avc1", bytes(78)))
    record = record_of(tmp_path, movie(track_head, head=mvhd(DAY, 0, version=1)))
    found = record.container.tracks[0]
    assert record.time.container_created.value == "2025-06-14T11:44:20Z"
    assert (found.header_created.value, found.header_modified.value) == (None, "2025-06-14T11:44:20Z")
    assert found.media_created.certainty == record.time.container_modified.certainty == "absent"


@pytest.mark.parametrize(
    ("said", "value", "certainty"),
    [
        ("2025-06-14T10:44:19-0100", "2025-06-14T11:44:20Z", "derived"),
        ("2025-06-14T11:44:19+0300", "2025-06-14T11:44:20", "derived"),
        ("2025-06-14T04:00:00+0300", "2025-06-14T11:44:20Z", "inferred"),
    ],
)
def test_a_stated_offset_decides_whether_the_header_is_utc_or_local(
    tmp_path: Path, said: str, value: str, certainty: str
) -> None:
    created = record_of(tmp_path, movie(keys_and_values({MADE: (1, said.encode())}))).time.container_created
    assert (created.value, created.certainty) == (value, certainty)


def test_gopro_header_is_local_time_and_gives_no_utc(tmp_path: Path) -> None:
    settings = b"DEVC\0\1" + struct.pack(">H", 44) + b"CASNc\x0e\0\1C3221324123456\0\0MINFc\x0b\0\1HERO8 Black\0"
    data = box(b"udta", box(b"FIRM", b"HD8.01.01.60.00\0"), box(b"CAME", bytes(range(16))), box(b"GPMF", settings))
    record = record_of(tmp_path, movie(video(name="GoPro AVC"), data))
    assert (record.time.container_created.value, record.time.capture_local.value) == (("2025-06-14T11:44:20",) * 2)
    assert record.time.capture_local.certainty == "inferred"
    assert record.time.capture_utc.value is None
    device = record.device
    assert (device.model.value, device.camera_serial.value) == ("HERO8 Black", "C3221324123456")
    assert (device.make.value, device.make.certainty) == ("GoPro", "inferred")
    assert (device.software.value, device.camera_serial_hash.value) == ("HD8.01.01.60.00", bytes(range(16)).hex())


def test_what_stands_in_the_file_goes_before_what_was_concluded() -> None:
    def read(certainty: Certainty, *words: Said[str]) -> TextFact:
        return completed_text(TextFact(value="Hero8", raw="Hero8", source="gpmf device", certainty=certainty), words)

    stated, guessed = Said("HERO8 Black", "HERO8 Black", "boxes GPMF MINF"), Said("X", "X", "hdlr", "inferred")
    assert (read("derived", stated).value, read("derived", stated).certainty) == ("HERO8 Black", "recorded")
    assert read("derived", guessed).value == "Hero8"
    kept = read("recorded", stated)
    assert (kept.value, kept.certainty, kept.conflicts[0].source) == ("Hero8", "conflicting", "boxes GPMF MINF")


def test_brands_order_of_boxes_and_sizes_of_64_bits(tmp_path: Path) -> None:
    data = ftyp(b"qt  ", 512, b"qt  ") + box(b"wide") + box(b"mdat", bytes(16), large=True) + box(b"moov", mvhd(DAY))
    facts = record_of(tmp_path, data + box(b"free", bytes(4)), "clip.mov").container
    assert (facts.brand.value, facts.minor_version.value, facts.compatible_brands) == ("qt", 512, ("qt",))
    assert [(part.name, part.size, part.large) for part in facts.layout] == [
        ("ftyp", 20, False),
        ("wide", 8, False),
        ("mdat", 32, True),
        ("moov", 116, False),
        ("free", 12, False),
    ]
    assert (facts.index_position.value, facts.large_boxes.value, facts.fragments.value) == ("after media data", 1, 0)


def test_edit_lists_tell_pauses_and_starts_in_seconds(tmp_path: Path) -> None:
    found = record_of(tmp_path, movie(video(edits=elst((500, -1), (4_000, 45_000))))).container.tracks[0]
    assert [(edit.duration_s, edit.start_s, edit.rate) for edit in found.edits] == [(0.5, None, 1.0), (4.0, 1.5, 1.0)]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_rotation_of_the_matrix_is_clockwise(tmp_path: Path, turn: int) -> None:
    assert record_of(tmp_path, movie(video(turn=turn))).container.tracks[0].rotation == turn


def test_time_code_track_gives_its_first_label_and_whether_labels_are_dropped(tmp_path: Path) -> None:
    entry = bytes(8) + bytes(4) + struct.pack(">IIIBB", 1, 30_000, 1_001, 30, 0)
    start = len(ftyp()) + 8
    table = stsd(b"tmcd", entry) + box(b"stco", bytes(4), struct.pack(">II", 1, start))
    code = track(tkhd(2), mdhd(), hdlr(b"tmcd", "TimeCodeHandler"), table)
    data = ftyp() + box(b"mdat", struct.pack(">I", 107_892)) + box(b"moov", mvhd(DAY), video(), code)
    facts = record_of(tmp_path, data).container
    assert (facts.timecode.value, facts.timecode.raw) == ("01:00:00;00", "107892 at 30 a second")
    found = next(one for one in facts.tracks if one.id == 2)
    assert (found.timecode, found.drop_frame, found.sample_entries) == ("01:00:00;00", True, ("tmcd",))


@pytest.mark.parametrize(
    ("number", "frames", "told"),
    [
        (0, 25, "00:00:00:00"),
        (90_000, 25, "01:00:00:00"),
        (1_799, 30, "00:00:59;29"),
        (1_800, 30, "00:01:00;02"),
        (17_981, 30, "00:09:59;29"),
        (17_982, 30, "00:10:00;00"),
        (3_600, 60, "00:01:00;04"),
        (-25, 25, "-00:00:01:00"),
    ],
)
def test_labels_of_time_codes(number: int, frames: int, told: str) -> None:
    assert label(number, frames, drop=";" in told, day=True) == told


@pytest.mark.parametrize("code", [b"gpmd", b"djmd", b"dbgi", b"mebx"])
def test_data_tracks_are_known_by_their_sample_entry(tmp_path: Path, code: bytes) -> None:
    data = track(tkhd(3), mdhd(), hdlr(b"meta", "Telemetry"), stsd(code))
    found = next(one for one in record_of(tmp_path, movie(video(), data)).container.tracks if one.id == 3)
    assert (found.sample_entries, found.handler_type, found.handler) == ((code.decode(),), "meta", "Telemetry")


def test_android_keys_hold_numbers_and_texts(tmp_path: Path) -> None:
    keys = {
        "com.android.version": (1, b"13"),
        "com.android.capture.fps": (23, struct.pack(">f", 240.0)),
        "com.android.manufacturer": (1, b"Google"),
        "com.android.model": (1, b"Pixel 7"),
    }
    record = record_of(tmp_path, movie(keys_and_values(keys)))
    assert record.device.android_version.value == "13"
    assert (record.device.make.value, record.device.model.value) == ("Google", "Pixel 7")
    assert (record.container.capture_fps.value, record.container.capture_fps.unit) == (240.0, "1/s")


def test_user_data_texts_angles_and_unknown_atoms(tmp_path: Path) -> None:
    atoms = [
        box(b"\xa9mak", text("Maker")),
        box(b"\xa9mod", text("M\u00f6del 1")),
        box(b"\xa9day", text("2025-06-14T10:44:20-0100")),
        box(b"\xa9gpt", text("-89.90")),
        box(b"\xa9fyw", b"+12.5"),
        box(b"XtRa", b"serial 0123" + bytes(500)),
    ]
    record = record_of(tmp_path, movie(box(b"udta", *atoms)))
    assert (record.device.make.value, record.device.model.value) == ("Maker", "M\u00f6del 1")
    assert (record.time.capture_local.value, record.time.utc_offset.value) == ("2025-06-14T10:44:20", "-01:00")
    assert (record.attitude.gimbal_pitch.value, record.attitude.flight_yaw.value) == (-89.9, 12.5)
    (kept,) = record.container.unknown
    assert (kept.path, kept.size, kept.text) == ("moov/udta/XtRa", 511, "serial 0123")
    assert len(kept.head) == 128
    assert any("user data XtRa" in finding.text for finding in record.findings if finding.code == "metadata_unread")


def test_nikon_and_canon_leave_device_and_date_in_user_data(tmp_path: Path) -> None:
    def tag(number: int, value: bytes) -> bytes:
        return struct.pack(">IHH", number, 2, len(value)) + value

    nikon = tag(1, b"NIKON\0") + struct.pack(">IHHH", 0x16, 3, 1, 25) + tag(0x12, b"2025:06:14 10:44:20\0")
    data = box(b"udta", box(b"NCDT", box(b"NCTG", nikon)), box(b"CNMN", b"Canon EOS 550D\0"))
    record = record_of(tmp_path, movie(video(), data))
    assert (record.device.make.value, record.device.model.value) == ("NIKON", "Canon EOS 550D")
    assert (record.time.capture_local.value, record.time.capture_local.certainty) == ("2025-06-14T10:44:20", "recorded")


def test_exif_of_a_picture_in_maker_data_is_that_of_the_recording(tmp_path: Path) -> None:
    exif = exif_bytes({0x010F: "Maker", 0x0110: "Model"}, {0x9003: "2025:06:14 10:44:20", 0xA431: "0123"})
    picture = encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif)
    record = record_of(tmp_path, movie(video(), box(b"udta", box(b"PANA", bytes(100), picture))))
    assert (record.device.make.value, record.device.camera_serial.value) == ("Maker", "0123")
    assert record.time.capture_local.value == "2025-06-14T10:44:20"
    assert record.image.width.value is None
    assert record.raw["boxes"]["picture in moov/udta/PANA"].endswith("whose EXIF was read")


SONY = """<?xml version="1.0" encoding="UTF-8"?>
<NonRealTimeMeta xmlns="urn:schemas-professionalDisc:nonRealTimeMeta:ver.2.00">
<CreationDate value="2025-06-14T10:44:20-01:00"/>
<Device manufacturer="Sony" modelName="ILCE-7SM3" serialNo="0123456"/>
<AcquisitionRecord><Group name="ExifGPS"><Item name="Status" value="{status}"/>
<Item name="LatitudeRef" value="N"/><Item name="Latitude" value="47:30:57.6"/>
<Item name="LongitudeRef" value="W"/><Item name="Longitude" value="19:58:41.88"/></Group></AcquisitionRecord>
</NonRealTimeMeta>"""


@pytest.mark.parametrize(("status", "place"), [("A", (47.516, -19.9783)), ("V", (None, None))])
def test_xml_of_a_sony_camera_gives_device_date_and_place(
    tmp_path: Path, status: str, place: tuple[float | None, float | None]
) -> None:
    xml = box(b"xml ", bytes(4), SONY.format(status=status).encode() + b"\0")
    record = record_of(tmp_path, movie(video(), box(b"meta", bytes(4), hdlr(b"nrtm", ""), xml)))
    device = record.device
    assert (device.make.value, device.model.value, device.camera_serial.value) == ("Sony", "ILCE-7SM3", "0123456")
    assert (record.time.capture_local.value, record.time.utc_offset.value) == ("2025-06-14T10:44:20", "-01:00")
    assert record.time.container_created.certainty == "derived"
    for part, value in zip((record.position.lat.value, record.position.lon.value), place, strict=True):
        assert part == (None if value is None else pytest.approx(value, abs=1e-9))
    assert "metadata_unread" not in {finding.code for finding in record.findings}


def test_xml_with_entities_is_named_and_not_read(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "bb">]><NonRealTimeMeta><Device manufacturer="&b;"/></NonRealTimeMeta>'
    record = record_of(tmp_path, movie(box(b"meta", bytes(4), hdlr(b"nrtm", ""), box(b"xml ", bytes(4), bomb))))
    assert record.device.make.value is None
    assert "metadata_unreadable" in {finding.code for finding in record.findings}


def test_apple_states_how_far_off_the_place_may_be(tmp_path: Path) -> None:
    keys = {PLACE: (1, b"+47.5160-019.9783/"), "com.apple.quicktime.location.accuracy.horizontal": (1, b"14.237")}
    position = record_of(tmp_path, movie(keys_and_values(keys))).position
    assert (position.horizontal_error.value, position.horizontal_error.unit) == (14.237, "m")


def test_xmp_in_a_uuid_box_is_read_like_that_of_a_photo(tmp_path: Path) -> None:
    packet_ = xmp_packet('tiff:Make="Maker" exif:GPSLatitude="47,30.96N" exif:GPSLongitude="19,58.698W"')
    body = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + packet_
    record = record_of(tmp_path, movie(video()) + box(b"uuid", body))
    assert record.device.make.value == "Maker"
    assert (round(record.position.lat.value or 0, 6), round(record.position.lon.value or 0, 6)) == (47.516, -19.9783)


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("+47.5160-019.9783+132.500/", (47.516, -19.9783, 132.5)),
        ("+47.5160-019.9783/", (47.516, -19.9783, None)),
        ("+4730.96-01958.698/", (47.516, -19.9783, None)),
        ("+473057.6-0195841.88-5.0/", (47.516, -19.9783, -5.0)),
        ("-00.5000+000.2500+0CRSWGS_84/", (-0.5, 0.25, 0.0)),
        ("+47.5160-019.9783", (47.516, -19.9783, None)),
        ("+4760.00-01958.698/", None),
        ("+473060.0-0195841.88/", None),
        ("+97.5160-019.9783/", None),
        ("47.5160-019.9783/", None),
        ("+47.5160/", None),
    ],
)
def test_places_of_iso_6709_in_all_its_forms(said: str, place: tuple[float, float, float | None] | None) -> None:
    found = iso6709(said)
    assert (found and (round(found[0], 9), round(found[1], 9), found[2])) == place


def test_place_in_another_reference_system_is_inferred_and_named(tmp_path: Path) -> None:
    keys = {PLACE: (1, b"+47.5160-019.9783+132.500CRSEPSG:4258/")}
    position = record_of(tmp_path, movie(keys_and_values(keys))).position
    assert (position.lat.value, position.lat.certainty, position.map_datum.value) == (47.516, "inferred", "EPSG:4258")


def test_fragments_are_counted_and_walked_only_in_part(tmp_path: Path) -> None:
    fragments = (box(b"moof", box(b"mfhd", bytes(8))) + box(b"mdat", bytes(8))) * 9_000
    facts = record_of(tmp_path, ftyp(b"iso5") + box(b"moov", mvhd(DAY), box(b"mvex")) + fragments)
    assert facts.container.fragments.value == 9_000
    assert [part.name for part in facts.container.layout] == ["ftyp", "moov", "moof", "mdat"]
    assert "structure_too_large" not in {finding.code for finding in facts.findings}


@pytest.mark.parametrize("options", [{"movflags": "frag_keyframe+empty_moov"}, {"movflags": "faststart"}, {}])
def test_encoder_says_so_among_the_pictures_whatever_the_layout(tmp_path: Path, options: dict[str, str]) -> None:
    facts = inspect_file(clip(tmp_path / "clip.mp4", options=options), "clip.mp4").container
    assert (facts.encoder_settings.value or "").startswith("x264 - core ")
    assert facts.encoder_settings.source == "packets SEI x264"
    if not options:
        assert facts.index_position.value == "after media data"
    if options == {"movflags": "faststart"}:
        assert facts.index_position.value == "before media data"


def test_sei_is_found_after_lengths_and_after_start_codes() -> None:
    body = bytes(range(1, 17)) + b"made by hand\0"
    unit = b"\x06\x05" + bytes([len(body)]) + body + b"\x80"
    assert list(sei_payloads(struct.pack(">I", len(unit)) + unit, hevc=False)) == [body]
    assert list(sei_payloads(b"\0\0\0\1\x09\xf0\0\0\1" + unit, hevc=False)) == [body]
    assert list(sei_payloads(b"\0\0\0\1\x4e\x01" + unit[1:], hevc=True)) == [body]


# -- Matroska --------------------------------------------------------------------------------------


def matroska(*info: bytes, rest: bytes = b"", unknown: bool = False) -> bytes:
    head = element(0x1A45DFA3, element(0x4282, b"matroska"))
    return head + element(0x18538067, element(0x1549A966, *info), rest, unknown=unknown)


def test_matroska_states_date_programs_and_tags(tmp_path: Path) -> None:
    tag = element(0x67C8, element(0x45A3, b"DATE_RECORDED"), element(0x4487, b"2025-06-14 10:44:20"))
    info = [
        element(0x4461, struct.pack(">q", 771_594_260_500_000_000)),
        element(0x4D80, b"libebml v1.4"),
        element(0x5741, b"HandBrake 1.6.1"),
        element(0x4489, struct.pack(">d", 61_500.0)),
    ]
    tags = element(0x1254C367, element(0x7373, tag))
    for unknown in (False, True):
        record = record_of(tmp_path, matroska(*info, rest=tags, unknown=unknown), "clip.mkv")
        assert record.file.format == "Matroska"
        created = record.time.container_created
        assert (created.value, created.certainty) == ("2025-06-14T11:44:20.5Z", "recorded")
        assert record.raw["matroska"]["WritingApp"] == "HandBrake 1.6.1"
        assert record.time.capture_local.value == "2025-06-14T10:44:20"
        assert "encoder_reencoded" in {finding.code for finding in record.findings}


# -- AVI -------------------------------------------------------------------------------------------


def test_avi_states_date_device_and_maker_data(tmp_path: Path) -> None:
    nikon = struct.pack("<HH", 3, 6) + b"NIKON\0" + struct.pack("<HH", 19, 20) + b"2025:06:14 10:44:20\0"
    stream = chunk(b"LIST", b"strl", chunk(b"strh", b"vidsmjpg", bytes(48)), chunk(b"strd", b"AVIF\0\0\0\0maker"))
    head = chunk(b"LIST", b"hdrl", chunk(b"avih", bytes(56)), stream, chunk(b"IDIT", b"Sat Jun 14 10:44:20 2025\n\0"))
    exif = chunk(b"LIST", b"exif", chunk(b"ecor", b"Maker\0"), chunk(b"emdl", b"Model\0"))
    info = chunk(b"LIST", b"INFO", chunk(b"ISFT", b"CanonMVI06\0"))
    more = chunk(b"LIST", b"ncdt", chunk(b"nctg", nikon))
    body = b"AVI " + head + exif + info + more + chunk(b"LIST", b"movi") + chunk(b"JUNK", b"\0" * 40)
    record = record_of(tmp_path, chunk(b"RIFF", body) + b"tail", "clip.avi")
    assert (record.time.capture_local.value, record.time.capture_local.certainty) == ("2025-06-14T10:44:20", "recorded")
    assert record.time.capture_local.source == "riff IDIT"
    assert (record.device.make.value, record.device.model.value) == ("Maker", "Model")
    assert record.raw["riff"] == {
        "stream 0 strh": "vids mjpg",
        "IDIT": "Sat Jun 14 10:44:20 2025",
        "exif/make": "Maker",
        "exif/model": "Model",
        "INFO/ISFT": "CanonMVI06",
        "nikon/make": "NIKON",
        "nikon/DateTimeOriginal": "2025:06:14 10:44:20",
    }
    assert "trailing_data" in {finding.code for finding in record.findings}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Mon Mar 10 15:04:43 2003", "2003-03-10T15:04:43"),
        ("2001/ 1/27  1:42PM", "2001-01-27T13:42:00"),
        ("2005:08:17 11:42:43", "2005-08-17T11:42:43"),
        ("2003-03-10 00:00:00", "2003-03-10T00:00:00"),
        ("Mon Foo 10 15:04:43 2003", None),
        ("2005:13:17 11:42:43", None),
        ("10 March 2003", None),
        ("", None),
    ],
)
def test_dates_of_avi_in_the_spellings_of_cameras(said: str, told: str | None) -> None:
    assert parse_date(said) == told


# -- MPEG-TS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [0, 4])
def test_transport_stream_states_programs_pids_times_and_klv(tmp_path: Path, ahead: int) -> None:
    klv = b"\x05\x04KLVA"
    streams = b"\x1b\xe1\x00\xf0\x00" + b"\x06\xe1\x01\xf0" + bytes([len(klv)]) + klv
    packets = [
        packet(0, section(0, 1, struct.pack(">HH", 7, 0xE000 | 0x1000))),
        packet(0x1000, section(2, 7, struct.pack(">HH", 0xE100, 0xF000) + streams)),
        packet(0x100, pes(90_000)),
        packet(0x101, pes(90_000)),
        packet(0x100, pes(180_000)),
        packet(0x100, pes(176_400)),
    ] * 2
    record = record_of(tmp_path, b"".join(bytes(ahead) + one for one in packets), "clip.ts")
    facts = record.container
    assert facts.packet_bytes.value == 188 + ahead
    (program,) = facts.programs
    assert (program.number, program.pmt_pid, program.pcr_pid, program.pids) == (7, 0x1000, 0x100, (0x100, 0x101))
    told = {one.id: (one.content, one.first_pts_s, one.last_pts_s) for one in facts.tracks}
    assert told == {0x100: ("H.264 video", 1.0, 2.0), 0x101: ("KLV data, registration KLVA", 1.0, 1.0)}


def test_avchd_recorders_leave_their_clock_among_the_pictures() -> None:
    from app.analysis.probes.traces import Traces, _unregistered

    traces = Traces()
    uuid = bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66")
    entries = bytes([3]) + bytes.fromhex("18 04 20 25 06 19 14 10 44 20 e0 01 03 00 00".replace(" ", ""))
    _unregistered(uuid + b"MDPM" + entries, traces)
    assert (traces.clock, traces.maker) == ("2025-06-14T10:44:20+02:00", "Panasonic")
