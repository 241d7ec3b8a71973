"""`ro-crate-metadata.json`: RO-Crate 1.1, the unzipped bundle as a research object. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from app.export.descriptions.facts import Facts, FileFacts, ItemFacts
from app.export.descriptions.writing import json_document, own_uuid

PROFILE: Final = "https://w3id.org/ro/crate/1.1"
_MADE_FROM_ORIGINAL: Final = frozenset({"metadata", "preview", "proxy", "track", "track view"})
_OWN_TERMS: Final = {
    "sha256": "https://schema.org/sha256",
    "sha512": "https://w3id.org/security#sha512",
}
_LICENCE: Final = "#terms"


def ro_crate(facts: Facts) -> bytes:
    """The crate's metadata."""
    return json_document({"@context": [f"{PROFILE}/context", _OWN_TERMS]}, "@graph", _entities(facts))


def _entities(facts: Facts) -> Iterator[dict[str, Any]]:
    plan = facts.plan
    archive, creator = f"urn:uuid:{plan.archive.id}", f"#user-{plan.created_by.id}"
    yield {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": {"@id": PROFILE},
        "about": {"@id": "./"},
    }
    yield {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Evidence bundle {plan.bundle_id}",
        "description": plan.purpose or "No purpose was stated.",
        "datePublished": plan.created_at,
        "identifier": f"urn:uuid:{plan.bundle_id}",
        "license": {"@id": _LICENCE},
        "publisher": {"@id": archive},
        "creator": {"@id": creator},
        "hasPart": [{"@id": one.path} for one in facts.files],
        "mentions": {"@id": "#export"},
    }
    yield {"@id": archive, "@type": "Organization", "name": plan.archive.org}
    yield {"@id": creator, "@type": "Person", "name": plan.created_by.name}
    yield {
        "@id": _LICENCE,
        "@type": "CreativeWork",
        "name": "Terms of use",
        "description": "Disclosed for the stated purpose. The archive grants no licence and has cleared no rights.",
    }
    yield {
        "@id": "#export",
        "@type": "CreateAction",
        "name": "Export of the bundle",
        "agent": {"@id": creator},
        "endTime": plan.created_at,
        "result": {"@id": "./"},
    }
    items = {f"item:{item.item}": item for item in facts.items}
    for one in facts.files:
        yield _file(one, items.get(one.object or ""))
    for item in facts.items:
        yield from _place(item)


def _file(one: FileFacts, item: ItemFacts | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "@id": one.path,
        "@type": "File",
        "name": one.path.rpartition("/")[2],
        "description": one.role if one.object is None else f"{one.role} of {one.object}",
        "contentSize": str(one.size),
        "encodingFormat": one.media_type,
        "sha256": one.sha256,
    }
    if item is None:
        return made
    if one.role in _MADE_FROM_ORIGINAL:
        made["isBasedOn"] = {"@id": item.original.path}
    if one.role == "original":
        made |= {"name": item.name or made["name"], "identifier": f"urn:uuid:{item.item}", "sha512": item.sha512}
        if item.time.value is not None:
            made["dateCreated"] = item.time.value
        if item.place.lat is not None:
            made["contentLocation"] = {"@id": _place_id(item)}
    return made


def _place_id(item: ItemFacts) -> str:
    return f"#place-{own_uuid(f'place {item.item}')}"


def _place(item: ItemFacts) -> Iterator[dict[str, Any]]:
    if item.place.lat is None:
        return
    yield {
        "@id": _place_id(item),
        "@type": "Place",
        "description": f"The position that the file states ({item.place.certainty}): {item.place.basis}",
        "geo": {"@id": f"{_place_id(item)}-point"},
    }
    yield {
        "@id": f"{_place_id(item)}-point",
        "@type": "GeoCoordinates",
        "latitude": item.place.lat,
        "longitude": item.place.lon,
    }
