"""What may be said of time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from evidence_store.bundle import layout
from evidence_store.verify.context import Verification
from evidence_store.verify.facts import NOT_PROVEN, PROVEN, Claim, Stamp, quoted, rfc3339
from evidence_store.verify.stamps import holds, log_stamps, seal_stamps

STRONG = frozenset({"sha512"})
"""Digest algorithms of evidence records that are said to hold should SHA-256 fail: SHA-512 or stronger."""

RECEIPTS = layout.receipt_path("").rpartition("/")[0] + "/"


@dataclass(frozen=True)
class _Coverage:
    """Which events evidence records are over.

    Attributes:
        events: how many.
        of_events: of how many.
        objects: of how many objects at least one is covered.
        of_objects: of how many.
        before: by when all of those events existed; None without any.
        signed_with: digests that the authorities signed over.
    """

    events: int
    of_events: int
    objects: int
    of_objects: int
    before: datetime | None
    signed_with: frozenset[str]


def time_claims(run: Verification, *, sealed: bool, logged: bool) -> list[Claim]:
    """One sentence for each thing that a trusted time stamp is over, and what none is over.

    Args:
        run: this run, all checks done.
        sealed: whether the claim "sealed" holds.
        logged: whether the claim "logged" holds.
    """
    claims: list[Claim] = []
    events = _best(run, log_stamps(run)) if logged else None
    if events is not None:
        text = (
            f"Every event here, and every original, receipt and file that the events name by digest, existed before "
            f"{rfc3339(events.before)}, says an authority under a root that you gave: {quoted(events.authority)}"
            f"{_lapse(run, [events])}."
        )
        claims.append(Claim("existed", text, PROVEN))
    bundle = _best(run, seal_stamps(run)) if sealed else None
    if bundle is not None:
        text = (
            f"The whole bundle was sealed before {rfc3339(bundle.before)}, says an authority under a root that you "
            f"gave: {quoted(bundle.authority)}{_lapse(run, [bundle])}."
        )
        claims.append(Claim("sealed_before", text, PROVEN))
    claims += _receipt_claims(run)
    everything = _coverage(run, lambda _: True) if logged and run.passed("renewals") else None
    if everything is not None and everything.events:
        claims.append(_renewed(run, everything))
    if events is None and bundle is None:
        claims += _untimed(run, everything)
    return claims


def _best(run: Verification, stamps: Iterable[Stamp]) -> Stamp | None:
    """The trusted time stamp to name: the earliest that still holds or, when none does, the earliest."""
    trusted = [stamp for stamp in stamps if stamp.trusted]
    return min(trusted, key=lambda stamp: (not holds(run, stamp), stamp.before), default=None)


def _lapse(run: Verification, named: list[Stamp]) -> str:
    """What to add to a claim that rests on time stamps that do not hold any more."""
    lapsed = [stamp for stamp in named if not holds(run, stamp)]
    if not lapsed:
        return ""
    until = rfc3339(min(stamp.until for stamp in lapsed))
    if len(named) == 1 and not named[0].subject.startswith(RECEIPTS):
        return f" (whose certificate expired at {until} and was not renewed: see timestamp_lapsed)"
    return f" ({len(lapsed)} of these time stamps are by certificates that have expired, the first at {until})"


def _receipt_claims(run: Verification) -> list[Claim]:
    by_receipt: dict[str, list[Stamp]] = {}
    for stamp in run.report.facts.stamps if run.passed("items") else ():
        if stamp.trusted and stamp.subject.startswith(RECEIPTS):
            by_receipt.setdefault(stamp.subject, []).append(stamp)
    best = [one for stamps in by_receipt.values() if (one := _best(run, stamps)) is not None]
    if not best:
        return []
    first, last = rfc3339(min(stamp.before for stamp in best)), rfc3339(max(stamp.before for stamp in best))
    when = f"all of these were sealed before {last}, the oldest before {first}"
    if len(best) == 1:
        when = f"it was sealed before {last}"
    whole = run.report.checked.get("receipts", 0)
    text = f"{len(best)} of {whole} receipts carry a time stamp of their own: {when}{_lapse(run, best)}."
    return [Claim("receipts_stamped", text, PROVEN)]


def _coverage(run: Verification, counts: Callable[[Stamp], bool]) -> _Coverage:
    """What the trusted evidence records that hold, and that count, are over: the oldest events of objects."""
    events = objects = 0
    befores: list[datetime] = []
    signed_with: set[str] = set()
    for about in run.chains:
        records = [(covered, stamp) for covered, stamp in run.renewed.get(about, ()) if _counts(run, stamp, counts)]
        if records:
            covered = max(covered for covered, _ in records)
            widest = min((one for number, one in records if number == covered), key=lambda one: one.before)
            events, objects = events + covered, objects + 1
            befores.append(widest.before)
            signed_with.add(widest.signed_with)
    total = sum(chain.events for chain in run.chains.values())
    return _Coverage(events, total, objects, len(run.chains), max(befores, default=None), frozenset(signed_with))


def _counts(run: Verification, stamp: Stamp, counts: Callable[[Stamp], bool]) -> bool:
    return stamp.trusted and holds(run, stamp) and counts(stamp)


def _renewed(run: Verification, everything: _Coverage) -> Claim:
    strong = _coverage(run, lambda stamp: stamp.algorithm in STRONG)
    told = strong if strong.events else everything
    before = rfc3339(told.before) if told.before is not None else "no time"
    oldest = "" if told.events == told.of_events else ", the oldest of each"
    what = f"{told.events} of {told.of_events} events, of {told.objects} of {told.of_objects} objects{oldest}"
    if not strong.events:
        text = (
            f"{what}, are also under evidence records (RFC 4998) with time stamps, which show that they existed before "
            f"{before}, should an older time stamp fail. The records use a digest weaker than SHA-512: should SHA-256 "
            "fail, they fail with it."
        )
        return Claim("renewed", text, PROVEN)
    text = (
        f"{what}, are also held by SHA-512 and time stamps (RFC 4998), which show that they existed before {before}, "
    )
    if strong.signed_with <= STRONG:
        return Claim("renewed", f"{text}should SHA-256 or an older time stamp fail.", PROVEN)
    text += "should an older time stamp fail. The authority itself signed over a digest weaker than SHA-512."
    return Claim("renewed", text, PROVEN)


def _untimed(run: Verification, covered: _Coverage | None) -> list[Claim]:
    """What no trusted time stamp is over; nothing when evidence records are over every event."""
    if covered is not None and covered.events:
        left, whole = covered.of_events - covered.events, covered.of_events
        text = f"Not shown: when the other {left} of {whole} events existed. No trusted time stamp is over them."
        return [Claim("limit_time", text, NOT_PROVEN)] if left else []
    if not run.report.facts.stamps:
        text = "Not shown: any time. All times are the archive's own clock; there is no trusted time stamp."
    elif not run.anchors.time_roots:
        names = ", ".join(sorted({quoted(stamp.authority) for stamp in run.report.facts.stamps}))
        text = (
            "Not shown: any time. You named no authority that you trust for time (--tsa), and anyone could have made "
            f"one of his own. There are time stamps of {names}."
        )
    else:
        text = "Not shown: when the events existed. No time stamp over them stands under a root that you gave."
    return [Claim("limit_time", text, NOT_PROVEN)]
