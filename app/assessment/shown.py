"""Entries and reviews as the matrix shows them; nothing here decides what is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from app.assessment.groups import Sorting
from app.assessment.ledger import Line
from app.assessment.models import AssessmentReview
from app.assessment.records import review_record
from app.assessment.rules import LADDER, segment_text, side_of
from schemas.records.v1.assessment import (
    AssessmentRecord,
    ElementLinkRecord,
    ElementStateRecord,
    PanelRecord,
)

Shown = dict[str, JsonValue]


def entry_shown(line: Line) -> Shown:
    """What every entry shows: which version it is, by whom, and where it stands under four eyes."""
    record = line.record
    return {
        "thread": record.thread,
        "entry": record.entry,
        "number": record.number,
        "sha256": line.sha256,
        "author": record.author.model_dump(mode="json"),
        "created_at": record.created_at,
        "reason": record.reason,
        "catalogue_version": record.catalogue.version,
        "review": line.state,
        "reviews": [review_shown(review) for review in line.reviews],
    }


def review_shown(row: AssessmentReview) -> Shown:
    """A decision, with the digest of the seal where the archive signed it."""
    record = review_record(row)
    return {
        "review": record.review,
        "number": record.number,
        "decision": record.decision,
        "comment": record.comment,
        "supersedes": record.supersedes,
        "reviewer": record.reviewer.model_dump(mode="json"),
        "created_at": record.created_at,
        "sealed": row.seal is not None,
    }


def link_shown(line: Line, record: ElementLinkRecord, sorting: Sorting, earlier: Iterable[Line] = ()) -> Shown:
    """A link with its earlier versions; `sides_differ` tells each version's side where the catalogue's differ."""
    source, groups = record.source, sorting.by_version(record)
    sides: list[JsonValue] = [
        {"catalogue_version": number, "group": group, "side": side_of(record.direction, group)}
        for number, group in groups.items()
    ]
    return {
        **entry_shown(line),
        "element": record.element.id,
        "source": {**source.model_dump(mode="json"), "segment": segment_text(source.segment)},
        "direction": record.direction,
        "side": side_of(record.direction, *sorting.of_link(record)),
        "sides_differ": sides if len(set(groups.values())) > 1 else [],
        "weight": record.weight,
        "reasoning": record.reasoning,
        "earlier": [_version(one) for one in earlier],
    }


def state_shown(lines: Sequence[tuple[Line, ElementStateRecord]]) -> Shown:
    """Where an element stands: what people state, and `value` only where those who count agree.

    Approved statements count before others, rejected ones do not; `standing` is `reviewed`, `proposed`, `people_differ`
    or `not_stated`.
    """
    approved = [record.state for line, record in lines if line.state == "approved"]
    open_ones = [record.state for line, record in lines if line.state in {"proposed", "disputed"}]
    counted = approved or open_ones
    agreed = len(set(counted)) == 1 and not any(line.state == "disputed" for line, _ in lines)
    standing = "not_stated" if not counted else "people_differ"
    if agreed:
        standing = "reviewed" if approved else "proposed"
    stated: list[JsonValue] = [
        {**entry_shown(line), "state": record.state, "reasoning": record.reasoning} for line, record in lines
    ]
    return {"value": counted[0] if agreed else None, "standing": standing, "stated": stated}


def answer_shown(line: Line, record: PanelRecord, held: Iterable[str]) -> Shown:
    """An answer to a panel; `covers_all` is false when links came after it."""
    return {
        **entry_shown(line),
        "answer": record.answer,
        "text": record.text,
        "searches": [search.model_dump(mode="json") for search in record.searches],
        "covers_all": set(held) <= set(record.saw),
    }


def assessment_shown(
    line: Line, record: AssessmentRecord, earlier: Iterable[Line], *, basis_changed: bool | None
) -> Shown:
    """An assessment; `basis_changed` tells that something was added, changed or withdrawn after it."""
    return {
        **entry_shown(line),
        "standard": record.standard,
        "standard_means": LADDER[record.standard],
        "outcome": record.outcome,
        "reasoning": record.reasoning,
        "status": record.status,
        "applicability": record.applicability,
        "rests_on": [one.model_dump(mode="json") for one in record.rests_on],
        "basis_changed": basis_changed,
        "earlier": [_version(one) for one in earlier],
    }


def _version(line: Line) -> Shown:
    """An earlier version in short: what it said stays to be read."""
    record = line.record
    said: Shown = {}
    if isinstance(record, ElementLinkRecord):
        source = record.source
        said = {
            "direction": record.direction,
            "weight": record.weight,
            "reasoning": record.reasoning,
            "source": {**source.model_dump(mode="json"), "segment": segment_text(source.segment)},
        }
    elif isinstance(record, AssessmentRecord):
        said = {"standard": record.standard, "outcome": record.outcome, "reasoning": record.reasoning}
    return {**entry_shown(line), **said}
