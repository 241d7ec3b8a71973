"""Judging time-stamp tokens, and what time they prove.

A time is proven only by an authority whose root the *caller* gave. The roots that a bundle carries show that its tokens
are whole; whoever made the bundle may have made the authority, too.

What a token proves is the time by which something existed: its genTime and, where it states one, its accuracy. A token
that is older than what it is over claims to be proves nothing: one of the two clocks was wrong, or somebody lies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509

from evidence_store.bundle import layout
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.ers import holds_until
from evidence_store.timestamps.token import TimestampToken, verify_token
from evidence_store.verify.context import Verification
from evidence_store.verify.facts import Stamp, rfc3339

T = TypeVar("T")

ALGORITHM = "sha256"
"""Digest algorithm of the imprints: that of the log and of the seals."""

TOLERANCE = timedelta(minutes=10)
"""How far the archive's clock may be ahead of an authority's. A machine's clock that nothing sets drifts a second or
two a day, so this is most of a year; the audit of the archive warns from one minute on (`clock_ahead`)."""


def judge_token(
    run: Verification, place: str, der: bytes, imprint: bytes, claimed: datetime | None = None
) -> Stamp | None:
    """Verify one token.

    Args:
        run: this run.
        place: the file that the token is about, for findings and facts.
        der: the token.
        imprint: SHA-256 of what it should be over.
        claimed: since when that exists, by its own word; None when it does not say.

    Returns:
        The time stamp, or None after the finding `timestamp_invalid` or the warning `timestamp_too_early`: such a one
        counts for nothing, and its bundle is as good as without it.
    """
    try:
        token, trusted = under_roots(
            run, lambda roots: verify_token(der, imprint, ALGORITHM, roots, run.time_intermediates)
        )
    except EvidenceStoreError as error:
        run.report.finding("timestamp_invalid", place, f"{error.code}: {error.detail}.")
        return None
    stamp = stamp_of(run, place, token, trusted=trusted)
    if is_too_early(run, place, stamp.before, claimed):
        return None
    run.report.facts.stamps.append(stamp)
    run.report.count("time stamps")
    return stamp


def under_roots(run: Verification, verify: Callable[[Sequence[x509.Certificate]], T]) -> tuple[T, bool]:
    """Verify under the roots that the caller gave and, failing that, under those that the bundle carries.

    Returns:
        What `verify` returned, and whether it did so under the caller's roots.

    Raises:
        EvidenceStoreError: of `verify`; a missing path to a root only when nothing else was wrong.
    """
    try:
        return verify(run.anchors.time_roots), True
    except EvidenceStoreError as first:
        try:
            return verify(run.own_time_roots), False
        except EvidenceStoreError as second:
            raise first if second.code == "timestamp_untrusted" else second from None


def judge_tokens(
    run: Verification, place: str, tokens: Iterable[bytes], imprint: bytes, claimed: datetime | None = None
) -> list[Stamp]:
    """Verify all tokens over one thing; those that do not verify are findings."""
    stamps = [judge_token(run, place, der, imprint, claimed) for der in tokens]
    return [stamp for stamp in stamps if stamp is not None]


def is_too_early(run: Verification, place: str, proven: datetime, claimed: datetime | None) -> bool:
    """Whether a proven time is earlier than it can be, by what is claimed; a finding then."""
    if claimed is None or claimed - proven <= TOLERANCE:
        return False
    detail = f"It existed at {rfc3339(proven)}, says its time stamp; by its own word it is of {rfc3339(claimed)}."
    run.report.finding("timestamp_too_early", place, detail)
    return True


def newest_claim(run: Verification) -> datetime | None:
    """The latest time that an event claims, by the archive's clock; None without events."""
    return datetime.fromisoformat(run.newest_event) if run.newest_event else None


def holds(run: Verification, stamp: Stamp) -> bool:
    """Whether the certificates behind a time stamp are valid today, or those of a trusted renewal that carries it.

    A renewal carries it only when it was made before those certificates expired.
    """
    carriers = (each for each in run.carried.get(stamp.digest, ()) if each.trusted and each.before <= stamp.until)
    return stamp.until >= run.now or any(each.until >= run.now for each in carriers)


def checkpoint_imprint(run: Verification) -> bytes:
    """What time stamps over the checkpoint are over: its bytes, without lines of witnesses."""
    return hashlib.sha256(run.checkpoint_note).digest()


def earliest(*groups: Iterable[Stamp]) -> datetime | None:
    """The earliest time that a trusted time stamp proves; None when none does."""
    return min((stamp.before for group in groups for stamp in group if stamp.trusted), default=None)


def log_stamps(run: Verification) -> list[Stamp]:
    """Time stamps that cover every event of the bundle, and all that the events name by digest."""
    whole = run.passed("checkpoint", "custody", "proofs")
    return run.stamps.get(layout.CHECKPOINT, []) + seal_stamps(run) if whole else seal_stamps(run)


def seal_stamps(run: Verification) -> list[Stamp]:
    """Time stamps that cover every file of the bundle."""
    whole = run.seal is not None and run.passed("container", "files", "seal")
    return run.stamps.get(layout.SEAL, []) if whole else []


def stamp_of(run: Verification, place: str, token: TimestampToken, *, trusted: bool) -> Stamp:
    """A verified token as a fact; an authority that the caller did not name is a finding, once."""
    authority = token.path[0].subject.rfc4514_string()
    if not trusted and authority not in run.unanchored:
        run.unanchored.add(authority)
        run.report.finding("tsa_not_anchored", place, f"The time stamp is by {authority}.")
    return Stamp(
        place,
        token.gen_time,
        authority,
        holds_until([token]),
        trusted,
        token.accuracy,
        token.imprint_algorithm,
        token.digest,
        hashlib.sha256(token.der).hexdigest(),
    )


def record_stamp(run: Verification, place: str, tokens: Sequence[TimestampToken], *, trusted: bool) -> Stamp:
    """The time that an evidence record proves: that of its first token, as long as the last one holds."""
    first, last = tokens[0], tokens[-1]
    return replace(
        stamp_of(run, place, first, trusted=trusted),
        until=holds_until(tokens),
        algorithm=last.imprint_algorithm,
        signed_with=last.digest,
    )
