"""Renewals (RFC 4998): history that was hashed again with SHA-512 and time-stamped again, before anything expired."""

from __future__ import annotations

import contextlib
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby, islice

from evidence_store.bundle import layout, renewals
from evidence_store.bundle.events import MAX_EVENT_BYTES, parse_event
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.note import VerifierKey, format_vkey, open_own_checkpoint, parse_vkey
from evidence_store.timestamps.ers import verify_record
from evidence_store.trust import LOG
from evidence_store.verify.context import Verification
from evidence_store.verify.facts import Stamp
from evidence_store.verify.files import MAX_RECORD
from evidence_store.verify.key_verdicts import judge_log_key
from evidence_store.verify.stamps import earliest, is_too_early, judge_token, log_stamps, record_stamp, under_roots

MAX_EVIDENCE_RECORD = 8 << 20
"""Bytes of an evidence record; that of an object with 120,000 events still fits, which have about `MAX_MEMBERS`."""

MAX_EVIDENCE_RECORDS = 128 << 20
"""Bytes of the evidence records of all objects: 2,500 items, which a bundle has at most, with ten records each of 5 KB.
One is held at a time; reading one of `MAX_EVIDENCE_RECORD` takes half a second."""

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
    keys = _all_log_keys(run)
    for number, paths in sorted(parts.items()):
        _check_checkpoint(run, number, paths, keys)
        run.report.count("renewals")
    _check_objects(run, [path for paths in parts.values() for path in paths])


def _all_log_keys(run: Verification) -> list[VerifierKey]:
    """The keys that the log has or had."""
    records = run.history.of(LOG) if run.history is not None else []
    return list(dict.fromkeys([*run.log_keys, *(parse_vkey(record.key) for record in records)]))


def _check_checkpoint(run: Verification, number: str, paths: list[str], log_keys: Sequence[VerifierKey]) -> None:
    """The renewed checkpoint: signed by a key of this log, stamped when it was new, and under the renewal's tree."""
    folder = f"{renewals.FOLDER}/{number}"
    place = f"{folder}/{renewals.CHECKPOINT}"
    note = run.files.read(place, "a renewal", MAX_RECORD)
    record = run.files.read(f"{place}{renewals.RECORD_SUFFIX}", "a renewal")
    stamps = [path for path in paths if path.endswith(renewals.STAMP_SUFFIX)]
    tokens = [run.files.read(path, "a renewal", MAX_RECORD) for path in stamps]
    if note is None or record is None or None in tokens:
        run.not_run(f"renewal {number}", "A part of it could not be read.")
        return
    ders = [der for der in tokens if der is not None]
    judged = [
        judge_token(run, path, der, hashlib.sha256(note).digest()) for path, der in zip(stamps, ders, strict=True)
    ]
    try:
        size, keys = _signed_size(run, folder, note, log_keys)
        members = renewals.checkpoint_members(size, note, ders)
        renewed = _judge_record(run, f"{place}{renewals.RECORD_SUFFIX}", record, members)
    except EvidenceStoreError as error:
        if error.code == "log_forked":
            run.report.finding("log_forked", place, f"{error.detail[0].upper()}{error.detail[1:]}.")
        else:
            run.report.finding("renewal_invalid", place, f"{error.code}: {error.detail}.")
        return
    run.report.facts.stamps.append(renewed)
    for der in ders:
        run.carried.setdefault(hashlib.sha256(der).hexdigest(), []).append(renewed)
    proven = earliest([stamp for stamp in judged if stamp is not None], [renewed], log_stamps(run))
    for key in keys:
        judge_log_key(run, place, LOG, format_vkey(key.name, key.public_key), None, proven)


