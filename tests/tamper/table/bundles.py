"""The tamper table, bundles: for each finding code one way to damage a bundle, and the verifier's report on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from unittest import mock

from evidence_store.bundle import layout
from evidence_store.bundle.plan import ExtraFile
from evidence_store.verify import container
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.container import FolderContainer
from evidence_store.verify.report import MAX_PER_CODE, Report
from tests.bundles import SampleArchive, relist, sample_archive, write_folder
from tests.insiders import Change, content, stored_files, verify
from tests.tamper.test_bundle_insider import CASES

Fixture = Callable[[Path], Report]


def _lie(change: Change) -> Fixture:
    """The holder of the seal key lists and seals everything again."""
    return lambda folder: verify(folder, change)


def _outside(change: Change) -> Fixture:
    """Somebody without any key."""
    return lambda folder: verify(folder, change, seal=False)


def _folder(folder: Path) -> Path:
    return write_folder(dict(stored_files()), folder / "bundle")


def _with_link(folder: Path) -> Report:
    bundle = _folder(folder)
    (bundle / "data" / "link").symlink_to(os.devnull)
    return verify_bundle(bundle)


def _with_pipe(folder: Path) -> Report:
    bundle = _folder(folder)
    os.mkfifo(bundle / "data" / "pipe")
    return verify_bundle(bundle)


def _too_many(folder: Path) -> Report:
    with mock.patch.object(container, "MAX_FILES", 5):
        return verify_bundle(_folder(folder))


def _many_unlisted(folder: Path) -> Report:
    bundle = _folder(folder)
    for number in range(MAX_PER_CODE + 7):
        (bundle / f"data/extra{number:04d}").write_bytes(b"x")
    return verify_bundle(bundle)


def _many_notes(folder: Path) -> Report:
    many = SampleArchive("table-notes")
    item = many.deposit("a.jpg", b"a")
    for number in range(MAX_PER_CODE + 3):
        many.extra_files.append(ExtraFile(f"data/matches/{item}-{number}.json", b"[]", "matches", f"item:{item}"))
    return verify_bundle(write_folder(many.files(), folder / "bundle"))


def _reading(path: str, from_pass: int, data: bytes | None) -> Fixture:
    """A disk that fails, or shows something else, when a file is read for the nth time."""

    def fixture(folder: Path) -> Report:
        real, passes = FolderContainer.chunks, [0]

        def chunks(self: FolderContainer, name: str) -> object:
            if name == path:
                passes[0] += 1
                if passes[0] > from_pass:
                    if data is None:
                        raise OSError(5, "Input/output error")
                    return iter([data])
            return real(self, name)

        with mock.patch.object(FolderContainer, "chunks", chunks):
            return verify_bundle(_folder(folder))

    return fixture


def _large_key(folder: Path) -> Report:
    bundle = _folder(folder)
    (bundle / layout.LOG_VKEY).write_bytes(b"#" * (1024 * 1024 + 1))
    return verify_bundle(bundle)


def _clock_back(folder: Path) -> Report:
    odd = SampleArchive("table-clock")
    item = odd.deposit("a.jpg", b"a")
    odd.record(f"item:{item}", "access", time="2001-01-01T00:00:00.000000Z")
    return verify_bundle(write_folder(odd.files(), folder / "bundle"), odd.anchors)


def _no_items(folder: Path) -> Report:
    empty = SampleArchive("table-empty")
    return verify_bundle(write_folder(empty.files(), folder / "bundle"), empty.anchors)


@cache
def _trusted() -> SampleArchive:
    return sample_archive("table-trusted")


def _forger(folder: Path) -> Report:
    return verify_bundle(write_folder(sample_archive("table-forger").files(), folder / "bundle"), _trusted().anchors)


def _receipt_of_another(files: dict[str, bytes]) -> None:
    first, second = sorted(path for path in files if path.endswith(".json.p7s"))
    files[first] = files[second]


def _without_last_event(files: dict[str, bytes]) -> None:
    lines = files[layout.EVENTS].splitlines(keepends=True)
    files[layout.EVENTS] = b"".join(lines[:-1])


def _relisted(change: Change) -> Fixture:
    """Somebody who recomputes the BagIt manifests, without the seal key."""

    def fixture(folder: Path) -> Report:
        files = dict(stored_files())
        change(files)
        return verify_bundle(write_folder(relist(files), folder / "bundle"))

    return fixture


def _plain(folder: Path) -> Report:
    return verify_bundle(_folder(folder))


FIXTURES: dict[str, Fixture] = {
    **{code: _lie(change) for code, change in reversed(CASES.values())},
    "bag_info_wrong": _outside(content(layout.BAG_INFO, b"Payload-Oxum: 1.1\n")),
    "bundle_without_items": _no_items,
    "ca_not_trusted": _forger,
    "errors_capped": _many_unlisted,
    "event_head_differs": _relisted(_without_last_event),
    "event_time_backwards": _clock_back,
    "file_changed": _reading(layout.EVENTS, 1, b"other bytes"),
    "file_digest_mismatch": _outside(content("README.txt", b"All is well.\n")),
    "file_sealed_only": _plain,
    "file_too_large": _large_key,
    "file_unlisted": _outside(content("data/extra.jpg", b"new")),
    "file_unreadable": _reading("README.txt", 0, None),
    "link_refused": _with_link,
    "list_malformed": _outside(content(layout.MANIFEST_SHA256, b"trust me")),
    "notes_capped": _many_notes,
    "receipt_seal_invalid": _relisted(_receipt_of_another),
    "seal_invalid": lambda folder: verify_bundle(
        write_folder(
            dict(stored_files()) | {layout.SEAL: sample_archive("table-forger").files()[layout.SEAL]},
            folder / "bundle",
        )
    ),
    "special_file_refused": _with_pipe,
    "too_many_files": _too_many,
    "trust_not_anchored": _plain,
    "unsafe_path": _outside(content("data/two words.jpg", b"x")),
}
