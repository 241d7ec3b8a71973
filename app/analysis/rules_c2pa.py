"""Findings about content credentials. Pure. A valid manifest speaks of bytes and signers, never of truth."""

from __future__ import annotations

from collections.abc import Iterator

from app.analysis.findings import info, rest, stated, warn
from app.analysis.probes.readings import shown
from schemas.records.v1.media_metadata import Finding, MediaMetadata, RestsOn

# IPTC digital source types of content that no lens took, wholly or in part.
_SYNTHETIC = (
    "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia", "compositeSynthetic",
    "dataDrivenMedia", "virtualRecording", "softwareImage", "digitalArt", "digitalCreation",
)  # fmt: skip
# Actions that leave the content as it was (C2PA 2.2, section 18.10.2).
_HARMLESS = {
    "c2pa.created", "c2pa.opened", "c2pa.published", "c2pa.repackaged", "c2pa.transcoded", "c2pa.converted",
    "c2pa.unknown", "c2pa.watermarked", "c2pa.watermarked.bound", "c2pa.watermarked.unbound", "c2pa.edited.metadata",
}  # fmt: skip
_NAMED = 6
_SIGNER = ("c2pa.signer.subject", "c2pa.signer.issuer", "c2pa.time_stamp.time", "c2pa.time_stamp.state")


def credentials(record: MediaMetadata) -> Iterator[Finding]:
    """State of the manifest."""
    facts = record.c2pa
    values = (*rest(record, "c2pa.state"), *(stated("c2pa.reasons", one, facts.tool) for one in facts.reasons))
    if facts.state == "invalid":
        text = (
            f"content credentials do not hold: {'; '.join(facts.reasons[:_NAMED])}; consistent with a file that was "
            "changed after signing, or with a program that signed wrongly"
        )
        yield warn("c2pa_invalid", text, *values, *_signer(record))
    elif facts.state == "unreadable":
        text = f"the file holds content credentials that could not be read: {'; '.join(facts.reasons)}"
        yield warn("c2pa_unreadable", text, *values)
    elif facts.state == "remote_only":
        text = f"content credentials are said to be at {shown(facts.remote_url)}; that was not asked for them"
        yield info("c2pa_remote_only", text, *values, *rest(record, "c2pa.remote_url"))
    elif facts.state == "valid_untrusted":
        who = facts.signer.subject if facts.signer else None
        text = f"the signature of the content credentials is valid; its signer ({shown(who)}) is not on a trust list"
        yield info("c2pa_untrusted_signer", text, *values, *_signer(record), *rest(record, "c2pa.trust_list"))
    elif facts.state == "absent" and facts.reasons:
        text = f"{facts.reasons[0]}; consistent with content credentials that were taken off"
        yield info("c2pa_missing", text, *values)


def _signer(record: MediaMetadata) -> tuple[RestsOn, ...]:
    return rest(record, *_SIGNER) if record.c2pa.signer is not None else ()


def time_stamp(record: MediaMetadata) -> Iterator[Finding]:
    """A time stamp that does not fit its signature."""
    if record.c2pa.time_stamp.state == "failed":
        text = "the time stamp in the content credentials does not hold; when they were signed is not known"
        yield warn("c2pa_time_stamp_failed", text, *rest(record, "c2pa.time_stamp.state", "c2pa.time_stamp.authority"))


def edited(record: MediaMetadata) -> Iterator[Finding]:
    """Actions that the manifest itself lists."""
    done = [one for one in record.c2pa.actions if one.action not in _HARMLESS]
    if done:
        names = ", ".join(dict.fromkeys(shown(one.action) for one in done[:_NAMED]))
        text = f"content credentials list changes: {names}"
        yield info("c2pa_edited", text, *(stated("c2pa.actions", one.action, one.agent) for one in done))


def synthetic(record: MediaMetadata) -> Iterator[Finding]:
    """Marks of content that was made, not taken."""
    marks = [kind for kind in record.c2pa.source_types if kind.rstrip("/").rpartition("/")[2] in _SYNTHETIC]
    if marks:
        names = ", ".join(shown(kind.rstrip("/").rpartition("/")[2]) for kind in marks[:_NAMED])
        text = f"the file or something in it is marked as made, not taken ({names}); whoever wrote the mark says so"
        yield warn("synthetic_source_type", text, *(stated("c2pa.source_types", kind) for kind in marks))
