"""`catena ingest`: files and folders into a case, in process or through a server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.common import BAD_INPUT, Context, Progress, command_options, exit_code_of, printable, table
from app.cli.source_options import source_options
from app.cli.staff import work
from app.errors import CatenaError, InvalidInputError
from evidence_store.durable import make_directories, replace_file
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.source import SourceContext

if TYPE_CHECKING:
    from app.evidence.models import Case

CHUNK = 1 << 20
UNAUTHENTICATED = 401


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


@dataclass(slots=True)
class Outcome:
    """What became of the files, and the exit code that says so."""

    taken: list[Taken] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    exit_code: int = 0

    def refuse(self, path: Path, code: str, detail: str, exit_code: int = BAD_INPUT) -> None:
        """Note a file that was not taken."""
        self.refused.append(Refused(str(path), code, detail))
        self.exit_code = max(self.exit_code, exit_code)


@click.command()
@command_options
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--case", "case_ref", required=True, metavar="REF", help="Case reference; made if you may.")
@click.option("--recursive", is_flag=True, help="Go into folders.")
@source_options
@click.option("--server", default=None, metavar="URL", help="Send to a server; token in CATENA_TOKEN.")
@click.option("--receipts", type=click.Path(path_type=Path), default=None, help="Folder for receipts.")
@click.option("--no-analysis", is_flag=True, help="Leave the analysis to a worker.")
def ingest(
    context: Context,
    paths: tuple[Path, ...],
    case_ref: str,
    recursive: bool,
    server: str | None,
    receipts: Path | None,
    no_analysis: bool,
    source: SourceContext,
) -> int:
    """Take files into a case: hash, store, seal, log, then analyse and compare."""
    files = list(_expand(paths, recursive=recursive))
    if not files:
        raise InvalidInputError("nothing_to_ingest", "no files there")
    if server is not None:
        from app.cli.remote import Remote

        with Remote(server, os.environ.get("CATENA_TOKEN", ""), case_ref, source, receipts) as remote:
            outcome = _take(files, remote.deposit)
    else:
        outcome = _in_process(context, files, case_ref, source, receipts, analyse=not no_analysis)
    _show(context, outcome)
    return outcome.exit_code


def _expand(paths: tuple[Path, ...], *, recursive: bool) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inside = _below(path) if recursive else path.iterdir()
            yield from (entry for entry in sorted(inside) if entry.is_file())
        else:
            yield path


def _below(folder: Path) -> Iterator[Path]:
    """Everything below a folder; unlike `rglob`, one that cannot be read is an error and not left out."""

    def stop(error: OSError) -> None:
        raise error

    for parent, _, names in os.walk(folder, onerror=stop):
        yield from (Path(parent, name) for name in names)


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
        receipt = done.receipt
        kept = keep_receipt(self._receipts, done.item.id, receipt.statement, receipt.seal) if receipt else None
        return Taken(done.item.id, str(path), done.digests.sha256, done.digests.size, done.duplicate_of, kept)


def keep_receipt(folder: Path, item_id: str, statement: bytes, seal: bytes) -> str | None:
    """Write a receipt and its signature beside each other.

    Returns:
        The statement's path; None when it cannot be written here. The item is taken all the same, and
        its receipt is in the archive.
    """
    path = folder / f"{item_id}.json"
    try:
        make_directories(folder)
        replace_file(folder / f"{item_id}.json.p7s", seal, 0o644)
        replace_file(path, statement, 0o644)
    except (EvidenceStoreError, OSError) as error:
        click.echo(printable(f"receipt of item {item_id} is not kept in {folder}: {error}"), err=True)
        return None
    return str(path)


def _in_process(
    context: Context, files: list[Path], case_ref: str, source: SourceContext, receipts: Path | None, *, analyse: bool
) -> Outcome:
    services, who = context.services, context.who
    services.archive.seal_key()  # a wrong passphrase must stop us now, not between an item and its receipt
    case = services.evidence.case_or_none(case_ref)
    if case is None:
        case = services.evidence.create_case(who, case_ref)
    services.access.require(who, "item.ingest", case.id)
    depositor = _Depositor(context, case, source, receipts or context.settings.data / "receipts")
    outcome = _take(files, depositor.deposit)
    try:
        if analyse and outcome.taken:
            _analyse(context)
        services.checkpoint()
    except (CatenaError, EvidenceStoreError) as error:  # the files are taken: that is still to be told
        context.say(f"catena: {error.code}: {error.detail}")
        outcome.exit_code = max(outcome.exit_code, exit_code_of(error))
    return outcome


def _take(files: list[Path], deposit: Callable[[Path], Taken]) -> Outcome:
    outcome = Outcome()
    progress = Progress("ingest")
    for done, path in enumerate(files, start=1):
        try:
            if path.exists() and not path.is_file():
                raise InvalidInputError("not_a_file", "it is neither a file nor a folder")
            outcome.taken.append(deposit(path))
        except (CatenaError, EvidenceStoreError) as error:
            outcome.refuse(path, error.code, error.detail, exit_code_of(error))
            if _in_vain(error):
                for left in files[done:]:
                    outcome.refuse(left, "not_tried", f"after {error.code}", exit_code_of(error))
                break
        except OSError as error:
            outcome.refuse(path, "unreadable", error.strerror or str(error), exit_code_of(error))
        progress(done, len(files))
    return outcome


def _in_vain(error: CatenaError | EvidenceStoreError) -> bool:
    """Whether the next file would meet the same."""
    return error.code == "server_unreachable" or (isinstance(error, CatenaError) and error.status == UNAUTHENTICATED)


def _analyse(context: Context) -> None:
    """Work off the queue with one worker per core."""
    from app.wiring import make_worker

    context.say("analysing, fingerprinting and comparing ...")
    work([make_worker(context.services) for _ in range(os.cpu_count() or 1)], lambda one: one.drain(wait_s=30.0))


def _show(context: Context, outcome: Outcome) -> None:
    taken, refused = outcome.taken, outcome.refused
    document = {"items": [asdict(one) for one in taken], "failed": [asdict(one) for one in refused]}
    rows = [[one.id, one.sha256[:16], str(one.size), str(len(one.duplicate_of)), one.path] for one in taken]
    lines = [table(rows, ["item", "sha256", "bytes", "copies", "file"])]
    lines += [printable(f"not taken: {one.path}: {one.code}: {one.detail}") for one in refused]
    lines.append(f"{len(taken)} taken, {len(refused)} not")
    context.show(document, "\n".join(lines))


COMMANDS = (ingest,)
