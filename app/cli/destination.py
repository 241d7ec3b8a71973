"""Where the files of `catena ingest` go: the case, the journal of the command, and what follows once they are in."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.common import BAD_INPUT, Context, exit_code_of
from app.cli.journal import Journal, state_folder
from app.cli.meter import Meter
from app.cli.orders import Depositor
from app.cli.outcome import Outcome, Refused
from app.cli.own_files import own_places, secrets_of
from app.cli.staff import work, working
from app.cli.taking import Taking
from app.errors import CatenaError, InvalidInputError
from app.intake.collections.entries import Collection, Entry, Unpacked
from app.intake.collections.folder import size_of
from app.intake.collections.reading import Kind, kind_of, read_entries
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.source import SourceContext

if TYPE_CHECKING:
    from cryptography import x509

    from app.cli.local import Local
    from app.jobs.worker import Worker


@dataclass(frozen=True, slots=True)
class Wish:
    """What a command line asks for."""

    paths: tuple[Path, ...]
    case_ref: str
    source: SourceContext
    kind: Kind
    manifest: Path | None
    recursive: bool
    hidden: bool
    server: str | None
    receipts: Path | None
    jobs: int
    again: bool
    analyse: bool
    dry_run: bool
    watch: bool

    def check(self) -> None:
        """Refuse to take what this command writes itself: watched, that would go on without end.

        Raises:
            InvalidInputError: `bad_options`.
        """
        if self.receipts is None:
            return
        own = self.receipts.resolve()
        named = [path.resolve() for path in self.paths]
        around = any(own.is_relative_to(path) for path in named)
        for path, place in zip(self.paths, named, strict=True):
            if place == own or (around and place.is_relative_to(own)):
                raise InvalidInputError("bad_options", f"{path}: receipts go into a folder that is not taken itself")

    def read(self, context: Context) -> AbstractContextManager[Collection]:
        """Read what there is to take; never the archive's own files.

        Raises:
            CatenaError: as `read_entries`, and those of the archive's time-stamping authorities.
        """
        if self.kind == "auto" and (found := kind_of(self.paths, self.kind, self.manifest)) != "folder":
            otherwise = "" if self.manifest else "; --collection folder takes it as plain files"
            context.say(f"ingest: read as --collection {found}{otherwise}")
        return read_entries(
            self.paths,
            self.source,
            kind=self.kind,
            manifest=self.manifest,
            recursive=self.recursive,
            hidden=self.hidden,
            avoid=[*own_places(context.settings), state_folder(), *self._receipts_apart()],
            roots=self._roots(context),
        )

    def _receipts_apart(self) -> list[Path]:
        """The folder of receipts, unless it is one that is to be read, or above one."""
        if self.receipts is None:
            return []
        folder = self.receipts.resolve()
        return [] if any(path.resolve().is_relative_to(folder) for path in self.paths) else [folder]

    def _roots(self, context: Context) -> Sequence[x509.Certificate]:
        """Who is trusted for time here; a server's own authorities are not known on this side."""
        if self.kind != "auto-archiver" or self.server is not None:
            return ()
        return [root for one in context.services.timestamps.authorities() for root in one.trust.roots]


class Destination:
    """Where files go, with the journal of this command."""

    def __init__(
        self, context: Context, wish: Wish, depositor: Depositor, journal: Journal, stop: threading.Event
    ) -> None:
        """Bind to a command."""
        self._context, self._wish, self._depositor = context, wish, depositor
        self._journal, self._stop = journal, stop

    def taking(self, unpacked: Unpacked | None = None) -> Taking:
        """A run, or a further part of it."""
        return Taking(
            self._depositor,
            self._journal,
            self._wish.case_ref,
            jobs=self._wish.jobs,
            again=self._wish.again,
            stop=self._stop,
            unpacked=unpacked,
            secrets=lambda: secrets_of(self._context.settings),
        )

    def forecast(self, found: Collection) -> int:
        """Say what would be done."""
        forecast = self.taking(found.unpacked).forecast(found.entries)
        _leave_out(forecast.outcome, found)
        forecast.show(self._context)
        return forecast.outcome.exit_code

    def take_all(self, found: Collection) -> Outcome:
        """Take a collection in; the journal ends when every file had its turn."""
        taking = self.taking(found.unpacked)
        outcome = self.take(taking, found.entries)
        _leave_out(outcome, found)
        if taking.complete:
            self._journal.end()
        elif self._stop.is_set():
            outcome.exit_code = max(outcome.exit_code, BAD_INPUT)
            self._context.say("ingest: stopped; run the same command again to go on")
        return outcome

    def take(self, taking: Taking, entries: Sequence[Entry]) -> Outcome:
        """Take entries in, with a progress line."""
        files, size = _extent(entries)
        meter = Meter("ingest", files, size)
        try:
            return taking.take(entries, meter)
        finally:
            meter.close()

    def after(self, outcome: Outcome) -> None:
        """What follows once files are in: here nothing, the server has its own workers."""


