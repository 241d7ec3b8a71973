"""Cutting a growing log into tiles (C2SP tlog-tiles), entry by entry, in memory that does not grow with the log.

The tiler holds the right edge of the tree only: at each level the hashes of the one tile that is not full, and the
entries of the one bundle that is not. From these follow every tile that an entry completes, and the root: so what is
written as tiles is what hashes to the root, by construction. A tiler resumes from the partial tiles that were
published for an earlier size; whoever resumes compares `root` with the root signed then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.merkle import HASH_BYTES, leaf_hash, node_hash, root_at
from evidence_store.log.tiles import (
    ENTRIES,
    FULL_WIDTH,
    LEVEL_BITS,
    TileId,
    bundles_for_size,
    entry_bundle_bytes,
    parse_entry_bundle,
)


class Tiler:
    """The right edge of a log.

    Attributes:
        size: number of entries so far.
    """

    def __init__(self) -> None:
        """Begin with the empty log."""
        self.size = 0
        self._entries: list[bytes] = []
        self._levels: list[list[bytes]] = [[]]

    @classmethod
    def resume(cls, size: int, read: Callable[[TileId], bytes]) -> Tiler:
        """Go on from what was published of a log.

        Args:
            size: number of entries that were published.
            read: gives the bytes of a partial tile or bundle of that size.

        Raises:
            EvidenceStoreError: `tile_form` or `bundle_form` when one has another length than its width says, or the
                entries do not hash to their tile; what `read` raises.
        """
        tiler = cls()
        tiler.size = size
        for tile in bundles_for_size(size, size - size % FULL_WIDTH):
            tiler._entries = parse_entry_bundle(read(tile))
            if len(tiler._entries) != tile.width:
                raise EvidenceStoreError("bundle_form", "the bundle holds another number of entries than its name says")
        level = 0
        while size >> (level * LEVEL_BITS):
            tiler._levels[level:] = [_edge(level, size >> (level * LEVEL_BITS), read)]
            level += 1
        if [leaf_hash(entry) for entry in tiler._entries] != tiler._levels[0]:
            raise EvidenceStoreError("bundle_form", "the entries of the bundle do not hash to their tile")
        return tiler

    def add(self, entry: bytes) -> list[tuple[TileId, bytes]]:
        """Append an entry.

        Args:
            entry: at most 65,535 bytes.

        Returns:
            The tiles that are full now, with their bytes: none for 255 entries out of 256.
        """
        self._entries.append(entry)
        self._levels[0].append(leaf_hash(entry))
        self.size += 1
        if len(self._entries) < FULL_WIDTH:
            return []
        full = [(TileId(ENTRIES, (self.size - 1) // FULL_WIDTH), entry_bundle_bytes(self._entries))]
        self._entries = []
        level = 0
        while len(hashes := self._levels[level]) == FULL_WIDTH:
            index = (self.size >> (level * LEVEL_BITS)) // FULL_WIDTH - 1
            full.append((TileId(level, index), b"".join(hashes)))
            self._levels[level] = []
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(_fold(hashes))
        return full

    def partial(self) -> Iterator[tuple[TileId, bytes]]:
        """The tiles at the right edge that are not full, with their bytes."""
        if self._entries:
            yield TileId(ENTRIES, self.size // FULL_WIDTH, len(self._entries)), entry_bundle_bytes(self._entries)
        for level, hashes in enumerate(self._levels):
            if hashes:
                index = (self.size >> (level * LEVEL_BITS)) // FULL_WIDTH
                yield TileId(level, index, len(hashes)), b"".join(hashes)

    def root(self) -> bytes:
        """MTH of all entries so far (RFC 6962, section 2.1)."""
        return root_at(self.size, self._node)

    def _node(self, level: int, index: int) -> bytes:
        """A complete subtree at the right edge: the binary digits of a size, 8 of them, are one partial tile."""
        step, span = divmod(level, LEVEL_BITS)
        tile = (self.size >> (step * LEVEL_BITS)) // FULL_WIDTH
        first = (index << span) - tile * FULL_WIDTH
        return _fold(self._levels[step][first : first + (1 << span)])


def _edge(level: int, count: int, read: Callable[[TileId], bytes]) -> list[bytes]:
    """The hashes of a level that stand in its partial tile; none when the last tile is full."""
    width = count % FULL_WIDTH
    if width == 0:
        return []
    data = read(TileId(level, count // FULL_WIDTH, width))
    if len(data) != width * HASH_BYTES:
        raise EvidenceStoreError("tile_form", "the tile holds another number of hashes than its name says")
    return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


def _fold(hashes: list[bytes]) -> bytes:
    """The root over 1, 2, 4, .. 256 neighbouring subtrees of one size."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]
