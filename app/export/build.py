"""From a choice to the plan of its bundle, or of each part of its set, as of one signed checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from app.access.service import Principal
from app.archive import Archive
from app.disclosure.service import Settled
from app.disclosure.withholding import Redacted
from app.errors import EnvironmentFailedError
from app.evidence.service import digests_of
from app.export import rules
from app.export.certificates import bundle_certificates
from app.export.choose import Choice, ChosenItem
from app.export.collect import Collected, Sources, collect_items, provisions_file
from app.export.collect_events import collect_events
from app.export.collect_incidents import collect_incidents
from app.export.collect_received import collect_received
from app.export.collect_redacted import collect_redacted
from app.export.collect_relations import Decided, collect_relations, decided_among
from app.export.collect_verifications import (
    Verifications,
    collect_verifications,
    require_every_verification,
    verifications_of,
)
from app.export.descriptions import describe
from app.export.redact import redacted_plan, require_clean
from app.export.report.making import with_report
from app.export.vouched import Attestation
from app.keyring.history import read_history
from app.keyring.signed import SignedCheckpoint, read_signed
from evidence_store.bundle import manifest
from evidence_store.bundle.plan import BundleItem, BundlePlan
from evidence_store.trust import PQ, KeyHistory
from evidence_store.verify.single_file import single_file

CHUNK = 1 << 20


@dataclass
class Building:
    """One export in the making.

    Attributes:
        export_id: UUID, also the bundle's.
        who: the exporter.
        choice: what leaves.
        purpose: why.
        covers: index of the last event that the checkpoint must cover.
        progress: told (bytes of originals written, of how many).
        settled: to whom it goes, and what is kept back.
        one_file: whether it is refused when one bundle does not hold it.
        reading: the item whose original is being read, for the report of a failure.
        written: bytes of originals written.
        redacted: what was kept back, once that is known.
    """

    export_id: str
    who: Principal
    choice: Choice
    purpose: str
    covers: int
    progress: Callable[[int, int], None] | None
    settled: Settled
    one_file: bool = False
    reading: str | None = field(default=None, init=False)
    written: int = field(default=0, init=False)
    redacted: Redacted | None = field(default=None, init=False)

    def reads(self, item_id: str) -> None:
        """Told which item's file is about to be read."""
        self.reading = item_id


@dataclass(frozen=True)
class Frame:
    """What all bundles of one export share.

    Attributes:
        note: the signed checkpoint.
        signed: the same, read.
        history: the archive's keys.
        created_at: RFC 3339 UTC.
        logged: events and proofs of every object of the export, and what they name.
        verified: the records of verification about something in it.
        decided: the decisions between its items.
    """

    note: bytes
    signed: SignedCheckpoint
    history: KeyHistory
    created_at: str
    logged: Collected
    verified: Verifications
    decided: Decided

    @property
    def tree_size(self) -> int:
        """Entries of the log at the checkpoint."""
        return self.signed.checkpoint.size


def export_frame(sources: Sources, building: Building, note: bytes, attestation: Attestation) -> Frame:
    """Read the log, once for all parts; waits a little for what others say of the checkpoint.

    Args:
        sources: where the parts come from.
        building: what is asked.
        note: a signed checkpoint that covers the events of this very export.
        attestation: what others say for it.

    Raises:
        EnvironmentFailedError: `checkpoint_too_old`, `log_damaged`; those of `read_signed`.
        EvidenceStoreError: a damaged note.
    """
    archive = sources.archive
    signed = read_signed(archive, note)
    if signed.checkpoint.size <= building.covers:
        raise EnvironmentFailedError("checkpoint_too_old", "the checkpoint does not cover this export", status=500)
    with archive.db.read() as session:
        history = read_history(session, archive.identity.id)
    attestation.ask_for_checkpoint(note, signed.checkpoint.size)
    choice = building.choice
    logged = Collected(frozenset(chosen.item.id for chosen in choice.items), choice.options, building.reads)
    wanted = {*_shared(building, history), *choice.objects}
    with archive.db.read() as session:
        items = [chosen.item.id for chosen in choice.items]
        verified = verifications_of(session, items, [entry.id for entry in choice.entries])
        collect_events(session, signed.checkpoint, note, wanted, logged, verified.objects)
        decided = decided_among(session, logged)
    require_every_verification(logged, verified)
    return Frame(note, signed, history, archive.custody.now(), logged, verified, decided)


