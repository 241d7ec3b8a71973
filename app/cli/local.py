"""Depositing in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from app.access.service import Principal
from app.api.services import Services
from app.cli.fixed import changed, chunks, opened
from app.cli.orders import Ready
from app.cli.outcome import Beside, Taken, keep_receipt
from app.errors import NotFoundError
from app.evidence.models import Case
from app.intake.collections.entries import Check
from app.intake.offers import Known, Offer


class Local:
    """One case of the archive that this process has opened."""

    def __init__(self, services: Services, who: Principal, case: Case | None, receipts: Path) -> None:
        """Bind to a case.

        Args:
            services: the archive.
            who: the depositor, who may ingest into that case.
            case: None only for a forecast of what would go into a new case.
            receipts: folder for receipts.
        """
        self._services, self._who, self._case, self._receipts = services, who, case, receipts

    def look_up(self, offers: Sequence[Offer], *, again: bool, record: bool) -> list[Known]:
        """What of these the case holds already."""
        if self._case is None:
            return [Known("new") for _ in offers]
        return self._services.offers.look_up(self._who, self._case, offers, again=again, record=record)

    def deposit(self, ready: Ready, moved: Callable[[int], None]) -> Taken:
        """Store, seal and log one file; its bytes must be those that were hashed."""
        if self._case is None:
            raise NotFoundError("unknown_case", "there is no such case")
        intake, order = self._services.intake, ready.order
        with opened(order.path, ready.file) as stream, intake.stage() as staged:
            for chunk in chunks(stream):
                intake.write(staged, chunk)
                moved(len(chunk))
            if staged.digests().sha256 != ready.file.sha256:
                raise changed()
            done = intake.deposit(self._who, self._case, staged, order.name, order.source, ready.key, order.checks)
        receipt = done.receipt
        kept = keep_receipt(self._receipts, done.item.id, receipt.statement, receipt.seal) if receipt else None
        return Taken(done.item.id, order.shown, done.digests.sha256, done.digests.size, done.duplicate_of, kept)

    def add_checks(self, item: str, checks: Sequence[Check]) -> None:
        """Record checks with an item that is there."""
        self._services.checks.add(self._who, item, checks, checked_by="archive")

    def fetch_receipt(self, item: str) -> None:
        """Keep the receipt of an item that an interrupted run had deposited; made now if it was not."""
        receipt = self._services.intake.seal_item(item)
        keep_receipt(self._receipts, item, receipt.statement, receipt.seal)

    def relate(self, beside: Beside) -> None:
        """Record that a sidecar belongs to its medium."""
        self._services.relations.add(self._who, beside.item, beside.of_item, "sidecar", beside.basis)
