"""RFC 6962 Merkle tree: hashing, proofs, and their verification. Pure functions, no storage.

The stored nodes are the roots of *complete* subtrees, addressed (level, index): node (L, i) is
MTH(D[i * 2**L : (i + 1) * 2**L]). A node is written once, when its last leaf arrives, and never
changes. Roots and proofs of every size are computed from them with O(log n) node reads.

Invariants (D[a:b] is the list of entries a..b-1; || is concatenation):

1. MTH({}) = SHA-256() (RFC 6962, section 2.1): `EMPTY_ROOT`.
2. MTH({d}) = SHA-256(0x00 || d) (section 2.1): `leaf_hash`.
3. MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n])), k the largest power of two smaller
   than n (section 2.1): `node_hash`. The prefixes 0x00 and 0x01 keep a leaf from passing as a node.
4. An inclusion proof is PATH(m, D[n]) (section 2.1.1), a consistency proof PROOF(m, D[n])
   (section 2.1.2); both have exactly the length that index and sizes dictate.
5. Verification follows RFC 9162, sections 2.1.3.2 and 2.1.4.2, step by step, and takes (leaf hash,
   proof, root) only. Sizes are compared before lengths: equal sizes need an empty proof and equal
   roots (compared as they are), and a consistency proof from size 0 proves nothing and is refused.
6. Every other hash is 32 bytes; every index and size is an int in [0, 2**63).
7. A proof binds a size only as far as the size shapes the path (the path of entry 0 is the same in
   trees of 3 and 4 leaves), so root and size must come together from one signed checkpoint.

Standard library only: the offline verifier imports this module.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeAlias

from evidence_store.errors import EvidenceStoreError

NodeReader: TypeAlias = Callable[[int, int], bytes]
"""Reads the 32-byte root of the complete subtree (level, index); only existing ones are asked for."""

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()
"""Invariant 1: the root of the tree without entries."""

_MAX_SIZE = 2**63


def leaf_hash(entry: bytes) -> bytes:
    """Hash one log entry (invariant 2)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbouring subtree roots into their parent (invariant 3)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def nodes_completed_by(index: int, leaf: bytes, read: NodeReader) -> list[tuple[int, int, bytes]]:
    """The nodes that exist from the moment that leaf `index` is appended.

    Args:
        index: of the new leaf; all leaves before it exist.
        leaf: its leaf hash, 32 bytes.
        read: reads existing nodes; asked once per completed level.

    Returns:
        (level, index, hash) from the leaf upwards.

    Raises:
        EvidenceStoreError: `tree_range` or `hash_form` (invariant 6).
    """
    _check_range(index)
    _check_hash(leaf)
    completed = [(0, index, leaf)]
    level, position, current = 0, index, leaf
    while position & 1:
        current = node_hash(_node(read, level, position - 1), current)
        level, position = level + 1, position >> 1
        completed.append((level, position, current))
    return completed


def root_at(size: int, read: NodeReader) -> bytes:
    """MTH(D[0:size]) from stored nodes.

    Raises:
        EvidenceStoreError: `tree_range` or `hash_form` (invariant 6).
    """
    _check_range(size)
    return EMPTY_ROOT if size == 0 else _range_root(0, size, read)


def inclusion_proof(index: int, size: int, read: NodeReader) -> list[bytes]:
    """PATH(index, D[0:size]) (RFC 6962, section 2.1.1), from the leaf's sibling upwards.

    Raises:
        EvidenceStoreError: `tree_range` unless 0 <= index < size.
    """
    _check_range(index, size)
    if index >= size:
        raise EvidenceStoreError("tree_range", "the index is not in the tree")
    siblings: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            siblings.append(_range_root(middle, end, read))
            end = middle
        else:
            siblings.append(_range_root(start, middle, read))
            start = middle
    return siblings[::-1]


