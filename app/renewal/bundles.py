"""What bundles carry of renewals: evidence records (RFC 4998) of some objects, and of the renewed checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from sqlmodel import Session, col, select

from app.custody.log_store import read_node
from app.custody.models import EventRow
from app.renewal.records import Renewal
from app.renewal.tree import TreeFiles, renewal_damaged
from evidence_store.bundle.renewals import (
    CHECKPOINT,
    CONSISTENCY,
    RECORD_SUFFIX,
    checkpoint_members,
    object_members,
    record_name,
    renewal_folder,
    token_name,
)
from evidence_store.log import merkle
from evidence_store.log.proof import format_consistency
from evidence_store.timestamps.ers import ALGORITHM, make_chain
from evidence_store.timestamps.evidence_record import EvidenceRecord
from evidence_store.timestamps.hash_tree import group_hash, root_from


def files_for(
    session: Session, folder: Path, renewals: Sequence[Renewal], objects: Sequence[str], size: int
) -> Iterator[tuple[str, bytes]]:
    """Paths and bytes, as `Renewals.files_for` describes them.

    Args:
        session: an open snapshot.
        folder: of all renewals.
        renewals: those to be taken from.
        objects: whose records are wanted.
        size: of the bundle's checkpoint, in entries.
    """
    ordered = sorted(renewals, key=lambda renewal: (renewal.tree_size, renewal.number))
    wanted: dict[int, list[tuple[str, int]]] = {}
    for about in objects:
        covered = 0
        indices = _leaf_indices(session, about)
        for renewal in ordered:
            below = sum(index < renewal.tree_size for index in indices)
            if below > covered:  # an earlier record says more of the same events than a later one
                wanted.setdefault(renewal.number, []).append((about, below))
                covered = below
    for renewal in renewals:
        if renewal.number in wanted:
            yield from _files_of(session, folder, renewal, wanted[renewal.number])
            yield f"{renewal_folder(renewal.number)}/{CONSISTENCY}", _consistency(session, renewal.tree_size, size)


def _files_of(
    session: Session, folder: Path, renewal: Renewal, wanted: Sequence[tuple[str, int]]
) -> Iterator[tuple[str, bytes]]:
    place = renewal_folder(renewal.number)
    note = renewal.read(folder, CHECKPOINT)
    over = renewal.checkpoint_tokens(folder)
    tokens = renewal.tokens(folder)
    yield f"{place}/{CHECKPOINT}", note
    for tsa, token in over.items():
        yield f"{place}/{token_name(tsa)}", token
    with TreeFiles(renewal.folder(folder), renewal.leaves) as tree:
        members = checkpoint_members(renewal.tree_size, note, over.values())
        yield f"{place}/{CHECKPOINT}{RECORD_SUFFIX}", evidence_record(renewal, tree, members, tokens)
        for about, count in wanted:
            members = object_members(about, _events(session, about, count))
            yield f"{place}/{record_name(about)}", evidence_record(renewal, tree, members, tokens)


def _consistency(session: Session, old: int, new: int) -> bytes:
    """That the log of the bundle's checkpoint continues the one that was renewed."""
    return format_consistency(old, merkle.consistency_proof(old, new, partial(read_node, session)))


def evidence_record(renewal: Renewal, tree: TreeFiles, members: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """The evidence record of one data object group, DER.

    Args:
        renewal: which one.
        tree: its hash tree.
        members: the group, its name first.
        tokens: of its chain.

    Raises:
        EnvironmentFailedError: `renewal_damaged` when the group is not in the tree, or the tree is not the one that
            was stamped.
    """
    name = members[0].decode()
    hashes = [hashlib.sha512(member).digest() for member in members]
    leaf = tree.find(name)
    if leaf is None:
        raise renewal_damaged(f"{renewal.number}: its hash tree has no {name}")
    siblings = tree.path(leaf)
    group = group_hash(ALGORITHM, hashes)
    if tree.node(0, leaf) != group or root_from(ALGORITHM, group, siblings).hex() != renewal.root:
        raise renewal_damaged(f"{renewal.number}: its hash tree is not over what {name} is today")
    return EvidenceRecord((make_chain(ALGORITHM, hashes, siblings, tokens),)).encode()


def _leaf_indices(session: Session, about: str) -> list[int]:
    wanted = select(EventRow.leaf_index).where(EventRow.object == about).order_by(col(EventRow.leaf_index))
    return list(session.exec(wanted))


def _events(session: Session, about: str, count: int) -> list[bytes]:
    wanted = select(EventRow.canonical).where(EventRow.object == about).order_by(col(EventRow.leaf_index))
    return list(session.exec(wanted.limit(count)))
