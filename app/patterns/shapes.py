"""Incidents as GeoJSON (RFC 7946), KML 2.2, CSV and a timeline: each with its precision and what it rests on. Pure.

1. Nothing here is more exact than the record: places are circles or areas by name, times are intervals.
2. Restricted places and the names of persons are not shown in any of them.
3. They tell what records say. Nothing here says that a rule was broken.
4. Where sources differ on dead and injured, all values are told and none is singled out without a signed-off decision;
   what speaks against stands beside the basis (`app.patterns.accounts`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pydantic import JsonValue

from app.cells import guarded
from app.incidents.bodies import IncidentBody, Place, Strike, read_body
from app.incidents.facts import COUNTS
from app.incidents.standing import days_of
from app.incidents.store import EntryView
from app.patterns.accounts import DIFFER, Beside, Count
from app.patterns.geometry import Located, located
from app.patterns.withheld import hide_in, hider, is_restricted

WORDING = "what records say; no finding of fact or law"
WITHHELD = "restricted: not shown"
KML = "http://www.opengis.net/kml/2.2"
COLUMNS = (
    "id",
    "ref",
    "version",
    "record_sha256",
    "title",
    "earliest",
    "latest",
    "date_precision",
    "year",
    "place",
    "city",
    "oblast",
    "place_precision",
    "latitude",
    "longitude",
    "uncertainty_m",
    "place_method",
    "geometry_note",
    "geometry_wkt",
    "strikes",
    "targets",
    "methods",
    "killed",
    "injured",
    "basis",
    "killed_stated",
    "killed_standing",
    "injured_stated",
    "injured_standing",
    "speaks_against",
    "accounts_differ",
)
_BESIDE = (
    *(f"{name}{of}" for name in COUNTS for of in ("", "_stated", "_standing")),
    *("conflicting", "speaks_against", "speaks_against_in_all", "accounts_differ"),
)
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Shape:
    """One incident, ready to be drawn or written.

    Attributes:
        days: first and last possible day (ISO 8601), None for an end that is open; or None.
        shown: its properties, without what is not shown.
        counts: what is stated of dead and injured.
        moments: of each strike, what is known of its time.
    """

    ref: str
    days: tuple[str | None, str | None] | None
    where: Located
    place: Place | None
    shown: dict[str, Any]
    strikes: tuple[dict[str, Any], ...]
    counts: Mapping[str, Count]


def shape_of(view: EntryView, beside: Beside) -> Shape:
    """An incident as a shape, with what stands beside it."""
    body: IncidentBody = read_body("incident", view.entry.ref, view.record.body, IncidentBody)
    days = days_of(body.date)
    first, last = (None if day is None else day.isoformat() for day in days or (None, None))
    secret = is_restricted(body.place) or any(is_restricted(strike.place) for strike in body.sequence)
    where = Located(WITHHELD) if secret else located(body.place)
    extra = {} if secret else (body.place.model_extra or {})
    hide = hider(body)
    basis = (body.model_extra or {}).get("verification_basis")
    told: dict[str, Any] = {
        "title": body.title,
        "date": {
            "earliest": first,
            "latest": last,
            "precision": body.date.precision,
            "year": _year(view),
        },
        "place": {
            "text": WITHHELD if secret else body.place.text,
            "city": extra.get("city"),
            "oblast": extra.get("oblast"),
            "precision": None if secret else body.place.precision,
            "uncertainty_m": None if secret else body.place.uncertainty_m,
            "method": None if secret else body.place.method,
            "restricted": secret,
        },
        "strikes": [_strike(strike) for strike in body.sequence],
        "basis": basis if isinstance(basis, list) else [],
        "accounts_differ": _accounts(view),
    }
    hidden = told if hide is None else hide_in(told, hide)
    shown: dict[str, Any] = {
        "id": view.entry.id,
        "ref": view.entry.ref,
        "version": view.record.number,
        "record_sha256": view.sha256,
        **(hidden if isinstance(hidden, dict) else {}),
        "geometry_note": where.note,
        **_contradicted(beside),
        "wording": WORDING,
    }
    strikes = tuple(_moment(strike) for strike in body.sequence)
    span, place = None if days is None else (first, last), None if secret else body.place
    return Shape(view.entry.ref, span, where, place, shown, strikes, beside.counts)


def _contradicted(beside: Beside) -> dict[str, JsonValue]:
    """Counts as far as they stand, all that is stated of them, and what speaks against."""
    made: dict[str, JsonValue] = {}
    for name, count in beside.counts.items():
        made[name] = count.value
        made[f"{name}_stated"] = [*count.stated]
        made[f"{name}_standing"] = count.standing
    return {
        **made,
        "conflicting": any(one.standing == DIFFER for one in beside.counts.values()),
        "speaks_against": [*beside.against],
        "speaks_against_in_all": beside.against_in_all,
    }


def _accounts(view: EntryView) -> list[JsonValue]:
    """What other sources say otherwise than the record, in their words."""
    accounts = view.record.standing.get("accounts")
    found: list[JsonValue] = []
    for one in accounts if isinstance(accounts, list) else []:
        differs = one.get("differs") if isinstance(one, dict) else None
        found += differs if isinstance(differs, list) else []
    return found


def _year(view: EntryView) -> JsonValue:
    date = view.record.standing.get("date")
    return date.get("year") if isinstance(date, dict) else None


def _strike(strike: Strike) -> dict[str, JsonValue]:
    return {"n": strike.n, "target": strike.target, "method": strike.method, "result": strike.result}


def _moment(strike: Strike) -> dict[str, Any]:
    return {"n": strike.n, "earliest": strike.earliest, "latest": strike.latest}


def geojson(shapes: Iterable[Shape], **told: JsonValue) -> dict[str, Any]:
    """A feature collection; a feature without a shape has a null geometry (RFC 7946, section 3.2).

    Args:
        shapes: the incidents.
        told: further members, such as `cursor`.
    """
    features = [
        {"type": "Feature", "id": one.shown["id"], "geometry": one.where.geometry, "properties": one.shown}
        for one in shapes
    ]
    return {"type": "FeatureCollection", "features": features, **told}


def timeline(shapes: Iterable[Shape]) -> dict[str, Any]:
    """Incidents by their first possible day, then by their last; those without a date apart.

    Where the first one is open, the incident stands before all others; where the last one is, behind its like.
    """
    dated: list[dict[str, Any]] = []
    undated: list[dict[str, Any]] = []
    for one in shapes:
        entry = {
            **{name: one.shown[name] for name in ("id", "ref", "version", "record_sha256", "title", "date")},
            "place": one.shown["place"]["text"],
            "uncertain": one.days is None or None in one.days or one.days[0] != one.days[1],
            "strikes": [
                {**moment, **{k: v for k, v in strike.items() if k != "n"}}
                for moment, strike in zip(one.strikes, one.shown["strikes"], strict=True)
            ],
            **{name: one.shown[name] for name in ("basis", *_BESIDE)},
        }
        (undated if one.days is None else dated).append(entry)
    dated.sort(key=lambda one: (one["date"]["earliest"] or "", one["date"]["latest"] or "~", one["ref"]))
    return {"wording": WORDING, "events": dated, "undated": sorted(undated, key=lambda one: str(one["ref"]))}


def kml(shapes: Iterable[Shape], name: str) -> bytes:
    """A KML 2.2 document: a placemark for each incident, with its time span and, where there is one, its polygon."""
    marks = "".join(_placemark(one) for one in shapes)
    head = f"<name>{xml_text(name)}</name><description>{xml_text(WORDING)}</description>"
    document = f'<kml xmlns="{KML}"><Document>{head}{marks}</Document></kml>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n'.encode()


def _placemark(one: Shape) -> str:
    when = ""
    if one.days is not None:
        ends = zip(("begin", "end"), one.days, strict=True)  # one that is left out is unbounded (KML 2.2, 15.2)
        when = "".join(f"<{end}>{day}</{end}>" for end, day in ends if day is not None)
        when = f"<TimeSpan>{when}</TimeSpan>"
    data = "".join(
        f"<Data name={quoteattr(key)}><value>{xml_text(_flat(value))}</value></Data>"
        for key, value in _row(one).items()
    )
    rings = "".join(
        "<Polygon><outerBoundaryIs><LinearRing><coordinates>"
        + " ".join(f"{lon},{lat}" for lon, lat in ring)
        + "</coordinates></LinearRing></outerBoundaryIs></Polygon>"
        for ring in one.where.polygons
    )
    shape = f"<MultiGeometry>{rings}</MultiGeometry>" if rings else ""
    title = xml_text(f"{one.ref}: {one.shown['title']}")
    note = xml_text(str(one.shown["geometry_note"]))
    extended = f"<ExtendedData>{data}</ExtendedData>"
    return f"<Placemark><name>{title}</name><description>{note}</description>{when}{extended}{shape}</Placemark>"


def csv_bytes(shapes: Iterable[Shape]) -> bytes:
    """RFC 4180, UTF-8; a cell that a spreadsheet would take for a formula begins with an apostrophe."""
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for one in shapes:
        row = _row(one)
        writer.writerow({name: guarded(_flat(row[name])) for name in COLUMNS})
    return written.getvalue().encode("utf-8", "replace")


def _row(one: Shape) -> dict[str, Any]:
    shown, place, date = one.shown, one.shown["place"], one.shown["date"]
    drawn = one.where.circle is not None and one.place is not None  # of an outline no point is told
    return {
        "id": shown["id"],
        "ref": shown["ref"],
        "version": shown["version"],
        "record_sha256": shown["record_sha256"],
        "title": shown["title"],
        "earliest": date["earliest"],
        "latest": date["latest"],
        "date_precision": date["precision"],
        "year": date["year"],
        "place": place["text"],
        "city": place["city"],
        "oblast": place["oblast"],
        "place_precision": place["precision"],
        "latitude": one.place.lat if drawn and one.place is not None else None,
        "longitude": one.place.lon if drawn and one.place is not None else None,
        "uncertainty_m": place["uncertainty_m"] if drawn else None,
        "place_method": place["method"],
        "geometry_note": shown["geometry_note"],
        "geometry_wkt": _wkt(one.where),
        "strikes": len(shown["strikes"]),
        "targets": _each(shown["strikes"], "target"),
        "methods": _each(shown["strikes"], "method"),
        **{name: count.text for name, count in one.counts.items()},
        "basis": shown["basis"],
        **_row_beside(shown),
    }


def _row_beside(shown: dict[str, Any]) -> dict[str, Any]:
    more = shown["speaks_against_in_all"] - len(shown["speaks_against"])
    counts = {name: shown[name] for name in COLUMNS if name.endswith("_standing")}
    stated = {name: " | ".join(map(str, shown[name])) for name in COLUMNS if name.endswith("_stated")}
    against = [*shown["speaks_against"], *([f"and {more} more"] if more else [])]
    return {**counts, **stated, "speaks_against": against, "accounts_differ": shown["accounts_differ"]}


def _each(strikes: Sequence[dict[str, Any]], name: str) -> list[str]:
    return list(dict.fromkeys(str(one[name]) for one in strikes if one[name]))


def _wkt(where: Located) -> str | None:
    rings = ["((" + ", ".join(f"{lon} {lat}" for lon, lat in ring) + "))" for ring in where.polygons]
    if not rings:
        return None
    return f"POLYGON {rings[0]}" if len(rings) == 1 else f"MULTIPOLYGON ({', '.join(rings)})"


def _flat(value: object) -> str:
    if value is None:
        return ""
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def xml_text(text: str) -> str:
    """Text as XML 1.0 can hold it."""
    return escape(_NOT_IN_XML.sub("\ufffd", text))
