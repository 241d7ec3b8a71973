"""Archives whose keys change: a clock that tests move, a time-stamping authority of the same time, and thieves."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlmodel import func, select

from app.api.services import Services
from app.archive import SealKey
from app.config import Settings
from app.custody.log_store import computed, tree_size
from app.custody.models import CheckpointRow
from app.evidence.models import Case, Receipt
from app.keyring.rotation import Wish
from app.wiring import open_archive
from evidence_store.keys.file import load_signer
from evidence_store.log import merkle, note
from evidence_store.seal import build_seal
from tests.archives import PASSPHRASE, copy_archive, deposit, make_archive, settings_of
from tests.checks import audit
from tests.databases import fresh_postgres
from tests.tsa import LocalTsa

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Hands:
    """A clock that tests move; it ticks by itself, so that no two times are the same."""

    now: datetime = BEGUN

    def __call__(self) -> datetime:
        """The time."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def pass_days(self, days: float) -> None:
        """Let time go by."""
        self.now += timedelta(days=days)


class Machine(Hands):
    """The machine's own clock, for archives that processes work on as well."""

    def __call__(self) -> datetime:
        """The time."""
        return datetime.now(UTC)


@cache
def _begun(backend: str) -> tuple[Settings, datetime]:
    """An archive that began when all of them do, to be copied; and its time."""
    folder, clock = Path(tempfile.mkdtemp(prefix="catena-ring-")), Hands()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    url = fresh_postgres() if backend == "postgresql" else None
    with closing(make_archive(folder, url, clock=clock, fresh=True).archive.db):
        return settings_of(folder / "archive", url), clock.now


@dataclass
class Ring:
    """One archive and its keys, over time.

    Attributes:
        folder: of the test.
        database_url: another database than SQLite in the data folder.
        clock: of the archive.
        items: one per deposit, in order.
        fresh: with an identity and keys of its own; otherwise all that begin at the same time have the same.
    """

    folder: Path
    database_url: str | None = None
    clock: Hands = field(default_factory=Hands)
    items: list[str] = field(default_factory=list)
    fresh: bool = False

    def __post_init__(self) -> None:
        self.services: Services = self._made()
        self.who = self.services.access.local_operator()
        self.case: Case = self.services.evidence.create_case(self.who, "T1")

    def _made(self) -> Services:
        if self.fresh or isinstance(self.clock, Machine) or self.clock.now != BEGUN:
            return make_archive(self.folder, self.database_url, clock=self.clock, fresh=True)
        template, self.clock.now = _begun("postgresql" if self.database_url else "sqlite")
        return copy_archive(template, self.folder, self.database_url, self.clock)

    @property
    def keys(self) -> Path:
        """The key folder."""
        return self.services.archive.settings.keys

    def opened(self) -> Services:
        """The same archive in another process, as far as keys in memory go."""
        return open_archive(self.services.archive.settings, lambda: PASSPHRASE, self.clock)

    def deposit(self, services: Services | None = None) -> Receipt | None:
        """Deposit something new; its receipt, if it got one."""
        number = len(self.items)
        made = deposit(services or self.services, self.who, self.case, b"item %d" % number, f"{number}.bin")
        self.items.append(made.item.id)
        return made.receipt

    def rotate(self, use: str, **wish: Any) -> None:  # noqa: ANN401 - any field of a wish
        """Rotate a key, a day after what was done before."""
        self.clock.pass_days(1)
        self.services.keyring.rotate(self.who, Wish(use, **wish))
        self.clock.pass_days(1)

    def compromise(self, use: str, since: datetime, key: str | None = None) -> None:
        """Disown a key."""
        self.services.keyring.compromise(self.who, use, since.isoformat(), key=key, reason="the laptop was stolen")

    def findings(self, *severities: str) -> set[tuple[str, str]]:
        """(code, subject) of what an audit finds."""
        return {(f["code"], f["subject"]) for f in audit(self.services)["findings"] if f["severity"] in severities}

    def stamp(self, tsa: LocalTsa, *subjects: str) -> None:
        """Have things stamped as of now by the archive's clock."""
        tsa.at = self.clock.now.replace(microsecond=0)
        for subject in subjects:
            states = self.services.timestamps.obtain(subject, 30)
            assert [state.state for state in states] == ["done"], states

    def stamp_log(self, tsa: LocalTsa) -> int:
        """Sign the head and have it stamped as of now; its size."""
        tsa.at = self.clock.now.replace(microsecond=0)
        signed = self.services.checkpoint()
        size = note.parse_checkpoint(signed.decode().rpartition("\n\n")[0] + "\n").size
        self.services.timestamps.work()
        states = self.services.timestamps.states(f"checkpoint:{size}")
        assert [state.state for state in states] == ["done"], states
        return size

    def with_tsa(self, tsa: LocalTsa) -> None:
        """Ask this authority from now on."""
        tsa.at = self.clock.now.replace(microsecond=0)
        self.services.timestamps.add(self.who.actor, "first", tsa.url, tsa.authority.roots_pem)


def old_seal_key(ring: Ring, key: Path, certificate: Path) -> SealKey:
    """What somebody has who kept a seal key; it seals whatever the archive says."""
    from cryptography import x509

    pem = x509.load_pem_x509_certificate(certificate.read_bytes())
    issuer = x509.load_pem_x509_certificate((ring.keys / "ca.crt").read_bytes())
    signer = load_signer(key, PASSPHRASE)
    return SealKey(pem, issuer, lambda data, when: build_seal(data, pem, signer.sign, when, authority=issuer))


def sign_behind_its_back(ring: Ring, key: Path) -> int:
    """Put a checkpoint of the log as it stands into the database, signed with a log key of one's own; its size."""
    signer = load_signer(key, PASSPHRASE)
    origin = ring.services.archive.identity.log
    db = ring.services.archive.db
    with db.read() as session:
        size = tree_size(session)
        root = computed(session, lambda read: merkle.root_at(size, read))
    text = note.checkpoint_text(note.Checkpoint(origin, size, root))
    raw = signer.public_key.public_bytes_raw()  # type: ignore[union-attr]
    signed = note.sign_note(text, origin, raw, signer.sign)
    with db.write() as session:
        seq = session.exec(select(func.count()).select_from(CheckpointRow)).one()
        session.add(CheckpointRow(size=size, seq=seq, note=signed))
    return size
