"""A query is looked up under the keys that a copy is likeliest to have, which its own picture tells."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.matching.bands import _keys_and_steady
from app.matching.format import FeatureSet, Fingerprint, HashRow, View
from app.matching.hash_rows import hamming
from app.matching.hashes import FULL, apply_dihedral
from app.matching.photo import fingerprint_photo
from app.matching.probes import (
    BANDS,
    CROP_PROBES,
    KEY_BITS,
    KEY_PLACES,
    LOW_SIDE,
    MAX_TURNED,
    TURNED_PROBES,
    WHOLE_PROBES,
    Turned,
    blindly,
    likeliest,
)
from app.matching.shelves import PHOTO_RADIUS
from tests.matching_media import PHOTO_EDITS, scene, write_photo

NOTHING = FeatureSet(b"", b"")
SIDE = 64


def view_of(picture: NDArray[np.uint8]) -> View:
    rows, columns = picture.shape
    return View(0, columns, rows, NOTHING, NOTHING, columns, rows, picture.tobytes())


def row(role: str = "whole", dihedral: int = 0, window: tuple[int, int, int, int] = FULL) -> HashRow:
    return HashRow(role, dihedral, window, 0, 50, bytes(32))  # type: ignore[arg-type]


def waves(strengths: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A picture in which the lowest 8 x 8 frequencies are so strong."""
    at = (2 * np.arange(SIDE) + 1) * np.pi / (2 * SIDE)
    basis = np.cos(np.arange(LOW_SIDE)[:, None] * at)
    basis[0] /= np.sqrt(2)  # all are as strong as they say
    return np.clip(np.round(128 + basis.T @ strengths @ basis), 0, 255).astype(np.uint8)


def random_strengths(seed: int) -> NDArray[np.float64]:
    """All different, none alike, so that noise of rounding decides nothing."""
    strengths = np.random.default_rng(seed).permutation(np.linspace(0.02, 2.0, LOW_SIDE**2))
    strengths[0] = 0
    return strengths.reshape(LOW_SIDE, LOW_SIDE)


def probes_of(turned: Turned, number: int) -> NDArray[np.uint16]:
    """(bands, n) of one row."""
    return turned.bits[:, turned.row == number]


def test_keys_are_made_of_the_48_steadiest_bits_and_none_of_them_twice_in_one_key() -> None:
    assert KEY_PLACES.shape == (BANDS, KEY_BITS)
    assert all(len(set(key)) == KEY_BITS for key in KEY_PLACES.tolist())
    used = Counter(KEY_PLACES.ravel().tolist())
    assert len(used) == 48
    assert 0 not in used  # brightness: set in any picture
    assert max(used.values()) == 2
    frequency = {place: sum(divmod(place, LOW_SIDE)) for place in used}
    twice = [frequency[place] for place, count in used.items() if count == 2]
    assert max(twice) <= min(frequency[place] for place, count in used.items() if count == 1)


def test_a_row_is_looked_up_under_its_own_key_first_and_under_none_twice() -> None:
    made = likeliest([row(), row("crop"), row(dihedral=5), row("trimmed")], [view_of(waves(random_strengths(1)))])
    counts = np.bincount(made.row).tolist()
    assert counts == [WHOLE_PROBES, CROP_PROBES, TURNED_PROBES, WHOLE_PROBES]
    for number in range(4):
        for probes in probes_of(made, number):
            assert probes[0] == 0
            assert len(set(probes.tolist())) == len(probes)
            assert int(np.bitwise_count(probes).max()) <= MAX_TURNED


@pytest.mark.parametrize("seed", range(4))
def test_the_faintest_bits_are_turned_over_first(seed: int) -> None:
    strengths = random_strengths(seed)
    made = likeliest([row()], [view_of(waves(strengths))])
    for band, places in enumerate(KEY_PLACES):
        own = strengths.ravel()[places]
        singly = [own[int(bits).bit_length() - 1] for bits in made.bits[band] if np.bitwise_count(bits) == 1]
        assert len(singly) > KEY_BITS // 2
        assert np.allclose(singly, np.sort(own)[: len(singly)], atol=0.1)  # grey levels are rounded
        assert np.all(np.diff(singly) > -0.1)
        both = next(int(bits) for bits in made.bits[band] if np.bitwise_count(bits) == 2)
        assert both == sum(int(bits) for bits in made.bits[band][1:3])


