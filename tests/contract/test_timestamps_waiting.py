"""Time stamps that wait: for an authority that is down, or for another worker that asks already."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.errors import InvalidInputError
from app.intake.stamping import stamped_seal
from app.timestamps import rules
from app.timestamps.models import TimestampRow
from app.timestamps.service import LEASE_SECONDS, receipt_subject
from app.wiring import open_archive
from evidence_store.seal import seal_tokens
from evidence_store.timestamps.token import verify_token
from tests.archives import PASSPHRASE
from tests.databases import BACKENDS
from tests.stamping import Scene, staged
from tests.tsa import LocalTsa, authority


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
