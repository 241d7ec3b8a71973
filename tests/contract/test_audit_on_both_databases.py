"""Streamed in batches, an audit names the same damage on SQLite and PostgreSQL, wherever in a long log it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.api.services import Services
from app.audit.stored import BATCH
from tests.archives import close_archive, deposit, make_archive
from tests.big_logs import EVENTS_A_USER, grow_to
from tests.checks import audit, errors_of
from tests.databases import BACKENDS, fresh_database

SIZE = 2 * BATCH + 137
EARLY, LATE = 40, 2 * BATCH + 60


@pytest.fixture(params=BACKENDS)
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    made = make_archive(tmp_path, None if request.param == "sqlite" else fresh_database(request.param, tmp_path))
    admin = made.access.local_operator()
    case = made.evidence.create_case(admin, "T1")
    deposit(made, admin, case, b"data")
    grow_to(made, SIZE)
    assert audit(made)["ok"]
    yield made
    close_archive(made)


def do(services: Services, *statements: str) -> None:
    """Edit the database behind the archive's back."""
    with services.archive.db.engine.begin() as connection:
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount >= 1, f"changed nothing: {statement}"


def one(services: Services, query: str) -> Any:  # noqa: ANN401 - any value
    with services.archive.db.engine.connect() as connection:
        return connection.exec_driver_sql(query).scalar_one()


def user_of(services: Services, leaf: int) -> str:
    return str(one(services, f"SELECT object FROM custody_event WHERE leaf_index = {leaf}")).removeprefix("user:")  # noqa: S608


def _event_deleted(services: Services, leaf: int) -> set[tuple[str, str]]:
    do(services, f"DELETE FROM custody_event WHERE leaf_index = {leaf}")  # noqa: S608
    return {("event_missing", f"leaf {leaf}"), ("log_node_extra", f"log node (0, {leaf})")}


def _node_altered(services: Services, leaf: int) -> set[tuple[str, str]]:
    do(
        services,
        'UPDATE log_node SET hash = (SELECT hash FROM log_node WHERE level = 0 AND "index" = 0) '  # noqa: S608
        f'WHERE level = 1 AND "index" = {leaf // 2}',
    )
    return {("log_node_altered", f"log node (1, {leaf // 2})")}


def _node_deleted(services: Services, leaf: int) -> set[tuple[str, str]]:
    do(services, f'DELETE FROM log_node WHERE level = 0 AND "index" = {leaf}')  # noqa: S608
    return {("log_node_missing", f"log node (0, {leaf})")}


def _node_added(services: Services, leaf: int) -> set[tuple[str, str]]:
    place = f"{leaf + SIZE}"
    do(services, f'INSERT INTO log_node SELECT 3, {place}, hash FROM log_node WHERE level = 0 AND "index" = 0')  # noqa: S608
    return {("log_node_extra", f"log node (3, {place})")}


def _row_altered(services: Services, leaf: int) -> set[tuple[str, str]]:
    user = user_of(services, leaf)
    do(services, f"UPDATE app_user SET role = 'admin' WHERE id = '{user}'")  # noqa: S608
    return {("row_altered", f"app_user {user}")}


def _row_deleted(services: Services, leaf: int) -> set[tuple[str, str]]:
    user = user_of(services, leaf)
    do(services, f"DELETE FROM app_user WHERE id = '{user}'")  # noqa: S608
    return {("row_missing", f"app_user {user}")}


def _row_put_back_to_what_it_was(services: Services, leaf: int) -> set[tuple[str, str]]:
    user = user_of(services, leaf)
    do(services, f"UPDATE app_user SET display_name = 'number 0' WHERE id = '{user}'")  # noqa: S608
    return {("row_altered", f"app_user {user}")}


def _columns_altered(services: Services, leaf: int) -> set[tuple[str, str]]:
    do(services, f"UPDATE custody_event SET type = 'review' WHERE leaf_index = {leaf}")  # noqa: S608
    event = one(services, f"SELECT event_id FROM custody_event WHERE leaf_index = {leaf}")  # noqa: S608
    about = f"user:{user_of(services, leaf)}"
    return {("event_column_altered", f"event {event} (leaf {leaf}, {about})")}


DAMAGE: list[Callable[[Services, int], set[tuple[str, str]]]] = [
    _node_added,
    _node_altered,
    _row_altered,
    _row_deleted,
    _row_put_back_to_what_it_was,
    _columns_altered,
]


def test_each_damage_is_named_wherever_it_is_and_nothing_else(services: Services) -> None:
    expected: set[tuple[str, str]] = set()
    for number, damage in enumerate(DAMAGE):
        for leaf in (EARLY, BATCH - 1, LATE):
            expected |= damage(services, leaf + EVENTS_A_USER * number)  # another user's each time
    assert len(expected) == 3 * len(DAMAGE)
    assert errors_of(audit(services)) == expected


@pytest.mark.parametrize("leaf", [EARLY, LATE])
def test_deleted_event_is_named_with_all_that_hangs_on_it(services: Services, leaf: int) -> None:
    expected = _event_deleted(services, leaf)
    found = errors_of(audit(services))
    assert expected <= found
    hanging = {"event_missing", "event_sequence_broken", "event_chain_broken", "log_node_extra", "check_not_run"}
    assert {code for code, _ in found} == hanging


def test_nodes_deleted_at_either_end_are_named(services: Services) -> None:
    expected = _node_deleted(services, 0) | _node_deleted(services, SIZE - 1)
    assert errors_of(audit(services)) == expected
