"""Pieces of the archive's work that a crash may interrupt: how each begins, what it does, what is left in between.

Each play starts from a copy of a prepared archive, does one thing as a client or a server would, and can be taken up
again after a crash by the very same function. `left` reads from disk and database how far the interrupted work came.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw
from sqlmodel import col, select

from app import wiring
from app.api.services import Services
from app.config import IDENTITY_FILE, Settings
from app.custody.models import CheckpointRow
from app.evidence.models import Item
from app.export.models import ExportRow
from evidence_store.verify.checks import verify_bundle
from schemas.records.v1.source import SourceContext
from tests.archives import PASSPHRASE, deposit, make_archive, settings_of
from tests.checks import audit, work_off_at_once

Told = list[dict[str, str]]


class Stage:
    """A folder in which work is done, and whom acknowledgements are told to.

    Attributes:
        data: the folder: an archive's, in most plays.
        seed: chooses the payload.
        tell: told each acknowledgement, as the client would be.
    """

    def __init__(self, data: Path, seed: int, tell: Callable[..., None]) -> None:
        self.data = data
        self.seed = seed
        self.tell = tell

    @cached_property
    def services(self) -> Services:
        """The archive, opened on first use."""
        return wiring.open_archive(settings(self.data), lambda: PASSPHRASE)

    def close(self) -> None:
        """Give the database's connections back."""
        if "services" in self.__dict__:
            self.services.archive.db.close()


@dataclass(frozen=True)
class Play:
    """One piece of work.

    Attributes:
        prepare: brings a folder to where the work begins; None when the folder is not there yet.
        act: does the work once; tells what it acknowledges. Also what a client does after a crash.
        left: how far the work came, from the folder alone.
        kept: what is wrong after the work was taken up again, each line beginning with "lost" or "doubled".
        is_archive: whether the folder is an archive's, to be audited at the end.
        variants: in how many ways it can go, by the seed.
        templates: from how many different beginnings.
    """

    prepare: Callable[[Path, int], None] | None
    act: Callable[[Stage], None]
    left: Callable[[Path], str]
    kept: Callable[[Stage, Told], list[str]]
    is_archive: bool = True
    variants: int = 1
    templates: int = 1


def settings(data: Path) -> Settings:
    """An archive's settings; the head has a second place when its folder is there."""
    second = data / "second"
    # No heartbeat comes in between: its moment would be another in each run.
    return replace(
        settings_of(data), head_copy=second / "checkpoint" if second.is_dir() else None, lease_seconds=3600.0
    )


def begun(work: Callable[[Services, int], None]) -> Callable[[Path, int], None]:
    """A new archive in the folder, with something done in it."""

    def prepare(data: Path, variant: int) -> None:
        services = make_archive(data.parent)
        work(services, variant)
        services.archive.db.close()

    return prepare


# -- deposit ---------------------------------------------------------------------------------------


def with_case(services: Services, variant: int) -> None:
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    deposit(services, who, case, picture(variant), "before.jpg")
    work_off_at_once(services)
    services.checkpoint()


def _deposit(stage: Stage) -> None:
    rng = random.Random(stage.seed)  # noqa: S311 - repeatable
    _send(stage, [rng.randbytes(rng.choice((1, 700, 70_000))) for _ in range(rng.choice((1, 2, 4)))])


def _send_again(stage: Stage) -> None:
    """Bytes that are stored already, as another item."""
    _send(stage, [picture(0)])


def _send(stage: Stage, chunks: list[bytes]) -> None:
    services = stage.services
    who = services.access.local_operator()
    case = services.evidence.find_case(who, "T1")
    with services.intake.stage() as staged:
        for chunk in chunks:
            services.intake.write(staged, chunk)
        made = services.intake.deposit(who, case, staged, "now.bin", SourceContext(), f"key-{stage.seed}")
    stage.tell(item=made.item.id)


def _deposit_left(data: Path) -> str:
    if ask(data, "SELECT count(*) FROM receipt") == 2:
        return "receipt"
    if ask(data, "SELECT count(*) FROM item") == 2:
        return "item"
    rows = ask(data, "SELECT count(*) FROM blob")
    return "bytes" if len(list((data / "blobs" / "sha256").glob("*/*/*"))) > rows else "nothing"


