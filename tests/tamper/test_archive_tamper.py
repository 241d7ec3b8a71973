"""An insider with database and disk: whatever he changes, `catena audit` names it."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.audit.checks import Options
from tests.archives import deposit
from tests.checks import assert_clean, audit, errors_of
from tests.tamper.test_newer_tables import TABLES as NEWER
from tests.victims import Victim

Attack = Callable[[Victim], None]


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
    "source_version",
    "collector_check",
    "item_relation",
    "quota",
)


def test_every_auditable_table_is_attacked_here() -> None:
    from app.custody.rows import formats

    # test_audit_files, test_renewal_tamper, test_proxy_jobs, test_decision_tamper
    elsewhere = {"audit", "renewal", "proxy_run", "match_decision"}
    elsewhere |= {"assessment_entry", "assessment_review"}  # test_assessment_tamper
    incidents = {"incident_entry", "incident_version", "incident_claim"}  # test_incident_tamper
    verification = {
        f"verification{part}" for part in ("", "_subject", "_version", "_review")
    }  # test_verification_tamper
    elsewhere |= incidents | verification | set(NEWER)  # test_newer_tables
    assert {name for name, _ in formats()} - elsewhere == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_row_is_named(victim: Victim, table: str) -> None:
    key = victim.one(f"SELECT name FROM pragma_table_info('{table}') WHERE pk = 1")  # noqa: S608 - our own names
    row = victim.one(f"SELECT {key} FROM {table} ORDER BY {key} LIMIT 1")  # noqa: S608
    victim.sql(f"DELETE FROM {table} WHERE {key} = '{row}'")  # noqa: S608
    assert ("row_missing", f"{table} {row}") in errors_of(audit(victim.services))


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


def _to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


FOREIGN_LINE = f"\N{EM DASH} somebody.example {base64.b64encode(bytes(68)).decode()}\n"


ATTACKS: dict[str, tuple[Attack, str, str]] = {
    "a byte of an original": (lambda v: v.flip(v.blob()), "blob_altered", "blob "),
    "an original deleted": (lambda v: v.blob().unlink(), "blob_missing", "blob "),
    "an original replaced by a folder": (
        lambda v: _to_folder(v.blob()),
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
        lambda v: v.change_event(
            "leaf_index = (SELECT max(leaf_index) FROM custody_event WHERE object_seq = 2)",
            lambda event: event.update(prev="0" * 64),
        ),
        "event_chain_broken",
        "event ",
    ),
    "an event's bytes kept as text": (
        lambda v: v.sql("UPDATE custody_event SET canonical = CAST(canonical AS TEXT) WHERE leaf_index = 4"),
        "event_malformed",
        "(leaf 4, ",
    ),
    "an event's list of rows": (
        lambda v: v.change_event("leaf_index = 0", lambda event: event["details"].update(rows=[["item"]])),
        "event_malformed",
        "(leaf 0, ",
    ),
    "an event's column": (
        lambda v: v.sql("UPDATE custody_event SET actor_id = 'mallory' WHERE leaf_index = 6"),
        "event_column_altered",
        "event ",
    ),
    "the head": (lambda v: v.sql("UPDATE log_head SET size = size + 1"), "log_head_wrong", "log_head"),
    "the head, by one less": (
        lambda v: v.sql("UPDATE log_head SET size = size - 1"),
        "log_head_wrong",
        "log_head",
    ),
    "a second head": (lambda v: v.sql("INSERT INTO log_head (id, size) VALUES (2, 5)"), "log_head_wrong", "log_head"),
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
    "a signature line added to a checkpoint": (
        lambda v: v.sql(
            f"UPDATE checkpoint SET note = CAST(note || '{FOREIGN_LINE}' AS BLOB) WHERE seq = 0"  # noqa: S608
        ),
        "checkpoint_damaged",
        "checkpoint ",
    ),
    "all checkpoints deleted": (lambda v: v.sql("DELETE FROM checkpoint"), "checkpoint_missing", "checkpoint"),
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
    "a signature line added to the head file": (
        lambda v: _edit(v, "head/checkpoint", lambda b: b + FOREIGN_LINE.encode()),
        "head_file_damaged",
        "checkpoint",
    ),
    "a folder in place of the head file": (
        lambda v: _to_folder(v.data / "head" / "checkpoint"),
        "head_file_damaged",
        "checkpoint",
    ),
    "a private key that others may read": (
        lambda v: (v.data / "keys/log.key").chmod(0o640),
        "key_unusable",
        "log.key",
    ),
    "a private key deleted": (lambda v: (v.data / "keys/seal.key").unlink(), "key_unusable", "seal.key"),
    "a folder in place of a private key": (
        lambda v: _to_folder(v.data / "keys/ca.key"),
        "key_unusable",
        "ca.key",
    ),
    "a trigger": (
        lambda v: v.do("CREATE TRIGGER t AFTER INSERT ON item BEGIN DELETE FROM link_review; END"),
        "schema_altered",
        "trigger t",
    ),
    "a view": (lambda v: v.do("CREATE VIEW v AS SELECT 1"), "schema_altered", "view v"),
    "a table": (lambda v: v.do("CREATE TABLE mine (x)"), "schema_altered", "table mine"),
    "a table dropped": (lambda v: v.do("DROP TABLE link_review"), "schema_altered", "table link_review"),
    "a column": (lambda v: v.do("ALTER TABLE item ADD COLUMN x"), "schema_altered", "column x of item"),
    "an index dropped": (
        lambda v: v.do("DROP INDEX ix_item_case_received"),
        "schema_altered",
        "index ix_item_case_received of item",
    ),
    "another version of the schema": (
        lambda v: v.sql("UPDATE alembic_version SET version_num = 'ffff'"),
        "schema_altered",
        "alembic_version",
    ),
    "two versions of the schema": (
        lambda v: v.sql("INSERT INTO alembic_version VALUES ('ffff')"),
        "schema_altered",
        "alembic_version",
    ),
    "no version of the schema": (lambda v: v.sql("DELETE FROM alembic_version"), "schema_altered", "alembic_version"),
    "the identity file": (
        lambda v: _edit(v, "archive.json", lambda b: b.replace(b"Archive of", b"Archive 0f")),
        "identity_altered",
        "archive.json",
    ),
    "the seal certificate": (
        lambda v: _edit(v, "keys/seal.crt", lambda _: (v.data / "keys/ca.crt").read_bytes()),
        "key_altered",
        "seal.crt",
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
            "UPDATE receipt SET item_id = 'x' || item_id"
            " WHERE item_id IN (SELECT id FROM item WHERE original_name LIKE '%.jpg')",
            "UPDATE receipt SET item_id = (SELECT i.id FROM item i WHERE i.id != substr(receipt.item_id, 2)"
            " AND i.original_name LIKE '%.jpg') WHERE item_id LIKE 'x%'",
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


def test_reports_of_earlier_audits_are_looked_at_by_the_next_one(victim: Victim) -> None:
    services = victim.services
    first, second = audit(services)["id"], audit(services)["id"]
    _edit(victim, f"audits/{first}.json", lambda b: b.replace(b'"ok":true', b'"ok":null', 1))
    _edit(victim, f"audits/{second}.p7s", lambda b: b + b"\0")
    (victim.data / "audits" / f"{first}.p7s").unlink()
    report = services.audits.conduct(services.access.local_auditor(), Options(), sign=False).document
    assert {(f["code"], f["subject"].partition(" ")[0]) for f in report["findings"]} == {
        ("audit_report_altered", f"audits/{first}.json"),
        ("audit_report_altered", f"audits/{second}.p7s"),
        ("audit_report_absent", f"audits/{first}.p7s"),
        ("audit_report_unsigned", "audit"),
    }
    assert errors_of(report) == {
        ("audit_report_altered", f"audits/{first}.json"),
        ("audit_report_altered", f"audits/{second}.p7s"),
    }


def test_work_that_was_made_to_vanish_is_told(victim: Victim) -> None:
    services = victim.services
    case = services.evidence.case_or_none("T1")
    assert case is not None
    deposit(services, services.access.local_operator(), case, b"new", "new.bin")
    victim.sql("DELETE FROM job WHERE kind = 'analyse' AND state = 'ready'")
    assert "analysis_missing" in {finding["code"] for finding in audit(services)["findings"]}


def test_an_item_that_waits_for_its_receipt_is_told_without_alarm_until_its_work_is_given_up(
    victim: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = victim.services
    case = services.evidence.case_or_none("T1")
    assert case is not None
    monkeypatch.setattr(services.intake, "seal_item", _fail)
    with pytest.raises(KeyboardInterrupt):
        deposit(services, services.access.local_operator(), case, b"new", "new.bin")
    report = audit(services)
    assert report["ok"], report["findings"]
    assert "receipt_pending" in {finding["code"] for finding in report["findings"]}
    victim.sql("UPDATE job SET state = 'dead' WHERE kind = 'seal' AND state = 'ready'")
    assert {code for code, _ in errors_of(audit(services))} == {"receipt_missing"}


def _fail(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("attack", ["DELETE FROM log_head", "UPDATE log_head SET size = size - 1"])
def test_an_audit_that_cannot_be_recorded_says_so(victim: Victim, attack: str) -> None:
    victim.sql(attack)
    assert "audit_not_recorded" in {finding["code"] for finding in audit(victim.services)["findings"]}


def test_an_audit_that_the_database_refuses_still_reports(victim: Victim) -> None:
    victim.do("CREATE TRIGGER t BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
    report = audit(victim.services)
    assert {"audit_not_recorded", "schema_altered"} <= {finding["code"] for finding in report["findings"]}


def test_names_in_the_store_that_are_no_text_are_told_as_escapes(victim: Victim) -> None:
    folders = [os.fsencode(victim.data / "blobs" / name) for name in ("conflicts", "sha256")]
    for folder in folders:
        Path(os.fsdecode(folder + b"/\xff")).write_bytes(b"x")
    found = {(f["code"], f["subject"]) for f in audit(victim.services)["findings"]}
    assert {("blob_conflict", "blob \\udcff"), ("blob_stray", "blob \\udcff")} <= found


def test_users_whose_names_are_no_text_are_named_and_the_audit_runs(victim: Victim) -> None:
    victim.sql("UPDATE app_user SET display_name = CAST(x'ff' AS TEXT)")
    key = victim.one("SELECT id FROM app_user WHERE name = 'admin'")
    report = audit(victim.services)
    assert ("row_altered", f"app_user {key}") in errors_of(report)
    assert victim.services.audits.get(victim.services.access.local_auditor(), report["id"])["ok"] is False


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
