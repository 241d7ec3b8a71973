"""Digests on side threads are those of the same bytes, in whatever pieces, with threads or without."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.side_hashes import WAITING, side_hashes


@given(st.lists(st.binary(max_size=5_000), max_size=3 * WAITING))
def test_they_are_the_digests_of_all_pieces_in_order(pieces: list[bytes]) -> None:
    with side_hashes("sha256", "sha512") as sides:
        for piece in pieces:
            sides.update(piece)
        found = sides.hexdigests()
    whole = b"".join(pieces)
    assert found == [hashlib.sha256(whole).hexdigest(), hashlib.sha512(whole).hexdigest()]


def test_without_threads_they_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    with side_hashes("sha256") as sides:
        sides.update(b"a")
        sides.update(b"b")
        assert sides.hexdigests() == [hashlib.sha256(b"ab").hexdigest()]


def test_an_error_of_who_makes_the_stream_ends_the_threads() -> None:
    def fail() -> None:
        with side_hashes("sha512") as sides:
            sides.update(b"x" * 1_000_000)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not [each for each in threading.enumerate() if each.name.startswith("catena-sha512")]
