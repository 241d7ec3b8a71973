"""Audits over HTTP: asked for by who may, made in the background, told of, handed out signed."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from sqlmodel import select

from app.audit.models import AuditRow
from app.custody.models import EventRow
from evidence_store.blobs.local import LocalBlobStore
from evidence_store.canonical import parse_canonical
from evidence_store.digests import digest_stream
from schemas.records.v1.audit_report import AuditReport
from scripts.json_schemas import FOLDER
from tests.apis import Api, refused
from tests.archives import events_of
from tests.checks import assert_clean
from tests.judges import require
from tests.tsa import LocalTsa, authority

NOBODY = "00000000-0000-4000-8000-000000000000"


def made(api: Api, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """An audit that was asked for over HTTP and made by the server; its document."""
    asked = api.post("aud", "/audits", json=body or {})
    assert asked.status_code == 202, asked.text
    assert asked.headers["location"] == f"/api/v1/audits/{asked.json()['id']}"
    assert asked.json()["state"] == "waiting"
    assert api.services.audits.work() is True
    document: dict[str, Any] = api.get("aud", f"/audits/{asked.json()['id']}").json()
    assert document["state"] == "done", document
    return document


def stored(api: Api, sha256: str) -> Path:
    return api.services.archive.settings.blobs / "sha256" / sha256[:2] / sha256[2:4] / sha256


def denials(api: Api) -> int:
    with api.services.archive.db.read() as session:
        return len(session.exec(select(EventRow).where(EventRow.type == "access denied")).all())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/audits"),
        ("GET", "/audits"),
        ("GET", f"/audits/{NOBODY}"),
        ("GET", f"/audits/{NOBODY}/report.json"),
        ("GET", f"/audits/{NOBODY}/report.p7s"),
    ],
)
def test_only_auditors_and_admins_may(api: Api, method: str, path: str) -> None:
    refused(api.call(None, method, path), 401, "token_required")
    for who in ("ana", "leo", "outsider"):
        before = denials(api)
        refused(api.call(who, method, path), 403, "not_allowed")
        assert denials(api) == before + 1
    for who in ("aud", "adm"):
        answer = api.call(who, method, path)
        if method == "POST":
            assert answer.status_code == 202
            assert api.services.audits.work()
        elif NOBODY in path:
            refused(answer, 404, "unknown_audit")
        else:
            assert answer.status_code == 200
    assert_clean(api.services)


def test_audit_is_made_in_the_background_kept_and_finds_a_flipped_byte(api: Api) -> None:
    item = api.deposit(b"data")["item"]
    api.work()
    clean = made(api)
    assert clean["ok"], clean["findings"]
    assert clean["checked"]["blobs hashed"] == 1
    assert clean["resumed"] is False
    blob = stored(api, item["sha256"])
    blob.chmod(0o600)
    blob.write_bytes(b"dada")
    for body in ({}, {"all_digests": True}, {"sample": 1}):
        broken = made(api, body)
        assert broken["ok"] is False
        (finding,) = broken["findings"]
        assert finding["code"] == "blob_altered"
        assert item["sha256"] in finding["subject"]
        assert item["id"] in finding["subject"]
        assert ("sha512" in finding["detail"]) == bool(body.get("all_digests"))
    listed = api.get("adm", "/audits?limit=2").json()
    assert [line["ok"] for line in listed["audits"]] == [False, False]
    rest = api.get("adm", f"/audits?limit=2&cursor={listed['cursor']}").json()
    assert [(line["ok"], line["state"]) for line in rest["audits"]] == [(False, "done"), (True, "done")]
    assert rest["cursor"] is None


def test_bad_orders_are_refused(lite: Api) -> None:
    refused(lite.get("aud", "/audits/none"), 404, "unknown_audit")
    refused(lite.get("aud", "/audits?cursor=none"), 422, "bad_cursor")
    for sample in (0, 2**53, 10**22):
        refused(lite.post("aud", "/audits", json={"sample": sample}), 422, "invalid_request")
    refused(lite.post("aud", "/audits", json={"colour": 1}), 422, "invalid_request")
    refused(lite.post("aud", "/audits", json={"checkpoint": "no checkpoint"}), 422, "bad_checkpoint")
    assert lite.get("aud", "/audits").json() == {"audits": [], "cursor": None}


def test_one_audit_at_a_time(api: Api) -> None:
    asked = api.post("aud", "/audits").json()
    refused(api.post("adm", "/audits"), 409, "audit_running")
    for path in ("report.json", "report.p7s"):
        refused(api.get("aud", f"/audits/{asked['id']}/{path}"), 404, "unknown_audit")
    (line,) = api.get("aud", "/audits").json()["audits"]
    assert (line["id"], line["state"], line["ok"]) == (asked["id"], "waiting", None)
    assert api.services.audits.work() is True
    assert api.services.audits.work() is False
    assert api.post("adm", "/audits").status_code == 202


@contextmanager
def held_at_the_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """(reached, go on): hashing waits."""
    reached, go_on = threading.Event(), threading.Event()
    original = LocalBlobStore.open

    def waiting(store: LocalBlobStore, sha256: str) -> BinaryIO:
        reached.set()
        assert go_on.wait(60)
        return original(store, sha256)

    monkeypatch.setattr(LocalBlobStore, "open", waiting)
    yield reached, go_on
    go_on.set()


def test_who_asks_is_told_how_far_it_is_and_a_server_that_ends_leaves_it_to_the_next(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.deposit(b"one")
    api.deposit(b"two")
    api.work()
    asked = api.post("aud", "/audits").json()["id"]
    monkeypatch.setattr("app.audit.meter.KEEP_SECONDS", 0.0)
    stop = threading.Event()
    with held_at_the_files(monkeypatch) as (reached, go_on), ThreadPoolExecutor(1) as pool:
        at_work = pool.submit(api.services.audits.work, stop)
        assert reached.wait(60)
        running = api.get("aud", f"/audits/{asked}").json()
        while running["progress"] is None or running["progress"]["stage"] != "files":
            running = api.get("aud", f"/audits/{asked}").json()
        assert running["state"] == "running"
        assert running["ok"] is None
        assert (running["progress"]["done"], running["progress"]["total"]) == (0, 2)
        assert running["progress"]["bytes_total"] == len(b"onetwo")
        refused(api.post("adm", "/audits"), 409, "audit_running")
        stop.set()
        go_on.set()
        assert at_work.result(60) is True
    assert api.get("aud", f"/audits/{asked}").json()["state"] == "interrupted"
    assert api.services.audits.work() is True
    done = api.get("aud", f"/audits/{asked}").json()
    assert (done["state"], done["ok"]) == ("done", True)
    assert_clean(api.services)


def test_report_is_signed_logged_and_verified_by_openssl(api: Api, tmp_path: Path) -> None:
    api.deposit(b"data")
    api.work()
    document = made(api)
    assert document["signed"] is True
    answers = {name: api.get("aud", f"/audits/{document['id']}/report.{name}") for name in ("json", "p7s")}
    record = answers["json"].content
    assert parse_canonical(record) == {
        name: value for name, value in document.items() if name not in {"id", "state", "signed", "progress", "failure"}
    }
    event = events_of(api.services, f"archive:{api.services.archive.identity.id}")[-1]
    assert event.type == "fixity check"
    assert event.actor.name == "aud"
    for name, role in (("json", "audit report"), ("p7s", "audit report signature")):
        path = api.services.archive.settings.audits / f"{document['id']}.{name}"
        assert path.read_bytes() == answers[name].content
        found = digest_stream([path.read_bytes()])
        named = {"role": role, "sha256": found.sha256, "sha512": found.sha512, "size": path.stat().st_size}
        assert named in list(event.details["outputs"])  # type: ignore[arg-type]
    for name, answer in answers.items():
        (tmp_path / f"report.{name}").write_bytes(answer.content)
    authority = api.services.archive.settings.keys / "ca.crt"
    command = [require("openssl"), "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", "report.p7s"]
    command += ["-content", "report.json", "-CAfile", str(authority), "-out", "out"]
    judged = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert judged.returncode == 0, judged.stderr
    (tmp_path / "report.json").write_bytes(record.replace(b'"ok":true', b'"ok":false', 1))
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_report_fits_its_published_schema(lite: Api) -> None:
    document = made(lite)
    record = lite.get("aud", f"/audits/{document['id']}/report.json").json()
    schema = json.loads((FOLDER / "audit_report.json").read_text("utf-8"))
    assert set(record) == set(schema["properties"])
    assert set(record) - {"v", "type"} == set(schema["required"])
    assert AuditReport.model_validate(record).model_dump(mode="json") == record


def test_report_is_handed_out_with_its_time_stamp_once_that_is_there(lite: Api, tmp_path: Path) -> None:
    from evidence_store.seal import seal_tokens, without_tokens

    services = lite.services
    with LocalTsa(tmp_path / "tsa", authority()) as tsa:
        actor = services.access.local_operator().actor
        services.timestamps.add(actor, "first", tsa.url, tsa.authority.roots_pem)
        document = made(lite)
        path = f"/audits/{document['id']}/report.p7s"
        plain = lite.get("aud", path).content
        assert seal_tokens(plain) == ()
        services.timestamps.work()
        stamped = lite.get("aud", path).content
    assert len(seal_tokens(stamped)) == 1
    assert without_tokens(stamped) == plain
    assert_clean(services)


def test_seal_that_is_gone_is_not_found_and_told_by_the_next_audit(lite: Api) -> None:
    first = made(lite)
    folder = lite.services.archive.settings.audits
    (folder / f"{first['id']}.p7s").unlink()
    refused(lite.get("aud", f"/audits/{first['id']}/report.p7s"), 404, "audit_unsigned")
    assert lite.get("aud", f"/audits/{first['id']}").json()["signed"] is False
    report = folder / f"{first['id']}.json"
    report.write_bytes(report.read_bytes() + b" ")
    second = made(lite)
    assert {(f["code"], f["severity"]) for f in second["findings"]} == {
        ("audit_report_absent", "warning"),
        ("audit_report_altered", "error"),
    }


def test_server_audits_by_itself_when_the_last_one_is_too_old(lite: Api) -> None:
    services = lite.services
    assert services.audits.work() is False
    object.__setattr__(services.archive, "settings", replace(services.archive.settings, audit_hours=24))
    assert services.audits.work() is True
    (line,) = lite.get("aud", "/audits").json()["audits"]
    assert (line["state"], line["ok"], line["requested_by"]) == ("done", True, "system")
    assert services.audits.work() is False
    tomorrow = datetime.now(UTC) + timedelta(hours=25)
    object.__setattr__(services.archive, "clock", lambda: tomorrow)
    assert services.audits.work() is True
    with services.archive.db.read() as session:
        assert len(session.exec(select(AuditRow)).all()) == 2


def test_audit_whose_order_was_spoilt_is_given_up_and_keeps_nobody_waiting(api: Api) -> None:
    from app.audit.models import AuditRunRow

    asked = api.post("aud", "/audits").json()["id"]
    with api.services.archive.db.write() as session:
        session.get_one(AuditRunRow, asked).options = "[]"
    assert api.services.audits.work() is False
    line = api.get("aud", f"/audits/{asked}").json()
    assert (line["state"], line["ok"]) == ("failed", None)
    assert line["failure"]
    assert made(api)["ok"]
