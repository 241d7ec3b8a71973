"""Range and conditional requests (RFC 9110, sections 13 and 14), pure.

One range is served; a request for several, or one that cannot be parsed, gets the whole, which the
RFC allows. Entity tags are strong: a SHA-256 names the very bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,19})-([0-9]{0,19})[ \t]*", re.ASCII)
_TAGS = re.compile(r'(?:W/)?"[^"]*"')


class UnsatisfiableRangeError(Exception):
    """The range lies outside the representation (416)."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `first` to `last`, both included, of `size`."""

    first: int
    last: int
    size: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.last - self.first + 1

    @property
    def content_range(self) -> str:
        """The Content-Range field (section 14.4)."""
        return f"bytes {self.first}-{self.last}/{self.size}"


def requested_range(header: str | None, if_range: str | None, etag: str, size: int) -> ByteRange | None:
    """The one range that a request asks for; None for the whole.

    Args:
        header: the Range field.
        if_range: the If-Range field: with another tag than the current one the range is ignored; a
            date never matches, since the archive gives none.
        etag: current entity tag, quoted.
        size: of the representation, in bytes.

    Raises:
        UnsatisfiableRangeError: nothing of the range exists.
    """
    if header is None or (if_range is not None and if_range.strip() != etag):
        return None
    match = _ONE_RANGE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        suffix = int(match[2])
        if suffix == 0 or size == 0:
            raise UnsatisfiableRangeError
        return ByteRange(max(0, size - suffix), size - 1, size)
    first = int(match[1])
    last = size - 1 if match[2] == "" else int(match[2])
    if last < first and match[2] != "":
        return None
    if first >= size:
        raise UnsatisfiableRangeError
    return ByteRange(first, min(last, size - 1), size)


def not_modified(if_none_match: str | None, etag: str) -> bool:
    """Whether If-None-Match holds the current tag (weak comparison, section 13.1.2)."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return etag in {tag.removeprefix("W/") for tag in _TAGS.findall(if_none_match)}
