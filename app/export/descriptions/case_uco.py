"""`case.jsonld`: CASE 1.5 and UCO (Cyber-investigation Analysis Standard Expression) as JSON-LD. Pure.

An original and each file made from it is an observable object with its hashes, each custody event of an item an
investigative action by whoever did it, each item an exhibit. Positions are given only where a file states them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app.export.descriptions.facts import EventFacts, Facts, FileFacts, ItemFacts
from app.export.descriptions.writing import json_document, own_uuid

Node = dict[str, Any]
_UCO: Final = "https://ontology.unifiedcyberontology.org/uco"
CONTEXT: Final = {
    "kb": "urn:catena:kb:",
    "case-investigation": "https://ontology.caseontology.org/case/investigation/",
    **{f"uco-{name}": f"{_UCO}/{name}/" for name in ("action", "core", "identity", "location", "observable", "types")},
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


def case_jsonld(facts: Facts) -> bytes:
    """The graph of a bundle."""
    return json_document({"@context": CONTEXT}, "@graph", _nodes(facts))


def _nodes(facts: Facts) -> Iterator[Node]:
    plan = facts.plan
    archive = _id("Organization", plan.archive.id)
    yield {"@id": archive, "@type": "uco-identity:Organization", "uco-core:name": plan.archive.org}
    known = {one.sha256: _file_id(one) for one in facts.files if (one.object or "").startswith("item:")}
    by_item: dict[str, list[FileFacts]] = {}
    for one in facts.files:
        by_item.setdefault(one.object or "", []).append(one)
    exhibits: list[Node] = []
    for item in facts.items:
        files = by_item.get(f"item:{item.item}", [])
        yield from (_observable(one, item) for one in files)
        yield from _derived(item, files)
        yield from _location(item)
        exhibits.append({"@id": _id("ProvenanceRecord", item.item)})
        yield _exhibit(item, files)
    actors: set[str] = set()
    for event in facts.events():
        yield from _actor(event, actors)
        yield _action(event, known)
    yield {
        "@id": _id("Investigation", plan.bundle_id),
        "@type": "case-investigation:Investigation",
        "uco-core:name": f"Evidence bundle {plan.bundle_id}",
        "uco-core:description": plan.purpose or "no purpose was stated",
        **({"uco-core:object": exhibits} if exhibits else {}),
    }


def _id(kind: str, name: str) -> str:
    """The IRI of a node; what is named by no UUID gets one made from its name, which UCO asks for."""
    return f"kb:{kind}-{name}"


def _file_id(one: FileFacts) -> str:
    return _id("File", own_uuid(f"{one.path} {one.sha256}"))


def _part(kind: str, of: str) -> str:
    return _id(kind, own_uuid(f"{kind} {of}"))


def _typed(kind: str, value: str) -> Mapping[str, str]:
    return {"@type": kind, "@value": value}


def _observable(one: FileFacts, item: ItemFacts) -> Node:
    me = _file_id(one)
    hashes = [("SHA256", one.sha256)] + ([("SHA512", item.sha512)] if one.role == "original" else [])
    name = item.name if one.role == "original" else one.path.rpartition("/")[2]
    return {
        "@id": me,
        "@type": "uco-observable:File",
        "uco-core:description": f"{one.role} of item {item.item}",
        "uco-core:hasFacet": [
            {
                "@id": _part("FileFacet", me),
                "@type": "uco-observable:FileFacet",
                "uco-observable:fileName": name,
                "uco-observable:filePath": one.path,
                "uco-observable:sizeInBytes": one.size,
            },
            {
                "@id": _part("ContentDataFacet", me),
                "@type": "uco-observable:ContentDataFacet",
                "uco-observable:mimeType": one.media_type,
                "uco-observable:sizeInBytes": one.size,
                "uco-observable:hash": [
                    {
                        "@id": _part("Hash", f"{me} {method}"),
                        "@type": "uco-types:Hash",
                        "uco-types:hashMethod": method,
                        "uco-types:hashValue": _typed("xsd:hexBinary", value.upper()),
                    }
                    for method, value in hashes
                ],
            },
        ],
    }


def _derived(item: ItemFacts, files: Sequence[FileFacts]) -> Iterator[Node]:
    original = _file_id(item.original)
    for one in files:
        if one.role in {"preview", "proxy", "track", "track view", "metadata"}:
            yield _relation(_file_id(one), original, "Derived_From")


def _location(item: ItemFacts) -> Iterator[Node]:
    if item.place.lat is None or item.place.lon is None:
        return
    place = _part("Location", item.item)
    yield {
        "@id": place,
        "@type": "uco-location:Location",
        "uco-core:description": f"position that the file states ({item.place.certainty}): {item.place.basis}",
        "uco-core:hasFacet": [
            {
                "@id": _part("LatLongCoordinatesFacet", item.item),
                "@type": "uco-location:LatLongCoordinatesFacet",
                "uco-location:latitude": _typed("xsd:decimal", item.place.lat),
                "uco-location:longitude": _typed("xsd:decimal", item.place.lon),
            }
        ],
    }
    yield _relation(_file_id(item.original), place, "States_Position")


def _relation(source: str, target: str, kind: str) -> Node:
    return {
        "@id": _part("Relationship", f"{source} {kind} {target}"),
        "@type": "uco-core:Relationship",
        "uco-core:source": {"@id": source},
        "uco-core:target": {"@id": target},
        "uco-core:kindOfRelationship": kind,
        "uco-core:isDirectional": True,
    }


def _exhibit(item: ItemFacts, files: Sequence[FileFacts]) -> Node:
    return {
        "@id": _id("ProvenanceRecord", item.item),
        "@type": "case-investigation:ProvenanceRecord",
        "case-investigation:exhibitNumber": item.item,
        "uco-core:description": f"item {item.item}, received {item.received_at}; restriction: {item.restriction}",
        "uco-core:object": [{"@id": _file_id(one)} for one in files],
    }


def _actor(event: EventFacts, seen: set[str]) -> Iterator[Node]:
    who = _actor_id(event)
    if who not in seen:
        seen.add(who)
        actor = event.record["actor"]
        yield {"@id": who, "@type": "uco-identity:Identity", "uco-core:name": f"{actor.get('name') or actor.get('id')}"}


def _actor_id(event: EventFacts) -> str:
    actor = event.record["actor"]
    return _id("Identity", own_uuid(f"actor {actor.get('id')} {actor.get('name')}"))


def _action(event: EventFacts, known: Mapping[str, str]) -> Node:
    record = event.record
    results = [{"@id": known[digest]} for digest in dict.fromkeys(event.outputs) if digest in known]
    concerns = [{"@id": known[record["sha256"]]}] if record["sha256"] in known else []
    if event.about.startswith("item:"):
        concerns.append({"@id": _id("ProvenanceRecord", event.about.removeprefix("item:"))})
    return {
        "@id": _id("InvestigativeAction", event.event_id),
        "@type": "case-investigation:InvestigativeAction",
        "uco-core:name": record["type"],
        "uco-core:description": f"custody event {record['object_seq']} of {event.about}; SHA-256 {event.digest}",
        "uco-action:startTime": _typed("xsd:dateTime", record["time"]),
        "uco-action:endTime": _typed("xsd:dateTime", record["time"]),
        "uco-action:performer": {"@id": _actor_id(event)},
        **({"uco-action:object": concerns} if concerns else {}),
        **({"uco-action:result": results} if results else {}),
    }
