"""Filed hashes are found as a scan of all would find them, and strangers are told apart before the dear comparison."""

from __future__ import annotations

import subprocess
import sys
from copy import copy as shallow
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.matching import bands, multi_index
from app.matching.bands import BandedHashIndex
from app.matching.compare import compare
from app.matching.errors import FingerprintError
from app.matching.format import Fingerprint, plain_hashes
from app.matching.hash_rows import portions
from app.matching.index import hamming
from app.matching.known import POINTS_ALIKE
from app.matching.multi_index import MultiIndex
from app.matching.photo import fingerprint_photo
from app.matching.points_alike import points_alike
from app.matching.probes import KEY_PLACES, LOW_SIDE, blindly
from app.matching.recipe import PHOTO_HASHES_END
from app.matching.shelves import PHOTO_RADIUS
from tests.matching_media import PHOTO_EDITS, scene, write_photo

STRANGERS = 2_000
KEY_OF_FIRST = {divmod(int(place), LOW_SIDE) for place in KEY_PLACES[0]}
FROM_AFAR = {"cropped to 50 %", "mirrored and cropped", "captioned and cropped"}  # found by points, not by hash


def as_words(*rows: bytes) -> NDArray[np.uint64]:
    return np.frombuffer(b"".join(rows), np.uint64).reshape(-1, 4)


def plain(made: Fingerprint) -> list[bytes]:
    return [row.value for row in made.hashes if row.dihedral == 0]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Fingerprint:
    return fingerprint_photo(write_photo(tmp_path_factory.mktemp("bands") / "a.jpg", scene(7)))


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fingerprint]:
    path, picture = tmp_path_factory.mktemp("bands") / "b.jpg", scene(7)
    return {name: fingerprint_photo(write_photo(path, edit(picture), 75)) for name, edit in PHOTO_EDITS.items()}


@pytest.mark.parametrize("unfiled", [0, 10**9])
def test_copies_are_found_among_thousands_and_their_distance_is_that_of_a_full_scan(
    original: Fingerprint, copies: dict[str, Fingerprint], unfiled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bands, "UNFILED", unfiled)
    rng = np.random.default_rng(3)
    index = BandedHashIndex()
    for number in range(STRANGERS):
        index.add(number, as_words(*(rng.bytes(32) for _ in range(22))))
    index.add(STRANGERS, as_words(*plain(original)))
    ours = np.frombuffer(b"".join(plain(original)), np.uint64).reshape(-1, 4)
    for name, copy in copies.items():
        found = index.nearest([row.value for row in copy.hashes], PHOTO_RADIUS)
        theirs = np.frombuffer(b"".join(row.value for row in copy.hashes), np.uint64).reshape(-1, 4)
        least = int(hamming(theirs, ours).min())
        if name not in FROM_AFAR:
            assert found[STRANGERS] == least, name
        assert found.get(STRANGERS, least) >= least, name
        assert all(distance <= PHOTO_RADIUS for distance in found.values())


def test_what_is_added_after_filing_is_found_too(original: Fingerprint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "UNFILED", 30)
    index = BandedHashIndex()
    for number in range(40):
        index.add(number, as_words(bytes([number]) * 32))
    assert index.nearest([b"\x05" * 32], 0) == {5: 0}
    index.add(40, as_words(*plain(original)))
    assert index.nearest(plain(original), 0) == {40: 0}
    assert index.nearest([b"\x27" * 32], 0) == {39: 0}
    assert len(index) == 40 + len(plain(original))


