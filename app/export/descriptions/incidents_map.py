"""`incidents.geojson` (RFC 7946): where and when incidents are said to have happened, with precision and method. Pure.

Names of persons are not in it. A point of which neither a method nor an uncertainty is stated is nobody's measurement:
its degrees are told as text, and it is not drawn, since on a map it would look like one. An outline is drawn as given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.export.descriptions.facts import Facts
from app.export.descriptions.writing import json_document
from app.incidents.outlines import readable_outline

_NOTE = "What is said to have happened, as it was given. A point without method or uncertainty is not drawn."
_PLACE = ("text", "precision", "uncertainty_m", "method", "lat", "lon")


def incidents_geojson(facts: Facts) -> bytes | None:
    """A feature for each incident, and one for each of its strikes that has a place; None without incidents."""
    if not facts.incidents:
        return None
    features = [feature for record in facts.incidents for feature in _features(record)]
    return json_document({"type": "FeatureCollection", "note": _NOTE}, "features", features)


def _features(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    body, standing = record["body"], record["standing"]
    shared = {"incident": record["entry"], "ref": record["ref"], "version": record["number"]}
    made = [
        _feature(
            record["entry"],
            body.get("place"),
            shared | {"kind": "incident", "title": body.get("title"), "date": standing.get("date")},
        )
    ]
    strikes = body.get("sequence")
    for strike in strikes if isinstance(strikes, list) else []:
        if isinstance(strike, dict) and strike.get("place"):
            told = {name: strike.get(name) for name in ("n", "earliest", "latest")}
            made.append(
                _feature(f"{record['entry']}#{strike.get('n')}", strike["place"], {**shared, "kind": "strike", **told})
            )
    return made


def _feature(identity: str, place: object, properties: dict[str, Any]) -> dict[str, Any]:
    stated = place if isinstance(place, dict) else {}
    lat, lon = _degrees(stated.get("lat"), 90), _degrees(stated.get("lon"), 180)
    measured = stated.get("method") is not None or stated.get("uncertainty_m") is not None
    shape: dict[str, Any] | None = None
    if (ring := readable_outline(stated.get("outline"))) is not None:
        shape = {"type": "Polygon", "coordinates": [ring]}
    elif measured and lat is not None and lon is not None:
        shape = {"type": "Point", "coordinates": [lon, lat]}
    told = {f"place_{name}": stated.get(name) for name in _PLACE}
    return {"type": "Feature", "id": identity, "geometry": shape, "properties": properties | told}


def _degrees(value: object, largest: int) -> float | None:
    """Decimal text as a number; None for what is no place on earth."""
    try:
        number = float(str(value)) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and abs(number) <= largest else None
