"""`catena audit`."""

from __future__ import annotations

import click

from app.cli.common import FOUND_ERRORS, OK, Context, Progress, command_options


@click.command()
@command_options
@click.option("--sample", type=click.IntRange(min=1), default=None, help="Hash only so many files, chosen at random.")
def audit(context: Context, sample: int | None) -> int:
    """Check the whole archive: blobs, events, proofs, seals, rows."""
    who = context.services.access.local_auditor(context.as_user)
    report = context.services.audits.run(who, sample=sample, progress=Progress("hashing"))
    lines = [f"{f['severity'].upper():8}{f['code']}: {f['subject']}: {f['detail']}" for f in report["findings"]]
    lines.append("checked: " + ", ".join(f"{count} {name}" for name, count in report["checked"].items()))
    lines += [f"- {claim['text']}" for claim in report["claims"]]
    lines.append("CLEAN" if report["ok"] else "NOT CLEAN: see the errors above")
    context.show(report, "\n".join(lines))
    return OK if report["ok"] else FOUND_ERRORS


COMMANDS = (audit,)
