"""When and where a recording was made, as far as that is stated, and what that rests on. Pure.

A value is given only when its certainty is `recorded` (it stands so in the file) or `derived` (computed from recorded
values). What is inferred, contradicted or absent has no value here: it stands in the metadata record, with its reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SURE = frozenset({"recorded", "derived"})
_ZERO = "position_zero"  # the code of a position at 0, 0, which devices write for "unknown"


@dataclass(frozen=True, slots=True)
class StatedTime:
    """A time of recording.

    Attributes:
        value: RFC 3339 UTC, or local time without an offset; None when nothing sure is stated.
        utc: whether it is UTC.
        certainty: `recorded`, `derived`, `inferred`, `conflicting` or `absent`.
        basis: tool and tag, in words; empty when there is none.
    """

    value: str | None
    utc: bool
    certainty: str
    basis: str


@dataclass(frozen=True, slots=True)
class StatedPlace:
    """A place of recording: WGS84 decimal degrees as text, both or neither; its error in metres where one is stated."""

    lat: str | None
    lon: str | None
    certainty: str
    basis: str
    error_m: str | None = None


UNKNOWN_TIME = StatedTime(None, utc=False, certainty="absent", basis="")
UNKNOWN_PLACE = StatedPlace(None, None, certainty="absent", basis="")


def time_of(record: Mapping[str, Any]) -> StatedTime:
    """The time of a metadata record: UTC where it is sure, else local time, else why there is none."""
    facts = record.get("time", {})
    utc, local = facts.get("capture_utc", {}), facts.get("capture_local", {})
    for fact, is_utc in ((utc, True), (local, False)):
        if fact.get("value") is not None and fact.get("certainty") in SURE:
            return StatedTime(str(fact["value"]), is_utc, str(fact["certainty"]), str(fact.get("source") or ""))
    for fact in (utc, local):
        if fact.get("certainty", "absent") != "absent":
            return StatedTime(None, utc=False, certainty=str(fact["certainty"]), basis=str(fact.get("source") or ""))
    return UNKNOWN_TIME


def place_of(record: Mapping[str, Any]) -> StatedPlace:
    """The position of a metadata record; one at 0, 0 and one that is contradicted are no place."""
    facts = record.get("position", {})
    axes = [facts.get("lat", {}), facts.get("lon", {})]
    certainties = [str(axis.get("certainty", "absent")) for axis in axes]
    basis = str(axes[0].get("source") or "")
    if any(axis.get("value") is None for axis in axes) or not SURE.issuperset(certainties):
        unsure = [one for one in certainties if one not in SURE]
        return StatedPlace(None, None, unsure[0] if unsure else "absent", basis)
    if _ZERO in {one.get("code") for one in record.get("findings", ())}:
        return StatedPlace(None, None, "conflicting", f"{basis}: 0, 0, which devices write when they know no place")
    certainty = "derived" if "derived" in certainties else "recorded"
    error = facts.get("horizontal_error", {})
    stated = error.get("value") if error.get("certainty") in SURE else None
    return StatedPlace(
        degrees(axes[0]["value"]), degrees(axes[1]["value"]), certainty, basis, None if stated is None else str(stated)
    )


def degrees(value: float) -> str:
    """Decimal degrees as text: seven decimals, about a centimetre, and no exponent."""
    return format(value, ".7f")
