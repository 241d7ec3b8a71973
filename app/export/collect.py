"""Collecting what a bundle says of its items: the exact stored bytes, as of the checkpoint.

Whatever goes in is named by an event that the checkpoint covers; nothing is serialised again. Views over several
objects (relations, reference data, tracks as GPX) are made for the bundle, and the verifier says of each that the seal
alone covers it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from sqlmodel import Session

from app.access.service import Principal
from app.errors import EnvironmentFailedError
from app.evidence.service import digests_of
from app.export.choose import ChosenItem
from app.export.collect_made import collect_made
from app.export.collected import Collected, Sources, record_missing, record_sha256
from app.export.gathered import Gathered, gather, require_readable
from app.export.rules import missing_records
from app.intake.statements import first_version
from app.law.service import Law
from evidence_store.bundle.events import parse_event
from evidence_store.bundle.plan import ExtraFile
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.link import LinkRecord
from schemas.records.v1.provision import Provisions

__all__ = ["Collected", "Sources", "collect_items", "provisions_file"]

SOURCE_ROLE = "source version"


def collect_items(sources: Sources, who: Principal, items: Sequence[ChosenItem], into: Collected) -> None:
    """Take everything that the events of some items name.

    Raises:
        NotFoundError, DeniedError: the actor may not read the items of a case any more.
        EnvironmentFailedError, EvidenceStoreError: as `collect_item`.
    """
    require_readable(sources.evidence, who, [chosen.item for chosen in items])
    with sources.archive.db.read() as session:
        gathered = gather(session, [chosen.item.id for chosen in items])
        for chosen in items:
            into.reading(chosen.item.id)
            collect_item(sources, session, chosen, gathered, into)


def collect_item(sources: Sources, session: Session, chosen: ChosenItem, gathered: Gathered, into: Collected) -> None:
    """Take everything that an item's events name.

    Args:
        sources: where files are.
        session: an open snapshot.
        chosen: the item.
        gathered: what the database holds of it.
        into: takes it.

    Raises:
        EnvironmentFailedError: `record_missing` when a link, review, version of the source, check or receipt that the
            log names cannot be produced.
        EvidenceStoreError: `fixity_mismatch` or `blob_missing` of a track.
    """
    item_id, about = chosen.item.id, f"item:{chosen.item.id}"
    named = into.named(about)
    _require_ingested(chosen, into.events[about][0])
    links, reviews, checks = gathered.links[item_id], gathered.reviews[item_id], gathered.checks[item_id]
    versions: list[bytes] = []
    if any(output.role == SOURCE_ROLE for output in into.outputs[about]):
        versions = [first_version(chosen.item), *gathered.versions[item_id]]
    produced = [record_sha256(record) for record in (*links, *reviews, *versions, *(record for _, record in checks))]
    lost = [output.role for output in missing_records(into.outputs[about], produced)]
    lost += [] if record_sha256(chosen.receipt.statement) in named else ["receipt"]
    lost += [] if record_sha256(chosen.receipt.seal) in named else ["receipt signature"]
    if lost:
        raise record_missing(f"item {item_id}", f"the log names a {lost[0]} that the database does not hold as it was")
    for record in _named(links, named):
        link = LinkRecord.model_validate_json(record)
        into.cited.add((link.catalogue.version, link.provision.id))
        into.files.append(ExtraFile(f"data/links/{link.link}.json", record, "link", about))
    for record in _named(reviews, named):
        review_id = json.loads(record)["review"]
        into.files.append(ExtraFile(f"data/reviews/{review_id}.json", record, "review", about))
    for number, record in enumerate(versions, start=1):
        if record_sha256(record) in named:
            into.files.append(ExtraFile(f"data/sources/{item_id}.{number}.json", record, SOURCE_ROLE, about))
    for check_id, record in checks:
        if record_sha256(record) in named:
            into.files.append(ExtraFile(f"data/checks/{check_id}.json", record, "collector check", about))
    collect_made(sources, session, item_id, gathered, into)


def provisions_file(law: Law, cited: Iterable[tuple[int, str]]) -> ExtraFile:
    """The catalogue entries that links cite, each in the version that the link was made against."""
    entries = tuple(law.provision_at(version, provision) for version, provision in sorted(cited))
    record = Provisions(provisions=entries).model_dump(mode="json")
    return ExtraFile("data/provisions.json", canonical_bytes(record), "provisions", None)


def _require_ingested(chosen: ChosenItem, first: bytes) -> None:
    """The item's first event names the very file that the database says is its original."""
    event, digests = parse_event(first), digests_of(chosen.blob)
    if (event.type, event.sha256, event.sha512, event.size) != (
        "ingestion",
        digests.sha256,
        digests.sha512,
        digests.size,
    ):
        raise EnvironmentFailedError(
            "record_missing",
            f"item {chosen.item.id}: its digests are not those of its ingestion event: run 'catena audit'",
            status=500,
        )


def _named(records: Iterable[bytes], named: set[str]) -> Iterator[bytes]:
    """The records that the log names: what came after the checkpoint is not in the bundle."""
    return (record for record in records if record_sha256(record) in named)
