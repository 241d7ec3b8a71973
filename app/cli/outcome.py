"""What became of the files of `catena ingest`: one line of a table, one key of the JSON document for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from app.cli.common import BAD_INPUT, FOUND_ERRORS, Context, printable, table
from evidence_store.durable import make_directories, replace_file
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.source import SourceContext


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
class Skipped:
    """A file that was not stored again.

    Attributes:
        item: which item has its bytes.
        reason: `known`: the case held it, and the item's events say so; `deposited`: an earlier, interrupted run of the
            same command had taken it.
        stated: of a known one, what was asked now for people's sake (`consent withdrawn`, `handling do_not_share`).
            It is noted in an event, and the item's source stays what it was: it must not read as done.
    """

    path: str
    sha256: str
    size: int
    item: str
    reason: str
    stated: list[str] = field(default_factory=list)

    def text(self) -> str:
        """A line for a person."""
        words = {"known": "skipped, the case has it as", "deposited": "taken by an earlier run as"}
        told = f"{words[self.reason]} {self.item}: {self.path}"
        if not self.stated:
            return told
        asked = ", ".join(self.stated)
        return f"{told} (stated now: {asked}; only noted: 'catena items source {self.item}' states it of the item)"


@dataclass(frozen=True, slots=True)
class Beside:
    """A sidecar and the medium that it belongs to: paths, item ids, and how that is known."""

    path: str
    item: str
    of: str
    of_item: str
    kind: str
    basis: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not taken, or was left out, and why; `exit_code` says whose fault it is."""

    path: str
    code: str
    detail: str
    exit_code: int = BAD_INPUT

    def document(self) -> dict[str, str]:
        """As `--json` prints it."""
        return {"path": self.path, "code": self.code, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class CheckFailed:
    """A hash, signature or token of the collector that does not fit the file; `item` is empty when there is none."""

    path: str
    item: str
    kind: str
    reason: str


@dataclass(slots=True)
class Outcome:
    """What became of the files, and the exit code that says so."""

    taken: list[Taken] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    sidecars: list[Beside] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    left_out: list[Refused] = field(default_factory=list)
    checks_failed: list[CheckFailed] = field(default_factory=list)
    exit_code: int = 0

    def refuse(self, path: Path, code: str, detail: str, exit_code: int = BAD_INPUT) -> None:
        """Note a file that was not taken."""
        self.refused.append(Refused(str(path), code, detail, exit_code))
        self.exit_code = max(self.exit_code, exit_code)

    def check_failed(self, one: CheckFailed) -> None:
        """Note a check that failed: the file is taken, but the command does not end as if all were well."""
        self.checks_failed.append(one)
        self.exit_code = max(self.exit_code, FOUND_ERRORS)

    def document(self) -> dict[str, Any]:
        """The one JSON document."""
        return {
            "items": [asdict(one) for one in self.taken],
            "failed": [one.document() for one in self.refused],
            "skipped": [asdict(one) for one in self.skipped],
            "sidecars": [asdict(one) for one in self.sidecars],
            "left_out": [one.document() for one in self.left_out],
            "checks_failed": [asdict(one) for one in self.checks_failed],
        }

    def text(self) -> str:
        """The same for a person."""
        rows = [[one.id, one.sha256[:16], str(one.size), str(len(one.duplicate_of)), one.path] for one in self.taken]
        lines = [table(rows, ["item", "sha256", "bytes", "copies", "file"])]
        lines += [printable(one.text()) for one in self.skipped]
        lines += [printable(f"sidecar of {one.of}: {one.path} ({one.basis})") for one in self.sidecars]
        lines += [printable(f"left out: {one.path}: {one.code}: {one.detail}") for one in self.left_out]
        lines += [printable(f"not taken: {one.path}: {one.code}: {one.detail}") for one in self.refused]
        lines += [
            printable(f"collector's check {one.kind} FAILED: {one.path}: {one.reason}") for one in self.checks_failed
        ]
        lines.append(self.summary())
        return "\n".join(lines)

    def summary(self) -> str:
        """One line of numbers."""
        more = [
            (len(self.skipped), "skipped"),
            (len(self.left_out), "left out"),
            (len(self.checks_failed), "collector's checks FAILED"),
        ]
        told = "".join(f", {number} {what}" for number, what in more if number)
        return f"{len(self.taken)} taken, {len(self.refused)} not{told}"

    def show(self, context: Context) -> None:
        """Print it."""
        context.show(self.document(), self.text)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What `--dry-run` found: files that would be taken, beside what an outcome tells."""

    outcome: Outcome
    new: list[tuple[Path, str, int]]

    def show(self, context: Context) -> None:
        """Print it; no item has an id yet."""
        would = [{"id": None, "path": str(path), "sha256": digest, "size": size} for path, digest, size in self.new]
        document = {**self.outcome.document(), "items": would, "dry_run": True}
        rows = [[digest[:16], str(size), str(path)] for path, digest, size in self.new]
        context.show(document, lambda: self._text(rows))

    def _text(self, rows: list[list[str]]) -> str:
        lines = self.outcome.text().splitlines()[1:-1]
        counted = [(len(self.outcome.skipped), "skipped"), (len(self.outcome.left_out), "left out")]
        told = "".join(f", {number} {what}" for number, what in counted if number)
        last = f"would take {len(rows)}, not {len(self.outcome.refused)}{told}; nothing was done"
        return "\n".join([table(rows, ["sha256", "bytes", "file"]), *lines, last])


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


def asked_for(source: SourceContext) -> list[str]:
    """What a source states for the sake of people: any consent but a plain one, and restrictions."""
    consent = [] if source.consent in {None, "given"} else [f"consent {source.consent}"]
    return [*consent, *(f"handling {term}" for term in source.handling or ())]


Say = Callable[[str], None]
