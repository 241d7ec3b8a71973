"""Is each object's chain of custody whole, and is its head in the archive's log?"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from evidence_store.bundle import layout
from evidence_store.bundle.events import MAX_EVENT_BYTES, ChainFollower, CustodyEvent, ObjectChain, Output
from evidence_store.bundle.manifest import Manifest, ManifestObject
from evidence_store.bundle.withheld import parse_line
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.merkle import leaf_hash, verify_inclusion
from evidence_store.log.proof import parse_proof
from evidence_store.verify.checks_withheld import MAX_STUBS, take_stub
from evidence_store.verify.context import Verification
from evidence_store.verify.files import MAX_RECORD, MAX_SEAL
from evidence_store.verify.seals import bare_digests

INGESTION = "ingestion"
_TOLD_AT_INGESTION = ("case", "original_name", "crc32", "received_at")
MAX_INGESTIONS = 2
"""Kept per object: one is right, two are enough to know that something is wrong."""

MAX_KEY_CHANGES = 1_000
"""Changes of keys that are read: an archive that changes all its keys every month has as many in twenty years."""


def check_events(run: Verification) -> None:
    """Follow every event of custody/events.jsonl and compare the heads with manifest.json."""
    if layout.EVENTS not in run.files.digests:
        run.files.missing(layout.EVENTS, "every bundle")
        run.not_run("events", f"{layout.EVENTS} could not be read.")
        return
    _take_bare_seals(run)
    interesting: dict[str, str | None] = {}
    if run.manifest is not None:
        interesting |= {entry.sha256: None for entry in run.manifest.files}  # of what is not here
    interesting |= {known.sha256: known.sha512 for known in (*run.files.digests.values(), *run.bare_seals.values())}
    with contextlib.closing(ChainFollower()) as follower:
        _follow(run, follower, interesting)
    run.chains = follower.chains
    if run.manifest is None:
        run.not_run("events against manifest.json", "manifest.json could not be read.")
        return
    _check_heads(run, run.manifest)


def _follow(run: Verification, follower: ChainFollower, interesting: Mapping[str, str | None]) -> None:
    for number, line in enumerate(run.files.lines(layout.EVENTS, MAX_EVENT_BYTES), 1):
        run.report.count("events")
        try:
            event, withheld = parse_line(line)
        except EvidenceStoreError as error:
            run.report.finding("event_malformed", f"{layout.EVENTS} line {number}", f"{error.code}: {error.detail}.")
            if run.report.full("event_malformed"):  # this is no file of events: reading on would only cost time
                run.not_run("events", f"{layout.EVENTS} was read up to line {number} only.")
                break
            continue
        if withheld and not take_stub(run, event):
            run.not_run("events", f"There are more stubs than {MAX_STUBS} up to line {number}; the rest was not read.")
            break
        _take(run, follower, event, number, interesting)
        if len(follower.chains) > layout.MAX_FILES:  # each needs a proof: so many are no bundle's, and fill the memory
            run.not_run("events", f"More than {layout.MAX_FILES} objects up to line {number}; the rest was not read.")
            break


def _take_bare_seals(run: Verification) -> None:
    """Events name a receipt's seal as it was first made, before time stamps were added to it."""
    for item in run.manifest.items if run.manifest is not None else ():
        path = f"{layout.receipt_path(item.item)}.p7s"
        data = run.files.peek(path, MAX_SEAL)
        with contextlib.suppress(EvidenceStoreError):  # a seal that cannot be read is reported with its receipt
            if data is not None:
                run.bare_seals[path] = bare_digests(data)


def _take(
    run: Verification, follower: ChainFollower, event: CustodyEvent, number: int, interesting: Mapping[str, str | None]
) -> None:
    subject = f"event {event.event_id} ({event.object}, line {number})"
    for code, detail in follower.follow(event):
        run.report.finding(code, subject, f"{detail}.")
    if run.manifest is not None and event.log != run.manifest.archive.log:
        run.report.finding("event_of_other_log", subject, f"It is of log {event.log}.")
    run.newest_event = max(run.newest_event, event.time)
    if run.manifest is not None and event.object == f"keys:{run.manifest.archive.id}":
        _take_key_change(run, event)
    if event.type == INGESTION and event.digest not in run.withheld_events:
        _take_ingestion(run, event)
    for output in event.outputs:
        if output.sha256 in interesting:
            run.outputs.setdefault((event.object, output.sha256), event.object_seq)
            _check_sha512(run, subject, output, interesting[output.sha256])


