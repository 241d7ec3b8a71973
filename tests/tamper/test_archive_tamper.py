"""An insider with database and disk: whatever he changes, `catena audit` names it.

One real archive is made (an item analysed, matched, linked, reviewed, exported); each attack works
on a copy of it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from app import wiring
from app.api.services import Services
from tests.archives import PASSPHRASE, deposit, make_archive, person
from tests.checks import assert_clean, audit, errors_of, work_off

Attack = Callable[["Victim"], None]


class Victim:
    """A copy of the archive that an attack may spoil."""

    def __init__(self, data: Path, made: Services) -> None:
        self.data = data
        self._made = made

    @cached_property
    def services(self) -> Services:
        """The copy, opened on first use: after the attack."""
        archive = self._made.archive
        settings = replace(archive.settings, data=self.data, database_url=f"sqlite:///{self.data / 'catena.db'}")
        opened = wiring.open_archive(settings, lambda: PASSPHRASE)
        object.__setattr__(opened.archive, "seal_key", archive.seal_key)
        object.__setattr__(opened.archive, "log_key", archive.log_key)
        return opened

    def sql(self, *statements: str) -> None:
        """Edit the database behind the archive's back."""
        with closing(sqlite3.connect(self.data / "catena.db")) as connection, connection:
            connection.execute("PRAGMA foreign_keys=OFF")
            for statement in statements:
                assert connection.execute(statement).rowcount >= 1, f"changed nothing: {statement}"

    def one(self, query: str) -> str:
        """One value of the database."""
        with closing(sqlite3.connect(self.data / "catena.db")) as connection:
            return str(connection.execute(query).fetchone()[0])

    def blob(self) -> Path:
        """The stored original."""
        sha256 = self.one("SELECT sha256 FROM item ORDER BY received_at LIMIT 1")
        return self.data / "blobs" / "sha256" / sha256[:2] / sha256[2:4] / sha256

    def flip(self, path: Path) -> None:
        """Flip one bit in the middle of a file."""
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.chmod(0o644)
        path.write_bytes(bytes(data))


def picture(seed: int) -> bytes:
    image = Image.effect_noise((320, 240), 60).convert("RGB")
    ImageDraw.Draw(image).ellipse((40 + seed, 40, 200, 200), fill=(200, 30, seed))
    stream = BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Services:
    services = make_archive(tmp_path_factory.mktemp("made"))
    admin = services.access.local_operator()
    case = services.evidence.create_case(admin, "T1")
    second = person(services, "second", "legal", case)
    data = picture(1)
    first = deposit(services, admin, case, data, "strike.jpg")
    deposit(services, admin, case, data, "copy.jpg")
    work_off(services)
    link = services.law.create_link(admin, first.item.id, "ap1-art62", "supports", "A fire engine is seen.")
    services.reviews.review_link(second, link.id, "approve", "")
    services.exports.create(admin, case_ref="T1", purpose="test")
    services.access.create_token(admin.actor, "second")
    services.checkpoint()
    assert_clean(services)
    services.checkpoint()
    return services


@pytest.fixture
def victim(made: Services, tmp_path: Path) -> Victim:
    data = tmp_path / "data"
    made.archive.db.close()
    shutil.copytree(made.archive.settings.data, data)
    return Victim(data, made)


def test_an_untouched_copy_is_clean(victim: Victim) -> None:
    assert_clean(victim.services)


TABLES = (
    "evidence_case",
    "item",
    "blob",
    "derivative",
    "receipt",
    "analysis_run",
    "fingerprint",
    "item_match",
    "provision_link",
    "link_review",
    "catalogue",
    "export",
    "app_user",
    "access_token",
    "case_member",
)


def test_every_auditable_table_is_attacked_here() -> None:
    from app.custody.rows import formats

    assert {name for name, _ in formats()} - {"audit"} == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_row_is_named(victim: Victim, table: str) -> None:
    key = victim.one(f"SELECT name FROM pragma_table_info('{table}') WHERE pk = 1")  # noqa: S608 - our own names
    row = victim.one(f"SELECT {key} FROM {table} ORDER BY {key} LIMIT 1")  # noqa: S608
    victim.sql(f"DELETE FROM {table} WHERE {key} = '{row}'")  # noqa: S608
    assert ("row_missing", f"{table} {row}") in errors_of(audit(victim.services))


