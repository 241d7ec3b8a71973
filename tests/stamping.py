"""An archive whose clock tests move, and time-stamping authorities that it asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlmodel import col, select

from app.api.services import Services
from app.custody.models import CheckpointRow
from app.intake.service import Deposit
from app.timestamps.models import TimestampRow
from app.timestamps.service import Timestamps
from app.timestamps.stamps import StampState
from tests.archives import deposit, make_archive
from tests.checks import assert_clean
from tests.databases import fresh_postgres
from tests.tsa import LocalTsa, authority

CASE = "T1"


class Hands:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Scene:
    """An archive, a clock, and authorities that are asked."""

    services: Services
    clock: Hands
    folder: Path
    tsas: list[LocalTsa] = field(default_factory=list)

    @property
    def stamps(self) -> Timestamps:
        return self.services.timestamps

    def tsa(self, name: str = "first", *, roots: bytes | None = None, tsa: LocalTsa | None = None) -> LocalTsa:
        """A running authority that the archive asks."""
        made = tsa or LocalTsa(self.folder / name, authority(name))
        self.tsas.append(made)
        made.start()
        who = self.services.access.local_operator()
        self.stamps.add(who.actor, name, made.url, roots or made.authority.roots_pem, try_it=False)
        return made

    def deposit(self, data: bytes = b"data") -> Deposit:
        who = self.services.access.local_operator()
        case = self.services.evidence.case_or_none(CASE) or self.services.evidence.create_case(who, CASE)
        made = deposit(self.services, who, case, data)
        self.services.checkpoint()
        return made

    def rows(self) -> list[TimestampRow]:
        with self.services.archive.db.read() as session:
            return list(session.exec(select(TimestampRow).order_by(col(TimestampRow.id))))

    def states(self, subject: str) -> dict[str, str]:
        return {one.tsa: one.state for one in self.stamps.states(subject)}

    def one(self, subject: str) -> StampState:
        (found,) = self.stamps.states(subject)
        return found

    def newest(self) -> CheckpointRow:
        with self.services.archive.db.read() as session:
            return session.exec(select(CheckpointRow).order_by(col(CheckpointRow.size).desc()).limit(1)).one()


@contextmanager
def staged(folder: Path, backend: str) -> Iterator[Scene]:
    """A scene on a kind of database; the whole archive is checked when the block has ended well."""
    clock = Hands()
    made = Scene(
        make_archive(folder, fresh_postgres() if backend == "postgresql" else None, clock=clock), clock, folder
    )
    try:
        yield made
        assert_clean(made.services)
    finally:
        for tsa in made.tsas:
            tsa.stop()
        made.services.archive.db.close()
