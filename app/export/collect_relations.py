"""Collecting the relations between the items of a bundle: what was compared, decided, and belongs together.

Of other items nothing is told, not even that they are there: who receives a bundle need not know of other cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sqlmodel import Session, col, select

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
    """A file of relations for each item of a bundle, whether there are any or not.

    Args:
        sources: where they come from.
        who: the exporter.
        items: of the bundle; `into.scope` has those of all parts of its set.
        into: takes them.

    Raises:
        EnvironmentFailedError: `record_missing` when the events of two items name a decision on them that cannot be
            produced as it was.
    """
    with sources.archive.db.read() as session:
        decisions = _decisions(session, into)
    _require_every_decision(decisions, into)
    together = clusters(pair for pair, rows in decisions.items() if rows[-1].decision == CONFIRMED)
    for item in items:
        found = [view for view in sources.matching.matches_of(who, item, rejected=True) if view.item in into.scope]
        decided = {pair for pair in decisions if item in pair}
        if decided - {pair_of(item, view.item) for view in found}:
            raise record_missing(f"item {item}", "a decision is about a relation that the database does not hold")
        entries = tuple(_entry(view, decisions.get(pair_of(item, view.item), ())) for view in found)
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


def _decisions(session: Session, into: Collected) -> dict[Pair, list[MatchDecision]]:
    """The decisions between items of the scope that the events of both name as they are, oldest first."""
    found: dict[Pair, list[MatchDecision]] = {}
    for item in sorted(item for item in into.scope if into.decided[f"item:{item}"]):
        mine = select(MatchDecision).where(MatchDecision.item_id == item)
        for row in session.exec(mine.order_by(col(MatchDecision.other_id), col(MatchDecision.number))):
            said = row.decision, row.reason
            if row.other_id in into.scope and into.decided[f"item:{item}"].get(row.id) == said:
                found.setdefault((row.item_id, row.other_id), []).append(row)
    return found


def _require_every_decision(decisions: Mapping[Pair, list[MatchDecision]], into: Collected) -> None:
    """Each decision stands in the events of two items; when both are here, so must the decision be."""
    named = Counter(one for item in into.scope for one in into.decided[f"item:{item}"])
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
