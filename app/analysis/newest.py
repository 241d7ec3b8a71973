"""The newest analysis of an item, and what its record says of a recording's length."""

from __future__ import annotations

import json

from sqlmodel import Session, col, select

from app.analysis.models import AnalysisRun


def newest_analysis(session: Session, item_id: str) -> AnalysisRun | None:
    """The newest analysis, whatever came of it."""
    runs = select(AnalysisRun).where(AnalysisRun.item_id == item_id)
    return session.exec(runs.order_by(col(AnalysisRun.number).desc()).limit(1)).one_or_none()


def claimed_seconds(run: AnalysisRun | None) -> float | None:
    """How long a recording is by its metadata record; None when that does not say."""
    if run is None or run.record is None:
        return None
    said = json.loads(run.record).get("container", {}).get("duration_s", {}).get("value")
    return float(said) if isinstance(said, int | float) else None
