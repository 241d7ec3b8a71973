"""What an audit checks, in which order: the database as one snapshot, then the files that it names.

Every check runs, whatever the others found; one that cannot run is a finding. To add one, add a line here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from app.archive import Archive
from app.audit import (
    blob_checks,
    checkpoint_checks,
    decision_checks,
    file_checks,
    hash_checks,
    key_checks,
    log_checks,
    release_checks,
    renewal_checks,
    report_checks,
    row_checks,
    schema_checks,
    seal_checks,
    stray_files,
    timestamp_checks,
    witness_checks,
)
from app.audit.hashing import default_workers
from app.audit.kept import Kept, Step
from app.audit.key_book import KeyBook
from app.audit.meter import Meter
from app.audit.proven_times import ProvenTimes
from app.audit.replay import Replay
from app.audit.scratch import Scratch
from app.audit.stored import any_text, stored_rows
from app.custody.models import LogHead
from app.keyring.history import read_history
from app.timestamps.authorities import Authorities
from evidence_store.trust import KeyHistory
from evidence_store.verify.report import Report

MAX_FINDINGS = 10_000
"""Findings kept of each code: an archive whose every file is gone must not exhaust the memory of its auditor."""

ALL_DIGESTS = ("sha256", "sha512", "crc32")


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of an audit.

    Attributes:
        sample: hash only so many stored files, chosen at random; None for all.
        checkpoint: a signed checkpoint of this log that somebody else kept.
        workers: threads that hash; None for one on each processor.
        all_digests: compare SHA-512 and CRC-32 of each file as well.
    """

    sample: int | None = None
    checkpoint: bytes | None = None
    workers: int | None = None
    all_digests: bool = False

    @property
    def digests(self) -> tuple[str, ...]:
        """What is computed of each file."""
        return ALL_DIGESTS if self.all_digests else ALL_DIGESTS[:1]


@dataclass
class Checked:
    """What came of it.

    Attributes:
        report: all findings.
        size: of the log.
        root: its root; None when events are missing.
        resumed: whether files were passed over because an earlier run had hashed them.
        parts: the runs that hashed files, this one last.
    """

    report: Report
    size: int = 0
    root: bytes | None = None
    resumed: bool = False
    parts: list[Step] = field(default_factory=list)


def check_archive(archive: Archive, options: Options, kept: Kept, meter: Meter) -> Checked:
    """Check everything.

    Args:
        archive: as it is, be it damaged.
        options: what is asked.
        kept: what earlier runs of this audit have hashed; written on as files are hashed.
        meter: told how far it is.

    Raises:
        EnvironmentFailedError: there is no database that could be read at all.
        AuditStoppedError: somebody asked the audit to stop.
    """
    report = Report(max_per_code=MAX_FINDINGS)
    heads = checkpoint_checks.KeptHead.read_all(archive.settings)  # before the database: see KeptHead
    with Scratch() as scratch:
        replay = Replay(scratch, meter)
        with ExitStack() as hashing:
            with archive.db.read() as session, any_text(session):
                with _stage("schema", replay, report):
                    schema_checks.check_schema(archive.db, session, report)
                files = blob_checks.FileChecks(archive, scratch, kept, report, meter)
                begun = files.hashing(options.workers or default_workers(), all_digests=options.all_digests)
                # A fresh audit hashes beside all that follows; a resumed one must first know what the log binds. A
                # query that fails can end a transaction: the log is read before tables that are not as they should be.
                early = report.ok and not kept.steps
                if early:
                    _list_files(session, replay, options, report)
                    hashing.enter_context(begun)
                keys = _check_log(archive, session, heads, options.checkpoint, replay, report)
                if not early:
                    _list_files(session, replay, options, report)
                with report.checking("list of files"):
                    blob_checks.bind_files(scratch)
                root = replay.root_at(replay.size)
                resumed = kept.take_over(replay.root_at, report)
                kept.steps.append(Step(replay.size, "" if root is None else root.hex()))
                if not early:
                    hashing.enter_context(begun)
                _check_rows(archive, session, replay, keys, report)
            with report.checking("files"):
                files.judge_all()
        with report.checking("blobs that were not chosen"):
            files.look_at_rest()
        with report.checking("other files"):
            files.look_for_others()
        with report.checking("files that belong to nothing"):
            stray_files.look_for_strays(archive, report)
        report.close()
        return Checked(report, replay.size, root, resumed, kept.steps)