@pytest.mark.parametrize("dihedral", range(8))
def test_a_flipped_or_turned_row_is_looked_up_as_the_flipped_or_turned_picture_is(dihedral: int) -> None:
    picture = waves(random_strengths(11))
    asked = likeliest([row(dihedral=dihedral)], [view_of(picture)])
    itself = likeliest([row()], [view_of(apply_dihedral(picture, dihedral))])
    count = TURNED_PROBES if dihedral else WHOLE_PROBES
    assert np.array_equal(asked.bits, itself.bits[:, :count])


def test_a_crop_is_looked_up_by_what_lies_in_it() -> None:
    left, right = waves(random_strengths(2)), waves(random_strengths(3))
    both = np.hstack([left, right])
    asked = likeliest(
        [row("crop", window=(0, 0, 5000, 10000)), row("crop", window=(5000, 0, 10000, 10000))], [view_of(both)]
    )
    for number, part in enumerate((left, right)):
        alone = likeliest([row("crop")], [view_of(part)])
        same = np.mean(
            [
                len(set(a) & set(b)) / CROP_PROBES
                for a, b in zip(probes_of(asked, number).tolist(), alone.bits.tolist(), strict=True)
            ]
        )
        assert same > 0.8
    assert not np.array_equal(probes_of(asked, 0), probes_of(asked, 1))


def test_the_picture_inside_a_page_is_looked_up_by_itself() -> None:
    page, inside = waves(random_strengths(4)), waves(random_strengths(5))
    made = likeliest([row(), row("content", window=(2000, 2000, 8000, 8000))], [view_of(page), view_of(inside)])
    assert np.array_equal(probes_of(made, 0), likeliest([row()], [view_of(page)]).bits)
    assert np.array_equal(probes_of(made, 1), likeliest([row()], [view_of(inside)]).bits)


def test_without_a_picture_any_two_bits_are_turned_over() -> None:
    for made in (blindly(2), likeliest([row(), row("crop")], [])):
        assert made.row.tolist() == [0] * 137 + [1] * 137
        expected = {0, *(1 << a | 1 << b for a in range(KEY_BITS) for b in range(KEY_BITS))}
        for band in range(BANDS):
            assert set(made.bits[band, :137].tolist()) == expected
    assert len(likeliest([], []).row) == len(likeliest([], [view_of(waves(random_strengths(1)))]).row) == 0


def _reached(query: Fingerprint, held: Fingerprint, turned: Turned) -> bool:
    """Whether a near row of the other has one of the keys that the query is looked up under."""
    ours, theirs = (
        np.frombuffer(b"".join(one.value for one in rows), np.uint64).reshape(-1, 4)
        for rows in (query.hashes, [one for one in held.hashes if one.dihedral == 0])
    )
    near = hamming(ours, theirs)[turned.row] <= PHOTO_RADIUS
    keys, others = _keys_and_steady(ours)[0], _keys_and_steady(theirs)[0]
    return any(
        bool(((keys[band][turned.row] ^ turned.bits[band])[:, None] == others[band])[near].any())
        for band in range(BANDS)
    )


def test_a_third_of_the_keys_reaches_the_copies_that_blind_ones_reach(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    blind = chosen = either = fewer = 0
    for number in range(3):
        original = fingerprint_photo(write_photo(path, scene(20 + number)))
        for edit in PHOTO_EDITS.values():
            copy = fingerprint_photo(write_photo(path, edit(scene(20 + number)), 70))
            for query, held in ((copy, original), (original, copy)):
                probes = likeliest(query.hashes, query.views), blindly(len(query.hashes))
                reached = [_reached(query, held, turned) for turned in probes]
                chosen, blind, either = chosen + reached[0], blind + reached[1], either + any(reached)
                fewer += len(probes[0].row) * 2 < len(probes[1].row)
    assert either > 60
    assert chosen >= blind - 1
    assert fewer == 2 * 3 * len(PHOTO_EDITS)
