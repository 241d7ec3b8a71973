"""Exact search for 256-bit rows within a Hamming radius.

Contract of every index: `search` finds every row within the radius and no other; results come
nearest first, then in the order of adding; adding the same item again adds rows to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.matching.hash_rows import BLOCK_ROWS, ROW_BYTES, HashRows, Hit, as_words, hamming

__all__ = ["BLOCK_ROWS", "ROW_BYTES", "HashIndex", "Hit", "NumpyHashIndex", "as_words", "hamming"]


class HashIndex(Protocol):
    """Rows of items, searched by Hamming distance."""

    def add(self, item: str, rows: Sequence[bytes]) -> None:
        """Add rows of 32 bytes; they are found as soon as this returns."""
        ...

    def remove(self, item: str) -> None:
        """Forget all rows of an item; an unknown item is no error."""
        ...

    def search(self, value: bytes, radius: int) -> list[Hit]:
        """All rows within the radius (0 to 256 bits): (item, number of the row in its item, distance)."""
        ...


class NumpyHashIndex(HashRows):
    """Exact scan of rows kept in memory, 40 bytes a row. Not safe for concurrent writers."""

    def search(self, value: bytes, radius: int) -> list[Hit]:
        """See `HashIndex.search`."""
        return self._hits(*self._scan(as_words(value), 0, radius))
