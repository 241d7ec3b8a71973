"""Evidence records over trees of any shape: nothing else verifies, and nothing but our own error escapes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps import hash_tree
from evidence_store.timestamps.ers import verify_record
from evidence_store.timestamps.evidence_record import ArchiveTimeStamp, EvidenceRecord, parse_record
from tests.evidence_records import FIRST, YEAR, Stamper, levels_over, records, rehashed, roots_of, stampers
from tests.tsa import authority

ALGORITHMS = st.sampled_from(["sha256", "sha384", "sha512"])
HASHES = st.binary(min_size=32, max_size=32)


@st.composite
def forests(draw: st.DrawFn) -> list[list[bytes]]:
    """Groups of two members or more; all members differ."""
    sizes = draw(st.lists(st.integers(2, 5), min_size=1, max_size=12))
    members = draw(st.lists(st.binary(max_size=40), min_size=sum(sizes), max_size=sum(sizes), unique=True))
    found = iter(members)
    return [[next(found) for _ in range(size)] for size in sizes]


def is_refused(record: bytes, members: Sequence[bytes], stamping: Sequence[Stamper]) -> bool:
    try:
        verify_record(record, members, roots_of(stamping))
    except EvidenceStoreError:
        return True
    return False


@settings(max_examples=40)
@given(forests(), ALGORITHMS, st.integers(1, 3), st.data())
def test_tree_of_any_shape_proves_its_groups_and_nothing_else(
    groups: list[list[bytes]], algorithm: str, count: int, data: st.DataObject
) -> None:
    stamping = stampers(count)
    made = records(groups, stamping, algorithm)
    mine = data.draw(st.integers(0, len(groups) - 1))
    record, group = made[mine].encode(), groups[mine]
    assert len(verify_record(record, data.draw(st.permutations(group)), roots_of(stamping))) == count
    victim = data.draw(st.integers(0, len(group) - 1))
    other = data.draw(st.binary(max_size=40).filter(lambda each: each not in group))
    assert is_refused(record, [*group[:victim], *group[victim + 1 :]], stamping)
    assert is_refused(record, [*group[:victim], other, *group[victim + 1 :]], stamping)
    assert is_refused(record, [*group, other], stamping)
    assert is_refused(record, [*group, group[victim]], stamping)
    for index, neighbour in enumerate(groups):
        assert (index == mine) is not is_refused(record, neighbour, stamping)


@given(st.lists(HASHES, min_size=1, max_size=70), ALGORITHMS)
def test_path_of_each_leaf_leads_to_the_one_root(leaves: list[bytes], algorithm: str) -> None:
    levels = levels_over(algorithm, leaves)
    assert [len(level) for level in levels] == hash_tree.level_sizes(len(leaves))
    for index, leaf in enumerate(leaves):
        siblings = hash_tree.path(index, len(leaves), lambda level, place: levels[level][place])
        assert hash_tree.root_from(algorithm, leaf, siblings) == levels[-1][0]


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_raise_only_our_error(der: bytes) -> None:
    assert is_refused(der, [b"a", b"b"], stampers())


SEED_GROUPS = [[b"name", b"event 0", b"event 1"], [b"other", b"event"], [b"third", b"x"]]
SEED_STAMPERS = [*stampers(2), Stamper(authority("chained", "rsa", intermediate=True), FIRST + 2 * YEAR, whole=True)]


@pytest.fixture(scope="module")
def seed() -> bytes:
    """Two chains, the second with two tokens; the last token embeds an intermediate certificate."""
    older = records(SEED_GROUPS, SEED_STAMPERS[:1], "sha256")
    record = rehashed(older, SEED_GROUPS, SEED_STAMPERS[1:], "sha512")[0].encode()
    assert not is_refused(record, SEED_GROUPS[0], SEED_STAMPERS)
    return record


def test_no_bit_of_a_short_record_can_be_flipped() -> None:
    """Every byte, with a bit that wanders by position: 1, 2, 4 and so on."""
    record = records(SEED_GROUPS, SEED_STAMPERS[:1])[0].encode()
    assert not is_refused(record, SEED_GROUPS[0], SEED_STAMPERS)
    for place in range(len(record)):
        bent = bytearray(record)
        bent[place] ^= 1 << (place % 8)
        assert is_refused(bytes(bent), SEED_GROUPS[0], SEED_STAMPERS), f"byte {place} is free"


@settings(max_examples=200)
@given(st.data())
def test_no_bit_of_a_record_with_every_part_can_be_flipped(seed: bytes, data: st.DataObject) -> None:
    bent = bytearray(seed)
    bent[data.draw(st.integers(0, len(seed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert is_refused(bytes(bent), SEED_GROUPS[0], SEED_STAMPERS)


@settings(max_examples=200)
@given(st.data())
def test_no_mutilation_of_a_record_verifies(seed: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(seed) - 1))
    end = data.draw(st.integers(start, min(len(seed), start + 200)))
    bent = seed[:start] + data.draw(st.binary(max_size=20)) + seed[end:]
    assert (bent == seed) is not is_refused(bent, SEED_GROUPS[0], SEED_STAMPERS)


@given(
    st.lists(
        st.tuples(
            ALGORITHMS,
            st.lists(st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=3), max_size=3),
            st.binary(max_size=10),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_what_is_parsed_is_written_the_same_way(stamps: list[tuple[str, list[list[bytes]], bytes]]) -> None:
    made = []
    for algorithm, lists, token in stamps:
        size = {"sha256": 32, "sha384": 48, "sha512": 64}[algorithm]
        ordered = tuple(tuple(sorted({each.ljust(size, b"\x00") for each in one})) for one in lists)
        made.append(ArchiveTimeStamp(algorithm, ordered, b"\x30" + bytes([len(token)]) + token))
    record = EvidenceRecord((tuple(made),))
    assert parse_record(record.encode()) == record


def test_flips_are_tried_on_every_kind_of_part(seed: bytes) -> None:
    """The seed holds what records can hold: two chains, a renewal with and one without a list, long lists."""
    older, newer = parse_record(seed).chains
    assert [len(older), len(newer)] == [1, 2]
    assert newer[1].lists == ()
    assert len(newer[0].lists) == 3
