"""Digests computed on two processors are those computed on one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evidence_store.digests import DigestComputer
from evidence_store.parallel_digests import WORTH_A_THREAD, ParallelDigestComputer

SIZES = st.sampled_from((0, 1, 4096, WORTH_A_THREAD - 1, WORTH_A_THREAD, WORTH_A_THREAD * 3 + 7))


@given(st.lists(st.tuples(SIZES, st.integers(0, 255), st.booleans()), max_size=12))
def test_pieces_of_every_size_give_the_same_digests_whenever_they_are_asked_for(
    pieces: list[tuple[int, int, bool]],
) -> None:
    one, two = DigestComputer(), ParallelDigestComputer()
    for size, filler, ask in pieces:
        data = bytes([filler]) * size
        one.update(data)
        two.update(data)
        assert two.size == one.size
        if ask:
            assert two.result() == one.result()
    assert two.result() == one.result()
