"""`premis.xml`: PREMIS 3.0 (Library of Congress), objects, events and agents of a bundle. Pure.

Types of events that the vocabulary of preservation events has are named by its terms; the archive's own others have
their own word and no term. What identifies an event is its id in the custody log, whose proof is the evidence: this
file is a description.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.export.descriptions.facts import EventFacts, Facts, FileFacts, ItemFacts
from app.export.descriptions.writing import element, wrapped

NAMESPACE: Final = "http://www.loc.gov/premis/v3"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
VOCABULARY: Final = "http://id.loc.gov/vocabulary/preservation/eventType"
_HASHES: Final = "http://id.loc.gov/vocabulary/preservation/cryptographicHashFunctions"
TERMS: Final = {
    "digital signature generation": "dsg",
    "dissemination": "dis",
    "fixity check": "fix",
    "ingestion": "ing",
    "message digest calculation": "mes",
    "metadata extraction": "mee",
    "metadata modification": "mem",
    "migration": "mig",
    "redaction": "red",
}
"""Our types of events that are terms of the vocabulary, with their codes."""

_MADE_FROM_ORIGINAL: Final = frozenset({"metadata", "preview", "proxy", "track", "track view"})


def premis_xml(facts: Facts) -> bytes:
    """The record of a bundle."""
    parts = [*_objects(facts), *_events(facts), *_agents(facts)]
    inner = "\n" + "\n".join(parts) + "\n"
    schema = f"{NAMESPACE} https://www.loc.gov/standards/premis/premis.xsd"
    root = wrapped("premis", inner, xmlns=NAMESPACE, xmlns_xsi=_XSI, version="3.0", xsi_schemaLocation=schema)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n'.encode()


def _identifier(tag: str, kind: str, value: str) -> str:
    return wrapped(tag, element(f"{tag}Type", kind) + element(f"{tag}Value", value))


def _objects(facts: Facts) -> Iterator[str]:
    items = {f"item:{item.item}": item for item in facts.items}
    subjects = {event.about for event in facts.events()}
    for about in sorted(subjects):
        yield wrapped("object", _identifier("objectIdentifier", "catena object", about), xsi_type="intellectualEntity")
    for one in facts.files:
        yield wrapped("object", _file(one, items.get(one.object or "")), xsi_type="file")


def _file(one: FileFacts, item: ItemFacts | None) -> str:
    digests = [("SHA-256", "sha256", one.sha256)]
    if one.role == "original" and item is not None:
        digests.append(("SHA-512", "sha512", item.sha512))
    fixity = "".join(
        wrapped(
            "fixity",
            element(
                "messageDigestAlgorithm", name, authority="cryptographicHashFunctions", valueURI=f"{_HASHES}/{code}"
            )
            + element("messageDigest", value),
        )
        for name, code, value in digests
    )
    known = wrapped("format", wrapped("formatDesignation", element("formatName", one.media_type)))
    parts = [
        _identifier("objectIdentifier", "path in the bundle", one.path),
        wrapped("objectCharacteristics", fixity + element("size", one.size) + known),
    ]
    if one.role == "original" and item is not None:
        parts.append(element("originalName", item.name))
    parts.append(wrapped("storage", _identifier("contentLocation", "path in the bundle", one.path)))
    if one.role in _MADE_FROM_ORIGINAL and item is not None:
        parts.append(_relationship("derivation", "has source", "path in the bundle", item.original.path))
    if one.object is not None:
        parts.append(_relationship("structural", "is part of", "catena object", one.object))
    return "".join(parts)


def _relationship(kind: str, subtype: str, identified_by: str, value: str) -> str:
    return wrapped(
        "relationship",
        element("relationshipType", kind)
        + element("relationshipSubType", subtype)
        + _identifier("relatedObjectIdentifier", identified_by, value),
    )


def _events(facts: Facts) -> Iterator[str]:
    paths: dict[str, list[str]] = {}
    for one in facts.files:
        paths.setdefault(one.sha256, []).append(one.path)
    for event in facts.events():
        yield wrapped("event", _event(event, paths))


def _event(event: EventFacts, paths: dict[str, list[str]]) -> str:
    record = event.record
    kind = str(record["type"])
    term = TERMS.get(kind)
    named = {"authority": "eventType", "authorityURI": VOCABULARY, "valueURI": f"{VOCABULARY}/{term}"} if term else {}
    detail = f"event {record['object_seq']} of {event.about}; SHA-256 of its bytes {event.digest}"
    parts = [
        _identifier("eventIdentifier", "UUID", event.event_id),
        element("eventType", kind, **named),
        element("eventDateTime", record["time"]),
        wrapped("eventDetailInformation", element("eventDetail", detail)),
    ]
    outcome = record["details"].get("outcome")
    if outcome is not None:
        parts.append(wrapped("eventOutcomeInformation", element("eventOutcome", outcome)))
    parts.append(_identifier("linkingAgentIdentifier", "catena user", _agent(event)))
    parts.append(_identifier("linkingObjectIdentifier", "catena object", event.about))
    parts += [
        _identifier("linkingObjectIdentifier", "path in the bundle", path)
        for digest in dict.fromkeys(event.outputs)
        for path in paths.get(digest, ())
    ]
    return "".join(parts)


def _agent(event: EventFacts) -> str:
    return str(event.record["actor"].get("id") or "unknown")


def _agents(facts: Facts) -> Iterator[str]:
    names: dict[str, dict[str, None]] = {}
    for event in facts.events():
        name = event.record["actor"].get("name")
        names.setdefault(_agent(event), {})[str(name or "unknown")] = None
    for agent in sorted(names):
        kind = "software" if agent == "system" else "person"
        yield wrapped(
            "agent",
            _identifier("agentIdentifier", "catena user", agent)
            + "".join(element("agentName", name) for name in names[agent])
            + element("agentType", kind),
        )
