"""What a plan says, read once from its records for all descriptions. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from app.export.descriptions.stated import UNKNOWN_PLACE, UNKNOWN_TIME, StatedPlace, StatedTime, place_of, time_of
from app.export.kept_back import NOTHING, KeptBack, kept_back, left_out
from evidence_store.bundle import layout
from evidence_store.bundle.plan import BundlePlan

DIRECTIONS = ("supports", "contradicts", "neutral")
_TYPES = {
    "csv": "text/csv",
    "geojson": "application/geo+json",
    "gpx": "application/gpx+xml",
    "jpg": "image/jpeg",
    "json": "application/json",
    "mp4": "video/mp4",
    "p7s": "application/pkcs7-signature",
    "png": "image/png",
    "webp": "image/webp",
}
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file of the bundle: where it lies and what it is; `object` is what it was made from, or None."""

    path: str
    role: str
    object: str | None
    sha256: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """One item.

    Attributes:
        item: UUID; `case` is that of its case.
        name: as received, any text.
        original: the file.
        sha512: of it, hex.
        received_at: RFC 3339 UTC.
        time: when it was recorded, as far as that is stated.
        place: where, likewise.
        source: what the collector states, in the newest version that the bundle holds.
        links: how many links say that it supports, contradicts, or neither.
        kept: what the bundle keeps back of it.
        left_out: what speaks against and is not in the bundle, by kind; "" for nothing.
    """

    item: str
    case: str
    name: str
    original: FileFacts
    sha512: str
    received_at: str
    time: StatedTime
    place: StatedPlace
    source: Mapping[str, Any]
    links: Mapping[str, int]
    kept: KeptBack
    left_out: str

    @property
    def restriction(self) -> str:
        """What the collector asked for in handling it and what its maker consented to; never "none" by silence."""
        terms = self.source.get("handling")
        told = [str(term) for term in terms] if isinstance(terms, list) else []
        if self.source.get("consent") is not None:
            told.append(f"consent {self.source['consent']}")
        return "; ".join(told) or ("withheld" if self.kept.source else "not stated")


@dataclass(frozen=True, slots=True)
class EventFacts:
    """One custody event: its id, the digest of its bytes, and the record."""

    event_id: str
    digest: str
    record: Mapping[str, Any]

    @property
    def about(self) -> str:
        """The object that it is about."""
        return str(self.record["object"])

    @property
    def outputs(self) -> list[str]:
        """SHA-256 of each file that it names."""
        listed = self.record["details"].get("outputs")
        return [str(one.get("sha256")) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


@dataclass(frozen=True)
class Facts:
    """A plan, read.

    Attributes:
        plan: the plan itself.
        items: in the order of their ids.
        files: every file with a meaning of its own, in the order of their paths.
        incidents: the newest record of each incident (schemas.records.v1.incident), in the order of their ids.
    """

    plan: BundlePlan
    items: Sequence[ItemFacts]
    files: Sequence[FileFacts]
    incidents: Sequence[Mapping[str, Any]]

    def events(self) -> Iterator[EventFacts]:
        """Every event, grouped by object, oldest first; read anew, so that they are never all in memory.

        One that is withheld is not among them: what stands in its place says neither who nor what.
        """
        for line in self.plan.events:
            record = json.loads(line)
            if "withheld" in record:
                continue
            yield EventFacts(str(record["event_id"]), sha256(line).hexdigest(), record)


def facts_of(plan: BundlePlan) -> Facts:
    """Read a plan."""
    originals = {
        item.item: FileFacts(
            layout.original_path(item.item, item.original_name),
            "original",
            f"item:{item.item}",
            item.digests.sha256,
            item.digests.size,
            item.media_type or UNKNOWN_TYPE,
        )
        for item in plan.items
    }
    files = [*originals.values()]
    files += [
        FileFacts(one.path, one.role, one.object, *one.known_by(), media_type(one.path)) for one in plan.extra_files
    ]
    return Facts(plan, _items(plan, originals), sorted(files, key=lambda one: one.path), _incidents(plan))


def media_type(path: str) -> str:
    """By the ending that the exporter gave the file; originals are not among these."""
    return _TYPES.get(path.rpartition(".")[2], UNKNOWN_TYPE)


def _items(plan: BundlePlan, originals: Mapping[str, FileFacts]) -> list[ItemFacts]:
    records = {one.path: one.data for one in plan.extra_files if one.role == "metadata"}
    sources, links, kept, out = _sources(plan), _links(plan), kept_back(plan), left_out(plan)
    made = []
    for item in sorted(plan.items, key=lambda one: one.item):
        told = records.get(f"data/metadata/{item.item}.json")
        metadata = json.loads(told) if told is not None else None
        about = f"item:{item.item}"
        made.append(
            ItemFacts(
                item=item.item,
                case=item.case,
                name=item.original_name,
                original=originals[item.item],
                sha512=item.digests.sha512,
                received_at=item.received_at,
                time=UNKNOWN_TIME if metadata is None else time_of(metadata),
                place=UNKNOWN_PLACE if metadata is None else place_of(metadata),
                source=sources.get(about, {}),
                links=links.get(about, dict.fromkeys(DIRECTIONS, 0)),
                kept=kept.get(item.item, NOTHING),
                left_out=out,
            )
        )
    return made


def _sources(plan: BundlePlan) -> dict[str, Mapping[str, Any]]:
    """What is stated of each item's source: by its ingestion, or by the newest version in the bundle."""
    found: dict[str, Mapping[str, Any]] = {}
    for line in plan.events:
        if b'"type":"ingestion"' in line:
            record = json.loads(line)
            source = record.get("details", {}).get("source")
            if record["type"] == "ingestion" and isinstance(source, dict):
                found[str(record["object"])] = source
    numbers: dict[str, int] = {}
    for one in plan.extra_files:
        if one.role == "source version" and one.object is not None:
            record = json.loads(one.data)
            if int(record["number"]) > numbers.get(one.object, 0):
                numbers[one.object], found[one.object] = int(record["number"]), record["source"]
    return found


def _links(plan: BundlePlan) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for one in plan.extra_files:
        if one.role == "link" and one.object is not None:
            counted = found.setdefault(one.object, dict.fromkeys(DIRECTIONS, 0))
            counted[str(json.loads(one.data)["direction"])] += 1
    return found


def _incidents(plan: BundlePlan) -> list[Mapping[str, Any]]:
    newest: dict[str, Mapping[str, Any]] = {}
    for one in plan.extra_files:
        if one.role == "entry" and (one.object or "").startswith("incident:"):
            record = json.loads(one.data)
            if record["number"] > newest.get(record["entry"], {"number": 0})["number"]:
                newest[record["entry"]] = record
    return [newest[entry] for entry in sorted(newest)]