def _columns() -> list[tuple[str, str]]:
    from app import tables
    from app.custody.rows import formats

    assert tables
    return [(name, column) for name, form in formats() if name != "audit" for column in form.columns[1:]]


@pytest.mark.parametrize(("table", "column"), _columns())
def test_one_edited_field_is_named(victim: Victim, table: str, column: str) -> None:
    key = victim.one(f"SELECT name FROM pragma_table_info('{table}') WHERE pk = 1")  # noqa: S608
    row = victim.one(f"SELECT {key} FROM {table} ORDER BY {key} LIMIT 1")  # noqa: S608
    kind = victim.one(f"SELECT typeof({column}) FROM {table} WHERE {key} = '{row}'")  # noqa: S608
    changed = {"integer": f"{column} + 1", "null": "'1'", "blob": f"CAST({column} || x'20' AS BLOB)"}
    value = changed.get(kind, f"{column} || '1'")
    victim.sql(f"UPDATE {table} SET {column} = {value} WHERE {key} = '{row}'")  # noqa: S608
    assert ("row_altered", f"{table} {row}") in errors_of(audit(victim.services))


def test_a_row_added_behind_the_logs_back_is_named(victim: Victim) -> None:
    victim.sql(
        "INSERT INTO app_user (id, name, display_name, role, created_at, row_salt) "
        "VALUES ('mallory', 'mallory', 'M', 'admin', '2026-01-01T00:00:00.000000Z', 'x')"
    )
    assert ("row_not_in_log", "app_user mallory") in errors_of(audit(victim.services))


# -- attacks on the log, the disk and the keys, each with the finding that names it ------------


def _cut_last_events(victim: Victim) -> None:
    size = int(victim.one("SELECT size FROM log_head"))
    victim.sql(
        f"DELETE FROM custody_event WHERE leaf_index >= {size - 2}",  # noqa: S608
        f'DELETE FROM log_node WHERE ("index" + 1) * (1 << level) > {size - 2}',  # noqa: S608
        f"UPDATE log_head SET size = {size - 2}",  # noqa: S608
    )


def _swap_events(victim: Victim) -> None:
    a, b = (victim.one(f"SELECT hex(canonical) FROM custody_event WHERE leaf_index = {n}") for n in (5, 6))  # noqa: S608
    victim.sql(
        f"UPDATE custody_event SET canonical = x'{b}' WHERE leaf_index = 5",  # noqa: S608
        f"UPDATE custody_event SET canonical = x'{a}' WHERE leaf_index = 6",  # noqa: S608
    )


def _edit(victim: Victim, name: str, change: Callable[[bytes], bytes]) -> None:
    path = victim.data / name
    path.chmod(0o644)
    path.write_bytes(change(path.read_bytes()))


def _blob_to_folder(victim: Victim) -> None:
    path = victim.blob()
    path.unlink()
    path.mkdir()


