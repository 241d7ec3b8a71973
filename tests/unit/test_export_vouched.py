"""What others say for an exported bundle: there when it came in time, and said to be missing when it did not."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.access.service import Principal
from app.api.services import Services
from app.evidence.models import Case
from app.export import vouched
from app.export.models import ExportRow
from evidence_store.bundle import layout
from evidence_store.log.keyfile import parse_key_file
from evidence_store.log.policy import parse_policy
from evidence_store.seal import seal_tokens
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.trust import Anchors, Trust
from tests.archives import close_archive, deposit, events_of, make_archive
from tests.attested import claimed, errors, found, subjects, text_of
from tests.checks import assert_clean
from tests.keyrings import Ring
from tests.tsa import LocalTsa, start_tsa
from tests.witnesses import listening, make_witness, policy_text, vkeys_of


@dataclass
class Stage:
    services: Services
    case: Case
    item: str
    who: Principal
    tsas: dict[str, LocalTsa] = field(default_factory=dict)

    def ask(self, tsa: LocalTsa, name: str) -> None:
        self.tsas[name] = tsa
        self.services.timestamps.add(self.who.actor, name, tsa.url, tsa.authority.roots_pem)

    def export(self) -> ExportRow:
        return self.services.exports.create(self.who, case_ref="T1")

    def path(self, row: ExportRow) -> Path:
        return self.services.archive.settings.exports / f"{row.id}.zip"

    def read(self, row: ExportRow, name: str) -> bytes:
        with zipfile.ZipFile(self.path(row)) as bundle:
            return bundle.read(name)

    @property
    def vkeys(self) -> str:
        keys = self.services.archive.settings.keys
        return (keys / "log.vkey").read_text() + (keys / "log-mldsa.vkey").read_text()

    def anchors(self, policy: bytes | None = None) -> Anchors:
        keys = parse_key_file(self.vkeys.encode())
        trust = Trust([self.services.archive.seal_key().authority], keys.log_keys, keys.cosigner_keys)
        roots = [root for tsa in self.tsas.values() for root in tsa.roots]
        return Anchors(trust, roots, parse_policy(policy.decode()) if policy is not None else None)

    def verify(self, row: ExportRow, policy: bytes | None = None) -> BundleReport:
        return verify_bundle(self.path(row), self.anchors(policy))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    made = Stage(services, case, deposit(services, who, case, b"an original").item.id, who)
    yield made
    assert_clean(services)
    close_archive(services)


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[LocalTsa]:
    here = start_tsa(tmp_path)
    yield here
    here.stop()


def told(stage: Stage, row: ExportRow) -> dict[str, object]:
    found = stage.services.exports.stamps_in_bundle(row)
    assert found is not None
    return found


def no_warnings(report: BundleReport) -> None:
    assert [f for f in report.findings if f.severity != "info"] == []


def test_without_an_authority_a_bundle_is_whole_and_says_that_nothing_is_stamped(stage: Stage) -> None:
    row = stage.export()
    report = stage.verify(row)
    no_warnings(report)
    assert found(report, "timestamp_none")
    assert told(stage, row) == {"checkpoint": {}, "seal": {}, "receipts": {}}
    assert json.loads(stage.read(row, layout.MANIFEST))["time"] == {"authorities": [], "stamps": []}


def test_every_bundle_carries_the_key_history_and_the_verifier(stage: Stage) -> None:
    row = stage.export()
    report = stage.verify(row)
    assert report.checked["key changes"] == 4
    assert "keys_known" in claimed(report)
    assert "pq_signed" in claimed(report)
    assert stage.read(row, layout.VERIFIER).startswith(b"#!/usr/bin/env python3\n")


def test_with_an_authority_checkpoint_receipt_and_seal_are_stamped(stage: Stage, tsa: LocalTsa) -> None:
    stage.ask(tsa, "first")
    late = deposit(stage.services, stage.who, stage.case, b"another").item.id
    stage.services.timestamps.work()
    row = stage.export()
    report = stage.verify(row)
    no_warnings(report)
    assert {"existed", "sealed_before", "receipts_stamped"} <= claimed(report)
    assert told(stage, row) == {
        "checkpoint": {"first": "done"},
        "seal": {"first": "done"},
        "receipts": {"done": 1},
    }
    assert len(seal_tokens(stage.read(row, layout.SEAL))) == 1
    assert len(seal_tokens(stage.read(row, f"{layout.receipt_path(late)}.p7s"))) == 1
    assert seal_tokens(stage.read(row, f"{layout.receipt_path(stage.item)}.p7s")) == ()  # older than the authority
    assert stage.read(row, layout.authority_roots_path("first")) == tsa.authority.roots_pem


def test_with_the_authority_down_a_bundle_is_made_and_says_what_is_missing(stage: Stage, tsa: LocalTsa) -> None:
    stage.ask(tsa, "first")
    tsa.stop()
    late = deposit(stage.services, stage.who, stage.case, b"another").item.id
    row = stage.export()
    report = stage.verify(row)
    assert errors(report) == []
    assert subjects(report, "timestamp_pending") == {
        layout.CHECKPOINT,
        layout.SEAL,
        f"{layout.receipt_path(late)}.p7s",
    }
    assert not {"existed", "sealed_before", "receipts_stamped"} & claimed(report)
    assert "limit_time" in claimed(report)
    assert b"none had come when the bundle was made" in stage.read(row, layout.README)
    assert told(stage, row)["seal"] == {"first": "pending"}
    tsa.start()
    stage.services.timestamps.retry()
    stage.services.timestamps.work()
    assert [state.state for state in stage.services.timestamps.states(f"bundle:{row.id}")] == ["done"]
    assert told(stage, row)["seal"] == {"first": "pending"}  # the file has not changed


def test_an_authority_that_refuses_is_told_as_failed(stage: Stage, tsa: LocalTsa) -> None:
    stage.ask(tsa, "first")
    tsa.mode = "refuse"
    row = stage.export()
    report = stage.verify(row)
    assert errors(report) == []
    assert layout.CHECKPOINT in subjects(report, "timestamp_failed")
    assert layout.SEAL in subjects(report, "timestamp_pending")  # one of one is missing
    assert told(stage, row)["checkpoint"] == {"first": "failed"}


def test_a_slow_authority_holds_up_no_other_and_not_the_bundle(
    stage: Stage, tsa: LocalTsa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vouched, "CHECKPOINT_SECONDS", 1.5)
    monkeypatch.setattr(vouched, "SEAL_SECONDS", 1.5)
    stage.ask(tsa, "first")
    slow = start_tsa(tmp_path, "slow")
    stage.ask(slow, "slow")
    slow.mode, slow.slow_seconds = "slow", 60.0
    try:
        row = stage.export()
    finally:
        slow.stop()
    report = stage.verify(row)
    assert errors(report) == []
    assert told(stage, row)["checkpoint"] == {"first": "done", "slow": "pending"}
    assert told(stage, row)["seal"] == {"first": "done", "slow": "pending"}
    assert {"existed", "sealed_before"} <= claimed(report)


def test_a_token_that_was_damaged_in_the_database_is_left_out(stage: Stage, tsa: LocalTsa) -> None:
    stage.ask(tsa, "first")
    late = deposit(stage.services, stage.who, stage.case, b"another").item.id
    stage.services.timestamps.work()
    url = str(stage.services.archive.db.engine.url.database)
    with sqlite3.connect(url) as connection:
        kept = connection.execute("SELECT response FROM timestamp WHERE subject LIKE 'receipt:%'").fetchone()[0]
        connection.execute("UPDATE timestamp SET response = X'3000' WHERE subject LIKE 'receipt:%'")
    connection.close()
    row = stage.export()
    with sqlite3.connect(url) as connection:
        connection.execute("UPDATE timestamp SET response = ? WHERE subject LIKE 'receipt:%'", (kept,))
    connection.close()
    report = stage.verify(row)
    assert errors(report) == []
    assert f"{layout.receipt_path(late)}.p7s" in subjects(report, "timestamp_pending")


def test_an_authority_that_is_asked_no_more_still_vouches_for_what_it_stamped(stage: Stage, tsa: LocalTsa) -> None:
    stage.ask(tsa, "first")
    deposit(stage.services, stage.who, stage.case, b"another")
    stage.services.timestamps.work()
    stage.services.timestamps.remove(stage.who.actor, "first")
    row = stage.export()
    report = stage.verify(row)
    no_warnings(report)
    assert told(stage, row) == {"checkpoint": {}, "seal": {}, "receipts": {"done": 1}}
    assert "receipts_stamped" in claimed(report)


def test_witnesses_that_answer_are_in_the_bundle(stage: Stage, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "witness", "w1.example", stage.vkeys.splitlines()[0])
    (vkey, *_) = vkeys_of(folder)
    with listening(folder) as url:
        policy = policy_text(("w1", vkey, url), quorum="any")
        stage.services.witnessing.set_policy(stage.who.actor, policy)
        row = stage.export()
    report = stage.verify(row, policy)
    no_warnings(report)
    assert "w1.example" in text_of(report, "witnessed")
    record = json.loads(stage.read(row, layout.MANIFEST))
    assert record["witnesses"] == {"required": "1 of 1 (w1)", "cosigned": 1}
    assert stage.read(row, layout.WITNESS_POLICY) == policy
    assert b"1 witness(es) co-signed" in stage.read(row, layout.README)


def test_a_witness_that_does_not_answer_stops_no_bundle(stage: Stage, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "witness", "w1.example", stage.vkeys.splitlines()[0])
    (vkey, *_) = vkeys_of(folder)
    policy = policy_text(("w1", vkey, "http://127.0.0.1:9"), quorum="any")
    stage.services.witnessing.set_policy(stage.who.actor, policy)
    row = stage.export()
    report = stage.verify(row)
    assert errors(report) == []
    assert subjects(report, "witness_quorum_unmet_own") == {layout.CHECKPOINT}
    assert layout.COSIGNED not in zipfile.ZipFile(stage.path(row)).namelist()


def test_a_policy_that_nobody_can_read_stops_no_bundle(stage: Stage) -> None:
    path = stage.services.archive.settings.witness_policy
    path.write_text("trust me\n")
    row = stage.export()
    path.unlink()
    no_warnings(stage.verify(row))


def test_what_was_in_the_bundle_is_on_record(stage: Stage, tsa: LocalTsa) -> None:
    stage.ask(tsa, "first")
    row = stage.export()
    published = events_of(stage.services, f"export:{row.id}")[-1]
    assert published.details["time_stamps"] == told(stage, row)


def test_an_export_that_is_not_done_tells_of_no_time_stamps(stage: Stage) -> None:
    row = stage.export()
    row.state = "failed"
    assert stage.services.exports.stamps_in_bundle(row) is None


def test_bundles_of_an_archive_whose_keys_all_changed_hold_what_old_receipts_need(tmp_path: Path) -> None:
    ring = Ring(tmp_path)
    ring.deposit()
    for use in ("seal", "ca", "log", "pq"):
        ring.rotate(use)
    ring.deposit()
    row = ring.services.exports.create(ring.who, case_ref="T1")
    path = ring.services.archive.settings.exports / f"{row.id}.zip"
    keys = parse_key_file((ring.keys / "log.vkey").read_bytes() + (ring.keys / "log-mldsa.vkey").read_bytes())
    trust = Trust([ring.services.archive.seal_key().authority], keys.log_keys, keys.cosigner_keys)
    report = verify_bundle(path, Anchors(trust))
    assert errors(report) == []
    assert {f.code for f in report.findings if f.severity == "warning"} == {"ca_not_trusted", "key_retired_unproven"}
    assert report.checked["receipts"] == 2
    close_archive(ring.services)


def test_a_renewal_goes_into_the_bundle(stage: Stage, tsa: LocalTsa) -> None:
    stage.ask(tsa, "first")
    stage.services.renewals.renew(stage.who)
    row = stage.export()
    report = stage.verify(row)
    no_warnings(report)
    assert report.checked["renewals"] == 1
    assert "renewed" in claimed(report)
