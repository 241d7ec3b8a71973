"""Append to the log inside the caller's transaction.

The log has no write path of its own: leaf indices, nodes and the new size are rows of the same
transaction as the evidence they speak of. So either all of it is there or none of it, an index is
never handed out twice, and a rolled-back transaction leaves no gap. There is no recovery code: after
a crash the caller repeats its transaction, and `append` starts from the size that was committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.merkle import leaf_hash, nodes_completed_by
from evidence_store.log.tiles import MAX_ENTRY_BYTES


class LogTransaction(Protocol):
    """What the log needs of an open transaction of the caller.

    Nothing is durable before the caller commits, and nothing remains after it rolls back.
    """

    def lock_head(self) -> int:
        """Lock the head against every other writer until the transaction ends; return the size."""

    def read_node(self, level: int, index: int) -> bytes:
        """The 32-byte hash of a complete subtree; raises `EvidenceStoreError` when it is missing."""

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """Insert (level, index, hash) rows; a row that exists already must be an error."""

    def put_head(self, size: int) -> None:
        """Set the size of the log."""


def append(tx: LogTransaction, entries: Sequence[bytes]) -> list[int]:
    """Append entries in order.

    Args:
        tx: the caller's transaction; its head is locked first, and stays so until it ends.
        entries: log entries, at most 65,535 bytes each (the limit of an entry bundle).

    Returns:
        The leaf index of each entry: consecutive, from the committed size upwards.

    Raises:
        EvidenceStoreError: `entry_size`, or what the transaction raises; the caller must then roll back.
    """
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise EvidenceStoreError("entry_size", "a log entry is at most 65,535 bytes")
    size = tx.lock_head()
    if not entries:
        return []
    pending: dict[tuple[int, int], bytes] = {}

    def read(level: int, index: int) -> bytes:
        # Nodes of this batch are not in the transaction yet.
        node = pending.get((level, index))
        return tx.read_node(level, index) if node is None else node

    for offset, entry in enumerate(entries):
        for level, index, node in nodes_completed_by(size + offset, leaf_hash(entry), read):
            pending[level, index] = node
    tx.put_nodes([(level, index, node) for (level, index), node in pending.items()])
    tx.put_head(size + len(entries))
    return list(range(size, size + len(entries)))
