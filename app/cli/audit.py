"""`catena audit`."""

from __future__ import annotations

from typing import BinaryIO

import click

from app.cli.common import FOUND_ERRORS, OK, Context, Progress, command_options

MAX_CHECKPOINT_BYTES = 1_000_000
"""A larger note is refused as no checkpoint (evidence_store.log.note)."""


@click.command()
@command_options
@click.option("--sample", type=click.IntRange(min=1), default=None, help="Hash only so many files, chosen at random.")
@click.option(
    "--checkpoint",
    type=click.File("rb"),
    default=None,
    help="A checkpoint of this archive that somebody else kept: the log must continue it.",
)
def audit(context: Context, sample: int | None, checkpoint: BinaryIO | None) -> int:
    """Check the whole archive: blobs, events, proofs, seals, rows."""
    given = None if checkpoint is None else checkpoint.read(MAX_CHECKPOINT_BYTES + 1)
    services = context.services_for_audit
    who = services.access.local_auditor(context.as_user)
    report = services.audits.run(who, sample=sample, checkpoint=given, progress=Progress("hashing"))
    lines = [f"{f['severity'].upper():8}{f['code']}: {f['subject']}: {f['detail']}" for f in report["findings"]]
    lines.append("checked: " + ", ".join(f"{count} {name}" for name, count in report["checked"].items()))
    lines += [f"- {claim['text']}" for claim in report["claims"]]
    lines.append("CLEAN" if report["ok"] else "NOT CLEAN: see the errors above")
    context.show(report, "\n".join(lines))
    return OK if report["ok"] else FOUND_ERRORS


COMMANDS = (audit,)
