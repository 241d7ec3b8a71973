"""Archives for tests: made once, copied often, opened like any other.

Making one takes seconds, so a template is made once per process and kind of database, its folder and its database are
copied. Copies on SQLite share the template's opened keys. A test that attacks key files, or that needs two archives
with keys of their own, asks for a `fresh` one; so does one whose clock is not about that of the machine.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from unittest import mock

from sqlalchemy import make_url

from app.access.rules import Role
from app.access.service import Principal
from app.api.services import Services
from app.archive import LogKey, SealKey
from app.clock import Clock, system_clock
from app.config import Settings
from app.custody.service import SYSTEM
from app.custody.service import events_of as rows_of
from app.evidence.models import Case
from app.intake.service import Deposit
from app.wiring import init_archive, open_archive
from evidence_store.keys import file as key_file
from schemas.records.v1.event import CustodyEvent
from schemas.records.v1.source import SourceContext
from tests.databases import fill_postgres, fresh_postgres

PASSPHRASE = b"a passphrase for tests only"
ORG = "Archive of the Tests"


def settings_of(data: Path, database_url: str | None = None) -> Settings:
    """Settings with small limits."""
    return Settings(
        data=data,
        database_url=database_url or f"sqlite:///{data / 'catena.db'}",
        max_upload_bytes=64 * 1024 * 1024,
        disk_reserve_bytes=0,
        lease_seconds=15.0,
        token_days=30,
    )


def make_archive(
    tmp_path: Path, database_url: str | None = None, *, clock: Clock = system_clock, fresh: bool = False
) -> Services:
    """A new archive in `tmp_path / "archive"`, opened.

    Args:
        tmp_path: the test's folder.
        database_url: another database than SQLite in the data folder; it must be empty.
        clock: source of time.
        fresh: with an identity and keys of its own.
    """
    if fresh:
        settings = settings_of(tmp_path / "archive", database_url)
        with mock.patch.object(key_file, "SCRYPT_P", 1):  # a fifth of the work protects a test's keys well enough
            init_archive(settings, ORG, PASSPHRASE, clock)
        return open_archive(settings, lambda: PASSPHRASE, clock)
    if database_url is not None and database_url.startswith("postgresql"):
        return copy_archive(_template("postgresql"), tmp_path, database_url, clock)
    services = copy_archive(_template("sqlite"), tmp_path, database_url, clock)
    seal_key, log_key = _opened_keys()
    object.__setattr__(services.archive, "seal_key", lambda: seal_key)
    object.__setattr__(services.archive, "log_key", lambda: log_key)
    return services


def copy_archive(template: Settings, folder: Path, database_url: str | None, clock: Clock) -> Services:
    """A copy of a closed archive in `folder / "archive"`, with its database in another of the same kind, opened."""
    settings = settings_of(folder / "archive", database_url)
    url = make_url(settings.database_url)
    shutil.copytree(template.data, settings.data)
    if url.get_backend_name() == "postgresql":
        fill_postgres(settings.database_url, template.database_url)
    else:
        (settings.data / "catena.db").rename(str(url.database))
    return open_archive(settings, lambda: PASSPHRASE, clock)


@cache
def _template(backend: str) -> Settings:
    folder = Path(tempfile.mkdtemp(prefix="catena-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    settings = settings_of(folder / "archive", fresh_postgres() if backend == "postgresql" else None)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        init_archive(settings, ORG, PASSPHRASE)
    return settings


@cache
def _opened_keys() -> tuple[SealKey, LogKey]:
    opened = open_archive(_template("sqlite"), lambda: PASSPHRASE)
    keys = opened.archive.seal_key(), opened.archive.log_key()
    opened.archive.db.close()
    return keys


def close_archive(services: Services) -> None:
    """Give the database's connections back."""
    services.archive.db.close()


def person(services: Services, name: str, role: Role, *cases: Case) -> Principal:
    """A new user, member of these cases."""
    services.access.create_user(SYSTEM, name, role)
    for case in cases:
        services.access.add_member(SYSTEM, case.id, name)
    return Principal(services.access.local_operator(name).user_id, name, role, "token")


def events_of(services: Services, about: str) -> list[CustodyEvent]:
    """All events of an object, oldest first."""
    with services.archive.db.read() as session:
        return [CustodyEvent.model_validate_json(row.canonical) for row in rows_of(session, about)]


def deposit(services: Services, who: Principal, case: Case, data: bytes, name: str = "photo.jpg") -> Deposit:
    """Deposit bytes, as the edges do after they asked for the right."""
    return services.intake.deposit_bytes(who, case, [data], name, SourceContext())
