"""A query is looked up under the keys that a copy is likeliest to have, which its own picture tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from app.matching import bands, multi_index
from app.matching.bands import _keys_and_steady
from app.matching.format import FeatureSet, Fingerprint, HashRow, View
from app.matching.hash_rows import hamming
from app.matching.hashes import FULL, apply_dihedral
from app.matching.multi_index import EXACT_RADIUS
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
    _strengths,
    blindly,
    likeliest,
)
from app.matching.shelves import PHOTO_RADIUS, Photos
from tests.matching_media import PHOTO_EDITS, crop, scene, write_photo

NOTHING = FeatureSet(b"", b"")
SIDE = 64
Picture = NDArray[np.uint8]
Edit = Callable[[Picture], Picture]


def view_of(picture: NDArray[np.uint8]) -> View:
    rows, columns = picture.shape
    return View(0, columns, rows, NOTHING, NOTHING, columns, rows, picture.tobytes())


def row(
    role: str = "whole", dihedral: int = 0, window: tuple[int, int, int, int] = FULL, value: bytes = bytes(32)
) -> HashRow:
    return HashRow(role, dihedral, window, 0, 50, value)  # type: ignore[arg-type]


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


def test_keys_are_made_of_the_steadiest_bits_and_none_of_them_twice_in_one_key() -> None:
    assert KEY_PLACES.shape == (BANDS, KEY_BITS)
    assert all(len(set(key)) == KEY_BITS for key in KEY_PLACES.tolist())
    used = Counter(KEY_PLACES.ravel().tolist())
    assert set(used) == set(range(1, LOW_SIDE**2))  # all but brightness, which is set in any picture
    assert max(used.values()) == 2
    frequency = {place: sum(divmod(place, LOW_SIDE)) for place in used}
    twice = [frequency[place] for place, count in used.items() if count == 2]
    assert max(twice) <= min(frequency[place] for place, count in used.items() if count == 1)


def test_keys_and_steadiest_bits_are_those_of_the_hash() -> None:
    rows = np.random.default_rng(6).bytes(32 * 50)
    bits = np.unpackbits(np.frombuffer(rows, np.uint8).reshape(-1, 32), axis=1).reshape(-1, 16, 16)
    keys, steady = _keys_and_steady(np.frombuffer(rows, np.uint64).reshape(-1, 4))
    low = bits[:, :LOW_SIDE, :LOW_SIDE].reshape(len(bits), -1)
    for band, places in enumerate(KEY_PLACES):
        assert np.array_equal(keys[band], low[:, places] @ (1 << np.arange(KEY_BITS)))
    assert np.array_equal(np.bitwise_count(steady[:, 0]), low.sum(axis=1))
    order = sorted((sum(place), place) for place in np.ndindex(16, 16) if max(place) >= LOW_SIDE)[:64]
    assert np.array_equal(np.bitwise_count(steady[:, 1]), sum(bits[:, u, v] for _, (u, v) in order))


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
    count = min(asked.bits.shape[1], itself.bits.shape[1])
    assert np.array_equal(asked.bits[:, :count], itself.bits[:, :count])


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


def _turned_over(value: bytes, places: Iterable[int]) -> bytes:
    """The hash with bits of its lowest 8 x 8 frequencies turned over."""
    bits = np.unpackbits(np.frombuffer(value, np.uint8))
    for place in places:
        bits[16 * (place // LOW_SIDE) + place % LOW_SIDE] ^= 1
    return np.packbits(bits).tobytes()


def _hidden(query: View, value: bytes, band: int, bits: int) -> bytes:
    """A hash that differs in these bits of one key, and in the surest of all others, so that no other is looked up."""
    strengths = _strengths([row()], [query])[0]
    own = KEY_PLACES[band].tolist()
    differing = {own[bit] for bit in range(KEY_BITS) if bits >> bit & 1}
    for other in range(BANDS):
        if other != band:
            differing |= set(sorted(set(KEY_PLACES[other].tolist()) - set(own), key=lambda at: -strengths[at])[:6])
    return _turned_over(value, differing)


@pytest.fixture
def filed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as they are there, hashes are found by their keys alone."""
    monkeypatch.setattr(bands, "UNFILED", 0)
    monkeypatch.setattr(multi_index, "UNFILED", 0)


def photo(view: View, *rows: HashRow) -> Fingerprint:
    return Fingerprint("photo", SIDE, SIDE, 0, 1, rows, (view,))


def held(*values: bytes) -> Photos:
    made = Photos()
    words = np.frombuffer(b"".join(values), np.uint64).reshape(-1, 4)
    made.add([str(number) for number in range(len(values))], words, np.ones(len(values), bool), np.arange(len(values)))
    return made.view()


