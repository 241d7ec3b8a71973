"""Renewals in a bundle: where their files lie, and which data each evidence record is over.

A renewal `NNN` is a SHA-512 hash tree over the whole log as of one checkpoint. Its data object groups are, for each
object of the log, the object's name and the canonical bytes of its events below the checkpoint's size; and for the
checkpoint itself, its name (`checkpoint:SIZE`), its base note and the time-stamp tokens over it. The name makes a group
of two or more of every object with one event, and says which object the record speaks of.

    custody/renewals/NNN/checkpoint              base note of the checkpoint that was renewed
    custody/renewals/NNN/consistency             proof that the bundle's checkpoint continues it
    custody/renewals/NNN/checkpoint.TSA.tst      each token over it that the renewal covers
    custody/renewals/NNN/checkpoint.ers          evidence record of the checkpoint's group
    custody/renewals/NNN/KIND_ID.ers             evidence record of the object KIND:ID

Standard library, `cryptography` and the ASN.1 module only: the offline verifier imports this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from cryptography import x509

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.merkle import verify_consistency
from evidence_store.log.note import Checkpoint
from evidence_store.log.proof import parse_consistency
from evidence_store.timestamps.ers import verify_record
from evidence_store.timestamps.evidence_record import parse_record
from evidence_store.timestamps.token import TimestampToken

FOLDER: Final = "custody/renewals"
CHECKPOINT: Final = "checkpoint"
CONSISTENCY: Final = "consistency"
RECORD_SUFFIX: Final = ".ers"
STAMP_SUFFIX: Final = ".tst"


def renewal_folder(number: int) -> str:
    """Where the files of a renewal lie in a bundle, without a slash at the end; numbers begin at 1."""
    return f"{FOLDER}/{number:03d}"


def record_name(about: str) -> str:
    """File name of an object's evidence record."""
    return about.replace(":", "_") + RECORD_SUFFIX


def token_name(tsa: str) -> str:
    """File name of an authority's token over the renewed checkpoint."""
    return f"{CHECKPOINT}.{tsa}{STAMP_SUFFIX}"


def require_continued(renewed: Checkpoint, whole: Checkpoint, proof: bytes | None) -> None:
    """Check that the log which was renewed is the beginning of the one that the bundle speaks of.

    Args:
        renewed: the renewal's checkpoint; its signature was verified.
        whole: the bundle's checkpoint, likewise, of the same log and no smaller.
        proof: the file `CONSISTENCY`, or None.

    Raises:
        EvidenceStoreError: `log_forked` for two roots of one size, which prove that the log lied to somebody;
            `consistency_missing`; `proof_form` or `consistency_invalid` for a proof that does not show it.
    """
    if renewed.size == whole.size:
        if renewed.root != whole.root:
            raise EvidenceStoreError("log_forked", f"the log signed two roots for {whole.size} entries")
        return
    if proof is None:
        raise EvidenceStoreError("consistency_missing", "nothing shows that the bundle's checkpoint continues it")
    old, hashes = parse_consistency(proof)
    if old != renewed.size:
        raise EvidenceStoreError("consistency_invalid", f"the proof is for {old} entries, not {renewed.size}")
    verify_consistency(renewed.size, whole.size, renewed.root, whole.root, hashes)


def object_members(about: str, events: Iterable[bytes]) -> list[bytes]:
    """The data object group of an object: its name, then its events' canonical bytes."""
    return [about.encode(), *events]


def checkpoint_members(size: int, note: bytes, tokens: Iterable[bytes]) -> list[bytes]:
    """The data object group of the renewed checkpoint: its name, its base note, the tokens over it."""
    return [f"{CHECKPOINT}:{size}".encode(), note, *tokens]


def covered_events(record: bytes) -> int:
    """How many events an object's record is over: the oldest ones, as the log had no others then.

    Raises:
        EvidenceStoreError: `ers_malformed`.
    """
    first = parse_record(record).chains[0][0]
    return len(first.lists[0]) - 1 if first.lists else 0


def verify_object(
    record: bytes,
    about: str,
    events: Sequence[bytes],
    roots: Sequence[x509.Certificate],
    extra: Sequence[x509.Certificate] = (),
) -> tuple[int, list[TimestampToken]]:
    """Verify an object's evidence record against the object's events.

    Args:
        record: DER.
        about: the object.
        events: canonical bytes of all its events that are at hand, oldest first.
        roots: certificates of authorities that the caller trusts for time.
        extra: certificates that may be missing in the tokens.

    Returns:
        How many events, from the oldest, existed at the time of the first token; and the tokens, oldest first.

    Raises:
        EvidenceStoreError: as `ers.verify_record`.
    """
    covered = covered_events(record)
    return covered, verify_covered(record, about, covered, events, roots, extra)


def verify_covered(
    record: bytes,
    about: str,
    covered: int,
    events: Sequence[bytes],
    roots: Sequence[x509.Certificate],
    extra: Sequence[x509.Certificate] = (),
) -> list[TimestampToken]:
    """The same, for who has asked `covered_events` already; returns the tokens.

    Raises:
        EvidenceStoreError: as `ers.verify_record`.
    """
    if not 1 <= covered <= len(events):
        raise EvidenceStoreError(
            "ers_object_missing", f"the record is over {covered} events of {about}, {len(events)} are here"
        )
    return verify_record(record, object_members(about, events[:covered]), roots, extra)
