"""Whether the regular audit of everything is due; asked every few seconds, by every server and worker."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from app.archive import Archive
from app.audit import reports
from app.audit.models import AuditRow
from app.clock import later, rfc3339
from evidence_store.bundle.shapes import is_uuid


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a report's file was like when it was compared with its row."""

    modified: int
    size: int
    is_kept: bool


@dataclass
class Due:
    """Looks at the finished audits of one archive.

    A report can be many megabytes: each is read once, and again only when its file has changed.
    """

    archive: Archive
    _judged: dict[str, _Judged] = field(default_factory=dict)

    def is_due(self) -> bool:
        """Whether the last audit of all files is longer ago than it may be; one of the future was none."""
        hours = self.archive.settings.audit_hours
        if hours == 0:
            return False
        now = self.archive.clock()
        whole = select(AuditRow.id).where(col(AuditRow.sample).is_(None), col(AuditRow.finished_at) <= rfc3339(now))
        since = whole.where(col(AuditRow.finished_at) >= later(now, -3600.0 * hours))
        judged: dict[str, _Judged] = {}
        with self.archive.db.read() as session:
            newest_first = session.exec(since.order_by(col(AuditRow.finished_at).desc())).all()
            due = not any(self._is_kept(session, audit_id, judged) for audit_id in newest_first)
        self._judged = judged
        return due

    def _is_kept(self, session: Session, audit_id: str, judged: dict[str, _Judged]) -> bool:
        """Whether a report lies in its folder too: who writes to the database alone could have added the row."""
        if not is_uuid(audit_id):
            return False
        path, _ = reports.paths_of(self.archive.settings.audits, audit_id)
        try:
            there = path.stat()
            before = self._judged.get(audit_id)
            if before is None or (before.modified, before.size) != (there.st_mtime_ns, there.st_size):
                report = session.exec(select(AuditRow.report).where(AuditRow.id == audit_id)).first()
                is_kept = report is not None and path.read_bytes() == report.encode()
                before = _Judged(there.st_mtime_ns, there.st_size, is_kept)
        except (OSError, ValueError, AttributeError):  # AttributeError: bytes where text belongs
            return False
        judged[audit_id] = before
        return before.is_kept
