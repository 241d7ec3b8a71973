"""An insider who knows the archive well: every column of every table, rewritten history, and a running archive."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session, SQLModel

from app import tables
from app.api.services import Services
from app.audit import log_checks
from app.audit.log_checks import Replay
from app.custody.log_store import computed, tree_size
from app.custody.rows import format_of, formats, values_digest
from app.errors import EnvironmentFailedError, InvalidInputError
from evidence_store.canonical import canonical_bytes, parse_canonical
from evidence_store.log import merkle, note
from evidence_store.verify.report import Report
from tests.checks import audit, errors_of
from tests.tamper.test_newer_tables import TABLES as NEWER
from tests.victims import Victim

assert tables
NO_TEXT = "CAST(x'ff' AS TEXT)"
UNBOUND = {"job", "audit_run", "witness_contact", "alembic_version", "upload", "user_usage"}
# Attacked in tests of their own: lost_places, renewal_, archive_timestamps, proxy_jobs, incident_, decision_tamper,
# verification_tamper, assessment_tamper and newer_tables.
ELSEWHERE = {
    "lost_entry", "renewal", "timestamp", "proxy_run",
    "incident_entry", "incident_version", "incident_claim", "match_decision",
    "verification", "verification_subject", "verification_version", "verification_review",
    "assessment_entry", "assessment_review", *NEWER,
}  # fmt: skip
LOG_SUBJECTS = {
    "custody_event": ("event ", "leaf "),
    "log_node": ("log node ",),
    "log_head": ("log_head",),
    "checkpoint": ("checkpoint ",),
    "cosignature": ("cosignature ",),
    "fingerprint_hashes": ("fingerprint_hashes ",),
}
EDITS = {
    "integer": ("{0} + 1", "CAST({0} AS BLOB)", "NULL"),
    "text": ("{0} || '1'", "CAST({0} AS BLOB)", "NULL"),
    "blob": ("CAST({0} || x'20' AS BLOB)", "CAST({0} AS TEXT)", "lower(hex({0}))", "NULL"),
    "null": ("'1'", "x'31'"),
}


def _edit(victim: Victim, table: str, column: str, value: str) -> bool:
    """Edit one field of the newest row; False when the database itself refuses or nothing changes."""
    with closing(sqlite3.connect(victim.data / "catena.db")) as connection, connection:
        connection.text_factory = bytes
        connection.execute("PRAGMA foreign_keys=OFF")
        newest = f'WHERE rowid = (SELECT max(rowid) FROM "{table}")'  # noqa: S608 - our own names
        probe = f'SELECT typeof("{column}"), quote("{column}") FROM "{table}" {newest}'  # noqa: S608
        before = connection.execute(probe).fetchone()
        try:
            connection.execute(f'UPDATE "{table}" SET "{column}" = {value} {newest}')  # noqa: S608
        except sqlite3.IntegrityError:
            return False
        return bool(before != connection.execute(probe).fetchone())


def _edits(victim: Victim, table: str) -> Iterator[tuple[str, str, str]]:
    """(column, key of the edited row, edit), one after the other, each on the untouched database."""
    database = victim.data / "catena.db"
    whole = database.read_bytes()
    newest = f'FROM "{table}" WHERE rowid = (SELECT max(rowid) FROM "{table}")'  # noqa: S608
    key_column = {name: form.key for name, form in formats()}.get(table)
    for column in SQLModel.metadata.tables[table].columns.keys():  # noqa: SIM118 - a collection of columns, not a mapping
        kind = victim.one(f'SELECT typeof("{column}") {newest}')
        key = victim.one(f"SELECT {key_column} {newest}") if key_column else ""
        done = 0
        for edit in (*EDITS[kind], *([NO_TEXT] if column in {"row_salt", "object"} else [])):
            if _edit(victim, table, column, edit.format(f'"{column}"')):
                done += 1
                yield column, key, edit
            victim.services.archive.db.close()
            for beside in victim.data.glob("catena.db-*"):
                beside.unlink()
            database.write_bytes(whole)
        assert done, f"{table}.{column} was never edited"


@pytest.mark.parametrize("table", sorted(set(SQLModel.metadata.tables) - UNBOUND - ELSEWHERE))
def test_every_edit_of_every_column_is_named_and_none_stops_the_audit(victim: Victim, table: str) -> None:
    auditor = victim.services.access.local_auditor()
    unnamed = []
    for column, key, edit in _edits(victim, table):
        errors = errors_of(victim.services.audits.run(auditor, sample=1))
        if table in LOG_SUBJECTS:
            named = any(subject.startswith(LOG_SUBJECTS[table]) for _, subject in errors)
        else:
            named = bool({("row_altered", f"{table} {key}"), ("row_missing", f"{table} {key}")} & errors)
        if not named or any(code == "check_not_run" and subject.startswith("rows") for code, subject in errors):
            unnamed.append((column, edit, errors))
    assert not unnamed


# -- history rewritten without any key ----------------------------------------------------------


def _rewrite_history(victim: Victim) -> None:
    """Turn a link's direction about, and make rows, events and nodes fit, as if it had been so from the beginning."""
    with closing(sqlite3.connect(victim.data / "catena.db")) as connection, connection:
        connection.row_factory = sqlite3.Row
        link = dict(connection.execute("SELECT * FROM provision_link").fetchone())
        record: Any = parse_canonical(link["record"])
        assert (record["direction"], link["direction"]) == ("supports", "supports")
        old_record = link["record"]
        link |= {"direction": "contradicts", "record": canonical_bytes(record | {"direction": "contradicts"})}
        sets = (link["direction"], link["record"], link["id"])
        connection.execute("UPDATE provision_link SET direction = ?, record = ? WHERE id = ?", sets)
        form = format_of("provision_link", 1)
        assert form is not None
        _rebuild_log(connection, link, values_digest(link, form), old_record)


