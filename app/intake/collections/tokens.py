"""Time-stamp tokens (RFC 3161) that a collector got over a list of hashes, judged offline."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from pydantic import JsonValue

from app.clock import rfc3339
from app.errors import InvalidInputError
from app.intake.collections.entries import Check, Verdict
from app.intake.collections.files import read_bounded
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.request import token_of_response
from evidence_store.timestamps.token import TimestampToken, parse_token, verify_token

KIND: Final = "rfc3161_timestamp"
MAX_LIST: Final = 4 << 20
MAX_TOKEN: Final = 1 << 17


def checked_token(
    medium: dict[str, str], stated: str | None, hashes: Path, token: Path, roots: Sequence[x509.Certificate]
) -> Check:
    """Judge whether a token proves that a medium's hash was there at its time.

    Args:
        medium: digests of the medium as computed, by algorithm.
        stated: the digest that the collector states of it.
        hashes: the file that was stamped: one digest a line.
        token: the token, or the authority's whole response.
        roots: certificates of authorities that are trusted for time.
    """
    record: dict[str, JsonValue] = {"sha256": medium["sha256"], "hashes_file": hashes.name, "token_file": token.name}
    try:
        listed = read_bounded(hashes, MAX_LIST)
        der = read_bounded(token, MAX_TOKEN)
        verdict, found = _judged(medium, stated, listed, der, roots)
    except InvalidInputError as error:
        verdict, found = "not_checked", {"reason": error.detail}
    return Check(KIND, verdict, {**record, **found})


def _judged(
    medium: dict[str, str], stated: str | None, listed: bytes, der: bytes, roots: Sequence[x509.Certificate]
) -> tuple[Verdict, dict[str, JsonValue]]:
    lines = set(listed.decode("ascii", "replace").split())
    if not lines.intersection(medium.values()):
        named = "its stated hash is, so the file is another" if stated in lines else "nor is its stated hash"
        return "failed", {"reason": f"the file's hash is not in the list that was stamped; {named}"}
    try:
        told, der = _parsed(der)
    except EvidenceStoreError as error:
        return "not_checked", {"reason": f"the token cannot be read: {error.detail}"}
    found: dict[str, JsonValue] = {"gen_time": rfc3339(told.gen_time), "serial": str(told.serial)}
    imprint = hashlib.new(told.imprint_algorithm, listed).digest()
    if imprint != told.imprint:
        return "failed", {**found, "reason": "the token is over another list of hashes"}
    try:
        verify_token(der, imprint, told.imprint_algorithm, roots)
    except EvidenceStoreError as error:
        if error.code in {"timestamp_signature_invalid", "timestamp_certificate_expired"}:
            return "failed", {**found, "reason": error.detail}
        return "not_checked", {**found, "reason": f"the token is over this list, but: {error.detail}"}
    return "passed", found


def _parsed(der: bytes) -> tuple[TimestampToken, bytes]:
    """A token, also when the whole response around it was kept.

    Raises:
        EvidenceStoreError: it is neither.
    """
    try:
        return parse_token(der), der
    except EvidenceStoreError:
        token = token_of_response(der)
        return parse_token(token), token
