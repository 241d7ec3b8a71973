"""C2SP tlog-tiles: the log as static files that anyone may fetch, cache and check.

A tile at level l and index n holds the roots of the complete subtrees of 256**l leaves, up to 256 of
them, so its hashes are nodes (8 * l, 256 * n + i) of `merkle`. Level `ENTRIES` names entry bundles:
the entries themselves, each with a two-byte big-endian length. A full tile never changes; the last
one of a level is partial and named by its width.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.merkle import NodeReader

FULL_WIDTH = 256
ENTRIES = -1
"""The level under which entry bundles are addressed; in a path it reads "entries"."""

MAX_ENTRY_BYTES = 65_535
LEVEL_BITS = 8
_MAX_LEVEL = 63
_MAX_INDEX = 2**63 - 1
_LENGTH_BYTES = 2
_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class TileId:
    """Which tile.

    Attributes:
        level: 0..63, or `ENTRIES`.
        index: position within the level.
        width: hashes or entries it holds, 1..256.
    """

    level: int
    index: int
    width: int = FULL_WIDTH

    def __post_init__(self) -> None:
        good = ENTRIES <= self.level <= _MAX_LEVEL and 0 <= self.index <= _MAX_INDEX and 1 <= self.width <= FULL_WIDTH
        if not good:
            raise EvidenceStoreError("tile_range", "level, index or width of a tile lies out of range")


def tile_path(level: int, index: int, width: int = FULL_WIDTH) -> str:
    """The relative path of a tile, as `tile/0/x001/x234/067` or `tile/entries/000.p/15`.

    Raises:
        EvidenceStoreError: `tile_range`.
    """
    tile = TileId(level, index, width)
    groups = [f"{tile.index % 1000:03d}"]
    rest = tile.index // 1000
    while rest:
        groups.insert(0, f"x{rest % 1000:03d}")
        rest //= 1000
    name = "entries" if tile.level == ENTRIES else str(tile.level)
    suffix = "" if tile.width == FULL_WIDTH else f".p/{tile.width}"
    return f"tile/{name}/{'/'.join(groups)}{suffix}"


def parse_tile_path(path: str) -> TileId:
    """Read a tile path; only the one spelling that `tile_path` writes is taken.

    Raises:
        EvidenceStoreError: `tile_path`, `tile_range`.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise EvidenceStoreError("tile_path", "not the path of a tile or an entry bundle")
    level = ENTRIES if match["level"] == "entries" else int(match["level"])
    index = int(match["index"].replace("x", "").replace("/", ""))
    width = FULL_WIDTH if match["width"] is None else int(match["width"])
    tile = TileId(level, index, width)
    if tile_path(level, index, width) != path:
        raise EvidenceStoreError("tile_path", "the path has another canonical spelling")
    return tile


def tile_bytes(tile: TileId, read: NodeReader) -> bytes:
    """The hashes of a Merkle tile, 32 bytes each.

    Args:
        tile: of level 0 or above, and covered by the log.
        read: node reader of the log.

    Raises:
        EvidenceStoreError: `tile_range` for an entry bundle or a level beyond any tree.
    """
    if tile.level == ENTRIES:
        raise EvidenceStoreError("tile_range", "an entry bundle holds entries, not hashes")
    first = tile.index * FULL_WIDTH
    return b"".join(read(tile.level * LEVEL_BITS, first + i) for i in range(tile.width))


def entry_bundle_bytes(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry after its length, an unsigned 16-bit big-endian number.

    Raises:
        EvidenceStoreError: `tile_range` unless there are 1..256 entries of at most 65,535 bytes.
    """
    if not 1 <= len(entries) <= FULL_WIDTH or any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise EvidenceStoreError("tile_range", "a bundle holds 1 to 256 entries of at most 65,535 bytes")
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)


def parse_entry_bundle(data: bytes) -> list[bytes]:
    """Read an entry bundle.

    Raises:
        EvidenceStoreError: `bundle_form` when cut off, empty, or of more than 256 entries.
    """
    entries: list[bytes] = []
    position = 0
    while position < len(data):
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or position > len(data):
            raise EvidenceStoreError("bundle_form", "the entry bundle is cut off")
        entries.append(data[start:position])
    if not 1 <= len(entries) <= FULL_WIDTH:
        raise EvidenceStoreError("bundle_form", "a bundle holds 1 to 256 entries")
    return entries


def tiles_for_size(size: int, since: int = 0) -> Iterator[TileId]:
    """The Merkle tiles of a log of `size` entries, full and partial, level by level.

    Args:
        size: number of entries.
        since: leave out what a log of this smaller size already published.

    Yields:
        Tiles of level 0 and above; the bundles are those of level 0 with level `ENTRIES`.

    Raises:
        EvidenceStoreError: `tile_range` unless 0 <= since <= size.
    """
    if not 0 <= since <= size <= _MAX_INDEX:
        raise EvidenceStoreError("tile_range", "tiles need 0 <= since <= size")
    level = 0
    while size >> (level * LEVEL_BITS):
        yield from _level_tiles(level, size >> (level * LEVEL_BITS), since >> (level * LEVEL_BITS))
        level += 1


def bundles_for_size(size: int, since: int = 0) -> Iterator[TileId]:
    """The entry bundles of a log of `size` entries; arguments and errors as `tiles_for_size`."""
    for tile in tiles_for_size(size, since):
        if tile.level == 0:
            yield TileId(ENTRIES, tile.index, tile.width)


def _level_tiles(level: int, count: int, since: int) -> Iterator[TileId]:
    if count == since:
        return
    for index in range(since // FULL_WIDTH, count // FULL_WIDTH):
        yield TileId(level, index)
    if count % FULL_WIDTH:
        yield TileId(level, count // FULL_WIDTH, count % FULL_WIDTH)
