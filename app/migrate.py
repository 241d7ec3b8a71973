"""Bringing a database to the schema that this program speaks."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.db import Database, coded
from app.errors import EnvironmentFailedError


def _config() -> Config:
    found = importlib.util.find_spec("migrations")
    if found is None or not found.submodule_search_locations:
        raise EnvironmentFailedError("installation_damaged", "the migrations are not installed", status=500)
    config = Config()
    config.set_main_option("script_location", str(Path(found.submodule_search_locations[0])))
    return config


def upgrade(db: Database, revision: str = "head") -> None:
    """Bring the database to a revision, in one transaction.

    Raises:
        EnvironmentFailedError: `database_newer`, and those of `coded`.
    """
    config = _config()
    _refuse_newer(current_revision(db), ScriptDirectory.from_config(config))
    with coded(), db.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def current_revision(db: Database) -> str | None:
    """The revision that the database is at; None for an empty one."""
    with coded(), db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_current(db: Database) -> None:
    """Refuse to work on another schema than the program's own.

    Raises:
        EnvironmentFailedError: `database_outdated`, `database_newer`.
    """
    scripts = ScriptDirectory.from_config(_config())
    here = current_revision(db)
    if here == scripts.get_current_head():
        return
    _refuse_newer(here, scripts)
    raise EnvironmentFailedError("database_outdated", "the database has an older schema: run 'catena migrate'")


def _refuse_newer(here: str | None, scripts: ScriptDirectory) -> None:
    if here is not None and here not in {script.revision for script in scripts.walk_revisions()}:
        raise EnvironmentFailedError("database_newer", "the database was written by a newer version of Catena")
