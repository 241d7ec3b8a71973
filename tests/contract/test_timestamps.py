"""Trusted time on SQLite and on PostgreSQL: what is asked for, what comes back, and what is never called done."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy.event
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from sqlmodel import col, select

from app.api.services import Services
from app.clock import rfc3339
from app.custody.log_store import tree_size
from app.custody.models import CheckpointRow
from app.errors import CatenaError, ConflictError, EnvironmentFailedError, InvalidInputError, NotFoundError
from app.intake.service import Deposit
from app.intake.stamping import backfill_receipts, stamped_seal
from app.timestamps import client, rules, service
from app.timestamps.authorities import Authorities
from app.timestamps.models import TimestampRow
from app.timestamps.service import LEASE_SECONDS, Timestamps, receipt_subject
from app.timestamps.stamps import StampState
from app.wiring import open_archive
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import seal_imprint, seal_tokens, verify_seal, without_tokens
from evidence_store.timestamps.token import verify_token
from tests.archives import PASSPHRASE, deposit, events_of, make_archive
from tests.checks import assert_clean, audit
from tests.databases import BACKENDS, fresh_database
from tests.tsa import LocalTsa, Mode, Wanted, authority, expired

CASE = "T1"


class Hands:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Scene:
    """An archive, a clock, and authorities that are asked."""

    services: Services
    clock: Hands
    folder: Path
    tsas: list[LocalTsa] = field(default_factory=list)

    @property
    def stamps(self) -> Timestamps:
        return self.services.timestamps

    def tsa(self, name: str = "first", *, roots: bytes | None = None, tsa: LocalTsa | None = None) -> LocalTsa:
        """A running authority that the archive asks."""
        made = tsa or LocalTsa(self.folder / name, authority(name))
        self.tsas.append(made)
        made.start()
        who = self.services.access.local_operator()
        self.stamps.add(who.actor, name, made.url, roots or made.authority.roots_pem, try_it=False)
        return made

    def deposit(self, data: bytes = b"data") -> Deposit:
        who = self.services.access.local_operator()
        case = self.services.evidence.case_or_none(CASE) or self.services.evidence.create_case(who, CASE)
        made = deposit(self.services, who, case, data)
        self.services.checkpoint()
        return made

    def rows(self) -> list[TimestampRow]:
        with self.services.archive.db.read() as session:
            return list(session.exec(select(TimestampRow).order_by(col(TimestampRow.id))))

    def states(self, subject: str) -> dict[str, str]:
        return {one.tsa: one.state for one in self.stamps.states(subject)}

    def one(self, subject: str) -> StampState:
        (found,) = self.stamps.states(subject)
        return found

    def newest(self) -> CheckpointRow:
        with self.services.archive.db.read() as session:
            return session.exec(select(CheckpointRow).order_by(col(CheckpointRow.size).desc()).limit(1)).one()


def made_at(folder: Path, backend: str) -> Scene:
    clock = Hands()
    services = make_archive(folder, fresh_database(backend, folder), clock=clock, fresh=backend != "sqlite")
    return Scene(services, clock, folder)


def made_lite(folder: Path) -> Scene:
    clock = Hands()
    return Scene(make_archive(folder, clock=clock), clock, folder)


def ended(scene: Scene) -> None:
    for tsa in scene.tsas:
        tsa.stop()
    scene.services.archive.db.close()


@pytest.fixture(params=BACKENDS)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """On each kind of database; the whole archive is checked at the end."""
    made = made_at(tmp_path, request.param)
    try:
        yield made
        assert_clean(made.services)
    finally:
        ended(made)


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Scene]:
    """On SQLite, for what the database has no part in."""
    made = made_lite(tmp_path)
    try:
        yield made
        assert_clean(made.services)
    finally:
        ended(made)


# What is stamped


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


# Down, and up again


def test_authority_down_then_up(scene: Scene) -> None:
    tsa = scene.tsa()
    tsa.stop()
    receipt = scene.deposit().receipt
    assert receipt is not None
    subject = receipt_subject(receipt.item_id)
    scene.stamps.work()
    state = scene.one(subject)
    assert (state.state, state.gen_time, state.done_at) == ("pending", None, None)
    assert state.trouble is not None
    assert state.trouble.startswith("tsa_unreachable: ConnectError")
    assert scene.stamps.tokens(subject) == {}
    assert seal_tokens(stamped_seal(scene.stamps, receipt)) == ()
    tsa.start()
    scene.stamps.work()
    assert tsa.requests == []  # it is not time yet
    scene.clock.wait(5.1)
    scene.stamps.work()
    assert scene.one(subject).state == "done"
    assert scene.one(subject).trouble is None
    assert len(seal_tokens(stamped_seal(scene.stamps, receipt))) == 1


def test_delay_grows_up_to_an_hour_and_ends_after_a_week(lite: Scene) -> None:
    tsa = lite.tsa()
    tsa.stop()
    receipt = lite.deposit().receipt
    assert receipt is not None
    subject = receipt_subject(receipt.item_id)
    object.__setattr__(lite.services.archive.settings, "timestamp_seconds", 10**9)
    delays = []
    for _ in range(12):
        before = lite.clock.now
        lite.stamps.work()
        due = datetime.fromisoformat(lite.one(subject).next_attempt_at or "")
        delays.append(round((due - before).total_seconds()))
        lite.clock.now = due
    assert delays == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    lite.clock.wait(7 * 86_400 - sum(delays) - 60)
    lite.stamps.work()
    assert lite.one(subject).state == "pending"
    lite.clock.wait(3600)
    lite.stamps.work()
    state = lite.one(subject)
    assert state.state == "failed"
    tsa.start()
    lite.clock.wait(3600)
    lite.stamps.work()
    assert lite.one(subject).state == "failed"  # nobody asks for it by itself
    assert lite.stamps.retry() >= 1
    lite.stamps.work()
    assert lite.one(subject).state == "done"


def test_authority_that_is_down_is_tried_with_one_request_and_then_gets_all_that_waited(scene: Scene) -> None:
    tsa = scene.tsa()
    tsa.mode = "error"
    for number in range(4):
        scene.deposit(bytes([number]))
    scene.stamps.work()
    rows = scene.rows()
    assert len(rows) == 5
    assert len(tsa.requests) == 1
    assert sorted(row.attempts for row in rows) == [0, 0, 0, 0, 1]
    assert {row.last_error for row in rows} == {"tsa_unreachable: the authority answered HTTP 500"}
    assert len({row.next_attempt_at for row in rows}) == 1
    scene.clock.wait(6)
    scene.stamps.work()
    assert sorted(row.attempts for row in scene.rows()) == [0, 0, 0, 0, 2]
    tsa.mode = "up"
    scene.clock.wait(11)
    scene.stamps.work()
    assert {row.state for row in scene.rows()} == {"done"}
    assert len(tsa.requests) == 2 + 5


def test_rows_that_waited_for_a_longer_time_go_with_the_first_that_succeeds(scene: Scene) -> None:
    tsa = scene.tsa()
    tsa.stop()
    scene.deposit(b"early")
    for _ in range(8):
        scene.stamps.work()
        scene.clock.wait(3600)
    scene.stamps.work()
    scene.deposit(b"late")  # due at once, while the earlier ones wait for many minutes
    tsa.start()
    scene.clock.wait(1)
    scene.stamps.work()
    late = [row for row in scene.rows() if row.state == "done"]
    assert [row.attempts for row in late] == [1]
    scene.clock.wait(3600)
    scene.stamps.work()
    assert {row.state for row in scene.rows()} == {"done"}


def test_slow_authority_holds_up_no_other(lite: Scene) -> None:
    slow, quick = lite.tsa("slow"), lite.tsa("quick")
    slow.mode, slow.slow_seconds = "slow", 60.0
    receipt = lite.deposit().receipt
    assert receipt is not None
    subject = receipt_subject(receipt.item_id)
    worker = threading.Thread(target=lite.stamps.work, daemon=True)
    worker.start()
    while lite.states(subject)["quick"] != "done":
        assert worker.is_alive()
    assert lite.states(subject)["slow"] == "pending"
    slow.mode = "up"
    slow.stop()  # ends the waiting
    worker.join(60)
    assert len(quick.requests) >= 2


# Answers that are not what they should be


WRONG: list[tuple[Mode, str]] = [
    ("garbage", "timestamp_response_malformed"),
    ("huge", "timestamp_response_malformed"),
    ("error", "tsa_unreachable"),
    ("redirect", "tsa_unreachable"),
    ("busy", "timestamp_unavailable"),
    ("no certificate", "timestamp_untrusted"),
    ("wrong nonce", "timestamp_nonce_mismatch"),
    ("no nonce", "timestamp_nonce_mismatch"),
    ("other bytes", "timestamp_imprint_mismatch"),
]


@pytest.mark.parametrize(("mode", "code"), WRONG)
def test_wrong_answer_is_never_called_done_and_is_asked_for_again(mode: Mode, code: str, lite: Scene) -> None:
    tsa = lite.tsa()
    tsa.mode = mode
    receipt = lite.deposit().receipt
    assert receipt is not None
    subject = receipt_subject(receipt.item_id)
    lite.stamps.work()
    states = [row for row in lite.rows() if row.attempts]
    assert [(row.state, row.response, row.gen_time) for row in states] == [("pending", None, None)]
    assert states[0].last_error is not None
    assert states[0].last_error.startswith(f"{code}: ")
    assert lite.stamps.tokens(subject) == {}
    tsa.mode = "up"
    lite.clock.wait(6)
    lite.stamps.work()
    assert lite.one(subject).state == "done"


def test_answer_to_an_earlier_request_is_refused_though_it_is_over_the_same_bytes(lite: Scene) -> None:
    tsa = lite.tsa()
    object.__setattr__(lite.services.archive.settings, "timestamp_seconds", 10**9)
    receipt = lite.deposit().receipt
    assert receipt is not None
    lite.stamps.work()
    first = next(row for row in lite.rows() if row.subject.startswith("receipt:"))
    tsa.answers.append(first.response or b"")
    with lite.services.archive.db.write() as session:
        session.delete(session.get_one(TimestampRow, first.id))
        lite.stamps.stamps.want(session, first.subject, first.imprint, ["first"])
    tsa.mode = "replay"
    lite.stamps.work()
    state = lite.one(first.subject)
    assert state.state == "pending"
    assert state.trouble is not None
    assert state.trouble.startswith("timestamp_nonce_mismatch: ")
    tsa.mode = "up"
    lite.clock.wait(6)
    lite.stamps.work()
    assert lite.one(first.subject).state == "done"


def test_content_type_is_not_what_is_believed(lite: Scene) -> None:
    lite.tsa().mode = "wrong type"
    lite.deposit()
    lite.stamps.work()
    assert {row.state for row in lite.rows()} == {"done"}


def test_refusal_for_good_is_failed_at_once_and_can_be_asked_again(scene: Scene) -> None:
    tsa = scene.tsa()
    tsa.mode = "refuse"
    receipt = scene.deposit().receipt
    assert receipt is not None
    for _ in range(3):
        scene.stamps.work()
    assert {row.state for row in scene.rows()} == {"failed"}
    error = scene.rows()[0].last_error
    assert error is not None
    assert error.startswith("timestamp_refused: the authority answered status 2 (badAlg)")
    assert "\x1b" not in error
    asked = len(tsa.requests)
    scene.clock.wait(86_400)
    scene.stamps.work()
    assert len(tsa.requests) == asked
    tsa.mode = "up"
    assert scene.stamps.retry("first") == len(scene.rows())
    scene.stamps.work()
    assert {row.state for row in scene.rows()} == {"done"}


def test_authority_that_takes_no_sha_256_refuses_for_good(lite: Scene) -> None:
    lite.tsa().digests = "sha512"
    lite.deposit()
    lite.stamps.work()
    failed = [row for row in lite.rows() if row.state == "failed"]
    assert len(failed) == 1
    assert (failed[0].last_error or "").startswith("timestamp_refused: ")


def test_token_under_a_root_that_is_not_the_authoritys_is_not_taken(lite: Scene) -> None:
    lite.tsa("first", roots=authority("stranger").roots_pem)
    lite.deposit()
    lite.stamps.work()
    assert {row.state for row in lite.rows()} == {"pending"}
    assert any((row.last_error or "").startswith("timestamp_untrusted: ") for row in lite.rows())


def test_roots_of_one_authority_do_not_count_for_another(lite: Scene) -> None:
    """The two are asked in one process, one after the other: lists of roots must not run together."""
    lite.tsa("good")
    lite.tsa("bad", tsa=LocalTsa(lite.folder / "bad", authority("good")), roots=authority("other").roots_pem)
    receipt = lite.deposit().receipt
    assert receipt is not None
    for _ in range(2):
        lite.stamps.work()
        lite.clock.wait(61)
    assert lite.states(receipt_subject(receipt.item_id)) == {"bad": "pending", "good": "done"}


def test_certificate_that_had_expired_at_the_tokens_time_is_not_taken(lite: Scene) -> None:
    lite.tsa("expired", tsa=LocalTsa(lite.folder / "expired", expired()))
    lite.deposit()
    lite.stamps.work()
    assert any((row.last_error or "").startswith("timestamp_certificate_expired: ") for row in lite.rows())
    assert {row.state for row in lite.rows()} == {"pending"}


@pytest.mark.parametrize(
    "changes",
    [
        {"purposes": (ExtendedKeyUsageOID.CODE_SIGNING,)},
        {"purposes": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)},
        {"purposes_critical": False},
    ],
    ids=str,
)
def test_certificate_for_something_else_is_not_taken(changes: dict[str, Any], lite: Scene) -> None:
    good = authority("first")
    bad = replace(good, tsa=replace(Wanted("first TSA"), **changes).issue(good.root))
    lite.tsa(tsa=LocalTsa(lite.folder / "bad", bad, forged=True))
    lite.deposit()
    lite.stamps.work()
    assert any((row.last_error or "").startswith("timestamp_certificate_unsuitable: ") for row in lite.rows())
    assert {row.state for row in lite.rows()} == {"pending"}


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_authorities_with_other_kinds_of_keys_and_an_intermediate(kind: Any, lite: Scene) -> None:  # noqa: ANN401
    made = authority(f"kind {kind}", kind, intermediate=True)
    lite.tsa("kind", tsa=LocalTsa(lite.folder / "kind", made, forged=kind == "ed25519"))
    lite.deposit()
    lite.stamps.work()
    assert {row.state for row in lite.rows()} == {"done"}


# Several at once


def test_several_processes_ask_for_each_token_once(scene: Scene) -> None:
    tsas = [scene.tsa("one"), scene.tsa("two")]
    for number in range(6):
        scene.deposit(bytes([number]))
    archive = scene.services.archive
    others = [open_archive(archive.settings, lambda: PASSPHRASE, archive.clock) for _ in range(3)]
    workers = [threading.Thread(target=one.timestamps.work) for one in (scene.services, *others)]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
    finally:
        for one in others:
            one.archive.db.close()
    rows = scene.rows()
    assert {row.state for row in rows} == {"done"}
    assert {row.attempts for row in rows} == {1}
    for tsa in tsas:
        assert len(tsa.requests) == len(rows) // 2


def test_worker_that_died_is_followed_by_another_when_its_time_is_over(scene: Scene) -> None:
    scene.tsa()
    receipt = scene.deposit().receipt
    assert receipt is not None
    subject = receipt_subject(receipt.item_id)
    claimed = scene.stamps.stamps.claim("first", LEASE_SECONDS)  # and then nothing: it died
    assert claimed is not None
    assert claimed.subject == subject
    scene.stamps.work()
    assert scene.one(subject).state == "pending"
    scene.clock.wait(LEASE_SECONDS + 1)
    scene.stamps.work()
    assert scene.one(subject).state == "done"
    assert scene.one(subject).attempts == 2


def test_worker_that_comes_too_late_changes_nothing(scene: Scene) -> None:
    scene.tsa()
    receipt = scene.deposit().receipt
    assert receipt is not None
    subject = receipt_subject(receipt.item_id)
    late = scene.stamps.stamps.claim("first", LEASE_SECONDS)
    assert late is not None
    scene.clock.wait(LEASE_SECONDS + 1)
    scene.stamps.work()
    before = scene.one(subject)
    scene.stamps.stamps.put_off(late, "tsa_unreachable: too late", final=True)
    assert scene.one(subject) == before
    stored = scene.stamps.tokens(subject)
    other = LocalTsa(scene.folder / "again", authority("first"))
    scene.stamps.stamps.done(late, _stamped(scene, other, late.imprint))
    assert scene.stamps.tokens(subject) == stored


def _stamped(scene: Scene, tsa: LocalTsa, imprint: bytes) -> Any:  # noqa: ANN401
    from app.timestamps.client import Stamped
    from evidence_store.timestamps.request import build_request, token_of_response

    response = tsa.reply(build_request(imprint, "sha256", 1))
    return Stamped(response, verify_token(token_of_response(response), imprint, "sha256", tsa.roots))


def test_asking_twice_makes_one_row_and_keeps_what_was_asked_first(scene: Scene) -> None:
    scene.tsa()
    for imprint in ("11" * 32, "22" * 32):
        with scene.services.archive.db.write() as session:
            scene.stamps.request(session, "checkpoint:7", imprint)
    assert [(row.subject, row.imprint) for row in scene.rows()] == [("checkpoint:7", "11" * 32)]
    with scene.services.archive.db.write() as session:
        session.delete(session.get_one(TimestampRow, scene.rows()[0].id))


@pytest.mark.parametrize("subject", ["", "checkpoint:", "checkpoint:-1", "receipt:../../x", "item:1", "checkpoint:7\n"])
def test_what_is_no_subject(subject: str, lite: Scene) -> None:
    with lite.services.archive.db.write() as session, pytest.raises(InvalidInputError) as caught:
        lite.stamps.request(session, subject, "11" * 32)
    assert caught.value.code == "bad_subject"
    assert not rules.is_subject(subject)


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


# Authorities come and go


def test_adding_and_removing_an_authority_is_an_event(scene: Scene) -> None:
    tsa = scene.tsa()
    who = scene.services.access.local_operator()
    scene.stamps.remove(who.actor, "first")
    added, removed = [
        event for event in events_of(scene.services, scene.services.archive.about) if event.type.startswith("time ")
    ]
    roots = [hashlib.sha256(tsa.authority.root.certificate.public_bytes(Encoding.DER)).hexdigest()]
    assert added.details == {"change": "addition", "name": "first", "url": tsa.url, "roots": roots, "intermediates": []}
    assert removed.details == {"change": "removal", "name": "first"}
    assert added.actor.auth == "local operator"


def test_removed_authority_is_asked_no_more_and_its_tokens_can_still_be_verified(scene: Scene) -> None:
    tsa = scene.tsa()
    receipt = scene.deposit(b"one").receipt
    assert receipt is not None
    scene.stamps.work()
    tsa.stop()
    scene.deposit(b"two")
    assert scene.stamps.remove(scene.services.access.local_operator().actor, "first") == 1
    assert scene.stamps.authorities() == []
    assert {row.state for row in scene.rows()} == {"done"}
    trust = scene.stamps.configured.trust("first")
    assert trust is not None
    (token,) = scene.stamps.tokens(receipt_subject(receipt.item_id)).values()
    verify_token(token, seal_imprint(receipt.seal), "sha256", trust.roots)
    scene.deposit(b"three")
    scene.stamps.work()
    assert len(scene.rows()) == 2


def test_name_whose_tokens_are_trusted_under_other_roots_is_not_given_again(lite: Scene) -> None:
    first = lite.tsa()
    who = lite.services.access.local_operator()
    with pytest.raises(ConflictError) as caught:
        lite.tsa()
    assert caught.value.code == "tsa_name_taken"
    lite.stamps.remove(who.actor, "first")
    with pytest.raises(ConflictError) as caught:
        lite.tsa(roots=authority("stranger").roots_pem)
    assert caught.value.code == "tsa_name_taken"
    lite.tsa(roots=first.authority.roots_pem)
    with pytest.raises(NotFoundError) as missing:
        lite.stamps.remove(who.actor, "second")
    assert missing.value.code == "unknown_tsa"


@pytest.mark.parametrize(
    ("mode", "roots", "code"),
    [
        ("up", "stranger", "timestamp_untrusted"),
        ("garbage", "first", "timestamp_response_malformed"),
        ("error", "first", "tsa_unreachable"),
        ("refuse", "first", "timestamp_refused"),
    ],
)
def test_authority_that_gives_no_good_token_is_not_added(mode: Mode, roots: str, code: str, lite: Scene) -> None:
    tsa = LocalTsa(lite.folder / "tsa", authority("first"), mode=mode)
    lite.tsas.append(tsa)
    tsa.start()
    who = lite.services.access.local_operator()
    with pytest.raises((CatenaError, EvidenceStoreError)) as caught:
        lite.stamps.add(who.actor, "first", tsa.url, authority(roots).roots_pem)
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert lite.stamps.authorities() == []
    assert not [event for event in events_of(lite.services, lite.services.archive.about) if "time" in event.type]
    assert lite.stamps.configured.trust("first") is None


@pytest.mark.parametrize(
    ("name", "url", "code"),
    [
        ("", "https://tsa.example", "bad_tsa_name"),
        ("Example", "https://tsa.example", "bad_tsa_name"),
        ("../x", "https://tsa.example", "bad_tsa_name"),
        ("a" * 33, "https://tsa.example", "bad_tsa_name"),
        ("-a", "https://tsa.example", "bad_tsa_name"),
        ("a\n", "https://tsa.example", "bad_tsa_name"),
        ("a", "ftp://tsa.example", "bad_tsa_url"),
        ("a", "file:///etc/passwd", "bad_tsa_url"),
        ("a", "https://", "bad_tsa_url"),
        ("a", "tsa.example", "bad_tsa_url"),
        ("a", "https://tsa.example/\n", "bad_tsa_url"),
        ("a", "https://tsa.example/" + "x" * 500, "bad_tsa_url"),
        ("a", "https://[::1", "bad_tsa_url"),
    ],
)
def test_name_or_address_that_cannot_be_one(name: str, url: str, code: str, lite: Scene) -> None:
    who = lite.services.access.local_operator()
    with pytest.raises(InvalidInputError) as caught:
        lite.stamps.add(who.actor, name, url, authority().roots_pem, try_it=False)
    assert caught.value.code == code


def test_damaged_files_of_the_only_authority_are_coded_errors_and_told_by_name(lite: Scene) -> None:
    lite.tsa()
    folder = lite.services.archive.settings.tsas
    record, pem = folder / "first.json", folder / "first.pem"
    good, kept = record.read_bytes(), pem.read_bytes()

    def told(code: str) -> None:
        with pytest.raises(EnvironmentFailedError, match=f"none of the .* can be asked: first: {code}") as caught:
            lite.stamps.work()
        assert caught.value.code == "tsa_none_usable"
        assert lite.stamps.configured.all().unusable["first"].startswith(f"{code}: ")
        with pytest.raises((CatenaError, EvidenceStoreError)) as one:
            lite.stamps.retry("first")
        assert one.value.code == code  # type: ignore[attr-defined]

    for damaged in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"url": null'):
        record.write_bytes(damaged)
        told("tsa_damaged")
    record.write_bytes(good)
    pem.write_bytes(b"no roots")
    told("tsa_roots_malformed")
    pem.unlink()
    told("tsa_damaged")
    pem.write_bytes(kept)
    assert [one.name for one in lite.stamps.authorities()] == ["first"]


@pytest.mark.parametrize("spoilt", ["altered", "stray", "gone"])
def test_spoilt_files_of_one_authority_keep_nobody_from_asking_the_others(spoilt: str, lite: Scene) -> None:
    lite.tsa("first")
    lite.tsa("second")
    folder = lite.services.archive.settings.tsas
    name, file = ("zzz", folder / "zzz.json") if spoilt == "stray" else ("first", folder / "first.pem")
    kept = None if spoilt == "stray" else file.read_bytes()
    if spoilt == "gone":
        file.unlink()
    else:
        file.write_bytes(b"{}" if spoilt == "stray" else authority("stranger").roots_pem)
    receipt = lite.deposit().receipt
    assert receipt is not None
    subject = receipt_subject(receipt.item_id)
    others = {"second"} if kept is not None else {"first", "second"}
    assert {one.tsa for one in lite.stamps.obtain(subject, 30) if one.state == "done"} == others
    lite.deposit(b"more")
    lite.stamps.work()
    assert {row.tsa for row in lite.rows() if row.state == "done" and row.subject.startswith("check")} == others
    assert list(lite.stamps.configured.all().unusable) == [name]
    if kept is None:
        file.unlink()
    else:
        file.write_bytes(kept)
    lite.stamps.retry()
    lite.stamps.work()
    assert {one.tsa for one in lite.stamps.states(subject) if one.state == "done"} == {"first", "second"}


def test_token_whose_roots_are_gone_is_not_handed_out(lite: Scene) -> None:
    lite.tsa("first")
    lite.tsa("second")
    receipt = lite.deposit().receipt
    assert receipt is not None
    lite.stamps.work()
    pem = lite.services.archive.settings.tsas / "first.pem"
    kept = pem.read_bytes()
    pem.unlink()
    assert set(lite.stamps.tokens(receipt_subject(receipt.item_id))) == {"second"}
    assert len(seal_tokens(stamped_seal(lite.stamps, receipt))) == 1
    pem.write_bytes(kept)
    assert set(lite.stamps.tokens(receipt_subject(receipt.item_id))) == {"first", "second"}


def test_what_the_log_says_of_authorities_is_read_once_and_not_among_all_other_events(scene: Scene) -> None:
    """Anybody who is denied something adds an event of the archive's own object."""
    for name in ("first", "second", "third"):
        scene.tsa(name)
    engine, asked = scene.services.archive.db.engine, []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: object) -> None:  # noqa: ANN401
        if "custody_event" in statement:
            asked.append((statement, parameters))

    sqlalchemy.event.listen(engine, "before_cursor_execute", note)
    try:
        assert len(scene.stamps.authorities()) == 3
    finally:
        sqlalchemy.event.remove(engine, "before_cursor_execute", note)
    ((statement, parameters),) = asked
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")  # so few rows would be read one by one
        explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
        plan = str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())
    assert "ix_custody_event_type" in plan
    assert "object" not in statement.partition("WHERE")[2]


