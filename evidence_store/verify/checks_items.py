"""Does each item's story agree: original, ingestion event, deposit receipt, and files made from it?"""

from __future__ import annotations

from typing import Any, cast

from evidence_store.bundle import layout, shapes
from evidence_store.bundle.events import CustodyEvent
from evidence_store.bundle.manifest import ManifestItem
from evidence_store.canonical import parse_canonical
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.checks_withheld import withheld_ingestion
from evidence_store.verify.context import Verification
from evidence_store.verify.files import MAX_RECORD, MAX_SEAL
from evidence_store.verify.key_verdicts import judge_seal, receipt_roots
from evidence_store.verify.seals import open_seal
from evidence_store.verify.stamps import earliest, judge_tokens, log_stamps, seal_stamps

_SEALED_ONLY = frozenset({"matches", "matrix", "provisions", "track view"})  # views, and reference data
_RECEIPT: shapes.Shape = {
    "v": shapes.equals(1),
    "type": shapes.equals("deposit receipt"),
    "archive": shapes.record({"id": shapes.is_name, "org": shapes.is_text, "log": shapes.is_name}),
    "item": shapes.is_uuid,
    "case": shapes.is_text,
    "original_name": shapes.is_text,
    "sha256": shapes.is_sha256,
    "sha512": shapes.is_sha512,
    "crc32": shapes.is_crc32,
    "size": shapes.is_count,
    "received_at": shapes.is_time,
    "event_id": shapes.is_uuid,
    "event_sha256": shapes.is_sha256,
    "leaf_index": shapes.is_count,
}


def check_items(run: Verification) -> None:
    """Each item's ingestion event and deposit receipt."""
    if run.manifest is None:
        run.not_run("items", "manifest.json could not be read.")
        return
    for item in run.manifest.items:
        ingestions = run.ingestions.get(f"item:{item.item}", [])
        if not ingestions and (kept_back := withheld_ingestion(run, item.item)) is not None:
            run.report.finding("ingestion_withheld", item.item, f"Event {kept_back.event_id} is kept back.")
            _check_receipt(run, item, kept_back)
            continue
        if len(ingestions) != 1:
            number = "more than one" if ingestions else "no"
            run.report.finding("ingestion_event_wrong", item.item, f"It has {number} ingestion event.")
        for event in ingestions:
            if (event.sha256, event.sha512, event.size) != (item.sha256, item.sha512, item.size):
                run.report.finding(
                    "ingestion_event_wrong", item.item, f"Event {event.event_id} names other digests or another size."
                )
            untold = _untold(run, item, event)
            if untold:
                run.report.finding(
                    "ingestion_event_wrong",
                    item.item,
                    f"Event {event.event_id} does not say the same: {', '.join(untold)}.",
                )
        _check_receipt(run, item, ingestions[0] if ingestions else None)


def _untold(run: Verification, item: ManifestItem, event: CustodyEvent) -> list[str]:
    """What manifest.json says of an item and the details of its ingestion event do not."""
    expected: dict[str, Any] = {
        "case": item.case,
        "original_name": item.original_name,
        "received_at": item.received_at,
    }
    original = run.files.digests.get(item.path)
    if original is not None:
        expected["crc32"] = original.crc32
    return [name for name, value in expected.items() if event.details.get(name) != value]


def _check_receipt(run: Verification, item: ManifestItem, ingestion: CustodyEvent | None) -> None:
    path = layout.receipt_path(item.item)
    statement = run.files.read(path, f"item {item.item}", MAX_RECORD)
    signature = run.files.read(f"{path}.p7s", f"item {item.item}", MAX_SEAL)
    if statement is None or signature is None:
        run.not_run(f"receipt of {item.item}", "The receipt or its signature could not be read.")
        return
    named = {place: _named_by(run, item, place) for place in (path, f"{path}.p7s")}
    for place, event in named.items():
        if event is None:
            run.report.finding("receipt_without_event", place, f"No event of item:{item.item} names these bytes.")
    _check_receipt_seal(run, item, statement, signature, named[f"{path}.p7s"])
    try:
        value = parse_canonical(statement)
    except EvidenceStoreError as error:
        run.report.finding("receipt_malformed", path, error.detail)
        return
    problems = shapes.shape_problems(value, _RECEIPT)
    if problems:
        run.report.finding("receipt_malformed", path, "; ".join(problems))
        return
    differing = _differing(run, item, ingestion, cast("dict[str, Any]", value))
    if differing:
        run.report.finding(
            "receipt_differs", path, f"Not as in the item and its ingestion event: {', '.join(differing)}."
        )


