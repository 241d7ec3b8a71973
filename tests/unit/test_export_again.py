"""A bundle whose file is gone is made again, byte for byte or not at all; a repeated request makes no second export."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from app.access.service import Principal
from app.api.services import Services
from app.errors import CatenaError, ConflictError, EnvironmentFailedError, InvalidInputError
from app.evidence.models import Case
from app.export import recipe
from app.export.models import ExportPartRow, ExportRow
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.single_file import single_file
from tests.archives import close_archive, deposit, events_of, make_archive, person
from tests.checks import assert_clean

ORIGINAL = bytes(range(256)) * 5_000


@dataclass
class Stage:
    services: Services
    case: Case
    item: str
    lawyer: Principal

    def path(self, row: ExportRow) -> Path:
        return self.services.archive.settings.exports / f"{row.id}.zip"

    def blob(self, data: bytes) -> Path:
        with self.services.archive.blobs.local_path(sha256(data).hexdigest()) as path:
            return path

    def sql(self, statement: str, *values: object) -> None:
        with self.services.archive.db.engine.begin() as connection:
            connection.exec_driver_sql(statement, values)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    services = make_archive(tmp_path)
    admin = services.access.local_operator()
    case = services.evidence.create_case(admin, "T1")
    lawyer = person(services, "lawyer", "legal", case)
    item = deposit(services, admin, case, ORIGINAL, "photo 1.jpg").item.id
    yield Stage(services, case, item, lawyer)
    close_archive(services)


def removed(stage: Stage, row: ExportRow) -> bytes:
    """The bytes of a bundle, whose file is then removed."""
    data = stage.path(row).read_bytes()
    stage.path(row).unlink()
    return data


def test_a_bundle_that_was_pruned_is_made_again_byte_for_byte_although_the_archive_went_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = stage.services.exports.create(stage.lawyer, case_ref="T1", purpose="for the court")
    before = removed(stage, row)
    deposit(stage.services, stage.services.access.local_operator(), stage.case, b"later")
    stage.services.law.create_link(stage.lawyer, stage.item, "ap1-art8", "supports", "crates in the back")
    monkeypatch.setattr("app.export.build.single_file", lambda: b"another version of the verifier")
    opened, path = stage.services.exports.open_bundle(stage.lawyer, row.id)
    assert (opened.sha256, path.read_bytes()) == (sha256(before).hexdigest(), before)
    assert path.stat().st_mode & 0o777 == 0o400
    assert single_file() in before
    assert verify_bundle(path).ok
    told = [event for event in events_of(stage.services, f"export:{row.id}") if event.type == "fixity check"]
    assert [event.details["outcome"] for event in told] == ["made again"]
    assert_clean(stage.services)


def test_the_recipe_holds_no_byte_of_the_originals(stage: Stage) -> None:
    row = stage.services.exports.create(stage.lawyer, case_ref="T1")
    with stage.services.archive.db.read() as session:
        part = session.get_one(ExportPartRow, row.id)
    assert part.recipe is not None
    assert ORIGINAL[:4096] in stage.path(row).read_bytes()
    assert ORIGINAL[:4096] not in zlib.decompress(part.recipe)
    assert len(part.recipe) < len(ORIGINAL)


def test_an_original_that_changed_since_gives_nothing_and_is_recorded(stage: Stage) -> None:
    row = stage.services.exports.create(stage.lawyer, case_ref="T1")
    removed(stage, row)
    blob = stage.blob(ORIGINAL)
    blob.chmod(0o600)
    blob.write_bytes(ORIGINAL[:-1] + b"x")
    with pytest.raises(EnvironmentFailedError) as refused:
        stage.services.exports.open_bundle(stage.lawyer, row.id)
    assert refused.value.code == "rebuild_differs"
    assert list(stage.services.archive.settings.exports.iterdir()) == []
    assert events_of(stage.services, f"export:{row.id}")[-1].details["code"] == "rebuild_differs"
    blob.unlink()
    with pytest.raises(CatenaError) as missing:
        stage.services.exports.open_bundle(stage.lawyer, row.id)
    assert missing.value.code == "blob_missing"
    assert list(stage.services.archive.settings.exports.iterdir()) == []


@pytest.mark.parametrize("column", ["recipe", "sha256"])
def test_a_row_that_somebody_edited_makes_no_bundle(stage: Stage, column: str) -> None:
    row = stage.services.exports.create(stage.lawyer, case_ref="T1")
    removed(stage, row)
    forged = zlib.compress(b'{"segments":[[3]],"v":1}\nabc')
    value = {"recipe": forged, "sha256": sha256(b"abc").hexdigest()}[column]
    stage.sql(f"UPDATE export_part SET {column} = ?", value)  # noqa: S608 - a column's name
    with pytest.raises(EnvironmentFailedError) as refused:
        stage.services.exports.open_bundle(stage.lawyer, row.id)
    assert refused.value.code == "row_altered"
    assert not stage.path(row).exists()


def test_a_bundle_too_large_to_be_kept_twice_says_that_it_is_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "MAX_BYTES", 1_000)
    row = stage.services.exports.create(stage.lawyer, case_ref="T1")
    removed(stage, row)
    with pytest.raises(EnvironmentFailedError) as refused:
        stage.services.exports.open_bundle(stage.lawyer, row.id)
    assert refused.value.code == "bundle_missing"
    assert_clean(stage.services)


def test_a_repeated_request_gives_the_first_export_and_tells_nobody_twice(stage: Stage) -> None:
    exports = stage.services.exports
    first = exports.create(stage.lawyer, case_ref="T1", purpose="p", key="k-1")
    size = len(events_of(stage.services, f"item:{stage.item}"))
    assert exports.create(stage.lawyer, case_ref="T1", purpose="p", key="k-1").id == first.id
    assert exports.request(exports.order(stage.lawyer, case_ref="T1", purpose="p", key="k-1")).id == first.id
    assert len(events_of(stage.services, f"item:{stage.item}")) == size
    for change in ({"purpose": "other"}, {"case_ref": None, "item_ids": [stage.item]}):
        asked = {"case_ref": "T1", "purpose": "p", "key": "k-1", **change}
        with pytest.raises(ConflictError) as refused:
            exports.create(stage.lawyer, **asked)  # type: ignore[arg-type]
        assert refused.value.code == "key_reused"
    other = exports.create(stage.services.access.local_operator(), case_ref="T1", purpose="p", key="k-1")
    assert other.id != first.id
    for key in ("", "k" * 101, "k\n"):
        with pytest.raises(InvalidInputError):
            exports.create(stage.lawyer, case_ref="T1", key=key)
    assert_clean(stage.services)
