"""What may be said after the checks, and what may not, in sentences for a court file."""

from __future__ import annotations

from datetime import datetime

from evidence_store.bundle import layout
from evidence_store.verify.checks_withheld import withheld_claims
from evidence_store.verify.checks_witnesses import NO_TIME
from evidence_store.verify.claims_time import time_claims
from evidence_store.verify.context import Verification
from evidence_store.verify.facts import NEVER_PROVEN, NOT_PROVEN, PROVEN, Claim, quoted, rfc3339

_NEVER = (
    Claim(
        "limit_authenticity",
        "Not shown: that a recording is authentic. The archive vouches for what it received.",
        NEVER_PROVEN,
    ),
    Claim(
        "limit_completeness",
        "Not shown: that this is all. The archive may hold later events and other items.",
        NEVER_PROVEN,
    ),
    Claim(
        "limit_age",
        "Not shown: since when anything existed. A time stamp says at the latest when, never at the earliest.",
        NEVER_PROVEN,
    ),
)
LIMIT_SET = "limit_set"
_WHOLE = frozenset({"container", "files", "manifest", "seal"})
_LOGGED = frozenset({"checkpoint", "custody", "proofs"})
_RECEIVED = _WHOLE | _LOGGED | {"items"}
_SIGNED = frozenset({layout.SEAL, layout.CHECKPOINT})
_KEYS = frozenset({"history", "items"})


def add_claims(run: Verification) -> None:
    """Add to the report each claim whose checks all passed, and always the limits."""
    failed = run.report.failed_checks
    sealed = run.seal is not None and not failed & _WHOLE and layout.SEAL not in run.refused
    # a log key that only the seal vouches for is worth what the seal is worth
    vouched = sealed or run.trust is None or bool(run.trust.log_keys)
    logged = run.checkpoint is not None and vouched and not failed & _LOGGED and layout.CHECKPOINT not in run.refused
    claims: list[Claim] = []
    if run.seal is not None and sealed:
        holder = quoted(run.seal.info.signer)
        text = f"Every file is as sealed ({_anchor(run, ca=True)}). The seal names its holder: {holder}."
        claims.append(Claim("sealed", text, PROVEN))
    if run.checkpoint is not None and logged:
        where = f"a log of {run.checkpoint.size} entries ({_anchor(run, ca=False)}): {quoted(run.checkpoint.origin)}"
        text = f"Each object's events form one unbroken chain whose head is in {where}."
        claims.append(Claim("logged", text, PROVEN))
    if not failed & _RECEIVED and not run.refused & _SIGNED and run.manifest is not None and run.manifest.items:
        text = f"Each original is the file that the archive logged and gave a receipt for ({_both_anchors(run)})."
        claims.append(Claim("received", text, PROVEN))
    claims += time_claims(run, sealed=sealed, logged=logged)
    claims += _witness_claims(run, logged=logged)
    claims += _pq_claims(run, logged=logged)
    claims += _key_claims(run, logged=logged)
    claims += withheld_claims(run)
    if unanchored := _unanchored(run):
        claims.append(Claim("limit_trust", unanchored, NOT_PROVEN))
    if run.manifest is not None and (place := run.manifest.part_of) is not None:
        text = (
            f"Not shown: the rest of the set. This is part {place.part} of {place.parts}; check all of them together "
            "with their signed list."
        )
        claims.append(Claim(LIMIT_SET, text, NOT_PROVEN))
    run.report.state([*claims, *_NEVER])


def _witness_claims(run: Verification, *, logged: bool) -> list[Claim]:
    witnesses = run.report.facts.witnesses
    names = ", ".join(sorted({quoted(witness.name) for witness in witnesses if witness.time != NO_TIME}))
    if logged and run.witnessed and names and run.anchors.policy is not None and run.passed("witnesses"):
        text = (
            "As many witnesses as your policy asks for co-signed the log's state as the newest that they had seen, so "
            f"that whoever asks them is shown the same log: {names}."
        )
        return [Claim("witnessed", text, PROVEN)]
    if witnesses and run.anchors.policy is None:
        text = (
            "Not shown: that an independent party saw the log. You named no witnesses of your own (--policy), and the "
            "archive's list of them proves nothing about who they are. There are co-signatures of "
            f"{names or 'witnesses that state no time'}."
        )
    else:
        text = "Not shown: that others were shown the same log. No witnesses that you named have co-signed it."
    return [Claim("limit_witnesses", text, NOT_PROVEN)]


def _pq_claims(run: Verification, *, logged: bool) -> list[Claim]:
    if not (logged and run.pq_signatures and run.passed("pq")):
        text = "Not shown: that the log's state is safe from a quantum computer: no ML-DSA-44 signature was verified."
        return [Claim("limit_pq", text, NOT_PROVEN)]
    if run.trust is not None and run.trust.pq_keys:
        whose = "by a key that you trust"
    elif run.trust is not None and not (run.trust.roots and run.seal is not None and run.passed(*_WHOLE)):
        text = (
            "Not shown: that the log's state is safe from a quantum computer. It is signed with ML-DSA-44, but by a "
            "key that came with the bundle, which anyone could have made: nothing that you trust vouches for it."
        )
        return [Claim("limit_pq", text, NOT_PROVEN)]
    elif run.trust is not None:
        whose = "by a key that only the seal vouches for"
    else:
        whose = "by the bundle's own key"
    return [Claim("pq_signed", f"The log's state is also signed with ML-DSA-44 ({whose}).", PROVEN)]


def _key_claims(run: Verification, *, logged: bool) -> list[Claim]:
    if run.history is None or not logged or run.report.failed_checks & _KEYS or run.checkpoint is None:
        text = "Not shown: that no key was used after it was retired or stolen. The key events here do not show it."
        return [Claim("limit_keys", text, NOT_PROVEN)]
    events = f"{len(run.key_changes)} key events in this bundle, the newest of {_newest_change(run)}"
    known = Claim(
        "keys_known",
        f"By the {events} ({_anchor(run, ca=False)}){_own_word(run)}, no key behind a seal or signature here was "
        "retired or known as stolen when it signed.",
        PROVEN,
    )
    unproven = {key.use for key in run.report.facts.keys if key.history == "key_retired_unproven"}
    text = (
        "Not shown: that no key was retired or found stolen without a word of it here. The log may hold later key "
        f"events, also among its first {run.checkpoint.size} entries: who makes a bundle can leave the newest out. "
        "A trust file of today (--trust, 'catena keys export') tells of them."
    )
    later = Claim("limit_later_keys", text, NEVER_PROVEN)
    if unproven:
        text = "Not shown: that each signature is older than the retirement of its key (see key_retired_unproven)."
        return [Claim("limit_keys", text, NOT_PROVEN), later]
    return [known, later]


def _newest_change(run: Verification) -> str:
    newest = max(event.time for event in run.key_changes)
    return f"{rfc3339(datetime.fromisoformat(newest))} by the archive's clock"


def _own_word(run: Verification) -> str:
    return " and by your trust file" if run.trust is not None and run.trust.told else ""


def _both_anchors(run: Verification) -> str:
    """What stands behind a claim that rests on seals and on the log."""
    if run.trust is None:
        return "by the bundle's own keys, which anyone could have made"
    if not run.trust.roots:
        return "logged under a key that you trust; the receipts' seals are by a key that anyone could have made"
    if not run.trust.log_keys:
        return "by a key that you trust, which also vouches for the log's key"
    return "by keys that you trust"


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
