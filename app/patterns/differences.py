"""A frozen release against today: which members changed, came or went, and why. Pure.

The release's own rule is asked again. That its rule has a newer version is said, and changes nothing here. Counts that
others published were sealed with it, so what became of them is told, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from app.patterns.counting import Counted
from schemas.records.v1.pattern import CitedEntry, FrozenReleaseRecord, Member


@dataclass(frozen=True, slots=True)
class History:
    """What was recorded of an incident since: versions with their reasons, and claims."""

    versions: Sequence[str] = ()
    claims: Sequence[str] = ()


def differences(
    release: FrozenReleaseRecord,
    today: Counted,
    history: Mapping[str, History],
    aggregates: Sequence[CitedEntry] = (),
) -> dict[str, Any]:
    """The difference report.

    Args:
        release: what was frozen.
        today: the same case counted now under the release's rule.
        history: by entry, what was recorded since; of those that did not change, nothing.
        aggregates: counts that others published, as they are cited today.

    Returns:
        `changed`: counted then and now, and restated or claimed otherwise between; `added`: counted now only; `gone`:
        counted then only; `others`: neither then nor now, and not as it was; `aggregates`: counts that others published
        and that were restated, came or went; each with `why`; and the numbers.
    """
    then = {member.entry: member for member in release.members}
    found: dict[str, list[JsonValue]] = {name: [] for name in ("changed", "added", "gone", "others")}
    for now in today.members:
        before = then.get(now.entry)
        if before == now:
            continue
        kind = _kind(before, now)
        found[kind].append(_told(before, now, history.get(now.entry, History()), today.because[now.entry]))
    here = {now.entry for now in today.members}
    lost: list[JsonValue] = [
        {"incident": member.ref, "entry": member.entry, "why": ["it is no longer in the archive: run 'catena audit'"]}
        for entry, member in then.items()
        if entry not in here
    ]
    found["gone"] += lost
    found["aggregates"] = _aggregates(release.aggregates, aggregates, history)
    same = not any(found.values())
    return {"same": same, **found, "numbers": _numbers(release.numbers, today.numbers)}


def _aggregates(
    then: Sequence[CitedEntry], now: Sequence[CitedEntry], history: Mapping[str, History]
) -> list[JsonValue]:
    before, after = {one.entry: one for one in then}, {one.entry: one for one in now}
    told: list[JsonValue] = []
    for entry, one in {**before, **after}.items():
        was, is_ = before.get(entry), after.get(entry)
        if was == is_:
            continue
        why: list[JsonValue] = [*history.get(entry, History()).versions]
        if was is None:
            why = ["it was entered after the release"]
        elif is_ is None:
            why = ["it is no longer in the archive: run 'catena audit'"]
        numbers: dict[str, JsonValue] = {
            "then": None if was is None else was.number,
            "now": None if is_ is None else is_.number,
        }
        told.append({"aggregate": one.ref, "entry": entry, **numbers, "why": why})
    return told


def _kind(before: Member | None, now: Member) -> str:
    was, is_ = before is not None and before.verdict == "included", now.verdict == "included"
    if was and is_:
        return "changed"
    if is_:
        return "added"
    return "gone" if was else "others"


def _told(before: Member | None, now: Member, history: History, because: Sequence[str]) -> JsonValue:
    why: list[JsonValue] = []
    if before is None:
        why.append("it was entered after the release")
    else:
        why += [*history.versions, *history.claims]
        if before.counted != now.counted:
            why.append(f"{now.counted} of its units are counted, not {before.counted}")
    if before is None or before.verdict != now.verdict:
        parts = "; ".join(because)
        why.append(f"under the release's rule it is {now.verdict}" + (f": {parts}" if parts else ""))
    return {
        "incident": now.ref,
        "entry": now.entry,
        "then": None if before is None else {"version": before.number, "verdict": before.verdict},
        "now": {"version": now.number, "verdict": now.verdict},
        "why": why,
    }


def _numbers(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    totals = {name: {"then": then[name], "now": now[name]} for name in ("included", "unknown", "excluded", "at_most")}
    changed: list[dict[str, Any]] = []
    for name in now["by"]:
        before = {row["key"]: row for row in then["by"].get(name, {}).get("rows", [])}
        after = {row["key"]: row for row in now["by"][name]["rows"]}
        for key in sorted({*before, *after}):
            old, new = before.get(key, {}).get("count", 0), after.get(key, {}).get("count", 0)
            if old != new:
                changed.append({"by": name, "key": key, "then": old, "now": new})
    return {**totals, "changed": changed}
