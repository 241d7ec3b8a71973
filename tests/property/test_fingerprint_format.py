"""Fingerprint bytes: one form per fingerprint, and any other bytes are refused with a coded error."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.matching.errors import FingerprintError
from app.matching.format import WINDOW_UNIT, FeatureSet, Fingerprint, HashRow, View

_U32 = st.integers(0, 2**32 - 1)


@st.composite
def _rows(draw: st.DrawFn) -> HashRow:
    left, top = draw(st.integers(0, WINDOW_UNIT - 1)), draw(st.integers(0, WINDOW_UNIT - 1))
    right, bottom = draw(st.integers(left + 1, WINDOW_UNIT)), draw(st.integers(top + 1, WINDOW_UNIT))
    return HashRow(
        draw(st.sampled_from(("whole", "trimmed", "crop", "content"))),
        draw(st.integers(0, 7)),
        (left, top, right, bottom),
        draw(_U32),
        draw(st.integers(0, 100)),
        draw(st.binary(min_size=32, max_size=32)),
    )


@st.composite
def _features(draw: st.DrawFn, width: int, height: int) -> FeatureSet:
    points = draw(st.lists(st.tuples(st.integers(0, width * 64), st.integers(0, height * 64)), max_size=4))
    packed = b"".join(x.to_bytes(2, "big") + y.to_bytes(2, "big") for x, y in points)
    return FeatureSet(packed, draw(st.binary(min_size=32 * len(points), max_size=32 * len(points))))


@st.composite
def _views(draw: st.DrawFn) -> View:
    width, height = draw(st.integers(1, 640)), draw(st.integers(1, 640))
    across, down = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    picture = draw(st.binary(min_size=across * down, max_size=across * down))
    features, mirrored = draw(_features(width, height)), draw(_features(width, height))
    return View(draw(_U32), width, height, features, mirrored, across, down, picture)


def _is_whole(made: Fingerprint) -> bool:
    """The picture inside a page has rows and a view, or neither."""
    inside = any(row.role == "content" for row in made.hashes)
    if made.kind == "video":
        return not inside
    return len(made.views) == 2 if inside else len(made.views) <= 1


_ANY = st.builds(
    Fingerprint,
    st.sampled_from(("photo", "video")),
    _U32,
    _U32,
    st.integers(0, 2**64 - 1),
    _U32,
    st.lists(_rows(), max_size=3).map(tuple),
    st.lists(_views(), max_size=2).map(tuple),
    st.text(st.characters(codec="ascii"), max_size=30),
    st.integers(0, 2**16 - 1),
)
_FINGERPRINTS = _ANY.filter(_is_whole)


@given(_FINGERPRINTS)
def test_parsing_gives_back_what_was_written(made: Fingerprint) -> None:
    assert Fingerprint.from_bytes(made.to_bytes()) == made


@given(_FINGERPRINTS, st.data())
def test_every_cut_of_the_bytes_is_refused(made: Fingerprint, data: st.DataObject) -> None:
    whole = made.to_bytes()
    _refused(whole[: data.draw(st.integers(0, len(whole) - 1))])
    _refused(whole + b"\x00")


@given(_FINGERPRINTS, st.data())
def test_changed_byte_is_refused_or_is_another_fingerprint(made: Fingerprint, data: st.DataObject) -> None:
    changed = bytearray(made.to_bytes())
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    parsed = _parsed(bytes(changed))
    assert parsed is None or (parsed != made and parsed.to_bytes() == bytes(changed))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_the_coded_error(data: bytes) -> None:
    _refused(data)
    _refused(b"CFP1" + data)


def test_impossible_counts_are_refused_before_anything_is_read() -> None:
    made = Fingerprint("photo", 1, 1, 0, 1, (), ())
    whole = bytearray(made.to_bytes())
    whole[-6:-2] = b"\xff" * 4  # the number of rows
    _refused(bytes(whole))


def _refused(data: bytes) -> None:
    assert _parsed(data) is None


def _parsed(data: bytes) -> Fingerprint | None:
    """None when the bytes are refused with the one coded error; any other error escapes."""
    try:
        return Fingerprint.from_bytes(data)
    except FingerprintError as error:
        if error.code != "malformed_fingerprint":
            raise
        return None
