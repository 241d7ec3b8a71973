"""What a new version of the catalogue does to links that are there: told to whoever brings it, and changing none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pydantic import JsonValue
from sqlmodel import col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.assessment.ledger import Ledger
from app.assessment.models import AssessmentEntry
from app.incidents.models import IncidentEntry
from app.law.catalogue import Resorted

_NAMED = 100


class ResortedLinks:
    """Standing links to elements that a new version of the catalogue sorts otherwise."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access

    def warnings(self, who: Principal, moved: Sequence[Resorted]) -> list[dict[str, JsonValue]]:
        """One warning for each element, with the links to it: all counted, those of the reader's cases named.

        Args:
            who: whoever brings the catalogue.
            moved: the elements.

        Returns:
            `provision`, `element`, `kind_before`, `kind_now` (None where it is gone), `links` (how many stand), `named`
            (at most 100, `entry` and `incident`) and `text`.
        """
        visible = self._access.visible_cases(who)
        counts: Counter[str] = Counter()
        named: dict[str, list[JsonValue]] = {}
        wanted = select(AssessmentEntry, IncidentEntry)
        wanted = wanted.join(IncidentEntry, col(IncidentEntry.id) == col(AssessmentEntry.incident_id))
        wanted = wanted.where(
            AssessmentEntry.kind == "link", col(AssessmentEntry.part).in_([one.element for one in moved])
        )
        ordered = wanted.order_by(col(AssessmentEntry.created_at), col(AssessmentEntry.thread_id))
        with self._archive.db.read() as session:
            found = list(session.exec(ordered)) if moved else []
        incidents = {row.id: incident for row, incident in found}
        for line, record in Ledger.of([row for row, _ in found], {}).links():
            element, incident = record.element.id, incidents[line.row.id]
            counts[element] += 1
            here = named.setdefault(element, [])
            if (visible is None or incident.case_id in visible) and len(here) < _NAMED:
                here.append({"entry": line.row.id, "incident": incident.ref})
        return [_warning(one, counts[one.element], named.get(one.element, [])) for one in moved]


def _warning(one: Resorted, links: int, named: list[JsonValue]) -> dict[str, JsonValue]:
    now = "is gone" if one.after is None else f"is {one.after} now"
    return {
        "provision": one.provision,
        "element": one.element,
        "kind_before": one.before,
        "kind_now": one.after,
        "links": links,
        "named": named,
        "text": f"{one.element} was {one.before} and {now}. {links} standing links are to it: what either version "
        "calls against still counts as against, and the matrix shows the difference. Have a second lawyer check it",
    }
