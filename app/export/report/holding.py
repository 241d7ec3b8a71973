"""What a bundle holds, gathered by object: the report is made from these very bytes and from nothing else.

So a report tells nothing that is not in the bundle: what was withheld from it is withheld from the report.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.export.kept_back import NOTHING, KeptBack, kept_back, left_out
from evidence_store.bundle import bagit, layout
from evidence_store.bundle.plan import BundleItem, BundlePlan, ExtraFile

Record = dict[str, Any]
_READ = frozenset({"metadata", "link", "review", "source version", "collector check", "matches"})


@dataclass
class Held:
    """What is told of one item.

    Attributes:
        item: as the plan has it.
        path: of its original in the bundle.
        events: its custody events, oldest first.
        metadata: the metadata record, or None.
        preview: the file of the preview, read when it is drawn, or None.
        links: link records; `reviews` are those of each link, by its UUID.
        sources: later versions of what the collector states.
        checks: of hashes and signatures that the collector made.
        matches: relations to other items of the bundle.
        others: further files about the item: (role, path, bytes).
        kept: what the bundle keeps back of it.
    """

    item: BundleItem
    path: str
    events: list[Record] = field(default_factory=list)
    metadata: Record | None = None
    preview: ExtraFile | None = None
    links: list[Record] = field(default_factory=list)
    reviews: dict[str, list[Record]] = field(default_factory=dict)
    sources: list[Record] = field(default_factory=list)
    checks: list[Record] = field(default_factory=list)
    matches: list[Record] = field(default_factory=list)
    others: list[tuple[str, str, int]] = field(default_factory=list)
    kept: KeptBack = NOTHING


@dataclass
class Holding:
    """What is told of a whole bundle.

    Attributes:
        plan: of the bundle, without its report.
        items: by time of receipt, then UUID.
        provisions: (catalogue version, id) to the catalogue's entry.
        others: events of other objects than items, by object.
        extra: (role, object, path) to the JSON of every further file that is a JSON object.
        payload_sha256: of `manifest-sha256.txt`, which names every file below data/ and not the report.
        events_sha256: of `custody/events.jsonl`.
        left_out: what speaks against and is not in the bundle, by kind; "" for nothing.
    """

    plan: BundlePlan
    items: list[Held]
    provisions: dict[tuple[int, str], Record]
    others: dict[str, list[Record]]
    extra: dict[tuple[str, str, str], Record]
    payload_sha256: str
    events_sha256: str
    left_out: str = ""


def gather(plan: BundlePlan) -> Holding:
    """Sort the parts of a plan by what they are about."""
    ordered = sorted(plan.items, key=lambda item: (item.received_at, item.item))
    kept = kept_back(plan)
    held = {
        f"item:{item.item}": Held(
            item, layout.original_path(item.item, item.original_name), kept=kept.get(item.item, NOTHING)
        )
        for item in ordered
    }
    others: dict[str, list[Record]] = {}
    for line in plan.events:
        event: Record = json.loads(line)
        about = str(event["object"])
        (held[about].events if about in held else others.setdefault(about, [])).append(event)
    provisions: dict[tuple[int, str], Record] = {}
    extra: dict[tuple[str, str, str], Record] = {}
    for file in sorted(plan.extra_files, key=lambda file: file.path):
        if file.object in held:
            _take(held[file.object], file)
        elif file.role == "provisions":
            provisions |= _provisions(file.data)
        elif (record := as_record(file)) is not None:
            extra[file.role, file.object or "", file.path] = record
    return Holding(
        plan=plan,
        items=list(held.values()),
        provisions=provisions,
        others=others,
        extra=extra,
        payload_sha256=payload_digest(plan),
        events_sha256=hashlib.sha256(b"".join(line + b"\n" for line in plan.events)).hexdigest(),
        left_out=left_out(plan),
    )


def payload_digest(plan: BundlePlan) -> str:
    """SHA-256 of the bundle's `manifest-sha256.txt`: it covers originals and records, not the report itself."""
    lines = {layout.original_path(item.item, item.original_name): item.digests.sha256 for item in plan.items}
    lines |= {file.path: file.known_by()[0] for file in plan.extra_files if layout.is_payload(file.path)}
    return hashlib.sha256(bagit.format_manifest(lines)).hexdigest()


def as_record(file: ExtraFile) -> Record | None:
    """A file's JSON object, or None when it holds none."""
    if not file.path.endswith(".json"):
        return None
    try:
        value = json.loads(file.data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _take(held: Held, file: ExtraFile) -> None:
    record = as_record(file) if file.role in _READ else None
    if file.role == "preview":
        held.preview = file
    elif record is None:
        held.others.append((file.role, file.path, file.known_by()[1]))
    elif file.role == "metadata":
        held.metadata = record
    elif file.role == "link":
        held.links.append(record)
    elif file.role == "review":
        held.reviews.setdefault(str(record.get("link")), []).append(record)
    elif file.role == "source version":
        held.sources.append(record)
    elif file.role == "collector check":
        held.checks.append(record)
    elif file.role == "matches":
        held.matches += _records(record.get("matches"))
    else:
        held.others.append((file.role, file.path, file.known_by()[1]))


def _provisions(data: bytes) -> dict[tuple[int, str], Record]:
    found = {}
    for entry in json.loads(data).get("provisions", []):
        found[int(entry["catalogue"]["version"]), str(entry["provision"]["id"])] = entry["provision"]
    return found


def _records(value: object) -> list[Record]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, Sequence) else []


def part(record: Mapping[str, Any] | None, name: str) -> Record:
    """A part of a record that is an object; empty when it is not there."""
    found = (record or {}).get(name)
    return found if isinstance(found, dict) else {}
