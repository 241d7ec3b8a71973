"""Quantisation tables of a JPEG: their digests, and the quality that fits them (ITU-T T.81 B.2.4.1 and annex K).

Encoders choose their own tables; only libjpeg and its like scale the example tables of annex K by a "quality" of
1 to 100. Where a table is exactly such a one its quality is known; else the nearest is an estimate.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Final

_ENTRIES: Final = 64
# T.81 tables K.1 and K.2 in zigzag order, as a file stores them.
_LUMINANCE: Final = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22,
    24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68,
    87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120,
    92, 101, 103, 99,
)  # fmt: skip
_CHROMINANCE: Final = (
    17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99,
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """One table: number, bits of an entry (8 or 16), entries in the file's order."""

    id: int
    bits: int
    values: tuple[int, ...]

    @property
    def data(self) -> bytes:
        """Entries as bytes: one each, two (big endian) where one is above 255."""
        width = 1 if max(self.values) < 256 else 2  # noqa: PLR2004 (one byte)
        return b"".join(value.to_bytes(width, "big") for value in self.values)

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of `data`."""
        return hashlib.sha256(self.data).hexdigest()


def read_tables(body: bytes) -> list[Table]:
    """Tables of one DQT segment; a table that is cut off ends the reading."""
    tables: list[Table] = []
    at = 0
    while at < len(body):
        wide = body[at] >> 4 != 0
        size = _ENTRIES * (2 if wide else 1)
        data = body[at + 1 : at + 1 + size]
        if len(data) < size:
            break
        values = tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, size, 2)) if wide else tuple(data)
        tables.append(Table(body[at] & 15, 16 if wide else 8, values))
        at += 1 + size
    return tables


def digest(tables: list[Table]) -> str | None:
    """One digest for all tables, by their numbers: SHA-256 over number and entries of each."""
    if not tables:
        return None
    whole = hashlib.sha256()
    for table in sorted(tables, key=lambda each: each.id):
        whole.update(bytes([table.id, len(table.data) // _ENTRIES]) + table.data)
    return whole.hexdigest()


def exact_quality(table: Table) -> int | None:
    """The quality whose scaled example table this is; None when it is none."""
    for example in (_LUMINANCE, _CHROMINANCE):
        for quality in range(100, 0, -1):
            if _scaled(example, quality) == table.values:
                return quality
    return None


def nearest_quality(table: Table) -> int:
    """The quality whose scaled luminance table is nearest in the sum of differences."""
    return min(
        range(1, 101),
        key=lambda quality: sum(abs(a - b) for a, b in zip(_scaled(_LUMINANCE, quality), table.values, strict=True)),
    )


@cache
def _scaled(example: tuple[int, ...], quality: int) -> tuple[int, ...]:
    factor = 5000 // quality if quality < 50 else 200 - 2 * quality  # noqa: PLR2004 (libjpeg's two branches)
    return tuple(min(255, max(1, (value * factor + 50) // 100)) for value in example)
