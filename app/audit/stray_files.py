"""What lies among the exported bundles and the audits' reports and is none of either.

1. In `exports/`: the bundles of each export that was made, and the files of one that is being made.
2. In `audits/`: report and seal of each audit that was recorded, the files of those that are under way, the lock; and
   orders of audits (app.audit.run_files), which mean nothing without a row and are removed in time.
3. Temporary files of the program itself (evidence_store.durable) may lie in both.

Nothing else is looked for in these folders, and what is found is not read. Names are looked up in the database as it is
by then: what was made since the log was read is no stray.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlmodel import Session

from app.archive import Archive
from app.audit.models import READY, RUNNING, AuditRow, AuditRunRow
from app.audit.run_files import ENDING, REPORTS
from app.audit.stored import any_text
from app.db import table_of
from app.export.models import ExportPartRow, ExportRow
from app.export.publish import PART
from app.export.rules import BUILDING, MAX_ITEMS, part_id
from evidence_store.bundle.shapes import is_uuid
from evidence_store.durable import coded_errors, is_temporary
from evidence_store.verify.report import Report

_BUNDLE = ".zip"
_LOCK = "lock"


def look_for_strays(archive: Archive, report: Report) -> None:
    """Name each as `file_stray`.

    Raises:
        EvidenceStoreError: `storage_failed` when a folder cannot be read.
    """
    settings = archive.settings
    for folder, known in ((settings.exports, _is_export), (settings.audits, _is_audit)):
        there = _listed(folder)
        with archive.db.read() as session, any_text(session):  # after the folder: what is there has its row already
            strange = [path for path in there if not known(session, path.name)]
        for path in strange:
            if _is_there(path):  # else it was of something that has ended since
                detail = f"nothing that this archive made has this name in {folder.name}/"
                report.finding("file_stray", f"{folder.name}/{path.name}", detail)


def _listed(folder: Path) -> list[Path]:
    with coded_errors("list a folder"):
        return sorted(path for path in folder.iterdir() if not is_temporary(path)) if folder.is_dir() else []


def _is_there(path: Path) -> bool:
    with coded_errors("look at a file"):
        return path.is_symlink() or path.exists()


def _is_export(session: Session, name: str) -> bool:
    export_id, _, ending = name.partition(".")
    if not is_uuid(export_id) or f".{ending}" not in {_BUNDLE, f"{_BUNDLE}{PART}"}:
        return False
    export = table_of(ExportRow)
    made = export.c.state == BUILDING
    if f".{ending}" == _BUNDLE:
        made |= export.c.sha256.is_not(None)
    found = select(export.c.id).where(export.c.id == export_id, made)
    if session.connection().execute(found).first() is not None:
        return True
    part = table_of(ExportPartRow)
    of_set = select(part.c.id).where(part.c.id == export_id)
    if f".{ending}" == _BUNDLE and session.connection().execute(of_set).first() is not None:
        return True
    building = session.connection().execute(select(export.c.id).where(export.c.state == BUILDING)).scalars()
    return any(
        part_id(each, number) == export_id for each in building if is_uuid(each) for number in range(1, MAX_ITEMS + 1)
    )


def _is_audit(session: Session, name: str) -> bool:
    audit_id, ending = Path(name).stem, Path(name).suffix
    if name == _LOCK:
        return True
    if not is_uuid(audit_id) or ending not in REPORTS:
        return is_uuid(audit_id) and ending == ENDING
    audit, run = table_of(AuditRow), table_of(AuditRunRow)
    recorded = select(audit.c.id).where(audit.c.id == audit_id)
    under_way = select(run.c.id).where(run.c.id == audit_id, run.c.state.in_((READY, RUNNING)))
    return any(session.connection().execute(one).first() is not None for one in (recorded, under_way))
