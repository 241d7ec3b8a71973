"""A recovery from one PostgreSQL database into another, older one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from app.custody.heads import KeptHeads
from app.custody.log_store import tree_size
from app.custody.recovering import bring_back
from app.custody.recovery import examine
from app.custody.recovery_sources import Findings, read_source
from app.custody.vkeys import log_keys
from app.wiring import open_archive
from tests.archives import PASSPHRASE, deposit, make_archive, person
from tests.checks import assert_clean, work_off
from tests.databases import fresh_postgres


def copy_of(url: str) -> str:
    """URL of a new database with the contents of another, which nobody uses at the moment."""
    source, target = make_url(url), make_url(fresh_postgres())
    with psycopg.connect(
        host=str(source.query["host"]), user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f"DROP DATABASE {target.database}".encode())
        connection.execute(f"CREATE DATABASE {target.database} TEMPLATE {source.database}".encode())
    return target.render_as_string(hide_password=False)


def test_newer_postgresql_brings_everything_back(tmp_path: Path) -> None:
    services = make_archive(tmp_path, fresh_postgres())
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    services.checkpoint()
    settings = services.archive.settings
    services.archive.db.close()
    older = copy_of(settings.database_url)
    item = deposit(services, who, case, b"after the backup").item
    person(services, "nora", "legal", case)
    work_off(services)
    services.checkpoint()
    signed = services.checkpointer.signed_size()
    services.archive.db.close()

    behind = open_archive(replace(settings, database_url=older), lambda: PASSPHRASE, for_audit=True)
    archive, keys = behind.archive, log_keys(settings.keys)
    with archive.db.read() as session:
        found = Findings(tree_size(session))
        read_source(settings.database_url, found)
        loss = examine(session, archive.identity.log, keys, found, behind.checkpointer.heads.notes())
    assert len(loss.places) == signed - found.first > 0
    assert (loss.without_effect, loss.without_text) == ([], [])
    heads = KeptHeads(settings.head_file)
    bring_back(archive.db, archive.custody, heads, keys, loss, archive.about, who.actor)
    found.close()
    behind.checkpoint()
    assert behind.evidence.find_item(who, item.id)[0].id == item.id
    assert behind.checkpointer.signed_size() > signed
    assert_clean(behind)
    archive.db.close()
