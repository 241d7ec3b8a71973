"""Request and response header fields, pure: parsing what clients send, writing what is safe to send back.

Header values are bytes; clients write other letters than ASCII percent-encoded (RFC 3986) as UTF-8, or
as raw UTF-8. Both are read, anything else is refused with a code.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote_to_bytes

from app.errors import CatenaError, InvalidInputError

MAX_SOURCE_BYTES = 256 * 1024
SOURCE_FIELDS = {
    "x-source-url": "url",
    "x-source-note": "note",
    "x-collected-at": "collected_at",
    "x-collector": "collector",
}
# A URL and a time are ASCII, and a percent sign in a URL belongs to it.
_VERBATIM = {"x-source-url", "x-collected-at"}
_DIGEST_BYTES = {"sha-256": 32, "sha-512": 64}
_DIGEST_MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):", re.ASCII)
_PLAIN_NAME = re.compile(r"[^A-Za-z0-9._ -]", re.ASCII)
# RFC 8187, section 3.2.1: attr-char.
_ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"


def bad_header(name: str, why: str) -> CatenaError:
    """The error for a header field that cannot be read."""
    return CatenaError("bad_header", f"{name}: {why}")


def text_of(name: str, value: str, *, percent: bool = True) -> str:
    """The text of a header value as the framework hands it over (Latin-1).

    Args:
        name: of the header, for the error.
        value: its bytes as Latin-1 characters.
        percent: whether percent-encoding is undone.

    Raises:
        CatenaError: `bad_header` unless it is UTF-8.
    """
    raw = value.encode("latin-1")
    try:
        return (unquote_to_bytes(raw) if percent else raw).decode("utf-8")
    except UnicodeDecodeError:
        raise bad_header(name, "not UTF-8, percent-encoded") from None


def source_of(headers: Mapping[str, str]) -> dict[str, object]:
    """What a depositor says of the source: `X-Source` (JSON) and the single fields, together.

    JSON that begins with a brace is taken as it stands; otherwise percent-encoding is undone first.

    Raises:
        CatenaError: `bad_header`.
        InvalidInputError: `bad_source` for a key that is given twice.
    """
    record: dict[str, object] = {}
    whole = headers.get("x-source")
    if whole is not None:
        text = text_of("X-Source", whole, percent=not whole.lstrip().startswith("{"))
        record.update(json_object("X-Source", text))
    for name, field in SOURCE_FIELDS.items():
        value = headers.get(name)
        if value is None:
            continue
        if field in record:
            raise bad_header(name, f"{field} is given in X-Source too")
        record[field] = text_of(name, value, percent=name not in _VERBATIM)
    return record


def json_object(name: str, text: str) -> dict[str, object]:
    """A JSON object in a header field, whose keys differ.

    Raises:
        CatenaError: `bad_header`.
        InvalidInputError: `bad_source` for a key that is given twice.
    """
    if len(text) > MAX_SOURCE_BYTES:
        raise bad_header(name, "too long")
    try:
        value = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise bad_header(name, "not JSON") from None
    if not isinstance(value, dict):
        raise bad_header(name, "not a JSON object")
    return value


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose keys differ; of two values for one key, one would be lost in silence."""
    record = dict(pairs)
    if len(record) != len(pairs):
        raise InvalidInputError("bad_source", "X-Source: a key is given twice")
    return record


def announced_digests(value: str | None) -> dict[str, str]:
    """The digests of a Repr-Digest field (RFC 9530, section 3), as hex by `sha256` and `sha512`.

    Unknown algorithms are ignored, as the RFC asks.

    Raises:
        CatenaError: `bad_header` for a malformed field, or one without an algorithm known here.
    """
    if value is None:
        return {}
    found: dict[str, str] = {}
    for member in value.split(","):
        match = _DIGEST_MEMBER.fullmatch(member.strip())
        if match is None:
            raise bad_header("Repr-Digest", "not of the form sha-256=:BASE64:")
        size = _DIGEST_BYTES.get(match[1])
        if size is None:
            continue
        try:
            digest = base64.b64decode(match[2], validate=True)
        except binascii.Error:
            raise bad_header("Repr-Digest", "not base64") from None
        if len(digest) != size:
            raise bad_header("Repr-Digest", f"{match[1]} has {size} bytes")
        found[match[1].replace("-", "")] = digest.hex()
    if not found:
        raise bad_header("Repr-Digest", "neither sha-256 nor sha-512")
    return found


def idempotency_key(value: str | None) -> str | None:
    """The key of an Idempotency-Key field, with or without the quotes of a structured string."""
    if value is None:
        return None
    text = text_of("Idempotency-Key", value, percent=False).strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return text


def whole_number(name: str, value: str | None) -> int | None:
    """A Content-Length.

    Raises:
        CatenaError: `bad_header`.
    """
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,19}", value, re.ASCII):
        raise bad_header(name, "not a whole number")
    return int(value)


def attachment(name: str) -> str:
    """A Content-Disposition that saves under a name and runs nothing (RFC 6266, RFC 8187)."""
    plain = _PLAIN_NAME.sub("_", name).strip(" .") or "file"
    encoded = quote(name.encode("utf-8", "replace"), safe=_ATTRIBUTE_CHARACTERS)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def digest_field(sha256: str) -> str:
    """A Repr-Digest field of a SHA-256 in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
