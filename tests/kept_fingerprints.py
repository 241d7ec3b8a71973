"""Fingerprints as rows of an archive, of items that are none."""

from __future__ import annotations

from app.api.services import Services
from app.matching.kept_hashes import put_hashes
from app.matching.models import FingerprintRow
from app.matching.recipe import ALGORITHM_ID
from tests.archives import deposit


def kept(
    services: Services,
    number: int,
    data: bytes | None,
    kind: str = "photo",
    algorithm: str = ALGORITHM_ID,
    *,
    hashes: bool = True,
) -> str:
    """An item with a fingerprint, whose event has this number, with or without a row of its hashes; returns its id."""
    who = services.access.local_operator()
    case = services.evidence.case_or_none("T1") or services.evidence.create_case(who, "T1")
    item = deposit(services, who, case, b"%d" % number).item.id
    row = FingerprintRow(
        id=f"{number:036}",
        item_id=item,
        algorithm=algorithm,
        kind=kind,
        state="failed" if data is None else "done",
        data=data,
        created_at="2026-01-01T00:00:00.000000Z",
        leaf_index=number,
        row_salt="00" * 32,
    )
    with services.archive.db.write() as session:
        session.add(row)
        session.flush()
        if hashes:
            put_hashes(session.connection(), row)
    return item
