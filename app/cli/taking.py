"""Taking many files in: hashed in parallel, asked for in batches, sent or stored in parallel, related at the end.

1. A batch is hashed, one question tells what of it the case holds, the rest is deposited: nothing is sent twice.
2. A file's bytes are those that were hashed, or it is refused (`changed_while_read`).
3. One file's trouble is its own; only what the next file would meet too (no server, no valid token) ends the run.
4. Memory is bounded: by batches, and by one chunk for each worker.
5. Told to stop, it ends after the files under way; what was not tried is said, and the same command goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from app.cli.common import BAD_INPUT, ENVIRONMENT, exit_code_of
from app.cli.fixed import fix
from app.cli.journal import Journal
from app.cli.meter import Meter
from app.cli.orders import Depositor, NotTriedError, Order, Ready, UnreadableError, batches, in_vain
from app.cli.outcome import Beside, CheckFailed, Forecast, Outcome, Refused, Skipped, Taken, asked_for
from app.cli.own_files import Identity
from app.errors import CatenaError
from app.intake.collections.entries import Entry, Unpacked
from app.intake.collections.folder import size_of
from app.intake.offers import Known
from evidence_store.errors import EvidenceStoreError

T = TypeVar("T")
ABOUT_ONE_FILE = frozenset({413, 422})  # HTTP: what is wrong with the question as a whole may be one file's fault
# And all that the environment refuses.
LATER = frozenset({"busy", "database_busy", "digests_broken", "quota_exceeded", "rate_limited"})


class Taking:
    """One run over the entries of a collection."""

    def __init__(
        self,
        depositor: Depositor,
        journal: Journal,
        case_ref: str,
        *,
        jobs: int = 1,
        again: bool = False,
        stop: threading.Event | None = None,
        unpacked: Unpacked | None = None,
        secrets: Callable[[], Collection[Identity]] = frozenset,
    ) -> None:
        """Bind to a place where files go.

        Args:
            depositor: takes them.
            journal: of this run.
            case_ref: the case, as it was named.
            jobs: files in hand at once.
            again: make a second item of what the case holds already.
            stop: set when no further file is to be begun.
            unpacked: where the files come from, when they were unpacked.
            secrets: the files that are never read or sent, whatever they are called; asked anew for each file.
        """
        self.outcome = Outcome()
        self._depositor, self._journal, self._case = depositor, journal, case_ref
        self._jobs, self._again, self._unpacked = jobs, again, unpacked
        self._stop = stop or threading.Event()
        self._secrets = secrets
        self._vain: CatenaError | EvidenceStoreError | None = None
        self._later = False
        self._items: dict[Path, str] = {}
        self._own: set[Path] = set()
        self._lookalikes: set[Path] = set()
        self._taken: set[str] = set()
        self._told: dict[Path, Taken | Skipped | Refused] = {}
        self._meter: Meter | None = None
        self._lock = threading.Lock()

    @property
    def complete(self) -> bool:
        """Whether every file had its turn, and nothing of any is left for a better day."""
        return self._vain is None and not self._later and not self._stop.is_set()

    def take(self, entries: Sequence[Entry], meter: Meter | None = None) -> Outcome:
        """Take all of them in.

        Returns:
            What became of them, in their order.
        """
        self._meter, self._vain, self._taken = meter, None, set()
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="catena-ingest") as pool:
            for batch in batches(entries):
                self._batch(pool, batch)
        return self.outcome

    def forecast(self, entries: Sequence[Entry]) -> Forecast:
        """What `take` would do; nothing is recorded."""
        new: list[tuple[Path, str, int]] = []
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="catena-ingest") as pool:
            for batch in batches(entries):
                orders = self._orders(batch)
                ready = self._ready(pool, orders)
                answers = {one.order.path: known for one, known in self._answers(ready, record=False)}
                for one in ready:
                    known = answers[one.order.path]
                    if known is not None and known.item is not None:
                        self._told[one.order.path] = self._skipped(one, known)
                        self._mark(one, known)
                    else:
                        self._own.add(one.order.path)
                        new.append((Path(one.order.shown), one.file.sha256, one.file.size))
                    self._items[one.order.path] = ""
                self._tell(orders)
                self.outcome.sidecars += [
                    Beside(self._shown(s.path), "", self._shown(entry.path), "", s.kind, s.basis)
                    for entry in batch
                    for s in entry.sidecars
                    if self._certain(entry, s.path)
                ]
        return Forecast(self.outcome, new)

    # -- one batch ----------------------------------------------------------------------------

    def _batch(self, pool: ThreadPoolExecutor, batch: list[Entry]) -> None:
        orders = self._orders(batch)
        left = self._ready(pool, orders)
        while left:
            new, left = self._unknown(pool, left)  # what has the bytes of another file of the batch comes after it
            for one, taken in zip(new, pool.map(self._deposit, new), strict=True):
                if taken is not None:
                    self._told[one.order.path] = taken
                    self._items[one.order.path] = taken.id
                    self._own.add(one.order.path)
                    self._taken.add(one.file.sha256)
            self._catch_up(pool, [(one, False) for one in new if one.order.path in self._items])
        self._tell(orders)
        related = [beside for entry in batch for beside in self._beside(entry)]
        self.outcome.sidecars += [one for one in pool.map(self._relate, related) if one is not None]

    def _orders(self, batch: list[Entry]) -> list[Order]:
        """Each file of the batch once, media before their sidecars; a shared sidecar only with its first medium."""
        orders: dict[Path, Order] = {}
        for entry in batch:
            if entry.path not in self._items:
                orders.setdefault(entry.path, self._order(entry.path, entry.name, entry))
            for one in entry.sidecars:
                if one.path not in self._items:
                    orders.setdefault(one.path, self._order(one.path, one.path.name, replace(entry, checks=())))
        return list(orders.values())

    def _order(self, path: Path, name: str, entry: Entry) -> Order:
        return Order(path, self._shown(path), name, entry.source, entry.checks, size_of(path))

    def _inside(self, path: Path) -> str | None:
        return None if self._unpacked is None else self._unpacked.place(path)

    def _shown(self, path: Path) -> str:
        """A file as it is called to people: as it was named, or by its place in what was unpacked."""
        return self._inside(path) or str(path)

    def _ready(self, pool: ThreadPoolExecutor, orders: list[Order]) -> list[Ready]:
        return [one for one in pool.map(self._fix, orders) if one is not None]

    def _fix(self, order: Order) -> Ready | None:
        file = self._guarded(order.path, lambda: fix(order.path, self._secrets()), order.size)
        if file is None:
            return None
        place = self._inside(order.path) or str(order.path.absolute())
        return Ready(order, file, self._journal.key(self._case, file.sha256, place, order.source))

    def _catch_up(self, pool: ThreadPoolExecutor, held: list[tuple[Ready, bool]]) -> None:
        """What goes with an item beside its bytes: checks of the file, and the receipt of an interrupted deposit."""

        def one_of(told: tuple[Ready, bool]) -> None:
            one, interrupted = told
            path, checks, item = Path(one.order.shown), one.order.checks, self._items[one.order.path]
            if checks:
                what = f"it is item {item}; its checks are not recorded"
                self._also(path, "checks_not_recorded", what, lambda: self._depositor.add_checks(item, checks))
            if interrupted:
                what = f"it is item {item}; its receipt is not kept"
                self._also(path, "receipt_not_kept", what, lambda: self._depositor.fetch_receipt(item))

        list(pool.map(one_of, held))

    def _unknown(self, pool: ThreadPoolExecutor, ready: list[Ready]) -> tuple[list[Ready], list[Ready]]:
        """Tell what is known, and return what is to be deposited, and what has the same bytes as one of those."""
        rest: list[Ready] = []
        skipped: list[tuple[Ready, bool]] = []
        for one in ready:
            item = self._journal.known("skipped", one.key)
            if item is None:
                rest.append(one)
            else:
                self._skip(one, Known("known", item, self._journal.known("namesake", one.key) is not None))
                skipped.append((one, False))
        new: dict[str, Ready] = {}
        twice: list[Ready] = []
        for one, known in self._answers(rest, record=True):
            if known is None:
                continue
            if known.item is not None:
                self._skip(one, known)
                skipped.append((one, known.state == "deposited"))
                if known.state == "known":
                    if known.same_name:
                        self._journal.note("namesake", one.key, known.item)
                    self._journal.note("skipped", one.key, known.item)
            elif one.file.sha256 in new:
                twice.append(one)
            else:
                new[one.file.sha256] = one
        self._catch_up(pool, skipped)
        return list(new.values()), twice

    def _answers(self, ready: list[Ready], *, record: bool) -> list[tuple[Ready, Known | None]]:
        """What the case has of these; None for those that cannot be asked for."""
        done, rest = self._deposited(ready)
        copies = [one for one in rest if one.file.sha256 in self._taken]  # where else they lay is a fact of its own
        rest = [one for one in rest if one.file.sha256 not in self._taken]
        return [
            *done,
            *zip(copies, self._look_up(copies, record=record, again=True), strict=True),
            *zip(rest, self._look_up(rest, record=record), strict=True),
        ]

    def _deposited(self, ready: list[Ready]) -> tuple[list[tuple[Ready, Known | None]], list[Ready]]:
        """What interrupted runs of this command deposited (or what cannot be asked for), and the rest.

        It is asked by the keys alone, and first: what has the same bytes as one of these is a copy that came in the
        same run, an item of its own, and not a file that the case held before.
        """
        if not self._journal.resumed:
            return [], ready
        answers = list(zip(ready, self._look_up(ready, record=False, again=True), strict=True))
        done = [(one, known) for one, known in answers if known is None or known.item is not None]
        self._taken |= {one.file.sha256 for one, known in done if known is not None}
        return done, [one for one, known in answers if known is not None and known.item is None]

    def _look_up(self, ready: list[Ready], *, record: bool, again: bool = False) -> list[Known | None]:
        """Ask for all at once; when one of them makes the question a bad one, for each half by itself."""
        again = again or self._again
        if not ready:
            return []
        try:
            if (vain := self._not_now()) is not None:
                raise vain
            offers = [one.offer for one in ready]
            return list(self._depositor.look_up(offers, again=again, record=record))
        except (CatenaError, EvidenceStoreError) as error:
            if len(ready) > 1 and isinstance(error, CatenaError) and error.status in ABOUT_ONE_FILE:
                half = len(ready) // 2
                halves = (ready[:half], ready[half:])
                return [one for part in halves for one in self._look_up(part, record=record, again=again)]
            for one in ready:
                self._refuse(one.order.path, error, one.file.size)
            return [None] * len(ready)

    def _deposit(self, ready: Ready) -> Taken | None:
        moved = 0

        def move(size: int) -> None:
            nonlocal moved
            moved += size
            if self._meter is not None:
                self._meter.moved(size)

        taken = self._guarded(
            ready.order.path, lambda: self._depositor.deposit(ready, move), lambda: max(ready.file.size - moved, 0)
        )
        if taken is not None and self._meter is not None:
            self._meter.done(max(ready.file.size - moved, 0))
        return taken

    def _beside(self, entry: Entry) -> Iterator[Beside]:
        medium = self._items.get(entry.path)
        for one in entry.sidecars:
            item = self._items.get(one.path)
            if medium and item and item != medium and self._certain(entry, one.path):
                yield Beside(self._shown(one.path), item, self._shown(entry.path), medium, one.kind, one.basis)

    def _certain(self, entry: Entry, sidecar: Path) -> bool:
        """Whether a relation is sure to be between these two items.

        One of the two is a deposit of this command: of two that the case held before, their depositor has said what
        belongs together. And neither is known by its bytes alone: that item may be another file's, with another basis.
        """
        both = {entry.path, sidecar}
        return not self._own.isdisjoint(both) and self._lookalikes.isdisjoint(both)

    def _relate(self, beside: Beside) -> Beside | None:
        key = f"{beside.item} {beside.of_item}"
        if self._journal.known("related", key) is not None:
            return beside
        what = f"its relation to {beside.of} is not recorded"
        told = Path(beside.path), "not_related", what
        if not self._also(*told, lambda: self._depositor.relate(beside), vain=self._not_now()):
            return None
        self._journal.note("related", key, beside.kind)
        return beside

    # -- telling ------------------------------------------------------------------------------

    def _skipped(self, one: Ready, known: Known) -> Skipped:
        stated = asked_for(one.order.source) if known.state == "known" else []
        return Skipped(one.order.shown, one.file.sha256, one.file.size, known.item or "", known.state, stated)

    def _skip(self, one: Ready, known: Known) -> None:
        self._told[one.order.path] = self._skipped(one, known)
        self._items[one.order.path] = known.item or ""
        self._mark(one, known)
        if self._meter is not None:
            self._meter.done(one.file.size)

    def _mark(self, one: Ready, known: Known) -> None:
        if known.state == "deposited":
            self._own.add(one.order.path)
        elif not known.same_name:
            self._lookalikes.add(one.order.path)

    def _tell(self, orders: list[Order]) -> None:
        """Add to the outcome, in the order of the entries."""
        for order in orders:
            for check in order.checks:
                if check.verdict == "failed":
                    item, reason = self._items.get(order.path, ""), str(check.record.get("reason", ""))
                    self.outcome.check_failed(CheckFailed(order.shown, item, check.kind, reason))
            told = self._told.pop(order.path, None)
            if isinstance(told, Taken):
                self.outcome.taken.append(told)
            elif isinstance(told, Skipped):
                self.outcome.skipped.append(told)
            elif told is not None:
                self.outcome.refused.append(told)

    def _guarded(self, path: Path, work: Callable[[], T], size: int | Callable[[], int]) -> T | None:
        """Do a piece of work on a file; its failure is told, and None returned."""
        try:
            if (vain := self._not_now()) is not None:
                raise vain
            return work()
        except (CatenaError, EvidenceStoreError) as error:
            self._refuse(path, error, size() if callable(size) else size)
        except OSError as error:
            refused = UnreadableError(error)
            self._refuse(path, refused, size() if callable(size) else size)
        return None

    def _also(
        self, path: Path, code: str, what: str, work: Callable[[], object], *, vain: CatenaError | None = None
    ) -> bool:
        """Do what goes with a file that is an item already; a failure is told beside what became of the file."""
        try:
            if (vain := vain or self._in_vain()) is not None:
                raise vain
            work()
        except (CatenaError, EvidenceStoreError) as error:
            self._trouble(error)
            with self._lock:
                self._later |= code == "not_related"
                self.outcome.refuse(path, code, f"{what}: {error.code}: {error.detail}", exit_code_of(error))
            return False
        return True

    def _not_now(self) -> CatenaError | None:
        if (vain := self._in_vain()) is not None:
            return vain
        if self._stop.is_set():
            return NotTriedError("stopped before its turn; the same command goes on", BAD_INPUT)
        return None

    def _in_vain(self) -> CatenaError | None:
        vain = self._vain
        return None if vain is None else NotTriedError(f"after {vain.code}", exit_code_of(vain))

    def _refuse(self, path: Path, error: CatenaError | EvidenceStoreError, size: int) -> None:
        self._trouble(error)
        with self._lock:
            self._told[path] = Refused(self._shown(path), error.code, error.detail, exit_code_of(error))
            self.outcome.exit_code = max(self.outcome.exit_code, exit_code_of(error))
        if self._meter is not None and error.code != "not_tried":
            self._meter.done(size)

    def _trouble(self, error: CatenaError | EvidenceStoreError) -> None:
        """Whether the rest of the run is spared the attempt, and whether the next run is to go on with this one."""
        if in_vain(error):
            self._vain = error
        if exit_code_of(error) >= ENVIRONMENT or error.code in LATER or error.code.startswith("too_many_"):
            self._later = True
