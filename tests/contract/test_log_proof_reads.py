"""Proofs read O(log n) nodes of the log, and ask the database once, however large the log is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlmodel import Session

from app.custody.log_store import computed, read_nodes
from app.errors import EnvironmentFailedError
from evidence_store.log import merkle
from evidence_store.log.merkle import NodeReader
from tests.databases import BACKENDS, fresh_database
from tests.logs import BareLog

LARGEST = 2**62
SIZE = 70_001


def reads(compute: Callable[[NodeReader], object]) -> int:
    asked: list[tuple[int, int]] = []

    def read(level: int, index: int) -> bytes:
        asked.append((level, index))
        return bytes(32)

    compute(read)
    return len(asked)


@given(st.data(), st.integers(1, LARGEST))
@example(None, LARGEST - 1)
def test_proofs_and_roots_of_any_log_read_at_most_two_nodes_a_level(data: st.DataObject | None, size: int) -> None:
    at = size // 3 if data is None else data.draw(st.integers(0, size - 1))
    levels = size.bit_length()
    assert reads(partial(merkle.root_at, size)) <= levels
    assert reads(partial(merkle.inclusion_proof, at, size)) <= 2 * levels
    assert reads(partial(merkle.consistency_proof, at + 1, size)) <= 2 * levels


@pytest.fixture(scope="module", params=BACKENDS)
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareLog]:
    made = BareLog(fresh_database(request.param, tmp_path_factory.mktemp("log")))
    made.grow(SIZE)
    yield made
    made.close()


@contextmanager
def counted(log: BareLog) -> Iterator[list[str]]:
    """The questions that the database is asked in the block."""
    asked: list[str] = []

    def remember(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:  # noqa: ANN401 - the driver's types
        asked.append(statement)

    event.listen(log.db.engine, "before_cursor_execute", remember)
    try:
        yield asked
    finally:
        event.remove(log.db.engine, "before_cursor_execute", remember)


def one_by_one(session: Session) -> NodeReader:
    return lambda level, index: read_nodes(session, level, index, 1)[0]


@pytest.mark.parametrize(
    "compute",
    [
        partial(merkle.root_at, SIZE),
        partial(merkle.inclusion_proof, 0, SIZE),
        partial(merkle.inclusion_proof, 65_535, SIZE),
        partial(merkle.inclusion_proof, SIZE - 1, SIZE),
        partial(merkle.consistency_proof, 1, SIZE),
        partial(merkle.consistency_proof, 65_537, SIZE),
        partial(merkle.consistency_proof, SIZE, SIZE),
    ],
)
def test_whatever_is_computed_from_stored_nodes_takes_one_question(
    log: BareLog, compute: Callable[[NodeReader], object]
) -> None:
    with log.db.read() as session:
        expected = compute(one_by_one(session))
        with counted(log) as asked:
            assert computed(session, compute) == expected
    assert len([one for one in asked if "log_node" in one]) <= 1
    assert len(asked) <= 2, "one question, and on SQLite the beginning of the snapshot"


def test_tile_takes_one_question(log: BareLog) -> None:
    with log.db.read() as session, counted(log) as asked:
        assert len(read_nodes(session, 8, 0, 256)) == 256
    assert len([one for one in asked if "log_node" in one]) == 1


def test_missing_node_is_named_and_never_made_up(log: BareLog) -> None:
    with log.db.read() as session:
        session.execute(text('DELETE FROM log_node WHERE level = 0 AND "index" = 7'))
        with pytest.raises(EnvironmentFailedError, match=r"\(0, 7\)") as caught:
            computed(session, partial(merkle.inclusion_proof, 6, SIZE))
    assert caught.value.code == "log_node_missing"
    with log.db.read() as session:
        assert computed(session, partial(merkle.inclusion_proof, 6, SIZE)), "the deletion was rolled back"
