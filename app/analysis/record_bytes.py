"""The metadata record as bytes, and the version of what makes it; apart from the readers, which only children need."""

from __future__ import annotations

import json

from schemas.records.v1.media_metadata import MediaMetadata

ANALYSER_VERSION = "2"


def to_bytes(record: MediaMetadata) -> bytes:
    """The record as deterministic UTF-8 JSON: sorted keys, no blanks, no NaN."""
    text = json.dumps(
        record.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    return text.encode("utf-8")


def from_bytes(data: bytes) -> MediaMetadata:
    """The record of `to_bytes`; ValueError when it is none."""
    return MediaMetadata.model_validate_json(data)
