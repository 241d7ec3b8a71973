"""Exports over HTTP: the bundle that comes out is the one that the record names, and it verifies."""

from __future__ import annotations

import hashlib
from pathlib import Path

from evidence_store.verify.checks import verify_bundle
from tests.apis import Api, refused

ITEM = "00000000-0000-4000-8000-000000000000"


def test_export_of_a_case_gives_a_bundle_that_verifies_and_is_recorded(api: Api, tmp_path: Path) -> None:
    item = api.deposit(b"data", X_Filename="a.bin")["item"]["id"]
    made = api.post("leo", "/exports", json={"case": "T1", "purpose": "Request 17"})
    assert made.status_code == 201, made.text
    export = made.json()
    assert made.headers["location"] == f"/api/v1/exports/{export['id']}"
    assert (export["state"], export["items"], export["purpose"]) == ("done", [item], "Request 17")
    answer = api.get("leo", f"/exports/{export['id']}/bundle")
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == export["sha256"]
    assert len(answer.content) == export["size"]
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="catena-{export["id"]}.zip"')
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(answer.content)
    report = verify_bundle(bundle)
    assert report.ok, report.as_json()
    last = api.events(item)[-1]
    assert (last["type"], last["details"]["export"]) == ("dissemination", export["id"])
    assert api.get("leo", f"/exports/{export['id']}").json() == export


def test_bundle_is_served_in_ranges_and_not_again_when_known(lite: Api) -> None:
    lite.deposit(b"data")
    export = lite.post("leo", "/exports", json={"case": "T1"}).json()
    path = f"/exports/{export['id']}/bundle"
    whole = lite.get("leo", path).content
    answer = lite.get("leo", path, headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.content) == (206, b"PK\x03\x04")
    assert lite.get("leo", path, headers={"Range": "bytes=-22"}).content == whole[-22:]
    assert lite.get("leo", path, headers={"If-None-Match": f'"{export["sha256"]}"'}).status_code == 304


def test_exports_are_listed_newest_first_page_by_page(lite: Api) -> None:
    item = lite.deposit(b"data")["item"]["id"]
    made = [lite.post("leo", "/exports", json={"items": [item]}).json()["id"] for _ in range(3)]
    first = lite.get("leo", "/exports?limit=2").json()
    rest = lite.get("leo", f"/exports?limit=2&cursor={first['cursor']}").json()
    assert [one["id"] for one in first["exports"] + rest["exports"]] == made[::-1]
    assert rest["cursor"] is None


def test_bad_exports_are_refused_with_a_code(lite: Api) -> None:
    for body, status, code in [
        ({}, 422, "bad_scope"),
        ({"items": []}, 422, "bad_scope"),
        ({"case": "T1", "items": [ITEM]}, 422, "bad_scope"),
        ({"case": "T1"}, 422, "nothing_to_export"),
        ({"case": "T9"}, 404, "unknown_case"),
        ({"case": "\x00"}, 404, "unknown_case"),
        ({"items": [ITEM]}, 404, "unknown_item"),
        ({"items": ["../../etc"]}, 404, "unknown_item"),
        ({"items": "all"}, 422, "invalid_request"),
    ]:
        refused(lite.post("leo", "/exports", json=body), status, code)
    lite.deposit(b"data")
    for purpose, code in (("p" * 2_001, "text_too_long"), ("a\x07b", "bad_text")):
        refused(lite.post("leo", "/exports", json={"case": "T1", "purpose": purpose}), 422, code)


def test_export_of_a_damaged_original_fails_with_a_code_and_no_bundle(lite: Api) -> None:
    sha256 = lite.deposit(b"data")["item"]["sha256"]
    path = lite.services.archive.settings.blobs / "sha256" / sha256[:2] / sha256[2:4] / sha256
    path.chmod(0o600)
    path.write_bytes(b"dada")
    answer = lite.post("leo", "/exports", json={"case": "T1"})
    assert answer.status_code >= 500
    assert answer.json()["code"] == "fixity_mismatch"
    (export,) = lite.get("leo", "/exports").json()["exports"]
    assert (export["state"], export["failure_code"]) == ("failed", "fixity_mismatch")
    refused(lite.get("leo", f"/exports/{export['id']}/bundle"), 409, "export_failed")


def test_bundle_whose_file_is_gone_is_made_again_or_a_coded_error(lite: Api) -> None:
    lite.deposit(b"data")
    export = lite.post("leo", "/exports", json={"case": "T1"}).json()
    file = lite.services.archive.settings.exports / f"{export['id']}.zip"
    before = file.read_bytes()
    file.unlink()
    assert lite.get("leo", f"/exports/{export['id']}/bundle").content == before
    file.unlink()
    with lite.services.archive.db.engine.begin() as connection:  # of before there were recipes
        connection.exec_driver_sql("DELETE FROM export_part")
    refused(lite.get("leo", f"/exports/{export['id']}/bundle"), 503, "bundle_missing")
