"""What events and rows say of a source: pure.

An event has at most 65,535 bytes, a source more than twice that. What is too long for the event is named there by its
SHA-256, and the whole stands in the item's row, which the event binds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue, ValidationError

from app.custody.outputs import output
from app.errors import InvalidInputError
from app.evidence.models import Item
from evidence_store.canonical import JsonInput, canonical_bytes
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.source import NEEDS_NOTE, SourceContext, SourceRecord
from schemas.records.v1.source_version import MAX_REASON, SourceVersionRecord

MAX_IN_EVENT = 40_000
"""Canonical bytes of a source that an event states in full."""

ROLE = "source version"
_MOST_FAULTS = 20


def parse_source(record: object) -> SourceContext:
    """Validate what a depositor says of the source.

    Raises:
        InvalidInputError: `bad_source`, naming each field at fault.
    """
    try:
        return SourceContext.model_validate(record)
    except ValidationError as error:
        raise InvalidInputError("bad_source", "; ".join(_faults(record, error))) from None


def source_faults(record: object) -> list[str]:
    """What is wrong with what a depositor says of the source, each with its field; empty when nothing is."""
    try:
        SourceContext.model_validate(record)
    except ValidationError as error:
        return _faults(record, error)
    return []


def _faults(record: object, error: ValidationError) -> list[str]:
    """Faults of fields, and those of several together, for which pydantic looks only when no field is at fault."""
    told = error.errors(include_url=False, include_input=False)
    faulty = {one["loc"][0] for one in told if one["loc"]}
    if faulty and isinstance(record, Mapping):
        notes = {note: "stands there" for _, note in NEEDS_NOTE.values() if note in faulty}
        try:
            SourceContext.model_validate({name: value for name, value in record.items() if name not in faulty} | notes)
        except ValidationError as further:
            told += further.errors(include_url=False, include_input=False)
    found = [f"{'.'.join(str(part) for part in one['loc']) or 'source'}: {one['msg']}" for one in told]
    more = [f"and {len(found) - _MOST_FAULTS} more"] if len(found) > _MOST_FAULTS else []
    return found[:_MOST_FAULTS] + more


def source_text(source: SourceContext) -> str:
    """What a depositor says of the source, as rows keep it."""
    return json.dumps(source.as_record(), sort_keys=True, ensure_ascii=False)


def source_details(record: SourceRecord) -> dict[str, JsonValue]:
    """What an ingestion event states of a source.

    Returns:
        `source`, and `source_left_out` with SHA-256 (of the UTF-8 text) and size in bytes of each field that was too
        long for the event.
    """
    shown: dict[str, JsonValue] = dict(record)
    left_out: dict[str, JsonValue] = {}
    texts = {field: value.encode() for field, value in record.items() if isinstance(value, str)}
    for field in sorted(texts, key=lambda name: (-len(texts[name]), name)):
        if len(canonical_bytes(cast("JsonInput", shown))) <= MAX_IN_EVENT:
            break
        del shown[field]
        left_out[field] = {"sha256": hashlib.sha256(texts[field]).hexdigest(), "size": len(texts[field])}
    return {"source": shown, **({"source_left_out": left_out} if left_out else {})}


def ingestion_details(item: Item, record: SourceRecord) -> dict[str, JsonValue]:
    """What an ingestion event says of the source: with a long one, also the name of the file that holds it whole."""
    details = source_details(record)
    if "source_left_out" in details:
        details["outputs"] = [output(ROLE, first_version(item))]
    return details


def first_version(item: Item) -> bytes:
    """Version 1 as a record, from the item's row."""
    return canonical_bytes(
        SourceVersionRecord(
            item=item.id,
            number=1,
            source=json.loads(item.source),
            reason=None,
            author=item.received_by,
            created_at=item.received_at,
        ).model_dump(mode="json")
    )


def check_reason(text: str) -> str:
    """Why a source is stated anew.

    Raises:
        InvalidInputError: `reason_required`, `text_too_long`, `bad_text`.
    """
    reason = text.strip()
    if not reason:
        raise InvalidInputError("reason_required", "say why the source is stated anew")
    if len(reason) > MAX_REASON:
        raise InvalidInputError("text_too_long", f"the reason may have {MAX_REASON} characters")
    if any(not c.isprintable() and c not in "\n\t" for c in reason):
        raise InvalidInputError("bad_text", "the reason holds a control character")
    return reason


def changed_fields(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> list[str]:
    """Names of the fields that differ."""
    return sorted(field for field in {*old, *new} if old.get(field) != new.get(field))


def checked_bytes(record: dict[str, JsonValue]) -> bytes:
    """Canonical bytes of what somebody says of a check, as it will stand in a record.

    Raises:
        InvalidInputError: `bad_check`: floats, lone surrogates, too deep.
    """
    try:
        return canonical_bytes({"details": cast("JsonInput", record)})
    except EvidenceStoreError as error:
        raise InvalidInputError("bad_check", error.detail) from None
