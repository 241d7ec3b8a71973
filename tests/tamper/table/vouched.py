"""The tamper table, what others vouch for: keys and their history, time stamps, witnesses, renewals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

from evidence_store.bundle import layout, renewals
from evidence_store.bundle.manifest import Stamp, TimeStatement
from evidence_store.bundle.plan import BundlePlan
from evidence_store.log.note import Checkpoint, checkpoint_text, sign_note
from evidence_store.trust import KeyRecord
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.report import Report
from evidence_store.verify.trust import Anchors
from tests.attested import EARLIER, LATER, local_tsa, policy_of, renewal_files, rfc3339, verify_plan, witness
from tests.bundles import SampleArchive, fingerprint, old_plan, reseal, sample_archive, unzip, write_folder, write_plan
from tests.tsa import END

Fixture = Callable[[Path], Report]
NAMES = ("w1.example", "w2.example", "w3.example")


def _archive(name: str) -> SampleArchive:
    made = SampleArchive(f"table-{name}")
    made.deposit("a.jpg", b"a")
    return made


def _keys(name: str, change: Callable[[SampleArchive], object]) -> Fixture:
    """A bundle of an archive whose keys had a fate."""

    def fixture(folder: Path) -> Report:
        made = _archive(name)
        change(made)
        return verify_plan(made, made.plan(), folder, made.anchors)

    return fixture


def _retired_unproven(made: SampleArchive) -> None:
    former = fingerprint(made.seal_certificate)
    made.new_seal_key()
    made.introduce("seal", made.seal_certificate)
    made.change_key("retirement", "seal", former, rfc3339(LATER))


def _retired(made: SampleArchive) -> None:
    made.change_key("retirement", "seal", fingerprint(made.seal_certificate), rfc3339(EARLIER))


def _compromised(made: SampleArchive) -> None:
    made.change_key("compromise", "seal", fingerprint(made.seal_certificate), rfc3339(EARLIER))


def _not_yet(made: SampleArchive) -> None:
    made.new_seal_key()
    made.introduce("seal", made.seal_certificate, rfc3339(LATER))


def _history_malformed(made: SampleArchive) -> None:
    made.change_key("introduction", "seal", fingerprint(made.seal_certificate), material="")


def _old_bundle(folder: Path) -> Report:
    old = _archive("old")
    path = folder / "bundle.zip"
    path.write_bytes(write_plan(old_plan(old), old.bare_seal))
    return verify_bundle(path)


@cache
def _stamped() -> tuple[SampleArchive, BundlePlan]:
    made = sample_archive("table-stamped", tsas={"first": local_tsa("first")})
    return made, made.plan()


def _resealed(path: str, data: bytes) -> Fixture:
    """The holder of the seal key puts something else in a file's place."""

    def fixture(folder: Path) -> Report:
        made, plan = _stamped()
        files = unzip(write_plan(plan, made.seal)) | {path: data}
        return verify_bundle(write_folder(reseal(files, made), folder / "bundle"), made.anchors)

    return fixture


def _late(state: str) -> Fixture:
    def fixture(folder: Path) -> Report:
        late = sample_archive("table-late", tsas={"first": local_tsa("first")})
        statement = TimeStatement(["first"], [Stamp(f"checkpoint:{late.log.size}", "first", state)])
        path = folder / "bundle.zip"
        path.write_bytes(write_plan(replace(late.plan(), tokens={}, time=statement), late.bare_seal))
        return verify_bundle(path, late.anchors)

    return fixture


def _not_anchored(folder: Path) -> Report:
    made, plan = _stamped()
    return verify_plan(made, plan, folder, Anchors(made.trust))


@cache
def _witnessed() -> tuple[SampleArchive, BundlePlan]:
    made = sample_archive("table-witnessed", witnesses=[witness(name) for name in NAMES[:2]])
    return made, made.plan()


def _witnesses(needed: str | None, **changes: object) -> Fixture:
    def fixture(folder: Path) -> Report:
        made, plan = _witnessed()
        policy = None if needed is None else policy_of(NAMES, needed)
        changed = replace(plan, **changes)  # type: ignore[arg-type]
        return verify_plan(made, changed, folder, Anchors(made.trust, policy=policy))

    return fixture


def _own_quorum(folder: Path) -> Report:
    from tests.attested import policy_text

    return _witnesses(None, witness_policy=policy_text(NAMES, "all").encode())(folder)


def _cosignature_forged(folder: Path) -> Report:
    made, plan = _witnessed()
    *head, last = (plan.cosigned or b"").splitlines(keepends=True)
    forged = b"".join(head) + last[:-8] + (b"AAAA" if last[-8:-4] != b"AAAA" else b"BBBB") + last[-4:]
    files = unzip(write_plan(plan, made.seal)) | {layout.COSIGNED: forged}
    path = write_folder(reseal(files, made), folder / "bundle")
    return verify_bundle(path, Anchors(made.trust, policy=policy_of(NAMES, "any")))


