"""From a deposited photo to a bundle that a stranger verifies: link, review, export, verify, audit; both databases."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from app.wiring import make_worker
from evidence_store.verify.checks import verify_bundle
from tests.archives import close_archive, deposit, make_archive, person
from tests.checks import assert_clean
from tests.databases import BACKENDS, fresh_database


def photo() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.linear_gradient("L").resize((640, 480)).convert("RGB").save(out, "JPEG")
    return out.getvalue()


@pytest.mark.parametrize("backend", BACKENDS)
def test_exported_case_verifies_offline_and_the_archive_stays_clean(tmp_path: Path, backend: str) -> None:
    url = fresh_database(backend, tmp_path) if backend != "sqlite" else None
    services = make_archive(tmp_path, url)
    admin = services.access.local_operator()
    case = services.evidence.create_case(admin, "T1")
    lawyer = person(services, "lawyer", "legal", case)
    first = deposit(services, admin, case, photo(), "engine.jpg").item.id
    second = deposit(services, admin, case, photo(), "engine (copy).jpg").item.id
    make_worker(services).drain()
    link = services.law.create_link(lawyer, first, "ap1-art62", "supports", "sign", "ap1-art62-e1")
    against = services.law.create_link(admin, first, "ap1-art8", "contradicts", "crates")
    review = services.reviews.review_link(admin, link.id, "reject", "not legible")

    row = services.exports.create(lawyer, case_ref="T1", purpose="Request 12")

    _, path = services.exports.open_bundle(lawyer, row.id)
    report = verify_bundle(path)
    assert report.ok, report.as_json()
    with zipfile.ZipFile(path) as bundle:
        names = set(bundle.namelist())
        matches = json.loads(bundle.read(f"data/matches/{second}.json"))
        manifest = json.loads(bundle.read("manifest.json"))
    assert {f"data/links/{link.id}.json", f"data/links/{against.id}.json", f"data/reviews/{review.id}.json"} <= names
    for item in (first, second):
        assert {f"data/metadata/{item}.json", f"data/previews/{item}.jpg"} <= names
    assert [(entry["item"], entry["verdict"]) for entry in matches["matches"]] == [(first, "identical")]
    assert {entry["media_type"] for entry in manifest["items"]} == {"image/jpeg"}
    assert not any("no metadata record" in claim for claim in manifest["claims"])
    audit = services.audits.run(admin)
    assert audit["ok"], audit["findings"]
    close_archive(services)


def test_a_bundle_tells_nothing_of_items_outside_its_scope_though_the_exporter_may_read_them(tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    admin = services.access.local_operator()
    case, other = services.evidence.create_case(admin, "T1"), services.evidence.create_case(admin, "T2")
    inside = deposit(services, admin, case, photo(), "engine.jpg").item.id
    copy = deposit(services, admin, case, photo(), "engine (copy).jpg").item.id
    outside = deposit(services, admin, other, photo(), "informant.jpg").item.id
    make_worker(services).drain()
    assert {match.item for match in services.matching.matches_of(admin, inside)} == {copy, outside}

    for scope, told in (({"case_ref": "T1"}, [copy]), ({"item_ids": [inside]}, [])):
        row = services.exports.create(admin, **scope)
        with zipfile.ZipFile(services.exports.open_bundle(admin, row.id)[1]) as bundle:
            matches = json.loads(bundle.read(f"data/matches/{inside}.json"))
            texts = [bundle.read(name) for name in bundle.namelist() if not name.startswith("tools/")]
        assert [match["item"] for match in matches["matches"]] == told
        assert matches["among"] == "items of this bundle"
        assert not any(outside.encode() in text for text in texts)
    assert_clean(services)
    close_archive(services)


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        ("UPDATE provision_link SET direction = 'supports'", "row_altered provision_link"),
        ("UPDATE link_review SET decision = 'approve'", "row_altered link_review"),
        ("DELETE FROM link_review", "row_missing link_review"),
        ("UPDATE export SET purpose = 'another'", "row_altered export"),
        ("UPDATE catalogue SET loaded_at = '2020-01-01T00:00:00.000000Z'", "row_altered catalogue"),
    ],
)
def test_audit_names_an_edited_link_review_export_or_catalogue(tmp_path: Path, attack: str, code: str) -> None:
    services = make_archive(tmp_path)
    admin = services.access.local_operator()
    case = services.evidence.create_case(admin, "T1")
    lawyer = person(services, "lawyer", "legal", case)
    item = deposit(services, admin, case, b"a photo").item.id
    link = services.law.create_link(lawyer, item, "ap1-art62", "contradicts", "crates")
    services.reviews.review_link(admin, link.id, "reject", "not legible")
    services.exports.create(lawyer, case_ref="T1")
    with services.archive.db.engine.begin() as connection:
        connection.exec_driver_sql(attack)
    audit = services.audits.run(admin)
    assert not audit["ok"]
    errors = [f"{one['code']} {one['subject']}" for one in audit["findings"] if one["severity"] == "error"]
    assert len(errors) == 1
    assert errors[0].startswith(code)
    close_archive(services)