@pytest.mark.parametrize("seed", range(4))
def test_what_is_filed_part_by_part_is_found_as_if_filed_at_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "UNFILED", 50)
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**63, (40, 4)).astype(np.uint64)

    def near(centre: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
        made = np.unpackbits(centre.view(np.uint8))
        made[rng.choice(256, bits, replace=False)] ^= 1
        return np.packbits(made).view(np.uint64)

    rows = np.stack([near(centres[rng.integers(40)], int(rng.integers(0, 80))) for _ in range(4_000)])
    by_parts, at_once, at, most = BandedHashIndex(), BandedHashIndex(), 0, 0
    while at < len(rows):
        step = int(rng.integers(1, 120))
        by_parts.add(at + np.arange(len(rows[at : at + step])), rows[at : at + step])
        by_parts.file_when_due()
        at += step
        most = max(most, len(by_parts._filed))
    at_once.add(np.arange(len(rows)), rows)
    monkeypatch.setattr(bands, "UNFILED", 0)
    by_parts.file_when_due()
    at_once.file_when_due()
    assert len(at_once._filed) == 1 < most
    asked = [near(centre, int(rng.integers(0, 60))).tobytes() for centre in centres]
    for radius in (0, 50, 90):
        found = by_parts.nearest(asked, radius)
        assert found == at_once.nearest(asked, radius)
    assert len(found) > 1_000


def test_a_copy_of_an_index_goes_on_seeing_what_was_there(
    original: Fingerprint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers search beside each other, and beside the one that adds what is new and files all again."""
    monkeypatch.setattr(bands, "UNFILED", 0)
    monkeypatch.setattr(multi_index, "UNFILED", 0)
    rng = np.random.default_rng(9)
    banded, whole = BandedHashIndex(), MultiIndex()

    def add(first: int, last: int) -> None:
        for number in range(first, last):
            rows = as_words(*(rng.bytes(32) for _ in range(7)))
            banded.add(number, rows)
            whole.add_words(str(number), rows)

    add(0, 300)
    banded.add(300, as_words(*plain(original)))
    whole.add_words("300", as_words(*plain(original)))
    banded.file_when_due()
    whole.file_when_due()
    seen, seen_whole = shallow(banded), shallow(whole)
    near, same = seen.nearest(plain(original), PHOTO_RADIUS), seen_whole.search(plain(original)[0], 31)
    assert near[300] == 0
    assert same[0] == ("300", 0, 0)
    add(301, 900)  # more than there is room for: the arrays are made anew as well
    banded.add(900, as_words(*plain(original)))
    whole.add_words("900", as_words(*plain(original)))
    banded.file_when_due()
    whole.file_when_due()
    assert seen.nearest(plain(original), PHOTO_RADIUS) == near
    assert seen_whole.search(plain(original)[0], 31) == same
    assert {300, 900} <= set(banded.nearest(plain(original), 0))
    assert {"300", "900"} <= {hit[0] for hit in whole.search(plain(original)[0], 31)}


def test_photos_that_are_all_alike_are_compared_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "UNFILED", 0)
    rng = np.random.default_rng(12)
    row, other = rng.bytes(32), rng.bytes(32)
    index = BandedHashIndex()
    for number in range(500):
        index.add(number, as_words(row if number < 400 else other))
    index.file_when_due()
    whole = index.nearest([row, other], PHOTO_RADIUS)
    assert whole == dict.fromkeys(range(500), 0)
    monkeypatch.setattr(bands, "LOOKED_AT", 90)
    taken = [portion.stop - portion.start for portion in portions(np.array([400, 80, 9, 2, 400, 0, 95, 0, 1]), 90)]
    assert taken == [1, 2, 1, 1, 1, 1, 2]
    assert index.nearest([row, other] * 200, PHOTO_RADIUS) == whole
    assert index.nearest([row, other], PHOTO_RADIUS, blindly(2)) == whole


def test_rows_whose_steadiest_bits_differ_in_46_are_compared_and_in_more_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bands, "UNFILED", 0)
    places = [16 * u + v for u, v in bands._STEADIEST if (u, v) not in KEY_OF_FIRST]
    value = np.unpackbits(np.frombuffer(np.random.default_rng(13).bytes(32), np.uint8))
    index = BandedHashIndex()
    for number, count in enumerate((0, 46, 47)):
        differing = value.copy()
        differing[places[:count]] ^= 1
        index.add(number, as_words(np.packbits(differing).tobytes()))
    index.file_when_due()
    assert index.nearest([np.packbits(value).tobytes()], PHOTO_RADIUS) == {0: 0, 1: 46}


def test_nothing_is_near_to_nothing(original: Fingerprint) -> None:
    index = BandedHashIndex()
    assert index.nearest(plain(original), 256) == {}
    index.add(0, as_words())
    index.add(1, as_words(*plain(original)))
    assert index.nearest([], 256) == {}


def test_every_copy_passes_the_cheap_question_and_a_stranger_does_not(
    original: Fingerprint, copies: dict[str, Fingerprint], tmp_path: Path
) -> None:
    for name, copy in copies.items():
        for left, right in ((copy, original), (original, copy)):
            verdict = compare(left, right)
            assert verdict is not None, name
            alike = points_alike(left.views[0], right.views[:1])[0]
            ways = tuple(mirrored for mirrored in (False, True) if alike[int(mirrored)] >= POINTS_ALIKE)
            assert compare(left, right, mirrored=ways) == verdict, name
    # Roofs share corners with roofs; open ground does not.
    ground = cv2.resize(np.random.default_rng(8).normal(120, 45, (90, 120)), (960, 720), interpolation=cv2.INTER_CUBIC)
    stranger = fingerprint_photo(write_photo(tmp_path / "c.jpg", np.clip(ground, 0, 255).astype(np.uint8)))
    assert points_alike(stranger.views[0], original.views).max() < POINTS_ALIKE


def test_the_beginning_of_a_fingerprint_tells_its_hashes(original: Fingerprint) -> None:
    whole = original.to_bytes()
    assert len(whole) > PHOTO_HASHES_END
    words, crops, whose = plain_hashes([whole[:PHOTO_HASHES_END]] * 2)
    mine = [row for row in original.hashes if row.dihedral == 0]
    assert words.tobytes() == 2 * b"".join(row.value for row in mine)
    assert crops.tolist() == 2 * [row.role == "crop" for row in mine]
    assert whose.tolist() == [0] * len(mine) + [1] * len(mine)
    assert all(len(part) == 0 for part in plain_hashes([]))
    assert 0 < crops.sum() < len(words) < 2 * len(original.hashes)
    for length in (0, 4, 5, 20, 60, 400):
        with pytest.raises(FingerprintError, match="end"):
            plain_hashes([whole[:PHOTO_HASHES_END], whole[:length]])
    with pytest.raises(FingerprintError):
        plain_hashes([b"XXXX" + whole[4:PHOTO_HASHES_END]])
    first = whole.index(original.hashes[0].value) - 15  # role, which way round, window, time, quality: then the hash
    for place, wrong in ((0, 4), (1, 8), (14, 101), (4, 255)):
        with pytest.raises(FingerprintError, match="hash row"):
            plain_hashes([whole[: first + place] + bytes([wrong]) + whole[first + place + 1 :]])


def test_a_child_of_the_sandbox_has_nothing_left_to_load(tmp_path: Path) -> None:
    """A library that is loaded by the child is loaded for every file anew."""
    path = write_photo(tmp_path / "a.jpg", scene(7))
    program = (
        "import importlib, sys\n"
        "from pathlib import Path\n"
        "from app.matching.parsers import PARSERS\n"
        "[importlib.import_module(name) for name in PARSERS]\n"
        "before = set(sys.modules)\n"
        "from app.matching.tasks import fingerprint_task\n"
        "fingerprint_task(Path(sys.argv[1]), 'photo')\n"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('PIL.')))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
