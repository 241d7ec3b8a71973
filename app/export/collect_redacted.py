"""Redacted copies that stand for an original that is withheld."""

from __future__ import annotations

from app.export.collected import Collected, Sources
from evidence_store.bundle.plan import ExtraFile
from evidence_store.digests import digest_stream
from evidence_store.errors import EvidenceStoreError


def collect_redacted(sources: Sources, item_id: str, into: Collected) -> None:
    """Take the copies that a second person approved and that the log names.

    Raises:
        EvidenceStoreError: `fixity_mismatch`, `blob_missing`.
    """
    about = f"item:{item_id}"
    named = into.named(about)
    for number, view in enumerate(sources.redactions.approved(item_id), 1):
        if view.row.sha256 in named:
            with sources.archive.blobs.open(view.row.sha256) as stream:
                data = stream.read()
            if digest_stream([data]).sha256 != view.row.sha256:
                raise EvidenceStoreError(
                    "fixity_mismatch", f"redacted copy {view.row.id}: other bytes than were stored"
                )
            into.files.append(ExtraFile(f"data/redacted/{item_id}.{number}.jpg", data, "redacted", about))