@pytest.mark.usefixtures("filed")
@pytest.mark.parametrize("band", range(BANDS))
def test_a_hash_whose_faintest_bits_of_one_key_differ_is_found_and_one_whose_surest_do_is_not(band: int) -> None:
    view, value = view_of(waves(random_strengths(7))), np.random.default_rng(7).bytes(32)
    probes = likeliest([row()], [view]).bits[band].tolist()
    asked = probes[1], probes[len(probes) // 2], probes[-1]
    surest = sum(1 << int(bit) for bit in np.argsort(-_strengths([row()], [view])[0][KEY_PLACES[band]])[:2])
    assert surest not in probes
    shelf = held(*(_hidden(view, value, band, bits) for bits in (*asked, surest)))
    assert sorted(shelf.nearest(photo(view, row(value=value)))) == ["0", "1", "2"]
    blindly_asked = Fingerprint("photo", SIDE, SIDE, 0, 1, (row(value=value),), ())
    assert "3" in shelf.nearest(blindly_asked)


@pytest.mark.usefixtures("filed")
def test_frames_of_a_recording_are_looked_up_blindly() -> None:
    view, value = view_of(waves(random_strengths(8))), np.random.default_rng(8).bytes(32)
    surest = sum(1 << int(bit) for bit in np.argsort(-_strengths([row()], [view])[0][KEY_PLACES[0]])[:2])
    shelf = held(_hidden(view, value, 0, surest))
    recording = Fingerprint("video", SIDE, SIDE, 1000, 1, (row(value=value),), (view,))
    assert list(shelf.nearest(recording)) == ["0"]


@pytest.mark.usefixtures("filed")
@pytest.mark.parametrize("role", ["whole", "trimmed", "content"])
def test_what_may_be_the_same_picture_is_found_whichever_bits_differ(role: str) -> None:
    """Up to 31 bits, and no key has to be as one expects it."""
    view, value = view_of(waves(random_strengths(9))), np.random.default_rng(9).bytes(32)
    strengths = _strengths([row()], [view])[0]
    surest = {int(at) for key in KEY_PLACES for at in key[np.argsort(-strengths[key])][:6]}
    assert 20 < len(surest) <= EXACT_RADIUS
    other = Photos()
    words = np.frombuffer(_turned_over(value, surest), np.uint64).reshape(-1, 4)
    other.add(["same"], words, np.zeros(1, bool), np.zeros(1, np.intp))
    asked = photo(view, row(role, value=value))
    assert other.view().nearest(asked) == {"same": len(surest)}
    assert other.view()._index.nearest([value], PHOTO_RADIUS, likeliest(asked.hashes, asked.views)) == {}
    crop = photo(view, row("crop", value=value))
    assert other.view().nearest(crop) == {}


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


def _then(first: Edit, then: Edit) -> Edit:
    return lambda picture: np.ascontiguousarray(then(first(picture)))


def _edits() -> dict[str, list[Edit]]:
    captioned, tilted, letterboxed = (PHOTO_EDITS[name] for name in ("captioned", "tilted", "letterboxed"))
    flips: list[Edit] = [np.fliplr, np.rot90, np.flipud]
    cuts: list[Edit] = [
        lambda picture, share=share, place=place: crop(picture, share, place)  # type: ignore[misc]
        for share in (0.9, 0.75, 0.6)
        for place in ((0.1, 0.9), (0.6, 0.3))
    ]
    return {
        "edited": [*PHOTO_EDITS.values()],
        "turned and edited": [
            made
            for flip in flips
            for edit in (captioned, tilted, letterboxed)
            for made in (_then(flip, edit), _then(edit, flip))
        ],
        "cropped and edited": [_then(cut, edit) for cut in cuts for edit in (captioned, tilted, letterboxed)],
    }


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Fingerprint, Fingerprint]]]:
    """Query and held, either way round, of three scenes and their copies; those that are flipped and edited apart."""
    path = tmp_path_factory.mktemp("probes") / "a.jpg"
    found: dict[str, list[tuple[Fingerprint, Fingerprint]]] = {kind: [] for kind in _edits()}
    for number in range(3):
        original = fingerprint_photo(write_photo(path, scene(20 + number)))
        for kind, edits in _edits().items():
            for edit in edits:
                copy = fingerprint_photo(write_photo(path, edit(scene(20 + number)), 70))
                found[kind] += [(copy, original), (original, copy)]
    return found


@pytest.mark.parametrize("kind", ["edited", "turned and edited", "cropped and edited"])
def test_fewer_keys_reach_the_copies_that_blind_ones_reach(
    pairs: dict[str, list[tuple[Fingerprint, Fingerprint]]], kind: str
) -> None:
    chosen = [_reached(query, other, likeliest(query.hashes, query.views)) for query, other in pairs[kind]]
    blind = [_reached(query, other, blindly(len(query.hashes))) for query, other in pairs[kind]]
    assert sum(blind) > len(blind) * 0.5
    assert sum(chosen) >= sum(blind) - len(blind) // 50
    asked = sum(len(likeliest(query.hashes, query.views).row) for query, _ in pairs[kind])
    assert asked < 0.65 * sum(len(blindly(len(query.hashes)).row) for query, _ in pairs[kind])
