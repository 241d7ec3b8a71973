"""Harnesses of lists, names, pages and whole bundles."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from evidence_store.bundle import asice, bagit, layout
from evidence_store.verify import checks, facts, page, zip_reader
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.report import Report
from tests.bundles import reseal, write_folder
from tests.fuzz import samples
from tests.fuzz.harness import DER, JSON, Harness, coded, same, scratch

_MADE_AT: Final = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)


_TEXTS: Final = 15
"""Texts in a report that come from a bundle."""


def _asic(data: bytes) -> None:
    same(asice.format_asic_manifest(asice.parse_asic_manifest(data)), data)


def _bagit(data: bytes) -> None:
    coded(lambda whole: bagit.parse_manifest(whole, 128), data)
    coded(bagit.parse_bag_info, data)
    bagit.parse_manifest(data, 64)


def _names(data: bytes) -> None:
    """Whatever a file is called, the bundle gives it a name that a bundle may have."""
    text = data.decode("utf-8", "surrogateescape")
    layout.path_problem(text)
    problem = layout.path_problem(layout.original_path("0d8f1c3e-5a77-4b0e-9c62-6a1b2c3d4e5f", text))
    if problem is not None:
        raise AssertionError(f"an unsafe name was made: {problem}")


def _zip(data: bytes) -> None:
    zip_reader.read_entries(io.BytesIO(data), Report(max_per_code=200))


def _bundle(data: bytes) -> None:
    path = scratch() / "bundle.zip"
    path.write_bytes(data)
    _judged(path)


def _judged(path: Path) -> None:
    report = checks.verify_bundle(path, samples.archive().anchors)
    crashed = [f for f in report.findings if f.code == "check_not_run" and "Error: " in f.detail]
    if crashed:
        raise AssertionError(f"a check crashed: {crashed}")
    report.as_text()
    json.dumps(report.as_json()).encode("ascii")
    page.as_html(report, path.name, _MADE_AT).encode()


def _page(data: bytes) -> None:
    """Whatever a bundle is made to say, the page has the tags that it has for a bundle that says nothing odd."""
    told = [f"x{part}" for part in data.decode("utf-8", "surrogateescape").split("\0")] * _TEXTS
    found, plain = _Tags(_page_that_says(told)), _plain_page()
    if found.tags != plain.tags or found.attributes != plain.attributes:
        raise AssertionError(f"a text became markup: {found.tags}")


@cache
def _plain_page() -> _Tags:
    return _Tags(_page_that_says(["x"] * _TEXTS))


def _page_that_says(told: Sequence[str]) -> str:
    report = BundleReport()
    report.finding("event_malformed", told[0], told[1])
    report.facts.bundle |= {"purpose": told[2], "organisation": told[3]}
    report.facts.keys.append(facts.KeyUsed(told[4], told[5], told[6], trusted=False, history=told[7]))
    report.facts.stamps.append(facts.Stamp(told[8], _MADE_AT, told[9], _MADE_AT, trusted=False))
    report.facts.witnesses.append(facts.WitnessSeen(told[10], told[11], told[12], trusted=False))
    report.count("events")
    report.state([facts.Claim("sealed", told[13], facts.PROVEN)])
    html = page.as_html(report, told[14], _MADE_AT)
    html.encode()
    report.as_text().encode()
    json.dumps(report.as_json()).encode("ascii")
    return html


class _Tags(HTMLParser):
    """The tags of a page, and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")


def _sealed(data: bytes) -> None:
    """An insider's bundle: the first byte chooses a file, the rest is its new content; lists and seal are made anew."""
    files = samples.files()
    parts = _parts()
    path = parts[data[0] % len(parts)] if data else parts[0]
    folder = _bundle_folder()
    changed = reseal(files | {path: data[1:]}, samples.archive())
    write_folder({name: content for name, content in changed.items() if files[name] != content}, folder)
    try:
        _judged(folder)
    finally:
        write_folder({name: files[name] for name, content in changed.items() if files[name] != content}, folder)


@cache
def _parts() -> list[str]:
    """The files of a bundle that a check reads as a whole."""
    return sorted(path for path in samples.files() if path.startswith(("custody/", "keys/")) or path == layout.MANIFEST)


@cache
def _bundle_folder() -> Path:
    return write_folder(samples.files(), scratch() / "bundle")


CONTAINERS: Final[dict[str, Harness]] = {
    "asic": Harness(_asic, lambda: samples.named("ASiCManifest"), (b"&amp;", b"<!DOCTYPE", b"URI=", b"==")),
    "bagit": Harness(_bagit, lambda: samples.named("manifest-sha", "bag-info"), (b"  ", b"%0A", b"%25", b": ", b"../")),
    "bundle": Harness(_bundle, lambda: [samples.zipped()], (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"), slow=True),
    "names": Harness(_names, lambda: [b"photo.jpg", "відео 1.mp4".encode(), b"../../etc/passwd", b"CON", b"\xff"]),
    "page": Harness(
        _page,
        lambda: [b"Olena\0Kyiv\0" * 8, b"<script>\0&amp;\0\xff\x1b[2J", "\u202e\u2028\ud7ff".encode()],
        (b"<script>", b"</td>", b'"', b"'", b"<!--", b"&lt;", b"&#60;", b"\xed\xa0\x80", b"\0", b"</style>"),
    ),
    "sealed": Harness(
        _sealed,
        lambda: [bytes([n]) + samples.files()[path] for n, path in enumerate(_parts())],
        (*JSON, *DER),
        slow=True,
    ),
    "zip": Harness(_zip, lambda: [samples.zipped()], (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06")),
}