def _list_files(session: Session, replay: Replay, options: Options, report: Report) -> None:
    with _stage("list of files", replay, report):
        blob_checks.list_files(session, replay.scratch, options.sample)


def _check_log(
    archive: Archive,
    session: Session,
    heads: Sequence[checkpoint_checks.KeptHead],
    given: bytes | None,
    replay: Replay,
    report: Report,
) -> KeyBook:
    folder, identity = archive.settings.keys, archive.identity
    times = ProvenTimes(session, Authorities(archive.settings.tsas, replay.authorities))
    keys = KeyBook(KeyHistory(), {}, times)
    with _stage("database file", replay, report):
        file_checks.check_file(session, replay.meter, report)
    with _stage("events", replay, report, _size_said(session)):
        log_checks.replay_log(session, identity.log, report, replay)
    with _stage("keys", replay, report):
        key_checks.check_identity(replay, identity, report)
        keys = key_checks.check_keys(replay, identity, folder, times, report, partial(_newest_history, archive))
        key_checks.check_private_keys(folder, report)
    with _stage("log nodes", replay, report, 2 * replay.size - replay.size.bit_count()):
        log_checks.check_nodes(session, replay, report)
    with _stage("checkpoints", replay, report):
        newest = checkpoint_checks.check_checkpoints(session, replay, keys, report)
        for head in heads:
            checkpoint_checks.check_kept_head(head, newest, replay, keys, report)
        if given is not None:
            checkpoint_checks.check_given(given, replay, keys, report)
    return keys


def _newest_history(archive: Archive) -> KeyHistory:
    with archive.db.read() as session:
        return read_history(session, archive.identity.id)


def _check_rows(archive: Archive, session: Session, replay: Replay, keys: KeyBook, report: Report) -> None:
    with _stage("rows", replay, report, replay.rows_bound()):
        row_checks.check_rows(session, replay, report)
    with _stage("receipts", replay, report, replay.ingestions()):
        seal_checks.check_receipts(session, replay, keys, report)
    with _stage("decisions", replay, report):
        decision_checks.check_decisions(session, replay, keys, report)
    with _stage("frozen releases", replay, report):
        release_checks.check_releases(session, replay, keys, report)
    with _stage("keys of signatures", replay, report):
        keys.close(report)
    with _stage("work", replay, report):
        seal_checks.check_work(session, report)
    with _stage("time stamps", replay, report):
        authorities = Authorities(archive.settings.tsas, replay.authorities)
        timestamp_checks.check_timestamps(session, archive, authorities, report)
    with _stage("co-signatures", replay, report):
        witness_checks.check_witnesses(session, archive, report)
    with _stage("renewals", replay, report):
        renewal_checks.check_renewals(session, archive, replay, report)
    with _stage("audit reports", replay, report):
        report_checks.check_reports(archive, replay, report)
    with _stage("hashes", replay, report):
        hash_checks.check_hashes(session, replay, report)


@contextmanager
def _stage(name: str, replay: Replay, report: Report, total: int = 0) -> Iterator[None]:
    replay.meter.begin(name, total)
    with report.checking(name):
        yield
    replay.meter.end()


def _size_said(session: Session) -> int:
    """How many events the head says that there are: for the progress bar only."""
    try:
        sizes = [row["size"] for row in stored_rows(session, LogHead)]
    except SQLAlchemyError:
        return 0  # check_schema has named what is wrong with the table
    return sum(size for size in sizes if type(size) is int)
