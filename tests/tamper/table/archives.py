"""The tamper table, the archive itself: for each finding code one damage, and what `catena audit` says of it."""

from __future__ import annotations

import atexit
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from app import wiring
from app.api.services import Services
from app.custody.vkeys import verifier_lines
from app.keyring.rotation import Wish
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.note import format_vkey
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.checks import assert_clean, audit, work_off
from tests.renewals import lasting, stage
from tests.tamper.test_archive_tamper import ATTACKS
from tests.tamper.test_schema_tamper import index_some_rows
from tests.tsa import LocalTsa, authority
from tests.victims import Victim
from tests.witnesses import listening, make_witness, policy_text, vkeys_of

Fixture = Callable[[Path], Mapping[str, Any]]
OTHER_VKEY = format_vkey("catena/somebody-else", bytes(32))


# -- a plain archive: the copies of tests.victims --------------------------------------------------


def _victim(attack: Callable[[Victim], object]) -> Fixture:
    def fixture(folder: Path) -> Mapping[str, Any]:
        victim = Victim(folder / "data")
        try:
            attack(victim)
            return audit(victim.services)
        finally:
            victim.services.archive.db.close()

    return fixture


def _one_more(victim: Victim) -> None:
    services = victim.services
    case = services.evidence.case_or_none("T1")
    assert case is not None
    deposit(services, services.access.local_operator(), case, b"new", "new.bin")


def _analysis_missing(victim: Victim) -> None:
    _one_more(victim)
    victim.sql("DELETE FROM job WHERE kind = 'analyse' AND state = 'ready'")


def _receipt_pending(victim: Victim) -> None:
    dies = mock.patch.object(victim.services.intake, "seal_item", side_effect=KeyboardInterrupt)
    with dies, suppress(KeyboardInterrupt):
        _one_more(victim)


def _conflict(victim: Victim) -> None:
    services, good = victim.services, victim.blob().read_bytes()
    victim.flip(victim.blob())
    case = services.evidence.case_or_none("T1")
    assert case is not None
    with suppress(EvidenceStoreError):
        deposit(services, services.access.local_operator(), case, good, "again.jpg")


def _unreferenced(victim: Victim) -> None:
    with victim.services.archive.blobs.stage() as staged:
        staged.write(b"bytes whose record was never written")
        staged.commit()


def _export_absent(victim: Victim) -> None:
    for bundle in (victim.data / "exports").glob("*.zip"):
        bundle.unlink()


def _planted(victim: Victim) -> None:
    for folder, ending in (("exports", "zip"), ("audits", "json")):
        (victim.data / folder / f"00000000-0000-4000-8000-000000000000.{ending}").write_bytes(b"trust me")


def _row_added(victim: Victim) -> None:
    victim.sql(
        "INSERT INTO app_user (id, name, display_name, role, created_at, row_salt) "
        "VALUES ('mallory', 'mallory', 'M', 'admin', '2026-01-01T00:00:00.000000Z', 'x')"
    )


def _second_log_signature(change: str) -> Fixture:
    return _victim(
        lambda v: v.sql(
            f"UPDATE checkpoint SET note = CAST({change} AS BLOB) WHERE seq = 0",  # noqa: S608 - our own words
        )
    )


# -- an archive that others vouch for: two authorities, a witness, a second place for its head, a renewal, an audit


