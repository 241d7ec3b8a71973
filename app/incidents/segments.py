"""Which part of an item is meant: seconds, a region of the picture, or both, as text in one form. Pure.

12.5            a moment, in seconds from the start
12.5-19         a stretch; 0:12.5-0:19 and 1:02:03 are read, too
10,20,300,200   a region: left, top, width, height, in pixels of the picture as it is shown
12.5-19@10,20,300,200
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from app.errors import InvalidInputError

MAX_SEGMENT = 200
_CLOCK = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,2}):)?(\d{1,6}(?:\.\d{1,6})?)", re.ASCII)
_REGION = re.compile(r"(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})", re.ASCII)
_SIXTY = 60


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of an item.

    Attributes:
        start_s: first second; None when no time is given.
        end_s: last second, not before the first.
        region: left, top, width, height in pixels, or None.
    """

    start_s: Decimal | None
    end_s: Decimal | None
    region: tuple[int, int, int, int] | None

    def __str__(self) -> str:
        when = "" if self.start_s is None else _number(self.start_s)
        if self.end_s is not None and self.end_s != self.start_s:
            when += f"-{_number(self.end_s)}"
        where = "" if self.region is None else ",".join(str(one) for one in self.region)
        return "@".join(part for part in (when, where) if part)


def parse_segment(text: str) -> Segment:
    """A segment from text.

    Raises:
        InvalidInputError: `bad_segment`.
    """
    if len(text) > MAX_SEGMENT:
        raise _bad()
    when, at, where = text.replace(" ", "").rpartition("@")
    if at and not (when and where):
        raise _bad()
    if not at and "," not in where:
        when, where = where, ""
    if not (when or where):
        raise _bad()
    region = _region(where) if where else None
    if not when:
        return Segment(None, None, region)
    first, dash, last = when.partition("-")
    start = _seconds(first)
    end = _seconds(last) if dash else start
    if end < start:
        raise _bad()
    return Segment(start, end, region)


def _region(text: str) -> tuple[int, int, int, int]:
    found = _REGION.fullmatch(text)
    if found is None:
        raise _bad()
    left, top, width, height = (int(one) for one in found.groups())
    if not (width and height):
        raise _bad()
    return left, top, width, height


def _seconds(text: str) -> Decimal:
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise _bad()
    hours, minutes, seconds = found.groups()
    value = Decimal(seconds)
    if (minutes is not None and value >= _SIXTY) or (hours is not None and int(minutes) >= _SIXTY):
        raise _bad()
    return value + _SIXTY * int(minutes or 0) + _SIXTY * _SIXTY * int(hours or 0)


def _number(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _bad() -> InvalidInputError:
    return InvalidInputError(
        "bad_segment", "a part of an item is seconds (12.5-19), a region (x,y,width,height), or both (12.5-19@x,y,w,h)"
    )
