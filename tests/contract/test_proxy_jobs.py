"""Proxies as durable work, on both databases: killed, out of room, failed, altered; never doubled, never in the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock
from zipfile import ZipFile

import pytest
from sqlmodel import select

from app.access.service import Principal
from app.analysis import proxies
from app.analysis.errors import SandboxFailure, SandboxUnfitError
from app.analysis.models import ProxyRun
from app.analysis.proxy_answer import believed
from app.analysis.proxy_spool import Spool
from app.api.services import Services
from app.errors import EnvironmentFailedError
from app.evidence.models import Case, Derivative
from app.export.choose import Asked
from app.export.rules import Options
from app.jobs.service import LeaseLostError
from app.wiring import make_worker
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.checks import verify_bundle
from tests.archives import close_archive, deposit, events_of, make_archive
from tests.checks import assert_clean, audit, errors_of, work_off
from tests.databases import BACKENDS, fresh_database
from tests.recordings import record


@pytest.fixture(params=BACKENDS)
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    made = make_archive(tmp_path, None if request.param == "sqlite" else fresh_database(request.param, tmp_path))
    yield made
    close_archive(made)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("recording") / "a.mkv"
    return record(path, [number / 10 for number in range(20)], sound=(0.0, 2.0)).read_bytes()


def opened_case(services: Services) -> tuple[Principal, Case]:
    who = services.access.local_operator()
    return who, services.evidence.create_case(who, "T1")


def rows(services: Services) -> tuple[int, int]:
    """How many attempts and how many proxies are recorded."""
    with services.archive.db.read() as session:
        made = select(Derivative).where(Derivative.role == "proxy")
        return len(session.exec(select(ProxyRun)).all()), len(session.exec(made).all())


def test_worker_that_loses_its_lease_after_the_bytes_are_stored_leaves_no_second_proxy(
    services: Services, recording: bytes
) -> None:
    who, case = opened_case(services)
    item = deposit(services, who, case, recording, "a.mkv").item.id
    with mock.patch.object(proxies.Proxies, "_write", side_effect=LeaseLostError):
        work_off_once(services)
    assert rows(services) == (0, 0)
    report = audit(services)
    assert report["ok"], "bytes without a row are explained, and no error"
    assert "blob_unreferenced" in {finding["code"] for finding in report["findings"]}
    with services.archive.db.write() as session:
        claim_again(session)
    work_off(services)
    assert rows(services) == (1, 1)
    view = services.proxies.view(item)
    assert view is not None
    assert view.state == "done"
    assert "blob_unreferenced" not in {finding["code"] for finding in audit(services)["findings"]}
    second = deposit(services, who, case, recording, "again.mkv").item.id
    work_off(services)
    assert rows(services) == (2, 2)
    made = [services.proxies.view(one) for one in (item, second)]
    assert len({one.made.sha256 for one in made if one and one.made}) == 1, "one blob, two derivatives"
    assert list(services.archive.settings.data.glob("tmp*")) == []
    assert_clean(services)


def work_off_once(services: Services) -> None:
    worker = make_worker(services)
    while worker.run_one():
        pass


def claim_again(session: object) -> None:
    """As if the lease had run out."""
    session.connection().exec_driver_sql(  # type: ignore[attr-defined]
        "UPDATE job SET state = 'ready', lease_until = NULL, run_after = created_at WHERE kind = 'proxy'"
    )


def test_trouble_of_the_machine_is_no_fact_about_a_file_and_trouble_of_the_file_holds_nothing_up(
    services: Services, recording: bytes
) -> None:
    who, case = opened_case(services)
    item = deposit(services, who, case, recording, "a.mkv").item.id
    full = EnvironmentFailedError("storage_full", "no room for a working copy", status=507)
    with mock.patch.object(Spool, "_require_room", side_effect=full):
        work_off_once(services)
    assert rows(services) == (0, 0)
    view = services.proxies.view(item)
    assert view is not None
    assert view.state == "pending", "it is tried again"
    with mock.patch.object(proxies, "run_sandboxed", side_effect=SandboxUnfitError("sandbox_unavailable", "none")):
        again(services)
    assert rows(services) == (0, 0)
    failure = SandboxFailure("parser_crashed", "the parser died by SIGSEGV")
    with mock.patch.object(proxies, "run_sandboxed", side_effect=failure):
        again(services)
    view = services.proxies.view(item)
    assert view is not None
    assert (view.state, view.code, view.made) == ("failed", "parser_crashed", None)
    last = events_of(services, f"item:{item}")[-1]
    assert (last.type, last.details["state"]) == ("migration", "failed")
    assert last.details["failure"] == {"code": "parser_crashed", "detail": "the parser died by SIGSEGV"}
    assert services.matching.state_of(item)["state"] == "done", "the comparison went ahead"
    services.proxies.ask(item)
    work_off(services)
    view = services.proxies.view(item)
    assert view is not None
    assert view.state == "done"
    assert rows(services) == (2, 1)
    assert_clean(services)


def test_work_that_was_given_up_is_no_proxy_that_is_still_to_come(services: Services, recording: bytes) -> None:
    who, case = opened_case(services)
    item = deposit(services, who, case, recording, "a.mkv").item.id
    with mock.patch.object(proxies, "run_sandboxed", side_effect=EvidenceStoreError("storage_failed", "a disk")):
        work_off_once(services)
        again(services)
        again(services)
    view = services.proxies.view(item)
    assert view is not None
    assert (view.state, view.code) == ("failed", "work_given_up")
    assert "storage_failed" in str(view.detail)
    services.proxies.ask(item)
    work_off(services)
    view = services.proxies.view(item)
    assert view is not None
    assert view.state == "done"
    assert_clean(services)


def again(services: Services) -> None:
    with services.archive.db.write() as session:
        claim_again(session)
    work_off_once(services)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"width": 99_999},
        {"missing": ["not a code"]},
        {"tool": "x" * 301},
        {"covered_ms": 1.5},
        {"frames": True},
        "nothing",
    ],
)
def test_facts_that_cannot_be_are_not_believed(told: object) -> None:
    good: dict[str, object] = {
        "width": 320,
        "height": 240,
        "covered_ms": 1,
        "claimed_ms": None,
        "origin_ms": 0,
        "frames": 1,
        "frames_left_out": 0,
        "packets_damaged": 0,
        "further_pictures": 0,
        "further_sound": 0,
        "sound": False,
        "tone_mapped": False,
        "missing": [],
        "tool": "t",
        "parameters": {"video": "H.264"},
    }
    assert believed((good, b"front"))[1] == b"front"
    spoilt = {**good, **told} if isinstance(told, dict) and told else told
    with pytest.raises(SandboxFailure) as refused:
        believed((spoilt, b"front") if told != "nothing" else b"front")
    assert refused.value.code == "parser_error"


def test_more_bytes_than_were_allowed_end_the_run(tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    try:
        with Spool(services.archive.settings, 10) as spool:
            spool.take(b"0123456789")
            with pytest.raises(SandboxFailure) as refused:
                spool.take(b"!")
        assert refused.value.code == "output_too_large"
    finally:
        close_archive(services)


def test_altered_rows_and_bytes_of_a_proxy_are_named_and_a_bundle_has_it_only_when_asked(
    services: Services, recording: bytes, tmp_path: Path
) -> None:
    who, case = opened_case(services)
    item = deposit(services, who, case, recording, "a.mkv").item.id
    work_off(services)
    services.exports.create(who, case_ref="T1", purpose="test", out=tmp_path / "T1.zip")
    with ZipFile(tmp_path / "T1.zip") as bundle:
        assert not [name for name in bundle.namelist() if "prox" in name]
    view = services.proxies.view(item)
    assert view is not None
    assert view.run is not None
    assert view.made is not None
    run, digest = view.run.id, view.made.sha256
    asked = Asked(case="T1", options=Options(derivatives="proxy"))
    services.exports.create(who, asked=asked, out=tmp_path / "proxies.zip")
    with ZipFile(tmp_path / "proxies.zip") as bundle:
        assert hashlib.sha256(bundle.read(f"data/proxies/{item}.mp4")).hexdigest() == digest
    assert verify_bundle(tmp_path / "proxies.zip").ok
    assert_clean(services)
    with services.archive.db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE proxy_run SET state = 'done', missing = '[]', covered_ms = 99000")
    assert ("row_altered", f"proxy_run {run}") in errors_of(audit(services))
    with services.archive.db.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM proxy_run")
    stored = services.archive.settings.blobs / "sha256" / digest[:2] / digest[2:4] / digest
    stored.unlink()
    found = errors_of(audit(services))
    assert ("row_missing", f"proxy_run {run}") in found
    assert ("blob_missing", f"blob {digest} (derivative of item {item})") in found
