"""What is recorded of a change of keys, and which one is meant. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.clock import rfc3339
from app.custody.vkeys import DISOWNED
from app.errors import ConflictError, InvalidInputError, NotFoundError
from evidence_store.bundle.shapes import is_time
from evidence_store.trust import (
    CA,
    COMPROMISE,
    INTRODUCTION,
    LOG,
    PQ,
    RETIREMENT,
    SEAL,
    USES,
    KeyHistory,
    KeyRecord,
    key_of_certificate,
)

MAX_REASON = 2000
FOUNDING = {CA: "ca_sha256", SEAL: "seal_sha256", LOG: "log_vkey", PQ: "log_mldsa_vkey"}
"""Under which name the archive's first event has the key of each use."""


def key_of(use: str, material: str) -> str:
    """How the history names a key, from its public half.

    Raises:
        ValueError: a certificate that cannot be read.
    """
    if use not in {CA, SEAL}:
        return material
    try:
        certificate = x509.load_pem_x509_certificate(material.encode())
    except x509.InvalidVersion as error:  # no ValueError of itself
        raise ValueError(str(error)) from error
    return key_of_certificate(certificate.public_bytes(Encoding.DER))


def is_key(record: KeyRecord, material: str | None) -> bool:
    """Whether a public half, as it was found somewhere, is this key."""
    try:
        return material is not None and key_of(record.use, material) == record.key
    except ValueError:
        return False


def introduction(use: str, material: str, at: str, reason: str) -> dict[str, Any]:
    """Details of the event that introduces a key."""
    return _change(INTRODUCTION, use, key_of(use, material), at, reason) | {"material": material}


def retirement(record: KeyRecord, at: str, reason: str) -> dict[str, Any]:
    """Details of the event that retires a key."""
    return _change(RETIREMENT, record.use, record.key, at, reason)


def compromise(record: KeyRecord, at: str, reason: str) -> dict[str, Any]:
    """Details of the event that says since when a key may be in other hands."""
    return _change(COMPROMISE, record.use, record.key, at, reason)


def _change(change: str, use: str, key: str, at: str, reason: str) -> dict[str, Any]:
    return {"change": change, "use": use, "key": key, "material": None, "at": at, "reason": reason}


def pick(history: KeyHistory, use: str, which: str | None) -> KeyRecord:
    """The key that is meant.

    Args:
        history: of the archive.
        use: what the key is for.
        which: how its fingerprint (`ca`, `seal`) or its verifier key's hex ID begins; None for the current one.

    Raises:
        InvalidInputError: `bad_use`.
        NotFoundError: `unknown_key`.
        ConflictError: `key_ambiguous` when several begin so.
    """
    if use not in USES:
        raise InvalidInputError("bad_use", f"keys are for {', '.join(USES)}")
    known = history.of(use)
    if which is None:
        current = history.current(use)
        found = [] if current is None else [current]
    else:
        found = [record for record in known if which and short_name(record).startswith(which.lower())]
    if not found:
        raise NotFoundError("unknown_key", f"this archive has no {use} key {which or ''}".rstrip())
    if len(found) > 1:
        raise ConflictError("key_ambiguous", f"several {use} keys begin with {which}")
    return found[0]


def short_name(record: KeyRecord) -> str:
    """What a person calls a key: the fingerprint of a certificate, the hex ID of a verifier key."""
    return record.key if record.use in {CA, SEAL} else record.key.split("+")[1]


def same_private_key(history: KeyHistory, record: KeyRecord) -> list[KeyRecord]:
    """All keys of the history that share a private key: one may have been certified twice."""
    if record.use not in {CA, SEAL}:
        return [record]
    public = _public_half(record)
    return [one for use in (CA, SEAL) for one in reversed(history.of(use)) if _public_half(one) == public]


def _public_half(record: KeyRecord) -> bytes:
    key = x509.load_pem_x509_certificate(record.material.encode()).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def parse_since(text: str, now: datetime) -> str:
    """The time of a compromise, as events write it.

    Args:
        text: a day (`2026-01-31`, its beginning in UTC) or an RFC 3339 time with a zone.
        now: the archive's clock.

    Raises:
        InvalidInputError: `bad_time` for anything else, or a time to come.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError("bad_time", "write a day (2026-01-31) or a time (2026-01-31T12:00:00Z)") from None
    if moment.tzinfo is None and len(text) > len("2026-01-31"):
        raise InvalidInputError("bad_time", "a time needs a zone, such as Z")
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if moment > now:
        raise InvalidInputError("bad_time", "this time is still to come")
    written = rfc3339(moment)
    if not is_time(written):
        raise InvalidInputError("bad_time", "this time is no date of the common era")
    return written


def put_away_name(record: KeyRecord, name: str) -> str:
    """The name that a file of a former key keeps in `retired/`: its own, with the key's short name in it."""
    stem, _, suffix = name.rpartition(".")
    return f"{DISOWNED if record.compromised else ''}{stem}-{short_name(record)[:16]}.{suffix}"


def wrong_beginnings(history: KeyHistory, begun: dict[str, Any]) -> Iterable[str]:
    """Uses whose first key in the history is not the one that the archive's first event names."""
    for use, name in FOUNDING.items():
        keys = history.of(use)
        if name in begun and (not keys or keys[-1].key != begun[name]):
            yield use


def described(history: KeyHistory) -> list[dict[str, Any]]:
    """All keys for a reader, newest first of each use; times are RFC 3339 UTC."""
    return [
        {
            "use": record.use,
            "name": short_name(record),
            "material": record.material,
            "current": record == history.current(record.use),
            "introduced_at": rfc3339(record.introduced),
            "retired_at": None if record.retired is None else rfc3339(record.retired),
            "compromised_since": None if record.compromised is None else rfc3339(record.compromised),
            "reasons": list(record.reasons),
        }
        for use in USES
        for record in history.of(use)
    ]


def trust_text(history: KeyHistory, *, compromised: bool) -> str:
    """A trust file: certificates of the authority and verifier keys of the log, current ones first; then their fates.

    Of each ML-DSA-44 key in it, it tells the introduction: what is shown to be older needs no signature of that key.

    The fates are for bundles whose own key history ends earlier: because it was made earlier, or because somebody who
    stole a key left out the event that says so.

    Args:
        history: of the archive.
        compromised: whether compromised keys are in it, each under a line that says so. Whoever trusts one may be
            deceived by whoever stole it, so they are needed only to look at what was signed before.
    """
    lines: list[str] = []
    for use in (CA, LOG, PQ):
        for record in history.of(use):
            if record.compromised is None:
                lines.append(record.material.strip())
            elif compromised:
                lines += [f"# compromised since {rfc3339(record.compromised)}:", record.material.strip()]
    return "\n".join([*lines, *_told(history, compromised=compromised)]) + "\n"


def _told(history: KeyHistory, *, compromised: bool) -> Iterable[str]:
    """Lines of a trust file: since when the log has the ML-DSA-44 keys in it, and what became of keys."""
    for record in history.of(PQ):
        if record.compromised is None or compromised:
            yield f"introduced {PQ} {record.key} at {rfc3339(record.introduced)}"
    for use in USES:
        for record in history.of(use):
            if record.compromised is not None:
                yield f"compromised {use} {record.key} since {rfc3339(record.compromised)}"
            if record.retired is not None:
                yield f"retired {use} {record.key} at {rfc3339(record.retired)}"
