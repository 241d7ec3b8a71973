"""The schema's revisions against the models and against real databases of both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

import app.tables
from app import migrate
from app.api.services import Services
from app.config import Settings
from app.db import Database
from app.errors import EnvironmentFailedError
from app.intake.collections.entries import Check
from app.wiring import init_archive, make_worker, open_archive
from evidence_store.keys import file as key_file
from schemas.records.v1.source import SourceContext
from tests.archives import PASSPHRASE, deposit, make_archive, settings_of
from tests.checks import assert_clean, work_off
from tests.databases import BACKENDS, fresh_database
from tests.exports_of_before import exports_as_before
from tests.recordings import record
from tests.schemas_of_before import take_back

assert app.tables  # every table is registered


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return fresh_database(request.param, tmp_path)


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    with closing(Database(url)) as opened:
        yield opened


@pytest.fixture
def settings(url: str, tmp_path: Path) -> Settings:
    """An archive over the database."""
    made = settings_of(tmp_path / "archive", url)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        init_archive(made, "Archive of the Tests", PASSPHRASE)
    return made


def differences(db: Database) -> list[object]:
    """What Alembic would change to make the database fit the models."""
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))


def tables(db: Database) -> set[str]:
    return set(sa.inspect(db.engine).get_table_names())


def set_revision(db: Database, revision: str) -> None:
    with db.engine.begin() as connection:
        changed = connection.execute(sa.text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
        assert changed.rowcount == 1


def test_revisions_from_nothing_give_exactly_the_schema_of_the_models(db: Database) -> None:
    migrate.upgrade(db)
    assert differences(db) == []
    assert tables(db) == set(SQLModel.metadata.tables) | {"alembic_version"}
    migrate.require_current(db)


def test_comparison_sees_a_missing_column_a_missing_index_and_another_type(db: Database) -> None:
    migrate.upgrade(db)
    with db.engine.begin() as connection:
        connection.execute(sa.text("DROP INDEX ix_item_sha256"))
        connection.execute(sa.text("ALTER TABLE item DROP COLUMN source"))
        connection.execute(sa.text("ALTER TABLE item ADD COLUMN source INTEGER"))
        connection.execute(sa.text("ALTER TABLE job DROP COLUMN worker"))
    assert len(differences(db)) >= 3


def test_taking_every_revision_back_leaves_nothing_and_they_can_be_applied_again(db: Database) -> None:
    migrate.upgrade(db)
    take_back(db, "base")
    assert tables(db) == {"alembic_version"}
    assert migrate.current_revision(db) is None
    if not db.is_sqlite:
        assert sa.inspect(db.engine).get_sequence_names() == []
    migrate.upgrade(db)
    assert differences(db) == []


def test_there_is_one_line_of_revisions_and_each_can_be_taken_back() -> None:
    scripts = ScriptDirectory.from_config(migrate._config())
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    for script in scripts.walk_revisions():
        assert callable(script.module.upgrade)
        assert callable(script.module.downgrade)


def test_database_without_a_schema_is_refused_as_outdated(settings: Settings, db: Database) -> None:
    take_back(db, "base")
    with pytest.raises(EnvironmentFailedError) as refused:
        open_archive(settings, lambda: PASSPHRASE)
    assert refused.value.code == "database_outdated"
    assert "catena migrate" in refused.value.detail


def test_database_of_a_newer_program_is_refused_and_never_changed(settings: Settings, db: Database) -> None:
    set_revision(db, "9999")
    with pytest.raises(EnvironmentFailedError) as refused:
        open_archive(settings, lambda: PASSPHRASE)
    assert refused.value.code == "database_newer"
    with pytest.raises(EnvironmentFailedError) as refused:
        migrate.upgrade(db)
    assert refused.value.code == "database_newer"
    assert migrate.current_revision(db) == "9999"


def test_evidence_survives_every_revision_after_the_first_and_the_audit_is_clean(url: str, tmp_path: Path) -> None:
    """What the program wrote stays what the log says, however often the database is migrated."""
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    kept = [deposit(services, who, case, data).item.id for data in (b"first", b"second", b"first")]
    work_off(services)
    services.law.create_link(who, kept[0], "ap1-art62", "supports", "A fire engine is seen.")
    with exports_as_before():  # what was made since cannot be taken back behind revision 0020
        services.exports.create(who, case_ref="T1", purpose="test")
    services.checkpoint()
    parts = sa.Table("export_part", sa.MetaData(), autoload_with=services.archive.db.engine)
    with services.archive.db.engine.connect() as connection:
        written = [dict(row) for row in connection.execute(parts.select()).mappings()]
    services.archive.db.close()

    scripts = ScriptDirectory.from_config(migrate._config())
    revisions = [script.revision for script in reversed(list(scripts.walk_revisions()))]
    with closing(Database(url)) as db:
        take_back(db, revisions[0])
        for revision in revisions:
            migrate.upgrade(db, revision)
        assert differences(db) == []
        with db.engine.begin() as connection:  # a table that is taken back takes its rows along
            connection.execute(parts.insert(), written)
    reopened = open_archive(services.archive.settings, lambda: PASSPHRASE)
    assert [item.id for item, _ in reopened.evidence.list_items(who).items] == kept
    usage = reopened.quotas.usage(who.user_id)
    assert (usage.items, usage.bytes) == (3, 16), "revision 0008 counts what was deposited before, each deposit"
    assert (usage.limit, usage.decided) == (None, False)
    assert_clean(reopened)
    reopened.archive.db.close()


def test_versions_of_sources_and_checks_survive_every_later_revision_and_are_refused_twice(
    url: str, tmp_path: Path
) -> None:
    """Revision 0007: what stands in its tables stays, and no number is given twice."""
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    failed = Check("manifest_sha256", "failed", {"reason": "another file"})
    item = services.intake.deposit_bytes(who, case, [b"data"], "a", SourceContext(note="first"), [failed]).item
    services.sources.revise(who, item.id, {"note": "second"}, "corrected", 1)
    before = services.sources.versions_of(item), services.checks.of(item.id)
    services.archive.db.close()
    with closing(Database(url)) as db:
        take_back(db, "0007")
        migrate.upgrade(db)
        assert differences(db) == []
        for table in ("source_version", "collector_check"):
            columns = ", ".join(c["name"] for c in sa.inspect(db.engine).get_columns(table) if c["name"] != "id")
            again = f"INSERT INTO {table} (id, {columns}) SELECT 'x', {columns} FROM {table}"  # noqa: S608 - ours
            with pytest.raises(sa.exc.IntegrityError), db.engine.begin() as connection:
                connection.exec_driver_sql(again)
    reopened = open_archive(services.archive.settings, lambda: PASSPHRASE)
    assert (reopened.sources.versions_of(item), reopened.checks.of(item.id)) == before
    assert_clean(reopened)
    reopened.archive.db.close()


def test_recording_from_before_there_were_proxies_gets_one_when_it_is_asked_for(url: str, tmp_path: Path) -> None:
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    item = deposit(services, who, case, record(tmp_path / "a.mkv", [0.0, 0.1]).read_bytes(), "a.mkv").item.id
    worker = make_worker(services)
    while services.analysis.latest(item) is None:
        assert worker.run_one()
    services.archive.db.close()
    with closing(Database(url)) as db:
        take_back(db, "0009")
        with db.engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM job WHERE kind = 'proxy'"))
        migrate.upgrade(db)
        assert differences(db) == []
    reopened = open_archive(services.archive.settings, lambda: PASSPHRASE)
    states = [_proxy_state(reopened, item)]
    reopened.proxies.ask(item)
    states.append(_proxy_state(reopened, item))
    work_off(reopened)
    assert [*states, _proxy_state(reopened, item)] == ["absent", "pending", "done"]
    assert_clean(reopened)
    reopened.archive.db.close()


def test_unfinished_uploads_are_kept_by_their_bytes_and_need_a_user_and_a_case(db: Database) -> None:
    """The table of revision 0008 takes what an upload of 8 EiB says, and nothing that belongs to nobody."""
    migrate.upgrade(db, "0007")
    assert "upload" not in tables(db)
    with db.engine.begin() as connection:
        for table, columns in (
            ("app_user", {"id": "u", "name": "ana", "display_name": "Ana", "role": "investigator"}),
            ("evidence_case", {"id": "c", "ref": "T1", "title": "T1", "created_by": "u"}),
        ):
            row = {"row_salt": "s", "created_at": "t", **columns}
            names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({places})"), row)  # noqa: S608
    migrate.upgrade(db, "0008")
    whole = {
        "id": "one",
        "user_id": "u",
        "case_id": "c",
        "size": 2**63 - 1,
        "committed": 2**62,
        "original_name": "дрон.mp4",
        "source": "{}",
        "metadata_header": "filename YQ==",
        "digests": "{}",
        "state": "finishing",
        "created_at": "t",
        "updated_at": "t",
        "expires_at": "t",
    }
    insert = sa.text(f"INSERT INTO upload ({', '.join(whole)}) VALUES ({', '.join(f':{name}' for name in whole)})")  # noqa: S608
    with db.engine.begin() as connection:
        connection.execute(insert, whole)
        found = connection.execute(sa.text("SELECT size, committed, item_id, failure_code FROM upload")).one()
    assert tuple(found) == (2**63 - 1, 2**62, None, None)
    for nobody in ({"id": "two", "user_id": "x"}, {"id": "two", "case_id": "x"}, {}):
        with pytest.raises(sa.exc.IntegrityError), db.engine.begin() as connection:
            connection.execute(insert, whole | nobody)
    take_back(db, "0007")
    assert "upload" not in tables(db)


def _proxy_state(services: Services, item: str) -> str:
    view = services.proxies.view(item)
    assert view is not None
    return view.state


def test_jobs_that_waited_before_they_had_a_subject_are_about_their_items(settings: Settings, db: Database) -> None:
    """0009: whoever may see an item sees the work that was waiting for it when the program was renewed."""
    take_back(db, "0008")
    item = "5f1d7c1e-6c0f-4a53-9b0e-0f5cf1f6a001"
    payloads = {"analyse": f'{{"item": "{item}"}}', "chore": '{"case": "T1"}', "spoilt": "["}
    row = sa.text(
        "INSERT INTO job (kind, dedupe_key, payload, priority, state, attempt, max_attempts, run_after, created_at) "
        "VALUES (:kind, :kind, :payload, 0, 'ready', 0, 3, :now, :now)"
    )
    with db.engine.begin() as connection:
        for kind, payload in payloads.items():
            connection.execute(row, {"kind": kind, "payload": payload, "now": "2026-01-01T00:00:00.000000Z"})
    migrate.upgrade(db)
    assert differences(db) == []
    columns = "subject, started_at, progress_done, progress_total"
    with db.engine.connect() as connection:
        found = {
            kind: values
            for kind, *values in connection.execute(sa.text(f"SELECT kind, {columns} FROM job"))  # noqa: S608
        }
    assert found == {
        "analyse": [f"item:{item}", None, None, None],
        "chore": [None, None, None, None],
        "spoilt": [None, None, None, None],
    }
    services = open_archive(settings, lambda: PASSPHRASE)
    claims = [services.jobs.claim("worker"), services.jobs.claim("worker")]
    assert [claim.subject for claim in claims if claim] == [f"item:{item}", None]
    services.archive.db.close()
    take_back(db, "0008")
    with db.engine.connect() as connection:
        kept = connection.execute(sa.text("SELECT kind, payload FROM job ORDER BY id")).all()
    assert {row.kind: row.payload for row in kept} == payloads


def test_unreachable_database_is_a_coded_error(tmp_path: Path) -> None:
    nowhere = Database(f"postgresql://postgres@/none?host={tmp_path}")
    with pytest.raises(EnvironmentFailedError) as refused:
        migrate.require_current(nowhere)
    assert refused.value.code == "database_failed"
    nowhere.close()


def test_file_that_is_no_database_is_a_coded_error(tmp_path: Path) -> None:
    (tmp_path / "catena.db").write_bytes(b"this is not a database, and is long enough to be read as one " * 100)
    with closing(Database(f"sqlite:///{tmp_path / 'catena.db'}")) as db, pytest.raises(EnvironmentFailedError) as told:
        migrate.require_current(db)
    assert told.value.code == "database_damaged"


def test_newest_revision_by_name_is_the_head_of_the_chain_of_scripts() -> None:
    assert migrate.newest_revision() == ScriptDirectory.from_config(migrate._config()).get_current_head()
