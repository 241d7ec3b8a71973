"""Positions of the sun that a record rests on: computed by the archive, kept with their inputs, and computed again.

Whoever doubts a record can do the same with another program: inputs and results stand side by side. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

from pydantic import JsonValue

from app.analysis.sun import sun_at
from app.errors import InvalidInputError
from app.verification.bodies import Sun, moment_of

_TOLERANCE = 0.02  # degrees: what the equations are good for, see app.analysis.sun
_HALF_TURN, _TURN = 180.0, 360.0


def computed(asked: Sequence[Sun]) -> list[JsonValue]:
    """Where the sun stood, for each input; decimals are text, degrees.

    Raises:
        InvalidInputError: `bad_place`, `bad_time`.
    """
    return [_one(one) for one in asked]


def _one(asked: Sun) -> JsonValue:
    found = sun_at(float(asked.lat), float(asked.lon), _moment(asked.at))
    made: dict[str, JsonValue] = {
        "lat": asked.lat,
        "lon": asked.lon,
        "at": asked.at,
        "altitude": _text(found.altitude),
        "altitude_geometric": _text(found.altitude_geometric),
        "azimuth": _text(found.azimuth),
        "shadow_direction": _text(found.shadow_direction),
        "shadow_ratio": _text(found.shadow_ratio),
        "phase": found.phase,
        "by": f"astral {version('astral')}",
    }
    if asked.observed_shadow_direction is not None and found.shadow_direction is not None:
        made["shadow_differs_by"] = _text(_apart(float(asked.observed_shadow_direction), found.shadow_direction))
    if asked.observed_altitude is not None:
        made["altitude_differs_by"] = _text(abs(float(asked.observed_altitude) - found.altitude))
    return made


def repeated(stored: JsonValue) -> list[JsonValue]:
    """Each stored position computed again: what comes out today, and whether it is the same to 0.02 degrees."""
    told: list[JsonValue] = []
    for one in stored if isinstance(stored, list) else []:
        if not isinstance(one, dict):
            continue
        now: Any = _one(Sun(lat=str(one["lat"]), lon=str(one["lon"]), at=str(one["at"])))
        same = (
            all(
                abs(float(str(one[name])) - float(now[name])) <= _TOLERANCE
                for name in ("altitude", "altitude_geometric")
            )
            and _apart(float(str(one["azimuth"])), float(now["azimuth"])) <= _TOLERANCE
        )
        told.append({"stored": one, "now": now, "same": same})
    return told


def _apart(first: float, second: float) -> float:
    return abs((first - second + _HALF_TURN) % _TURN - _HALF_TURN)


def _moment(text: str) -> datetime:
    try:
        return moment_of(text)
    except ValueError:
        raise InvalidInputError("bad_time", "there is no such day or hour") from None


def _text(number: float | None) -> str | None:
    return None if number is None else f"{number:.3f}"
