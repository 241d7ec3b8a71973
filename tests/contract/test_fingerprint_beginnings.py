"""The hashes and the points of an archive's photos are read alike from SQLite, piece by piece, and from PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from app.api.services import Services
from app.db import Database
from app.errors import EnvironmentFailedError
from app.matching.beginnings import WHOLE, beginnings, beginnings_of
from app.matching.errors import FingerprintError
from app.matching.format import (
    MAX_POINTS,
    PHOTO_POINTS_END,
    FeatureSet,
    Fingerprint,
    photo_points,
    plain_hashes,
)
from app.matching.known import UNKNOWN_DISTANCE, worth_comparing
from app.matching.leads import leads
from app.matching.photo import fingerprint_photo
from app.matching.recipe import ALGORITHM_ID, PHOTO_HASHES_END
from tests import kept_fingerprints
from tests.archives import make_archive
from tests.databases import BACKENDS, fresh_database
from tests.matching_media import crop, scene, write_photo


@pytest.fixture(params=BACKENDS)
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    made = make_archive(tmp_path, fresh_database(request.param, tmp_path))
    yield made
    made.archive.db.close()


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Fingerprint:
    return fingerprint_photo(write_photo(tmp_path_factory.mktemp("photo") / "a.jpg", scene(3)))


# Some are none that the archive would write: their hashes are not asked for here.
kept = partial(kept_fingerprints.kept, hashes=False)


def test_a_damaged_database_is_told_as_such(tmp_path: Path, photo: Fingerprint) -> None:
    """The value's pages are read past SQLAlchemy: the driver's own error must not come through without a code."""
    made = make_archive(tmp_path, None)
    kept(made, 0, photo.to_bytes(), "video")  # of which all is read
    file = Path(str(made.archive.db.engine.url.database))
    with made.archive.db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    made.archive.db.close()
    data, start = bytearray(file.read_bytes()), photo.to_bytes()[:64]
    page = int.from_bytes(data[16:18], "big")  # the database header format, 1.3.2
    value = data.index(start)
    end = (value // page + 1) * page
    here = next(at for at in range(value, end) if data[at : at + 1] != photo.to_bytes()[at - value : at - value + 1])
    data[here : here + 4] = b"\x7f\xff\xff\xff"  # the page that the value goes on in (1.6)
    file.write_bytes(data)
    db = Database(f"sqlite:///{file}")
    with pytest.raises(EnvironmentFailedError) as caught, db.read() as session:
        list(beginnings(session, [0]))
    db.close()
    assert caught.value.code == "database_damaged"


def test_of_photos_the_hashes_are_read_of_recordings_all_and_of_failures_nothing(
    services: Services, photo: Fingerprint
) -> None:
    whole = photo.to_bytes()
    recording = replace(photo, kind="video", views=()).to_bytes()
    assert len(whole) > PHOTO_HASHES_END
    assert len(replace(photo, hashes=(), views=()).to_bytes()) < PHOTO_HASHES_END
    # Not in the order in which they were written, as after a restore.
    long = kept(services, 7, recording * 40, "video")
    first = kept(services, 2, whole, "photo")
    failed = kept(services, 5, None, "photo")
    empty = kept(services, 9, b"", "photo")
    older = kept(services, 4, whole, "photo", "another-recipe/1")
    with services.archive.db.read() as session:
        found = list(beginnings(session, [9, 2, 7, 5, 4, 3]))
        later = list(beginnings(session, [7, 9]))
    assert found == [
        (first, ALGORITHM_ID, "photo", 2, whole[:PHOTO_HASHES_END]),
        (older, "another-recipe/1", "photo", 4, whole[:PHOTO_HASHES_END]),
        (failed, ALGORITHM_ID, "photo", 5, None),
        (long, ALGORITHM_ID, "video", 7, recording * 40),
        (empty, ALGORITHM_ID, "photo", 9, b""),
    ]
    assert later == found[3:]
    assert plain_hashes([found[0][4] or b""])[0].tobytes() == plain_hashes([whole])[0].tobytes()


@pytest.fixture(scope="module")
def page(photo: Fingerprint) -> Fingerprint:
    """One that shows another picture, which is its second view."""
    content = replace(photo.hashes[0], role="content", window=(0, 2000, 10_000, 8000))
    other = replace(photo.views[0], features=photo.views[0].mirrored, mirrored=photo.views[0].features)
    return replace(photo, hashes=(*photo.hashes, content), views=(photo.views[0], other))


def test_a_photo_is_asked_with_the_points_of_all_its_views(
    services: Services, photo: Fingerprint, page: Fingerprint
) -> None:
    one = kept(services, 1, photo.to_bytes(), "photo")
    two = kept(services, 2, page.to_bytes(), "photo")
    blank = kept(services, 3, replace(photo, views=()).to_bytes(), "photo")
    failed = kept(services, 4, None, "photo")
    elsewhere = kept(services, 5, photo.to_bytes(), "photo", "another-recipe/1")
    with services.archive.db.read() as session:
        found = leads(session, ALGORITHM_ID, [one, two, blank, failed, elsewhere, "nobody", "' OR '1'='1"])
        assert leads(session, ALGORITHM_ID, []) == {}
        of_nobody = list(beginnings_of(session, ALGORITHM_ID, [failed, elsewhere]))
    assert of_nobody == []
    assert {lead.kind for lead in found.values()} == {"photo"}
    assert {item: [view.features for view in lead.views] for item, lead in found.items()} == {
        one: [photo.views[0].features],
        two: [view.features for view in page.views],
        blank: [],
    }


def test_no_more_of_a_fingerprint_is_read_than_is_asked_for(services: Services, photo: Fingerprint) -> None:
    whole = photo.to_bytes()
    item = kept(services, 1, whole, "photo")
    with services.archive.db.read() as session:
        for size in (1, PHOTO_HASHES_END, PHOTO_POINTS_END, len(whole) - 1, len(whole), WHOLE):
            read = list(beginnings_of(session, ALGORITHM_ID, [item], size))
            assert read == [(item, whole[:size], len(whole))]
        assert list(beginnings_of(session, ALGORITHM_ID, [item])) == [(item, whole, len(whole))]
    assert len(whole) > 2.5 * PHOTO_POINTS_END


def test_the_points_of_the_largest_photo_lie_in_what_is_read(photo: Fingerprint) -> None:
    most = FeatureSet(b"\0\1\0\1" * MAX_POINTS, bytes(32 * MAX_POINTS))
    largest = replace(
        photo,
        hashes=photo.hashes[:1] * 53,  # more would leave no room for their own bound
        views=(replace(photo.views[0], features=most, mirrored=most),),
    ).to_bytes()
    assert photo_points(largest[:PHOTO_POINTS_END], len(largest)) == most
    with pytest.raises(FingerprintError, match="end"):
        photo_points(largest[: PHOTO_POINTS_END - 1200], len(largest))
    with pytest.raises(FingerprintError):
        photo_points(b"XXXX" + largest[4:PHOTO_POINTS_END], len(largest))


def test_asked_with_its_points_a_candidate_says_what_it_says_in_full(
    services: Services, photo: Fingerprint, page: Fingerprint, tmp_path: Path
) -> None:
    def made(seed: int, share: float, *, mirrored: bool = False) -> Fingerprint:
        picture = crop(scene(seed), share) if share < 1 else scene(seed)
        return fingerprint_photo(write_photo(tmp_path / "b.jpg", picture[:, ::-1] if mirrored else picture))

    held = [photo, page, made(3, 0.5), made(3, 0.6, mirrored=True), made(4, 1), made(5, 1), replace(photo, views=())]
    items = [kept(services, number, one.to_bytes(), "photo") for number, one in enumerate(held)]
    with services.archive.db.read() as session:
        asked = leads(session, ALGORITHM_ID, items)
    said = [worth_comparing(photo, [(asked[item], UNKNOWN_DISTANCE) for item in items])]
    assert said == [worth_comparing(photo, [(one, UNKNOWN_DISTANCE) for one in held])]
    assert [bool(ways) for ways in said[0]] == [True, True, True, True, False, False, False]


@pytest.mark.parametrize("count", [0, 3, 599])
@pytest.mark.parametrize("what", ["views", "points", "mirrored points"])
def test_a_number_that_was_altered_is_an_error_and_no_candidate_without_points(
    services: Services, photo: Fingerprint, what: str, count: int
) -> None:
    """A damaged fingerprint must not read as one that has nothing in common."""
    data = bytearray(photo.to_bytes())
    view = len(replace(photo, views=()).to_bytes())
    points = view + 12
    places = {
        "views": view - 47 * len(photo.hashes) - 2,
        "points": points,
        "mirrored points": points + 2 + 36 * len(photo.views[0].features),
    }
    at = places[what]
    assert data[at : at + 2] == (1 if what == "views" else len(photo.views[0].features)).to_bytes(2, "big")
    data[at : at + 2] = count.to_bytes(2, "big")
    item = kept(services, 1, bytes(data), "photo")
    with services.archive.db.read() as session, pytest.raises(FingerprintError):
        leads(session, ALGORITHM_ID, [item])


@pytest.mark.parametrize("length", [0, 3, 40, 3000, 20_000, 30_000, -1])
def test_what_is_cut_off_is_an_error_and_no_lead(services: Services, photo: Fingerprint, length: int) -> None:
    item = kept(services, 1, photo.to_bytes()[:length], "photo")
    with services.archive.db.read() as session, pytest.raises(FingerprintError, match=r"ends? "):
        leads(session, ALGORITHM_ID, [item])