@cache
def _prepared() -> tuple[Services, str]:
    """The archive that is copied, and its first item."""
    folder = Path(tempfile.mkdtemp(prefix="catena-vouched-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = make_archive(folder)
    made.archive.db.close()
    services = _opened(made, made.archive.settings.data, folder / "second" / "checkpoint")
    (folder / "second").mkdir()
    who = services.access.local_operator()
    with ExitStack() as stack:
        for name in ("one", "two"):
            tsa = stack.enter_context(LocalTsa(folder / name, authority(name)))
            services.timestamps.add(who.actor, name, tsa.url, tsa.authority.roots_pem)
        witness = make_witness(folder / "witness", "ngo-b.example/w", *verifier_lines(services.archive.settings.keys))
        url = stack.enter_context(listening(witness))
        services.witnessing.set_policy(who.actor, policy_text(("b", vkeys_of(witness)[0], url)))
        case = services.evidence.create_case(who, "T1")
        first = deposit(services, who, case, b"a").item.id
        deposit(services, who, case, b"b")
        work_off(services)
        services.checkpoint()
        services.witnessing.work()
        services.timestamps.work()
        services.renewals.renew(who)
        assert_clean(services)
        services.checkpoint()
        services.witnessing.obtain(30)
        services.timestamps.work()
    services.archive.db.close()
    with closing(sqlite3.connect(services.archive.settings.data / "catena.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return services, first


def _opened(like: Services, data: Path, head_copy: Path | None) -> Services:
    old = like.archive
    settings = replace(old.settings, data=data, database_url=f"sqlite:///{data / 'catena.db'}", head_copy=head_copy)
    opened = wiring.open_archive(settings, lambda: PASSPHRASE, for_audit=True)
    object.__setattr__(opened.archive, "seal_key", old.seal_key)
    object.__setattr__(opened.archive, "log_key", old.log_key)
    return opened


class Copy:
    """A copy of the vouched archive that an attack may spoil."""

    def __init__(self, folder: Path) -> None:
        services, self.item = _prepared()
        settings = services.archive.settings
        assert settings.head_copy is not None
        self.data, self.second = folder / "data", folder / "second" / "checkpoint"
        shutil.copytree(settings.data, self.data)
        self.second.parent.mkdir()
        shutil.copy(settings.head_copy, self.second)

    def sql(self, *statements: str) -> None:
        """Edit the database behind the archive's back."""
        with closing(sqlite3.connect(self.data / "catena.db")) as connection, connection:
            for statement in statements:
                assert connection.execute(statement).rowcount >= 1, f"changed nothing: {statement}"

    def audit(self) -> Mapping[str, Any]:
        """Open the copy and audit it."""
        services = _opened(_prepared()[0], self.data, self.second)
        try:
            return audit(services)
        finally:
            services.archive.db.close()


def _copy(attack: Callable[[Copy], object]) -> Fixture:
    def fixture(folder: Path) -> Mapping[str, Any]:
        copy = Copy(folder)
        attack(copy)
        return copy.audit()

    return fixture


def _stamp(change: str) -> Fixture:
    """One row of the table of time stamps, changed by an insider."""
    return _copy(
        lambda c: c.sql(f"UPDATE timestamp SET {change} WHERE subject = 'receipt:{c.item}' AND tsa = 'one'")  # noqa: S608
    )


def _stamp_deleted(copy: Copy) -> None:
    copy.sql("DELETE FROM timestamp WHERE subject LIKE 'checkpoint:%' AND tsa = 'two'")
    record = copy.data / "tsa" / "two.json"
    added = json.loads(record.read_text())
    added["added_at"] = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    record.write_text(json.dumps(added))


def _report_altered(copy: Copy) -> None:
    path = next((copy.data / "audits").glob("*.json"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b" ")


def _unlink_all(folder: Path, pattern: str) -> None:
    for path in list(folder.glob(pattern)):
        path.unlink()


def _unsigned(folder: Path) -> Mapping[str, Any]:
    """An audit where nobody gives the passphrase."""
    victim = Victim(folder / "data")

    def refuse() -> object:
        raise EvidenceStoreError("wrong_passphrase", "the key does not open with this passphrase")

    services = victim.services
    object.__setattr__(services.archive, "seal_key", refuse)
    try:
        return audit(services)
    finally:
        services.archive.db.close()


def _clock_ahead(folder: Path) -> Mapping[str, Any]:
    services = make_archive(folder, clock=lambda: datetime.now(UTC) + timedelta(minutes=10))
    with LocalTsa(folder / "tsa", authority("one")) as tsa:
        who = services.access.local_operator()
        services.timestamps.add(who.actor, "one", tsa.url, tsa.authority.roots_pem)
        deposit(services, who, services.evidence.create_case(who, "T1"), b"a")
        work_off(services)
        services.checkpoint()
        services.timestamps.work()
    report = audit(services)
    services.archive.db.close()
    return report


def _renewal(later_days: float) -> Fixture:
    """A renewal under a certificate that ends in 100 days, looked at some days later."""

    def fixture(folder: Path) -> Mapping[str, Any]:
        now = [datetime.now(UTC)]
        with stage(folder, (), clock=lambda: now[0]) as at:
            at.ask("brief", lasting("brief", 100))
            at.services.renewals.renew(at.admin)
            work_off(at.services)
            now[0] += timedelta(days=later_days)
            return at.services.audits.run(at.admin)

    return fixture


def _contradicted(folder: Path) -> Mapping[str, Any]:
    """An older database was put back, its head files too; the witness has seen more."""
    (folder / "archive").mkdir()
    services = make_archive(folder / "archive")
    who = services.access.local_operator()
    witness = make_witness(folder / "witness", "ngo-b.example/w", *verifier_lines(services.archive.settings.keys))
    data = services.archive.settings.data
    with listening(witness) as url:
        services.witnessing.set_policy(who.actor, policy_text(("b", vkeys_of(witness)[0], url)))
        services.checkpoint()
        services.witnessing.obtain(30)
        services.archive.db.close()
        shutil.copytree(data, folder / "then")
        services.evidence.create_case(who, "T1")
        services.checkpoint()
        services.witnessing.obtain(30)
        services.archive.db.close()
        shutil.rmtree(data)
        shutil.copytree(folder / "then", data)
        services = _opened(services, data, None)
        services.evidence.create_case(who, "T2")
        services.checkpoint()
        services.witnessing.obtain(30)
    work_off(services)
    report = audit(services)
    services.archive.db.close()
    return report


def _rotation_unfinished(folder: Path) -> Mapping[str, Any]:
    """A rotation that a crash ended between the files and the event."""
    services = make_archive(folder, fresh=True)
    who = services.access.local_operator()
    dies = mock.patch.object(services.archive.custody, "record", side_effect=KeyboardInterrupt)
    with dies, suppress(KeyboardInterrupt):
        services.keyring.rotate(who, Wish("log"))
    report = audit(services)
    services.archive.db.close()
    return report


FIXTURES: dict[str, Fixture] = {
    **{code: _victim(attack) for attack, code, _ in reversed(ATTACKS.values())},
    "analysis_missing": _victim(_analysis_missing),
    "analysis_pending": _victim(_one_more),
    "audit_not_recorded": _victim(lambda v: v.sql("UPDATE log_head SET size = size - 1")),
    "audit_report_absent": _copy(lambda c: _unlink_all(c.data / "audits", "*.p7s")),
    "audit_report_altered": _copy(_report_altered),
    "audit_report_unsigned": _unsigned,
    "blob_conflict": _victim(_conflict),
    "blob_stray": _victim(lambda v: (v.data / "blobs" / "sha256" / "stray").write_bytes(b"x")),
    "blob_unreferenced": _victim(_unreferenced),
    "clock_ahead": _clock_ahead,
    "cosignature_contradicts_log": _copy(lambda c: c.sql("UPDATE cosignature SET size = size + 1000000")),
    "database_damaged": _victim(lambda victim: index_some_rows(victim.data / "catena.db")),
    "cosignature_key_unknown": _copy(lambda c: _unlink_all(c.data, "witnesses.*")),
    "export_absent": _victim(_export_absent),
    "file_stray": _victim(_planted),
    "head_copy_damaged": _copy(lambda c: c.second.write_bytes(b"trust me")),
    "head_copy_missing": _copy(lambda c: c.second.unlink()),
    "job_dead": _victim(lambda v: v.sql("UPDATE job SET state = 'dead', last_error = 'gave up' WHERE kind = 'match'")),
    "key_misplaced": _victim(lambda v: (v.data / "keys" / "log-2.vkey").write_text(OTHER_VKEY + "\n")),
    "key_rotation_unfinished": _rotation_unfinished,
    "renewal_due": _renewal(1),
    "renewal_lapsed": _renewal(101),
    "renewal_stray": _copy(lambda c: (c.data / "renewals" / "009").mkdir()),
    "receipt_pending": _victim(_receipt_pending),
    "row_altered": _victim(lambda v: v.sql("UPDATE provision_link SET rationale = 'Nothing is seen.'")),
    "row_missing": _victim(lambda v: v.sql("DELETE FROM link_review")),
    "row_not_in_log": _victim(_row_added),
    "timestamp_authority_altered": _copy(lambda c: (c.data / "tsa/one.pem").write_bytes(authority("evil").roots_pem)),
    "timestamp_authority_unknown": _stamp("tsa = 'three'"),
    "timestamp_missing": _copy(_stamp_deleted),
    "witness_contradicts": _contradicted,
    "witness_policy_altered": _copy(lambda c: (c.data / "witnesses.policy").write_bytes(b"quorum none\n")),
    "witness_policy_malformed": _copy(lambda c: (c.data / "witnesses.policy").write_bytes(b"nonsense\n")),
}