@pytest.mark.parametrize("other", ["same roots", "other roots"])
def test_of_two_additions_of_one_name_at_the_same_time_one_is_refused(other: str, scene: Scene) -> None:
    """Each has found the name free, and asks its authority, when the other does the same."""
    who = scene.services.access.local_operator().actor
    both, refused = threading.Barrier(2), []
    second = "one" if other == "same roots" else "two"
    tsas = [LocalTsa(scene.folder / "a", authority("one")), LocalTsa(scene.folder / "b", authority(second))]
    real = client.ask

    def ask_together(*args: Any) -> Any:  # noqa: ANN401
        both.wait(60)
        return real(*args)

    def add(tsa: LocalTsa) -> None:
        try:
            scene.stamps.add(who, "name", tsa.url, tsa.authority.roots_pem)
        except ConflictError as error:
            refused.append(error.code)

    scene.tsas += tsas
    for tsa in tsas:
        tsa.start()
    with mock.patch.object(service, "ask", ask_together):
        threads = [threading.Thread(target=add, args=(tsa,)) for tsa in tsas]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert refused == ["tsa_name_taken"]
    events = events_of(scene.services, scene.services.archive.about)
    (event,) = [one for one in events if one.type == "time authority change"]
    (added,) = scene.stamps.authorities()
    assert event.details["url"] == added.url


def test_address_with_a_password_is_kept_from_the_log(lite: Scene) -> None:
    who = lite.services.access.local_operator()
    url = "https://user:secret@tsa.example/tsr?key=hidden"
    lite.stamps.add(who.actor, "paid", url, authority().roots_pem, try_it=False)
    (event,) = [one for one in events_of(lite.services, lite.services.archive.about) if "time" in one.type]
    assert event.details["url"] == "https://tsa.example/tsr"
    assert lite.stamps.authorities()[0].url == url
    assert (lite.services.archive.settings.tsas / "paid.json").stat().st_mode & 0o077 == 0


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
