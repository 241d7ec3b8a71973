"""The ladder of an item or incident: collected, located, time-fixed, corroborated, reviewed. Pure.

1. A step is reached by records that a second person signed off, never by saying so: located by a geolocation,
   time-fixed by a chronolocation, corroborated by a corroboration; reviewed by a signed-off decision that it is.
2. Signed-off records that exclude one another reach nothing: two places farther apart than their uncertainty, two
   intervals without a common moment. Of an incident, only those of the same strike are compared.
3. A signed-off decision that a step does not hold takes it away.
4. The level is the highest step below which all are reached. What was reached beyond a gap is told, too.
5. Everybody who dissents is told beside the step, whatever came of it.
6. What an item has reached does not pass on to an incident, nor back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Any, Final

from pydantic import JsonValue

from app.analysis.geodesy import distance
from app.verification.bodies import moment_of
from app.verification.rules import standing, state_of
from app.verification.store import View

STEPS: Final = ("collected", "located", "time_fixed", "corroborated", "reviewed")
_BY_KIND: Final = {"located": "geolocation", "time_fixed": "chronolocation", "corroborated": "corroboration"}
_SPHERE: Final = 0.994  # a sphere is off by at most 0.56 per cent: nothing is excluded for that
_EVER: Final = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def ladder(views: Sequence[View], collected_at: str) -> dict[str, JsonValue]:
    """Where a subject stands.

    Args:
        views: all records about it.
        collected_at: when it came into the archive, RFC 3339 UTC.

    Returns:
        `level`, `steps` (each with `reached`, `records`, `why_not`, `dissent`).
    """
    steps: list[JsonValue] = [
        {"step": "collected", "reached": True, "at": collected_at, "records": [], "why_not": None, "dissent": []}
    ]
    level, gap = STEPS[0], False
    for step in STEPS[1:]:
        told = _step(step, views)
        steps.append(told)
        gap = gap or not told["reached"]
        level = level if gap else step
    return {"level": level, "steps": steps}


def history(views: Sequence[View], collected_at: str) -> list[JsonValue]:
    """Each change of the level, oldest first: what brought it, by whom, and the level after it."""
    moments: list[tuple[str, str, str, str]] = []
    for view in views:
        moments += [(one.created_at, view.row.id, f"version {one.number}", one.author.name) for one in view.versions]
        moments += [
            (one.created_at, view.row.id, f"{one.decision} of version {one.version}", one.reviewer.name)
            for one in view.reviews
        ]
    level: JsonValue = STEPS[0]
    told: list[JsonValue] = [{"at": collected_at, "level": level, "record": None, "what": "collected", "by": None}]
    for at, record, what, by in sorted(moments):
        now = ladder([seen for view in views if (seen := _as_of(view, at)) is not None], collected_at)["level"]
        if now != level:
            told.append({"at": at, "level": now, "record": record, "what": what, "by": by})
            level = now
    return told


def _as_of(view: View, at: str) -> View | None:
    versions = [one for one in view.versions if one.created_at <= at]
    if not versions:
        return None
    reviews = [one for one in view.reviews if one.created_at <= at]
    return View(view.row, versions, view.digests[: len(versions)], reviews)


def _step(step: str, views: Sequence[View]) -> dict[str, Any]:
    decisions = [view for view in views if view.row.kind == "status" and view.newest.body.get("step") == step]
    own = [view for view in views if view.row.kind == _BY_KIND.get(step)]
    if step == "reviewed":
        own = [view for view in decisions if view.newest.body.get("holds") is True]
    against = [view for view in decisions if view.newest.body.get("holds") is False]
    approved = [view for view in own if _state(view) == "approved"]
    taken = [view for view in against if _state(view) == "approved"]
    excluding = _excluding(step, approved)
    why = None
    if taken:
        why = "a signed-off decision says that it does not hold"
    elif excluding:
        why = f"signed-off records exclude one another: {', '.join(excluding)}"
    elif not approved:
        why = "no record of it" if not own else f"not signed off: {', '.join(sorted({_state(view) for view in own}))}"
    return {
        "step": step,
        "reached": why is None,
        "at": None if why else min(_signed_at(view) for view in approved),
        "records": [
            {"id": view.row.id, "ref": view.row.ref, "kind": view.row.kind, "state": _state(view)}
            for view in [*own, *against]
        ],
        "why_not": why,
        "dissent": [
            {"record": view.row.id, "by": one.reviewer.name, "decision": one.decision, "comment": one.comment}
            for view in [*own, *against]
            for one in standing(view.versions, view.reviews)
            if one.decision != "approve"
        ],
    }


def _state(view: View) -> str:
    return state_of(view.versions, view.reviews)


def _signed_at(view: View) -> str:
    return min(one.created_at for one in standing(view.versions, view.reviews))


def _excluding(step: str, views: Sequence[View]) -> list[str]:
    """Ids for people of records that cannot all be right."""
    apart = {"located": _places_exclude, "time_fixed": _times_exclude}.get(step)
    found: set[str] = set()
    for first, second in combinations(views, 2) if apart else ():
        one: dict[str, Any] = first.newest.body
        other: dict[str, Any] = second.newest.body
        if apart is not None and one.get("strike") == other.get("strike") and apart(one, other):
            found |= {first.row.ref, second.row.ref}
    return sorted(found)


def _places_exclude(one: dict[str, Any], other: dict[str, Any]) -> bool:
    here, there = one["position"], other["position"]
    allowed = [here.get("uncertainty_m"), there.get("uncertainty_m")]
    if None in allowed:
        return False  # how far it may be off is not known: nothing is excluded
    between = distance(float(here["lat"]), float(here["lon"]), float(there["lat"]), float(there["lon"]))
    return bool(between * _SPHERE > sum(allowed))


def _times_exclude(one: dict[str, Any], other: dict[str, Any]) -> bool:
    first, second = _ends(one["interval"]), _ends(other["interval"])
    return first[1] < second[0] or second[1] < first[0]


def _ends(interval: dict[str, Any]) -> tuple[datetime, datetime]:
    earliest, latest = interval.get("earliest"), interval.get("latest")
    return (
        _EVER[0] if earliest is None else moment_of(str(earliest)),
        _EVER[1] if latest is None else moment_of(str(latest)),
    )
