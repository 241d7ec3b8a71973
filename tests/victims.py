"""An archive to be attacked: an item analysed, matched, linked, reviewed, exported; each attack works on a copy."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from app import wiring
from app.api.services import Services
from app.custody.vkeys import verifier_lines
from app.intake.collections.entries import Check
from evidence_store.canonical import canonical_bytes, parse_canonical
from schemas.records.v1.source import SourceContext
from tests.archives import PASSPHRASE, deposit, make_archive, person
from tests.checks import assert_clean, work_off
from tests.witnesses import listening, make_witness, policy_text, vkeys_of


class Victim:
    """A copy of the archive that an attack may spoil."""

    def __init__(self, data: Path) -> None:
        self.data = data
        made().archive.db.close()
        shutil.copytree(made().archive.settings.data, data)

    @cached_property
    def services(self) -> Services:
        """The copy, opened on first use: after the attack."""
        archive = made().archive
        settings = replace(archive.settings, data=self.data, database_url=f"sqlite:///{self.data / 'catena.db'}")
        opened = wiring.open_archive(settings, lambda: PASSPHRASE, for_audit=True)
        object.__setattr__(opened.archive, "seal_key", archive.seal_key)
        object.__setattr__(opened.archive, "log_key", archive.log_key)
        return opened

    def sql(self, *statements: str) -> None:
        """Edit the database behind the archive's back."""
        with closing(sqlite3.connect(self.data / "catena.db")) as connection, connection:
            connection.execute("PRAGMA foreign_keys=OFF")
            for statement in statements:
                assert connection.execute(statement).rowcount >= 1, f"changed nothing: {statement}"

    def do(self, statement: str) -> None:
        """Change the schema behind the archive's back."""
        with closing(sqlite3.connect(self.data / "catena.db")) as connection, connection:
            connection.execute("PRAGMA foreign_keys=OFF")
            connection.execute(statement)

    def change_event(self, where: str, change: Callable[[Any], None]) -> None:
        """Rewrite one event's canonical bytes."""
        with closing(sqlite3.connect(self.data / "catena.db")) as connection, connection:
            (canonical,) = connection.execute(
                f"SELECT canonical FROM custody_event WHERE {where}"  # noqa: S608 - our own words
            ).fetchone()
            event = parse_canonical(canonical)
            change(event)
            assert canonical_bytes(event) != canonical
            connection.execute(
                f"UPDATE custody_event SET canonical = ? WHERE {where}",  # noqa: S608
                (canonical_bytes(event),),
            )

    def one(self, query: str) -> str:
        """One value of the database."""
        with closing(sqlite3.connect(self.data / "catena.db")) as connection:
            return str(connection.execute(query).fetchone()[0])

    def blob(self) -> Path:
        """The stored original."""
        sha256 = self.one("SELECT sha256 FROM item ORDER BY received_at LIMIT 1")
        return self.data / "blobs" / "sha256" / sha256[:2] / sha256[2:4] / sha256

    def flip(self, path: Path) -> None:
        """Flip one bit in the middle of a file."""
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.chmod(0o644)
        path.write_bytes(bytes(data))


def picture(seed: int) -> bytes:
    """A JPEG that a fingerprint can be made of."""
    image = Image.effect_noise((320, 240), 60).convert("RGB")
    ImageDraw.Draw(image).ellipse((40 + seed, 40, 200, 200), fill=(200, 30, seed))
    stream = BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _witness(services: Services, folder: Path) -> None:
    """Have the head co-signed by a witness that is gone afterwards."""
    witness = make_witness(folder / "witness", "ngo-b.example/w", *verifier_lines(services.archive.settings.keys))
    with listening(witness) as url:
        policy = policy_text(("ngo-b", vkeys_of(witness)[0], url))
        services.witnessing.set_policy(services.access.local_operator().actor, policy)
        services.checkpoint()
        services.witnessing.work()
    assert services.witnessing.state().met


@cache
def made() -> Services:
    """The archive that attacks work on copies of; made once per process."""
    folder = Path(tempfile.mkdtemp(prefix="catena-made-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    services = make_archive(folder)
    admin = services.access.local_operator()
    case = services.evidence.create_case(admin, "T1")
    second = person(services, "second", "legal", case)
    data = picture(1)
    first = deposit(services, admin, case, data, "strike.jpg")
    deposit(services, admin, case, data, "copy.jpg")
    failed = Check("manifest_sha256", "failed", {"reason": "another file"})
    notes = services.intake.deposit_bytes(admin, case, [b"notes"], "notes.txt", SourceContext(note="1"), [failed]).item
    services.sources.revise(admin, notes.id, {"note": "2"}, "a slip of the pen", 1)
    services.relations.add(admin, notes.id, first.item.id, "sidecar", "named after it")
    services.quotas.decide(admin, "second", 1_000_000)
    work_off(services)
    link = services.law.create_link(admin, first.item.id, "ap1-art62", "supports", "A fire engine is seen.")
    services.reviews.review_link(second, link.id, "approve", "")
    _witness(services, folder)
    services.exports.create(admin, case_ref="T1", purpose="test")
    services.access.create_token(admin.actor, "second")
    services.checkpoint()
    assert_clean(services)
    services.checkpoint()
    return services