def consistency_proof(old: int, new: int, read: NodeReader) -> list[bytes]:
    """PROOF(old, D[0:new]) (RFC 6962, section 2.1.2): that the tree of `old` leaves is a prefix.

    Raises:
        EvidenceStoreError: `tree_range` unless 0 < old <= new.
    """
    _check_range(old, new)
    if not 0 < old <= new:
        raise EvidenceStoreError("tree_range", "a consistency proof needs 0 < old size <= new size")
    hashes: list[bytes] = []
    start, end, remaining, whole = 0, new, old, True
    # SUBPROOF(m, D[n], b) as a loop; `whole` is the RFC's b: the old root itself need not be sent.
    while remaining != end - start:
        split = _split(end - start)
        if remaining <= split:
            hashes.append(_range_root(start + split, end, read))
            end = start + split
        else:
            hashes.append(_range_root(start, start + split, read))
            start, remaining, whole = start + split, remaining - split, False
    if not whole:
        hashes.append(_range_root(start, end, read))
    return hashes[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that `leaf` is entry `index` of the tree with `size` leaves and this root.

    Steps of RFC 9162, section 2.1.3.2.

    Args:
        index: zero-based.
        size: number of leaves under `root`.
        leaf: leaf hash, 32 bytes.
        proof: sibling hashes, 32 bytes each, from the leaf upwards.
        root: 32 bytes.

    Raises:
        EvidenceStoreError: `inclusion_invalid`, `tree_range` or `hash_form`.
    """
    _check_range(index, size)
    _check_hash(leaf, root, *proof)
    if index >= size:  # step 1
        _inclusion_fails("the index is not in the tree")
    fn, sn, current = index, size - 1, leaf  # steps 2 and 3
    for sibling in proof:  # step 4
        if sn == 0:
            _inclusion_fails("the proof is too long")
        if fn & 1 or fn == sn:
            current = node_hash(sibling, current)
            fn, sn = _skip_lone_levels(fn, sn)
        else:
            current = node_hash(current, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:  # step 5
        _inclusion_fails("the proof is too short")
    if not hmac.compare_digest(current, root):
        _inclusion_fails("the proof leads to another root")


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree (size1, root1) is a prefix of the tree (size2, root2).

    Steps of RFC 9162, section 2.1.4.2.

    Args:
        size1: leaves of the older tree, at least 1.
        size2: leaves of the newer tree, at least `size1`.
        root1: 32 bytes.
        root2: 32 bytes.
        proof: node hashes, 32 bytes each.

    Raises:
        EvidenceStoreError: `consistency_invalid`, `tree_range` or `hash_form`.
    """
    _check_range(size1, size2)
    if not 0 < size1 <= size2:
        _consistency_fails("it needs 0 < old size <= new size")
    if size1 == size2:
        if proof:
            _consistency_fails("trees of one size need an empty proof")
        if not hmac.compare_digest(root1, root2):
            _consistency_fails("trees of one size have two roots")
        return
    _check_hash(root1, root2, *proof)
    if not proof:  # step 1
        _consistency_fails("the proof is empty")
    # Step 2: the root of a complete older tree is not sent, it is known.
    path = [root1, *proof] if size1 & (size1 - 1) == 0 else list(proof)
    fr, sr = _fold_consistency(size1 - 1, size2 - 1, path)
    if not hmac.compare_digest(fr, root1):  # step 7
        _consistency_fails("the proof leads to another old root")
    if not hmac.compare_digest(sr, root2):
        _consistency_fails("the proof leads to another new root")


def _fold_consistency(fn: int, sn: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Steps 3 to 6 of RFC 9162, section 2.1.4.2: the old and the new root that the path leads to."""
    while fn & 1:  # step 4
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]  # step 5
    for node in path[1:]:  # step 6
        if sn == 0:
            _consistency_fails("the proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(node, fr), node_hash(node, sr)
            fn, sn = _skip_lone_levels(fn, sn)
        else:
            sr = node_hash(sr, node)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        _consistency_fails("the proof is too short")
    return fr, sr


def _skip_lone_levels(fn: int, sn: int) -> tuple[int, int]:
    """Levels on which the right-most node has no sibling contribute no hash (step 4.b.ii / 6.b.ii)."""
    while fn != 0 and not fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (invariant 3); size is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_root(start: int, end: int, read: NodeReader) -> bytes:
    """MTH(D[start:end]) for a range that the RFC's recursion produces: `start` is aligned to it."""
    peaks: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1  # the largest complete subtree that fits
        peaks.append(_node(read, level, start >> level))
        start += 1 << level
    root = peaks.pop()
    while peaks:
        root = node_hash(peaks.pop(), root)
    return root


def _node(read: NodeReader, level: int, index: int) -> bytes:
    value = read(level, index)
    _check_hash(value)
    return value


def _check_hash(*values: bytes) -> None:
    for value in values:
        if len(value) != HASH_BYTES:
            raise EvidenceStoreError("hash_form", "a tree hash is 32 bytes")


def _check_range(*values: int) -> None:
    for value in values:
        if not 0 <= value < _MAX_SIZE:
            raise EvidenceStoreError("tree_range", "an index or size lies outside [0, 2**63)")


def _inclusion_fails(why: str) -> NoReturn:
    raise EvidenceStoreError("inclusion_invalid", f"the entry is not proven to be in the log: {why}")


def _consistency_fails(why: str) -> NoReturn:
    raise EvidenceStoreError("consistency_invalid", f"the log is not proven to have only grown: {why}")