class LocalDestination(Destination):
    """The archive of this process: it analyses, and signs the log's new head."""

    def take_all(self, found: Collection) -> Outcome:
        """Take a collection in; what is in is analysed beside that, and the rest after it."""
        with working(_staff(self._context) if self._wish.analyse else []):
            outcome = super().take_all(found)
        self.after(outcome)
        return outcome

    def after(self, outcome: Outcome) -> None:
        """Analyse what waits, sign the log's head; the files are taken whatever becomes of that."""
        context = self._context
        try:
            if self._wish.analyse and not self._stop.is_set() and not _analyse(context, self._stop):
                context.say("ingest: stopped; 'catena worker' or the same command goes on with the analysis")
                outcome.exit_code = max(outcome.exit_code, BAD_INPUT)
            context.services.checkpoint()
        except (CatenaError, EvidenceStoreError) as error:
            context.say(f"catena: {error.code}: {error.detail}")
            outcome.exit_code = max(outcome.exit_code, exit_code_of(error))


@contextmanager
def destination(context: Context, wish: Wish, stop: threading.Event) -> Iterator[Destination]:
    """The case that the files go into, found or made."""
    where = [str(path.absolute()) for path in wish.paths]
    journal_of = Journal.peek if wish.dry_run else Journal.open
    options = [wish.case_ref, f"again={wish.again}", f"watch={wish.watch}", *where]
    if wish.server is None:
        local = _local(context, wish)
        journal = journal_of(context.settings.data / "ingest", *options)
        yield LocalDestination(context, wish, local, journal, stop)
        return
    from app.cli.remote import Remote

    journal = journal_of(state_folder(), wish.server, *options)
    token = os.environ.get("CATENA_TOKEN", "")
    with Remote(wish.server, token, wish.case_ref, wish.receipts, journal, stop, make=not wish.dry_run) as remote:
        yield Destination(context, wish, remote, journal, stop)


def _local(context: Context, wish: Wish) -> Local:
    from app.cli.local import Local

    services, who = context.services, context.who
    if not wish.dry_run:
        services.archive.seal_key()  # a wrong passphrase must stop us now, not between an item and its receipt
    case = services.evidence.case_or_none(wish.case_ref)
    if case is None and not wish.dry_run:
        case = services.evidence.create_case(who, wish.case_ref)
    if case is not None:
        services.access.require(who, "item.ingest", case.id)
    return Local(services, who, case, wish.receipts or context.settings.data / "receipts")


def _leave_out(outcome: Outcome, found: Collection) -> None:
    outcome.left_out += [Refused(str(one.path), one.code, one.detail) for one in found.left_out]
    for problem in found.problems:
        outcome.refuse(Path(problem.where), problem.code, problem.detail)


def _extent(entries: Sequence[Entry]) -> tuple[int, int]:
    """Number of files, and their bytes."""
    files = {path for entry in entries for path in (entry.path, *(one.path for one in entry.sidecars))}
    return len(files), sum(size_of(path) for path in files)


def _staff(context: Context) -> list[Worker]:
    """A worker for each processor, and one more: in a large archive one of them waits for the disk at any time."""
    from app.wiring import make_worker

    return [make_worker(context.services) for _ in range((os.cpu_count() or 1) + 1)]


def _analyse(context: Context, stop: threading.Event) -> bool:
    """Work off the queue; False when told to stop before it was empty."""
    waiting = context.services.jobs.unfinished()
    if not waiting:
        return True
    context.say("ingest: analysing, fingerprinting and comparing ...")
    workers = _staff(context)
    tell = _left(context.say, waiting)

    def progress(left: int) -> None:
        tell(left)
        if stop.is_set():
            for worker in workers:
                worker.stop()

    work(workers, lambda one: one.drain(progress=progress, wait_s=30.0))
    return not (stop.is_set() and context.services.jobs.unfinished())


def _left(say: Callable[[str], None], waiting: int) -> Callable[[int], None]:
    """Says from time to time how much work is left: at each tenth of the most there was."""
    most, told = waiting, 10
    lock = threading.Lock()

    def progress(left: int) -> None:
        nonlocal most, told
        with lock:
            most = max(most, left)
            tenth = left * 10 // most if most else 0
            if tenth < told:
                told = tenth
                say(f"ingest: analysis, {left} pieces of work left")

    return progress
