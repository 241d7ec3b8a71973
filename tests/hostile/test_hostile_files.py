"""A sample of the hostile campaign: each file is kept, and analysed or flagged; the server stays well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.bombs import BOMBS, QUICK
from tests.hostile.campaign import CORPUS, run

SAMPLE = 8


def files() -> Iterator[tuple[str, bytes]]:
    for name in QUICK:
        yield name, BOMBS[name]()
    if CORPUS.is_dir():
        for path in sorted(CORPUS.iterdir())[:: 300 // SAMPLE]:
            yield path.name, path.read_bytes()


def test_hostile_files_are_kept_and_analysed_or_flagged_and_the_server_stays_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, files(), warm_up=len(QUICK)) == []
    told = capsys.readouterr().out
    assert "clean" in told
    assert re.search(r"^flagged: no preview +[1-9]", told, re.MULTILINE), "a picture that is too large is never decoded"
