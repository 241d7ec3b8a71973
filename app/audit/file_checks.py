"""The database's file against itself, on SQLite: pages, and that each index holds every row of its table.

Who writes to the file can leave an index that knows only some of the rows, under a definition that says all; whoever
asks by that index is then told of no others, and the tables themselves are as they should be. SQLite's own full check
finds that (https://www.sqlite.org/pragma.html#pragma_integrity_check); its quick one does not compare indexes.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from app.audit.meter import Meter
from evidence_store.verify.report import Report

_FINE = "ok"
_MOST = 100
_EVERY = 200_000
"""Steps of the database's machine between two looks at the clock: some milliseconds."""


def check_file(session: Session, meter: Meter, report: Report) -> None:
    """Name what the database's own check finds; a database server keeps its files itself.

    Raises:
        AuditStoppedError: somebody asked the audit to stop.
    """
    connection = session.connection()
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        return
    raised: list[BaseException] = []

    def look() -> int:
        try:
            meter.look()
        except BaseException as error:  # noqa: BLE001 - it must pass through code that is not Python's
            raised.append(error)
        return len(raised)

    driver.set_progress_handler(look, _EVERY)
    try:
        for (said,) in connection.execute(text(f"PRAGMA integrity_check({_MOST})")).all():
            if said != _FINE:
                report.finding("database_damaged", "database", str(said))
    except DBAPIError as error:
        if raised:
            raise raised[0] from None
        report.finding("database_damaged", "database", f"it cannot be read through: {error.orig}")
    finally:
        driver.set_progress_handler(None, 0)
