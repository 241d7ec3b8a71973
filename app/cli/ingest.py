"""`catena ingest`: files and folders into a case, in process or through a server."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.common import BAD_INPUT, Context, Progress, command_options, table
from app.errors import CatenaError, InvalidInputError
from app.intake.service import parse_source
from evidence_store.durable import make_directories, replace_file
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.source import SourceContext

if TYPE_CHECKING:
    from app.evidence.models import Case

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was taken, as `--json` prints it."""

    id: str
    path: str
    sha256: str
    size: int
    duplicate_of: list[str]
    receipt: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not taken, and why."""

    path: str
    code: str
    detail: str


@click.command()
@command_options
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--case", "case_ref", required=True, metavar="REF", help="Case reference; made if you may.")
@click.option("--recursive", is_flag=True, help="Go into folders.")
@click.option("--source-url", default=None)
@click.option("--source-note", default=None)
@click.option("--collected-at", default=None, metavar="TIME", help="RFC 3339, such as 2025-07-06T14:00:00+03:00.")
@click.option("--collector", default=None, metavar="NAME")
@click.option("--server", default=None, metavar="URL", help="Send to a server; token in CATENA_TOKEN.")
@click.option("--receipts", type=click.Path(path_type=Path), default=None, help="Folder for receipts.")
@click.option("--no-analysis", is_flag=True, help="Leave the analysis to a worker.")
def ingest(
    context: Context,
    paths: tuple[Path, ...],
    case_ref: str,
    recursive: bool,
    source_url: str | None,
    source_note: str | None,
    collected_at: str | None,
    collector: str | None,
    server: str | None,
    receipts: Path | None,
    no_analysis: bool,
) -> int:
    """Take files into a case: hash, store, seal, log, then analyse and compare."""
    said = {"url": source_url, "note": source_note, "collected_at": collected_at, "collector": collector}
    source = parse_source({key: value for key, value in said.items() if value is not None})
    files = list(_expand(paths, recursive=recursive))
    if not files:
        raise InvalidInputError("nothing_to_ingest", "no files there")
    if server is not None:
        from app.cli.remote import Remote

        remote = Remote(server, os.environ.get("CATENA_TOKEN", ""), case_ref, source, receipts)
        taken, refused = _take(files, remote.deposit)
    else:
        taken, refused = _in_process(context, files, case_ref, source, receipts, analyse=not no_analysis)
    _show(context, taken, refused)
    return BAD_INPUT if refused else 0


def _expand(paths: tuple[Path, ...], *, recursive: bool) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inside = path.rglob("*") if recursive else path.iterdir()
            yield from (entry for entry in sorted(inside) if entry.is_file())
        else:
            yield path


class _Depositor:
    """Deposits files in this process."""

    def __init__(self, context: Context, case: Case, source: SourceContext, receipts: Path) -> None:
        self._context = context
        self._case = case
        self._source = source
        self._receipts = receipts

    def deposit(self, path: Path) -> Taken:
        services = self._context.services
        with path.open("rb") as stream:
            chunks = iter(lambda: stream.read(CHUNK), b"")
            done = services.intake.deposit_bytes(self._context.who, self._case, chunks, path.name, self._source)
        kept = keep_receipt(self._receipts, done.item.id, done.receipt.statement, done.receipt.seal)
        return Taken(done.item.id, str(path), done.digests.sha256, done.digests.size, done.duplicate_of, str(kept))


def keep_receipt(folder: Path, item_id: str, statement: bytes, seal: bytes) -> Path:
    """Write a receipt and its signature beside each other; returns the statement's path."""
    make_directories(folder)
    path = folder / f"{item_id}.json"
    replace_file(path, statement, 0o644)
    replace_file(folder / f"{item_id}.json.p7s", seal, 0o644)
    return path


def _in_process(
    context: Context, files: list[Path], case_ref: str, source: SourceContext, receipts: Path | None, *, analyse: bool
) -> tuple[list[Taken], list[Refused]]:
    services, who = context.services, context.who
    case = services.evidence.case_or_none(case_ref)
    if case is None:
        case = services.evidence.create_case(who, case_ref)
    services.access.require(who, "item.ingest", case.id)
    depositor = _Depositor(context, case, source, receipts or context.settings.data / "receipts")
    taken, refused = _take(files, depositor.deposit)
    if analyse and taken:
        _analyse(context)
    services.checkpoint()
    return taken, refused


def _take(files: list[Path], deposit: Callable[[Path], Taken]) -> tuple[list[Taken], list[Refused]]:
    taken: list[Taken] = []
    refused: list[Refused] = []
    progress = Progress("ingest")
    for done, path in enumerate(files, start=1):
        try:
            taken.append(deposit(path))
        except (CatenaError, EvidenceStoreError) as error:
            refused.append(Refused(str(path), error.code, error.detail))
        except OSError as error:
            refused.append(Refused(str(path), "unreadable", error.strerror or str(error)))
        progress(done, len(files))
    return taken, refused


def _analyse(context: Context) -> None:
    """Work off the queue with one worker per core."""
    from app.wiring import make_worker

    staff = [make_worker(context.services) for _ in range(os.cpu_count() or 1)]
    context.say("analysing, fingerprinting and comparing ...")
    threads = [threading.Thread(target=one.drain, kwargs={"wait_s": 30.0}) for one in staff]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _show(context: Context, taken: list[Taken], refused: list[Refused]) -> None:
    document = {"items": [asdict(one) for one in taken], "failed": [asdict(one) for one in refused]}
    rows = [[one.id, one.sha256[:16], str(one.size), str(len(one.duplicate_of)), one.path] for one in taken]
    text = table(rows, ["item", "sha256", "bytes", "copies", "file"])
    for one in refused:
        text += f"\nnot taken: {one.path}: {one.code}: {one.detail}"
    context.show(document, f"{text}\n{len(taken)} taken, {len(refused)} not")


def new_deposit_key() -> str:
    """A key that makes repeating one upload harmless."""
    return str(uuid.uuid4())


COMMANDS = (ingest,)