def _deposit_kept(stage: Stage, told: Told) -> list[str]:
    services = stage.services
    with services.archive.db.read() as session:
        mine = session.exec(select(Item).where(Item.deposit_key == f"key-{stage.seed}")).all()
    ids = {item.id for item in mine}
    lost = [f"lost: {one['item']}" for one in told if one.get("item") and one["item"] not in ids]
    doubled = [f"doubled: {item.id}" for item in mine[1:]]
    lost += [f"lost: the receipt of {item.id}" for item in mine if services.evidence.receipt(item.id) is None]
    return lost + doubled + ([] if mine else ["lost: the deposit, although it was repeated"])


# -- analysis and comparison -----------------------------------------------------------------------


def _with_deposit(services: Services, variant: int) -> None:
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    deposit(services, who, case, picture(variant), "before.jpg")
    work_off_at_once(services)
    deposit(services, who, case, picture(variant * 100), "now.jpg")
    services.checkpoint()


def _work(stage: Stage) -> None:
    work_off_at_once(stage.services)
    stage.tell(unfinished=str(stage.services.jobs.unfinished()))


def _work_left(data: Path) -> str:
    steps = (("compared", "item_match"), ("fingerprinted", "fingerprint"), ("analysed", "analysis_run"))
    compared = ask(data, "SELECT count(*) FROM custody_event WHERE type = 'comparison'") == 2
    for state, table in steps[1:]:
        if ask(data, f"SELECT count(*) FROM {table}") == 2:  # noqa: S608 - our own names
            return "compared" if compared else state
    return "deposited"


