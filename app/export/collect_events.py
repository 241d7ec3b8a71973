"""Collecting the events of a bundle's objects, and the proof of each one's last event, as of the checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Set as AbstractSet
from contextlib import closing
from functools import lru_cache, partial
from typing import Any

from sqlmodel import Session

from app.custody.log_scan import damaged
from app.custody.log_store import read_node
from app.export.collected import Collected
from app.export.log_scan import read_log
from app.export.rules import outputs_of
from evidence_store.bundle.events import ChainFollower, parse_event
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle
from evidence_store.log.note import Checkpoint
from evidence_store.log.proof import TlogProof, format_proof

_NODES = 1 << 14  # hashes that are kept, some megabytes


def collect_events(
    session: Session,
    checkpoint: Checkpoint,
    note: bytes,
    wanted: AbstractSet[str],
    into: Collected,
    perhaps: AbstractSet[str] = frozenset(),
) -> None:
    """Take the events of some objects up to the checkpoint, and the proof of each one's last event.

    The whole log is read once, so that no event of an object can be hidden (`read_log`).

    Args:
        session: an open snapshot.
        checkpoint: the log's signed state.
        note: its bytes.
        wanted: objects.
        into: takes events, proofs, and what the events name.
        perhaps: further objects, which may be younger than the checkpoint.

    Raises:
        EnvironmentFailedError: `log_damaged` when the stored events are not those that were signed.
    """
    found = read_log(session, checkpoint, wanted | perhaps)
    node = lru_cache(_NODES)(partial(read_node, session))  # the upper levels of the tree are in every proof
    for about in sorted(wanted | (perhaps & found.keys())):
        if not (logged := found.get(about)):
            raise damaged(f"{about} has no events")
        canonical = [line for _, line in logged]
        try:
            details = _followed(canonical, checkpoint.origin)
            index = logged[-1][0]
            hashes = merkle.inclusion_proof(index, checkpoint.size, node)
            leaf = merkle.leaf_hash(hashlib.sha256(canonical[-1]).digest())
            merkle.verify_inclusion(index, checkpoint.size, leaf, hashes, checkpoint.root)
        except (EvidenceStoreError, TypeError) as error:
            raise damaged(f"the log does not prove the events of {about}") from error
        into.events[about] = canonical
        into.proofs[about] = format_proof(TlogProof(index, tuple(hashes), note))
        into.outputs[about] = outputs_of(details)
        into.verified[about] = {str(each["verification"]) for each in details if "verification" in each}
        into.decided[about] = {
            str(each["match_decision"]): (str(each.get("decision")), str(each.get("reason")))
            for each in details
            if "match_decision" in each
        }


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
