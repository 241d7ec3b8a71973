"""What may be said of time."""

from __future__ import annotations

from evidence_store.verify.context import Verification
from evidence_store.verify.facts import NOT_PROVEN, PROVEN, Claim, Stamp, rfc3339
from evidence_store.verify.stamps import log_stamps, seal_stamps


def time_claims(run: Verification, *, sealed: bool, logged: bool) -> list[Claim]:
    """One sentence for each thing that a trusted time stamp is over, and what none is over.

    Args:
        run: this run, all checks done.
        sealed: whether the claim "sealed" holds.
        logged: whether the claim "logged" holds.
    """
    claims: list[Claim] = []
    events = _first(log_stamps(run)) if logged else None
    if events is not None:
        text = (
            f"Every event here, and every original, receipt and file that the events name by digest, existed before "
            f"{rfc3339(events.time)}, says {events.authority} (under a root that you gave)."
        )
        claims.append(Claim("existed", text, PROVEN))
    bundle = _first(seal_stamps(run)) if sealed else None
    if bundle is not None:
        text = f"The whole bundle was sealed before {rfc3339(bundle.time)}, says {bundle.authority}."
        claims.append(Claim("sealed_before", text, PROVEN))
    receipts = _receipts(run)
    if receipts:
        first, last = min(stamp.time for stamp in receipts), max(stamp.time for stamp in receipts)
        subjects = len({stamp.subject for stamp in receipts})
        text = (
            f"{subjects} of {run.report.checked.get('receipts', 0)} receipts carry a time stamp of their own: those "
            f"receipts were sealed before {rfc3339(first)}"
            f"{f', the newest before {rfc3339(last)}' if subjects > 1 else ''}."
        )
        claims.append(Claim("receipts_stamped", text, PROVEN))
    renewed = _renewals(run, logged=logged)
    claims += renewed
    if events is None and bundle is None and not renewed:
        claims.append(Claim("limit_time", _untimed(run), NOT_PROVEN))
    return claims


def _first(stamps: list[Stamp]) -> Stamp | None:
    return min((stamp for stamp in stamps if stamp.trusted), key=lambda stamp: stamp.time, default=None)


def _receipts(run: Verification) -> list[Stamp]:
    here = [stamp for stamp in run.report.facts.stamps if stamp.subject.startswith("custody/receipts/")]
    return [stamp for stamp in here if stamp.trusted] if run.passed("items") else []


def _renewals(run: Verification, *, logged: bool) -> list[Claim]:
    trusted = [(size, stamp) for size, stamp in run.renewals if stamp.trusted]
    if not (logged and trusted and run.passed("renewals")):
        return []
    size, stamp = max(trusted, key=lambda pair: pair[0])
    text = (
        f"The events among the first {size} entries of the log are also held by SHA-512 and a time stamp of "
        f"{rfc3339(stamp.time)} (RFC 4998), should SHA-256 or an older time stamp fail."
    )
    return [Claim("renewed", text, PROVEN)]


def _untimed(run: Verification) -> str:
    if not run.report.facts.stamps:
        return "Not shown: any time. All times are the archive's own clock; there is no trusted time stamp."
    if not run.anchors.time_roots:
        names = ", ".join(sorted({stamp.authority for stamp in run.report.facts.stamps}))
        return (
            f"Not shown: any time. There are time stamps ({names}), but you named no authority that you trust for time "
            "(--tsa), and anyone could have made one of his own."
        )
    return "Not shown: when the events existed. No time stamp over them stands under a root that you gave."
