"""Renewals against the log that they are over, and against the time stamps that carry them.

1. Each renewal's files are those that its events name; its checkpoint is the stored one of its size.
2. Its hash tree is over the very events of the log: recomputed from their bytes, it has the root that was recorded.
3. Its time stamps verify: each token over the root or over the tokens before it, by an authority trusted here, and the
   tokens over its checkpoint.
4. What is due is said, and what has lapsed.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from cryptography import x509
from sqlalchemy import select, type_coerce
from sqlalchemy.types import NullType
from sqlmodel import Session

from app.archive import Archive
from app.audit.replay import Replay
from app.audit.row_checks import check_output
from app.audit.stored import BATCH
from app.custody.log_store import tree_size
from app.custody.models import CheckpointRow, EventRow
from app.db import table_of
from app.errors import CatenaError
from app.renewal.records import Renewal, recorded
from app.renewal.rules import DAYS_AHEAD
from app.renewal.sorting import RUN, Sorter
from app.renewal.standing import due_now
from app.timestamps.authorities import Authorities
from evidence_store.bundle.renewals import CHECKPOINT, checkpoint_members
from evidence_store.digests import digest_file
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.ers import ALGORITHM, holds_until, verify_chain
from evidence_store.timestamps.hash_tree import RootBuilder, group_hash_of_sorted
from evidence_store.timestamps.token import verify_token
from evidence_store.verify.report import Report

_INVALID = "renewal_invalid"
_OWN_FILES = frozenset({"lock"})


def check_renewals(session: Session, archive: Archive, replay: Replay, report: Report) -> None:
    """Check every renewal; say what is due.

    Args:
        session: a read session.
        archive: the archive.
        replay: of the log; what it says of files.
        report: receives findings.
    """
    folder = archive.settings.renewals
    try:
        renewals = recorded(session, archive.about)
    except CatenaError as error:
        report.finding(_INVALID, "renewals", error.detail)
        return
    authorities = Authorities(archive.settings.tsas, replay.authorities)
    sound = [renewal for renewal in renewals if _check_files(session, folder, renewal, replay, report)]
    for renewal in sound:
        _check_stamps(folder, renewal, authorities, report)
        report.count("renewals")
    if sound:
        _check_trees(session, folder, sound, report)
    _check_strays(folder, renewals, report)
    now = archive.clock()
    for due in due_now(session, archive, renewals, tree_size(session), DAYS_AHEAD):
        report.finding("renewal_due", "renewals" if due.renewal is None else f"renewal {due.renewal}", due.why)
    for renewal in renewals:
        if renewal.holds_until < now:
            report.finding("renewal_lapsed", f"renewal {renewal.number}", f"it held until {_day(renewal.holds_until)}")


def _check_files(session: Session, folder: Path, renewal: Renewal, replay: Replay, report: Report) -> bool:
    """Invariant 1; whether the files can be looked into."""
    subject = f"renewal {renewal.number}"
    well = True
    for name, sha256 in sorted(renewal.files.items()):
        try:
            found = digest_file(renewal.folder(folder) / name)
        except EvidenceStoreError as error:
            report.finding(_INVALID, subject, f"{name} cannot be read: {error.detail}")
            well = False
            continue
        check_output(f"{subject}: {name}", found.sha256, found.sha512, replay, report)
        if found.sha256 != sha256:
            report.finding(_INVALID, subject, f"{name} is not the file that the log names")
            well = False
    stored = session.get(CheckpointRow, renewal.tree_size)
    if stored is None or stored.note != renewal.checkpoint:
        report.finding(_INVALID, subject, f"its checkpoint is not the stored one of {renewal.tree_size} events")
        return False
    if well and renewal.read(folder, CHECKPOINT) != renewal.checkpoint:
        report.finding(_INVALID, subject, "its checkpoint's file is not what its row says")
        return False
    return well


def _check_stamps(folder: Path, renewal: Renewal, authorities: Authorities, report: Report) -> None:
    """Invariant 3."""
    subject = f"renewal {renewal.number}"
    imprint = hashlib.sha256(renewal.checkpoint).digest()
    try:
        for tsa, der in renewal.checkpoint_tokens(folder).items():
            verify_token(der, imprint, "sha256", *_trust(authorities, [tsa]))
        names = [stamp.authority for stamp in renewal.stamps]
        tokens = verify_chain(bytes.fromhex(renewal.root), renewal.tokens(folder), *_trust(authorities, names))
    except (CatenaError, EvidenceStoreError, ValueError) as error:
        report.finding(_INVALID, subject, f"a time stamp does not verify: {error}")
        return
    for stamp, token in zip(renewal.stamps, tokens, strict=True):
        if (stamp.gen_time, stamp.holds_until) != (token.gen_time, holds_until([token])):
            report.finding(_INVALID, subject, f"{stamp.file} says other times than its event")


def _trust(authorities: Authorities, names: Sequence[str]) -> tuple[list[x509.Certificate], list[x509.Certificate]]:
    trusts = [trust for name in sorted(set(names)) if (trust := authorities.trust(name)) is not None]
    return [each for trust in trusts for each in trust.roots], [
        each for trust in trusts for each in trust.intermediates
    ]


def _check_trees(session: Session, folder: Path, renewals: Sequence[Renewal], report: Report) -> None:
    """Invariant 2: one pass over the events for all renewals together; memory does not grow with the log."""
    with tempfile.TemporaryDirectory(prefix="catena-audit-") as scratch, ExitStack() as stack:
        run = max(RUN // len(renewals), 1000)
        sorters = [(renewal, stack.enter_context(Sorter(Path(scratch), run))) for renewal in renewals]
        for renewal, sorter in sorters:
            over = renewal.checkpoint_tokens(folder)
            name, *members = checkpoint_members(renewal.tree_size, renewal.checkpoint, over.values())
            for member in members:
                sorter.add(name.decode(), member)
        for leaf_index, about, digest in _events(session, max(renewal.tree_size for renewal in renewals)):
            for renewal, sorter in sorters:
                if leaf_index < renewal.tree_size:
                    sorter.add_digest(about, digest)
        for renewal, sorter in sorters:
            root = RootBuilder(ALGORITHM)
            for _, hashes in sorter.groups():
                root.add(group_hash_of_sorted(ALGORITHM, hashes))
            if (root.leaves, root.root().hex()) != (renewal.leaves, renewal.root):
                report.finding(_INVALID, f"renewal {renewal.number}", "its hash tree is not over the events of the log")


def _events(session: Session, below: int) -> Iterator[tuple[int, str, bytes]]:
    """Leaf index, object and SHA-512 of each event; what cannot be read is named by the checks of the log."""
    table = table_of(EventRow)
    stored = type_coerce(table.c.canonical, NullType())  # as it is, be it text where bytes belong
    wanted = select(table.c.leaf_index, stored).where(table.c.leaf_index < below).order_by(table.c.leaf_index)
    for leaf_index, canonical in session.connection().execute(wanted, execution_options={"yield_per": BATCH}):
        try:
            yield leaf_index, json.loads(canonical)["object"], hashlib.sha512(canonical).digest()
        except (TypeError, ValueError, LookupError, RecursionError):
            continue


def _check_strays(folder: Path, renewals: Sequence[Renewal], report: Report) -> None:
    """What no event names was left by a process that was killed, or put there by somebody."""
    known = {renewal.folder(folder): set(renewal.files) for renewal in renewals}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path not in known and path.name not in _OWN_FILES:
            report.finding("renewal_stray", path.name, "no event names it: a renewal was not finished")
    for place, names in known.items():
        for path in sorted(place.iterdir()) if place.is_dir() else []:
            if path.name not in names:
                report.finding("renewal_stray", f"{place.name}/{path.name}", "no event names it")


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
