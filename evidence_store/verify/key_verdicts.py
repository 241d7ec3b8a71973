"""Was a key to be believed when it signed? Verdicts of the archive's key history, as findings.

Two may tell of a key's fate: the history in the bundle, which whoever made the bundle may have cut short, and the
caller's trust file. The worse of their verdicts counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store.log.cosignature import format_cosigner_vkey
from evidence_store.log.note import format_vkey
from evidence_store.trust import CA, REFUSED, SEAL, KeyRecord, Verdict, key_of_certificate
from evidence_store.verify.context import Verification
from evidence_store.verify.facts import KeyUsed, rfc3339
from evidence_store.verify.seals import OpenedSeal
from evidence_store.verify.stamps import earliest, is_too_early, log_stamps

MAX_KEYS_TOLD = 200
"""Keys that the report lists; an archive has a handful."""


def fingerprint(certificate: x509.Certificate) -> str:
    """How the history names a certificate's key."""
    return key_of_certificate(certificate.public_bytes(Encoding.DER))


def receipt_roots(run: Verification) -> Sequence[x509.Certificate]:
    """CA certificates that receipts are checked against.

    Receipts may be older than the archive's present CA. A former one need not be in the caller's trust file, when the
    seal over the bundle stands under a CA that is, and the log's key history introduces the former one: then both the
    holder of a trusted key and the log vouch for it. The seal over the bundle itself never rests on such a one.
    """
    if run.trust is None or not run.trust.roots or run.seal is None or run.history is None:
        return run.roots
    if not run.passed("seal", "checkpoint", "custody", "proofs"):
        return run.roots
    vouched = [each for each in run.bundled_cas if run.history.find(CA, fingerprint(each)) is not None]
    return [*run.roots, *(each for each in vouched if each not in run.roots)]


def judge_seal(run: Verification, place: str, seal: OpenedSeal, proven: datetime | None) -> None:
    """Judge the keys behind a seal, and note them.

    Args:
        run: this run.
        place: the seal's file.
        seal: verified.
        proven: a time by which it existed according to a trusted time stamp, or None.
    """
    own, above = fingerprint(seal.info.certificate), fingerprint(seal.authority)
    use, verdict = SEAL, None
    if proven is not None and is_too_early(run, place, proven, seal.claimed):
        proven = None
    introduced = earliest(log_stamps(run))
    if run.history is not None:
        use, verdict = run.history.judge_seal(own, above, seal.claimed, proven, introduced)
        if verdict is Verdict.VALID and proven is not None and proven > seal.info.certificate.not_valid_after_utc:
            verdict = Verdict.RETIRED_UNPROVEN  # a certificate that has expired is as good as retired
    if verdict not in REFUSED:
        use, verdict = _with_fates(run, place, own, above, seal.claimed, proven, introduced, (use, verdict))
    if verdict is not None:
        key = f"{'CA' if use == CA else 'seal'} certificate {own if use == SEAL else above}"
        report_verdict(run, place, key, verdict, seal.claimed, proven)
    trusted = run.trust is not None and seal.authority in run.trust.roots
    note_key(run, SEAL, seal.info.signer, own, trusted=trusted, verdict=verdict if use == SEAL else None)
    name = seal.authority.subject.rfc4514_string()
    judged = verdict in {Verdict.VALID, Verdict.RETIRED_UNPROVEN}  # else the seal's own key was refused before
    note_key(run, CA, name, above, trusted=trusted, verdict=verdict if use == CA else Verdict.VALID if judged else None)


