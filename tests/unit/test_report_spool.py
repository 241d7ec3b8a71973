"""Where a report waits: the bytes are those given, the folder shows nothing, nothing is left, a full disk is told."""

from __future__ import annotations

import errno
import gc
import io
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.export.report import pdf
from app.export.report.making import report_document, report_files
from app.export.report.spool import PIECE, Spool
from evidence_store.bundle.plan import ExtraFile, StoredFile
from evidence_store.digests import digest_stream
from evidence_store.errors import EvidenceStoreError
from tests.bundles import sample_archive


def test_nothing_is_in_the_folder_while_it_waits_or_after(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    kept = spool.keep(b"a picture" * PIECE)
    assert kept() == b"a picture" * PIECE
    assert list(tmp_path.iterdir()) == []
    assert open_in(tmp_path) == 1
    del spool, kept
    gc.collect()
    assert open_in(tmp_path) == 0


def open_in(folder: Path) -> int:
    """How many files of a folder this process has open, those without a name included."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            found += str(descriptor.readlink()).startswith(f"{folder}/")
    return found


@given(st.lists(st.binary(max_size=PIECE // 8), max_size=30))
def test_a_file_and_memory_give_the_same_bytes(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]) -> None:
    for folder in (None, tmp_path_factory.getbasetemp()):
        spool = Spool(folder)
        readers = [spool.keep(part) for part in parts]
        assert [read() for read in readers] == parts
        assert b"".join(spool.pieces()) == b"".join(parts)
        assert spool.size == len(b"".join(parts))


def test_a_full_disk_is_told_by_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(EvidenceStoreError) as refused:
        spool.write(bytes(PIECE))
    assert refused.value.code == "storage_full"


def test_a_file_that_was_cut_off_is_never_a_shorter_report(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    read = spool.keep(bytes(PIECE))
    assert spool._descriptor is not None
    os.ftruncate(spool._descriptor, 7)
    with pytest.raises(EvidenceStoreError) as refused:
        read()
    assert refused.value.code == "storage_failed"


def test_a_report_is_the_same_whether_it_waits_in_a_file_or_in_memory(tmp_path: Path) -> None:
    plan = sample_archive("spool").plan()
    in_file, in_memory = report_files(plan, tmp_path), report_files(plan)
    assert [one.path for one in in_file] == ["report.html", "report.pdf"]
    assert in_file == in_memory
    for one in in_file:
        assert isinstance(one, StoredFile)
        assert one.digests == digest_stream([one.data])
    assert list(tmp_path.iterdir()) == []


def test_pages_are_the_same_with_pictures_as_with_empty_places_for_them() -> None:
    archive = sample_archive("pages")
    extra = []
    for number, item in enumerate(archive.plan().items):
        out = io.BytesIO()
        Image.new("RGB", (900, 400 + 500 * number), (200, 30, 30)).save(out, "JPEG")
        extra.append(ExtraFile(f"data/previews/{item.item}.jpg", out.getvalue(), "preview", f"item:{item.item}"))
    document = report_document(archive.plan(extra_files=extra))
    found: list[dict[str, int]] = []
    sizes = []
    for blank in (True, False):
        pages: dict[str, int] = {}
        out = io.BytesIO()
        pdf._build(document, pdf._Pen({}, blank=blank), pages, out)
        found.append(pages)
        sizes.append(len(out.getvalue()))
    assert found[0] == found[1]
    assert {"item-1", "item-2"} <= set(found[0])
    assert sizes[0] < sizes[1]
