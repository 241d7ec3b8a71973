"""Collecting records of verification: places, times, translations, attributions, with every version and review.

A record goes along when all that it is about is in the export: of other items nothing is told. How many records are
about something else as well, and therefore stay behind, is said in the bundle's claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from app.export.collected import Collected, record_missing, record_sha256
from app.export.rules import missing_records
from app.verification.models import VerificationReview, VerificationSubject, VerificationVersion
from evidence_store.bundle.plan import ExtraFile

_CHUNK = 500


@dataclass
class Verifications:
    """The records about something in an export.

    Attributes:
        of: UUIDs of those that go along, by the item whose part of a set they lie in; "" for the first part.
        left_out: UUIDs of those that are about something else as well.
    """

    of: dict[str, list[str]] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)

    @property
    def objects(self) -> set[str]:
        """What the log calls those that go along."""
        return {f"verification:{one}" for ids in self.of.values() for one in ids}


def verifications_of(session: Session, items: Sequence[str], entries: Iterable[str]) -> Verifications:
    """The records about any of these.

    Args:
        session: an open snapshot.
        items: UUIDs of items, in their order.
        entries: UUIDs of entries of a dossier.
    """
    here = dict.fromkeys([*items, *entries])
    subjects: dict[str, set[str]] = {}
    for ids in _chunks(list(here)):
        about = select(VerificationSubject.verification_id).where(col(VerificationSubject.subject_id).in_(ids))
        subjects |= {one: set() for one in session.exec(about)}
    for ids in _chunks(list(subjects)):
        rows = select(VerificationSubject).where(col(VerificationSubject.verification_id).in_(ids))
        for row in session.exec(rows):
            subjects[row.verification_id].add(row.subject_id)
    order = {item: place for place, item in enumerate(items)}
    found = Verifications()
    for one, named in sorted(subjects.items()):
        if named <= here.keys():
            first = min((item for item in named if item in order), key=order.__getitem__, default="")
            found.of.setdefault(first, []).append(one)
        else:
            found.left_out.add(one)
    return found


def require_every_verification(into: Collected, found: Verifications) -> None:
    """Each record that an item's events name is known.

    Raises:
        EnvironmentFailedError: `record_missing`.
    """
    known = {one for ids in found.of.values() for one in ids} | found.left_out
    lost = sorted({one for named in into.verified.values() for one in named} - known)
    if lost:
        raise record_missing(f"verification {lost[0]}", "the log names it, and the database does not hold it as it was")


def collect_verifications(session: Session, ids: Iterable[str], into: Collected) -> None:
    """Take every version and review of some records, as far as the log names them.

    Raises:
        EnvironmentFailedError: `record_missing`.
    """
    for one in ids:
        about = f"verification:{one}"
        if about not in into.outputs:  # entered after the checkpoint
            continue
        named = into.named(about)
        versions = session.exec(select(VerificationVersion).where(VerificationVersion.verification_id == one))
        reviews = session.exec(select(VerificationReview).where(VerificationReview.verification_id == one))
        files = [
            *((f"data/verifications/{one}.{row.number}.json", row.record, "verification") for row in versions),
            *((f"data/verifications/reviews/{row.id}.json", row.record, "verification review") for row in reviews),
        ]
        lost = missing_records(into.outputs[about], [record_sha256(record) for _, record, _ in files])
        if lost:
            what = f"the log names a {lost[0].role} that the database does not hold as it was"
            raise record_missing(about, what)
        into.files += [
            ExtraFile(path, record, role, about) for path, record, role in files if record_sha256(record) in named
        ]


def _chunks(ids: list[str]) -> Iterable[list[str]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
