"""Databases as they were before a revision."""

from __future__ import annotations

from alembic import command

from app import migrate
from app.db import Database


def take_back(db: Database, revision: str) -> None:
    """Undo every revision after this one."""
    config = migrate._config()
    with db.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