def _named_by(run: Verification, item: ManifestItem, place: str) -> int | None:
    """The number of the item's event that names a file of its receipt; a seal is named without its time stamps."""
    known = run.bare_seals.get(place, run.files.digests[place])
    return run.outputs.get((f"item:{item.item}", known.sha256))


def _check_receipt_seal(
    run: Verification, item: ManifestItem, statement: bytes, signature: bytes, logged: int | None
) -> None:
    """The seal on a receipt, its time stamps, and its keys; `logged` is the number of the event that names it."""
    place = f"{layout.receipt_path(item.item)}.p7s"
    roots = receipt_roots(run)
    if not roots:
        run.not_run(f"seal of {layout.receipt_path(item.item)}", "There is no CA certificate to check it against.")
        return
    try:
        seal = open_seal(signature, statement, roots)
    except EvidenceStoreError as error:
        run.report.finding("receipt_seal_invalid", place, f"{error.code}: {error.detail}.")
        return
    run.report.count("receipts")
    if len(seal.tokens) < (due := run.stamps_due[item.item]):
        detail = f"manifest.json says {due} time stamp(s), {len(seal.tokens)} are here."
        run.report.finding("timestamp_invalid", place, detail)
    stamps = judge_tokens(run, place, seal.tokens, seal.imprint, seal.claimed)
    others = seal_stamps(run)
    if logged is not None:
        renewed = run.renewed.get(f"item:{item.item}", [])
        others = [*log_stamps(run), *(stamp for covered, stamp in renewed if logged < covered)]
    judge_seal(run, place, seal, earliest(stamps, others))


def _differing(
    run: Verification, item: ManifestItem, ingestion: CustodyEvent | None, statement: dict[str, Any]
) -> list[str]:
    """The fields of a receipt that say something other than the rest of the bundle."""
    expected: dict[str, Any] = {
        "item": item.item,
        "original_name": item.original_name,
        "sha256": item.sha256,
        "sha512": item.sha512,
        "size": item.size,
        "received_at": item.received_at,
        "case": item.case,
    }
    original = run.files.digests.get(item.path)
    if original is not None:
        expected["crc32"] = original.crc32
    if ingestion is not None:
        expected |= {"event_id": ingestion.event_id, "event_sha256": ingestion.digest}
        known = ingestion.details.get("crc32")
        expected |= {"crc32": known} if original is None and known is not None else {}
    differing = [name for name, value in expected.items() if statement[name] != value]
    archive = run.manifest.archive if run.manifest is not None else None
    if archive is not None and (statement["archive"]["id"], statement["archive"]["log"]) != (archive.id, archive.log):
        differing.append("archive")
    if run.checkpoint is not None and statement["leaf_index"] >= run.checkpoint.size:
        differing.append("leaf_index")
    return differing


def check_outputs(run: Verification) -> None:
    """Files made from an object are named by one of its events (`details.outputs`)."""
    if run.manifest is None:
        run.not_run("outputs", "manifest.json could not be read.")
        return
    items = run.manifest.items
    bound_otherwise = {item.path for item in items}  # by the ingestion event
    for item in items:  # looked at with the item
        path = layout.receipt_path(item.item)
        bound_otherwise |= {path, f"{path}.p7s"}
    for entry in run.manifest.files:
        if entry.path in bound_otherwise or (entry.object or "", entry.sha256) in run.outputs:
            continue
        if entry.object is None or entry.role in _SEALED_ONLY:
            run.report.finding("file_sealed_only", entry.path, f"Its role is '{entry.role}'.")
        else:
            run.report.finding("output_without_event", entry.path, f"No event of {entry.object} names it.")
