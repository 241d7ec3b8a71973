"""Mutated media through the sandbox: each ends as a record or as one coded failure, inside its limits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.analysis.errors import SandboxFailure
from app.analysis.record_bytes import from_bytes
from app.analysis.sandbox import run_sandboxed

CODES = {"parser_crashed", "parser_memory", "parser_timeout", "parser_cpu", "parser_error", "output_too_large"}


def _run(task: str, path: Path, detail: str) -> object:
    """The answer, or the code of a failure; anything but a coded failure fails the test."""
    try:
        return run_sandboxed(f"app.analysis.tasks:{task}", (path, detail))
    except SandboxFailure as failure:
        return failure.code


EVERY = 8  # of 300 files


def _inspect(path: Path) -> str:
    """Kind of the record, or the failure's code."""
    answer = _run("metadata_task", path, path.name)
    if isinstance(answer, bytes):
        return from_bytes(answer).file.kind
    assert answer in CODES
    return str(answer)


def _draw(path: Path, kind: str) -> None:
    answer = _run("preview_task", path, kind)
    assert (
        answer in CODES if isinstance(answer, str) else isinstance(answer, tuple) and answer[1][:3] == b"\xff\xd8\xff"
    )


@pytest.mark.parametrize("start", range(4))
def test_hostile_files_end_as_records_or_coded_failures(corpus: Path, start: int) -> None:
    files = sorted((corpus / "hostile").iterdir())[start::EVERY][::4][:10]
    for path in files:
        began = time.monotonic()
        kind = _inspect(path)
        if kind in {"photo", "video"}:
            _draw(path, kind)
        assert time.monotonic() - began < 60, path.name