def _signed_size(
    run: Verification, folder: str, note: bytes, log_keys: Sequence[VerifierKey]
) -> tuple[int, list[VerifierKey]]:
    """The size of the renewed log, which the bundle's checkpoint continues, and which of the log's keys signed it.

    Raises:
        EvidenceStoreError: as `open_own_checkpoint` and `renewals.require_continued`; `checkpoint_differs`.
    """
    checkpoint, signers = open_own_checkpoint(note, log_keys)
    if run.checkpoint is None or checkpoint.origin != run.checkpoint.origin or checkpoint.size > run.checkpoint.size:
        raise EvidenceStoreError("checkpoint_differs", "it is of another log, or newer than the bundle's checkpoint")
    path = f"{folder}/{renewals.CONSISTENCY}"
    proof = run.files.read(path, "a renewal", MAX_RECORD) if path in run.files.digests else None
    renewals.require_continued(checkpoint, run.checkpoint, proof)
    return checkpoint.size, signers


def _judge_record(run: Verification, place: str, record: bytes, members: list[bytes]) -> Stamp:
    """The first time stamp of an evidence record over these data.

    Raises:
        EvidenceStoreError: as `verify_record`.
    """
    tokens, trusted = under_roots(run, lambda roots: verify_record(record, members, roots, run.time_intermediates))
    return record_stamp(run, place, tokens, trusted=trusted)


def _check_objects(run: Verification, paths: list[str]) -> None:
    """Each object's events are those that its records are over."""
    wanted: dict[str, list[str]] = defaultdict(list)
    left = MAX_EVIDENCE_RECORDS
    for path in paths:
        kind, _, identifier = path.rpartition("/")[2].removesuffix(renewals.RECORD_SUFFIX).rpartition("_")
        if path.endswith(renewals.RECORD_SUFFIX) and kind:
            left -= run.files.digests[path].size
            if left < 0:
                run.not_run(path, f"It and the evidence records before it have more than {MAX_EVIDENCE_RECORDS} bytes.")
            else:
                wanted[f"{kind}:{identifier}"].append(path)
    for about, events in groupby(_events(run), lambda event: event[0]):
        if about in wanted:
            _check_object(run, about, wanted.pop(about), ((time, line) for _, time, line in events))
    for lost in wanted.values():
        for path in lost:
            run.report.finding("renewal_invalid", path, "None of the events that it is over is here.")


def _events(run: Verification) -> Iterator[tuple[str, str, bytes]]:
    """Object, time and bytes of each event; what is wrong with the file was reported when it was read first."""
    if layout.EVENTS in run.files.digests:
        for line in run.files.lines(layout.EVENTS, MAX_EVENT_BYTES, quiet=True):
            with contextlib.suppress(EvidenceStoreError):
                event = parse_event(line)
                yield event.object, event.time, line


def _check_object(run: Verification, about: str, paths: list[str], lines: Iterator[tuple[str, bytes]]) -> None:
    """One record after the other; of the events, as many are held as the records so far are over."""
    events: list[bytes] = []
    newest: list[str] = []  # the latest time among the events up to each one
    held = 0
    for path in paths:
        record = run.files.read(path, "a renewal", MAX_EVIDENCE_RECORD)
        if record is None:
            run.not_run(path, "The evidence record could not be read.")
            continue
        try:
            covered = renewals.covered_events(record)
            for time, line in islice(lines, max(0, covered - len(events))):
                events.append(line)
                newest.append(max(time, newest[-1]) if newest else time)
                held += len(line)
                if held > MAX_MEMBERS:
                    run.not_run(f"renewals of {about}", f"Its events have more than {MAX_MEMBERS} bytes.")
                    return
            verify = partial(renewals.verify_covered, record, about, covered, events, extra=run.time_intermediates)
            tokens, trusted = under_roots(run, verify)
        except EvidenceStoreError as error:
            run.report.finding("renewal_invalid", path, f"{error.code}: {error.detail}.")
            continue
        stamp = record_stamp(run, path, tokens, trusted=trusted)
        if not is_too_early(run, path, stamp.before, datetime.fromisoformat(newest[covered - 1])):
            run.renewed.setdefault(about, []).append((covered, stamp))
            run.report.count("evidence records")
