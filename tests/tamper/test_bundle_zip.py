"""Attacks on the ZIP around a bundle: names, headers, hidden bytes, other ways to write the same files."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_zip import NO_COMPRESSION_32, NO_COMPRESSION_64, ZIP_32, Method, stream_zip

from evidence_store.bundle import layout, writer
from evidence_store.digests import digest_stream
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify import zip_reader
from evidence_store.verify.__main__ import main
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.report import Report
from evidence_store.verify.zip_reader import read_entries
from tests.bundles import sample_archive, unzip

TIME = datetime(2026, 11, 22, 10, 31)  # noqa: DTZ001 - a DOS time has no zone
MODE = 0o100644
Entry = tuple[str, bytes]


@cache
def bundle() -> bytes:
    return sample_archive("zip").bundle()


@cache
def bundle64() -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "ZIP64_FROM", 20_000)
        return sample_archive("zip").bundle()


def codes(data: bytes) -> set[str]:
    report = Report()
    assert read_entries(io.BytesIO(data), report) is not None
    return {finding.code for finding in report.findings}


def whole(data: bytes, folder: Path) -> Report:
    path = folder / "bundle.zip"
    path.write_bytes(data)
    return verify_bundle(path)


def zipped(entries: Iterable[Entry], method: Callable[[int, int], Method] = NO_COMPRESSION_32) -> bytes:
    members = []
    for name, data in entries:
        known = digest_stream([data])
        members.append((name, TIME, MODE, method(known.size, known.crc32), (data,)))
    return b"".join(stream_zip(members, extended_timestamps=False))


def files() -> list[Entry]:
    return list(unzip(bundle()).items())


def insert(data: bytes, at: int, extra: bytes) -> bytes:
    """Put bytes between entries and repair every offset behind them, as a careful attacker would."""
    start = struct.unpack_from("<I", data, len(data) - 6)[0]
    changed = bytearray(data)
    position = start
    while changed[position : position + 4] == b"PK\x01\x02":
        (offset,) = struct.unpack_from("<I", changed, position + 42)
        if offset >= at:
            struct.pack_into("<I", changed, position + 42, offset + len(extra))
        lengths = struct.unpack_from("<HHH", changed, position + 28)
        position += 46 + sum(lengths)
    struct.pack_into("<I", changed, len(changed) - 6, start + len(extra))
    return bytes(changed[:at] + extra + changed[at:])


def directory_start(data: bytes) -> int:
    start: int = struct.unpack_from("<I", data, len(data) - 6)[0]
    return start


@pytest.mark.parametrize("make", [bundle, bundle64])
def test_the_writers_own_zip_has_no_finding(make: Callable[[], bytes]) -> None:
    assert codes(make()) == set()


def test_a_zip64_bundle_verifies_and_other_readers_read_it(tmp_path: Path) -> None:
    assert whole(bundle64(), tmp_path).ok
    assert unzip(bundle64()).keys() == unzip(bundle()).keys()


@pytest.mark.parametrize("method", [NO_COMPRESSION_32, NO_COMPRESSION_64])
def test_every_single_bit_outside_the_contents_is_accounted_for(method: Callable[[int, int], Method]) -> None:
    small = [(layout.MIMETYPE, layout.MIMETYPE_CONTENT), ("README.txt", b""), (layout.SEAL, b"PK\x05\x06 not the end")]
    data = zipped(small, method=method)
    assert codes(data) == set()
    contents = set[int]()
    for entry in read_entries(io.BytesIO(data), Report()) or []:
        contents.update(range(entry.data_offset, entry.end))
    structure = set(range(len(data))) - contents
    assert len(structure) == len(data) - sum(len(content) for _, content in small)
    unnoticed = []
    for position in structure:
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            report = Report()
            read_entries(io.BytesIO(flipped), report)
            if report.ok:
                unnoticed.append((position, bit))
    assert unnoticed == []


@pytest.mark.parametrize("bit", [0x01, 0x80, 0xFF])
@pytest.mark.parametrize("part", ["local", "name", "content", "directory", "end"])
def test_a_flipped_byte_in_each_part_of_the_zip_exits_1(
    part: str, bit: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(bundle())
    entry = (read_entries(io.BytesIO(data), Report()) or [])[5]
    places = {
        "local": entry.offset + 14,
        "name": entry.data_offset - 2,
        "content": entry.data_offset + entry.size // 2,
        "directory": directory_start(bundle()) + 20,
        "end": len(data) - 12,
    }
    data[places[part]] ^= bit
    path = tmp_path / "bundle.zip"
    path.write_bytes(data)
    assert main([str(path)]) == 1
    text = capsys.readouterr().out
    assert text.endswith("NOT VERIFIED: see the errors above\n")
    if part in {"local", "name", "content"}:
        assert entry.name in text


def test_a_name_that_differs_between_the_two_headers_is_refused(tmp_path: Path) -> None:
    entry = next(e for e in read_entries(io.BytesIO(bundle()), Report()) or [] if e.name == "README.txt")
    data = bytearray(bundle())
    data[entry.data_offset - 10 : entry.data_offset] = b"REVIEW.txt"
    report = whole(bytes(data), tmp_path)
    assert [(f.code, f.subject) for f in report.findings if f.severity == "error"] == [
        ("zip_headers_differ", "README.txt")
    ]


def test_a_changed_content_with_its_crc_repaired_is_still_found(tmp_path: Path) -> None:
    changed = [(name, data[::-1] if name == "README.txt" else data) for name, data in files()]
    report = whole(zipped(changed), tmp_path)
    assert {f.code for f in report.findings if f.severity == "error"} == {"file_digest_mismatch"}


def test_a_content_that_fails_its_crc_is_named(tmp_path: Path) -> None:
    entry = next(e for e in read_entries(io.BytesIO(bundle()), Report()) or [] if e.name == "README.txt")
    data = bytearray(bundle())
    data[entry.data_offset] ^= 0xFF
    report = whole(bytes(data), tmp_path)
    assert {f.subject for f in report.findings if f.code == "zip_crc_mismatch"} == {"README.txt"}


@pytest.mark.parametrize(
    "name", ["../escape.txt", "/etc/cron.d/x", "data/../../x", "C:\\x", "data\\x", "data/", "a\x00b"]
)
def test_an_entry_whose_name_could_escape_is_refused_and_named(name: str, tmp_path: Path) -> None:
    report = whole(zipped([*files(), (name, b"")]), tmp_path)
    assert {f.subject for f in report.findings if f.code == "unsafe_path"} == {name}


def test_a_name_that_is_not_utf8_is_refused() -> None:
    data = zipped([*files(), ("data/xx", b"")]).replace(b"data/xx", b"data/\xff\xfe")
    assert "unsafe_path" in codes(data)


@pytest.mark.parametrize("name", ["README.txt", "readme.TXT", "mimetype"])
def test_a_second_entry_of_the_same_name_is_refused_and_named(name: str, tmp_path: Path) -> None:
    report = whole(zipped([*files(), (name, b"Another text")]), tmp_path)
    assert {f.subject for f in report.findings if f.code == "zip_duplicate"} == {name}


def test_an_added_entry_is_named(tmp_path: Path) -> None:
    report = whole(zipped([*files(), ("data/extra.jpg", b"new")]), tmp_path)
    assert ("file_unlisted", "data/extra.jpg") in {(f.code, f.subject) for f in report.findings}


def test_a_removed_entry_is_named(tmp_path: Path) -> None:
    report = whole(zipped([entry for entry in files() if entry[0] != "README.txt"]), tmp_path)
    assert {f.subject for f in report.findings if f.code == "file_missing"} == {"README.txt"}


def test_bytes_hidden_between_entries_before_the_first_and_before_the_directory_are_found(tmp_path: Path) -> None:
    entries = read_entries(io.BytesIO(bundle()), Report()) or []
    for at in (0, entries[3].offset, directory_start(bundle())):
        hiding = insert(bundle(), at, b"PK\x03\x04 a secret")
        assert unzip(hiding) == unzip(bundle())  # Python's reader does not mind
        report = whole(hiding, tmp_path)
        assert {f.code for f in report.findings if f.severity == "error"} == {"zip_hidden_bytes"}
        assert report.checked["files"] == len(entries)


def test_bytes_after_the_end_and_a_comment_are_found(tmp_path: Path) -> None:
    commented = bytearray(bundle())
    commented[-2:] = b"\x06\x00"
    for hiding in (bundle() + b"more", bytes(commented) + b"secret", bundle() + b"PK\x05\x06"):
        assert not whole(hiding, tmp_path).ok
    assert "zip_hidden_bytes" in codes(bundle() + b"more")


def test_two_entries_over_the_same_bytes_are_refused_and_not_read() -> None:
    data = bytearray(bundle())
    entries = read_entries(io.BytesIO(data), Report()) or []
    second = data.index(b"PK\x01\x02", directory_start(bundle()) + 4)
    struct.pack_into("<I", data, second + 42, entries[0].offset)
    report = Report()
    readable = read_entries(io.BytesIO(data), report) or []
    assert {f.subject for f in report.findings if f.code == "zip_overlap"} == {entries[1].name}
    assert entries[1].name not in {entry.name for entry in readable}


def test_an_entry_that_reaches_beyond_the_file_is_refused() -> None:
    data = bytearray(bundle())
    first = directory_start(bundle())
    struct.pack_into("<II", data, first + 20, 1 << 31, 1 << 31)
    assert "zip_overlap" in codes(bytes(data))


def test_a_bundle_zipped_again_by_another_program_is_refused_with_the_way_out(tmp_path: Path) -> None:
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in sorted(files()):
            target.writestr(name, data)
    report = whole(again.getvalue(), tmp_path)
    found = {f.code for f in report.findings if f.severity == "error"}
    assert {"zip_method_refused", "zip_field_wrong", "zip_mimetype_not_first"} <= found


def test_compressed_encrypted_and_descriptor_entries_are_refused() -> None:
    members = [("mimetype", TIME, MODE, ZIP_32, (layout.MIMETYPE_CONTENT,))]
    assert {"zip_method_refused", "zip_field_wrong"} <= codes(b"".join(stream_zip(members, extended_timestamps=False)))
    encrypted = bytearray(zipped([("mimetype", layout.MIMETYPE_CONTENT)]))
    for flags in (6, directory_start(bytes(encrypted)) + 8):
        encrypted[flags] |= 1
    assert {"zip_method_refused", "zip_field_wrong"} <= codes(bytes(encrypted))


@pytest.mark.parametrize(("mode", "moment"), [(0o120777, TIME), (MODE, datetime(2020, 1, 1))])  # noqa: DTZ001
def test_link_modes_and_odd_times_are_found(mode: int, moment: datetime) -> None:
    members = [
        ("mimetype", TIME, MODE, NO_COMPRESSION_32(0, 0), ()),
        ("data/x", moment, mode, NO_COMPRESSION_32(0, 0), ()),
    ]
    assert codes(b"".join(stream_zip(members, extended_timestamps=False))) == {"zip_field_wrong"}


@pytest.mark.parametrize("method", [NO_COMPRESSION_32, NO_COMPRESSION_64])
def test_extra_fields_are_found(method: Callable[[int, int], Method]) -> None:
    members = [("mimetype", TIME, MODE, method(0, 0), ())]
    assert "zip_field_wrong" in codes(b"".join(stream_zip(members, extended_timestamps=True)))


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
def test_a_zip_that_was_cut_off_is_named_as_such(keep: float, tmp_path: Path) -> None:
    report = whole(bundle()[: int(len(bundle()) * keep)], tmp_path)
    assert "zip_end_missing" in {f.code for f in report.findings}
    assert not report.ok


def test_an_end_record_cut_in_the_middle_is_named() -> None:
    assert codes(bundle()[:-5]) == {"zip_end_missing"}


def test_a_wrong_directory_offset_or_size_does_not_hide_the_files() -> None:
    for at in (-10, -6):  # size, offset
        data = bytearray(bundle())
        (value,) = struct.unpack_from("<I", data, len(data) + at)
        struct.pack_into("<I", data, len(data) + at, value + 1)
        report = Report()
        entries = read_entries(io.BytesIO(data), report) or []
        assert {f.code for f in report.findings} == {"zip_end_wrong"}
        assert len(entries) == len(files())


def test_a_directory_that_cannot_be_where_it_is_said_to_be_is_damaged() -> None:
    data = bytearray(bundle())
    struct.pack_into("<II", data, len(data) - 10, 0x7FFF_FFFF, 0x7FFF_FFFF)
    assert "zip_end_wrong" in codes(bytes(data))


def test_a_damaged_directory_header_is_named_and_the_files_before_it_are_kept() -> None:
    data = bytearray(bundle())
    third = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02", directory_start(bundle()) + 4) + 4)
    data[third] = 0
    report = Report()
    entries = read_entries(io.BytesIO(data), report) or []
    assert {"zip_directory_damaged", "zip_end_wrong"} <= {f.code for f in report.findings}
    assert len(entries) == 2


def test_too_many_entries_and_a_giant_directory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_reader, "MAX_FILES", 3)
    assert "too_many_files" in codes(bundle())
    monkeypatch.setattr(zip_reader, "_MAX_DIRECTORY", 100)
    assert "too_many_files" in codes(bundle())


def test_an_empty_zip_has_no_mimetype() -> None:
    assert codes(b"PK\x05\x06" + bytes(18)) == {"zip_mimetype_not_first"}


def test_a_zip64_end_record_without_room_for_it_is_wrong() -> None:
    assert "zip_end_wrong" in codes(b"PK\x05\x06" + b"\xff" * 16 + bytes(2))


def test_a_mixed_zip64_directory_entry_is_wrong() -> None:
    data = bytearray(bundle64())
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 42, 0)  # the offset no longer points to the ZIP64 field
    assert "zip_field_wrong" in codes(bytes(data))


def test_offsets_that_no_file_can_have_are_refused() -> None:
    data = bytearray(bundle64())
    record = data.rindex(b"PK\x06\x06")
    struct.pack_into("<QQ", data, record + 40, (1 << 64) - 1, (1 << 64) - 1)
    assert "zip_end_wrong" in codes(bytes(data))
    data = bytearray(bundle64())
    last = data.rindex(b"PK\x01\x02")
    struct.pack_into("<QQQ", data, record - 24, 1 << 63, 1 << 63, 1 << 63)
    assert last < record
    assert "zip_overlap" in codes(bytes(data))


def test_a_zip_that_shrinks_while_it_is_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(bundle())
    real = read_entries

    def read_then_cut(stream: io.BufferedReader, report: Report) -> object:
        entries = real(stream, report)
        path.write_bytes(bundle()[:1000])
        return entries

    monkeypatch.setattr("evidence_store.verify.container.read_entries", read_then_cut)
    report = verify_bundle(path)
    assert "README.txt" in {f.subject for f in report.findings if f.code == "file_unreadable"}


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_something_else_is_not_a_bundle(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        whole(data, tmp_path)
    assert caught.value.code == "not_a_bundle"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_damage_to_the_end_of_a_zip_escapes_as_an_exception(data: st.DataObject) -> None:
    damaged = bytearray((bundle64 if data.draw(st.booleans()) else bundle)())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(1, 400))
        patch = data.draw(st.binary(min_size=1, max_size=8))
        damaged[len(damaged) - at : len(damaged) - at + len(patch)] = patch
    report = Report()
    read_entries(io.BytesIO(damaged), report)
    assert "check_not_run" not in {finding.code for finding in report.findings}
