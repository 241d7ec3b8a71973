"""Collecting what a bundle says of its items: the exact stored bytes, as of the checkpoint.

Whatever goes in is named by an event that the checkpoint covers; nothing is serialised again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlmodel import Session

from app.access.service import Principal
from app.analysis.service import Analysis
from app.archive import Archive
from app.custody.log_scan import damaged
from app.custody.log_store import read_node
from app.disclosure.redactions import Redactions
from app.disclosure.service import Disclosures
from app.errors import EnvironmentFailedError
from app.evidence.service import Evidence, digests_of
from app.export.choose import ChosenItem
from app.export.log_scan import read_log
from app.export.rules import Output, missing_records, outputs_of, preview_path
from app.intake.checks import Checks
from app.intake.sources import Sources as StatedSources
from app.law.service import Law
from app.matching.service import Matching
from app.review.service import Reviews
from evidence_store.bundle.events import ChainFollower, parse_event
from evidence_store.bundle.plan import ExtraFile
from evidence_store.canonical import canonical_bytes
from evidence_store.digests import digest_stream
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle
from evidence_store.log.note import Checkpoint
from evidence_store.log.proof import TlogProof, format_proof
from schemas.records.v1.link import LinkRecord
from schemas.records.v1.matches import MatchEntry, Matches
from schemas.records.v1.provision import Provisions


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the parts of a bundle come from."""

    archive: Archive
    evidence: Evidence
    analysis: Analysis
    matching: Matching
    law: Law
    reviews: Reviews
    stated: StatedSources
    checks: Checks
    disclosures: Disclosures
    redactions: Redactions


@dataclass
class Collected:
    """What was collected so far.

    Attributes:
        scope: UUIDs of the items of the bundle; of other items nothing is told, not even that they are there.
        events: canonical bytes of the events of each object, by object.
        proofs: tlog-proof file of each object's head.
        files: everything but originals and receipts.
        media_types: by item; absent where no analysis is known.
        cited: (catalogue version, provision) of each link.
        without_metadata: how many items have no metadata record.
    """

    scope: frozenset[str] = frozenset()
    events: dict[str, list[bytes]] = field(default_factory=dict)
    proofs: dict[str, bytes] = field(default_factory=dict)
    files: list[ExtraFile] = field(default_factory=list)
    media_types: dict[str, str] = field(default_factory=dict)
    cited: set[tuple[int, str]] = field(default_factory=set)
    without_metadata: int = 0


def collect_events(
    session: Session, checkpoint: Checkpoint, note: bytes, wanted: AbstractSet[str], into: Collected
) -> dict[str, list[Output]]:
    """Take the events of some objects up to the checkpoint, and the proof of each one's last event.

    The whole log is read once, so that no event of an object can be hidden (`read_log`).

    Args:
        session: an open snapshot.
        checkpoint: the log's signed state.
        note: its bytes.
        wanted: objects.
        into: takes events and proofs.

    Returns:
        The outputs that the events of each object name.

    Raises:
        EnvironmentFailedError: `log_damaged` when the stored events are not those that were signed.
    """
    found = read_log(session, checkpoint, wanted)
    outputs: dict[str, list[Output]] = {}
    for about in sorted(wanted):
        if not (logged := found.get(about)):
            raise damaged(f"{about} has no events")
        canonical = [line for _, line in logged]
        try:
            details = _followed(canonical, checkpoint.origin)
            index = logged[-1][0]
            hashes = merkle.inclusion_proof(index, checkpoint.size, partial(read_node, session))
            leaf = merkle.leaf_hash(hashlib.sha256(canonical[-1]).digest())
            merkle.verify_inclusion(index, checkpoint.size, leaf, hashes, checkpoint.root)
        except (EvidenceStoreError, TypeError) as error:
            raise damaged(f"the log does not prove the events of {about}") from error
        into.events[about] = canonical
        into.proofs[about] = format_proof(TlogProof(index, tuple(hashes), note))
        outputs[about] = outputs_of(details)
    return outputs


def _followed(canonical: list[bytes], origin: str) -> list[dict[str, Any]]:
    """The details of one object's events, which must be a whole chain.

    Raises:
        EvidenceStoreError: an event is malformed, of another log, or does not follow from the one before.
    """
    details = []
    with closing(ChainFollower()) as follower:
        for line in canonical:
            event = parse_event(line)
            # a clock that was set back is a fact to report, not a broken chain
            broken = [detail for code, detail in follower.follow(event) if code != "event_time_backwards"]
            if broken or event.log != origin:
                raise EvidenceStoreError("log_damaged", f"event {event.event_id}: {'; '.join(broken) or 'another log'}")
            details.append(event.details)
    return details


