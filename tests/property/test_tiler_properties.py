"""The tiler against the tree: every tile it cuts is the one that the stored nodes give, from wherever it resumes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle
from evidence_store.log.tiler import Tiler
from evidence_store.log.tiles import ENTRIES, TileId, bundles_for_size, entry_bundle_bytes, tile_bytes, tiles_for_size

LARGEST = 66_200
"""Past 256 * 256: the third level has begun."""


def entry(index: int) -> bytes:
    return hashlib.sha256(index.to_bytes(8, "big")).digest()


@cache
def tree() -> dict[tuple[int, int], bytes]:
    nodes: dict[tuple[int, int], bytes] = {}
    for index in range(LARGEST):
        completed = merkle.nodes_completed_by(index, merkle.leaf_hash(entry(index)), lambda *at: nodes[at])
        nodes.update({(level, at): value for level, at, value in completed})
    return nodes


def node(level: int, index: int) -> bytes:
    return tree()[level, index]


def expected(tile: TileId) -> bytes:
    if tile.level == ENTRIES:
        return entry_bundle_bytes([entry(256 * tile.index + i) for i in range(tile.width)])
    return tile_bytes(tile, node)


sizes = st.one_of(st.integers(0, 1200), st.sampled_from([0, 255, 256, 257, 65_535, 65_536, 65_537, 65_792, LARGEST]))


@given(sizes, sizes)
@example(0, LARGEST)
@example(65_536, 66_000)
@settings(max_examples=60)
def test_tiles_of_a_resumed_log_are_those_that_the_tree_gives(old: int, new: int) -> None:
    old, new = sorted((old, new))
    tiler = Tiler.resume(old, expected)
    assert tiler.root() == merkle.root_at(old, node)
    cut = {tile: data for index in range(old, new) for tile, data in tiler.add(entry(index))}
    cut |= dict(tiler.partial())
    assert tiler.size == new
    assert tiler.root() == merkle.root_at(new, node)
    wanted = {*tiles_for_size(new, old), *bundles_for_size(new, old)}
    right_edge = {tile for tile in cut if tile.width < 256}
    assert wanted <= cut.keys()
    assert cut.keys() - wanted <= right_edge, "a tile was cut again that was full before"
    assert all(data == expected(tile) for tile, data in cut.items())


def root_or_refusal(size: int, read: Callable[[TileId], bytes]) -> bytes | str:
    try:
        return Tiler.resume(size, read).root()
    except EvidenceStoreError as error:
        return error.code


@given(st.integers(1, 2000), st.sampled_from([ENTRIES, 0, 1]), st.integers(0), st.integers(1, 255))
def test_a_flipped_byte_at_the_edge_gives_another_root_or_is_refused(
    size: int, level: int, where: int, flip: int
) -> None:
    spoiled_one = False

    def spoiled(tile: TileId) -> bytes:
        nonlocal spoiled_one
        data = bytearray(expected(tile))
        if tile.level == level:
            data[where % len(data)] ^= flip
            spoiled_one = True
        return bytes(data)

    found = root_or_refusal(size, spoiled)
    if spoiled_one:
        assert found in {"tile_form", "bundle_form"} or (level == 1 and found != merkle.root_at(size, node))
    else:
        assert found == merkle.root_at(size, node)


@pytest.mark.parametrize("cut", [TileId(ENTRIES, 1, 44), TileId(0, 1, 44), TileId(1, 0, 1)])
def test_an_edge_of_another_width_is_refused(cut: TileId) -> None:
    def short(tile: TileId) -> bytes:
        narrow = TileId(tile.level, tile.index, tile.width - 1) if tile == cut and tile.width > 1 else tile
        return b"" if tile == cut and tile.width == 1 else expected(narrow)

    with pytest.raises(EvidenceStoreError) as caught:
        Tiler.resume(300, short)
    assert caught.value.code in {"tile_form", "bundle_form"}
