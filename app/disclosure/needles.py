"""Searching bytes for values that must not be in them: pure.

1. A value is looked for as text in UTF-8 and UTF-16, as JSON, HTML and URLs write it, in hex and in base64.
2. The search is exact: what says the same in other words is not found. Who withholds a value keeps whole records back
   that state it, and does not cut it out of them; this is the second lock, not the first.
3. Values of fewer than four bytes are not looked for: they stand everywhere by chance. Nor is the end of a UUID taken
   for one: the path of some item ends in "b.jpg" in many bundles.
"""

from __future__ import annotations

import base64
import html
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from evidence_store.bundle.shapes import UUID

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SHORTEST = 4
SHORTEST_IN_BINARY = 6
"""In a gigabyte of compressed pictures any four bytes stand by chance."""

_UUID = re.compile(UUID.encode())
_UUID_BYTES = 36
_BY_CHANCE = re.compile(rb"[0-9a-f]{1,4}(?![0-9a-f])")
_HEX = re.compile(r"[0-9a-f]{40,128}", re.ASCII)
_WORD = 8


class Needles:
    """Values, as bytes that are found in one pass whatever their number."""

    def __init__(self, values: Iterable[str], shortest: int = SHORTEST) -> None:
        """Prepare to look for values.

        Args:
            values: texts; digests in hex are looked for as bytes, too.
            shortest: forms of fewer bytes are left out.
        """
        self.forms: dict[bytes, str] = {}
        for value in values:
            for form in _forms(value):
                if len(form) >= max(SHORTEST, shortest):
                    self.forms.setdefault(form, value)
        self._longest = max(map(len, self.forms), default=0)
        self._by_start: dict[bytes, list[bytes]] = {}
        for form in self.forms:
            self._by_start.setdefault(form[: _width(form)], []).append(form)
        widths = {len(start) for start in self._by_start}
        self._tables = {width: _table(self._by_start, width) for width in (SHORTEST, _WORD) if width in widths}

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self.forms)

    def find(self, data: bytes) -> str | None:
        """The first value that stands in these bytes, or None."""
        return next(self._found(data), None)

    def find_in(self, chunks: Iterable[bytes]) -> str | None:
        """The same in a stream, across the borders of its chunks."""
        tail = b""
        for chunk in chunks:
            window = tail + chunk
            if (found := self.find(window)) is not None:
                return found
            tail = window[-self._longest - _UUID_BYTES :] if self._longest else b""
        return None

    def _found(self, data: bytes) -> Iterator[str]:
        for width, table in self._tables.items():
            for place in _places(data, width, table):
                for form in self._by_start[data[place : place + width]]:
                    if data.startswith(form, place) and not _ends_a_uuid(data, place, form):
                        yield self.forms[form]


def _ends_a_uuid(data: bytes, place: int, form: bytes) -> bool:
    """Whether what a form begins with is the end of a UUID that stands there."""
    begins = _BY_CHANCE.match(form)
    end = place + (begins.end() if begins is not None else 0)
    return begins is not None and _UUID.fullmatch(data, max(0, end - _UUID_BYTES), end) is not None


def _width(form: bytes) -> int:
    return _WORD if len(form) >= _WORD else SHORTEST


def _number(start: bytes) -> int:
    return int.from_bytes(start, "little")


def _table(starts: Iterable[bytes], width: int) -> npt.NDArray[np.uint64]:
    """The starts of one width as numbers, sorted."""
    import numpy as np  # 11 MiB, which a server needs only here

    return np.unique(np.array([_number(start) for start in starts if len(start) == width], np.uint64))


def _places(data: bytes, width: int, table: npt.NDArray[np.uint64]) -> Iterator[int]:
    """Where `width` bytes begin that stand in the table."""
    import numpy as np

    kind = np.dtype("<u8" if width == _WORD else "<u4")
    for shift in range(width):
        count = (len(data) - shift) // width
        if count <= 0:
            return
        words = np.frombuffer(data, kind, count, shift).astype(np.uint64)
        at = np.searchsorted(table, words)
        at[at == len(table)] = 0
        for hit in np.flatnonzero(table[at] == words):
            yield int(hit) * width + shift


def _forms(value: str) -> Iterator[bytes]:
    texts = {value, value.strip(), unicodedata.normalize("NFC", value), unicodedata.normalize("NFD", value)}
    texts |= {text.lower() for text in texts} | {text.upper() for text in texts}
    for text in texts:
        plain = text.encode()
        yield plain
        for written in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
            yield written.encode()
        for quotes in (True, False):  # XML leaves them as they are where it may
            yield html.escape(text, quote=quotes).encode()
        yield quote(text).encode()
        yield quote(text, safe="").encode()
        yield text.encode("utf-16-le")
        yield text.encode("utf-16-be")
        yield from _spelled(plain)
    if _HEX.fullmatch(value):
        raw = bytes.fromhex(value[: len(value) // 2 * 2])
        yield raw
        yield from _spelled(raw)


def _spelled(raw: bytes) -> Iterator[bytes]:
    """Hex, and the part of the base64 that does not depend on what stands around, wherever it begins."""
    if len(raw) < SHORTEST:
        return
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + raw)
        start, end = (0, 2, 3)[shift], -4 if (shift + len(raw)) % 3 else len(text)
        yield text[start:end]
        yield text[start:end].replace(b"+", b"-").replace(b"/", b"_")
