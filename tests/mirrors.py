"""A published log, read as a stranger would: from its files alone, with nothing but the verifier key."""

from __future__ import annotations

from pathlib import Path

from evidence_store.log import merkle
from evidence_store.log.note import Checkpoint, open_checkpoint, parse_vkey
from evidence_store.log.tiles import (
    ENTRIES,
    FULL_WIDTH,
    TileId,
    bundles_for_size,
    parse_entry_bundle,
    tile_path,
    tiles_for_size,
)


def fetch(folder: Path, tile: TileId) -> bytes:
    """The bytes of a tile; the full one stands in for a partial one that is gone, as the specification has it."""
    path = folder / tile_path(tile.level, tile.index, tile.width)
    if path.exists():
        return path.read_bytes()
    full = (folder / tile_path(tile.level, tile.index)).read_bytes()
    if tile.level == ENTRIES:
        return full[: sum(2 + len(entry) for entry in parse_entry_bundle(full)[: tile.width])]
    return full[: 32 * tile.width]


def verified(folder: Path, vkey: str) -> Checkpoint:
    """The checkpoint of a mirror, after every tile of its size was recomputed from the entries."""
    checkpoint = open_checkpoint((folder / "checkpoint").read_bytes(), parse_vkey(vkey))
    nodes: dict[tuple[int, int], bytes] = {}
    leaves = 0
    for bundle in bundles_for_size(checkpoint.size):
        for entry in parse_entry_bundle(fetch(folder, bundle)):
            completed = merkle.nodes_completed_by(leaves, merkle.leaf_hash(entry), lambda *at: nodes[at])
            nodes.update({(level, at): value for level, at, value in completed})
            leaves += 1
    assert leaves == checkpoint.size
    assert merkle.root_at(leaves, lambda *at: nodes[at]) == checkpoint.root
    for tile in tiles_for_size(checkpoint.size):
        first = tile.index * FULL_WIDTH
        expected = b"".join(nodes[8 * tile.level, first + i] for i in range(tile.width))
        assert fetch(folder, tile) == expected, tile
    return checkpoint


def files(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file of a folder: when it was written, which one it is, and its bytes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != ".lock":
            told = path.stat()
            found[str(path.relative_to(folder))] = told.st_mtime_ns, told.st_ino, path.read_bytes()
    return found
