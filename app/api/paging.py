"""Cursor pages over lists that are short enough to be read whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from app.errors import InvalidInputError

T = TypeVar("T")


def page_of(rows: Sequence[T], key: Callable[[T], str], cursor: str | None, limit: int) -> tuple[list[T], str | None]:
    """The rows after the cursor, and the cursor of the page after them.

    Args:
        rows: all rows, in their order.
        key: a row's unique id; the cursor is the last row's.
        cursor: from the page before; None for the first.
        limit: at most so many.

    Raises:
        InvalidInputError: `bad_cursor`.
    """
    start = 0
    if cursor is not None:
        ids = [key(row) for row in rows]
        if cursor not in ids:
            raise InvalidInputError("bad_cursor", "this cursor was not made by this service")
        start = ids.index(cursor) + 1
    page = list(rows[start : start + limit])
    return page, key(page[-1]) if start + limit < len(rows) else None
