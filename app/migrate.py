"""Bringing a database to the schema that this program speaks."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from app.db import Database, coded
from app.errors import EnvironmentFailedError

if TYPE_CHECKING:  # a quarter of the time in which a command is loaded, and needed by the few that change a schema
    from alembic.config import Config
    from alembic.script import ScriptDirectory

VERSIONS = "alembic_version"


def _folder() -> Path:
    found = importlib.util.find_spec("migrations")
    if found is None or not found.submodule_search_locations:
        raise EnvironmentFailedError("installation_damaged", "the migrations are not installed", status=500)
    return Path(found.submodule_search_locations[0])


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_folder()))
    return config


def newest_revision() -> str:
    """The revision that this program speaks: the scripts are numbered in the order in which they are applied."""
    names = sorted(path.name for path in (_folder() / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))
    if not names:
        raise EnvironmentFailedError("installation_damaged", "the migrations are not installed", status=500)
    return names[-1].partition("_")[0]


def upgrade(db: Database, revision: str = "head") -> None:
    """Bring the database to a revision, in one transaction.

    Raises:
        EnvironmentFailedError: `database_newer`, and those of `coded`.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    config = _config()
    _refuse_newer(current_revision(db), ScriptDirectory.from_config(config))
    with coded(), db.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def current_revision(db: Database) -> str | None:
    """The revision that the database is at; None for an empty one."""
    from alembic.migration import MigrationContext

    with coded(), db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_current(db: Database) -> None:
    """Refuse to work on another schema than the program's own.

    Raises:
        EnvironmentFailedError: `database_outdated`, `database_newer`.
    """
    if _recorded(db) == [newest_revision()]:
        return
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_config())
    here = current_revision(db)
    if here == scripts.get_current_head():
        return
    _refuse_newer(here, scripts)
    raise EnvironmentFailedError("database_outdated", "the database has an older schema: run 'catena migrate'")


def _recorded(db: Database) -> list[str]:
    """What the database says of its revision; nothing for an empty one."""
    with coded(), db.engine.connect() as connection:
        if not inspect(connection).has_table(VERSIONS):
            return []
        return [str(number) for number in connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalars()]  # noqa: S608 - a constant


def _refuse_newer(here: str | None, scripts: ScriptDirectory) -> None:
    if here is not None and here not in {script.revision for script in scripts.walk_revisions()}:
        raise EnvironmentFailedError("database_newer", "the database was written by a newer version of Catena")
