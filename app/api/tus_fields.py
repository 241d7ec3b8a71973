"""Header fields of tus 1.0, pure: Upload-Metadata, Upload-Checksum, offsets and lengths, times."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from app.api.fields import bad_header, json_object, whole_number
from app.errors import CatenaError
from app.intake.writing import ALGORITHMS, Checksum
from evidence_store.digests import parse_sha256
from evidence_store.errors import EvidenceStoreError

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
CHUNK_TYPE = "application/offset+octet-stream"
MAX_METADATA_CHARACTERS = 96 * 1024
"""Room for a caption of 20,000 and notes of 14,000 letters of two bytes. No more: `HEAD` tells it again, and clients
have bounds of their own, often 100 KiB of head. A source that is longer goes with `POST /items`."""
MAX_PAIRS = 100
MAX_SIZE = 2**63 - 1
# Keys are visible ASCII without comma and space; a value is base64 (RFC 4648), or absent.
_KEY = re.compile(r"[!-+\--~]{1,100}", re.ASCII)
_KNOWN = {"filename": "filename", "case": "case", "source": "source", "sha256": "sha256"} | {
    "idempotency-key": "key",
    "idempotency_key": "key",
}


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is read of Upload-Metadata; other keys are told again by HEAD and mean nothing here.

    Attributes:
        filename: as given.
        case: reference or id.
        source: what the depositor says of the source; empty when nothing was said.
        sha256: announced digest of the whole file, lowercase hex.
        key: idempotency key of the item.
    """

    filename: str | None
    case: str | None
    source: Mapping[str, object]
    sha256: str | None
    key: str | None


def metadata_pairs(header: str) -> dict[str, bytes]:
    """The pairs of an Upload-Metadata field (tus, creation extension).

    Args:
        header: `key base64, key base64, key`, as Latin-1 characters; empty for none.

    Raises:
        CatenaError: `bad_header` for a malformed field, one that is too long, or a key that is given twice.
    """
    if len(header) > MAX_METADATA_CHARACTERS:
        raise bad_header("Upload-Metadata", "too long")
    if not header.strip():
        return {}
    pairs: dict[str, bytes] = {}
    for pair in header.split(","):
        key, _, value = pair.strip(" \t").partition(" ")
        if not _KEY.fullmatch(key):
            raise bad_header("Upload-Metadata", "a key is 1 to 100 visible ASCII characters without comma")
        if key in pairs:
            raise bad_header("Upload-Metadata", "a key is given twice")
        if len(pairs) >= MAX_PAIRS:
            raise bad_header("Upload-Metadata", f"more than {MAX_PAIRS} keys")
        pairs[key] = _base64("Upload-Metadata", value.strip(" \t"))
    return pairs


def read_metadata(header: str) -> Metadata:
    """What an Upload-Metadata field says of the file.

    Raises:
        CatenaError: `bad_header`; `bad_source` for a key of the source that is given twice.
    """
    found: dict[str, str] = {}
    for key, value in metadata_pairs(header).items():
        name = _KNOWN.get(key)
        if name is None:
            continue
        if name in found:
            raise bad_header("Upload-Metadata", "the idempotency key is given twice")
        try:
            found[name] = value.decode("utf-8")
        except UnicodeDecodeError:
            raise bad_header("Upload-Metadata", f"{key} is not UTF-8") from None
    sha256 = found.get("sha256")
    if sha256 is not None:
        try:
            parse_sha256(sha256)
        except EvidenceStoreError as error:
            raise bad_header("Upload-Metadata", error.detail) from None
    source = json_object("Upload-Metadata: source", found["source"]) if "source" in found else {}
    return Metadata(found.get("filename"), found.get("case"), source, sha256, found.get("key"))


def read_checksum(header: str | None) -> Checksum | None:
    """The checksum of a body (tus, checksum extension): algorithm, space, base64.

    Raises:
        CatenaError: `bad_header`, `unknown_algorithm` (400).
    """
    if header is None:
        return None
    algorithm, _, value = header.strip(" \t").partition(" ")
    if algorithm not in ALGORITHMS:
        raise CatenaError("unknown_algorithm", f"checksums are {' or '.join(ALGORITHMS)}")
    digest = _base64("Upload-Checksum", value.strip(" \t"))
    size = {"sha256": 32, "sha1": 20}[algorithm]
    if len(digest) != size:
        raise bad_header("Upload-Checksum", f"{algorithm} has {size} bytes")
    return Checksum(algorithm, digest)


def required_number(name: str, value: str | None) -> int:
    """A length or offset that must be there.

    Raises:
        CatenaError: `bad_header`.
    """
    number = whole_number(name, value)
    if number is None:
        raise bad_header(name, "missing")
    if number > MAX_SIZE:
        raise bad_header(name, "too large a number")
    return number


def http_date(moment: str) -> str:
    """An RFC 3339 time of the archive as HTTP writes it (RFC 9110, section 5.6.7)."""
    return format_datetime(datetime.fromisoformat(moment), usegmt=True)


def _base64(name: str, value: str) -> bytes:
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise bad_header(name, "not base64") from None
