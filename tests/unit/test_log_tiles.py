"""C2SP tlog-tiles: paths, tiles and entry bundles."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.merkle import leaf_hash, node_hash
from evidence_store.log.tiles import (
    ENTRIES,
    FULL_WIDTH,
    MAX_ENTRY_BYTES,
    TileId,
    bundles_for_size,
    entry_bundle_bytes,
    parse_entry_bundle,
    parse_tile_path,
    tile_bytes,
    tile_path,
    tiles_for_size,
)

IDS = st.builds(TileId, st.integers(ENTRIES, 63), st.integers(0, 2**63 - 1), st.integers(1, FULL_WIDTH))


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(EvidenceStoreError) as failure:
        call()
    return failure.value.code


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (TileId(0, 0), "tile/0/000"),
        (TileId(0, 0, 15), "tile/0/000.p/15"),
        (TileId(1, 1_234_067), "tile/1/x001/x234/067"),
        (TileId(63, 999, 255), "tile/63/999.p/255"),
        (TileId(0, 1000), "tile/0/x001/000"),
        (TileId(ENTRIES, 1_234_067, 1), "tile/entries/x001/x234/067.p/1"),
        (TileId(0, 2**63 - 1), "tile/0/x009/x223/x372/x036/x854/x775/807"),
    ],
)
def test_paths_are_those_of_the_specification(tile: TileId, path: str) -> None:
    assert tile_path(tile.level, tile.index, tile.width) == path
    assert parse_tile_path(path) == tile


@given(IDS)
def test_every_path_is_read_back(tile: TileId) -> None:
    assert parse_tile_path(tile_path(tile.level, tile.index, tile.width)) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/-1/000",
        "tile/x/000",
        "tile/0/001/000",
        "tile/0/x000/000",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/../0/000",
        "tile/0/\u0661\u0661\u0661",
        "tile/entries/../../checkpoint",
        "checkpoint",
    ],
)
def test_another_spelling_of_a_path_is_refused(path: str) -> None:
    assert _code(lambda: parse_tile_path(path)) == "tile_path"


@pytest.mark.parametrize("path", ["tile/64/000", "tile/0/000.p/257", "tile/0/x999/x999/x999/x999/x999/x999/999"])
def test_a_path_out_of_range_is_refused(path: str) -> None:
    assert _code(lambda: parse_tile_path(path)) == "tile_range"


@given(st.text(max_size=30) | st.from_regex(r"tile/[0-9a-z]{1,2}/[x0-9/.p]{1,20}", fullmatch=True))
def test_any_text_is_one_canonical_path_or_refused(text: str) -> None:
    with suppress(EvidenceStoreError):
        tile = parse_tile_path(text)
        assert tile_path(tile.level, tile.index, tile.width) == text


@pytest.mark.parametrize(("level", "index", "width"), [(-2, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)])
def test_a_tile_out_of_range_cannot_be_named(level: int, index: int, width: int) -> None:
    assert _code(lambda: tile_path(level, index, width)) == "tile_range"


def test_a_tree_of_70000_has_the_tiles_of_the_specifications_example() -> None:
    tiles = list(tiles_for_size(70_000))
    assert [tile for tile in tiles if tile.width != FULL_WIDTH] == [
        TileId(0, 273, 112),
        TileId(1, 1, 17),
        TileId(2, 0, 1),
    ]
    assert [tile for tile in tiles if tile.width == FULL_WIDTH] == [*(TileId(0, n) for n in range(273)), TileId(1, 0)]


def test_a_tree_of_256_is_a_full_tile_and_one_of_width_1_above() -> None:
    assert list(tiles_for_size(256)) == [TileId(0, 0), TileId(1, 0, 1)]
    assert list(bundles_for_size(256)) == [TileId(ENTRIES, 0)]


def test_an_empty_log_has_no_tiles() -> None:
    assert list(tiles_for_size(0)) == []
    assert list(bundles_for_size(0)) == []


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_what_was_published_and_what_is_new_make_the_whole_log_once(one: int, other: int) -> None:
    since, size = sorted((one, other))
    old, new = list(tiles_for_size(since)), list(tiles_for_size(size, since))
    assert set(tiles_for_size(size)) <= {*old, *new}
    assert not set(old) & set(new)
    assert len(new) == len(set(new))
    assert set(new) <= set(tiles_for_size(size))


@pytest.mark.parametrize(("size", "since"), [(-1, -1), (1, 2), (2**63, 0), (1, -1)])
def test_sizes_out_of_range_are_refused(size: int, since: int) -> None:
    assert _code(lambda: list(tiles_for_size(size, since))) == "tile_range"


def test_tiles_hold_the_hashes_of_their_level() -> None:
    leaves = [leaf_hash(bytes([n % 256, n // 256])) for n in range(600)]

    def read(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return node_hash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))

    assert tile_bytes(TileId(0, 1), read) == b"".join(leaves[256:512])
    assert tile_bytes(TileId(0, 2, 88), read) == b"".join(leaves[512:])
    assert tile_bytes(TileId(1, 0, 2), read) == read(8, 0) + read(8, 1)
    assert _code(lambda: tile_bytes(TileId(ENTRIES, 0, 1), read)) == "tile_range"


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=20))
def test_a_bundle_is_read_back(entries: list[bytes]) -> None:
    assert parse_entry_bundle(entry_bundle_bytes(entries)) == entries


def test_a_bundle_holds_lengths_of_two_bytes_big_endian() -> None:
    assert entry_bundle_bytes([b"", b"ab", bytes(258)]) == b"\x00\x00" + b"\x00\x02ab" + b"\x01\x02" + bytes(258)
    assert parse_entry_bundle(entry_bundle_bytes([bytes(MAX_ENTRY_BYTES)])) == [bytes(MAX_ENTRY_BYTES)]


@pytest.mark.parametrize("entries", [[], [b""] * 257, [bytes(MAX_ENTRY_BYTES + 1)]])
def test_a_bundle_that_cannot_be_written_is_refused(entries: list[bytes]) -> None:
    assert _code(lambda: entry_bundle_bytes(entries)) == "tile_range"


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x01", b"\x00\x02a", b"\x00\x01a\x00", b"\x00\x00" * 257])
def test_a_damaged_bundle_is_refused(data: bytes) -> None:
    assert _code(lambda: parse_entry_bundle(data)) == "bundle_form"


@given(st.binary(max_size=100))
def test_any_bytes_are_a_bundle_of_themselves_or_refused(data: bytes) -> None:
    with suppress(EvidenceStoreError):
        assert entry_bundle_bytes(parse_entry_bundle(data)) == data
