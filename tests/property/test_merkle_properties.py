"""Merkle proofs against the recursive definitions of RFC 6962, written down as the RFC writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle

MAX_SIZE = 200
ENTRIES = [f"entry {n}".encode() for n in range(MAX_SIZE)]
REFUSALS = {"inclusion_invalid", "consistency_invalid", "tree_range", "hash_form"}
_memo: dict[tuple[int, int], bytes] = {}


def mth(start: int, end: int) -> bytes:
    """MTH(D[start:end]), RFC 6962, section 2.1."""
    if (start, end) not in _memo:
        if start == end:
            value = hashlib.sha256().digest()
        elif end - start == 1:
            value = hashlib.sha256(b"\x00" + ENTRIES[start]).digest()
        else:
            middle = start + largest_power_of_two_below(end - start)
            value = hashlib.sha256(b"\x01" + mth(start, middle) + mth(middle, end)).digest()
        _memo[start, end] = value
    return _memo[start, end]


def largest_power_of_two_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, start: int, end: int) -> list[bytes]:
    """PATH(m, D[start:end]), RFC 6962, section 2.1.1; m counts from `start`."""
    if end - start == 1:
        return []
    k = largest_power_of_two_below(end - start)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, end)]
    return [*path(m - k, start + k, end), mth(start, start + k)]


def subproof(m: int, start: int, end: int, *, complete: bool) -> list[bytes]:
    """SUBPROOF(m, D[start:end], b), RFC 6962, section 2.1.2."""
    if m == end - start:
        return [] if complete else [mth(start, end)]
    k = largest_power_of_two_below(end - start)
    if m <= k:
        return [*subproof(m, start, start + k, complete=complete), mth(start + k, end)]
    return [*subproof(m - k, start + k, end, complete=False), mth(start, start + k)]


def root_by_path(m: int, n: int, leaf: bytes, proof: list[bytes]) -> bytes | None:
    """The root that a path leads to, by undoing PATH from the top; None when its length is wrong."""
    if n == 1:
        return None if proof else leaf
    if not proof:
        return None
    k = largest_power_of_two_below(n)
    inner = root_by_path(m, k, leaf, proof[:-1]) if m < k else root_by_path(m - k, n - k, leaf, proof[:-1])
    if inner is None:
        return None
    return merkle.node_hash(inner, proof[-1]) if m < k else merkle.node_hash(proof[-1], inner)


def roots_by_subproof(
    m: int, n: int, old_root: bytes, proof: list[bytes], *, complete: bool
) -> tuple[bytes, bytes] | None:
    """Old and new root that a consistency proof leads to, by undoing SUBPROOF from the top."""
    if m == n:
        if complete:
            return None if proof else (old_root, old_root)
        return (proof[0], proof[0]) if len(proof) == 1 else None
    if not proof:
        return None
    k = largest_power_of_two_below(n)
    if m <= k:
        inner = roots_by_subproof(m, k, old_root, proof[:-1], complete=complete)
        return None if inner is None else (inner[0], merkle.node_hash(inner[1], proof[-1]))
    inner = roots_by_subproof(m - k, n - k, old_root, proof[:-1], complete=False)
    if inner is None:
        return None
    return merkle.node_hash(proof[-1], inner[0]), merkle.node_hash(proof[-1], inner[1])


class Nodes:
    """Stored nodes of a growing log; counts reads and refuses a second write."""

    def __init__(self, size: int) -> None:
        self.rows: dict[tuple[int, int], bytes] = {}
        self.reads = 0
        for index in range(size):
            for level, position, value in merkle.nodes_completed_by(index, mth(index, index + 1), self.read):
                assert (level, position) not in self.rows
                self.rows[level, position] = value
        self.reads = 0

    def read(self, level: int, index: int) -> bytes:
        self.reads += 1
        return self.rows[level, index]


NODES = Nodes(MAX_SIZE)


def holds(call: Callable[[], None]) -> bool:
    """Whether a verification passes; a refusal must be one of ours, under a published code."""
    code = None
    try:
        call()
    except EvidenceStoreError as error:
        code = error.code
    assert code is None or code in REFUSALS
    return code is None


def inclusion_holds(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    return holds(lambda: merkle.verify_inclusion(index, size, leaf, proof, root))


def consistency_holds(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> bool:
    return holds(lambda: merkle.verify_consistency(size1, size2, root1, root2, proof))


def test_the_stored_nodes_are_exactly_the_complete_subtrees() -> None:
    for (level, index), value in NODES.rows.items():
        assert value == mth(index << level, (index + 1) << level)
    assert len(NODES.rows) == sum(MAX_SIZE >> level for level in range(MAX_SIZE.bit_length()))


def test_roots_of_every_size_are_those_of_the_rfc() -> None:
    for size in range(MAX_SIZE + 1):
        assert merkle.root_at(size, NODES.read) == mth(0, size)


def test_inclusion_proofs_of_every_entry_in_every_size_are_those_of_the_rfc_and_verify() -> None:
    for size in range(1, MAX_SIZE + 1):
        root = mth(0, size)
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, NODES.read)
            assert proof == path(index, 0, size)
            merkle.verify_inclusion(index, size, mth(index, index + 1), proof, root)


def test_consistency_proofs_of_every_two_sizes_are_those_of_the_rfc_and_verify() -> None:
    for new in range(1, MAX_SIZE + 1):
        for old in range(1, new + 1):
            proof = merkle.consistency_proof(old, new, NODES.read)
            assert proof == subproof(old, 0, new, complete=True)
            merkle.verify_consistency(old, new, mth(0, old), mth(0, new), proof)


def test_proofs_read_a_logarithmic_number_of_nodes() -> None:
    for size in range(1, MAX_SIZE + 1):
        allowed = 2 * size.bit_length() + 1
        for part in {1, size // 3 + 1, size}:
            for call in (
                lambda size=size: merkle.root_at(size, NODES.read),
                lambda size=size, part=part: merkle.inclusion_proof(part - 1, size, NODES.read),
                lambda size=size, part=part: merkle.consistency_proof(part, size, NODES.read),
            ):
                NODES.reads = 0
                call()
                assert NODES.reads <= allowed


SIZES = st.integers(1, MAX_SIZE)


def mutate(hashes: list[bytes], data: st.DataObject) -> list[bytes]:
    """Another list of hashes: a byte changed, one dropped, doubled, added, or two swapped."""
    kinds = ["add"] if not hashes else ["flip", "drop", "double", "add", "swap"]
    kind = data.draw(st.sampled_from(kinds))
    position = data.draw(st.integers(0, max(0, len(hashes) - 1)))
    changed = list(hashes)
    if kind == "flip":
        changed[position] = flip(changed[position], data)
    elif kind == "drop":
        del changed[position]
    elif kind == "double":
        changed.insert(position, changed[position])
    elif kind == "add":
        changed.insert(position, data.draw(st.binary(min_size=32, max_size=32)))
    else:
        other = (position + 1) % len(changed)
        changed[position], changed[other] = changed[other], changed[position]
    return changed


def flip(value: bytes, data: st.DataObject) -> bytes:
    position = data.draw(st.integers(0, len(value) - 1))
    mask = data.draw(st.integers(1, 255))
    return value[:position] + bytes([value[position] ^ mask]) + value[position + 1 :]


@given(SIZES, st.data())
def test_any_change_to_an_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaf, root, proof = mth(index, index + 1), mth(0, size), path(index, 0, size)
    assert inclusion_holds(index, size, leaf, proof, root)
    assert not inclusion_holds(index, size, flip(leaf, data), proof, root)
    assert not inclusion_holds(index, size, leaf, proof, flip(root, data))
    changed = mutate(proof, data)
    assert changed == proof or not inclusion_holds(index, size, leaf, changed, root)
    other = data.draw(st.integers(0, size + 3).filter(lambda n: n != index))
    assert not inclusion_holds(other, size, leaf, proof, root)


@given(SIZES, st.data())
def test_any_change_to_a_consistency_proof_is_refused(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    root1, root2, proof = mth(0, old), mth(0, new), subproof(old, 0, new, complete=True)
    assert consistency_holds(old, new, root1, root2, proof)
    assert not consistency_holds(old, new, flip(root1, data), root2, proof)
    assert not consistency_holds(old, new, root1, flip(root2, data), proof)
    changed = mutate(proof, data)
    assert changed == proof or not consistency_holds(old, new, root1, root2, changed)


@given(SIZES, st.integers(0, MAX_SIZE + 60), st.data())
def test_a_changed_size_is_refused_unless_the_rfcs_path_is_the_same(
    size: int, claimed: int, data: st.DataObject
) -> None:
    """Invariant 7: the size is bound by the signed checkpoint, the path only shapes it."""
    index = data.draw(st.integers(0, size - 1))
    leaf, root, proof = mth(index, index + 1), mth(0, size), path(index, 0, size)
    by_definition = index < claimed and root_by_path(index, claimed, leaf, proof) == root
    assert inclusion_holds(index, claimed, leaf, proof, root) == by_definition


@given(SIZES, st.integers(0, MAX_SIZE + 60), st.integers(0, MAX_SIZE + 60), st.data())
def test_changed_sizes_of_a_consistency_proof_are_judged_as_the_rfc_does(
    new: int, claimed_old: int, claimed_new: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, new))
    root1, root2, proof = mth(0, old), mth(0, new), subproof(old, 0, new, complete=True)
    by_definition = 0 < claimed_old <= claimed_new and roots_by_subproof(
        claimed_old, claimed_new, root1, proof, complete=True
    ) == (root1, root2)
    assert consistency_holds(claimed_old, claimed_new, root1, root2, proof) == by_definition


@given(
    st.integers(-2, 2**64),
    st.integers(-2, 2**64),
    st.lists(st.binary(max_size=33) | st.binary(min_size=32, max_size=32), max_size=70),
    st.binary(min_size=32, max_size=32),
)
def test_random_proofs_are_refused_and_never_break_the_verifier(
    first: int, second: int, proof: list[bytes], root: bytes
) -> None:
    assert not inclusion_holds(first, second, merkle.leaf_hash(b"never logged"), proof, root)
    assert not consistency_holds(first, second, merkle.leaf_hash(b"never logged"), root, proof)


def test_a_path_that_climbs_above_the_root_is_refused_even_when_it_reaches_the_claimed_root() -> None:
    """A tree of the claimed size has no level above its root, whatever hash the attacker puts there."""
    extra = merkle.leaf_hash(b"forged")
    for size in range(1, 40):
        root = mth(0, size)
        for index in range(size):
            leaf, overlong = mth(index, index + 1), [*path(index, 0, size), extra]
            for forged in (merkle.node_hash(extra, root), merkle.node_hash(root, extra)):
                assert not inclusion_holds(index, size, leaf, overlong, forged)
        for old in range(1, size):
            overlong = [*subproof(old, 0, size, complete=True), extra]
            for forged in (merkle.node_hash(extra, root), merkle.node_hash(root, extra)):
                for old_root in (mth(0, old), merkle.node_hash(extra, mth(0, old))):
                    assert not consistency_holds(old, size, old_root, forged, overlong)


def test_the_path_of_entry_0_is_the_same_for_3_and_4_leaves_as_invariant_7_says() -> None:
    assert inclusion_holds(0, 4, mth(0, 1), path(0, 0, 3), mth(0, 3))
    assert not inclusion_holds(2, 4, mth(2, 3), path(2, 0, 3), mth(0, 3))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3), (0, 2**63), (2**63, 2**63 + 1)])
def test_no_inclusion_proof_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(EvidenceStoreError) as refusal:
        merkle.inclusion_proof(index, size, NODES.read)
    assert refusal.value.code == "tree_range"


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 3), (4, 3), (-1, 3), (1, 2**63)])
def test_no_consistency_proof_from_nothing_or_backwards(old: int, new: int) -> None:
    with pytest.raises(EvidenceStoreError) as refusal:
        merkle.consistency_proof(old, new, NODES.read)
    assert refusal.value.code == "tree_range"


def test_a_node_that_is_no_hash_is_refused_before_it_is_used() -> None:
    for call in (
        lambda: merkle.root_at(3, lambda _level, _index: b"short"),
        lambda: merkle.inclusion_proof(1, 3, lambda _level, _index: b""),
        lambda: merkle.consistency_proof(2, 3, lambda _level, _index: b"x" * 33),
        lambda: merkle.nodes_completed_by(1, bytes(32), lambda _level, _index: b"x"),
        lambda: merkle.nodes_completed_by(0, b"x", NODES.read),
    ):
        with pytest.raises(EvidenceStoreError) as refusal:
            call()
        assert refusal.value.code == "hash_form"


def test_a_leaf_cannot_pass_as_a_node() -> None:
    """Second preimage: an entry made of two hashes is not their parent (RFC 6962, section 2.1)."""
    left, right = mth(0, 1), mth(1, 2)
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)
    assert merkle.leaf_hash(b"") != merkle.EMPTY_ROOT