def judge_log_key(
    run: Verification, place: str, use: str, key: str, claimed: datetime | None, proven: datetime | None
) -> None:
    """Judge a key of the log that signed the checkpoint, and note it.

    Args:
        run: this run.
        place: the file with the signature.
        use: `LOG` or `PQ`.
        key: the verifier key's text.
        claimed: when the signature says, or must, have been made, by the archive's clock.
        proven: a time by which it existed according to a trusted time stamp, or None.
    """
    name, _, rest = key.partition("+")
    trusted = key in _trusted_log_keys(run)
    verdict = None
    record = run.history.find(use, key) if run.history is not None else None
    if proven is not None and is_too_early(run, place, proven, record.introduced if record is not None else None):
        proven = None
    if run.history is not None:
        verdict = run.history.judge(use, key, claimed, proven)
    if verdict not in REFUSED:
        verdict = _with_fate(run, place, use, key, claimed, proven, verdict)
    if verdict is not None:
        report_verdict(run, place, f"verifier key {name}+{rest[:8]}", verdict, claimed, proven)
    note_key(run, use, name, key, trusted=trusted, verdict=verdict)


def _with_fates(
    run: Verification,
    place: str,
    own: str,
    above: str,
    claimed: datetime,
    proven: datetime | None,
    introduced: datetime | None,
    said: tuple[str, Verdict | None],
) -> tuple[str, Verdict | None]:
    """The verdict over a seal, with what the caller knows of its certificate and of the authority above it."""
    use, verdict = said
    verdict = _with_fate(run, place, SEAL, own, claimed, proven, verdict)
    if verdict in REFUSED:
        return SEAL, verdict
    record = run.history.find(SEAL, own) if run.history is not None else None
    issued = min((time for time in (proven, introduced if record else None) if time is not None), default=None)
    authority = _with_fate(run, place, CA, above, record.introduced if record is not None else claimed, issued, None)
    return (CA, authority) if authority in REFUSED else (use, verdict)


def _with_fate(
    run: Verification,
    place: str,
    use: str,
    key: str,
    claimed: datetime | None,
    proven: datetime | None,
    verdict: Verdict | None,
) -> Verdict | None:
    """The verdict of the history or, where it is worse, that of the caller's trust file."""
    fate = run.trust.fate(use, key) if run.trust is not None else None
    if fate is None:
        return verdict
    told = fate.judge(claimed, proven)
    record = run.history.find(use, key) if run.history is not None else None
    if told in REFUSED and record is not None and not _knows(record, fate) and (use, key) not in run.outdated:
        run.outdated.add((use, key))
        what = "retired" if told is Verdict.RETIRED else "compromised"
        name = key if use in {CA, SEAL} else "+".join(key.split("+")[:2])
        run.report.finding("key_history_older", place, f"By your trust file, {use} key {name} was {what}.")
    return verdict if told is Verdict.VALID else told


def _knows(record: KeyRecord, fate: KeyRecord) -> bool:
    """Whether the bundle's history tells of a key what the caller knows of it, or worse."""
    if fate.compromised is not None and (record.compromised is None or record.compromised > fate.compromised):
        return False
    return fate.retired is None or record.retired is not None


def _trusted_log_keys(run: Verification) -> list[str]:
    if run.trust is None:
        return []
    own = [format_vkey(key.name, key.public_key) for key in run.trust.log_keys]
    return own + [format_cosigner_vkey(key.name, key.algorithm, key.public_key) for key in run.trust.pq_keys]


def report_verdict(
    run: Verification, place: str, key: str, verdict: Verdict, claimed: datetime | None, proven: datetime | None
) -> None:
    """A finding, unless the key was valid."""
    if verdict is Verdict.VALID:
        return
    if verdict in REFUSED:
        run.refused.add(place)
    says = f"It claims {rfc3339(claimed)}" if claimed is not None else "It claims no time"
    shown = f"a trusted time stamp shows that it existed at {rfc3339(proven)}" if proven is not None else ""
    hint = shown or "no trusted time stamp shows when it existed (see --tsa)"
    run.report.finding(verdict.value, place, f"Made with {key}. {says}; {hint}.")


def note_key(run: Verification, use: str, name: str, key: str, *, trusted: bool, verdict: Verdict | None) -> None:
    """Tell of a key that was used, once for each verdict."""
    used = KeyUsed(use, name, key, trusted, "" if verdict is None else verdict.value)
    if used not in run.report.facts.keys and len(run.report.facts.keys) < MAX_KEYS_TOLD:
        run.report.facts.keys.append(used)
