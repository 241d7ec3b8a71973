"""Cells of every table: what a spreadsheet would run is text, whatever stands before the sign."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

import app
from app.cells import guarded
from app.patterns.accounts import Beside
from app.patterns.shapes import csv_bytes, shape_of
from tests.shape_samples import incident

ATTACKS = ("=1+1", "\n=1+1", " =1+1", "\u00a0=1+1", "\ufeff=1", "\u200b@SUM(1)", "\uff1d1+1", "\ufe62cmd", "\u207a1")


@pytest.mark.parametrize("text", ATTACKS)
def test_no_cell_begins_a_formula(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ATTACKS)
def test_neither_title_nor_place_of_an_incident_begins_a_formula(text: str) -> None:
    shape = shape_of(incident(title=text, place={"text": text}), Beside())
    (row,) = csv.DictReader(io.StringIO(csv_bytes([shape]).decode(), newline=""))
    assert (row["title"], row["place"]) == (f"'{text}", f"'{text}")


def test_every_module_that_writes_a_table_guards_its_cells() -> None:
    modules = Path(app.__file__).parent.rglob("*.py")
    writers = [path for path in modules if re.search(r"csv\.(writer|DictWriter)", path.read_text())]
    assert len(writers) >= 5
    for path in writers:
        source = path.read_text()
        assert "from app.cells import guarded" in source, path
        written = re.findall(r"writerow\((.*)", source)
        assert all("guarded(" in one or one in {"COLUMNS)", ""} for one in written), path
