"""A plan that the verifier would refuse is refused here, before the first byte of a bundle is written."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from evidence_store.bundle import layout
from evidence_store.bundle.events import ChainFollower, CustodyEvent, ObjectChain
from evidence_store.bundle.manifest import CheckpointSummary
from evidence_store.bundle.plan import BundlePlan
from evidence_store.bundle.withheld import parse_line
from evidence_store.digests import Digests
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.keyfile import parse_key_file
from evidence_store.log.note import open_own_checkpoint
from evidence_store.log.proof import parse_proof


def invalid(detail: str) -> EvidenceStoreError:
    """The error of a plan that contradicts itself."""
    return EvidenceStoreError("bundle_plan_invalid", detail)


def follow_events(plan: BundlePlan) -> dict[str, ObjectChain]:
    """The chain of each object, each whole and with a proof over the plan's checkpoint.

    Raises:
        EvidenceStoreError: `bundle_plan_invalid`; `fixity_mismatch` when an original's digests are not those of its
            ingestion event; or what `parse_line` and `parse_proof` raise.
    """
    originals = {f"item:{item.item}": item.digests for item in plan.items}
    with closing(ChainFollower()) as follower:
        for line in plan.events:
            event, withheld = parse_line(line)
            if event.type == "ingestion" and not withheld and event.object in originals:
                _refuse_other_digests(event, originals[event.object])
            # a clock that was set back is a fact to report, not a broken record
            broken = [detail for code, detail in follower.follow(event) if code != "event_time_backwards"]
            if broken or event.log != plan.archive.log:
                raise invalid(f"event {event.event_id}: {'; '.join(broken) or 'another log'}")
    if missing := {f"item:{item.item}" for item in plan.items} - follower.chains.keys():
        raise invalid(f"no events of {', '.join(sorted(missing))}")
    if difference := follower.chains.keys() ^ plan.proofs.keys():
        raise invalid(f"events without a proof or a proof without events: {', '.join(sorted(difference))}")
    for object_id, proof in plan.proofs.items():
        if parse_proof(proof).checkpoint != plan.checkpoint:
            raise invalid(f"the proof of {object_id} is for another checkpoint")
    return follower.chains


def _refuse_other_digests(event: CustodyEvent, known: Digests) -> None:
    """The digests that an original is checked against are those of its ingestion event."""
    if (event.sha256, event.sha512, event.size) != (known.sha256, known.sha512, known.size):
        detail = f"{event.object}: the digests of its original are not those of its ingestion event"
        raise EvidenceStoreError("fixity_mismatch", detail)


def read_checkpoint(plan: BundlePlan) -> CheckpointSummary:
    """The plan's checkpoint, signed by the plan's log key.

    Raises:
        EvidenceStoreError: `bundle_plan_invalid`; or what `open_own_checkpoint` raises.
    """
    keys = parse_key_file(plan.log_vkey.encode())
    checkpoint, _ = open_own_checkpoint(plan.checkpoint, keys.log_keys)
    if checkpoint.origin != plan.archive.log:
        raise invalid("the checkpoint is of another log")
    if plan.cosigned is not None and not plan.cosigned.startswith(plan.checkpoint):
        raise invalid("what witnesses co-signed is another checkpoint")
    return CheckpointSummary(size=checkpoint.size, root=checkpoint.root.hex())


def refuse_bad_names(paths: list[str]) -> None:
    """Refuse names that a bundle may not use, and two that differ only in capitals.

    Raises:
        EvidenceStoreError: `bundle_plan_invalid`.
    """
    folded: set[str] = set()
    for path in paths:
        problem = "in META-INF" if path.startswith(layout.META_INF) else layout.path_problem(path)
        if problem is not None:
            raise invalid(f"file name {path!r}: {problem}")
        if path.casefold() in folded:
            raise invalid(f"{path} differs from another name only in capitals")
        folded.add(path.casefold())
    if len(paths) + 2 > layout.MAX_FILES:
        raise invalid(f"{len(paths)} files; split the selection")


def refuse_bad_roles(plan: BundlePlan) -> None:
    """Refuse further files that lie where files of their role do not.

    Raises:
        EvidenceStoreError: `bundle_plan_invalid`.
    """
    for extra in plan.extra_files:
        problem = layout.role_problem(extra.path, extra.role, extra.object)
        if extra.role == "original":
            problem = "an original comes with its item"
        if problem is not None:
            raise invalid(f"{extra.path}: {problem}")


def refuse_bad_stamps(plan: BundlePlan) -> None:
    """Refuse time stamps that nobody could check, and a statement that contradicts the tokens.

    Raises:
        EvidenceStoreError: `bundle_plan_invalid`.
    """
    unrooted = plan.tokens.keys() - plan.authority_roots.keys()
    names = [*map(layout.token_path, plan.tokens), *map(layout.authority_roots_path, plan.authority_roots)]
    odd = [path for path in names if not layout.is_structure(path)]
    odd += [path for path in plan.renewals if layout.renewal_part(path) is None]
    if odd:
        raise invalid(f"{odd[0]} is no name for a time stamp, its roots or a renewal")
    if unrooted:
        raise invalid(f"no certificate to check the time stamps of {', '.join(sorted(unrooted))}")
    stamps = plan.time.stamps if plan.time is not None else ()
    done = {stamp.tsa for stamp in stamps if stamp.subject.startswith("checkpoint:") and stamp.state == "done"}
    if done != plan.tokens.keys():
        raise invalid("the time stamps of the checkpoint are not those that are said to be there")


def refuse_long_lists(sizes: Iterable[tuple[str, int]]) -> None:
    """Refuse lists that a verifier would not read.

    Raises:
        EvidenceStoreError: `bundle_plan_invalid`.
    """
    for path, size in sizes:
        if path in layout.LISTS and size > layout.MAX_LIST_BYTES:
            raise invalid(f"{path} would have {size} bytes; split the selection")
