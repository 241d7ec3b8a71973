"""A small part of `python -m tests.mutations`: readers of containers end on whatever they are given."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.normalise_values import iso6709
from app.analysis.probes.boxes import MAX_BOXES, walk_boxes
from app.analysis.probes.matroska import MAX_ELEMENTS, read_matroska
from app.analysis.probes.riff import MAX_CHUNKS, read_riff
from app.analysis.probes.transport import read_transport
from tests.boxes import box, element
from tests.mutations import READERS, try_reader, try_whole


@pytest.mark.parametrize("name", READERS)
def test_mutated_files_end_in_time_and_raise_nothing(name: str) -> None:
    told = try_reader(name, 150, seed=7)
    assert (told.runs, told.faults) == (150, [])


def test_mutated_recordings_end_as_a_record_or_a_coded_failure() -> None:
    told = try_whole("mp4", 6, seed=7)
    assert (sum(told.endings.values()), told.faults) == (6, [])


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_end_in_every_reader_of_containers(data: bytes) -> None:
    for head in (b"", b"RIFF\xff\xff\xff\xffAVI ", bytes.fromhex("1a45dfa3"), b"\x47"):
        whole = head + data
        for read in (walk_boxes, read_matroska, read_riff, read_transport):
            read(io.BytesIO(whole), len(whole))


@given(st.text(alphabet="+-0123456789./CRSWG_", max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_place_on_earth_or_none(text: str) -> None:
    place = iso6709(text)
    assert place is None or (abs(place[0]) <= 90 and abs(place[1]) <= 180)


def test_structures_without_end_are_bounded() -> None:
    many = box(b"free") * (MAX_BOXES + 100)
    walk = walk_boxes(io.BytesIO(many), len(many))
    assert (len(walk.boxes), walk.bounded) == (MAX_BOXES, True)
    void = element(0x18538067, element(0xEC) * (MAX_ELEMENTS + 100))
    assert read_matroska(io.BytesIO(void), len(void)).elements == MAX_ELEMENTS
    chunks = b"RIFF\xff\xff\xff\x7fAVI " + b"JUNK\0\0\0\0" * (MAX_CHUNKS + 100)
    assert read_riff(io.BytesIO(chunks), len(chunks)).chunks == MAX_CHUNKS
