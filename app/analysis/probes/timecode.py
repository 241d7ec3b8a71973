"""Time code of a recording (QuickTime File Format, time code media; counting of SMPTE ST 12-1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_DROP, _MAX_24H, _NEGATIVE, _COUNTER = 1, 2, 4, 8
_MINUTE = 60


@dataclass(frozen=True)
class Timecode:
    """The first label of a time code track.

    Attributes:
        text: "10:00:00:00", with ";" before the frames where labels are dropped; None where it could not be read.
        drop_frame: labels are left out so that the code keeps pace with the clock.
        raw: the number in the track's first sample.
        frames: labels a second.
        rate: frames a second.
    """

    text: str | None
    drop_frame: bool
    raw: int | None
    frames: int
    rate: float | None

    @classmethod
    def read(cls, entry: bytes, number: int | None) -> Timecode | None:
        """From a `tmcd` sample entry after its header, and the first sample; None for an entry that is cut off."""
        if len(entry) < 25:  # noqa: PLR2004 (up to the number of frames)
            return None
        flags, scale, duration, frames = struct.unpack_from(">IIIB", entry, 12)
        drop = bool(flags & _DROP)
        rate = round(scale / duration, 6) if scale and duration else None
        if number is None or not frames:
            return cls(None, drop, number, frames, rate)
        if flags & _COUNTER:
            return cls(str(number), False, number, frames, rate)  # noqa: FBT003 (a counter drops nothing)
        signed = number - (1 << 32) if flags & _NEGATIVE and number >= 1 << 31 else number
        return cls(label(signed, frames, drop=drop, day=bool(flags & _MAX_24H)), drop, number, frames, rate)


def label(number: int, frames: int, *, drop: bool, day: bool) -> str:
    """The label of a frame number.

    Args:
        number: frames from 00:00:00:00; may be negative.
        frames: labels a second.
        drop: the first labels of each minute but the tenth are left out, two of them for 30 labels a second.
        day: the count begins again after 24 hours.
    """
    sign, count = ("-", -number) if number < 0 else ("", number)
    if drop:
        left_out = 2 * max(1, round(frames / 30))
        minute = frames * _MINUTE - left_out
        ten = minute * 10 + left_out
        tens, rest = divmod(count, ten)
        into = max(0, rest - left_out) // minute if rest >= left_out else 0
        count += left_out * (9 * tens + into)
    seconds, frame = divmod(count, frames)
    minutes, second = divmod(seconds, _MINUTE)
    hours, minute = divmod(minutes, _MINUTE)
    return f"{sign}{hours % 24 if day else hours:02d}:{minute:02d}:{second:02d}{';' if drop else ':'}{frame:02d}"