def _rebuild_log(connection: sqlite3.Connection, link: dict[str, Any], row_digest: str, old_record: bytes) -> None:
    renamed: dict[str, str] = {}
    nodes: dict[tuple[int, int], bytes] = {}
    rewritten = 0
    events = connection.execute("SELECT * FROM custody_event ORDER BY leaf_index").fetchall()
    for index, row in enumerate(events):
        event: Any = parse_canonical(row["canonical"])
        rows = event["details"].get("rows") or []
        if any(bound[:2] == ["provision_link", link["id"]] for bound in rows):
            rewritten += 1
            for bound in rows:
                bound[3] = row_digest if bound[:2] == ["provision_link", link["id"]] else bound[3]
            text = json.dumps(event)
            for digest_of in (hashlib.sha256, hashlib.sha512):
                text = text.replace(digest_of(old_record).hexdigest(), digest_of(link["record"]).hexdigest())
            event = json.loads(text.replace('"supports"', '"contradicts"'))
        event["prev"] = renamed.get(event["prev"], event["prev"])
        canonical = canonical_bytes(event)
        digest = hashlib.sha256(canonical)
        renamed[row["event_sha256"]] = digest.hexdigest()
        values = (canonical, digest.hexdigest(), index)
        connection.execute("UPDATE custody_event SET canonical = ?, event_sha256 = ? WHERE leaf_index = ?", values)
        leaf = merkle.leaf_hash(digest.digest())
        for level, place, node in merkle.nodes_completed_by(index, leaf, lambda a, b: nodes[a, b]):
            nodes[level, place] = node
            connection.execute('UPDATE log_node SET hash = ? WHERE level = ? AND "index" = ?', (node, level, place))
    assert rewritten == 1


def test_history_rewritten_without_a_key_contradicts_the_checkpoints(victim: Victim) -> None:
    _rewrite_history(victim)
    assert {code for code, _ in errors_of(audit(victim.services))} == {"log_contradicts_checkpoint"}


def test_history_rewritten_with_all_checkpoints_destroyed_is_named(victim: Victim) -> None:
    _rewrite_history(victim)
    victim.sql("DELETE FROM checkpoint", "DELETE FROM cosignature")
    (victim.data / "head" / "checkpoint").unlink()
    codes = {code for code, _ in errors_of(audit(victim.services))}
    assert codes == {"checkpoint_missing", "head_file_missing"}


