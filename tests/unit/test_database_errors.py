"""What a database or its driver may raise gets a code; what the program asked for wrongly passes."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.config import load_settings
from app.db import Database, coded
from app.errors import CatenaError, EnvironmentFailedError

NOWHERE = "postgresql://nobody@/none?host=/nonexistent"


@pytest.mark.parametrize(
    ("raised", "code", "status"),
    [
        (PoolTimeoutError("QueuePool limit of size 5 overflow 10 reached"), "database_busy", 503),
        (InterfaceError("SELECT", {}, Exception("the connection is closed")), "database_failed", 503),
        (OperationalError("SELECT", {}, Exception("database is locked")), "database_busy", 503),
        (OperationalError("SELECT", {}, Exception("FATAL: sorry, too many clients already")), "database_busy", 503),
        (
            OperationalError("SELECT", {}, Exception("remaining connection slots are reserved for superusers")),
            "database_busy",
            503,
        ),
        (OperationalError("SELECT", {}, Exception("server closed the connection")), "database_failed", 503),
        (OperationalError("INSERT", {}, Exception("database or disk is full")), "storage_full", 507),
        (DatabaseError("SELECT", {}, Exception("malformed")), "database_damaged", 500),
    ],
)
def test_failures_of_the_database_have_codes(raised: SQLAlchemyError, code: str, status: int) -> None:
    with pytest.raises(EnvironmentFailedError) as caught, coded():
        raise raised
    assert (caught.value.code, caught.value.status) == (code, status)


def test_broken_rules_of_the_tables_pass() -> None:
    with pytest.raises(IntegrityError), coded():
        raise IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed"))


def test_number_of_connections_is_set_and_none_at_all_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().database_connections == 80
    monkeypatch.setenv("CATENA_DATABASE_CONNECTIONS", "30")
    pool = Database(NOWHERE, load_settings().database_connections).engine.pool
    assert pool.size() + pool._max_overflow == 30  # type: ignore[attr-defined]
    with pytest.raises(CatenaError) as caught:
        Database(NOWHERE, 0)
    assert caught.value.code == "bad_setting"
