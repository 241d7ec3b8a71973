"""Times to come in the tables, by a wrong clock or an insider: stamps and co-signatures are asked for all the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

from app.attendants import Attendant
from app.custody.vkeys import verifier_lines
from evidence_store.keys import file as key_file
from evidence_store.log.note import parse_checkpoint, split_note
from tests.keyrings import Ring
from tests.tsa import LocalTsa, start_tsa
from tests.witnesses import listening, make_witness, policy_text, vkeys_of

FAR = "2099-01-01T00:00:00.000000Z"
HOUR = 1 / 24


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        made = Ring(tmp_path)
        yield made
        made.services.archive.db.close()


@pytest.fixture
def tsa(ring: Ring, tmp_path: Path) -> Iterator[LocalTsa]:
    made = start_tsa(tmp_path, "first")
    ring.with_tsa(made)
    ring.stamp_log(made)
    yield made
    made.stop()


def sql(ring: Ring, statement: str) -> None:
    with closing(sqlite3.connect(ring.services.archive.settings.data / "catena.db")) as connection, connection:
        assert connection.execute(statement).rowcount >= 1


def grow(ring: Ring) -> int:
    """Record something and sign the head; its size."""
    ring.deposit()
    return parse_checkpoint(split_note(ring.services.checkpoint())[0]).size


def stale(ring: Ring) -> bool:
    return ("timestamp_missing", "time-stamping authority first") in ring.findings("warning")


@pytest.mark.parametrize("column", ["requested_at", "next_attempt_at"])
def test_a_time_to_come_in_the_table_of_stamps_holds_up_no_checkpoint(ring: Ring, tsa: LocalTsa, column: str) -> None:
    if column == "next_attempt_at":  # one that is still waited for, put off for ever
        tsa.stop()
        ring.clock.pass_days(HOUR)
        grow(ring)
        ring.services.timestamps.work()
        tsa.start()
    sql(ring, f"UPDATE timestamp SET {column} = '{FAR}'")  # noqa: S608 - our own words
    for _ in range(3):
        ring.clock.pass_days(HOUR)
        tsa.at = ring.clock.now.replace(microsecond=0)
        size = grow(ring)
        ring.services.timestamps.work()
        ring.services.timestamps.work()
    assert [one.state for one in ring.services.timestamps.states(f"checkpoint:{size}")] == ["done"]
    assert not stale(ring)


def test_a_clock_that_was_years_ahead_for_a_while_holds_up_nothing_afterwards(ring: Ring, tsa: LocalTsa) -> None:
    right = ring.clock.now
    ring.clock.pass_days(300)
    grow(ring)
    ring.services.timestamps.work()
    ring.clock.now = right + timedelta(days=1)
    tsa.at = ring.clock.now.replace(microsecond=0)
    assert grow(ring) == ring.stamp_log(tsa)


def test_the_log_that_is_no_longer_stamped_is_told_and_one_that_is_idle_is_not(ring: Ring, tsa: LocalTsa) -> None:
    ring.clock.pass_days(30)
    assert not stale(ring), "nothing was recorded since the last stamp but audits"
    grow(ring)
    assert not stale(ring), "the next stamp is not due yet"
    ring.clock.pass_days(1)
    assert stale(ring)
    ring.stamp_log(tsa)
    assert not stale(ring)


def test_a_witness_put_off_for_ever_is_asked_all_the_same(ring: Ring, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *verifier_lines(ring.keys))
    with listening(folder) as url:
        ring.services.witnessing.set_policy(ring.who.actor, policy_text(("b", vkeys_of(folder)[0], url)))
        grow(ring)
        ring.services.witnessing.work()
        sql(ring, f"UPDATE witness_contact SET next_attempt_at = '{FAR}'")  # noqa: S608 - our own words
        size = grow(ring)
        ring.services.witnessing.work()
    assert ring.services.witnessing.met_size() == size


def test_a_row_that_somebody_spoilt_does_not_end_the_attendant(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise TypeError("'<' not supported between instances of 'str' and 'int'")

    Attendant("time stamps are not asked for", 1.0, fails).once()
    assert "time stamps are not asked for" in caplog.text
