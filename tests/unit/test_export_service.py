"""Exports over a real archive: recorded first, whole or not at all, both sides or nothing."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access.service import Principal
from app.api.services import Services
from app.custody.log_scan import RootComputer
from app.errors import CatenaError, ConflictError, DeniedError, EnvironmentFailedError, InvalidInputError, NotFoundError
from app.evidence.models import Case
from app.export.models import ExportRow
from app.export.service import Exports
from evidence_store.log.merkle import root_at
from evidence_store.log.sequencer import append
from evidence_store.verify.checks import verify_bundle
from schemas.records.v1.event import CustodyEvent
from tests.archives import close_archive, deposit, events_of, make_archive, person
from tests.bundles import MemoryLog

ORIGINAL = b"an original photo, " * 1_000


@dataclass
class Stage:
    services: Services
    case: Case
    item: str
    lawyer: Principal

    def exports(self, checkpoint: Callable[[], bytes] | None = None) -> Exports:
        """The export use-cases with another way to make checkpoints."""
        one = self.services
        vouchers = replace(one.exports.vouchers, checkpoint=checkpoint or one.checkpoint)
        return Exports(one.access, one.exports._sources, vouchers, one.jobs)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.services.archive.settings.exports.iterdir())

    def path(self, row: ExportRow) -> Path:
        return self.services.archive.settings.exports / f"{row.id}.zip"

    def sql(self, statement: str) -> None:
        """What an attacker with the database does."""
        with self.services.archive.db.engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def the_row(self) -> ExportRow:
        (row,) = self.services.exports.list(self.services.access.local_operator())
        return row


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    services = make_archive(tmp_path)
    admin = services.access.local_operator()
    case = services.evidence.create_case(admin, "T1")
    lawyer = person(services, "lawyer", "legal", case)
    item = deposit(services, admin, case, ORIGINAL, "../фото 1.jpg").item.id
    yield Stage(services, case, item, lawyer)
    close_archive(services)


def errors_in(path: Path) -> list[str]:
    report = verify_bundle(path)
    return [f"{finding.code} {finding.subject}" for finding in report.findings if finding.severity == "error"]


def bundle_events(path: Path) -> list[CustodyEvent]:
    with zipfile.ZipFile(path) as bundle:
        lines = bundle.read("custody/events.jsonl").splitlines()
    return [CustodyEvent.model_validate_json(line) for line in lines]


def read(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as bundle:
        return bundle.read(name)


def test_bundle_of_a_case_verifies_and_is_the_one_that_the_log_names(stage: Stage) -> None:
    row = stage.services.exports.create(stage.lawyer, case_ref="T1", purpose="Request 12 of the court")
    assert errors_in(stage.path(row)) == []
    data = stage.path(row).read_bytes()
    assert (row.state, row.sha256, row.size) == ("done", hashlib.sha256(data).hexdigest(), len(data))
    begun, published = events_of(stage.services, f"export:{row.id}")
    assert begun.details["outcome"] == "begun"
    named = {"sha256": row.sha256, "size": row.size}
    assert published.details["outputs"] == [{"role": "bundle", **named}]
    (entry,) = json.loads(read(stage.path(row), "manifest.json"))["items"]
    assert (entry["item"], entry["original_name"]) == (stage.item, "фото 1.jpg")
    assert read(stage.path(row), entry["path"]) == ORIGINAL


def test_disclosure_is_in_the_log_of_every_item_and_in_the_bundle_itself(stage: Stage) -> None:
    other = deposit(stage.services, stage.lawyer, stage.case, b"another").item.id
    row = stage.services.exports.create(stage.lawyer, case_ref="T1", purpose="for the court")
    for item in (stage.item, other):
        (event,) = [one for one in events_of(stage.services, f"item:{item}") if one.type == "dissemination"]
        assert event.details == {"export": row.id, "purpose": "for the court"}
        assert event.actor.id == stage.lawyer.user_id
        assert event in bundle_events(stage.path(row))


def test_scope_in_the_manifest_is_the_one_that_the_log_names(stage: Stage) -> None:
    row = stage.services.exports.create(stage.lawyer, item_ids=[stage.item, stage.item])
    manifest = json.loads(read(stage.path(row), "manifest.json"))
    assert manifest["scope"] == {"items": [stage.item]}
    scope = json.dumps(manifest["scope"], separators=(",", ":"))
    begun = events_of(stage.services, f"export:{row.id}")[0]
    assert begun.details["scope_sha256"] == hashlib.sha256(scope.encode()).hexdigest()


def test_links_and_reviews_leave_with_both_sides_and_their_exact_bytes(stage: Stage) -> None:
    law, reviews = stage.services.law, stage.services.reviews
    admin = stage.services.access.local_operator()
    against = law.create_link(stage.lawyer, stage.item, "ap1-art8", "contradicts", "crates in the back")
    supports = law.create_link(admin, stage.item, "ap1-art62", "supports", "sign on the door")
    dissent = reviews.review_link(stage.lawyer, supports.id, "reject", "not legible")
    row = stage.services.exports.create(stage.lawyer, case_ref="T1")
    path = stage.path(row)
    assert errors_in(path) == []
    assert read(path, f"data/links/{against.id}.json") == against.record
    assert read(path, f"data/links/{supports.id}.json") == supports.record
    assert read(path, f"data/reviews/{dissent.id}.json") == dissent.record
    provisions = json.loads(read(path, "data/provisions.json"))
    assert provisions["status"] == "draft until a qualified lawyer has signed it off"
    assert [entry["provision"]["id"] for entry in provisions["provisions"]] == ["ap1-art62", "ap1-art8"]


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM provision_link WHERE direction = 'contradicts'",
        "UPDATE provision_link SET record = CAST(replace(record, 'contradicts', 'supports') AS BLOB)",
        "UPDATE provision_link SET record = CAST(record AS TEXT)",
        "UPDATE provision_link SET item_id = (SELECT id FROM item WHERE item_id != id LIMIT 1)",
        "UPDATE receipt SET statement = CAST(replace(statement, 'T1', 'T2') || ' ' AS BLOB)",
        "UPDATE receipt SET seal = X'3000'",
        "UPDATE item SET sha256 = (SELECT sha256 FROM blob WHERE blob.sha256 != item.sha256)",
    ],
)
def test_export_that_would_leave_out_what_the_log_names_is_impossible(stage: Stage, attack: str) -> None:
    stage.services.law.create_link(stage.lawyer, stage.item, "ap1-art8", "contradicts", "crates in the back")
    deposit(stage.services, stage.lawyer, stage.services.evidence.create_case(_admin(stage), "T2"), b"another")
    stage.sql(attack)
    with pytest.raises(EnvironmentFailedError) as refused:
        stage.services.exports.create(stage.lawyer, item_ids=[stage.item])
    assert refused.value.code == "record_missing"
    assert stage.files() == []
    assert (stage.the_row().state, stage.the_row().failure_code) == ("failed", "record_missing")


def _admin(stage: Stage) -> Principal:
    return stage.services.access.local_operator()


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE custody_event SET canonical = CAST(replace(canonical, 'dissemination', 'annotation') AS BLOB)",
        "UPDATE custody_event SET canonical = CAST(canonical AS TEXT) WHERE object LIKE 'item:%'",
        "UPDATE log_node SET hash = zeroblob(32) WHERE level = 0",
        "UPDATE custody_event SET object = 'item:x' WHERE type = 'link'",
        "UPDATE custody_event SET object = 'item:x' WHERE type = 'archive creation'",
        "UPDATE custody_event SET object_seq = object_seq + 100 WHERE type = 'link'",
        "UPDATE custody_event SET event_id = 'x' WHERE type = 'link'",
        "UPDATE custody_event SET event_sha256 = 'x' WHERE type = 'link'",
        "UPDATE custody_event SET canonical = X'7B7D' WHERE type = 'archive creation'",
        "UPDATE custody_event SET canonical = X'FF' WHERE type = 'archive creation'",
        "UPDATE custody_event SET canonical = CAST(replace(canonical, 'case creation', 'annotation') AS BLOB)",
    ],
)
def test_events_that_the_log_does_not_prove_are_not_exported(stage: Stage, attack: str) -> None:
    stage.services.law.create_link(stage.lawyer, stage.item, "ap1-art8", "contradicts", "crates in the back")

    def attacked() -> bytes:
        note = stage.services.checkpoint()
        stage.sql(attack)
        return note

    with pytest.raises(EnvironmentFailedError) as refused:
        stage.exports(attacked).create(stage.lawyer, case_ref="T1")
    assert refused.value.code == "log_damaged"
    assert stage.files() == []


def test_link_that_was_moved_to_another_object_stops_every_later_export(stage: Stage) -> None:
    stage.services.law.create_link(stage.lawyer, stage.item, "ap1-art8", "contradicts", "crates in the back")
    stage.sql("UPDATE custody_event SET object = 'item:x' WHERE type = 'link'")
    with pytest.raises(EnvironmentFailedError) as refused:
        stage.services.exports.create(stage.lawyer, case_ref="T1")
    assert refused.value.code == "log_damaged"
    assert stage.files() == []
    assert (stage.the_row().state, stage.the_row().failure_code) == ("failed", "log_damaged")


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40))
def test_root_of_the_scan_is_the_root_of_the_log(entries: list[bytes]) -> None:
    log, scanned = MemoryLog(), RootComputer()
    for entry in entries:
        append(log, [entry])
        scanned.add(entry)
    assert (scanned.size, scanned.result()) == (log.size, root_at(log.size, log.read_node))


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM custody_event WHERE type = 'access'",
        "DELETE FROM custody_event WHERE type = 'digital signature generation'",
    ],
)
def test_event_that_was_deleted_stops_the_export(stage: Stage, attack: str) -> None:
    item, _ = stage.services.evidence.find_item(stage.lawyer, stage.item)
    stage.services.evidence.record_access(stage.lawyer, item, "original")
    stage.sql(attack)
    with pytest.raises(EnvironmentFailedError) as refused:
        stage.services.exports.create(stage.lawyer, case_ref="T1")
    assert refused.value.code == "log_damaged"
    assert stage.files() == []


def _damage(stage: Stage) -> None:
    item, _ = stage.services.evidence.find_item(stage.lawyer, stage.item)
    with stage.services.archive.blobs.local_path(item.sha256) as path:
        path.chmod(0o600)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


def _truncate(stage: Stage) -> None:
    item, _ = stage.services.evidence.find_item(stage.lawyer, stage.item)
    with stage.services.archive.blobs.local_path(item.sha256) as path:
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1])


def _remove(stage: Stage) -> None:
    item, _ = stage.services.evidence.find_item(stage.lawyer, stage.item)
    with stage.services.archive.blobs.local_path(item.sha256) as path:
        path.unlink()


@pytest.mark.parametrize(
    ("attack", "code"), [(_damage, "fixity_mismatch"), (_truncate, "fixity_mismatch"), (_remove, "blob_missing")]
)
def test_damaged_original_is_never_sealed_and_the_failure_is_recorded(
    stage: Stage, tmp_path: Path, attack: Callable[[Stage], None], code: str
) -> None:
    attack(stage)
    with pytest.raises(EnvironmentFailedError) as refused:
        stage.services.exports.create(stage.lawyer, case_ref="T1", out=tmp_path / "bundle.zip")
    assert refused.value.code == code
    assert stage.files() == []
    assert not (tmp_path / "bundle.zip").exists()
    row = stage.the_row()
    assert (row.state, row.failure_code, row.sha256) == ("failed", code, None)
    assert events_of(stage.services, f"export:{row.id}")[-1].details["outcome"] == "failed"
    check = events_of(stage.services, f"item:{stage.item}")[-1]
    assert (check.type, check.details["outcome"], check.details["code"]) == ("fixity check", "failed", code)
    with pytest.raises(ConflictError) as failed:
        stage.services.exports.open_bundle(stage.lawyer, row.id)
    assert failed.value.code == "export_failed"


def test_what_happens_after_the_checkpoint_is_not_in_the_bundle(stage: Stage) -> None:
    late: list[str] = []

    def checkpoint() -> bytes:
        note = stage.services.checkpoint()
        late.append(stage.services.law.create_link(stage.lawyer, stage.item, "ap1-art8", "supports", "later").id)
        return note

    row = stage.exports(checkpoint).create(stage.lawyer, case_ref="T1")
    assert errors_in(stage.path(row)) == []
    with zipfile.ZipFile(stage.path(row)) as bundle:
        assert f"data/links/{late[0]}.json" not in bundle.namelist()
    assert "link" not in {event.type for event in bundle_events(stage.path(row))}
    assert row.tree_size is not None
    with_it = stage.services.exports.create(stage.lawyer, case_ref="T1")
    assert f"data/links/{late[0]}.json" in zipfile.ZipFile(stage.path(with_it)).namelist()


def test_case_of_several_pages_leaves_whole(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.export.choose.PAGE", 2)
    items = {deposit(stage.services, stage.lawyer, stage.case, b"photo %d" % number).item.id for number in range(4)}
    row = stage.services.exports.create(stage.lawyer, case_ref="T1")
    assert set(json.loads(row.items)) == items | {stage.item}
    manifest = json.loads(read(stage.path(row), "manifest.json"))
    assert {entry["item"] for entry in manifest["items"]} == items | {stage.item}


def test_checkpoint_that_does_not_cover_the_disclosure_is_refused(stage: Stage) -> None:
    old = stage.services.checkpoint()
    with pytest.raises(EnvironmentFailedError) as refused:
        stage.exports(lambda: old).create(stage.lawyer, case_ref="T1")
    assert refused.value.code == "checkpoint_too_old"
    assert stage.files() == []


def test_copy_for_the_receiver_is_the_same_file_and_nothing_is_overwritten(stage: Stage, tmp_path: Path) -> None:
    out = tmp_path / "out" / "bundle.zip"
    row = stage.services.exports.create(stage.lawyer, case_ref="T1", out=out)
    assert hashlib.sha256(out.read_bytes()).hexdigest() == row.sha256
    out.write_bytes(b"something else now")
    assert errors_in(stage.path(row)) == []
    before = len(stage.services.exports.list(stage.lawyer))
    with pytest.raises(ConflictError) as refused:
        stage.services.exports.create(stage.lawyer, case_ref="T1", out=out)
    assert refused.value.code == "file_exists"
    assert out.read_bytes() == b"something else now"
    assert len(stage.services.exports.list(stage.lawyer)) == before


def test_item_whose_receipt_is_not_made_yet_waits(stage: Stage) -> None:
    stage.sql("DELETE FROM receipt")
    with pytest.raises(ConflictError) as refused:
        stage.services.exports.create(stage.lawyer, case_ref="T1")
    assert refused.value.code == "receipt_pending"
    assert stage.services.exports.list(stage.lawyer) == []


def test_only_who_may_export_every_case_exports(stage: Stage) -> None:
    services = stage.services
    admin = services.access.local_operator()
    second = services.evidence.create_case(admin, "T2")
    hidden = deposit(services, admin, second, b"of another case").item.id
    investigator = person(services, "investigator", "investigator", stage.case)
    auditor = person(services, "auditor", "auditor")
    attempts: list[tuple[Principal, dict[str, object], type[CatenaError], str]] = [
        (investigator, {"case_ref": "T1"}, DeniedError, "not_allowed"),
        (investigator, {"item_ids": [stage.item]}, DeniedError, "not_allowed"),
        (auditor, {"case_ref": "T1"}, DeniedError, "not_allowed"),
        (stage.lawyer, {"case_ref": "T2"}, NotFoundError, "unknown_case"),
        (stage.lawyer, {"case_ref": "T3"}, NotFoundError, "unknown_case"),
        (stage.lawyer, {"item_ids": [stage.item, hidden]}, NotFoundError, "unknown_item"),
        (stage.lawyer, {"item_ids": ["../../x"]}, NotFoundError, "unknown_item"),
        (stage.lawyer, {}, InvalidInputError, "bad_scope"),
        (stage.lawyer, {"case_ref": "T1", "item_ids": [stage.item]}, InvalidInputError, "bad_scope"),
        (stage.lawyer, {"case_ref": "T1", "purpose": "x\x00"}, InvalidInputError, "bad_text"),
    ]
    for who, scope, error, code in attempts:
        with pytest.raises(error) as refused:
            services.exports.create(who, **scope)  # type: ignore[arg-type]
        assert refused.value.code == code
    assert services.exports.list(admin) == []
    assert stage.files() == []
    assert not [one for one in events_of(services, f"item:{stage.item}") if one.type == "dissemination"]


def test_empty_case_is_not_exported(stage: Stage) -> None:
    stage.services.evidence.create_case(_admin(stage), "EMPTY")
    with pytest.raises(InvalidInputError) as refused:
        stage.services.exports.create(_admin(stage), case_ref="EMPTY")
    assert refused.value.code == "nothing_to_export"


def test_export_over_two_cases_is_seen_only_by_who_may_see_both(stage: Stage) -> None:
    services = stage.services
    admin = _admin(stage)
    second = services.evidence.create_case(admin, "T2")
    other = deposit(services, admin, second, b"of another case").item.id
    row = services.exports.create(admin, item_ids=[stage.item, other])
    assert [one.id for one in services.exports.list(admin)] == [row.id]
    assert services.exports.list(stage.lawyer) == []
    for export_id in (row.id, "no-such-export"):
        with pytest.raises(NotFoundError) as refused:
            services.exports.open_bundle(stage.lawyer, export_id)
        assert refused.value.code == "unknown_export"
    services.access.add_member(admin.actor, second.id, "lawyer")
    assert services.exports.get(stage.lawyer, row.id).id == row.id
    with pytest.raises(DeniedError):
        services.exports.list(person(services, "investigator", "investigator", stage.case, second))


def test_taking_a_bundle_is_an_access_event(stage: Stage) -> None:
    row = stage.services.exports.create(stage.lawyer, case_ref="T1")
    found, path = stage.services.exports.open_bundle(stage.lawyer, row.id)
    assert (found.id, path) == (row.id, stage.path(row))
    event = events_of(stage.services, f"export:{row.id}")[-1]
    assert (event.type, event.details["sha256"]) == ("access", row.sha256)


def test_bundle_that_was_cut_is_not_handed_out(stage: Stage) -> None:
    row = stage.services.exports.create(stage.lawyer, case_ref="T1")
    path = stage.path(row)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EnvironmentFailedError) as refused:
        stage.services.exports.open_bundle(stage.lawyer, row.id)
    assert refused.value.code == "bundle_damaged"


def test_living_export_is_not_taken_for_a_dead_one(stage: Stage) -> None:
    seen: list[tuple[str, list[str]]] = []

    def watch(_done: int, _total: int) -> None:
        row = stage.the_row()
        with pytest.raises(ConflictError) as refused:
            stage.services.exports.open_bundle(stage.lawyer, row.id)
        assert refused.value.code == "export_not_ready"
        seen.append((row.state, stage.services.exports.recover()))

    row = stage.services.exports.create(stage.lawyer, case_ref="T1", progress=watch)
    assert seen == [("building", [])]
    assert row.state == "done"


def test_export_that_was_interrupted_is_recorded_as_such(stage: Stage) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.services.exports.create(stage.lawyer, case_ref="T1", progress=interrupt)
    assert (stage.the_row().state, stage.the_row().failure_code) == ("failed", "interrupted")
    assert stage.files() == []


def test_memory_does_not_grow_with_the_originals(stage: Stage) -> None:
    big = 24 * 1024 * 1024
    deposit(stage.services, stage.lawyer, stage.case, bytes(big), "clip.mp4")
    stage.services.exports.create(stage.lawyer, item_ids=[stage.item])  # loads what is loaded once
    tracemalloc.start()
    try:
        row = stage.services.exports.create(stage.lawyer, case_ref="T1")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert row.size is not None
    assert row.size > big
    assert peak < big / 2
