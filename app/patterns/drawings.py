"""Shapes, timelines and pictures as use-cases: what the reader may read, and nothing that is withheld."""

from __future__ import annotations

import json
from typing import Any

from app.access.service import Access, Principal
from app.archive import Archive
from app.errors import InvalidInputError
from app.evidence.models import Case
from app.incidents.service import Incidents
from app.incidents.store import entries_of, newest
from app.patterns.accounts import beside
from app.patterns.labels import LABELS
from app.patterns.page import page
from app.patterns.pictures import map_svg, months_svg
from app.patterns.service import Patterns
from app.patterns.shapes import Shape, csv_bytes, geojson, kml, shape_of, timeline
from app.strings import Language


class Drawings:
    """What of an archive's incidents can be drawn."""

    def __init__(self, archive: Archive, access: Access, incidents: Incidents, patterns: Patterns) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._incidents = incidents
        self._patterns = patterns

    def features(
        self, who: Principal, case: Case | None = None, *, cursor: str | None = None, limit: int = 500
    ) -> dict[str, Any]:
        """A page of incidents as GeoJSON, of one case or of all that the reader may read.

        Raises:
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_cursor`, `bad_limit`.
        """
        shapes, after = self._page(who, case, cursor, limit)
        return geojson(shapes, cursor=after)

    def timeline(
        self, who: Principal, case: Case | None = None, *, cursor: str | None = None, limit: int = 500
    ) -> dict[str, Any]:
        """A page of incidents in the order of their days; each page is in order by itself.

        Raises:
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_cursor`, `bad_limit`.
        """
        shapes, after = self._page(who, case, cursor, limit)
        return {**timeline(shapes), "cursor": after}

    def _page(
        self, who: Principal, case: Case | None, cursor: str | None, limit: int
    ) -> tuple[list[Shape], str | None]:
        case_id = None if case is None else case.id
        found = self._incidents.list_incidents(who, case_id, cursor=cursor, limit=limit)
        with self._archive.db.read() as session:
            return [shape_of(view, its) for view, its in beside(session, found.incidents)], found.cursor

    def file(self, who: Principal, case: Case, form: str) -> bytes:
        """All incidents of a case as a file: `geojson`, `timeline`, `kml` or `csv`.

        Raises:
            NotFoundError: `unknown_case`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_form`.
        """
        shapes = self._all(who, case)
        if form == "kml":
            return kml(shapes, case.ref)
        if form == "csv":
            return csv_bytes(shapes)
        if form in {"geojson", "timeline"}:
            made = geojson(shapes) if form == "geojson" else timeline(shapes)
            return json.dumps(made, ensure_ascii=False, indent=1).encode() + b"\n"
        raise InvalidInputError("bad_form", "a file of shapes is geojson, timeline, kml or csv")

    def months(self, who: Principal, case: Case, rule: str, lang: str = "en") -> str:
        """Counts by month as SVG.

        Raises:
            NotFoundError: `unknown_case`, `unknown_pattern_rule`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_language`.
        """
        words, found = language(lang), self._patterns.count(who, case, rule)
        return months_svg(found["rule"]["body"]["title"], found["numbers"]["by"]["month"], words)

    def map(self, who: Principal, case: Case, rule: str | None = None, lang: str = "en") -> str:
        """A map as SVG: of what a rule includes, or of all incidents of a case.

        Raises:
            NotFoundError: `unknown_case`, `unknown_pattern_rule`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_language`.
        """
        words = language(lang)
        if rule is None:
            return map_svg(case.ref, self._all(who, case), words)
        found = self._patterns.count(who, case, rule)
        return map_svg(found["rule"]["body"]["title"], self._included(who, case, found), words)

    def page(self, who: Principal, case: Case, rule: str, lang: str = "en") -> str:
        """Both pictures with the same as tables, as one HTML page.

        Raises:
            NotFoundError: `unknown_case`, `unknown_pattern_rule`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_language`.
        """
        words, found = language(lang), self._patterns.count(who, case, rule)
        return page(found, self._included(who, case, found), words)

    def _included(self, who: Principal, case: Case, found: dict[str, Any]) -> list[Shape]:
        inside = {one["entry"] for one in found["members"] if one["verdict"] == "included"}
        return [one for one in self._all(who, case) if one.shown["id"] in inside]

    def _all(self, who: Principal, case: Case) -> list[Shape]:
        self._access.require(who, "incident.read", case.id)
        with self._archive.db.read() as session:
            views = newest(session, entries_of(session, case.id, ["incident"]))
            return [shape_of(view, its) for view, its in beside(session, views)]


def language(text: str) -> Language:
    """A language of the labels.

    Raises:
        InvalidInputError: `bad_language`.
    """
    for known in LABELS:
        if text == known:
            return known
    raise InvalidInputError("bad_language", f"labels are there in {', '.join(LABELS)}")
