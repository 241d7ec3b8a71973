"""Judging time-stamp tokens, and what time they prove.

A time is proven only by an authority whose root the *caller* gave. The roots that a bundle carries show that its tokens
are whole; whoever made the bundle may have made the authority, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from cryptography import x509

from evidence_store.bundle import layout
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.token import TimestampToken, verify_token
from evidence_store.verify.context import Verification
from evidence_store.verify.facts import Stamp

T = TypeVar("T")

ALGORITHM = "sha256"
"""Digest algorithm of the imprints: that of the log and of the seals."""


def judge_token(run: Verification, place: str, der: bytes, imprint: bytes) -> Stamp | None:
    """Verify one token.

    Args:
        run: this run.
        place: the file that the token is about, for findings and facts.
        der: the token.
        imprint: SHA-256 of what it should be over.

    Returns:
        The time stamp, or None after the finding `timestamp_invalid`.
    """
    try:
        token, trusted = under_roots(
            run, lambda roots: verify_token(der, imprint, ALGORITHM, roots, run.time_intermediates)
        )
    except EvidenceStoreError as error:
        run.report.finding("timestamp_invalid", place, f"{error.code}: {error.detail}.")
        return None
    stamp = stamp_of(run, place, token, trusted=trusted)
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


def judge_tokens(run: Verification, place: str, tokens: Iterable[bytes], imprint: bytes) -> list[Stamp]:
    """Verify all tokens over one thing; those that do not verify are findings."""
    stamps = [judge_token(run, place, der, imprint) for der in tokens]
    return [stamp for stamp in stamps if stamp is not None]


def checkpoint_imprint(run: Verification) -> bytes:
    """What time stamps over the checkpoint are over: its bytes, without lines of witnesses."""
    return hashlib.sha256(run.checkpoint_note).digest()


def earliest(*groups: Iterable[Stamp]) -> datetime | None:
    """The earliest time that a trusted time stamp proves; None when none does."""
    return min((stamp.time for group in groups for stamp in group if stamp.trusted), default=None)


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
    until = min(certificate.not_valid_after_utc for certificate in token.path)
    return Stamp(place, token.gen_time, authority, until, trusted)
