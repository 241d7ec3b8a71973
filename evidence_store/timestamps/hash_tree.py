"""Hash trees of RFC 4998 (sections 4.2 and 4.3): data object groups, inner nodes, reduced trees.

1. A data object group has two members or more; its hash is H over its members' hashes, sorted as byte strings and
   joined. (Readings of the RFC differ on the reduced tree of a group of one, so there is none here.)
2. Leaves are the groups' hashes in the order given. A node is H over its two children, sorted and joined; the last
   node of a level that has no sibling moves up unchanged.
3. The reduced tree of a leaf is the list of its siblings on the way up, so each list above the first holds one hash.

`algorithm` is a key of `evidence_store.timestamps.algorithms.SIZES`; hashes are raw bytes of that length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.algorithms import SIZES, digest_of

NodeReader: TypeAlias = Callable[[int, int], bytes]
"""Reads the hash at (level, index); level 0 holds the leaves."""

MIN_MEMBERS = 2


def group_hash(algorithm: str, hashes: Iterable[bytes]) -> bytes:
    """Hash of a data object group from its members' hashes (rule 1), or of a node from its children's (rule 2)."""
    return digest_of(b"".join(sorted(hashes)), algorithm)


def group_hash_of_sorted(algorithm: str, hashes: Iterable[bytes]) -> bytes:
    """As `group_hash`, from hashes that come ascending; they need not fit into memory."""
    computer = hashlib.new(algorithm)
    for each in hashes:
        computer.update(each)
    return computer.digest()


def check_group(algorithm: str, hashes: Sequence[bytes]) -> tuple[bytes, ...]:
    """The members' hashes in the order that a record lists them.

    Raises:
        EvidenceStoreError: `ers_group` for fewer than two members, two equal ones or a hash of another length.
    """
    ordered = tuple(sorted(set(hashes)))
    if len(ordered) < MIN_MEMBERS or len(ordered) != len(hashes):
        raise EvidenceStoreError("ers_group", "a data object group has two different members or more")
    if any(len(each) != SIZES[algorithm] for each in ordered):
        raise EvidenceStoreError("ers_group", f"a hash of the group is no {algorithm} digest")
    return ordered


def next_level(algorithm: str, nodes: Iterable[bytes]) -> Iterator[bytes]:
    """The level above the given one (rule 2); needs no more memory than two nodes."""
    waiting: bytes | None = None
    for node in nodes:
        if waiting is None:
            waiting = node
        else:
            yield group_hash(algorithm, (waiting, node))
            waiting = None
    if waiting is not None:
        yield waiting


def level_sizes(leaves: int) -> list[int]:
    """How many nodes each level has, the leaves first; the last one, the root's, has one."""
    sizes = [leaves]
    while sizes[-1] > 1:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def path(index: int, leaves: int, read: NodeReader) -> list[bytes]:
    """The reduced tree of a leaf (rule 3): the hash that joins it at each level, from the bottom.

    Args:
        index: of the leaf, from 0.
        leaves: how many leaves there are.
        read: reads a node; called for each sibling that exists, at most once per level.

    Raises:
        EvidenceStoreError: `ers_leaf_range` unless 0 <= index < leaves.
    """
    if not 0 <= index < leaves:
        raise EvidenceStoreError("ers_leaf_range", "the hash tree has no such leaf")
    siblings = []
    for level, size in enumerate(level_sizes(leaves)[:-1]):
        sibling = index >> level ^ 1
        if sibling < size:
            siblings.append(read(level, sibling))
    return siblings


def root_from(algorithm: str, leaf: bytes, siblings: Iterable[bytes]) -> bytes:
    """The root that a leaf and its reduced tree lead to (RFC 4998, section 4.3, step 3)."""
    node = leaf
    for sibling in siblings:
        node = group_hash(algorithm, (node, sibling))
    return node


class RootBuilder:
    """The root over leaves given one by one (rule 2); keeps one hash per level."""

    def __init__(self, algorithm: str) -> None:
        """Begin with no leaf."""
        self._algorithm = algorithm
        self._waiting: list[bytes | None] = []  # by level, a node whose sibling is not there yet
        self.leaves = 0

    def add(self, leaf: bytes) -> None:
        """Append a leaf."""
        node = leaf
        for level, waiting in enumerate(self._waiting):
            if waiting is None:
                self._waiting[level] = node
                break
            node = group_hash(self._algorithm, (waiting, node))
            self._waiting[level] = None
        else:
            self._waiting.append(node)
        self.leaves += 1

    def root(self) -> bytes:
        """The root over the leaves so far.

        Raises:
            EvidenceStoreError: `ers_leaf_range` when there is none.
        """
        last: bytes | None = None
        for waiting in self._waiting:
            if waiting is not None:
                last = waiting if last is None else group_hash(self._algorithm, (waiting, last))
        if last is None:
            raise EvidenceStoreError("ers_leaf_range", "a hash tree has a leaf")
        return last