def _work_kept(stage: Stage, _told: Told) -> list[str]:
    wrong = []
    data = stage.data
    for table in ("analysis_run", "fingerprint", "receipt", "item"):
        rows = ask(data, f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
        wrong += [f"{'lost' if rows < 2 else 'doubled'}: {table} has {rows} rows"] if rows != 2 else []
    failed = ask(data, "SELECT count(*) FROM analysis_run WHERE state <> 'done'")
    dead = ask(data, "SELECT count(*) FROM job WHERE state <> 'done'")
    return [*wrong, *([f"lost: {failed} analyses failed, {dead} jobs undone"] if failed or dead else [])]


# -- checkpoint ------------------------------------------------------------------------------------


def _with_growth(services: Services, variant: int) -> None:
    with_case(services, variant)
    second = services.archive.settings.data / "second"
    second.mkdir()
    shutil.copy(services.archive.settings.head_file, second)
    services.access.create_token(services.access.local_operator().actor, "admin", "a token")


def _checkpoint(stage: Stage) -> None:
    stage.tell(note=stage.services.checkpoint().decode())


def _checkpoint_left(data: Path) -> str:
    with closing(sqlite3.connect(data / "catena.db")) as connection:
        (size,) = connection.execute("SELECT size FROM log_head").fetchone()
        (signed,) = connection.execute("SELECT max(size) FROM checkpoint").fetchone()
    places = (data / "head" / "checkpoint", data / "second" / "checkpoint")
    kept = [int(path.read_text(encoding="utf-8").splitlines()[1]) if path.exists() else 0 for path in places]
    if signed < size:
        return "unsigned"
    return ("stored", "kept", "kept twice")[kept.count(size)]


def _checkpoint_kept(stage: Stage, told: Told) -> list[str]:
    with stage.services.archive.db.read() as session:
        notes = set(session.exec(select(CheckpointRow.note)))
        numbers = list(session.exec(select(CheckpointRow.seq).order_by(col(CheckpointRow.size))))
    lost = [f"lost: checkpoint {one['note'].splitlines()[1]}" for one in told if one["note"].encode() not in notes]
    return lost + ([] if numbers == list(range(len(numbers))) else [f"doubled: checkpoints {numbers}"])


# -- export ----------------------------------------------------------------------------------------


def _export(stage: Stage) -> None:
    services = stage.services
    row = services.exports.create(services.access.local_operator(), case_ref="T1", purpose="test")
    stage.tell(export=row.id)


def _export_left(data: Path) -> str:
    files = {path.suffix for path in (data / "exports").iterdir()}
    states = texts(data, "SELECT state FROM export")
    if states == ["done"]:
        return "finished"
    if ".zip" in files:
        return "published"
    if states != ["building"]:
        return "part" if ".part" in files else "nothing"
    covered = ask(data, "SELECT max(size) FROM checkpoint") == ask(data, "SELECT size FROM log_head")
    return "covered" if covered else "announced"


def _export_kept(stage: Stage, told: Told) -> list[str]:
    folder = stage.services.archive.settings.exports
    with stage.services.archive.db.read() as session:
        rows = {row.id: row for row in session.exec(select(ExportRow))}
    wrong = [f"lost: export {one['export']}" for one in told if "export" in one and one["export"] not in rows]
    files = {path.name for path in folder.iterdir()}
    done = {f"{row.id}.zip" for row in rows.values() if row.state == "done"}
    if files != done:
        wrong.append(f"half-file: the export folder holds {files ^ done} too much or too little")
    for name in sorted(files & done):
        report = verify_bundle(folder / name)
        wrong += [] if report.ok else [f"lost: bundle {name}: {report.findings}"]
    if any(row.state == "building" for row in rows.values()):
        wrong.append("lost: an export is still being made by nobody")
    return wrong


# -- audit -----------------------------------------------------------------------------------------


def _audit(stage: Stage) -> None:
    report = audit(stage.services)
    # What says itself that it could not be recorded was not acknowledged.
    if "audit_not_recorded" not in {finding["code"] for finding in report["findings"]}:
        stage.tell(audit=str(report["id"]), ok=str(report["ok"]))


def _audit_left(data: Path) -> str:
    if ask(data, "SELECT count(*) FROM audit"):
        return "recorded"
    return "begun" if ask(data, "SELECT count(*) FROM audit_run") else "nothing"


def _audit_kept(stage: Stage, told: Told) -> list[str]:
    known = texts(stage.data, "SELECT id FROM audit")
    lost = [f"lost: audit {one['audit']}" for one in told if one["audit"] not in known]
    return lost + [f"lost: an untouched archive was called damaged: {one}" for one in told if one["ok"] != "True"]


# -- a new archive ---------------------------------------------------------------------------------


def _init(stage: Stage) -> None:
    if stage.data.exists() and not (stage.data / IDENTITY_FILE).exists():
        shutil.rmtree(stage.data)  # as the command says
    if not stage.data.exists():
        made = wiring.init_archive(settings(stage.data), "Archive of the Tests", PASSPHRASE)
        stage.tell(archive=made.identity.id, token=made.token)


def _init_left(data: Path) -> str:
    return "archive" if (data / IDENTITY_FILE).exists() else "no archive"


def _init_kept(stage: Stage, told: Told) -> list[str]:
    identity = stage.services.archive.identity.id
    lost = [f"lost: archive {one['archive']}" for one in told if one["archive"] != identity]
    for one in told:
        stage.services.access.authenticate(one["token"])
    stage.services.archive.seal_key()
    return lost


# -- helpers ---------------------------------------------------------------------------------------


def picture(seed: int) -> bytes:
    """A JPEG that a fingerprint can be made of."""
    rng = random.Random(seed)  # noqa: S311 - repeatable
    image = Image.radial_gradient("L").resize((200, 150)).convert("RGB")
    for _ in range(20):
        x, y = rng.randrange(180), rng.randrange(130)
        ImageDraw.Draw(image).rectangle((x, y, x + 18, y + 15), fill=tuple(rng.randrange(256) for _ in range(3)))
    stream = BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def ask(data: Path, query: str) -> Any:  # noqa: ANN401 - any value of a database
    with closing(sqlite3.connect(data / "catena.db")) as connection:
        return connection.execute(query).fetchone()[0]


def texts(data: Path, query: str) -> list[str]:
    with closing(sqlite3.connect(data / "catena.db")) as connection:
        return [str(row[0]) for row in connection.execute(query)]


WITH_CASE: Final = begun(with_case)
PLAYS: Final = {
    "init": Play(None, _init, _init_left, _init_kept),
    "deposit": Play(WITH_CASE, _deposit, _deposit_left, _deposit_kept, variants=3),
    "duplicate": Play(WITH_CASE, _send_again, _deposit_left, _deposit_kept),
    "work": Play(begun(_with_deposit), _work, _work_left, _work_kept, variants=2, templates=2),
    "checkpoint": Play(begun(_with_growth), _checkpoint, _checkpoint_left, _checkpoint_kept),
    "export": Play(WITH_CASE, _export, _export_left, _export_kept),
    "audit": Play(WITH_CASE, _audit, _audit_left, _audit_kept),
}
