"""What passes between the steps of taking files in, and the errors that belong to one file or to all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.cli.common import ENVIRONMENT, exit_code_of
from app.cli.fixed import Fixed
from app.cli.outcome import Beside, Taken
from app.errors import CatenaError
from app.intake.collections.entries import Check, Entry
from app.intake.collections.folder import size_of
from app.intake.offers import Known, Offer
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.source import SourceContext

BATCH_FILES = 64
BATCH_BYTES = 256 << 20
UNAUTHENTICATED = 401


@dataclass(frozen=True, slots=True)
class Order:
    """A file that is to become an item, with what is stated of it.

    Attributes:
        path: its bytes.
        shown: what it is called to the one who gave the command.
        name: file name to record.
        source: what is stated.
        checks: of the collector's hashes and signatures.
        size: a forecast.
    """

    path: Path
    shown: str
    name: str
    source: SourceContext
    checks: tuple[Check, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Ready:
    """An order whose file was read once, and the key of its deposit."""

    order: Order
    file: Fixed
    key: str

    @property
    def offer(self) -> Offer:
        """As it is offered."""
        return Offer(self.file.sha256, self.order.name, self.order.source, self.key)


class Depositor(Protocol):
    """Where files go: an archive in this process, or a server; safe to use from several threads."""

    def look_up(self, offers: Sequence[Offer], *, again: bool, record: bool) -> list[Known]:
        """What of these the case holds already, one answer for each."""

    def deposit(self, ready: Ready, moved: Callable[[int], None]) -> Taken:
        """Deposit one file; `moved` is told the bytes as they go."""

    def add_checks(self, item: str, checks: Sequence[Check]) -> None:
        """Record checks with an item that is there; those that it has already are not recorded twice."""

    def fetch_receipt(self, item: str) -> None:
        """Keep the receipt of an item that an interrupted run had deposited, where receipts are kept."""

    def relate(self, beside: Beside) -> None:
        """Record that a sidecar belongs to its medium."""


class NotTriedError(CatenaError):
    """A file whose turn never came; the exit code is that of what came between."""

    def __init__(self, detail: str, exit_code: int) -> None:
        super().__init__("not_tried", detail, status=503 if exit_code == ENVIRONMENT else 409)


class UnreadableError(CatenaError):
    """What the operating system says when a file cannot be read."""

    def __init__(self, error: OSError) -> None:
        status = 503 if exit_code_of(error) == ENVIRONMENT else 422
        super().__init__("unreadable", error.strerror or str(error), status=status)


def in_vain(error: CatenaError | EvidenceStoreError) -> bool:
    """Whether the next file would meet the same."""
    return error.code == "server_unreachable" or (isinstance(error, CatenaError) and error.status == UNAUTHENTICATED)


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries by the dozen, fewer when they are large; a single one may be of any size."""
    batch: list[Entry] = []
    files, size = 0, 0
    for entry in entries:
        batch.append(entry)
        files += 1 + len(entry.sidecars)
        size += size_of(entry.path)
        if files >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, files, size = [], 0, 0
    if batch:
        yield batch
