"""Keys over time, on both databases: rotated, disowned, stolen; and what old and new signatures are worth then."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from cryptography import x509
from sqlmodel import col, select

from app.custody.models import CheckpointRow
from app.errors import CatenaError, DeniedError
from app.keyring.rotation import Wish
from app.keyring.rules import trust_text
from app.keyring.service import Keyring
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import note
from evidence_store.trust import LOG, PQ, SEAL, USES
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.trust import parse_trust
from tests.archives import events_of, person
from tests.checks import assert_clean, work_off
from tests.databases import BACKENDS, fresh_database
from tests.keyrings import BEGUN, Ring, old_seal_key, sign_behind_its_back
from tests.tsa import LocalTsa, start_tsa


@pytest.fixture(params=BACKENDS)
def ring(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ring]:
    url = fresh_database(request.param, tmp_path) if request.param == "postgresql" else None
    made = Ring(tmp_path, url)
    yield made
    made.services.archive.db.close()


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Ring]:
    """On SQLite alone: what is asked has nothing to do with the database."""
    made = Ring(tmp_path)
    yield made
    made.services.archive.db.close()


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[LocalTsa]:
    authority = start_tsa(tmp_path)
    yield authority
    authority.stop()


def refused(work: object) -> str:
    """The code with which a call is refused."""
    assert callable(work)
    with pytest.raises((CatenaError, EvidenceStoreError)) as caught:
        work()
    assert isinstance(caught.value, (CatenaError, EvidenceStoreError))
    return caught.value.code


def certificate_of(receipt: object) -> str:
    """Which seal certificate a receipt was made with: the fingerprint."""
    from evidence_store.cades import parse

    return parse(receipt.seal).attributes.certificate_digest.hex()  # type: ignore[attr-defined]


def current(ring: Ring, use: str) -> str:
    record = ring.services.keyring.history().current(use)
    assert record is not None
    return record.key


def test_new_archive_tells_its_log_of_every_key(ring: Ring) -> None:
    told = events_of(ring.services, f"keys:{ring.services.archive.identity.id}")
    assert [(event.details["change"], event.details["use"]) for event in told] == [("introduction", u) for u in USES]
    assert {event.actor.id for event in told} == {"system"}
    founding = events_of(ring.services, ring.services.archive.about)[0].details
    assert current(ring, "ca") == founding["ca_sha256"]
    assert current(ring, "seal") == founding["seal_sha256"]
    assert current(ring, "log") == founding["log_vkey"]
    assert current(ring, "pq") == founding["log_mldsa_vkey"]
    ring.services.checkpoint()
    assert ring.findings("error", "warning") == set()


def test_after_every_rotation_old_receipts_new_receipts_and_the_log_verify(ring: Ring) -> None:
    receipts = [ring.deposit()]
    ring.services.checkpoint()
    for use in ("seal", "log", "pq", "ca"):
        before = {each: current(ring, each) for each in USES}
        ring.rotate(use, reason="a year has passed")
        after = {each: current(ring, each) for each in USES}
        changed = {each for each in USES if before[each] != after[each]}
        assert changed == ({"ca", "seal"} if use == "ca" else {use})
        receipts.append(ring.deposit())
        ring.services.checkpoint()
        assert certificate_of(receipts[-1]) == after["seal"]
        assert not (ring.keys / "next").exists()
        assert_clean(ring.services)
    assert len({certificate_of(receipt) for receipt in receipts}) == 3
    warned = {code for code, _ in ring.findings("warning")}
    assert warned == {"key_retired_unproven"}, "without time stamps, back-dating with an old key cannot be told"


def test_bundles_from_before_and_after_verify_with_the_trust_file_of_today(lone: Ring, tmp_path: Path) -> None:
    lone.deposit()
    work_off(lone.services)
    exports = lone.services.archive.settings.exports
    rows = [lone.services.exports.create(lone.who, case_ref="T1", purpose="before")]
    for use in ("log", "seal", "ca", "pq"):
        lone.rotate(use)
        lone.deposit()
    work_off(lone.services)
    rows.append(lone.services.exports.create(lone.who, case_ref="T1", purpose="after"))
    history = lone.services.keyring.history()
    trust = parse_trust(trust_text(history, compromised=False).encode())
    assert trust.pq_since == {key.key: key.introduced for key in history.of(PQ)}
    assert len(trust.pq_since) == 2
    for row in rows:
        report = verify_bundle(exports / f"{row.id}.zip", trust)
        found = {finding.code for finding in report.findings if finding.severity in {"error", "warning"}}
        assert found <= {"key_retired_unproven"}, report.as_text()
        assert report.checked["key changes"] == (4 if row is rows[0] else 14)
        assert report.checked["receipts"] == (1 if row is rows[0] else 5)
    assert_clean(lone.services)


def test_a_clock_set_back_after_a_rotation_makes_no_signature_that_is_older_than_its_key(
    lone: Ring, tmp_path: Path
) -> None:
    lone.clock.pass_days(1)
    for use in ("ca", "pq"):
        lone.services.keyring.rotate(lone.who, Wish(use))
    for hours in (-2, 1):
        lone.clock.pass_days(hours / 24)
        lone.deposit()
        work_off(lone.services)
    row = lone.services.exports.create(lone.who, case_ref="T1", purpose="court")
    work_off(lone.services)
    trust = parse_trust(trust_text(lone.services.keyring.history(), compromised=False).encode())
    report = verify_bundle(lone.services.archive.settings.exports / f"{row.id}.zip", trust)
    assert not [f for f in report.findings if f.code.startswith(("key_", "receipt_", "seal_"))], report.as_text()
    assert report.checked["receipts"] == 2
    assert not {code for code, _ in lone.findings("error")} & {"key_not_yet", "receipt_invalid"}


def checkpoints(ring: Ring) -> list[tuple[int, bytes]]:
    with ring.services.archive.db.read() as session:
        rows = session.exec(select(CheckpointRow).order_by(col(CheckpointRow.size)))
        return [(row.size, row.note) for row in rows]


def test_the_old_log_key_signs_its_own_retirement_and_nothing_after_it(ring: Ring) -> None:
    ring.services.checkpoint()
    old = current(ring, LOG)
    ring.rotate("log")
    new = current(ring, LOG)
    ring.deposit()
    ring.services.checkpoint()
    told = events_of(ring.services, f"keys:{ring.services.archive.identity.id}")
    assert [event.details["change"] for event in told[-2:]] == ["introduction", "retirement"]
    signers = []
    for size, signed in checkpoints(ring):
        for key in (old, new):
            try:
                note.open_checkpoint(signed, note.parse_vkey(key))
            except EvidenceStoreError:
                continue
            signers.append((size, key))
    sizes = {key: [size for size, signer in signers if signer == key] for key in (old, new)}
    retired_at = next(size for size in sizes[old] if size == max(sizes[old]))
    assert min(sizes[new]) > retired_at
    assert len(sizes[new]) == 2, "right after the rotation, and after the deposit"
    head = ring.services.archive.settings.head_file.read_bytes()
    assert note.open_checkpoint(head, note.parse_vkey(new)).size == max(sizes[new])
    assert_clean(ring.services)


def test_process_with_the_old_keys_in_memory_signs_with_the_new_ones_or_not_at_all(ring: Ring) -> None:
    other = ring.opened()
    held, log = other.archive.seal_key(), other.archive.log_key()
    ring.deposit(other)
    ring.rotate("seal")
    ring.rotate("log")
    assert refused(lambda: held.seal(b"data", ring.clock())) == "key_changed"
    assert refused(lambda: log.sign(b"text")) == "key_changed"
    assert log.cosign is not None
    assert refused(lambda: log.cosign("text")) == "key_changed"
    receipt = ring.deposit(other)
    assert certificate_of(receipt) == current(ring, SEAL)
    signed = other.checkpoint()
    note.open_checkpoint(signed, note.parse_vkey(current(ring, LOG)))
    other.archive.db.close()
    assert_clean(ring.services)


def test_head_is_signed_although_the_key_changes_between_loading_and_signing(lone: Ring) -> None:
    other = lone.opened()
    stale = other.archive.log_key()
    lone.rotate("log")
    lone.deposit()
    fresh = other.archive.log_key
    keys = iter([stale, None])
    object.__setattr__(other.archive, "log_key", lambda: next(keys) or fresh())
    note.open_checkpoint(other.checkpoint(), note.parse_vkey(current(lone, LOG)))
    other.archive.db.close()
    assert_clean(lone.services)


def test_receipt_sealed_with_a_key_after_its_retirement_is_named(ring: Ring) -> None:
    ring.deposit()
    ring.rotate("seal", keep_private=True)
    retired = ring.keys / "retired"
    key, certificate = next(retired.glob("seal-*.key")), next(retired.glob("seal-*.crt"))
    thief = old_seal_key(ring, key, certificate)
    other = ring.opened()
    object.__setattr__(other.archive, "seal_key", lambda: thief)
    ring.deposit(other)
    other.archive.db.close()
    assert ring.findings("error") == {("key_retired", f"item {ring.items[1]}")}
    work_off(ring.services)
    row = ring.services.exports.create(ring.who, case_ref="T1")
    report = verify_bundle(ring.services.archive.settings.exports / f"{row.id}.zip")
    named = {(f.code, f.subject) for f in report.findings if f.severity == "error"}
    assert named == {("key_retired", f"custody/receipts/{ring.items[1]}.json.p7s")}


def test_release_sealed_with_a_key_after_its_retirement_is_named(ring: Ring) -> None:
    services, case = ring.services, ring.services.evidence.create_case(ring.who, "COUNTS")
    services.patterns.put_rule(ring.who, case, "all", {"title": "t", "period": {"from": "2025-01-01"}})
    services.releases.freeze(ring.who, case, "before", "all")
    ring.rotate("seal", keep_private=True)
    services.releases.freeze(ring.who, case, "after", "all")
    assert ring.findings("error") == set()
    retired = ring.keys / "retired"
    thief = old_seal_key(ring, next(retired.glob("seal-*.key")), next(retired.glob("seal-*.crt")))
    other = ring.opened()
    object.__setattr__(other.archive, "seal_key", lambda: thief)
    made = other.releases.freeze(ring.who, case, "stolen", "all")
    other.archive.db.close()
    assert ring.findings("error") == {("key_retired", f"frozen_release {made.record.release}")}


def test_receipt_sealed_with_a_certificate_that_the_log_never_introduced_is_named(lone: Ring) -> None:
    from evidence_store.keys.authority import issue_seal_certificate
    from evidence_store.keys.file import generate_p256, load_private_key, save_private_key
    from tests.archives import PASSPHRASE

    identity = lone.services.archive.identity
    key = generate_p256()
    ca = x509.load_pem_x509_certificate((lone.keys / "ca.crt").read_bytes())
    ca_key = load_private_key(lone.keys / "ca.key", PASSPHRASE)
    own = issue_seal_certificate(ca, ca_key, key.public_key(), identity.org, identity.id, lone.clock())  # type: ignore[arg-type]
    save_private_key(lone.folder / "own.key", key, PASSPHRASE)
    (lone.folder / "own.crt").write_bytes(
        own.public_bytes(__import__("cryptography").hazmat.primitives.serialization.Encoding.PEM)
    )
    thief = old_seal_key(lone, lone.folder / "own.key", lone.folder / "own.crt")
    object.__setattr__(lone.services.archive, "seal_key", lambda: thief)
    lone.deposit()
    assert lone.findings("error") == {("key_unknown", f"item {lone.items[0]}")}


def test_checkpoint_signed_with_a_retired_log_key_is_named(ring: Ring) -> None:
    ring.services.checkpoint()
    ring.rotate("log", keep_private=True)
    ring.deposit()
    size = sign_behind_its_back(ring, next((ring.keys / "retired").glob("log-*.key")))
    assert ring.findings("error") == {("key_retired", f"checkpoint {size}")}


def test_stolen_seal_key_what_is_not_proven_to_be_older_does_not_count(ring: Ring, tsa: LocalTsa) -> None:
    ring.with_tsa(tsa)
    ring.deposit()
    ring.stamp(tsa, f"receipt:{ring.items[0]}")
    ring.clock.pass_days(10)
    theft = ring.clock.now
    ring.clock.pass_days(1)
    ring.deposit()
    ring.stamp(tsa, f"receipt:{ring.items[1]}")
    ring.deposit()
    assert ring.findings("error") == set()
    ring.compromise("seal", theft)
    ring.rotate("seal")
    ring.deposit()
    ring.stamp(tsa, f"receipt:{ring.items[3]}")
    guilty = {("key_compromised", f"item {item}") for item in ring.items[1:3]}
    assert ring.findings("error") == guilty


def test_time_stamp_over_the_log_proves_the_age_of_every_seal_that_it_names(ring: Ring, tsa: LocalTsa) -> None:
    ring.with_tsa(tsa)
    for _ in range(3):
        ring.deposit()
    ring.stamp_log(tsa)
    ring.clock.pass_days(1)
    ring.deposit()
    ring.rotate("seal")
    found = ring.findings("error", "warning")
    assert [code for code, _ in found if code.startswith("key_")] == ["key_retired_unproven"]
    ring.compromise("seal", ring.clock.now, key=ring.services.keyring.history().of(SEAL)[1].key[:8])
    assert ring.findings("error") == {("key_compromised", f"item {ring.items[3]}")}


def test_stolen_log_key_signs_nothing_and_its_checkpoints_count_as_far_as_they_are_stamped(
    ring: Ring, tsa: LocalTsa
) -> None:
    ring.with_tsa(tsa)
    ring.deposit()
    ring.services.checkpoint()
    ring.deposit()
    ring.stamp_log(tsa)
    ring.clock.pass_days(1)
    old = current(ring, LOG)
    ring.compromise("log", ring.clock.now)
    assert refused(ring.services.checkpoint) == "key_compromised"
    other = ring.opened()
    assert refused(other.archive.log_key) == "key_compromised"
    other.archive.db.close()
    (ring.keys / "log.key").unlink()  # it need not even be there any more
    ring.rotate("log")
    assert current(ring, LOG) != old
    ring.deposit()
    note.open_checkpoint(ring.services.checkpoint(), note.parse_vkey(current(ring, LOG)))
    assert ring.findings("error") == set(), "the time stamp covers all that the stolen key had signed"
    assert [path.name[:16] for path in (ring.keys / "retired").iterdir()] == ["compromised-log-"]


def test_stolen_log_key_without_time_stamps_leaves_its_checkpoints_without_proof(lone: Ring) -> None:
    lone.deposit()
    lone.services.checkpoint()
    old = current(lone, LOG)
    lone.compromise("log", BEGUN)
    lone.rotate("log")
    lone.deposit()
    lone.services.checkpoint()
    found = lone.findings("error")
    assert found == {("key_compromised", f"log key {'+'.join(old.split('+')[:2])}")}


def test_stolen_authority_takes_its_certificates_along_unless_the_log_was_stamped_before(
    lone: Ring, tsa: LocalTsa
) -> None:
    lone.with_tsa(tsa)
    lone.deposit()
    lone.clock.pass_days(1)
    theft = lone.clock.now
    lone.compromise("ca", theft)
    assert refused(lone.services.archive.seal_key) == "key_compromised"
    assert refused(lambda: lone.services.keyring.rotate(lone.who, Wish("seal"))) == "key_compromised"
    assert not (lone.keys / "next").exists()
    assert lone.findings("error") == {("key_compromised", f"item {lone.items[0]}")}
    lone.rotate("ca")
    assert lone.deposit() is not None
    assert lone.findings("error") == {("key_compromised", f"item {lone.items[0]}")}


def test_stamped_log_saves_the_certificates_of_a_stolen_authority(lone: Ring, tsa: LocalTsa) -> None:
    lone.with_tsa(tsa)
    lone.stamp_log(tsa)
    lone.clock.pass_days(1)
    theft = lone.clock.now
    lone.clock.pass_days(1)
    lone.deposit()
    lone.compromise("ca", theft)
    assert lone.findings("error") == set(), "the certificate is older than the theft, and its own key was not stolen"


def test_compromised_seal_key_makes_no_receipts_until_it_is_rotated_and_then_makes_up_for_them(ring: Ring) -> None:
    ring.deposit()
    ring.compromise("seal", ring.clock.now)
    assert refused(ring.services.archive.seal_key) == "key_compromised"
    assert ring.deposit() is None, "the item is kept, its receipt comes later"
    ring.rotate("seal")
    work_off(ring.services)
    receipt = ring.services.evidence.receipt(ring.items[1])
    assert certificate_of(receipt) == current(ring, SEAL)


def test_second_compromise_that_sounds_milder_changes_nothing(lone: Ring) -> None:
    lone.deposit()
    lone.clock.pass_days(5)
    lone.compromise("seal", BEGUN)
    lone.compromise("seal", lone.clock.now)
    record = lone.services.keyring.history().current(SEAL)
    assert record is not None
    assert record.compromised == BEGUN
    assert lone.findings("error") == {("key_compromised", f"item {lone.items[0]}")}


def test_only_an_admin_changes_keys_and_every_attempt_is_recorded(lone: Ring) -> None:
    for role in ("investigator", "legal", "auditor"):
        someone = person(lone.services, role, role, lone.case)
        for attempt in (
            lambda someone=someone: lone.services.keyring.rotate(someone, Wish("seal")),
            lambda someone=someone: lone.services.keyring.compromise(someone, "seal", "2026-01-01"),
        ):
            with pytest.raises(DeniedError):
                attempt()
    denied = [e for e in events_of(lone.services, lone.services.archive.about) if e.type == "access denied"]
    assert [event.details["attempted"] for event in denied] == ["key.manage"] * 6
    assert len(events_of(lone.services, f"keys:{lone.services.archive.identity.id}")) == 4


def without_history(tmp_path: Path, url: str | None) -> Ring:
    """An archive as version 0.1 made it."""
    with mock.patch.object(Keyring, "ensure_introduced", return_value=False):
        return Ring(tmp_path, url, fresh=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_older_archive_gets_its_key_history_once_and_needs_no_private_key(backend: str, tmp_path: Path) -> None:
    url = fresh_database(backend, tmp_path) if backend == "postgresql" else None
    older = without_history(tmp_path, url)
    older.deposit()
    older.services.checkpoint()
    assert older.findings("error", "warning") == {("key_history_missing", f"keys:{older.services.archive.identity.id}")}
    assert refused(lambda: older.services.keyring.rotate(older.who, Wish("seal"))) == "key_history_missing"
    for path in older.keys.glob("*.key"):
        path.rename(path.with_suffix(".away"))
    other = older.opened()
    assert other.keyring.ensure_introduced()
    assert not other.keyring.ensure_introduced()
    other.archive.db.close()
    for path in older.keys.glob("*.away"):
        path.rename(path.with_suffix(".key"))
    older.services.checkpoint()
    assert older.findings("error", "warning") == set(), "signatures from before the introduction are as good as after"
    older.rotate("log")
    older.deposit()
    older.services.checkpoint()
    assert_clean(older.services)
    older.services.archive.db.close()


def test_older_archive_with_another_key_in_its_folder_records_nothing(tmp_path: Path) -> None:
    older = without_history(tmp_path, None)
    strangers = Ring(tmp_path / "strangers")
    shutil.copy(strangers.keys / "seal.crt", older.keys / "seal.crt")
    assert refused(older.services.keyring.ensure_introduced) == "key_altered"
    assert not older.services.keyring.history().records
    assert ("key_altered", "seal.crt") in older.findings("error")
    for one in (older, strangers):
        one.services.archive.db.close()
