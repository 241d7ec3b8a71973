"""An archive whose history is renewed for tests, with real time-stamping authorities (openssl) beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from app.access.service import Principal
from app.api.services import Services
from app.clock import Clock, system_clock
from app.custody.proofs import checkpoint_of
from app.evidence.models import Case
from app.intake.service import Deposit
from evidence_store.bundle.renewals import checkpoint_members, verify_object
from evidence_store.timestamps.ers import verify_record
from evidence_store.timestamps.token import TimestampToken
from tests.archives import close_archive, deposit, make_archive
from tests.archives import events_of as records_of
from tests.tsa import START, Authority, LocalTsa, Wanted, authority


def lasting(name: str, days: float) -> Authority:
    """An authority whose certificate, not its root, expires so many days from now."""
    good = authority(name)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    return replace(good, tsa=Wanted(f"{name} TSA", valid=(START, until)).issue(good.root))


@dataclass
class Stage:
    """An archive, its administrator, and the authorities that it asks.

    Attributes:
        tsas: by name.
    """

    services: Services
    admin: Principal
    case: Case
    folder: Path
    stack: ExitStack
    tsas: dict[str, LocalTsa] = field(default_factory=dict)

    def ask(self, name: str, who: Authority | None = None) -> LocalTsa:
        """Have an authority asked from now on."""
        tsa = LocalTsa(self.folder / f"tsa-{name}", who or authority(name))
        self.stack.enter_context(tsa)
        self.services.timestamps.add(self.admin.actor, name, tsa.url, tsa.authority.roots_pem)
        self.tsas[name] = tsa
        return tsa

    def ask_no_more(self, name: str) -> None:
        """Have an authority asked no more."""
        self.services.timestamps.remove(self.admin.actor, name)

    def deposit(self, data: bytes) -> Deposit:
        """An item more, with the events that come with it."""
        return deposit(self.services, self.admin, self.case, data)

    def read(self, item_id: str) -> None:
        """One event more of an item."""
        item, _ = self.services.evidence.find_item(self.admin, item_id)
        self.services.evidence.record_access(self.admin, item, "original")

    @property
    def roots(self) -> list[x509.Certificate]:
        """What to trust, to accept the tokens of all authorities."""
        return [root for tsa in self.tsas.values() for root in tsa.roots]

    @property
    def renewals(self) -> Path:
        """The folder of renewals."""
        return self.services.archive.settings.renewals

    def size(self) -> int:
        """The log, signed as it stands."""
        return checkpoint_of(self.services.checkpoint()).size

    def files(self, *objects: str) -> dict[str, bytes]:
        """What a bundle of these objects would carry now."""
        found = self.services.renewals.files_for(objects, self.size())
        assert len(found) == len(dict(found))
        return dict(found)

    def events(self, about: str) -> list[bytes]:
        """Canonical bytes of an object's events."""
        from app.custody.service import events_of

        with self.services.archive.db.read() as session:
            return [row.canonical for row in events_of(session, about)]

    def objects(self) -> list[str]:
        """Every object of the log."""
        with self.services.archive.db.read() as session:
            from sqlmodel import select

            from app.custody.models import EventRow

            return sorted(set(session.exec(select(EventRow.object))))

    def verify(self, files: dict[str, bytes], number: int, about: str) -> tuple[int, list[TimestampToken]]:
        """Verify an object's record in a renewal: how many of its events it covers, and the tokens."""
        record = files[f"custody/renewals/{number:03d}/{about.replace(':', '_')}.ers"]
        return verify_object(record, about, self.events(about), self.roots)

    def verify_checkpoint(self, files: dict[str, bytes], number: int) -> list[TimestampToken]:
        """Verify the record of a renewal's checkpoint."""
        folder = f"custody/renewals/{number:03d}"
        note = files[f"{folder}/checkpoint"]
        tokens = [data for path, data in files.items() if path.startswith(f"{folder}/") and path.endswith(".tst")]
        members = checkpoint_members(checkpoint_of(note).size, note, tokens)
        return verify_record(files[f"{folder}/checkpoint.ers"], members, self.roots)

    def told(self) -> list[dict[str, object]]:
        """The details of each renewal event, oldest first."""
        events = records_of(self.services, self.services.archive.about)
        return [dict(event.details) for event in events if event.type == "evidence renewal"]


@contextmanager
def stage(
    folder: Path, tsas: Sequence[str] = ("first",), *, database_url: str | None = None, clock: Clock = system_clock
) -> Iterator[Stage]:
    """A stage; its authorities run until the block ends."""
    with ExitStack() as stack:
        services = make_archive(folder, database_url, clock=clock)
        stack.callback(close_archive, services)
        admin = services.access.local_operator()
        case = services.evidence.create_case(admin, "T1", "a case")
        made = Stage(services, admin, case, folder, stack)
        for name in tsas:
            made.ask(name)
        yield made