def _without_second(note: bytes) -> bytes:
    return b"".join(note.splitlines(keepends=True)[:5])


def _note_with(change: Callable[[bytes], bytes], *, second_key: bool = True) -> Fixture:
    """The log's own second signature taken away or spoilt, with the proofs made again."""

    def fixture(folder: Path) -> Report:
        made = _archive("second-signature")
        note = change(made.note())
        proofs = {name: made.proof(index, note) for name, index in made.index.items()}
        trust = made.trust if second_key else replace(made.trust, pq_keys=())
        return verify_plan(made, made.plan(checkpoint=note, proofs=proofs), folder, Anchors(trust))

    return fixture


def _flipped_second(note: bytes) -> bytes:
    head, last = note[:-9], note[-9:]
    return head + (b"A" if last[:1] != b"A" else b"B") + last[1:]


def _renewal_forged(folder: Path) -> Report:
    made = SampleArchive("table-renewal")
    made.deposit("a.jpg", b"a")
    made.deposit("b.jpg", b"b")
    files = renewal_files(made, local_tsa("first"))
    first, second = (f"{renewals.renewal_folder(1)}/{renewals.record_name(f'item:{item.item}')}" for item in made.items)
    files[first] = files[second]
    plan = made.plan(renewals=files, authority_roots={"first": local_tsa("first").authority.roots_pem})
    return verify_plan(made, plan, folder, Anchors(made.trust, local_tsa("first").roots))


def _cut_history(folder: Path) -> Report:
    """The thief of the seal key leaves out the event that says so; the caller's trust file knows better."""
    made = _archive("cut-history")
    told = KeyRecord("seal", fingerprint(made.seal_certificate), "", made.started, compromised=EARLIER)
    trust = replace(made.trust, told=[told])
    return verify_plan(made, made.plan(), folder, Anchors(trust))


def _lapsed(folder: Path) -> Report:
    made, plan = _stamped()
    path = folder / "bundle.zip"
    path.write_bytes(write_plan(plan, made.seal))
    return verify_bundle(path, made.anchors, END + timedelta(days=1))


def _too_early(folder: Path) -> Report:
    tsa = replace(local_tsa("first"), at=EARLIER)
    made = SampleArchive("table-early", tsas={"first": tsa})
    made.deposit("a.jpg", b"a")
    return verify_plan(made, made.plan(), folder, made.anchors)


def _forked(folder: Path) -> Report:
    """The renewal is of a log of the same size and another root, signed with the log's own key."""
    made = SampleArchive("table-forked")
    made.deposit("a.jpg", b"a")
    honest = made.note
    text = checkpoint_text(Checkpoint(made.log_name, made.log.size, b"\x66" * 32))
    made.note = lambda: sign_note(text, made.log_name, made._log_public, made._log_signer.sign)  # type: ignore[method-assign]
    files = renewal_files(made, local_tsa("first"))
    made.note = honest  # type: ignore[method-assign]
    plan = made.plan(renewals=files, authority_roots={"first": local_tsa("first").authority.roots_pem})
    return verify_plan(made, plan, folder, Anchors(made.trust, local_tsa("first").roots))


def _plain(folder: Path) -> Report:
    made = _archive("plain")
    return verify_plan(made, made.plan(), folder, made.anchors)


FIXTURES: dict[str, Fixture] = {
    "cosignature_invalid": _cosignature_forged,
    "key_compromised": _keys("compromised", _compromised),
    "key_history_older": _cut_history,
    "key_history_malformed": _keys("malformed", _history_malformed),
    "key_history_missing": _old_bundle,
    "key_not_yet": _keys("not-yet", _not_yet),
    "key_retired": _keys("retired", _retired),
    "key_retired_unproven": _keys("unproven", _retired_unproven),
    "key_unknown": _keys("unknown", lambda made: made.new_seal_key()),
    "log_forked": _forked,
    "pq_signature_invalid": _note_with(_flipped_second),
    "pq_signature_missing": _note_with(_without_second, second_key=False),
    "pq_signature_required": _note_with(_without_second),
    "renewal_invalid": _renewal_forged,
    "renewal_none": _plain,
    "timestamp_failed": _late("failed"),
    "timestamp_invalid": _resealed(layout.token_path("first"), b"trust me"),
    "timestamp_lapsed": _lapsed,
    "timestamp_none": _plain,
    "timestamp_pending": _late("pending"),
    "timestamp_too_early": _too_early,
    "tsa_not_anchored": _not_anchored,
    "witness_quorum_unmet": _witnesses("3"),
    "witness_quorum_unmet_own": _own_quorum,
}