ATTACKS: dict[str, tuple[Attack, str, str]] = {
    "a byte of an original": (lambda v: v.flip(v.blob()), "blob_altered", "blob "),
    "an original deleted": (lambda v: v.blob().unlink(), "blob_missing", "blob "),
    "an original replaced by a folder": (
        _blob_to_folder,
        "blob_unreadable",
        "blob ",
    ),
    "an event deleted": (lambda v: v.sql("DELETE FROM custody_event WHERE leaf_index = 7"), "event_missing", "leaf 7"),
    "the newest events cut off": (_cut_last_events, "log_rolled_back", "checkpoint"),
    "two events swapped": (_swap_events, "log_node_altered", "log node (0, 5)"),
    "two events swapped, by chain": (_swap_events, "event_column_altered", "event "),
    "an event's bytes": (
        lambda v: v.sql("UPDATE custody_event SET canonical = CAST(canonical || ' ' AS BLOB) WHERE leaf_index = 4"),
        "event_malformed",
        "event ",
    ),
    "an event's words": (
        lambda v: v.sql(
            "UPDATE custody_event SET canonical = CAST(replace(canonical, '\"token\"', '\"local\"') AS BLOB) "
            "WHERE type = 'token creation'"
        ),
        "log_contradicts_checkpoint",
        "checkpoint",
    ),
    "an event of another log": (
        lambda v: v.sql(
            'UPDATE custody_event SET canonical = CAST(replace(canonical, \'"log":"catena/\', \'"log":"other/\') '
            "AS BLOB) WHERE leaf_index = 3"
        ),
        "event_of_other_log",
        "event ",
    ),
    "an event's object number": (
        lambda v: v.sql(
            "UPDATE custody_event SET canonical = CAST(replace(canonical, '\"object_seq\":1', '\"object_seq\":9') "
            "AS BLOB) WHERE object_seq = 1"
        ),
        "event_sequence_broken",
        "event ",
    ),
    "an event's predecessor": (
        lambda v: v.sql(
            'UPDATE custody_event SET canonical = CAST(replace(canonical, \'"prev":"\', \'"prev":"\' || '
            "substr('0123456789abcdef', 1, 0)) AS BLOB) WHERE leaf_index = 2",
            "UPDATE custody_event SET canonical = CAST(replace(canonical, '\"supports\"', '\"opposes\"') AS BLOB) "
            "WHERE type = 'link'",
        ),
        "event_chain_broken",
        "event ",
    ),
    "an event's column": (
        lambda v: v.sql("UPDATE custody_event SET actor_id = 'mallory' WHERE leaf_index = 6"),
        "event_column_altered",
        "event ",
    ),
    "the head": (lambda v: v.sql("UPDATE log_head SET size = size + 1"), "log_head_wrong", "log_head"),
    "a node": (
        lambda v: v.sql('UPDATE log_node SET hash = zeroblob(32) WHERE level = 2 AND "index" = 0'),
        "log_node_altered",
        "log node (2, 0)",
    ),
    "a node deleted": (
        lambda v: v.sql('DELETE FROM log_node WHERE level = 1 AND "index" = 1'),
        "log_node_missing",
        "log node (1, 1)",
    ),
    "a node added": (
        lambda v: v.sql('INSERT INTO log_node (level, "index", hash) VALUES (0, 9999, zeroblob(32))'),
        "log_node_extra",
        "log node (0, 9999)",
    ),
    "a checkpoint's bytes": (
        lambda v: v.sql(
            "UPDATE checkpoint SET note = CAST(note || 'x' AS BLOB) WHERE seq = 0",
        ),
        "checkpoint_damaged",
        "checkpoint ",
    ),
    "a checkpoint deleted from the middle": (
        lambda v: v.sql("DELETE FROM checkpoint WHERE seq = 1"),
        "checkpoint_missing",
        "checkpoint ",
    ),
    "the newest checkpoint deleted": (
        lambda v: v.sql("DELETE FROM checkpoint WHERE size = (SELECT max(size) FROM checkpoint)"),
        "checkpoint_missing",
        "checkpoint ",
    ),
    "the head file deleted": (
        lambda v: (v.data / "head" / "checkpoint").unlink(),
        "head_file_missing",
        "checkpoint",
    ),
    "the head file edited": (
        lambda v: _edit(v, "head/checkpoint", lambda b: b.replace(b"\n", b"\n\n", 1)),
        "head_file_damaged",
        "checkpoint",
    ),
    "the identity file": (
        lambda v: _edit(v, "archive.json", lambda b: b.replace(b"Archive of", b"Archive 0f")),
        "identity_altered",
        "archive.json",
    ),
    "the seal certificate": (
        lambda v: _edit(v, "keys/seal.crt", lambda _: (v.data / "keys/ca.crt").read_bytes()),
        "key_altered",
        "seal_sha256",
    ),
    "the first event deleted": (
        lambda v: v.sql("DELETE FROM custody_event WHERE leaf_index = 0"),
        "archive_event_missing",
        "archive ",
    ),
    "a receipt's signature": (
        lambda v: v.sql("UPDATE receipt SET seal = CAST(seal || x'00' AS BLOB)"),
        "receipt_invalid",
        "item ",
    ),
    "receipts swapped": (
        lambda v: v.sql(
            "UPDATE receipt SET item_id = 'x' || item_id",
            "UPDATE receipt SET item_id = (SELECT i.id FROM item i WHERE i.id != substr(receipt.item_id, 2))",
        ),
        "receipt_contradicts_item",
        "item ",
    ),
    "a receipt deleted": (lambda v: v.sql("DELETE FROM receipt"), "receipt_missing", "item "),
    "an item deleted": (lambda v: v.sql("DELETE FROM item"), "receipt_without_item", "item "),
    "an ingestion event deleted": (
        lambda v: v.sql("DELETE FROM custody_event WHERE type = 'ingestion'"),
        "item_without_ingestion",
        "item ",
    ),
    "an exported bundle": (
        lambda v: v.flip(next((v.data / "exports").glob("*.zip"))),
        "export_altered",
        "export ",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_named(victim: Victim, name: str) -> None:
    attack, code, subject = ATTACKS[name]
    attack(victim)
    found = errors_of(audit(victim.services))
    assert any(c == code and subject in s for c, s in found), sorted(found)


def test_a_damaged_original_is_found_when_the_good_bytes_come_in_again(victim: Victim) -> None:
    from evidence_store.errors import EvidenceStoreError

    good = victim.blob().read_bytes()
    victim.flip(victim.blob())
    case = victim.services.evidence.case_or_none("T1")
    assert case is not None
    with pytest.raises(EvidenceStoreError) as caught:
        deposit(victim.services, victim.services.access.local_operator(), case, good, "again.jpg")
    assert caught.value.code == "blob_conflict"
    codes = {code for code, _ in errors_of(audit(victim.services))}
    assert {"blob_altered", "blob_conflict"} <= codes
    kept = next((victim.data / "blobs" / "conflicts").iterdir())
    assert kept.read_bytes() == good


def test_what_is_not_wrong_but_worth_knowing_is_told_without_alarm(victim: Victim) -> None:
    services = victim.services
    for bundle in (victim.data / "exports").glob("*.zip"):
        bundle.unlink()
    with services.archive.blobs.stage() as staged:
        staged.write(b"bytes whose record was never written")
        staged.commit()
    case = services.evidence.case_or_none("T1")
    assert case is not None
    deposit(services, services.access.local_operator(), case, b"new", "new.bin")
    victim.sql("UPDATE job SET state = 'dead', last_error = 'gave up' WHERE kind = 'match'")
    report = audit(services)
    assert report["ok"]
    codes = {finding["code"] for finding in report["findings"]}
    assert {"export_absent", "blob_unreferenced", "analysis_pending", "job_dead"} <= codes


def test_work_that_was_made_to_vanish_is_told(victim: Victim) -> None:
    services = victim.services
    case = services.evidence.case_or_none("T1")
    assert case is not None
    deposit(services, services.access.local_operator(), case, b"new", "new.bin")
    victim.sql("DELETE FROM job WHERE kind = 'analyse' AND state = 'ready'")
    assert "analysis_missing" in {finding["code"] for finding in audit(services)["findings"]}


def test_an_item_that_waits_for_its_receipt_is_told_without_alarm(victim: Victim) -> None:
    victim.sql("UPDATE job SET state = 'ready' WHERE kind = 'seal'", "DELETE FROM receipt")
    assert "receipt_pending" in {finding["code"] for finding in audit(victim.services)["findings"]}


def test_an_audit_that_cannot_be_recorded_says_so(victim: Victim) -> None:
    victim.sql("DELETE FROM log_head")
    assert "audit_not_recorded" in {finding["code"] for finding in audit(victim.services)["findings"]}


def test_a_rolled_back_database_signs_nothing_more(victim: Victim) -> None:
    from app.errors import EnvironmentFailedError

    _cut_last_events(victim)
    victim.sql("DELETE FROM checkpoint WHERE size > (SELECT size FROM log_head)")
    with pytest.raises(EnvironmentFailedError) as caught:
        victim.services.checkpoint()
    assert caught.value.code == "log_rolled_back"


def test_a_rewritten_history_signs_nothing_more(victim: Victim) -> None:
    from app.errors import EnvironmentFailedError

    victim.sql("UPDATE log_node SET hash = zeroblob(32)")
    case = victim.services.evidence.case_or_none("T1")
    assert case is not None
    with pytest.raises(EnvironmentFailedError) as caught:
        victim.services.checkpoint()
    assert caught.value.code == "log_forked"
