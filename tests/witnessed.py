"""Archives that are witnessed: a clock that tests set forward, a log that grows, and what is known of its witnesses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlmodel import select

from app.api.services import Services
from app.clock import system_clock
from app.custody.service import events_of
from app.custody.vkeys import log_keys, verifier_lines
from app.witnessing.models import CosignatureRow
from app.witnessing.service import WitnessState
from evidence_store.log.note import open_checkpoint
from evidence_store.witness.folder import WitnessFolder
from tests.archives import deposit, make_archive
from tests.databases import fresh_postgres
from tests.witnesses import policy_text


class Clock:
    """The machine's clock, and what a test adds to it."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return system_clock() + self.ahead


@contextmanager
def witnessed(folder: Path, clock: Clock, backend: str = "sqlite") -> Iterator[Services]:
    """An archive on a kind of database, open until the block ends."""
    made = make_archive(folder, fresh_postgres() if backend == "postgresql" else None, clock=clock)
    try:
        yield made
    finally:
        made.archive.db.close()


def grow(services: Services, entries: int = 1) -> int:
    """Add to the log and sign its head; returns its size."""
    who = services.access.local_operator()
    case = services.evidence.case_or_none("T1") or services.evidence.create_case(who, "T1")
    for number in range(entries):
        deposit(services, who, case, f"{number} {system_clock()}".encode())
    return open_checkpoint(services.checkpoint(), *log_keys(services.archive.settings.keys)).size


def own_keys(services: Services) -> list[str]:
    """The keys of the log, as a witness is told of them."""
    return verifier_lines(services.archive.settings.keys)


def follow(services: Services, *witnesses: tuple[str, str, str | None], quorum: str = "all") -> None:
    """Have the archive follow these witnesses."""
    actor = services.access.local_operator().actor
    services.witnessing.set_policy(actor, policy_text(*witnesses, quorum=quorum))


def states_of(services: Services) -> dict[str, WitnessState]:
    """What is known of each witness, by its name."""
    return {one.name: one for one in services.witnessing.state().witnesses}


def stored_cosignatures(services: Services) -> list[tuple[int, str]]:
    """Size and witness of each co-signature that is kept."""
    with services.archive.db.read() as session:
        return sorted((row.size, row.witness) for row in session.exec(select(CosignatureRow)))


def key_name(folder: WitnessFolder) -> str:
    """How the audit and the log call a witness: by the name and number of its first key."""
    key = folder.public_keys()[0]
    return f"{key.name}+{key.key_id:08x}"


def details_of(services: Services, what: str) -> list[dict[str, object]]:
    """What the events of a type say, oldest first."""
    with services.archive.db.read() as session:
        rows = events_of(session, services.archive.about)
        return [json.loads(row.canonical)["details"] for row in rows if row.type == what]
