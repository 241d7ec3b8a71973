"""The tamper table, the ZIP around a bundle."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.report import Report
from evidence_store.verify.zip_reader import ZipEntry, read_entries
from tests.tamper.test_bundle_zip import bundle, directory_start, files, insert, zipped

Fixture = Callable[[Path], Report]


def _of(make: Callable[[], bytes]) -> Fixture:
    def fixture(folder: Path) -> Report:
        path = folder / "bundle.zip"
        path.write_bytes(make())
        return verify_bundle(path)

    return fixture


def _entry(name: str) -> ZipEntry:
    return next(each for each in read_entries(io.BytesIO(bundle()), Report()) or [] if each.name == name)


def _content_flipped() -> bytes:
    data = bytearray(bundle())
    data[_entry("README.txt").data_offset] ^= 0xFF
    return bytes(data)


def _names_differ() -> bytes:
    data = bytearray(bundle())
    at = _entry("README.txt").data_offset
    data[at - 10 : at] = b"REVIEW.txt"
    return bytes(data)


def _directory_damaged() -> bytes:
    data = bytearray(bundle())
    data[data.index(b"PK\x01\x02", directory_start(bundle()) + 4)] = 0
    return bytes(data)


def _end_wrong() -> bytes:
    data = bytearray(bundle())
    (value,) = struct.unpack_from("<I", data, len(data) - 6)
    struct.pack_into("<I", data, len(data) - 6, value + 1)
    return bytes(data)


def _overlap() -> bytes:
    data = bytearray(bundle())
    second = data.index(b"PK\x01\x02", directory_start(bundle()) + 4)
    struct.pack_into("<I", data, second + 42, 0)
    return bytes(data)


def _zipped_again() -> bytes:
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in files():
            target.writestr(zipfile.ZipInfo(name, (2026, 11, 22, 10, 31, 0)), data, zipfile.ZIP_DEFLATED)
    return again.getvalue()


def _version_wrong() -> bytes:
    data = bytearray(bundle())
    data[directory_start(bundle()) + 4] += 1  # "version made by" of the first entry
    return bytes(data)


FIXTURES: dict[str, Fixture] = {
    "zip_crc_mismatch": _of(_content_flipped),
    "zip_directory_damaged": _of(_directory_damaged),
    "zip_duplicate": _of(lambda: zipped([*files(), ("README.txt", b"Another text")])),
    "zip_end_missing": _of(lambda: bundle()[:-5]),
    "zip_end_wrong": _of(_end_wrong),
    "zip_field_wrong": _of(_version_wrong),
    "zip_headers_differ": _of(_names_differ),
    "zip_hidden_bytes": _of(lambda: insert(bundle(), directory_start(bundle()), b"PK\x03\x04 a secret")),
    "zip_method_refused": _of(_zipped_again),
    "zip_mimetype_not_first": _of(lambda: zipped([*files()[1:], files()[0]])),
    "zip_overlap": _of(_overlap),
}
