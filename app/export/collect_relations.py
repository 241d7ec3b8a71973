"""Collecting the relations between the items of a bundle: what was compared, decided, and belongs together.

Of other items these records tell nothing, not even that they are there: who receives a bundle need not know of other
cases. Events do tell how many relations were found (docs/bundle-format.md): they are in the log and stay as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from app.export.choose import pages
from app.export.collected import Collected, Sources, record_missing
from app.matching.models import MatchDecision
from app.matching.service import MatchView
from evidence_store.bundle.plan import ExtraFile
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.matches import DecisionEntry, MatchEntry, Matches

Pair = tuple[str, str]
CONFIRMED = "confirm"


@dataclass(frozen=True)
class Decided:
    """The decisions between the items of an export.

    Attributes:
        pairs: of each pair, oldest first.
        others: of each item, the others that a decision is about.
        together: of each item that belongs together with others, the sorted ids of all of them, its own among them.
    """

    pairs: Mapping[Pair, Sequence[MatchDecision]]
    others: Mapping[str, set[str]]
    together: Mapping[str, tuple[str, ...]]


def decided_among(session: Session, logged: Collected) -> Decided:
    """The decisions that the events of an export's items name; once for all parts of its set.

    Args:
        session: an open snapshot.
        logged: the events of all items of the export.

    Raises:
        EnvironmentFailedError: `record_missing` when the events of two items name a decision on them that cannot be
            produced as it was.
    """
    pairs = _decisions(session, logged)
    _require_every_decision(pairs, logged)
    others: dict[str, set[str]] = {}
    for one, other in pairs:
        others.setdefault(one, set()).add(other)
        others.setdefault(other, set()).add(one)
    together = clusters(pair for pair, rows in pairs.items() if rows[-1].decision == CONFIRMED)
    return Decided(pairs, others, together)


def collect_relations(sources: Sources, items: Sequence[str], decided: Decided, into: Collected) -> None:
    """A file of relations for each item of a bundle, whether there are any or not.

    Args:
        sources: where they come from.
        items: of the bundle; `into.scope` has those of all parts of its set. The actor may read them all.
        decided: the decisions between items of the scope.
        into: takes them.

    Raises:
        EnvironmentFailedError: `record_missing` when a decision is about a relation that is not there.
    """
    views = sources.matching.relations_among(items, into.scope)
    for item in items:
        found = views[item]
        if decided.others.get(item, set()) - {view.item for view in found}:
            raise record_missing(f"item {item}", "a decision is about a relation that the database does not hold")
        entries = tuple(_entry(view, decided.pairs.get(pair_of(item, view.item), ())) for view in found)
        record = Matches(item=item, matches=entries, cluster=decided.together.get(item, ())).model_dump(mode="json")
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
    for ids in pages(sorted(item for item in into.scope if into.decided[f"item:{item}"])):
        rows = select(MatchDecision).where(col(MatchDecision.item_id).in_(ids))
        in_order = col(MatchDecision.item_id), col(MatchDecision.other_id), col(MatchDecision.number)
        for row in session.exec(rows.order_by(*in_order)):
            said = row.decision, row.reason
            if row.other_id in into.scope and into.decided[f"item:{row.item_id}"].get(row.id) == said:
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
