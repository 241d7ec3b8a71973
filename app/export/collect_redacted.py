"""Redacted copies that stand for an original that is withheld."""

from __future__ import annotations

from app.disclosure.redact_making import ENDINGS
from app.disclosure.withholding import REDACTED
from app.export.collected import Collected, Sources, stored_blob


def collect_redacted(sources: Sources, item_id: str, into: Collected) -> None:
    """Take the copies that a second person approved and that the log names.

    Raises:
        EnvironmentFailedError: `record_missing`.
    """
    archive, named = sources.archive, into.named(f"item:{item_id}")
    for number, view in enumerate(sources.redactions.approved(item_id), 1):
        if view.row.sha256 in named:
            path = f"data/redacted/{item_id}.{number}.{ENDINGS[view.made.media_type]}"
            with archive.db.read() as session:
                into.files.append(stored_blob(archive, session, into, item_id, view.row.sha256, path, REDACTED))