def _take_ingestion(run: Verification, event: CustodyEvent) -> None:
    if len(seen := run.ingestions.setdefault(event.object, [])) < MAX_INGESTIONS:
        told = {name: event.details.get(name) for name in _TOLD_AT_INGESTION}
        seen.append(replace(event, details=told))  # memory stays small, however many


def _check_sha512(run: Verification, subject: str, output: Output, actual: str | None) -> None:
    """A file that an event names by both digests has both; whether it has the first is how it was found."""
    if None not in {output.sha512, actual} and output.sha512 != actual:
        run.report.finding("output_differs", subject, f"Its file of SHA-256 {output.sha256} has another SHA-512 here.")


def _take_key_change(run: Verification, event: CustodyEvent) -> None:
    if len(run.key_changes) <= MAX_KEY_CHANGES:  # with one too many, `check_history` gives up
        run.key_changes.append(event)


def _check_heads(run: Verification, manifest: Manifest) -> None:
    listed = {entry.object: entry for entry in manifest.objects}
    for object_id in sorted(run.chains.keys() - listed.keys()):
        run.report.finding("object_not_listed", object_id, "It has events, but manifest.json does not list it.")
    for item in manifest.items:
        if f"item:{item.item}" not in listed:
            run.report.finding("item_without_events", item.item, "manifest.json lists no events of it.")
    for object_id, entry in listed.items():
        run.report.count("objects")
        chain = run.chains.get(object_id, ObjectChain())
        if chain.events != entry.events:
            run.report.finding(
                "event_count_differs",
                object_id,
                f"{chain.events} event(s) are here, manifest.json says {entry.events}.",
            )
        if (chain.head_event_id, chain.head_sha256) != (entry.head_event_id, entry.head_sha256):
            run.report.finding(
                "event_head_differs", object_id, f"The last event should be {entry.head_event_id}, unchanged."
            )


def check_proofs(run: Verification) -> None:
    """Each object's head is an entry of the log at the bundle's checkpoint."""
    if run.manifest is None or run.checkpoint is None:
        run.not_run("proofs", "manifest.json or the checkpoint could not be read.")
        return
    for entry in run.manifest.objects:
        if entry.proof != layout.proof_path(entry.object) or entry.tree_size != run.checkpoint.size:
            run.report.finding(
                "proof_invalid", entry.object, "manifest.json gives its proof another name or tree size."
            )
            continue
        data = run.files.read(entry.proof, layout.MANIFEST, MAX_RECORD)
        if data is None:
            run.not_run(f"proof of {entry.object}", f"{entry.proof} could not be read.")
            continue
        fault = _proof_fault(run, entry, data)
        if fault is not None:
            run.report.finding("proof_invalid", entry.object, f"{entry.proof}: {fault}.")
        else:
            run.report.count("proofs")


def _proof_fault(run: Verification, entry: ManifestObject, data: bytes) -> str | None:
    checkpoint = run.checkpoint
    chain = run.chains.get(entry.object)
    # the head as the events have it; without events, their absence was reported, and the manifest's is proved
    head = entry.head_sha256 if chain is None or chain.head_sha256 is None else chain.head_sha256
    try:
        proof = parse_proof(data)
        if checkpoint is None or proof.checkpoint != run.checkpoint_note:
            return f"it is for another checkpoint than {layout.CHECKPOINT}"
        if proof.extra is not None:
            return "it carries extra data, which nothing signs"
        verify_inclusion(proof.index, checkpoint.size, leaf_hash(bytes.fromhex(head)), proof.hashes, checkpoint.root)
    except EvidenceStoreError as error:
        return f"{error.code}: {error.detail}"
    return None
