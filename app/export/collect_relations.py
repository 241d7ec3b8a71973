"""Collecting the relations between the items of a bundle: what was compared, decided, and belongs together.

Of other items nothing is told, not even that they are there: who receives a bundle need not know of other cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from app.access.service import Principal
from app.export.collected import Collected, Sources, record_missing
from app.matching.models import MatchDecision
from app.matching.service import MatchView
from evidence_store.bundle.plan import ExtraFile
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.matches import DecisionEntry, MatchEntry, Matches

Pair = tuple[str, str]
CONFIRMED = "confirm"


def collect_relations(sources: Sources, who: Principal, items: Sequence[str], into: Collected) -> None:
    """A file of relations for each item, whether there are any or not.

    Raises:
        EnvironmentFailedError: `record_missing` when the events of two items of the bundle name a decision on them that
            cannot be produced.
    """
    views = {item: _views(sources, who, item, into) for item in items}
    decisions: dict[Pair, list[MatchDecision]] = {}
    for item, found in views.items():
        for view in found:
            if (pair := pair_of(item, view.item)) not in decisions:
                named = into.decided[f"item:{item}"]
                made = sources.decisions.of(who, *pair)
                decisions[pair] = [row for row in made if named.get(row.id) == (row.decision, row.reason)]
    _require_every_decision(items, decisions, into)
    standing = [pair for pair, rows in decisions.items() if rows and rows[-1].decision == CONFIRMED]
    together = clusters(standing)
    for item, found in views.items():
        entries = tuple(_entry(view, decisions[pair_of(item, view.item)]) for view in found)
        record = Matches(item=item, matches=entries, cluster=together.get(item, ())).model_dump(mode="json")
        into.files.append(ExtraFile(f"data/matches/{item}.json", canonical_bytes(record), "matches", f"item:{item}"))


def pair_of(one: str, other: str) -> Pair:
    """Two items, whichever comes first."""
    return (one, other) if one < other else (other, one)


def clusters(pairs: Iterable[Pair]) -> dict[str, tuple[str, ...]]:
    """What belongs together, directly or through others; pure.

    Returns:
        For each item of a pair, the sorted ids of all that belong together with it, its own among them.
    """
    groups: dict[str, set[str]] = {}
    for one, other in pairs:
        joined = groups.get(one, {one}) | groups.get(other, {other})
        for member in joined:
            groups[member] = joined
    return {item: tuple(sorted(group)) for item, group in groups.items()}


def _views(sources: Sources, who: Principal, item: str, into: Collected) -> list[MatchView]:
    found = sources.matching.matches_of(who, item, rejected=True)  # what was rejected was said all the same
    return [view for view in found if view.item in into.scope]


def _require_every_decision(
    items: Sequence[str], decisions: Mapping[Pair, list[MatchDecision]], into: Collected
) -> None:
    """Each decision stands in the events of two items; when both are here, so must the decision be."""
    named = Counter(one for item in items for one in into.decided[f"item:{item}"])
    produced = {row.id for rows in decisions.values() for row in rows}
    lost = sorted(one for one, times in named.items() if times > 1 and one not in produced)
    if lost:
        raise record_missing(f"decision {lost[0]}", "the log names it, and the database does not hold it as it was")


def _entry(view: MatchView, decisions: Sequence[MatchDecision]) -> MatchEntry:
    return MatchEntry(
        item=view.item,
        verdict=view.verdict,
        distance=view.distance,
        explanation=view.explanation,
        segments=tuple(view.segments),
        decisions=tuple(
            DecisionEntry(
                id=row.id,
                number=row.number,
                decision=row.decision,
                reason=row.reason,
                by=row.created_by,
                at=row.created_at,
            )
            for row in decisions
        ),
    )
