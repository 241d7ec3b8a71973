"""What is known of an item, as named values that can be committed to: pure.

Floats stand as the text that the record has: a commitment is over RFC 8785 bytes without floats.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.disclosure.rules import Part
from evidence_store.bundle.plan import ExtraFile
from evidence_store.canonical import JsonInput
from evidence_store.digests import Digests

NOT_SECRET = frozenset(
    {"caption_language", "consent", "handling", "legal_basis", "platform", "tool", "tool_version", "collected_at"}
)
"""Fields of a source whose values are words of a list or of everybody: they are withheld, and not looked for."""

_SHORTEST_FACT = 6
_METADATA = ("position", "time", "device")


@dataclass(frozen=True)
class ItemMaterial:
    """What is known of one item of an export.

    Attributes:
        item: UUID.
        original_name: as received.
        media_type: or None.
        digests: of its original.
        sources: every version of what is stated of its source, oldest first.
        depositor: `id` and `name`, as the ingestion event has them.
        receipt: the files of its receipt, by path.
    """

    item: str
    original_name: str
    media_type: str | None
    digests: Digests
    sources: list[Mapping[str, Any]] = field(default_factory=list)
    depositor: Mapping[str, str] = field(default_factory=dict)
    receipt: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def about(self) -> str:
        """The item as an object of the log."""
        return f"item:{self.item}"


def original_values(material: ItemMaterial) -> dict[str, JsonInput]:
    """What names the original."""
    return {
        "original.name": material.original_name,
        "original.sha256": material.digests.sha256,
        "original.sha512": material.digests.sha512,
        "original.size": material.digests.size,
        "original.media_type": material.media_type,
    }


def source_values(material: ItemMaterial) -> dict[str, JsonInput]:
    """What is stated of the source now, and who deposited it."""
    newest = material.sources[-1] if material.sources else {}
    values: dict[str, JsonInput] = {f"source.{name}": value for name, value in newest.items()}
    return {**values, "depositor": dict(material.depositor)}


def metadata_values(record: bytes) -> dict[str, JsonInput]:
    """Place, time and device of a metadata record, each value apart."""
    return {f"metadata.{name}": value for name, value in _facts(record)}


def file_value(file: ExtraFile) -> tuple[str, JsonInput]:
    """Name and value of a file that is withheld."""
    digests = file.fixity()
    return f"file/{file.path}", {
        "role": file.role,
        "sha256": digests.sha256,
        "sha512": digests.sha512,
        "size": digests.size,
    }


def summary_of(file: ExtraFile) -> tuple[str, JsonInput] | None:
    """A link or review without the digest that leads to the original, to be shown where the record is withheld."""
    if file.role not in {"link", "review"}:
        return None
    record = _read(file.data)
    record.pop("item_sha256", None)
    record.pop("link_sha256", None)
    return f"{file.role}/{record[file.role]}", record


def is_against(file: ExtraFile) -> bool:
    """Whether a link contradicts, or a review rejects."""
    record = _read(file.data) if file.role in {"link", "review"} else {}
    return record.get("direction") == "contradicts" or record.get("decision") == "reject"


def secrets_of(material: ItemMaterial, parts: frozenset[Part], files: list[ExtraFile]) -> Iterator[str]:
    """The texts that must stand nowhere in a bundle that withholds these parts of an item.

    Args:
        material: the item.
        parts: what is withheld of it.
        files: all files about it.
    """
    every = "item" in parts
    if every or "source" in parts:
        for statement in material.sources:
            yield from (value for name, value in statement.items() if name not in NOT_SECRET and isinstance(value, str))
    if every or "original" in parts:
        yield from (material.digests.sha256, material.digests.sha512)
        yield from told_by(material, files)
    opinions = {"link": every or "links" in parts, "review": every or bool(parts & {"links", "reviews"})}
    for file in files:
        if opinions.get(file.role):
            yield str(_read(file.data)["rationale" if file.role == "link" else "comment"])


def told_by(material: ItemMaterial, files: list[ExtraFile]) -> Iterator[str]:
    """What an original tells by its name and its metadata: name, coordinates, serial numbers, owner."""
    yield material.original_name
    for file in files:
        yield from _telling(file.data) if file.role == "metadata" else ()


def _telling(record: bytes) -> Iterator[str]:
    """Coordinates and serial numbers, as text."""
    for name, value in _facts(record):
        text = str(value)
        names_one = name.rpartition(".")[2] in {"lat", "lon"} or "serial" in name or name.endswith("owner")
        if names_one and len(text) >= _SHORTEST_FACT:
            yield text


def _facts(record: bytes) -> Iterator[tuple[str, JsonInput]]:
    whole = _read(record)
    for group in _METADATA:
        facts = whole.get(group)
        for name, fact in sorted(facts.items()) if isinstance(facts, dict) else ():
            value = fact.get("value") if isinstance(fact, dict) else None
            if isinstance(value, str | int):
                yield f"{group}.{name}", value


def _read(data: bytes) -> dict[str, Any]:
    record = json.loads(data, parse_float=str)
    return record if isinstance(record, dict) else {}
