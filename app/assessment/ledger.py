"""All entries of one incident with their reviews, in two queries however many there are; nothing is ever left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlmodel import Session, col, select

from app.assessment.groups import Sorting
from app.assessment.models import AssessmentEntry, AssessmentReview
from app.assessment.records import REVIEW_ROLE, ROLES, SEAL_ROLE, Record, digest, entry_record
from app.assessment.rules import PanelStanding, in_panel, panel_standing
from app.review import rules as four_eyes
from schemas.records.v1.assessment import (
    AssessmentRecord,
    ElementLinkRecord,
    ElementStateRecord,
    EntryType,
    Panel,
    PanelRecord,
)

ReviewState = Literal["proposed", "approved", "rejected", "disputed", "withdrawn"]


@dataclass(frozen=True)
class Line:
    """One version of an entry as it is shown.

    Attributes:
        sha256: of the record's canonical bytes.
        reviews: of this version, by number.
        newest: no later version of its thread is there.
    """

    row: AssessmentEntry
    record: Record
    sha256: str
    reviews: list[AssessmentReview]
    newest: bool

    @property
    def stands(self) -> bool:
        """Whether it is the newest version of its thread and not withdrawn."""
        return self.newest and not self.record.withdrawn

    @property
    def state(self) -> ReviewState:
        """Where it stands under four eyes."""
        if self.record.withdrawn:
            return "withdrawn"
        return four_eyes.state_of(self.row.author_id, self.reviews)


@dataclass
class Ledger:
    """The entries of an incident, oldest first."""

    lines: list[Line] = field(default_factory=list)

    @classmethod
    def read(cls, session: Session, incident_id: str) -> Ledger:
        """Everything that was ever entered for an incident."""
        found = select(AssessmentEntry).where(AssessmentEntry.incident_id == incident_id)
        ordered = found.order_by(
            col(AssessmentEntry.created_at), col(AssessmentEntry.thread_id), col(AssessmentEntry.number)
        )
        rows = list(session.exec(ordered))
        wanted = select(AssessmentReview).join(
            AssessmentEntry, col(AssessmentEntry.id) == col(AssessmentReview.entry_id)
        )
        wanted = wanted.where(AssessmentEntry.incident_id == incident_id)
        reviews: dict[str, list[AssessmentReview]] = {}
        for review in session.exec(wanted.order_by(col(AssessmentReview.number))):
            reviews.setdefault(review.entry_id, []).append(review)
        return cls.of(rows, reviews)

    @classmethod
    def of(cls, rows: Sequence[AssessmentEntry], reviews: dict[str, list[AssessmentReview]]) -> Ledger:
        """A ledger of these rows."""
        last: dict[str, int] = {}
        for row in rows:
            last[row.thread_id] = max(row.number, last.get(row.thread_id, 0))
        return cls(
            [
                Line(row, entry_record(row), digest(row), reviews.get(row.id, []), row.number == last[row.thread_id])
                for row in rows
            ]
        )

    def of_kind(self, kind: EntryType, provision: str | None = None, part: str | None = None) -> list[Line]:
        """Versions of one kind, of one provision and part where they are named, oldest first."""
        return [
            line
            for line in self.lines
            if line.row.kind == kind and provision in {None, line.row.provision_id} and part in {None, line.row.part}
        ]

    def thread(self, thread: str) -> list[Line]:
        """Every version of a thread, oldest first."""
        return sorted((line for line in self.lines if line.row.thread_id == thread), key=lambda line: line.row.number)

    def links(self, provision: str | None = None) -> list[tuple[Line, ElementLinkRecord]]:
        """Standing links, for and against."""
        found = [line for line in self.of_kind("link", provision) if line.stands]
        return [(line, line.record) for line in found if isinstance(line.record, ElementLinkRecord)]

    def states(self, provision: str, element: str) -> list[tuple[Line, ElementStateRecord]]:
        """What people state of an element, each his newest."""
        found = [line for line in self.of_kind("state", provision, element) if line.stands]
        return [(line, line.record) for line in found if isinstance(line.record, ElementStateRecord)]

    def answers(self, provision: str, panel: Panel) -> list[tuple[Line, PanelRecord]]:
        """What people answer to a panel, each his newest."""
        found = [line for line in self.of_kind("panel", provision, panel) if line.stands]
        return [(line, line.record) for line in found if isinstance(line.record, PanelRecord)]

    def assessments(self, provision: str) -> list[tuple[Line, AssessmentRecord]]:
        """Assessments of a provision, each person's newest."""
        found = [line for line in self.of_kind("assessment", provision) if line.stands]
        return [(line, line.record) for line in found if isinstance(line.record, AssessmentRecord)]

    def held(self, provision: str, panel: Panel, sorting: Sorting) -> list[tuple[Line, ElementLinkRecord]]:
        """The links that a panel holds."""
        return [
            (line, record)
            for line, record in self.links(provision)
            if in_panel(panel, record.direction, *sorting.of_link(record))
        ]

    def panel(self, provision: str, panel: Panel, sorting: Sorting) -> PanelStanding:
        """Where a panel stands; an answer that a second person rejected answers nothing."""
        answers = [
            (record.answer, record.saw) for line, record in self.answers(provision, panel) if line.state != "rejected"
        ]
        return panel_standing(answers, [line.row.id for line, _ in self.held(provision, panel, sorting)])

    def basis(self, provision: str) -> list[Line]:
        """What an assessment of a provision rests on: each standing link, state and panel answer."""
        return [
            line
            for line in self.lines
            if line.stands and line.row.provision_id == provision and line.row.kind != "assessment"
        ]

    def basis_changed(self, line: Line) -> bool | None:
        """Whether something was added, changed or withdrawn after an assessment was made; None of other entries.

        A second person's approval was given on the basis that there was: who shows the one shows the other.
        """
        if not isinstance(line.record, AssessmentRecord):
            return None
        now = {(one.row.id, one.sha256) for one in self.basis(line.row.provision_id)}
        return {(one.entry, one.sha256) for one in line.record.rests_on} != now

    def records(self) -> Iterator[tuple[str, str, bytes]]:
        """(role, UUID, bytes) of every record and seal, oldest first; roles are those by which events name them."""
        for line in self.lines:
            yield ROLES[line.row.kind], line.row.id, line.row.record
            for review in line.reviews:
                yield REVIEW_ROLE, review.id, review.record
                if review.seal is not None:
                    yield SEAL_ROLE, review.id, review.seal
