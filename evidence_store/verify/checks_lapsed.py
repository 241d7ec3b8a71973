"""Time stamps whose certificates have expired since, by the clock of the machine that checks, and that nothing renewed.

Until its certificates expire, an authority answers for its key; after that, whoever comes by the key can stamp any past
time. A renewal (RFC 4998) that was made before, and that still holds, shows that the time stamp is older than that.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from itertools import chain

from evidence_store.verify.context import Verification
from evidence_store.verify.facts import Stamp, rfc3339
from evidence_store.verify.stamps import holds


def check_lapsed(run: Verification) -> None:
    """One warning for each authority and day of expiry, however many of its time stamps are here."""
    renewed = (stamp for records in run.renewed.values() for _, stamp in records)
    lapsed: dict[tuple[str, datetime], set[str]] = defaultdict(set)
    for stamp in chain(run.report.facts.stamps, renewed):
        if stamp.trusted and not holds(run, stamp) and not _is_receipt_renewed(run, stamp):
            lapsed[stamp.authority, stamp.until].add(stamp.subject)
    for (authority, until), subjects in sorted(lapsed.items()):
        others = f" So it is with {len(subjects) - 1} more of its time stamps." if len(subjects) > 1 else ""
        detail = f"The certificates of {authority} expired at {rfc3339(until)}.{others}"
        run.report.finding("timestamp_lapsed", min(subjects), detail)


def _is_receipt_renewed(run: Verification, stamp: Stamp) -> bool:
    """Whether a renewal that holds is over the event that names the receipt whose own time stamp this is.

    Like any renewal, it must have been made before the certificates expired (see `holds`).
    """
    known = run.bare_seals.get(stamp.subject)
    about = f"item:{stamp.subject.rpartition('/')[2].removesuffix('.json.p7s')}"
    logged = run.outputs.get((about, known.sha256)) if known is not None else None
    if logged is None:
        return False
    records = [record for covered, record in run.renewed.get(about, ()) if logged < covered]
    return any(record.trusted and record.before <= stamp.until and holds(run, record) for record in records)
