"""Every index keeps one contract: all rows within the radius and no other, whatever holds them."""

from __future__ import annotations

import copy
import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from app.matching import multi_index
from app.matching.errors import FingerprintError
from app.matching.hash_rows import Numbers, Words
from app.matching.index import HashIndex, NumpyHashIndex
from app.matching.multi_index import EXACT_RADIUS, MultiIndex, Runs
from app.matching.sql_index import SqlHashIndex
from app.matching.sql_keys import BANDS, KEY_BITS, keys_of, probes_of
from tests.databases import fresh_postgres

KINDS = ("scan", "bands", "sqlite", "postgresql")
RADII = (0, 1, 15, 16, 31, 32, 50, 90)


def _engine_url(kind: str, folder: Path) -> str:
    if kind == "sqlite":
        return f"sqlite:///{folder / 'index.db'}"
    return make_url(fresh_postgres()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@pytest.fixture(params=KINDS)
def index(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HashIndex]:
    monkeypatch.setattr(multi_index, "UNFILED", 40)  # so that some rows are filed and some are not
    if request.param == "scan":
        yield NumpyHashIndex()
    elif request.param == "bands":
        yield MultiIndex()
    else:
        engine = create_engine(_engine_url(request.param, tmp_path))
        yield SqlHashIndex(engine)
        engine.dispose()


def turned(row: bytes, bits: int, rng: np.random.Generator) -> bytes:
    """The row with so many of its bits turned over."""
    made = np.unpackbits(np.frombuffer(row, np.uint8))
    made[rng.choice(256, bits, replace=False)] ^= 1
    return np.packbits(made).tobytes()


def spread(row: bytes, bits: int, bands: int = 16) -> bytes:
    """The row with bits turned over as evenly as they go over the bands: the hardest case for bands."""
    made = np.unpackbits(np.frombuffer(row, np.uint8))
    starts = [0, *np.cumsum([256 // bands + (band >= bands - 256 % bands) for band in range(bands)])]
    for number in range(bits):
        made[starts[number % bands] + number // bands] ^= 1
    return np.packbits(made).tobytes()


def test_every_row_within_the_radius_is_found_and_no_other(index: HashIndex) -> None:
    rng = np.random.default_rng(1)
    query = rng.bytes(32)
    held: list[tuple[str, int, int]] = []
    for number, bits in enumerate((0, 1, 14, 15, 16, 17, 30, 31, 32, 33, 49, 50, 51, 89, 90, 91)):
        near = [turned(query, bits, rng), spread(query, bits), spread(query, bits, 13)]
        index.add(f"near {number}", [*near, rng.bytes(32)])
        held += [(f"near {number}", at, bits) for at in range(len(near))]
    for number in range(40):
        index.add(f"far {number}", [rng.bytes(32) for _ in range(5)])
    for radius in RADII:
        # Nearest first, then in the order of adding; 256 random bits are far beyond 90.
        expected = sorted((hit for hit in held if hit[2] <= radius), key=lambda hit: (hit[2], held.index(hit)))
        assert index.search(query, radius) == expected, radius


def test_rows_that_are_added_later_are_found_at_once_and_go_on_counting(index: HashIndex) -> None:
    rng = np.random.default_rng(2)
    rows = [rng.bytes(32) for _ in range(100)]
    for row in rows:
        index.add("item", [row])
        assert index.search(row, 0)[-1][0] == "item"
    index.add("other", [rows[7]])
    assert index.search(rows[7], 31) == [("item", 7, 0), ("other", 0, 0)]


def test_an_item_that_was_removed_is_never_found_again(index: HashIndex) -> None:
    rng = np.random.default_rng(3)
    rows = [rng.bytes(32) for _ in range(60)]
    for number, row in enumerate(rows):
        index.add(str(number % 3), [row])
    index.search(rows[0], 31)
    index.remove("1")
    index.remove("unknown")
    for number, row in enumerate(rows):
        assert [hit[:2] for hit in index.search(row, 31)] == (
            [] if number % 3 == 1 else [(str(number % 3), number // 3)]
        )
    index.add("1", [rows[1]])
    assert index.search(rows[1], 31) == [("1", 0, 0)]


def test_equal_rows_of_many_items_are_all_found(index: HashIndex) -> None:
    same = bytes(range(32))
    for number in range(120):
        index.add(f"{number:03}", [same])
    assert [item for item, _, _ in index.search(same, 31)] == [f"{number:03}" for number in range(120)]


@pytest.mark.parametrize("row", [b"", bytes(31), bytes(33)])
def test_what_is_no_hash_is_refused_and_nothing_of_it_is_kept(index: HashIndex, row: bytes) -> None:
    with pytest.raises(FingerprintError):
        index.add("item", [bytes(32), row])
    with pytest.raises(FingerprintError):
        index.search(row, 0)
    assert index.search(bytes(32), 256) == []
    index.add("item", [])
    assert index.search(bytes(32), 256) == []


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), radius=st.integers(0, EXACT_RADIUS), rows=st.integers(1, 60))
def test_bands_find_what_a_scan_finds(seed: int, radius: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    query = rng.bytes(32)
    scan, bands = NumpyHashIndex(), MultiIndex()
    for number in range(rows):
        row = turned(query, int(rng.integers(0, 45)), rng)
        scan.add(str(number), [row])
        bands.add(str(number), [row])
    bands.file()
    assert bands.search(query, radius) == scan.search(query, radius)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    radius=st.integers(0, 60),
    asked=st.integers(0, 70),
    later=st.integers(0, 20),
    removed=st.integers(0, 3),
    at_once=st.integers(1, 400),
)
def test_what_is_nearest_to_many_rows_is_what_asking_one_by_one_finds(
    seed: int, radius: int, asked: int, later: int, removed: int, at_once: int
) -> None:
    rng = np.random.default_rng(seed)
    centres = [rng.bytes(32) for _ in range(3)]
    index = MultiIndex()

    def add(first: int, last: int) -> None:
        for number in range(first, last):
            index.add(str(number % 40), [turned(centres[number % 3], int(rng.integers(0, 70)), rng)])

    add(0, 60)
    for number in range(removed):
        index.remove(str(number))
    index.file()
    add(60, 60 + later)
    rows = [turned(centres[number % 3], int(rng.integers(0, 20)), rng) for number in range(asked)]
    least: dict[str, int] = {}
    for row in rows:
        for item, _, distance in index.search(row, radius):
            least[item] = min(distance, least.get(item, distance))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multi_index, "LOOKED_AT", at_once)
        patch.setattr(multi_index, "ROWS_AT_ONCE", 1 + at_once % 9)
        assert index.nearest(rows, radius) == least


def test_rows_that_are_all_alike_are_compared_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the frames of a camera that stands still are: with one key each has all of them."""
    monkeypatch.setattr(multi_index, "LOOKED_AT", 1_000)
    rng = np.random.default_rng(4)
    frame, place = rng.bytes(32), rng.bytes(32)
    index = MultiIndex()
    index.add("still", [turned(frame, 1, rng) for _ in range(600)])
    index.add("nearly still", [turned(place, 1, rng) for _ in range(40)])
    index.add("other", [rng.bytes(32) for _ in range(50)])
    index.file()
    compared: list[int] = []
    looked_up = MultiIndex._by_bands

    def counted(self: MultiIndex, wanted: Words, starts: Runs, counts: Runs, radius: int) -> tuple[Numbers, Numbers]:
        compared.append(int(counts.sum()))
        return looked_up(self, wanted, starts, counts, radius)

    monkeypatch.setattr(MultiIndex, "_by_bands", counted)
    asked = [turned(frame, 2, rng) for _ in range(30)] + [turned(place, 2, rng) for _ in range(30)]
    found = index.nearest([*asked, *(rng.bytes(32) for _ in range(100))], 31)
    assert found.keys() == {"still", "nearly still"}
    assert max(compared) <= 1_000
    assert sum(compared) > 30 * 16 * 30  # of one place; where keys tell nothing apart all is scanned
    compared.clear()
    assert index.nearest([place] * 5_000, 31).keys() == {"nearly still"}
    assert len(compared) == 1  # the same row is asked once


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(0, 3), max_size=6), before=st.integers(0, 2))
def test_items_that_are_added_at_once_lie_as_if_one_by_one(counts: list[int], before: int) -> None:
    rng = np.random.default_rng(sum(counts))
    rows = rng.integers(0, 2**63, (sum(counts), 4)).astype(np.uint64)
    whose = np.repeat(np.arange(len(counts)), counts)
    singly = MultiIndex()
    for number in range(before):
        singly.add(f"before {number}", [rng.bytes(32)])
    at_once, items = copy.deepcopy(singly), [str(number) for number in range(len(counts))]
    for number, item in enumerate(items):
        singly.add_words(item, rows[whose == number])
    at_once.add_new(items, rows, whose)
    for again in (rows[:1], rows):  # what comes for an item later goes on with its numbers
        for index in (singly, at_once):
            index.add_words("0", again)
    for row in rows:
        assert at_once.search(row.tobytes(), 0) == singly.search(row.tobytes(), 0)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), radius=st.integers(0, EXACT_RADIUS))
def test_every_row_within_the_radius_has_one_of_the_keys_that_are_asked_for(seed: int, radius: int) -> None:
    rng = np.random.default_rng(seed)
    query = rng.bytes(32)
    asked = set(probes_of(query, radius).tolist())
    for row in (turned(query, radius, rng), spread(query, radius, 13)):
        assert asked & set(keys_of(row)[0].tolist())


def test_keys_say_all_of_a_row_and_which_band_they_are_of() -> None:
    rng = np.random.default_rng(4)
    rows = [rng.bytes(32) for _ in range(50)]
    keys = keys_of(b"".join(rows))
    assert (keys >> KEY_BITS == np.arange(BANDS)).all()
    widths = [19] * 4 + [20] * 9
    for row, own in zip(rows, keys.tolist(), strict=True):
        bits = "".join(f"{key & (1 << KEY_BITS) - 1:0{width}b}" for key, width in zip(own, widths, strict=True))
        assert int(bits, 2).to_bytes(32, "big") == row


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_a_removed_item_no_key_is_left_behind(kind: str, tmp_path: Path) -> None:
    engine = create_engine(_engine_url(kind, tmp_path))
    index = SqlHashIndex(engine)
    rng = np.random.default_rng(5)
    index.add("stays", [rng.bytes(32)])
    index.add("goes", [rng.bytes(32) for _ in range(9)])
    index.remove("goes")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM hash_index_key").scalar_one() == BANDS
    engine.dispose()


def _add_many(url: str, first: int) -> None:
    engine = create_engine(url, connect_args={"timeout": 60} if url.startswith("sqlite") else {})
    index = SqlHashIndex(engine)
    for number in range(first, first + 20):
        index.add("shared", [number.to_bytes(32, "big")])
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_several_processes_add_to_one_item_is_all_there_and_counted_once(kind: str, tmp_path: Path) -> None:
    url = _engine_url(kind, tmp_path)
    engine = create_engine(url)
    index = SqlHashIndex(engine)
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_add_many, args=(url, 1000 * n)) for n in range(1, 4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(index) == 60
    found = [index.search((1000 * n + k).to_bytes(32, "big"), 0) for n in range(1, 4) for k in range(20)]
    assert sorted(number for ((_, number, _),) in found) == list(range(60))
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_rebuilding_replaces_all_that_was_filed(kind: str, tmp_path: Path) -> None:
    engine = create_engine(_engine_url(kind, tmp_path))
    index = SqlHashIndex(engine)
    index.add("a forged copy", [bytes(32)])
    index.rebuild([("item", [bytes(32), b"\x01" * 32]), ("other", [b"\x01" * 32])])
    assert index.search(bytes(32), 31) == [("item", 0, 0)]
    assert index.search(b"\x01" * 32, 31) == [("item", 1, 0), ("other", 0, 0)]
    assert len(index) == 3
    engine.dispose()
