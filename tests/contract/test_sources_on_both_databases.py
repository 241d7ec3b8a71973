"""Versions of sources and collectors' checks, on SQLite and on PostgreSQL: whole, bound to the log, never lost."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api.services import Services
from app.disclosure.rules import Wishes
from app.errors import CatenaError, ConflictError, InvalidInputError
from app.evidence.models import Case
from app.intake.collections.entries import Check
from app.intake.service import Deposit, parse_source
from evidence_store.verify.checks import verify_bundle
from schemas.records.v1.event import MAX_EVENT_BYTES
from schemas.records.v1.source import MAX_CAPTION, MAX_NOTE, MAX_SHORT_NOTE, SourceContext
from tests.archives import events_of, make_archive
from tests.checks import assert_clean, audit, errors_of
from tests.databases import BACKENDS, fresh_database

WIDEST = "\U0001f525"  # four bytes in UTF-8, as much as any character takes
LONGEST = {
    "url": "https://x/" + WIDEST * 1_990,
    "platform": WIDEST * 100,
    "channel": WIDEST * 300,
    "post_id": WIDEST * 200,
    "caption": WIDEST * MAX_CAPTION,
    "collector": WIDEST * 200,
    "collecting_machine": WIDEST * 200,
    "tool": WIDEST * 100,
    "tool_version": WIDEST * 100,
    "legal_basis": "other",
    "legal_basis_note": WIDEST * MAX_SHORT_NOTE,
    "consent": "given_with_conditions",
    "consent_note": WIDEST * MAX_SHORT_NOTE,
    "handling": ["embargo"],
    "handling_note": WIDEST * MAX_SHORT_NOTE,
    "note": WIDEST * MAX_NOTE,
}
FAILED = Check("manifest_sha256", "failed", {"reason": "the file has another SHA-256", "stated": "0" * 64})
PASSED = Check("manifest_sha512", "passed", {"sha512": "1" * 128})


@pytest.fixture(params=BACKENDS)
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    made = make_archive(tmp_path, fresh_database(request.param, tmp_path))
    yield made
    made.archive.db.close()


def put(services: Services, source: SourceContext, *checks: Check) -> tuple[Case, Deposit]:
    who = services.access.local_operator()
    case = services.evidence.case_or_none("T1") or services.evidence.create_case(who, "T1")
    name = WIDEST * 255
    return case, services.intake.deposit_bytes(who, case, [b"a photo"], name, source, checks)


def test_the_longest_source_of_the_widest_characters_is_kept_whole_and_leaves_the_archive_whole(
    services: Services, tmp_path: Path
) -> None:
    who = services.access.local_operator()
    _, made = put(services, parse_source(LONGEST), *[FAILED] * 50)
    about = f"item:{made.item.id}"
    for event in events_of(services, about):
        assert len(event.model_dump_json().encode()) < MAX_EVENT_BYTES
    details = events_of(services, about)[0].details
    left_out = details["source_left_out"]
    assert isinstance(left_out, dict)
    assert left_out["caption"] == {
        "sha256": hashlib.sha256(str(LONGEST["caption"]).encode()).hexdigest(),
        "size": 4 * MAX_CAPTION,
    }
    assert details["source"] == {key: value for key, value in LONGEST.items() if key not in left_out}
    assert services.sources.current_of([made.item])[made.item.id].record == LONGEST
    services.sources.revise(who, made.item.id, LONGEST | {"note": WIDEST}, WIDEST * 2_000, 1)
    services.sources.revise(who, made.item.id, LONGEST, "back again", 2)
    assert services.sources.current_of([made.item])[made.item.id].record == LONGEST
    bundle = tmp_path / "bundle.zip"
    wishes = Wishes(release={made.item.id: "The conditions are met, and the embargo is over."})
    services.exports.create(who, case_ref="T1", wishes=wishes, out=bundle)
    assert [one for one in verify_bundle(bundle).findings if one.severity == "error"] == []
    with zipfile.ZipFile(bundle) as opened:
        folder = f"data/sources/{made.item.id}"
        told = [json.loads(opened.read(f"{folder}.{number}.json")) for number in (1, 2, 3)]
    assert [(one["number"], one["source"]["note"]) for one in told] == [
        (1, LONGEST["note"]),
        (2, WIDEST),
        (3, LONGEST["note"]),
    ]
    assert_clean(services)


def test_of_two_who_state_a_source_at_once_one_is_told_that_he_lost(services: Services) -> None:
    who = services.access.local_operator()
    _, made = put(services, parse_source({"note": "first"}))
    start, outcomes = threading.Barrier(4), []

    def state(number: int) -> None:
        start.wait()
        try:
            services.sources.revise(who, made.item.id, {"note": f"by {number}"}, "race", 1)
            outcomes.append("stated")
        except ConflictError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=state, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["source_changed"] * 3 + ["stated"]
    assert [one.number for one in services.sources.versions_of(made.item)] == [1, 2]
    assert_clean(services)


def test_a_failed_check_stops_no_deposit_and_is_plain_to_see(services: Services, tmp_path: Path) -> None:
    _, made = put(services, SourceContext(), FAILED, PASSED, FAILED)
    assert [(one.number, one.kind, one.verdict, one.checked_by) for one in services.checks.of(made.item.id)] == [
        (1, "manifest_sha256", "failed", "archive"),
        (2, "manifest_sha512", "passed", "archive"),
    ]
    first, second = events_of(services, f"item:{made.item.id}")[:2]
    assert (first.type, second.type) == ("ingestion", "fixity check")
    told = second.details["checks"]
    assert isinstance(told, list)
    assert [(one["kind"], one["verdict"]) for one in told if isinstance(one, dict)] == [
        ("manifest_sha256", "failed"),
        ("manifest_sha512", "passed"),
    ]
    bundle = tmp_path / "bundle.zip"
    services.exports.create(services.access.local_operator(), case_ref="T1", out=bundle)
    assert [one for one in verify_bundle(bundle).findings if one.severity == "error"] == []
    with zipfile.ZipFile(bundle) as opened:
        names = [name for name in opened.namelist() if name.startswith("data/checks/")]
        verdicts = sorted(json.loads(opened.read(name))["verdict"] for name in names)
    assert verdicts == ["failed", "passed"]
    assert_clean(services)


def test_a_check_that_cannot_be_recorded_stops_the_deposit_before_anything_is_written(services: Services) -> None:
    for wrong in (Check("Hash", "passed", {}), Check("hash", "failed", {}), Check("hash", "passed", {"x": 0.5})):
        with pytest.raises(InvalidInputError) as refused:
            put(services, SourceContext(), wrong)
        assert refused.value.code == "bad_check"
    with pytest.raises(InvalidInputError) as refused:
        put(services, SourceContext(), *[PASSED] * 51)
    assert refused.value.code == "too_many_checks"
    assert services.evidence.list_items(services.access.local_operator()).items == []
    assert_clean(services)


def test_a_file_that_was_changed_after_its_check_is_not_kept(services: Services) -> None:
    """What was checked is what is deposited, or nothing is."""
    ours = hashlib.sha256(b"a photo").hexdigest()
    put(services, SourceContext(), Check("manifest_sha256", "passed", {"sha256": ours}))
    with pytest.raises(ConflictError) as refused:
        put(services, SourceContext(), Check("manifest_sha256", "passed", {"sha256": "0" * 64}))
    assert refused.value.code == "file_changed"
    assert len(services.evidence.list_items(services.access.local_operator()).items) == 1
    assert_clean(services)


def test_whoever_edits_a_version_or_a_verdict_in_the_database_is_found(services: Services, tmp_path: Path) -> None:
    who = services.access.local_operator()
    _, made = put(services, parse_source({"note": "first"}), FAILED)
    services.sources.revise(who, made.item.id, {"note": "second"}, "corrected", 1)
    (check,) = services.checks.of(made.item.id)
    with services.archive.db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE source_version SET record = replace(record, 'second', 'sec0nd')")
        connection.exec_driver_sql("UPDATE collector_check SET verdict = 'passed'")
    found = {subject for _, subject in errors_of(audit(services))}
    assert any("source_version" in subject for subject in found), found
    assert any("collector_check" in subject and check.id in subject for subject in found), found
    with pytest.raises(CatenaError) as stopped:
        services.exports.create(who, case_ref="T1", out=tmp_path / "no.zip")
    assert stopped.value.code == "record_missing"