def test_a_cosignature_that_was_forgotten_betrays_the_checkpoints_that_are_gone(victim: Victim) -> None:
    _rewrite_history(victim)
    victim.sql("DELETE FROM checkpoint WHERE seq > 0")
    (victim.data / "head" / "checkpoint").write_bytes(bytes.fromhex(victim.one("SELECT hex(note) FROM checkpoint")))
    codes = {code for code, _ in errors_of(audit(victim.services))}
    assert codes == {"cosignature_contradicts_log"}


def test_history_rewritten_back_to_the_first_checkpoint_contradicts_one_that_was_kept_elsewhere(
    victim: Victim,
) -> None:
    head = victim.data / "head" / "checkpoint"
    elsewhere = head.read_bytes()
    _rewrite_history(victim)
    victim.sql("DELETE FROM checkpoint WHERE seq > 0", "DELETE FROM cosignature")
    head.write_bytes(bytes.fromhex(victim.one("SELECT hex(note) FROM checkpoint")))
    services = victim.services
    auditor = services.access.local_auditor()
    alone = services.audits.run(auditor)
    assert any("newest checkpoint that somebody else holds" in claim["text"] for claim in alone["claims"])
    report = services.audits.run(auditor, checkpoint=elsewhere)
    assert errors_of(report) == {("log_contradicts_checkpoint", "the checkpoint that was given")}


def test_a_log_cut_back_is_named_by_a_checkpoint_that_was_kept_elsewhere(victim: Victim) -> None:
    elsewhere = (victim.data / "head" / "checkpoint").read_bytes()
    size = int(victim.one("SELECT size FROM log_head"))
    assert size > 1
    victim.sql(f"DELETE FROM custody_event WHERE leaf_index = {size - 1}")  # noqa: S608
    report = victim.services.audits.run(victim.services.access.local_auditor(), checkpoint=elsewhere)
    assert ("log_rolled_back", "the checkpoint that was given") in errors_of(report)


def test_a_log_that_continues_the_given_checkpoint_is_said_to(victim: Victim) -> None:
    services = victim.services
    report = services.audits.run(
        services.access.local_auditor(), checkpoint=(victim.data / "head" / "checkpoint").read_bytes()
    )
    assert report["ok"]
    assert any("continues the checkpoint that was given" in claim["text"] for claim in report["claims"])


def test_a_checkpoint_that_this_log_did_not_sign_is_an_error(victim: Victim) -> None:
    services = victim.services
    signed = (victim.data / "head" / "checkpoint").read_bytes()
    forged = signed.replace(b"\n", b"0\n", 1)
    report = services.audits.run(services.access.local_auditor(), checkpoint=forged)
    assert errors_of(report) == {("checkpoint_damaged", "the checkpoint that was given")}


@pytest.mark.parametrize("given", [b"", b"\xff", b"no checkpoint\n", b"a\n1\nx\n\n\xe2\x80\x94 a AAAAAAA=\n"])
def test_what_is_no_checkpoint_is_refused_as_input(victim: Victim, given: bytes) -> None:
    with pytest.raises(InvalidInputError) as caught:
        victim.services.audits.run(victim.services.access.local_auditor(), checkpoint=given)
    assert caught.value.code == "bad_checkpoint"


# -- checkpoints that the server is made to keep ---------------------------------------------------


def _old_note(victim: Victim) -> str:
    note_hex = victim.one("SELECT hex(note) FROM checkpoint WHERE seq = 0")
    return f"x'{note_hex}'"


def _note_of_a_thief(victim: Victim) -> str:
    """Of the log as it is, signed by a key that the log never had."""
    services = victim.services
    with services.archive.db.read() as session:
        size = tree_size(session)
        root = computed(session, lambda read: merkle.root_at(size, read))
    key, origin = Ed25519PrivateKey.generate(), services.archive.identity.log
    text = note.checkpoint_text(note.Checkpoint(origin, size, root))
    signed = note.sign_note(text, origin, key.public_key().public_bytes_raw(), key.sign)
    return f"x'{signed.hex()}'"


PUT = {
    "an older one": ("{size}", _old_note),
    "garbage": ("{size}", lambda _: "x'00ff'"),
    "text": ("{size}", lambda _: "'checkpoint'"),
    "one that a thief signed": ("{size}", _note_of_a_thief),
    "one of more events than there are": ("{size} + 1000", _old_note),
}


