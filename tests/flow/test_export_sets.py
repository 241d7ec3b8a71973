"""Exports over HTTP and from the command line that are sets, that are jobs, that are asked for twice."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from app.audit.checks import Options
from app.export import making
from app.wiring import make_worker
from evidence_store.bundle.sets import part_name
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.sets import verify_set
from tests.apis import Api, refused
from tests.archives import events_of
from tests.checks import assert_clean, audit, errors_of
from tests.commands import Cli
from tests.exports_of_before import exports_as_before

ITEM = "00000000-0000-4000-8000-000000000000"
SMALL = 60 + 15  # files: what all parts share, and one item


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "FILES_PER_PART", SMALL)


def fetched(api: Api, export: dict[str, object], folder: Path) -> Path:
    """A set as somebody fetches it; the path of its list."""
    parts = export["parts"]
    assert isinstance(parts, list)
    for part in parts:
        answer = api.get("leo", part["href"].removeprefix("/api/v1"))
        assert answer.status_code == 200, answer.text
        name = part_name(f"catena-{export['id']}", part["part"], len(parts))
        assert f'filename="{name}"' in answer.headers["content-disposition"]
        assert (hashlib.sha256(answer.content).hexdigest(), len(answer.content)) == (part["sha256"], part["size"])
        (folder / name).write_bytes(answer.content)
    path = folder / "catena-set.json"
    path.write_bytes(api.get("leo", f"/exports/{export['id']}/set").content)
    path.with_name("catena-set.json.p7s").write_bytes(api.get("leo", f"/exports/{export['id']}/set/signature").content)
    return path


def test_sets_of_before_with_sha512_stay_verified_beside_new_ones(lite: Api, small_parts: None, tmp_path: Path) -> None:
    for data in (b"one", b"two"):
        lite.deposit(data)
    with exports_as_before():
        before = lite.post("leo", "/exports", json={"case": "T1"}).json()
    now = lite.post("leo", "/exports", json={"case": "T1"}).json()
    for export, digests in ((before, True), (now, False)):
        folder = tmp_path / export["id"]
        folder.mkdir()
        path = fetched(lite, export, folder)
        assert all(("sha512" in part) == digests for part in json.loads(path.read_bytes())["parts"])
        (made,) = [one for one in events_of(lite.services, f"export:{export['id']}") if "part made" in str(one.details)]
        outputs = made.details["outputs"]
        assert isinstance(outputs, list)
        assert [isinstance(output, dict) and "sha512" in output for output in outputs] == 2 * [digests]
        assert verify_set(path).ok
    everything = lite.services.audits.run(lite.services.access.local_auditor(), options=Options(all_digests=True))
    assert errors_of(everything) == set()


def test_strangers_and_others_get_no_part_and_no_list(lite: Api, small_parts: None) -> None:
    for data in (b"one", b"two"):
        lite.deposit(data)
    export = lite.post("leo", "/exports", json={"case": "T1"}).json()
    for path in ("parts/1", "set", "set/signature"):
        refused(lite.get(None, f"/exports/{export['id']}/{path}"), 401, "token_required")
        refused(lite.get("outlaw", f"/exports/{export['id']}/{path}"), 404, "unknown_export")
        refused(lite.get("leo", f"/exports/{ITEM}/{path}"), 404, "unknown_export")
    for wrong in ("0", "3", "-1"):
        refused(lite.get("leo", f"/exports/{export['id']}/parts/{wrong}"), 404, "unknown_part")
    refused(lite.get("leo", f"/exports/{export['id']}/bundle"), 409, "export_is_a_set")


def test_a_large_export_becomes_parts_that_verify_alone_and_as_a_set(
    api: Api, small_parts: None, tmp_path: Path
) -> None:
    items = [api.deposit(f"data {number}".encode())["item"]["id"] for number in range(3)]
    answer = api.post("leo", "/exports", json={"case": "T1", "purpose": "Request 17"})
    assert answer.status_code == 201, answer.text
    export = answer.json()
    assert (export["state"], export["sha256"], len(export["parts"])) == ("done", None, 3)
    assert export["set"] == f"/api/v1/exports/{export['id']}/set"
    assert export["size"] == sum(part["size"] for part in export["parts"])
    path = fetched(api, export, tmp_path)
    report = verify_set(path)
    assert report.ok, report.as_json()
    assert (report.checked["items"], report.checked["parts"]) == (3, 3)
    for number, item in enumerate(items, start=1):
        alone = verify_bundle(tmp_path / part_name(f"catena-{export['id']}", number, 3))
        assert alone.ok, alone.as_json()
        assert (alone.facts.bundle["part"], alone.facts.bundle["set"]) == (number, export["id"])
        assert api.events(item)[-1]["details"]["export"] == export["id"]
    assert_clean(api.services)


def test_a_part_that_is_gone_is_made_again_and_sent_in_ranges(lite: Api, small_parts: None) -> None:
    for data in (b"one" * 5_000, b"two" * 5_000):
        lite.deposit(data)
    export = lite.post("leo", "/exports", json={"case": "T1"}).json()
    part = export["parts"][1]
    file = lite.services.archive.settings.exports / f"{part['bundle_id']}.zip"
    before = file.read_bytes()
    file.unlink()
    path = part["href"].removeprefix("/api/v1")
    first = lite.get("leo", path, headers={"Range": "bytes=0-9999"})
    rest = lite.get("leo", path, headers={"Range": "bytes=10000-", "If-Range": first.headers["etag"]})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == before
    assert_clean(lite.services)


def test_a_part_that_was_changed_on_disk_is_named_by_the_audit_and_not_handed_out(lite: Api, small_parts: None) -> None:
    for data in (b"one", b"two"):
        lite.deposit(data)
    export = lite.post("leo", "/exports", json={"case": "T1"}).json()
    bundle = export["parts"][1]["bundle_id"]
    file = lite.services.archive.settings.exports / f"{bundle}.zip"
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-1])
    refused(lite.get("leo", f"/exports/{export['id']}/parts/2"), 500, "bundle_damaged")
    assert ("export_altered", f"export {bundle}") in errors_of(audit(lite.services))


def test_an_export_that_is_asked_for_as_a_job_is_made_by_a_worker(api: Api) -> None:
    item = api.deposit(b"data")["item"]["id"]
    headers = {"Prefer": "respond-async, wait=10", "Idempotency-Key": '"k1"'}
    answer = api.post("leo", "/exports", json={"case": "T1"}, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["preference-applied"] == "respond-async"
    export = answer.json()
    assert (export["state"], export["parts"], export["sha256"]) == ("queued", [], None)
    refused(api.get("leo", f"/exports/{export['id']}/bundle"), 409, "export_not_ready")
    assert "dissemination" not in [event["type"] for event in api.events(item)]
    assert api.services.exports.recover() == []
    make_worker(api.services).drain()
    done = api.get("leo", f"/exports/{export['id']}").json()
    assert (done["state"], len(done["parts"])) == ("done", 1)
    assert [e["details"]["export"] for e in api.events(item) if e["type"] == "dissemination"] == [export["id"]]
    outcomes = [event.details["outcome"] for event in events_of(api.services, f"export:{export['id']}")]
    assert outcomes == ["asked for", "begun", "published"]
    again = api.post("leo", "/exports", json={"case": "T1"}, headers=headers)
    assert (again.status_code, again.json()["id"]) == (201, export["id"])
    refused(api.post("leo", "/exports", json={"case": "T1", "purpose": "x"}, headers=headers), 409, "key_reused")
    refused(
        api.post("leo", "/exports", json={"case": "T1"}, headers={"Idempotency-Key": "k" * 101}), 422, "bad_request_key"
    )
    assert_clean(api.services)


def test_who_lost_the_right_meanwhile_gets_no_bundle(lite: Api) -> None:
    lite.deposit(b"data")
    body, headers = {"case": "T1"}, {"Prefer": "respond-async"}
    export = lite.post("leo", "/exports", json=body, headers=headers).json()
    admin = lite.services.access.local_operator()
    lite.services.access.disable_user(admin.actor, "leo")
    make_worker(lite.services).drain()
    shown = lite.get("adm", f"/exports/{export['id']}").json()
    assert (shown["state"], shown["failure_code"]) == ("failed", "user_disabled")
    assert list(lite.services.archive.settings.exports.iterdir()) == []
    assert_clean(lite.services)


def test_a_job_that_fails_is_the_exports_failure_and_is_not_tried_again(lite: Api) -> None:
    sha256 = lite.deposit(b"data")["item"]["sha256"]
    path = lite.services.archive.settings.blobs / "sha256" / sha256[:2] / sha256[2:4] / sha256
    export = lite.post("leo", "/exports", json={"case": "T1"}, headers={"Prefer": "respond-async"}).json()
    path.chmod(0o600)
    path.write_bytes(b"dada")
    make_worker(lite.services).drain()
    shown = lite.get("leo", f"/exports/{export['id']}").json()
    assert (shown["state"], shown["failure_code"]) == ("failed", "fixity_mismatch")
    assert lite.services.jobs.unfinished() == 0
    assert list(lite.services.archive.settings.exports.iterdir()) == []


def test_large_selections_are_jobs_unless_the_client_waits(lite: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.export.rules.LONG_ITEMS", 1)
    for data in (b"one", b"two"):
        lite.deposit(data)
    assert lite.post("leo", "/exports", json={"case": "T1"}).status_code == 202
    assert lite.post("leo", "/exports", json={"case": "T1"}, headers={"Prefer": "wait=60"}).status_code == 201


def test_the_command_writes_parts_and_a_list_that_the_verify_command_takes(
    bare_cli: Cli, tmp_path: Path, small_parts: None
) -> None:
    for number in range(2):
        (tmp_path / f"{number}.bin").write_bytes(b"data %d" % number)
    bare_cli("ingest", tmp_path / "0.bin", tmp_path / "1.bin", "--case", "T1")
    made = bare_cli.json("export", "--case", "T1", "-o", tmp_path / "case.zip")
    names = ["case-001-of-002.zip", "case-002-of-002.zip"]
    assert [Path(part["bundle"]).name for part in made["parts"]] == names
    assert Path(made["set"]).name == "case-set.json"
    there = sorted(path.name for path in tmp_path.glob("case*"))
    assert there == [*names, "case-set.json", "case-set.json.p7s"]
    assert bare_cli.json("verify", made["set"])["ok"]
    bare_cli("export", "--case", "T1", "-o", tmp_path / "case.zip", code=None).refused("output_exists")
    (tmp_path / names[1]).unlink()
    told = json.loads(bare_cli("verify", tmp_path / "case-set.json", "--json", code=1).out)
    assert "set_part_missing" in [one["code"] for one in told["findings"]]
