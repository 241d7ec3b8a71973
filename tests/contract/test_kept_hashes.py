"""The hashes that are searched are read from a table of their own, and where a row is missing from the fingerprint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from app.api.services import Services
from app.matching.errors import FingerprintError
from app.matching.format import Fingerprint, plain_hashes
from app.matching.kept_hashes import newer_hashes, packed, unpacked
from app.matching.known import Known
from app.matching.photo import fingerprint_photo
from app.matching.recipe import ALGORITHM_ID
from tests.archives import close_archive, make_archive
from tests.databases import BACKENDS, fresh_database
from tests.kept_fingerprints import kept
from tests.matching_media import crop, scene, write_photo


@pytest.fixture(params=BACKENDS)
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    made = make_archive(tmp_path, fresh_database(request.param, tmp_path))
    yield made
    close_archive(made)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Fingerprint]:
    folder = tmp_path_factory.mktemp("photos")
    pictures = [scene(3), crop(scene(3), 0.8), scene(4)]
    return [fingerprint_photo(write_photo(folder / f"{n}.jpg", picture)) for n, picture in enumerate(pictures)]


def read(services: Services, after: int = -1) -> list[tuple[str, str, int, bytes | None]]:
    with services.archive.db.read() as session:
        return list(newer_hashes(session, ALGORITHM_ID, after))


def edit(services: Services, statement: str) -> None:
    with services.archive.db.engine.begin() as connection:
        assert connection.execute(sa.text(statement)).rowcount >= 1


def test_hashes_are_read_alike_from_the_table_and_where_rows_are_gone(
    services: Services, photos: list[Fingerprint]
) -> None:
    whole, recording = photos[0].to_bytes(), replace(photos[0], kind="video", views=()).to_bytes()
    late = kept(services, 70, whole)  # not in the order in which they were written
    first = kept(services, 2, whole)
    other = kept(services, 4, recording, "video")
    failed = kept(services, 5, None)
    kept(services, 6, whole, algorithm="another-recipe/1")
    blank = kept(services, 7, replace(photos[0], hashes=(), views=()).to_bytes())
    hashes = packed(whole, "photo")
    expected = [
        (first, "photo", 2, hashes),
        (other, "video", 4, hashes),
        (failed, "photo", 5, None),
        (blank, "photo", 7, b""),
        (late, "photo", 70, hashes),
    ]
    assert read(services) == expected
    assert read(services, after=5) == expected[3:]
    assert read(services, after=70) == []
    for gone in ("leaf_index = 4", "leaf_index IN (2, 5, 6)", "leaf_index > 5"):
        edit(services, f"DELETE FROM fingerprint_hashes WHERE {gone}")  # noqa: S608
        assert read(services) == expected
        assert read(services, after=5) == expected[3:]


def test_more_than_one_batch_is_read_in_order(services: Services, photos: list[Fingerprint]) -> None:
    items = [kept(services, number, photos[0].to_bytes()) for number in range(70)]
    edit(services, "DELETE FROM fingerprint_hashes WHERE leaf_index % 3 = 0 AND leaf_index < 40")
    assert [item for item, *_ in read(services)] == items


def test_taken_together_they_are_what_the_fingerprints_say(photos: list[Fingerprint]) -> None:
    blank = replace(photos[0], hashes=(), views=())
    data = [one.to_bytes() for one in (blank, *photos, blank, photos[1])]
    for ours, theirs in zip(unpacked([packed(one, "photo") for one in data]), plain_hashes(data), strict=True):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)
    assert [len(part) for part in unpacked([])] == [0, 0, 0]


@pytest.mark.parametrize("spoilt", [b"\0", b"\0" * 32, b"\0" * 34, b"\0" * 32 + b"\2", b"\0" * 65])
def test_kept_hashes_of_another_form_are_an_error(photos: list[Fingerprint], spoilt: bytes) -> None:
    good = packed(photos[0].to_bytes(), "photo")
    for parts in ([spoilt], [good, spoilt], [spoilt, good]):
        with pytest.raises(FingerprintError, match="kept hashes"):
            unpacked(parts)


def test_a_fingerprint_that_cannot_be_read_is_not_kept_and_stops_the_search(
    services: Services, photos: list[Fingerprint]
) -> None:
    with pytest.raises(FingerprintError):
        kept(services, 1, photos[0].to_bytes()[:300])
    assert read(services) == []
    kept(services, 2, photos[0].to_bytes())
    edit(services, "UPDATE fingerprint SET data = NULL")
    assert [hashes for *_, hashes in read(services)] == [packed(photos[0].to_bytes(), "photo")]
    edit(services, "DELETE FROM fingerprint_hashes")
    assert [hashes for *_, hashes in read(services)] == [None]


def test_two_fingerprints_that_claim_one_event_are_both_found(services: Services, photos: list[Fingerprint]) -> None:
    """As in an archive that was damaged: neither may hide the other."""
    items = [kept(services, number, photos[0].to_bytes()) for number in range(1, 40)]
    edit(services, "UPDATE fingerprint SET leaf_index = 31 WHERE leaf_index IN (30, 32)")
    assert sorted(item for item, *_ in read(services)) == sorted(items)
    edit(services, "DELETE FROM fingerprint_hashes")
    assert sorted(item for item, *_ in read(services)) == sorted(items)


def test_a_row_that_claims_an_event_before_its_fingerprint_comes_is_replaced(
    services: Services, photos: list[Fingerprint]
) -> None:
    first = kept(services, 1, photos[0].to_bytes())
    edit(services, "UPDATE fingerprint_hashes SET leaf_index = 2, data = NULL")
    second = kept(services, 2, photos[1].to_bytes())
    assert read(services) == [
        (first, "photo", 1, packed(photos[0].to_bytes(), "photo")),
        (second, "photo", 2, packed(photos[1].to_bytes(), "photo")),
    ]


@pytest.mark.parametrize("spoilt", ["'abc'", "5", "x'00'", "zeroblob(32)"])
def test_kept_hashes_of_another_form_are_read_of_the_fingerprint(
    tmp_path: Path, photos: list[Fingerprint], spoilt: str
) -> None:
    made = make_archive(tmp_path, None)
    items = [kept(made, number, photos[0].to_bytes()) for number in range(3)]
    edit(made, f"UPDATE fingerprint_hashes SET data = {spoilt} WHERE leaf_index = 1")  # noqa: S608
    hashes = packed(photos[0].to_bytes(), "photo")
    assert read(made) == [(item, "photo", leaf, hashes) for leaf, item in enumerate(items)]
    close_archive(made)


def test_a_copy_is_found_by_kept_hashes_and_without_them(services: Services, photos: list[Fingerprint]) -> None:
    original, _, stranger = (kept(services, number, one.to_bytes()) for number, one in enumerate(photos))
    del stranger
    found = [one.item for one in Known(services.archive.db, ALGORITHM_ID).search(photos[1], without=set())]
    assert original in found
    edit(services, "DELETE FROM fingerprint_hashes WHERE leaf_index = 0")
    assert [one.item for one in Known(services.archive.db, ALGORITHM_ID).search(photos[1], without=set())] == found


def test_the_first_reading_looks_at_no_fingerprint(tmp_path: Path) -> None:
    """They lie all over the file: whatever is asked of their own rows costs as much as reading them."""
    archive = make_archive(tmp_path, None)
    from app.matching.kept_hashes import _NEWER

    asked = _NEWER.compile(archive.archive.db.engine, compile_kwargs={"render_postcompile": True})
    with archive.archive.db.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", (0, "x")).all()
    steps = [str(step[-1]) for step in plan]
    assert not any("TEMP B-TREE" in step for step in steps)
    (made,) = [step for step in steps if "fingerprint " in step or step.endswith("fingerprint")]
    assert "COVERING INDEX ix_fingerprint_leaf_index" in made
    assert any("fingerprint_hashes USING INTEGER PRIMARY KEY" in step for step in steps), steps
    close_archive(archive)
