"""What a bundle holds of verification: every version and review of what it is about, and nothing of anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_store.verify.checks import verify_bundle
from tests.apis import Api, opened
from tests.checks import assert_clean
from tests.flow.test_api_verifications import entered, incident_in, item_in, sign
from tests.incident_samples import REF
from tests.rich_cases import files_of
from tests.verification_samples import place


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, str, str, str, str]]:
    """Two items, each with a geolocation, the first one's disputed; an incident with one of its own."""
    with opened(tmp_path_factory.mktemp("bundle-verifications"), "sqlite") as api:
        first, second = item_in(api), item_in(api, b"another")
        incident_in(api)
        record = entered(api, "geolocation", place("item", first), ref="GEO-1")["id"]
        sign(api, record, decision="reject", comment="Another street.")
        other = entered(api, "geolocation", place("item", second), ref="GEO-2")["id"]
        entered(api, "geolocation", place("incident", REF), ref="GEO-3")
        yield api, first, second, record, other
        assert_clean(api.services)


def exported(api: Api, folder: Path, **asked: object) -> dict[str, bytes]:
    answer = api.post("leo", "/exports", json=asked)
    assert answer.status_code == 201, answer.text
    data = api.get("leo", f"/exports/{answer.json()['id']}/bundle").content
    (folder / "bundle.zip").write_bytes(data)
    report = verify_bundle(folder / "bundle.zip")
    assert [one for one in report.findings if one.severity == "error"] == []
    return files_of(data)


def test_a_rejected_record_leaves_with_its_rejection(scene: tuple[Api, str, str, str, str], tmp_path: Path) -> None:
    api, first, _, record, other = scene
    files = exported(api, tmp_path, items=[first])
    assert f"data/verifications/{record}.1.json" in files
    reviews = [json.loads(data) for name, data in files.items() if name.startswith("data/verifications/reviews/")]
    assert [(one["verification"], one["decision"]) for one in reviews] == [(record, "reject")]
    assert not any(other.encode() in data for data in files.values())


def test_case_holds_every_record(scene: tuple[Api, str, str, str, str], tmp_path: Path) -> None:
    files = exported(scene[0], tmp_path, case="T1")
    assert len([name for name in files if name.startswith("data/verifications/") and "reviews" not in name]) == 3


def test_record_that_was_cut_out_of_the_database_stops_the_export(scene: tuple[Api, str, str, str, str]) -> None:
    api, first, _, record, _ = scene
    engine = api.services.archive.db.engine
    for table, key in (("verification_review", "verification_id"), ("verification_subject", "verification_id")):
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE kept AS SELECT * FROM {table}")  # noqa: S608
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE {key} = '{record}'")  # noqa: S608 - our own names
        answer = api.post("leo", "/exports", json={"items": [first]})
        with engine.begin() as connection:
            connection.exec_driver_sql(f"INSERT OR IGNORE INTO {table} SELECT * FROM kept")  # noqa: S608
            connection.exec_driver_sql("DROP TABLE kept")
        assert (answer.status_code, answer.json()["code"]) == (500, "record_missing")
