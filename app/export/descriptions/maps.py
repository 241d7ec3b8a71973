"""`items.geojson` (RFC 7946) and `items.kml` (OGC KML 2.2): where items were recorded, as far as they state it. Pure.

An item without a stated place is listed without a geometry, with the reason: a map that leaves it out would look whole.
"""

from __future__ import annotations

from typing import Any

from app.export.descriptions.facts import Facts, ItemFacts
from app.export.descriptions.writing import element, json_document, wrapped

_KML = "http://www.opengis.net/kml/2.2"
_NOTE = "Places and times are those that the files state of themselves; a file can state something wrong."


def items_geojson(facts: Facts) -> bytes:
    """A feature for each item; `geometry` is null when no place is stated."""
    head = {"type": "FeatureCollection", "note": _NOTE}
    return json_document(head, "features", (_feature(item) for item in facts.items))


def _feature(item: ItemFacts) -> dict[str, Any]:
    place = item.place
    point = None
    if place.lat is not None and place.lon is not None:
        point = {"type": "Point", "coordinates": [float(place.lon), float(place.lat)]}
    return {
        "type": "Feature",
        "id": item.item,
        "geometry": point,
        "properties": {
            "name": item.name,
            "path": item.original.path,
            "sha256": item.original.sha256,
            "media_type": item.original.media_type,
            "place_certainty": place.certainty,
            "place_basis": place.basis,
            "place_error_m": place.error_m,
            "time": item.time.value,
            "time_is_utc": item.time.utc,
            "time_certainty": item.time.certainty,
            "time_basis": item.time.basis,
        },
    }


def items_kml(facts: Facts) -> bytes:
    """A placemark for each item; those without a stated place stand in a folder of their own, without a point."""
    placed = [item for item in facts.items if item.place.lat is not None]
    unplaced = [item for item in facts.items if item.place.lat is None]
    folders = (
        wrapped("Folder", element("name", "Items with a stated place") + "".join(map(_placemark, placed))),
        wrapped("Folder", element("name", "Items without a stated place") + "".join(map(_placemark, unplaced))),
    )
    document = wrapped(
        "Document",
        element("name", f"Evidence bundle {facts.plan.bundle_id}") + element("description", _NOTE) + "\n".join(folders),
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{wrapped("kml", document, xmlns=_KML)}\n'.encode()


def _placemark(item: ItemFacts) -> str:
    place, time = item.place, item.time
    told = [
        ("item", item.item),
        ("path", item.original.path),
        ("sha256", item.original.sha256),
        ("place_certainty", place.certainty),
        ("place_basis", place.basis),
        ("place_error_m", place.error_m or ""),
        ("time", time.value or ""),
        ("time_certainty", time.certainty),
        ("time_basis", time.basis),
    ]
    data = "".join(wrapped("Data", element("value", value), name=name) for name, value in told)
    return "\n" + wrapped(
        "Placemark",
        element("name", item.name)
        + (wrapped("TimeStamp", element("when", time.value)) if time.value is not None and time.utc else "")
        + wrapped("ExtendedData", data)
        + (wrapped("Point", element("coordinates", f"{place.lon},{place.lat}")) if place.lat is not None else ""),
    )
