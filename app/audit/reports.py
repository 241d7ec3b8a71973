"""The report of an audit as a record: written down, sealed, kept in a folder.

What is sealed is the record's canonical bytes. An audit runs without the seal key as well, and then its report says
that nobody signed it; it never pretends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from app.archive import Archive
from app.audit.checks import Checked, Options
from app.audit.runs import Run
from app.audit.stored import shown
from app.errors import CatenaError
from evidence_store.canonical import canonical_bytes
from evidence_store.durable import make_directories, replace_file
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import note
from schemas.records.v1.audit_report import Auditor, AuditReport, Claim, Finding, Head, Part
from schemas.records.v1.receipt import ArchiveNames

CLAIMS = (
    "Every stored file that was hashed is the file that was deposited, as its signed receipt says.",
    "The custody log continues every checkpoint that is kept on this machine; the database rows are what it says.",
)
CLAIM_GIVEN = "The custody log continues the checkpoint that was given: its first {size} events are those signed then."
CLAIM_RESUMED = (
    "This audit was interrupted and gone on with: {files} files were hashed in earlier runs, as a file beside the "
    "reports says. Who writes there could have made it say so: who doubts that runs a fresh audit."
)
CLAIM_SAMPLE = "Not shown here: that files which were not chosen have the right bytes; their sizes were looked at."
NOT_SHOWN = (
    "Not shown here: that nothing was rewritten since the newest checkpoint that somebody else holds.",
    "Who rules this machine can rewrite all that is kept on it: compare with a checkpoint from outside (--checkpoint).",
    "Not shown here: that the log was not rewritten by someone who holds its key and every copy of its checkpoints.",
    "Not shown here: that what a file depicts is true.",
    "Not shown here: that the times of events are right; they are this archive's own clock.",
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A report as it is kept and handed out.

    Attributes:
        record: canonical bytes of an `AuditReport`.
        seal: detached CAdES signature over them (DER); None when it could not be made.
    """

    record: bytes
    seal: bytes | None


def claims_of(checked: Checked, options: Options, given: note.Checkpoint | None) -> Iterable[str]:
    """What the report may claim, and what it does not show."""
    if checked.resumed:
        yield CLAIM_RESUMED.format(files=sum(part.files for part in checked.parts[:-1]))
    if checked.report.ok:
        yield from CLAIMS
        if given is not None:
            yield CLAIM_GIVEN.format(size=given.size)
        if options.sample is not None:
            yield CLAIM_SAMPLE
        yield from NOT_SHOWN


def signed_report(
    archive: Archive, run: Run, checked: Checked, given: note.Checkpoint | None, *, sign: bool = True
) -> Signed:
    """Write the report down and seal it.

    Args:
        archive: whose seal key is used.
        run: the audit.
        checked: what came of it; a report that stays unsigned says so in a finding.
        given: the checkpoint from outside.
        sign: whether to use the seal key at all.

    Returns:
        The record, with its seal if it could be made.
    """
    finished = archive.custody.now()
    why = "the passphrase of the seal key was not at hand"
    if sign:
        record = canonical_bytes(_record(archive, run, checked, given, finished).model_dump(mode="json"))
        try:
            return Signed(record, archive.seal_key().seal(record, archive.clock()))
        except (CatenaError, EvidenceStoreError) as error:
            why = f"{error.code}: {error.detail}"
        except (OSError, ValueError) as error:
            why = f"the seal key cannot be used: {type(error).__name__}"
    checked.report.finding("audit_report_unsigned", f"audit {run.id}", why)
    return Signed(canonical_bytes(_record(archive, run, checked, given, finished).model_dump(mode="json")), None)


def _record(archive: Archive, run: Run, checked: Checked, given: note.Checkpoint | None, finished: str) -> AuditReport:
    report = checked.report
    return AuditReport(
        archive=ArchiveNames(**archive.identity.as_json()),
        audit=run.id,
        auditor=Auditor(id=run.actor.id, name=run.actor.name),
        started_at=run.started_at,
        finished_at=finished,
        ok=report.ok,
        sample=run.options.sample,
        digests=list(run.options.digests),
        as_of=None if checked.root is None else Head(size=checked.size, root=checked.root.hex()),
        checkpoint=None if given is None else Head(size=given.size, root=given.root.hex()),
        resumed=checked.resumed,
        parts=[Part(size=one.size, files=one.files, bytes=one.bytes, until=one.until) for one in checked.parts],
        checked=dict(report.checked),
        findings=[Finding.model_validate(_printable(asdict(finding))) for finding in report.findings],
        claims=[Claim(text=text) for text in claims_of(checked, run.options, given)],
    )


def _printable(finding: dict[str, str]) -> dict[str, str]:
    """What an intruder left in it that is no text is written as escapes."""
    return {name: shown(value) for name, value in finding.items()}


def paths_of(folder: Path, audit_id: str) -> tuple[Path, Path]:
    """Where a report and its seal lie."""
    return folder / f"{audit_id}.json", folder / f"{audit_id}.p7s"


def keep(folder: Path, audit_id: str, signed: Signed) -> None:
    """Put report and seal into the folder, durably; the event that names them comes after.

    Files of this audit that are there already were never recorded: it was killed between the two.

    Raises:
        EvidenceStoreError: `storage_full` or `storage_failed`.
    """
    make_directories(folder, 0o700)
    record, seal = paths_of(folder, audit_id)
    replace_file(record, signed.record, 0o644)
    if signed.seal is not None:
        replace_file(seal, signed.seal, 0o644)


def drop(folder: Path, audit_id: str) -> None:
    """Take the files away again: no event names them."""
    for path in paths_of(folder, audit_id):
        path.unlink(missing_ok=True)
