"""Trusted time on SQLite and on PostgreSQL: what is stamped, what is handed out, and what is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.clock import rfc3339
from app.custody.log_store import tree_size
from app.intake.stamping import backfill_receipts, stamped_seal
from app.timestamps.authorities import Authorities
from app.timestamps.models import TimestampRow
from app.timestamps.service import receipt_subject
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import seal_imprint, seal_tokens, verify_seal, without_tokens
from evidence_store.timestamps.token import verify_token
from tests.archives import events_of
from tests.checks import audit
from tests.databases import BACKENDS
from tests.stamping import Scene, staged


@pytest.fixture(params=BACKENDS)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """On each kind of database."""
    with staged(tmp_path, request.param) as made:
        yield made


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Scene]:
    """On SQLite, for what the database has no part in."""
    with staged(tmp_path, "sqlite") as made:
        yield made


def test_receipt_and_checkpoint_are_stamped_by_two_authorities_under_different_roots(scene: Scene) -> None:
    one, two = scene.tsa("one"), scene.tsa("two")
    receipt = scene.deposit().receipt
    assert receipt is not None
    scene.stamps.work()
    newest = scene.newest()
    subjects = {
        receipt_subject(receipt.item_id): seal_imprint(receipt.seal),
        f"checkpoint:{newest.size}": hashlib.sha256(newest.note).digest(),
    }
    for subject, imprint in subjects.items():
        tokens = scene.stamps.tokens(subject)
        assert tokens.keys() == {"one", "two"}
        for mine, other in ((one, two), (two, one)):
            der = tokens["one" if mine is one else "two"]
            token = verify_token(der, imprint, "sha256", mine.roots)
            with pytest.raises(EvidenceStoreError) as caught:
                verify_token(der, imprint, "sha256", other.roots)
            assert caught.value.code == "timestamp_untrusted"
            states = {state.tsa: state for state in scene.stamps.states(subject)}
            assert states["one" if mine is one else "two"].gen_time == rfc3339(token.gen_time)
    assert {row.state for row in scene.rows()} == {"done"}


def test_whole_response_is_stored_and_the_receipt_is_handed_out_as_cades_t(scene: Scene) -> None:
    tsa = scene.tsa()
    receipt = scene.deposit().receipt
    assert receipt is not None
    assert stamped_seal(scene.stamps, receipt) == receipt.seal
    scene.stamps.work()
    handed_out = stamped_seal(scene.stamps, receipt)
    ca = scene.services.archive.seal_key().authority
    info = verify_seal(handed_out, receipt.statement, [ca])
    (token,) = info.tokens
    assert verify_token(token, seal_imprint(handed_out), "sha256", tsa.roots)
    assert without_tokens(handed_out) == receipt.seal
    (row,) = [row for row in scene.rows() if row.subject.startswith("receipt:")]
    assert row.response in tsa.answers


def test_log_does_not_grow_by_being_stamped(scene: Scene) -> None:
    scene.tsa()
    scene.deposit()
    with scene.services.archive.db.read() as session:
        before = tree_size(session)
    scene.stamps.work()
    scene.stamps.retry()
    scene.stamps.work()
    with scene.services.archive.db.read() as session:
        assert tree_size(session) == before


def test_archive_without_authorities_asks_for_nothing(scene: Scene) -> None:
    receipt = scene.deposit().receipt
    assert receipt is not None
    scene.stamps.work()
    assert scene.rows() == []
    assert scene.stamps.states(receipt_subject(receipt.item_id)) == []
    assert stamped_seal(scene.stamps, receipt) == receipt.seal
    assert scene.stamps.authorities() == []


def test_receipts_are_left_out_where_that_is_set(lite: Scene) -> None:
    lite.tsa()
    object.__setattr__(lite.services.archive.settings, "timestamp_receipts", False)
    lite.deposit()
    lite.stamps.work()
    assert [row.subject for row in lite.rows()] == [f"checkpoint:{lite.newest().size}"]


def test_checkpoints_are_stamped_now_and_then_and_the_last_one_always(scene: Scene) -> None:
    scene.tsa()
    scene.deposit(b"one")
    scene.stamps.work()
    first = scene.newest().size
    scene.deposit(b"two")
    scene.deposit(b"three")
    scene.stamps.work()
    asked = [row.subject for row in scene.rows() if row.subject.startswith("checkpoint:")]
    assert asked == [f"checkpoint:{first}"]  # the minute is not over
    scene.clock.wait(61)
    scene.stamps.work()
    scene.stamps.work()
    asked = [row.subject for row in scene.rows() if row.subject.startswith("checkpoint:")]
    assert asked == [f"checkpoint:{first}", f"checkpoint:{scene.newest().size}"]
    scene.clock.wait(61)
    scene.stamps.work()
    assert len([row for row in scene.rows() if row.subject.startswith("checkpoint:")]) == 2


def test_checkpoints_do_not_pile_up_while_an_authority_is_down(scene: Scene) -> None:
    tsa = scene.tsa()
    tsa.stop()
    for number in range(3):
        scene.deposit(bytes([number]))
        scene.clock.wait(3600)
        scene.stamps.work()
    waiting = [row for row in scene.rows() if row.subject.startswith("checkpoint:")]
    assert len(waiting) == 1
    tsa.start()
    scene.clock.wait(3600)
    scene.stamps.work()
    scene.stamps.work()
    done = [row.subject for row in scene.rows() if row.subject.startswith("checkpoint:") and row.state == "done"]
    assert done[-1] == f"checkpoint:{scene.newest().size}"
    assert len(done) == 2


# Now, for an export


def test_obtaining_asks_at_once_whatever_the_delay(scene: Scene) -> None:
    tsa = scene.tsa()
    tsa.stop()
    receipt = scene.deposit().receipt
    assert receipt is not None
    subject = receipt_subject(receipt.item_id)
    scene.stamps.work()
    (state,) = scene.stamps.obtain(subject, 5)
    assert state.state == "pending"
    tsa.start()
    (state,) = scene.stamps.obtain(subject, 5)
    assert state.state == "done"
    assert scene.stamps.obtain(subject, 5) == [state]
    assert scene.stamps.obtain("checkpoint:999", 5) == []


def test_obtaining_does_not_wait_longer_than_it_may(lite: Scene) -> None:
    slow, quick = lite.tsa("slow"), lite.tsa("quick")
    slow.mode, slow.slow_seconds = "slow", 120.0
    receipt = lite.deposit().receipt
    assert receipt is not None
    states = lite.stamps.obtain(receipt_subject(receipt.item_id), 2.0)
    assert {state.tsa: state.state for state in states} == {"quick": "done", "slow": "pending"}
    assert len(quick.requests) == 1
    assert [state.state for state in lite.stamps.obtain(receipt_subject(receipt.item_id), 0)] == ["done", "pending"]
    slow.stop()


def test_receipts_from_before_are_stamped_when_asked_for(scene: Scene) -> None:
    deposits = [scene.deposit(bytes([number])) for number in range(3)]
    scene.tsa("one")
    scene.stamps.work()
    assert [row.subject.partition(":")[0] for row in scene.rows()] == ["checkpoint"]
    assert backfill_receipts(scene.services.archive, scene.stamps) == 3
    assert backfill_receipts(scene.services.archive, scene.stamps) == 0
    scene.tsa("two")
    assert backfill_receipts(scene.services.archive, scene.stamps) == 3
    scene.stamps.work()
    for made in deposits:
        assert scene.states(receipt_subject(made.item.id)) == {"one": "done", "two": "done"}
        assert made.receipt is not None
        assert len(seal_tokens(stamped_seal(scene.stamps, made.receipt))) == 2


def test_damaged_stored_response_is_left_out_of_what_is_handed_out(lite: Scene) -> None:
    lite.tsa()
    receipt = lite.deposit().receipt
    assert receipt is not None
    lite.stamps.work()
    subject = receipt_subject(receipt.item_id)
    row = next(row for row in lite.rows() if row.subject == subject)
    whole = row.response
    for damaged in (b"nothing", None):
        _store(lite, row, damaged)
        assert lite.stamps.tokens(subject) == {}
        assert stamped_seal(lite.stamps, receipt) == receipt.seal
    foreign = next(one.response for one in lite.rows() if one.subject != subject)
    _store(lite, row, foreign)
    assert stamped_seal(lite.stamps, receipt) == receipt.seal
    _store(lite, row, whole)
    assert stamped_seal(lite.stamps, receipt) != receipt.seal


def _store(scene: Scene, row: TimestampRow, response: bytes | None) -> None:
    with scene.services.archive.db.write() as session:
        session.get_one(TimestampRow, row.id).response = response


def test_audit_is_recorded_although_its_time_stamp_cannot_even_be_asked_for(scene: Scene) -> None:
    scene.tsa()
    scene.stamps.configured = Authorities(scene.folder / ("a name that no file system takes " * 20), dict)
    with pytest.raises(EvidenceStoreError):
        scene.stamps.configured.names()
    report = audit(scene.services)
    assert "audit_not_recorded" not in {finding["code"] for finding in report["findings"]}
    assert [event.type for event in events_of(scene.services, scene.services.archive.about)][-1] == "fixity check"
    assert scene.stamps.states(f"audit:{report['id']}") == []
