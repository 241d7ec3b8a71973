"""Renewals (RFC 4998): history that was hashed again with SHA-512 and time-stamped again, before anything expired."""

from __future__ import annotations

import contextlib
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby, islice

from cryptography import x509

from evidence_store.bundle import layout, renewals
from evidence_store.bundle.events import MAX_EVENT_BYTES, parse_event
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.keyfile import parse_key_file
from evidence_store.log.note import VerifierKey, format_vkey, open_note, parse_checkpoint
from evidence_store.timestamps.ers import holds_until, verify_record
from evidence_store.timestamps.token import TimestampToken
from evidence_store.trust import LOG
from evidence_store.verify.context import Verification
from evidence_store.verify.facts import Stamp
from evidence_store.verify.files import MAX_RECORD
from evidence_store.verify.key_verdicts import judge_log_key, signers
from evidence_store.verify.stamps import earliest, judge_token, log_stamps, stamp_of, under_roots

MAX_EVIDENCE_RECORD = 16 << 20
"""Bytes of an evidence record; that of an object with 200,000 events still fits."""

MAX_MEMBERS = 64 << 20
"""Bytes of the events of one object that are held at once."""


def check_renewals(run: Verification) -> None:
    """Every renewal that the bundle carries: its checkpoint, and its evidence record of each object."""
    parts: dict[str, list[str]] = defaultdict(list)
    for path in sorted(run.files.digests):
        part = layout.renewal_part(path)
        if part is not None:
            parts[part[0]].append(path)
    if not parts:
        run.report.finding("renewal_none", layout.EVENTS, "The bundle holds no evidence record.")
        return
    for number, paths in sorted(parts.items()):
        _check_checkpoint(run, number, paths)
        run.report.count("renewals")
    _check_objects(run, [path for paths in parts.values() for path in paths])


def _check_checkpoint(run: Verification, number: str, paths: list[str]) -> None:
    """The renewed checkpoint: signed by a key of this log, stamped when it was new, and under the renewal's tree."""
    folder = renewals.renewal_folder(int(number))
    note = run.files.read(f"{folder}/{renewals.CHECKPOINT}", "a renewal", MAX_RECORD)
    record = run.files.read(f"{folder}/{renewals.CHECKPOINT}{renewals.RECORD_SUFFIX}", "a renewal")
    stamps = [path for path in paths if path.endswith(renewals.STAMP_SUFFIX)]
    tokens = [run.files.read(path, "a renewal", MAX_RECORD) for path in stamps]
    if note is None or record is None or None in tokens:
        run.not_run(f"renewal {number}", "A part of it could not be read.")
        return
    ders = [der for der in tokens if der is not None]
    judged = [
        judge_token(run, path, der, hashlib.sha256(note).digest()) for path, der in zip(stamps, ders, strict=True)
    ]
    place = f"{folder}/{renewals.CHECKPOINT}"
    try:
        size, keys = _signed_size(run, note)
        members = renewals.checkpoint_members(size, note, ders)
        renewed = _judge_record(run, f"{place}{renewals.RECORD_SUFFIX}", record, members)
    except EvidenceStoreError as error:
        run.report.finding("renewal_invalid", place, f"{error.code}: {error.detail}.")
        return
    run.renewals.append((size, renewed))
    run.report.facts.stamps.append(renewed)
    proven = earliest([stamp for stamp in judged if stamp is not None], [renewed], log_stamps(run))
    for key in keys:
        judge_log_key(run, place, LOG, format_vkey(key.name, key.public_key), None, proven)


def _signed_size(run: Verification, note: bytes) -> tuple[int, list[VerifierKey]]:
    """The size of the renewed log, and who signed it: keys that the log has or had.

    Raises:
        EvidenceStoreError: as `open_note` and `parse_checkpoint`; `checkpoint_differs`.
    """
    keys = list(dict.fromkeys([*run.log_keys, *_former_keys(run)]))
    checkpoint = parse_checkpoint(open_note(note, keys))
    if run.checkpoint is None or checkpoint.origin != run.checkpoint.origin or checkpoint.size > run.checkpoint.size:
        raise EvidenceStoreError("checkpoint_differs", "it is of another log, or newer than the bundle's checkpoint")
    return checkpoint.size, signers(note, keys)


def _former_keys(run: Verification) -> Sequence[VerifierKey]:
    records = run.history.of(LOG) if run.history is not None else []
    return [key for record in records for key in parse_key_file(record.key.encode()).log_keys]


def _judge_record(run: Verification, place: str, record: bytes, members: list[bytes]) -> Stamp:
    """The first time stamp of an evidence record over these data.

    Raises:
        EvidenceStoreError: as `verify_record`.
    """
    tokens, trusted = under_roots(run, lambda roots: verify_record(record, members, roots, run.time_intermediates))
    first = stamp_of(run, place, tokens[0], trusted=trusted)
    return replace(first, until=holds_until(tokens))  # the last of the chain carries the first


def _check_objects(run: Verification, paths: list[str]) -> None:
    """Each object's events are those that its records are over."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        kind, _, identifier = path.rpartition("/")[2].removesuffix(renewals.RECORD_SUFFIX).rpartition("_")
        if path.endswith(renewals.RECORD_SUFFIX) and kind:
            wanted[f"{kind}:{identifier}"].append(path)
    for about, events in groupby(_events(run), lambda pair: pair[0]):
        if about in wanted:
            _check_object(run, about, wanted.pop(about), (line for _, line in events))
    for lost in wanted.values():
        for path in lost:
            run.report.finding("renewal_invalid", path, "None of the events that it is over is here.")


def _events(run: Verification) -> Iterator[tuple[str, bytes]]:
    """Object and bytes of each event; what is wrong with the file was reported when it was read first."""
    if layout.EVENTS in run.files.digests:
        for line in run.files.lines(layout.EVENTS, MAX_EVENT_BYTES, quiet=True):
            with contextlib.suppress(EvidenceStoreError):
                yield parse_event(line).object, line


def _check_object(run: Verification, about: str, paths: list[str], lines: Iterator[bytes]) -> None:
    records: dict[str, bytes] = {}
    need = 0
    for path in paths:
        data = run.files.read(path, "a renewal", MAX_EVIDENCE_RECORD)
        try:
            need = max(need, renewals.covered_events(data or b""))
            records[path] = data or b""
        except EvidenceStoreError as error:
            run.report.finding("renewal_invalid", path, f"{error.code}: {error.detail}.")
    events: list[bytes] = []
    held = 0
    for line in islice(lines, need):
        held += len(line)
        if held > MAX_MEMBERS:
            run.not_run(f"renewals of {about}", f"Its events have more than {MAX_MEMBERS} bytes.")
            return
        events.append(line)
    for path, record in records.items():
        try:
            (covered, tokens), trusted = under_roots(
                run, partial(_verify_object, run.time_intermediates, record, about, events)
            )
        except EvidenceStoreError as error:
            run.report.finding("renewal_invalid", path, f"{error.code}: {error.detail}.")
            continue
        run.renewed.setdefault(about, []).append((covered, stamp_of(run, path, tokens[0], trusted=trusted)))
        run.report.count("evidence records")


def _verify_object(
    extra: Sequence[x509.Certificate],
    record: bytes,
    about: str,
    events: Sequence[bytes],
    roots: Sequence[x509.Certificate],
) -> tuple[int, list[TimestampToken]]:
    return renewals.verify_object(record, about, events, roots, extra)
