"""An archive of before gets the hashes that it has, row for row as if they had been written with the fingerprints."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlmodel import select

from app import migrate
from app.api.services import Services
from app.db import Database
from app.matching.format import Fingerprint
from app.matching.models import FingerprintHashes
from app.wiring import make_worker, open_archive
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, close_archive, deposit, make_archive
from tests.checks import assert_clean
from tests.databases import BACKENDS, fresh_database
from tests.flow.test_api_matches import jpeg, scene
from tests.matching_media import clip_frames, write_clip
from tests.schemas_of_before import take_back

REVISION, BEFORE = "0021", "0020"
LONG = 2560  # octets: of a fingerprint with so many hashes they are not all there at the first look


def kept(services: Services) -> list[tuple[object, ...]]:
    with services.archive.db.read() as session:
        rows = session.exec(select(FingerprintHashes).order_by(sa.text("leaf_index"))).all()
        return [(row.leaf_index, row.item_id, row.algorithm, row.kind, row.data) for row in rows]


@pytest.mark.parametrize("backend", BACKENDS)
def test_hashes_of_before_are_filled_in(backend: str, tmp_path: Path) -> None:
    url = fresh_database(backend, tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    long = write_clip(tmp_path / "clip.mp4", clip_frames(5, seconds=30)).read_bytes()
    for data in (jpeg(scene(1), 90), b"a note", long, jpeg(scene(2), 90)):
        deposit(services, who, case, data)
    make_worker(services).drain()
    services.checkpoint()
    written = kept(services)
    assert sorted((str(kind), data is None) for *_, kind, data in written) == [
        ("other", True), ("photo", False), ("photo", False), ("video", False)
    ]  # fmt: skip
    assert max(len(data) // 33 * 47 for *_, data in written if isinstance(data, bytes)) > LONG
    with services.archive.db.engine.connect() as connection:
        rows = [
            (item, Fingerprint.from_bytes(bytes(data)).hashes)
            for item, data in connection.execute(sa.text("SELECT item_id, data FROM fingerprint")).all()
            if data is not None
        ]
    assert {item: len(data) for _, item, *_, data in written if isinstance(data, bytes)} == {
        item: 33 * sum(row.dihedral == 0 for row in hashes) for item, hashes in rows
    }
    services.archive.db.close()
    with closing(Database(url)) as db:
        take_back(db, BEFORE)
        assert "fingerprint_hashes" not in sa.inspect(db.engine).get_table_names()
        migrate.upgrade(db, REVISION)
        migrate.upgrade(db)
    services = open_archive(services.archive.settings, lambda: PASSPHRASE)
    assert kept(services) == written
    assert_clean(services)

    # What cannot be read is left out, and keeps nothing else from being filled in.
    take_back(services.archive.db, BEFORE)
    with services.archive.db.engine.begin() as connection:
        for number, spoilt in enumerate((b"no fingerprint", b"CFP1", b"")):
            statement = sa.text("UPDATE fingerprint SET data = :data WHERE leaf_index = :leaf")
            leaf = [row[0] for row in written if row[-1]][number]
            connection.execute(statement, {"data": spoilt, "leaf": leaf})
    migrate.upgrade(services.archive.db)
    assert kept(services) == [row for row in written if row[-1] is None]
    close_archive(services)


ODD = {
    "more rows than any has": "data = :many",
    "of another type": "data = 'abc'",
    "a number": "data = 5",
    "of no item": "item_id = 'nowhere'",
    "at no place": "leaf_index = 'x'",
    "no text": "kind = CAST(x'ff' AS TEXT)",
    "two of one event": "leaf_index = (SELECT max(leaf_index) FROM fingerprint)",
}
MANY = b"CFP1\0\x13catena-phash256-orb" + (5).to_bytes(2, "big") + bytes(20) + b"\xff" * 4 + bytes(3000)


@pytest.mark.parametrize("what", ODD)
def test_an_odd_fingerprint_does_not_keep_an_archive_at_its_old_version(what: str, tmp_path: Path) -> None:
    services = make_archive(tmp_path, None)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    for seed in (1, 2):
        deposit(services, who, case, jpeg(scene(seed), 90))
    make_worker(services).drain()
    db = services.archive.db
    take_back(db, BEFORE)
    first = "leaf_index = (SELECT min(leaf_index) FROM fingerprint)"
    with closing(sqlite3.connect(str(db.engine.url.database))) as connection, connection:
        edit = f"UPDATE fingerprint SET {ODD[what]} WHERE {first}"  # noqa: S608
        assert connection.execute(edit, {"many": MANY} if ":many" in edit else {}).rowcount == 1
    migrate.upgrade(db)
    assert len(kept(services)) <= 1
    db.close()


def test_a_fingerprint_with_more_rows_than_any_has_is_left_out(tmp_path: Path) -> None:
    url = fresh_database("postgresql", tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    deposit(services, who, services.evidence.create_case(who, "T1"), jpeg(scene(1), 90))
    make_worker(services).drain()
    take_back(services.archive.db, BEFORE)
    with services.archive.db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE fingerprint SET data = :many"), {"many": MANY})
    migrate.upgrade(services.archive.db)
    assert kept(services) == []
    close_archive(services)
