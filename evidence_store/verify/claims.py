"""What may be said after the checks, and what may not, in sentences for a court file."""

from __future__ import annotations

from evidence_store.verify.context import Verification

_LIMITS = (
    ("limit_authenticity", "Not shown: that a recording is authentic. The archive vouches for what it received."),
    ("limit_time", "Not shown: any time. All times are the archive's own clock; there is no trusted timestamp."),
    ("limit_completeness", "Not shown: that this is all. The archive may hold later events and other items."),
)
_WHOLE = frozenset({"container", "files", "manifest", "seal"})
_RECEIVED = _WHOLE | {"checkpoint", "custody", "proofs", "items"}


def add_claims(run: Verification) -> None:
    """Add to the report each claim whose checks all passed, and always the limits."""
    failed = run.report.failed_checks
    sealed = run.seal is not None and not failed & _WHOLE
    claims: list[tuple[str, str]] = []
    if run.seal is not None and sealed:
        claims.append(("sealed", f"Every file is as sealed by {run.seal.signer} ({_anchor(run, ca=True)})."))
    # a log key that only the seal vouches for is worth what the seal is worth
    vouched = sealed or run.trust is None or bool(run.trust.log_keys)
    if run.checkpoint is not None and vouched and not failed & {"checkpoint", "custody", "proofs"}:
        where = f"log {run.checkpoint.origin} with {run.checkpoint.size} entries ({_anchor(run, ca=False)})"
        claims.append(("logged", f"Each object's events form one unbroken chain whose head is in {where}."))
    if not failed & _RECEIVED and run.manifest is not None and run.manifest.items:
        claims.append(("received", "Each original is the file that the archive logged and gave a receipt for."))
    limits = [*_LIMITS, ("limit_trust", _unanchored(run))] if _unanchored(run) else _LIMITS
    run.report.claims = [{"code": code, "text": text} for code, text in (*claims, *limits)]


def _anchor(run: Verification, *, ca: bool) -> str:
    if run.trust is None or (ca and not run.trust.roots):
        return "by the bundle's own keys, which anyone could have made"
    if not ca and not run.trust.log_keys:
        return "by a log key that the seal vouches for"
    return "by a key that you trust"


def _unanchored(run: Verification) -> str:
    """What no key that the caller trusts stands behind; empty when both do."""
    if run.trust is None:
        return (
            "Not shown: whose bundle this is. CA certificate and log key came with it; nothing is anchored in your own."
        )
    if not run.trust.roots:
        return (
            "Not shown: who sealed the bundle and its receipts: you trust a log key and no CA certificate. Anchored in "
            "that key are the events, and what they name by digest: originals, receipts and files made from them. Not "
            "anchored: scope, purpose, creator and claims of the manifest, README.txt, and the files covered by the "
            "seal only."
        )
    if not run.trust.log_keys:
        return (
            "Not shown: that others were shown the same log: you trust a CA certificate and no log key. Anchored in "
            "that certificate are the seals over bundle and receipts; that the events are in the archive's log rests "
            "on the word of whoever sealed."
        )
    return ""
