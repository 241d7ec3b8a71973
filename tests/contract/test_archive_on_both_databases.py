"""The same promises on SQLite and on PostgreSQL: custody, intake, jobs, access."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from sqlmodel import Session, col, select

from app.api.services import Services
from app.custody.models import EventRow
from app.custody.proofs import checkpoint_of, item_proof
from app.custody.service import SYSTEM, Recorded
from app.db import Database
from app.errors import ConflictError, EnvironmentFailedError, InvalidInputError, NotFoundError, UnauthenticatedError
from app.evidence.models import Blob, Case, Item, Receipt
from app.intake.offers import Offer
from app.intake.service import Deposit, parse_source
from app.jobs.models import Job
from app.jobs.service import LeaseLostError
from app.wiring import open_archive
from evidence_store.log import merkle
from evidence_store.log.proof import parse_proof
from tests.archives import PASSPHRASE, deposit, events_of, make_archive, person
from tests.checks import assert_clean, work_off
from tests.databases import BACKENDS, fresh_database


class Hands:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture(params=BACKENDS)
def services(request: pytest.FixtureRequest, tmp_path: Path, clock: Hands) -> Iterator[Services]:
    made = make_archive(tmp_path, fresh_database(request.param, tmp_path), clock=clock)
    yield made
    made.archive.db.close()


def put(services: Services, data: bytes, name: str = "a.bin") -> Deposit:
    """Deposit as the first admin."""
    who = services.access.local_operator()
    return deposit(services, who, open_case(services), data, name)


def open_case(services: Services) -> Case:
    """Case T1, made on first use."""
    return services.evidence.case_or_none("T1") or services.evidence.create_case(services.access.local_operator(), "T1")


def test_same_bytes_twice_are_one_blob_and_two_items(services: Services) -> None:
    first, second = put(services, b"same"), put(services, b"same", "again.bin")
    assert first.item.id != second.item.id
    assert second.duplicate_of == [first.item.id]
    with services.archive.db.read() as session:
        assert len(session.exec(select(Blob).where(Blob.sha256 == first.digests.sha256)).all()) == 1
    assert list(services.archive.blobs.list()).count(first.digests.sha256) == 1
    assert_clean(services)


def test_repeating_a_deposit_key_makes_no_second_item(services: Services) -> None:
    who = services.access.local_operator()
    case = open_case(services)
    made = []
    for _ in range(2):
        with services.intake.stage() as staged:
            staged.write(b"sent twice")
            made.append(services.intake.deposit(who, case, staged, "a.bin", parse_source({}), key="k-1"))
    assert made[0].item.id == made[1].item.id
    assert made[1].repeated
    assert made[0].receipt is not None
    assert made[0].receipt == made[1].receipt
    with services.archive.db.read() as session:
        assert len(session.exec(select(Item)).all()) == 1
    assert_clean(services)


def test_a_deposit_key_cannot_be_used_for_other_bytes(services: Services) -> None:
    who = services.access.local_operator()
    case = open_case(services)
    for data, expected in ((b"one", None), (b"two", "key_reused")):
        with services.intake.stage() as staged:
            staged.write(data)
            if expected is None:
                services.intake.deposit(who, case, staged, "a.bin", parse_source({}), key="k-1")
            else:
                with pytest.raises(ConflictError) as caught:
                    services.intake.deposit(who, case, staged, "a.bin", parse_source({}), key="k-1")
                assert caught.value.code == expected
    assert_clean(services)


def test_deposits_at_once_leave_no_gap_in_the_log(services: Services) -> None:
    open_case(services)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(3):
                put(services, f"shared {turn}".encode(), f"{number}-{turn}.bin")
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with services.archive.db.read() as session:
        places = list(session.exec(select(EventRow.leaf_index).order_by(col(EventRow.leaf_index))))
        assert places == list(range(len(places)))
        assert len(session.exec(select(Item)).all()) == 12
        assert len(session.exec(select(Blob)).all()) == 3
    assert_clean(services)


def test_what_a_savepoint_takes_back_leaves_no_gap_in_the_log(services: Services) -> None:
    """Nothing here makes savepoints today; whoever does must not find that the log was told of what never happened."""
    custody, about = services.archive.custody, f"item:{put(services, b'one').item.id}"

    def told(session: Session, number: int) -> int:
        return custody.record(session, about, "annotation", SYSTEM, details={"number": number}).leaf_index

    with services.archive.db.write() as session:
        first = told(session, 1)
        with suppress(KeyError), session.begin_nested():
            told(session, 2)
            raise KeyError
        with session.begin_nested():
            kept = told(session, 3)
        last = told(session, 4)
    assert [kept, last] == [first + 1, first + 2]
    assert_clean(services)


def test_an_empty_file_is_refused_and_nothing_is_kept(services: Services) -> None:
    with pytest.raises(InvalidInputError) as caught:
        put(services, b"")
    assert caught.value.code == "empty_file"
    assert list(services.archive.blobs.list()) == []


def test_an_item_whose_receipt_was_lost_to_a_crash_gets_it_from_the_job(services: Services) -> None:
    who = services.access.local_operator()
    case = open_case(services)

    def die(_: str) -> Receipt:
        raise KeyboardInterrupt

    with mock.patch.object(services.intake, "seal_item", die), services.intake.stage() as staged:
        staged.write(b"bytes")
        with pytest.raises(KeyboardInterrupt):
            services.intake.deposit(who, case, staged, "a.bin", parse_source({}))
    with services.archive.db.read() as session:
        assert session.exec(select(Receipt)).first() is None
    again = open_archive(services.archive.settings, lambda: PASSPHRASE, services.archive.clock)
    claim = again.jobs.claim("another worker")
    assert claim is not None
    assert claim.kind == "seal"
    again.intake.handle_seal(claim)
    again.archive.db.close()
    with services.archive.db.read() as session:
        assert session.exec(select(Receipt)).one().item_id == claim.payload["item"]
    assert_clean(services)


def test_request_and_job_that_make_a_receipt_at_once_make_one(services: Services) -> None:
    with mock.patch.object(services.intake, "seal_item", side_effect=EnvironmentFailedError("storage_full", "full")):
        item = put(services, b"sealed twice").item.id
    both = threading.Barrier(2)
    record, receipts, errors = services.archive.custody.record, list[Receipt | None](), list[BaseException]()

    def slow(*given: Any, **more: Any) -> Recorded:  # noqa: ANN401 (as `record`)
        with suppress(threading.BrokenBarrierError):
            both.wait(1)  # both are past their look at the table, where that is possible
        return record(*given, **more)

    def seal() -> None:
        try:
            receipts.append(services.intake._receipt_now(item))
        except Exception as error:  # noqa: BLE001 (any is a request that is answered 500)
            errors.append(error)

    with mock.patch.object(services.archive.custody, "record", slow):
        threads = [threading.Thread(target=seal) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert [receipt is not None and receipt.item_id for receipt in receipts] == [item, item]
    assert receipts[0] == receipts[1]
    work_off(services)
    assert_clean(services)


def test_reads_go_on_while_every_request_thread_waits_for_the_log(services: Services) -> None:
    put(services, b"read by others")
    waiting, many = threading.Semaphore(0), 40

    def write() -> None:
        with services.archive.db.write() as session:
            waiting.release()
            services.archive.custody.lock(session)

    threads = [threading.Thread(target=write) for _ in range(many)]
    with services.archive.db.write() as session:
        services.archive.custody.lock(session)
        for thread in threads:
            thread.start()
        for _ in range(0 if services.archive.db.is_sqlite else many):
            assert waiting.acquire(timeout=20), "each has its connection"
        # SQLite's wait before they have one
        with services.archive.db.read() as reading:
            assert len(reading.exec(select(Item)).all()) == 1
    for thread in threads:
        thread.join()


def test_who_finds_no_connection_is_told_to_come_back(tmp_path: Path) -> None:
    with closing(Database(fresh_database("postgresql", tmp_path), connections=1)) as db:
        db.engine.pool._timeout = 0.1  # type: ignore[attr-defined]
        with (
            db.read() as taken,
            ThreadPoolExecutor(1) as pool,
        ):
            taken.connection()

            def ask() -> None:
                with db.read() as session:
                    session.connection()

            with pytest.raises(EnvironmentFailedError) as caught:
                pool.submit(ask).result()
    assert (caught.value.code, caught.value.status) == ("database_busy", 503)


def test_the_proof_of_an_item_verifies_under_the_signed_checkpoint(services: Services) -> None:
    made = put(services, b"proven")
    signed = services.checkpoint()
    proof = parse_proof(item_proof(services.archive.db, f"item:{made.item.id}", signed))
    with services.archive.db.read() as session:
        row = session.get_one(EventRow, proof.index)
    head = checkpoint_of(signed)
    leaf = merkle.leaf_hash(bytes.fromhex(row.event_sha256))
    merkle.verify_inclusion(proof.index, head.size, leaf, proof.hashes, head.root)
    assert row.object == f"item:{made.item.id}"


def test_a_job_is_done_once_and_a_lost_lease_writes_nothing(services: Services, clock: Hands) -> None:
    put(services, b"work")
    first = services.jobs.claim("slow worker")
    assert first is not None
    clock.now += timedelta(seconds=services.jobs.lease_seconds + 1)
    second = services.jobs.claim("fast worker")
    assert second is not None
    assert (second.id, second.attempt) == (first.id, first.attempt + 1)
    assert not services.jobs.heartbeat(first)
    with pytest.raises(LeaseLostError), services.archive.db.write() as session:
        services.jobs.finish(session, first)
    with services.archive.db.write() as session:
        services.jobs.finish(session, second)
    with services.archive.db.read() as session:
        assert session.get_one(Job, first.id).state == "done"


def test_a_job_that_keeps_failing_is_buried_with_its_reason(services: Services, clock: Hands) -> None:
    put(services, b"work")
    for _ in range(3):
        claim = services.jobs.claim("worker")
        assert claim is not None
        number = claim.id
        services.jobs.fail(claim, "the disk hummed")
        clock.now += timedelta(minutes=10)
    with services.archive.db.read() as session:
        job = session.get_one(Job, number)
    assert (job.state, job.last_error) == ("dead", "the disk hummed")


def test_two_workers_never_hold_the_same_job(services: Services) -> None:
    for number in range(5):
        put(services, f"{number}".encode())
    taken: list[int] = []

    def work(name: str) -> None:
        while (claim := services.jobs.claim(name)) is not None:
            taken.append(claim.id)
            with services.archive.db.write() as session:
                services.jobs.finish(session, claim)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 5


def test_an_expired_a_revoked_and_an_unknown_token_do_not_authenticate(services: Services, clock: Hands) -> None:
    access = services.access
    admin = access.local_operator()
    person(services, "olena", "investigator")
    token, text = access.create_token(admin.actor, "olena", days=1)
    assert access.authenticate(text).name == "olena"
    with pytest.raises(UnauthenticatedError) as caught:
        access.authenticate(text[:-1] + ("0" if text[-1] != "0" else "1"))
    assert caught.value.code == "token_invalid"
    clock.now += timedelta(days=2)
    with pytest.raises(UnauthenticatedError) as caught:
        access.authenticate(text)
    assert caught.value.code == "token_expired"
    access.revoke_token(admin.actor, token.id)
    with pytest.raises(UnauthenticatedError) as caught:
        access.authenticate(text)
    assert caught.value.code == "token_revoked"
    assert_clean(services)


def test_a_disabled_user_is_shut_out_and_the_last_admin_cannot_be_disabled(services: Services) -> None:
    admin = services.access.local_operator()
    person(services, "olena", "investigator")
    _, text = services.access.create_token(admin.actor, "olena")
    services.access.disable_user(admin.actor, "olena")
    with pytest.raises(UnauthenticatedError) as caught:
        services.access.authenticate(text)
    assert caught.value.code == "user_disabled"
    with pytest.raises(ConflictError) as refused:
        services.access.disable_user(admin.actor, admin.name)
    assert refused.value.code == "last_admin"


def test_who_is_no_member_does_not_learn_that_a_case_exists_and_the_attempt_is_logged(services: Services) -> None:
    made = put(services, b"secret")
    stranger = person(services, "stranger", "investigator")
    with pytest.raises(NotFoundError) as caught:
        services.evidence.find_item(stranger, made.item.id)
    with pytest.raises(NotFoundError) as absent:
        services.evidence.find_item(stranger, "00000000-0000-0000-0000-000000000000")
    assert (caught.value.code, caught.value.detail) == (absent.value.code, absent.value.detail)
    with services.archive.db.read() as session:
        denials = session.exec(select(EventRow).where(EventRow.type == "access denied")).all()
    # Asking for what is not there leaves the same trace: the public size of the log tells nothing.
    assert [event.actor_id for event in denials] == [stranger.user_id] * 2


def test_reading_an_original_is_logged_before_the_first_byte(services: Services) -> None:
    who = services.access.local_operator()
    made = put(services, b"read me")
    _, _, stream = services.evidence.open_original(who, made.item.id)
    with services.archive.db.read() as session:
        kinds = session.exec(select(EventRow.type).where(EventRow.object == f"item:{made.item.id}")).all()
    assert "access" in kinds
    with stream:
        assert stream.read() == b"read me"


def test_a_case_cannot_take_the_id_of_another_case_as_its_reference(services: Services) -> None:
    victim = open_case(services)
    attacker = person(services, "ivo", "investigator")
    for ref in (victim.id, victim.id.replace("-", ""), victim.id.upper()):
        with pytest.raises(InvalidInputError) as caught:
            services.evidence.create_case(attacker, ref)
        assert caught.value.code == "bad_case_ref"


def test_a_depositor_does_not_learn_that_a_foreign_case_holds_the_same_bytes(services: Services) -> None:
    hidden = put(services, b"held elsewhere")
    stranger = person(services, "stranger", "investigator")
    own = services.evidence.create_case(stranger, "OWN")
    made = deposit(services, stranger, own, b"held elsewhere")
    assert made.duplicate_of == []
    assert services.evidence.same_bytes(stranger, made.item) == []
    assert services.evidence.same_bytes(services.access.local_operator(), made.item) == [hidden.item.id]
    work_off(services)
    assert services.matching.matches_of(stranger, made.item.id) == []
    with services.archive.db.read() as session:
        events = session.exec(select(EventRow.canonical).where(EventRow.object == f"item:{made.item.id}")).all()
    assert not any(hidden.item.id.encode() in event for event in events)
    assert_clean(services)


@pytest.mark.parametrize("change", ["name", "note"])
def test_a_deposit_key_never_swallows_another_name_or_note(services: Services, change: str) -> None:
    who = services.access.local_operator()
    case = open_case(services)
    for turn, code in ((0, None), (1, "key_reused")):
        name = f"{turn}.bin" if change == "name" else "a.bin"
        source = parse_source({"note": f"said {turn}"} if change == "note" else {})
        with services.intake.stage() as staged:
            staged.write(b"bytes")
            if code is None:
                services.intake.deposit(who, case, staged, name, source, key="k")
                continue
            with pytest.raises(ConflictError) as caught:
                services.intake.deposit(who, case, staged, name, source, key="k")
            assert caught.value.code == code


def test_an_item_that_was_kept_is_never_reported_as_refused_for_want_of_a_receipt(services: Services) -> None:
    def full(_: str) -> Receipt:
        raise EnvironmentFailedError("storage_full", "no room for the receipt", status=507)

    with mock.patch.object(services.intake, "seal_item", full):
        made = put(services, b"kept")
    assert made.receipt is None
    work_off(services)
    assert services.evidence.receipt(made.item.id) is not None
    assert_clean(services)


def test_a_comparison_that_failed_or_waits_never_reads_as_no_match(services: Services) -> None:
    broken = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00 then nothing that a picture could be made of"
    made = put(services, broken, "broken.jpg")
    assert services.matching.state_of(made.item.id)["state"] == "pending"
    other = put(services, b"no picture at all", "note.txt")
    work_off(services)
    failed = services.matching.state_of(made.item.id)
    assert failed["state"] == "failed"
    assert failed["code"]
    assert services.matching.state_of(other.item.id)["state"] == "none"


@pytest.mark.parametrize("name", ["a\x00", "x" * 5000, "Robert'); DROP", "nobody"])
def test_a_user_name_that_cannot_be_is_unknown(services: Services, name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        services.access.create_token(services.access.local_operator().actor, name)
    assert caught.value.code == "unknown_user"


@pytest.mark.parametrize("key", ["a\x00", "\x00", "", "a\nb", "k" * 101])
def test_an_offer_with_a_key_that_no_deposit_can_have_is_refused_and_leaves_no_trace(
    services: Services, key: str
) -> None:
    kept = put(services, b"held already")
    who, case = services.access.local_operator(), open_case(services)
    before = len(events_of(services, f"item:{kept.item.id}"))
    good, bad = (Offer(kept.digests.sha256, "a.bin", parse_source({}), one) for one in ("good", key))
    with pytest.raises(InvalidInputError) as caught:
        services.offers.look_up(who, case, [good, bad])
    assert caught.value.code == "bad_deposit_key"
    assert len(events_of(services, f"item:{kept.item.id}")) == before
    assert [one.state for one in services.offers.look_up(who, case, [good])] == ["known"]
    assert_clean(services)
