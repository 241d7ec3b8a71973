"""Findings: what the recorded facts are consistent with. Pure; no finding claims a proof.

Each rule looks at the record alone and answers with a stable code, one sentence and the values that it rests on. What
each code means, what else explains it and what to ask next stands in `docs/findings.md`, one section per code.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.analysis.findings import MAX_FINDING, Rule, docs_of, info
from app.analysis.probes.readings import Remark, shown
from app.analysis.rules_c2pa import credentials, edited, synthetic, time_stamp
from app.analysis.rules_device import device_finding, programs
from app.analysis.rules_file import file_type, no_metadata
from app.analysis.rules_image import screenshot, thumbnail
from app.analysis.rules_place import position_finding
from app.analysis.rules_time import (
    clock_against_satellites,
    clock_never_set,
    offset_against_longitude,
    saved_later,
    time_conflict,
)
from app.analysis.rules_track import RULES as TRACK_RULES
from schemas.records.v1.media_metadata import Finding, MediaMetadata, RestsOn

_ERRORS = {"image_too_large", "empty_file"}
_NOTES = {
    "structure_too_large", "exif_malformed", "metadata_unread", "video_unreadable", "track_thinned", "track_other"
}  # fmt: skip
# Where one of these is said, what was not found may still be there.
_UNREAD = {
    "container_unreadable", "exif_malformed", "image_data_missing", "image_too_large", "image_unreadable",
    "index_missing", "metadata_unread", "metadata_unreadable", "structure_too_large", "truncated",
    "telemetry_malformed", "value_unusable", "video_unreadable", "xmp_malformed", "xmp_refused",
}  # fmt: skip


RULES: tuple[Rule, ...] = (
    file_type,
    no_metadata,
    position_finding,
    time_conflict,
    clock_against_satellites,
    offset_against_longitude,
    clock_never_set,
    saved_later,
    programs,
    device_finding,
    screenshot,
    thumbnail,
    credentials,
    time_stamp,
    edited,
    synthetic,
    *TRACK_RULES,
)


def find(record: MediaMetadata, remarks: Iterable[Remark] = ()) -> tuple[Finding, ...]:
    """All findings of a record: those of the parsers first, each code and text once.

    Where anything could not be read, `metadata_unread` stands in for `no_metadata`: a failed read is no absence.
    """
    findings: list[Finding] = []
    for remark in remarks:
        severity = "error" if remark.code in _ERRORS else "info" if remark.code in _NOTES else "warning"
        told = {"code": remark.code, "severity": severity, "text": shown(remark.text, MAX_FINDING)}
        findings.append(Finding.model_validate({**told, "docs": docs_of(remark.code)}))
    hindered = sorted({finding.code for finding in findings} & _UNREAD)
    for rule in RULES:
        if rule is no_metadata and hindered:
            findings.extend(_not_read(hindered, found.rests_on) for found in rule(record))
        else:
            findings.extend(rule(record))
    return tuple(dict.fromkeys(findings))


def _not_read(codes: list[str], values: tuple[RestsOn, ...]) -> Finding:
    text = (
        "no device, time or place was read, but not all of the file could be read or used "
        f"(see {', '.join(codes)}): whether it holds them is not known"
    )
    return info("metadata_unread", text, *values)
