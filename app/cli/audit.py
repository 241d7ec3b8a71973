"""`catena audit`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from app.cli.common import FOUND_ERRORS, OK, Context, command_options
from app.cli.passphrase import passphrase_at_hand
from app.errors import ConflictError, InvalidInputError
from evidence_store.durable import write_new

if TYPE_CHECKING:  # loading these takes a second, which `catena --help` need not wait for
    from app.audit.meter import Step
    from app.audit.service import Audited

MAX_CHECKPOINT_BYTES = 1_000_000
"""A larger note is refused as no checkpoint (evidence_store.log.note)."""

NEWEST = "newest"
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_WIDTH = 100


@click.command()
@command_options
@click.option(
    "--sample",
    type=click.IntRange(min=1, max=2**53 - 1),
    default=None,
    help="Hash only so many files, chosen at random.",
)
@click.option(
    "--checkpoint",
    type=click.File("rb"),
    default=None,
    help="A checkpoint of this archive that somebody else kept: the log must continue it.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1, max=256),
    default=None,
    help="Threads that hash [one for each processor].",
)
@click.option("--all-digests", is_flag=True, help="Compare SHA-512 and CRC-32 of each file as well as SHA-256.")
@click.option(
    "--resume",
    is_flag=False,
    flag_value=NEWEST,
    default=None,
    metavar="[ID]",
    help="Go on with an interrupted audit (the newest): files that it has hashed are not hashed again.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    default=None,
    help="Write the report to this file, and its signature beside it (.p7s).",
)
def audit(
    context: Context,
    sample: int | None,
    checkpoint: BinaryIO | None,
    workers: int | None,
    all_digests: bool,
    resume: str | None,
    save: Path | None,
) -> int:
    """Check the whole archive: log, rows, signatures, and every stored file.

    The report is signed when the passphrase is at hand without asking (CATENA_PASSPHRASE and its like); else it says
    that it is not signed.
    """
    from app.audit.checks import Options

    if save is not None:
        _require_free(save)
    if resume is not None and (sample is not None or checkpoint is not None or workers is not None or all_digests):
        raise InvalidInputError("bad_resume", "an audit is gone on with as it was begun: leave the other options out")
    given = None if checkpoint is None else checkpoint.read(MAX_CHECKPOINT_BYTES + 1)
    services = context.services_for_audit
    who = services.access.local_auditor(context.as_user)
    sign, bar = passphrase_at_hand(context.settings), Bar()
    if resume is None:
        options = Options(sample, given, workers, all_digests)
        made = services.audits.conduct(who, options, sign=sign, listener=bar)
    else:
        which = None if resume == NEWEST else resume
        made = services.audits.resume(who, which, sign=sign, listener=bar)
    bar.close()
    if save is not None:
        _save(save, made)
    context.show(made.document, lambda: "\n".join(_lines(made, save)))
    return OK if made.document["ok"] else FOUND_ERRORS


def _lines(made: Audited, save: Path | None) -> Iterable[str]:
    document: dict[str, Any] = made.document
    for finding in document["findings"]:
        yield f"{finding['severity'].upper():8}{finding['code']}: {finding['subject']}: {finding['detail']}"
    yield "checked: " + ", ".join(f"{count} {name}" for name, count in document["checked"].items())
    for claim in document["claims"]:
        yield f"- {claim['text']}"
    kept = f"audit {document['id']}" if save is None else f"audit {document['id']}, saved in {save}"
    yield f"report: {kept}" + ("" if made.signed.seal is not None else "; it is NOT SIGNED")
    yield "CLEAN" if document["ok"] else "NOT CLEAN: see the errors above"


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".p7s")


def _require_free(path: Path) -> None:
    """A report is worth hours of hashing: what is in its way is said before."""
    for each in (path, _beside(path)):
        if each.exists():
            raise ConflictError("file_exists", f"{each} exists and is never overwritten")
    if not path.parent.is_dir():
        raise InvalidInputError("no_such_folder", f"{path.parent} is not a folder")


def _save(path: Path, made: Audited) -> None:
    write_new(path, made.signed.record, 0o644)
    if made.signed.seal is not None:
        write_new(_beside(path), made.signed.seal, 0o644)


class Bar:
    """How far the audit has come, on stderr: a line that is rewritten in a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        """Look where stderr goes."""
        self._tty = sys.stderr.isatty()
        self._last: tuple[str, int] | None = None

    def __call__(self, step: Step) -> None:
        """Show it."""
        if self._tty:
            click.echo("\r" + said(step).ljust(_WIDTH)[:_WIDTH], err=True, nl=False)
            return
        done, total = (step.bytes_done, step.bytes_total) if step.bytes_total else (step.done, step.total)
        now = (step.stage, done * 10 // total if total else 0)
        if now != self._last and total:
            click.echo(said(step), err=True)
        self._last = now

    def close(self) -> None:
        """End the line."""
        if self._tty:
            click.echo("", err=True)


def said(step: Step) -> str:
    """How far it is, in words."""
    parts = [f"{step.done} of {step.total}" if step.total else str(step.done)]
    if step.bytes_total:
        parts.append(f"{_amount(step.bytes_done)} of {_amount(step.bytes_total)}")
        parts.append(f"{_amount(step.rate)}/s")
    elif step.rate:
        parts.append(f"{step.rate}/s")
    if step.seconds_left:
        minutes, seconds = divmod(step.seconds_left, 60)
        parts.append(f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left")
    return f"audit: {step.stage}: " + ", ".join(parts)


def _amount(size: int) -> str:
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - KiB and up
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{size} {_UNITS[0]}"


COMMANDS = (audit,)