def _plant(victim: Victim, size: str, planted: str) -> None:
    victim.sql(f"INSERT INTO checkpoint (size, seq, note) SELECT {size}, count(*), {planted} FROM checkpoint")  # noqa: S608


@pytest.mark.parametrize("what", PUT)
def test_a_checkpoint_put_into_the_database_is_neither_kept_outside_nor_handed_out(
    victim: Victim, what: str, tmp_path: Path
) -> None:
    services, head, second = victim.services, victim.data / "head" / "checkpoint", tmp_path / "second"
    services.checkpointer.heads.second = second
    services.checkpoint()
    kept = head.read_bytes()
    assert second.read_bytes() == kept
    who = services.access.local_operator()
    services.evidence.create_case(who, "T2")
    place, note_of = PUT[what]
    _plant(victim, place.format(size=victim.one("SELECT size FROM log_head")), note_of(victim))
    for hand_out in (services.checkpoint, services.checkpointer.latest_or_none):
        with pytest.raises(EnvironmentFailedError) as caught:
            hand_out()
        assert caught.value.code == "checkpoint_damaged"
    assert (head.read_bytes(), second.read_bytes()) == (kept, kept)
    assert any(code in {"checkpoint_damaged", "checkpoint_missing"} for code, _ in errors_of(audit(services)))


def test_the_log_is_signed_again_once_it_has_grown_beyond_a_planted_checkpoint(victim: Victim) -> None:
    services, head = victim.services, victim.data / "head" / "checkpoint"
    who = services.access.local_operator()
    services.evidence.create_case(who, "T2")
    _plant(victim, victim.one("SELECT size FROM log_head"), _old_note(victim))
    services.evidence.create_case(who, "T3")
    assert services.checkpoint() == head.read_bytes()
    assert head.read_bytes().split(b"\n")[1].decode() == victim.one("SELECT size FROM log_head")
    assert {code for code, _ in errors_of(audit(services))} == {"checkpoint_damaged"}


# -- the command, and the identity file ----------------------------------------------------------


def _command(victim: Victim, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "app.cli", "audit", "--data", str(victim.data), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_the_command_compares_with_a_checkpoint_and_refuses_what_is_none(victim: Victim, tmp_path: Path) -> None:
    elsewhere = tmp_path / "kept.note"
    elsewhere.write_bytes((victim.data / "head" / "checkpoint").read_bytes())
    assert _command(victim, "--checkpoint", str(elsewhere))[0] == 0
    elsewhere.write_bytes(b"no checkpoint")
    code, said = _command(victim, "--checkpoint", str(elsewhere))
    assert (code, "bad_checkpoint" in said) == (2, True)
    assert _command(victim, "--checkpoint", str(tmp_path / "nowhere"))[0] == 2


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"id":' * 100_000, b"\xff", b"[]", b"{}"])
def test_an_identity_file_that_is_garbage_is_an_answer_and_no_crash(victim: Victim, content: bytes) -> None:
    (victim.data / "archive.json").write_bytes(content)
    with pytest.raises(EnvironmentFailedError) as caught:
        _ = victim.services
    assert caught.value.code == "archive_damaged"


@pytest.mark.parametrize("name", ["id", "org", "log", "created_at"])
def test_every_word_of_the_identity_file_is_bound(victim: Victim, name: str) -> None:
    path = victim.data / "archive.json"
    identity = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(identity | {name: identity[name] + "1"}), "utf-8")
    assert ("identity_altered", "archive.json") in errors_of(audit(victim.services))


# -- a running archive ---------------------------------------------------------------------------


def test_events_and_checkpoints_made_during_an_audit_raise_no_alarm(
    victim: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = victim.services
    checked = log_checks.replay_log

    def busy(session: Session, origin: str, report: Report, replay: Replay) -> None:
        checked(session, origin, report, replay)
        _work(services)

    monkeypatch.setattr(log_checks, "replay_log", busy)
    before = int(victim.one("SELECT max(size) FROM checkpoint"))
    report = audit(services)
    assert report["ok"], report["findings"]
    assert int(victim.one("SELECT max(size) FROM checkpoint")) > before


def _work(services: Services) -> None:
    archive = services.archive
    services.access.record_denial(services.access.local_operator().actor, f"archive:{archive.identity.id}", "x")
    services.checkpoint()
