"""What FastAPI cannot see of the interface: bodies that are bytes, ranges, examples of records (for OpenAPI)."""

from __future__ import annotations

from typing import Any

from schemas.api.base import ITEM_ID, SHA256, TIME
from schemas.api.problem import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]
_HASH = {"description": "Base64 of the SHA-256 (RFC 9530).", "schema": {"type": "string"}}
_TAG = {"description": "Strong entity tag: the SHA-256.", "schema": {"type": "string"}}
_RANGE = {"description": "Which bytes these are.", "schema": {"type": "string"}, "example": "bytes 0-1023/4813021"}
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def sent_as(media_type: str, description: str, example: str | dict[str, Any] | None = None) -> Responses:
    """A 200 answer that no model of ours describes: text or JSON with an example, or else bytes."""
    schema: dict[str, Any] = {"type": "string", "format": "binary"}
    if example is not None:
        schema = {"type": "string" if isinstance(example, str) else "object", "examples": [example]}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


_JSON = "application/json"
_BYTES = {"type": "string", "format": "binary"}
_RECORD = {"type": "object", "description": "Canonical JSON (RFC 8785), as stored.", "examples": [{"v": 1}]}


def download(*media_types: str) -> Responses:
    """The answers of an address that hands out a stored file, whole or in part."""
    content = {media_type: {"schema": _RECORD if media_type == _JSON else _BYTES} for media_type in media_types}
    headers = {"ETag": _TAG, "Repr-Digest": _HASH}
    return {
        200: {"description": "The file's bytes.", "content": content, "headers": headers},
        206: {
            "description": "The bytes of the one range that was asked for.",
            "content": content,
            "headers": {**headers, "Content-Range": _RANGE},
        },
        304: {"description": "If-None-Match names the file that is here."},
        416: {"description": "`range_not_satisfiable`: nothing of the range exists.", "content": _PROBLEM},
    }


def field(name: str, description: str, example: str) -> dict[str, Any]:
    """A request header, for OpenAPI."""
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }


DOWNLOAD_FIELDS = {
    "parameters": [
        field("Range", "One range of bytes (RFC 9110, section 14.2).", "bytes=0-1023"),
        field("If-None-Match", "Entity tags of what the client has.", f'"{SHA256}"'),
    ]
}
_FACT: dict[str, Any] = {
    "raw": None,
    "unit": None,
    "source": None,
    "certainty": "absent",
    "conflicts": [],
    "value": None,
}


def _fact(value: str | float, raw: str, source: str, unit: str | None = None) -> dict[str, Any]:
    return {"value": value, "unit": unit, "raw": raw, "source": source, "certainty": "recorded", "conflicts": []}


METADATA_EXAMPLE: dict[str, Any] = {
    "v": 1,
    "type": "media metadata",
    "file": {
        "original_name": "a.jpg",
        "size": 4_813_021,
        "kind": "photo",
        "media_type": "image/jpeg",
        "format": "JPEG",
    },
    "position": {
        "lat": _fact(48.123456, "48 deg 7' 24.44\" N", "exifread GPS GPSLatitude", "deg"),
        "lon": _fact(37.654321, "37 deg 39' 15.56\" E", "exifread GPS GPSLongitude", "deg"),
    },
    "time": {"capture_local": _fact("2023-06-01T14:03:22", "2023:06:01 14:03:22", "exifread EXIF DateTimeOriginal")},
    "findings": [],
}
RECEIPT_EXAMPLE: dict[str, Any] = {
    "v": 1,
    "type": "deposit receipt",
    "item": ITEM_ID,
    "sha256": SHA256,
    "received_at": TIME,
}
CHECKPOINT_EXAMPLE = (
    "catena/0b0f2f6e-3f0f-4b39-8f4d-9ad3b1f7c002\n57\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\N{EM DASH} catena/0b0f2f6e-3f0f-4b39-8f4d-9ad3b1f7c002 RcCI1L3m...\n"
)
VKEY_EXAMPLE = (
    "catena/0b0f2f6e-3f0f-4b39-8f4d-9ad3b1f7c002+4570822d+AS7bJ0...\n"
    "catena/0b0f2f6e-3f0f-4b39-8f4d-9ad3b1f7c002+91f3c85a+Bqk2Vd...\n"
)
PROOF_EXAMPLE = (
    f"c2sp.org/tlog-proof@v1\nindex 41\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n{CHECKPOINT_EXAMPLE}"
)
METRICS_EXAMPLE = (
    "# HELP catena_log_entries Entries of the custody log.\n# TYPE catena_log_entries gauge\ncatena_log_entries 57\n"
)
