"""What may be said after the checks, and what may not, in sentences for a court file."""

from __future__ import annotations

from evidence_store.verify.context import Verification

_LIMITS = (
    ("limit_authenticity", "Not shown: that a recording is authentic. The archive vouches for what it received."),
    ("limit_time", "Not shown: any time. All times are the archive's own clock; there is no trusted timestamp."),
    ("limit_completeness", "Not shown: that this is all. The archive may hold later events and other items."),
)
_WHOLE = frozenset({"container", "files", "manifest", "seal"})


def add_claims(run: Verification) -> None:
    """Add to the report each claim whose checks all passed, and always the limits."""
    failed = run.report.failed_checks
    claims: list[tuple[str, str]] = []
    if run.seal is not None and not failed & _WHOLE:
        claims.append(("sealed", f"Every file is as sealed by {run.seal.signer} ({_anchor(run, ca=True)})."))
    if run.checkpoint is not None and not failed & {"checkpoint", "custody", "proofs"}:
        where = f"log {run.checkpoint.origin} with {run.checkpoint.size} entries ({_anchor(run, ca=False)})"
        claims.append(("logged", f"Each object's events form one unbroken chain whose head is in {where}."))
    if not failed & (_WHOLE | {"custody", "items"}) and run.manifest is not None and run.manifest.items:
        claims.append(("received", "Each original is the file that the archive logged and gave a receipt for."))
    run.report.claims = [{"code": code, "text": text} for code, text in (*claims, *_LIMITS)]


def _anchor(run: Verification, *, ca: bool) -> str:
    if run.trust is None or (ca and not run.trust.roots):
        return "by the bundle's own keys, which anyone could have made"
    if not ca and not run.trust.log_keys:
        return "by a log key that the seal vouches for"
    return "by a key that you trust"
