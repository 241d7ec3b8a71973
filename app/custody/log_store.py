"""The custody log inside the caller's SQL transaction (evidence_store.log.sequencer)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, select

from app.custody.models import LogHead, LogNode
from app.errors import EnvironmentFailedError

HEAD_ID = 1


class SqlLogTransaction:
    """Nodes and head of the log as rows; nothing here commits."""

    def __init__(self, session: Session) -> None:
        """Speak through one open transaction."""
        self._session = session
        self._fresh: dict[tuple[int, int], bytes] = {}

    def lock_head(self) -> int:
        """Lock the one head row; return the number of leaves.

        SQLite holds the whole database since BEGIN IMMEDIATE; PostgreSQL locks the row.
        """
        statement = select(LogHead).where(LogHead.id == HEAD_ID).with_for_update()
        head = self._session.exec(statement.execution_options(populate_existing=True)).one_or_none()
        if head is None:
            raise EnvironmentFailedError("log_head_missing", "the log's head row is gone: run 'catena audit'")
        return head.size

    def read_node(self, level: int, index: int) -> bytes:
        """Hash of a complete subtree."""
        fresh = self._fresh.get((level, index))
        return fresh if fresh is not None else read_node(self._session, level, index)

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """Add the nodes that an append completes."""
        for level, index, digest in nodes:
            self._fresh[(level, index)] = digest
            self._session.add(LogNode(level=level, index=index, hash=digest))

    def put_head(self, size: int) -> None:
        """Move the head."""
        head = self._session.get_one(LogHead, HEAD_ID)
        head.size = size
        self._session.add(head)


def read_node(session: Session, level: int, index: int) -> bytes:
    """Hash of a complete subtree as stored.

    Raises:
        EnvironmentFailedError: `log_node_missing`.
    """
    node = session.get(LogNode, (level, index))
    if node is None:
        raise EnvironmentFailedError("log_node_missing", f"log node ({level}, {index}) is gone: run 'catena audit'")
    return node.hash


def tree_size(session: Session) -> int:
    """Number of leaves as of this snapshot."""
    head = session.get(LogHead, HEAD_ID)
    if head is None:
        raise EnvironmentFailedError("log_head_missing", "the log's head row is gone: run 'catena audit'")
    return head.size