def bundle_plan(
    sources: Sources,
    building: Building,
    frame: Frame,
    attestation: Attestation,
    items: Sequence[ChosenItem],
    part_of: manifest.PartOf | None = None,
) -> BundlePlan:
    """Plan the bundle of some items of an export.

    Args:
        sources: where the parts come from.
        building: what is asked.
        frame: what all bundles of the export share.
        attestation: what others say for this bundle.
        items: of the bundle: all of the choice, or those of one part.
        part_of: the bundle's place in a set.

    Raises:
        ConflictError: `withheld_value_leaks`, `original_not_looked_into`, `exculpatory_left_out`.
        EnvironmentFailedError: `record_missing`.
        EvidenceStoreError: `fixity_mismatch` or `blob_missing` of a preview.
    """
    archive, size = sources.archive, frame.tree_size
    first = part_of is None or part_of.part == 1
    collected = _collect(sources, building, frame, items, dossier=first)
    attestation.look_up_receipts([chosen.item.id for chosen in items])
    bundled = [_bundle_item(archive, building, chosen, collected, attestation) for chosen in items]
    cas, seals = bundle_certificates(archive.seal_key(), frame.history, [item.receipt_signature for item in bundled])
    cosigned, policy = attestation.cosigned(size), attestation.policy()
    renewals = attestation.renewals(collected.events, size)
    plan = BundlePlan(
        archive=manifest.Archive(**archive.identity.as_json()),
        bundle_id=building.export_id if part_of is None else rules.part_id(building.export_id, part_of.part),
        created_at=frame.created_at,
        created_by=manifest.Creator(id=building.who.user_id, name=building.who.name),
        scope=building.choice.scope,
        purpose=building.purpose,
        items=bundled,
        events=[event for about in sorted(collected.events) for event in collected.events[about]],
        proofs=collected.proofs,
        checkpoint=frame.note,
        ca_pem=cas,
        seal_pem=seals,
        log_vkey=_log_vkeys(frame.signed, frame.history),
        extra_files=collected.files,
        claims=rules.claims(size, collected.without_metadata, len(frame.verified.left_out)),
        cosigned=cosigned,
        tokens=attestation.checkpoint.tokens,
        authority_roots=attestation.roots,
        witness_policy=policy[0].encode() if policy is not None else None,
        renewals=renewals,
        verifier=single_file(),
        time=attestation.statement(),
        witnesses=attestation.witnesses(cosigned),
        part_of=part_of,
    )
    plan, building.redacted = redacted_plan(sources, plan, items, collected, building.settled)
    # made of what goes out, and of nothing else
    plan = with_report(plan, sources.archive.settings.exports)
    plan = replace(plan, extra_files=[*plan.extra_files, *describe(plan)])
    if building.redacted is not None:
        require_clean(plan, building.redacted.needles)
    return plan


def _shared(building: Building, history: KeyHistory) -> set[str]:
    """Objects that every bundle of the export tells of: the export, and the archive's keys."""
    keys = {history.about} if history.records else set()  # an archive may not have recorded one yet
    return {f"export:{building.export_id}", *keys}


def _log_vkeys(signed: SignedCheckpoint, history: KeyHistory) -> str:
    """The keys that signed the checkpoint, which need not be those of today; the ML-DSA-44 one that should have."""
    current = history.current(PQ)
    second = signed.pq_vkey or (current.key if current is not None else None)
    return "\n".join([signed.log_vkey, *([second] if second is not None else [])])


def _collect(
    sources: Sources, building: Building, frame: Frame, items: Sequence[ChosenItem], *, dossier: bool
) -> Collected:
    """Everything of one bundle but originals; the dossier lies in one part of a set, and whole."""
    entries = building.choice.entries if dossier else ()
    about = [*_shared(building, frame.history), *(f"item:{chosen.item.id}" for chosen in items)]
    about += [f"{entry.kind}:{entry.id}" for entry in entries]
    verified = [one for each in items for one in frame.verified.of.get(each.item.id, ())]
    verified += frame.verified.of.get("", []) if dossier else []
    about += [name for one in verified if (name := f"verification:{one}") in frame.logged.events]
    collected = replace(
        frame.logged,
        events={each: frame.logged.events[each] for each in about},
        proofs={each: frame.logged.proofs[each] for each in about},
        files=[],
        media_types={},
        cited=set(),
    )
    collect_items(sources, building.who, items, collected)
    for chosen in items:
        if "original" in building.settled.decisions[chosen.item.id].parts:
            building.reads(chosen.item.id)
            collect_redacted(sources, chosen.item.id, collected)
    building.reading = None
    collect_relations(sources, [chosen.item.id for chosen in items], frame.decided, collected)
    with sources.archive.db.read() as session:
        collect_verifications(session, verified, collected)
        collect_received(session, sources, [chosen.item.id for chosen in items], collected)
    if dossier:
        collect_incidents(sources, building.who, building.choice, collected)
    collected.files.append(provisions_file(sources.law, collected.cited))
    return collected


def _bundle_item(
    archive: Archive, building: Building, chosen: ChosenItem, collected: Collected, attestation: Attestation
) -> BundleItem:
    item = chosen.item
    return BundleItem(
        item=item.id,
        case=item.case_id,
        original_name=item.original_name,
        media_type=collected.media_types.get(item.id),
        received_at=item.received_at,
        digests=digests_of(chosen.blob),
        chunks=lambda: _original(archive, building, chosen),
        receipt=chosen.receipt.statement,
        receipt_signature=attestation.receipt(item.id, chosen.receipt.seal),
    )


def _original(archive: Archive, building: Building, chosen: ChosenItem) -> Iterator[bytes]:
    building.reading = chosen.item.id
    with archive.blobs.open(chosen.item.sha256) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk
            building.written += len(chunk)
            if building.progress is not None:
                building.progress(building.written, building.choice.size)