def collect_item(sources: Sources, who: Principal, chosen: ChosenItem, outputs: list[Output], into: Collected) -> None:
    """Take everything that an item's events name, and the relations found.

    Raises:
        EnvironmentFailedError: `record_missing` when a link, review, version of the source, check or receipt that the
            log names cannot be produced.
    """
    item_id, about = chosen.item.id, f"item:{chosen.item.id}"
    named = {output.sha256 for output in outputs}
    _require_ingested(chosen, into.events[about][0])
    links = [link.record for link in sources.law.links_of(who, item_id)]
    reviews = [review.record for review in sources.reviews.reviews_of_item(who, item_id)]
    versions = sources.stated.records_of(chosen.item)
    checks = sources.checks.records_of(item_id)
    produced = [_sha256(record) for record in (*links, *reviews, *versions, *checks.values())]
    lost = [output.role for output in missing_records(outputs, produced)]
    lost += [] if _sha256(chosen.receipt.statement) in named else ["receipt"]
    lost += [] if _sha256(chosen.receipt.seal) in named else ["receipt signature"]
    if lost:
        raise EnvironmentFailedError(
            "record_missing",
            f"item {item_id}: the log names a {lost[0]} that the database does not hold as it was: run 'catena audit'",
            status=500,
        )
    for record in _named(links, named):
        link = LinkRecord.model_validate_json(record)
        into.cited.add((link.catalogue.version, link.provision.id))
        into.files.append(ExtraFile(f"data/links/{link.link}.json", record, "link", about))
    for record in _named(reviews, named):
        review_id = json.loads(record)["review"]
        into.files.append(ExtraFile(f"data/reviews/{review_id}.json", record, "review", about))
    for number, record in enumerate(versions, start=1):
        if _sha256(record) in named:
            into.files.append(ExtraFile(f"data/sources/{item_id}.{number}.json", record, "source version", about))
    for check_id, record in checks.items():
        if _sha256(record) in named:
            into.files.append(ExtraFile(f"data/checks/{check_id}.json", record, "collector check", about))
    _collect_analysis(sources, item_id, named, into)
    into.files.append(_matches(sources.matching, who, item_id, into.scope))


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


def _collect_analysis(sources: Sources, item_id: str, named: set[str], into: Collected) -> None:
    """The newest metadata record and preview that the log names."""
    about = f"item:{item_id}"
    runs = [run for run in sources.analysis.history(item_id) if run.record and _sha256(run.record) in named]
    if runs and runs[-1].record:
        into.media_types[item_id] = runs[-1].media_type
        into.files.append(ExtraFile(f"data/metadata/{item_id}.json", runs[-1].record, "metadata", about))
    else:
        into.without_metadata += 1
    previews = [made for made in sources.evidence.derivatives(item_id) if made.role == "preview"]
    previews = [made for made in previews if made.sha256 in named]
    if previews:
        data = _blob_bytes(sources.archive, previews[-1].sha256)
        into.files.append(ExtraFile(preview_path(item_id, previews[-1].media_type), data, "preview", about))


def collect_redacted(sources: Sources, item_id: str, outputs: list[Output], into: Collected) -> None:
    """The redacted copies that a second person approved, to stand for an original that is withheld."""
    named = {output.sha256 for output in outputs}
    for number, view in enumerate(sources.redactions.approved(item_id), 1):
        if view.row.sha256 in named:
            data = _blob_bytes(sources.archive, view.row.sha256)
            path = f"data/redacted/{item_id}.{number}.jpg"
            into.files.append(ExtraFile(path, data, "redacted", f"item:{item_id}"))


def _blob_bytes(archive: Archive, sha256: str) -> bytes:
    """A small blob in memory.

    Raises:
        EvidenceStoreError: `fixity_mismatch`, `blob_missing`.
    """
    with archive.blobs.open(sha256) as stream:
        data = stream.read()
    if digest_stream([data]).sha256 != sha256:
        raise EvidenceStoreError("fixity_mismatch", f"preview {sha256}: its bytes are not those that were stored")
    return data


def _matches(matching: Matching, who: Principal, item_id: str, scope: AbstractSet[str]) -> ExtraFile:
    """The relations to items of the bundle: who receives it need not know of other cases, as the exporter may."""
    entries = tuple(
        MatchEntry(
            item=match.item,
            verdict=match.verdict,
            distance=match.distance,
            explanation=match.explanation,
            segments=tuple(match.segments),
        )
        for match in matching.matches_of(who, item_id, rejected=True)  # what was rejected was said all the same
        if match.item in scope
    )
    record = Matches(item=item_id, matches=entries).model_dump(mode="json")
    return ExtraFile(f"data/matches/{item_id}.json", canonical_bytes(record), "matches", f"item:{item_id}")


def _named(records: Iterable[bytes], named: set[str]) -> Iterator[bytes]:
    """The records that the log names: what came after the checkpoint is not in the bundle."""
    return (record for record in records if _sha256(record) in named)


def _sha256(data: bytes) -> str:
    """The digest by which an event names a record; text in place of bytes is named by none."""
    return hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else ""
