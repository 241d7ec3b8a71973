"""Assessment of incidents as one use-case for the edges: entries, reviews, the matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from app.access.service import Access, Principal
from app.archive import Archive
from app.assessment.desk import READ, Desk
from app.assessment.judgements import Judgements
from app.assessment.ledger import Ledger, Line
from app.assessment.links import ElementLinks
from app.assessment.matrix import Before, matrix, provisions_touched
from app.assessment.models import AssessmentEntry
from app.assessment.records import digest, entry_record
from app.assessment.reviews import AssessmentReviews, reviews_of
from app.assessment.shown import Shown
from app.assessment.statements import bearing_on, named_in, statements_of
from app.errors import NotFoundError
from app.incidents.service import Assessed, Incidents
from app.law.incident_suggestions import IncidentSuggestions, gathered
from app.law.suggestions_applicability import Days, applies, packaged_status
from app.law.versions import Catalogues
from schemas.records.v1.provision import Provision


class Assessments:
    """What people say of the incidents of one archive, provision by provision and element by element.

    Attributes:
        desk: withdrawals; finding entries.
        links: links from evidence to elements.
        judgements: states of elements, panels, assessments.
        reviews: four eyes over all of them.
    """

    def __init__(
        self,
        archive: Archive,
        access: Access,
        incidents: Incidents,
        suggestions: IncidentSuggestions,
        catalogues: Catalogues,
    ) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._incidents = incidents
        self._suggestions = suggestions
        self._catalogues = catalogues
        self.desk = Desk(archive, access, incidents, catalogues)
        self.links = ElementLinks(self.desk)
        self.judgements = Judgements(self.desk)
        self.reviews = AssessmentReviews(self.desk)

    def matrix(self, who: Principal, name: str, provisions: Sequence[str] = (), case_id: str | None = None) -> Shown:
        """The element matrix of an incident; see `app.assessment.matrix`, and docs/assessment.md for the document.

        Args:
            who: the reader.
            name: UUID of the incident, or its id for people.
            provisions: these only; all that were touched or are suggested when empty. What speaks against others is
                listed nevertheless.
            case_id: of this case only.

        Raises:
            NotFoundError: `unknown_incident`, `unknown_provision`.
            DeniedError: `not_allowed`.
        """
        found = self._incidents.assessed(who, name, case_id)
        incident, told = found.view.entry, self._suggestions.about(found)
        number, catalogue = self._catalogues.current()
        with self._archive.db.read() as session:
            ledger = Ledger.read(session, incident.id)
            statements = statements_of(session, incident.case_id, named_in(session, found.view, ledger))
        versions = {line.record.catalogue.version for line in ledger.lines} - {number}
        former = {version: self._catalogues.version(version) for version in versions}
        chosen = list(dict.fromkeys(provisions)) or provisions_touched(ledger, told)
        for one in chosen:
            if one not in catalogue.provisions and not any(one in older.provisions for older in former.values()):
                raise NotFoundError("unknown_provision", f"the catalogue has no provision {one[:64]!r}")
        before = Before(
            incident=_incident(found),
            ledger=ledger,
            number=number,
            catalogue=catalogue,
            former=former,
            suggestions=told,
            statements=bearing_on(statements, ledger),
            application=lambda provision: _application(provision, found),
        )
        return matrix(before, chosen, self._archive.custody.now())

    def entry(self, who: Principal, entry_id: str) -> list[tuple[Line, bool | None]]:
        """Every version of an entry, oldest first; of an assessment with whether its basis has changed since.

        Raises:
            NotFoundError: `unknown_entry`.
            DeniedError: `not_allowed`.
        """
        row = self.desk.entry(who, entry_id, READ)
        with self._archive.db.read() as session:
            ledger = Ledger.read(session, row.incident_id)
        return [(line, ledger.basis_changed(line)) for line in ledger.thread(row.thread_id)]

    def line(self, row: AssessmentEntry) -> tuple[Line, bool | None]:
        """A version that was just written, as it is shown."""
        with self._archive.db.read() as session:
            line = Line(row, entry_record(row), digest(row), reviews_of(session, row.id), newest=True)
            changed = Ledger.read(session, row.incident_id).basis_changed(line) if row.kind == "assessment" else None
        return line, changed

    def records(self, who: Principal, name: str) -> Iterator[tuple[str, str, bytes]]:
        """(role, UUID, canonical bytes) of every entry and review of an incident, and the seals: for a bundle.

        Raises:
            NotFoundError: `unknown_incident`.
            DeniedError: `not_allowed`.
        """
        incident = self.desk.incident(who, name, READ)
        with self._archive.db.read() as session:
            ledger = Ledger.read(session, incident.id)
        return ledger.records()


def _incident(found: Assessed) -> Shown:
    view = found.view
    return {
        "id": view.entry.id,
        "ref": view.entry.ref,
        "case": view.entry.case_id,
        "version": view.record.number,
        "sha256": view.sha256,
        "title": view.record.body.get("title", ""),
        "date": view.record.standing.get("date", {}),
    }


def _application(provision: Provision, found: Assessed) -> dict[str, JsonValue]:
    days = None if found.days is None else Days(*found.days)
    told = applies(provision, gathered(found.facts.stated), days, packaged_status(), type_decided=False)
    return {"status_data": told.shown, "stops": told.stops, "as_of": packaged_status().as_of}
