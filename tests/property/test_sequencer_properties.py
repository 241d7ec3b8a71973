"""The sequencer within transactions that commit, roll back, or die."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.merkle import leaf_hash, root_at
from evidence_store.log.sequencer import LogTransaction, append
from evidence_store.log.tiles import MAX_ENTRY_BYTES


class MemoryLog:
    """What is committed."""

    def __init__(self) -> None:
        self.size = 0
        self.nodes: dict[tuple[int, int], bytes] = {}

    def read_node(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]

    def root(self) -> bytes:
        return root_at(self.size, self.read_node)


class MemoryTransaction:
    """One transaction over a `MemoryLog`; dropping it is a rollback."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._size: int | None = None
        self._nodes: dict[tuple[int, int], bytes] = {}
        self.calls: list[str] = []

    def lock_head(self) -> int:
        self.calls.append("lock_head")
        return self._log.size if self._size is None else self._size

    def read_node(self, level: int, index: int) -> bytes:
        self.calls.append("read_node")
        return self._nodes.get((level, index)) or self._log.nodes[level, index]

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        self.calls.append("put_nodes")
        for level, index, value in nodes:
            assert (level, index) not in self._nodes
            assert (level, index) not in self._log.nodes
            self._nodes[level, index] = value

    def put_head(self, size: int) -> None:
        self.calls.append("put_head")
        self._size = size

    def commit(self) -> None:
        self._log.nodes.update(self._nodes)
        if self._size is not None:
            self._log.size = self._size


def _as_protocol(tx: MemoryTransaction) -> LogTransaction:
    return tx


def naive_root(entries: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if len(entries) < 2:
        return leaf_hash(entries[0]) if entries else hashlib.sha256().digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


BATCH = st.lists(st.binary(max_size=8), max_size=9)


@given(st.lists(st.tuples(BATCH, st.booleans()), max_size=15))
def test_rolled_back_transactions_leave_no_gap_and_no_trace(steps: list[tuple[list[bytes], bool]]) -> None:
    log, committed = MemoryLog(), list[bytes]()
    for batch, commits in steps:
        tx = MemoryTransaction(log)
        indices = append(_as_protocol(tx), batch)
        assert indices == list(range(len(committed), len(committed) + len(batch)))
        if commits:
            tx.commit()
            committed += batch
        assert log.size == len(committed)
        assert log.root() == naive_root(committed)


@given(st.lists(BATCH, max_size=4))
def test_several_appends_in_one_transaction_are_one_append(batches: list[list[bytes]]) -> None:
    apart, together = MemoryLog(), MemoryLog()
    tx = MemoryTransaction(apart)
    for batch in batches:
        append(tx, batch)
    tx.commit()
    tx = MemoryTransaction(together)
    append(tx, [entry for batch in batches for entry in batch])
    tx.commit()
    assert apart.nodes == together.nodes
    assert (apart.size, apart.root()) == (together.size, together.root())


@given(st.integers(1, 40), st.integers(0, 39))
def test_a_crash_at_any_call_leaves_the_committed_log_and_the_retry_completes(before: int, crash_at: int) -> None:
    log = MemoryLog()
    tx = MemoryTransaction(log)
    append(tx, [bytes([n]) for n in range(before)])
    tx.commit()
    root = log.root()

    class Dying(MemoryTransaction):
        left = crash_at

        def __getattribute__(self, name: str) -> object:
            if name in {"lock_head", "read_node", "put_nodes", "put_head"}:
                if Dying.left == 0:
                    raise ConnectionError
                Dying.left -= 1
            return super().__getattribute__(name)

    dying = Dying(log)
    try:
        append(dying, [b"a", b"b"])
    except ConnectionError:
        assert (log.size, log.root()) == (before, root)
        dying = MemoryTransaction(log)  # type: ignore[assignment]
        assert append(dying, [b"a", b"b"]) == [before, before + 1]
    dying.commit()
    assert log.root() == naive_root([*(bytes([n]) for n in range(before)), b"a", b"b"])


def test_the_head_is_locked_before_anything_is_read_and_moved_after_all_is_written() -> None:
    log = MemoryLog()
    first, second = MemoryTransaction(log), MemoryTransaction(log)
    append(first, [b"a"])
    first.commit()
    append(second, [b"b", b"c"])
    assert first.calls == ["lock_head", "put_nodes", "put_head"]
    assert second.calls == ["lock_head", "read_node", "put_nodes", "put_head"]


def test_an_empty_batch_writes_nothing() -> None:
    tx = MemoryTransaction(MemoryLog())
    assert append(tx, []) == []
    assert tx.calls == ["lock_head"]


def test_an_entry_too_large_for_a_bundle_is_refused_before_the_lock() -> None:
    tx = MemoryTransaction(MemoryLog())
    with pytest.raises(EvidenceStoreError) as refusal:
        append(tx, [b"ok", bytes(MAX_ENTRY_BYTES + 1)])
    assert refusal.value.code == "entry_size"
    assert tx.calls == []
    assert append(tx, [bytes(MAX_ENTRY_BYTES)]) == [0]


def test_a_log_whose_size_went_back_is_stopped_by_its_own_nodes() -> None:
    """A head restored from an old backup would hand out an index twice; the node rows refuse it."""
    log = MemoryLog()
    tx = MemoryTransaction(log)
    append(tx, [b"a", b"b"])
    tx.commit()
    log.size = 1
    with pytest.raises(AssertionError):
        append(MemoryTransaction(log), [b"forked"])
