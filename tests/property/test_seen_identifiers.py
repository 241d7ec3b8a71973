"""What was seen before is known again, and nothing else, wherever it lies."""

from __future__ import annotations

from contextlib import closing
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from evidence_store.bundle import seen

IDENTIFIERS = st.lists(st.text("ab", max_size=6) | st.uuids().map(str), max_size=200)


@given(IDENTIFIERS, st.integers(1, 60))
def test_an_identifier_is_new_exactly_once(identifiers: list[str], in_memory: int) -> None:
    known: set[str] = set()
    with patch.object(seen, "IN_MEMORY", in_memory), closing(seen.Seen()) as found:
        for identifier in identifiers:
            assert found.add(identifier) is (identifier not in known)
            known.add(identifier)


@given(st.sets(st.binary(min_size=16, max_size=16).filter(any), max_size=150), st.integers(0, 3))
def test_the_table_gives_back_what_was_put_in_even_when_all_fall_into_one_page(keys: set[bytes], same: int) -> None:
    crowded = {bytes(2 * same) + key[2 * same :] for key in keys if any(key[2 * same :])}
    with closing(seen._Table(2 * len(crowded) + 1)) as table:
        table.put(crowded)
        assert table.filled == len(crowded)
        assert set(table.keys()) == crowded
        assert all(table.has(key) for key in crowded)
        assert not table.has(b"\xff" * 16) or b"\xff" * 16 in crowded


def test_all_keys_of_one_page_are_found_in_the_pages_after_it() -> None:
    keys = [bytes(8) + number.to_bytes(8, "big") for number in range(1, 100)]
    with closing(seen._Table(200)) as table:
        table.put(keys)
        assert list(table.keys()) == keys
        assert all(table.has(key) for key in keys)
        assert not table.has(bytes(8) + (100).to_bytes(8, "big"))


def test_a_key_that_lies_across_two_others_is_not_there() -> None:
    one, two, across = b"\1" * 16, b"\1" * 8 + b"\2" * 8, b"\1" * 12 + b"\2" * 4
    with closing(seen._Table(1)) as table:
        table.put([one, two])
        assert across in one + two
        assert not table.has(across)
        table.put([across])
        assert set(table.keys()) == {one, two, across}


def test_a_key_that_ends_in_zeros_is_not_written_over() -> None:
    keys = [bytes([number]) + bytes(15) for number in range(1, 30)]
    with closing(seen._Table(60)) as table:
        for key in keys:
            table.put([key])
        assert set(table.keys()) == set(keys)
