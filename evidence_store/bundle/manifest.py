"""manifest.json: what the bundle holds, for whom and why, in canonical JSON (RFC 8785)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from evidence_store.bundle import shapes
from evidence_store.bundle.layout import MAX_FILES
from evidence_store.bundle.withheld import Disclosure, read_disclosure
from evidence_store.canonical import canonical_bytes

TYPE = "catena evidence bundle"

_ARCHIVE: shapes.Shape = {"id": shapes.is_name, "org": shapes.is_text, "log": shapes.is_name}
_CREATOR: shapes.Shape = {"id": shapes.is_text, "name": shapes.is_text}
_CHECKPOINT: shapes.Shape = {"size": shapes.is_count, "root": shapes.is_sha256}
_TOP: shapes.Shape = {
    "v": shapes.equals(1),
    "type": shapes.equals(TYPE),
    "bundle_id": shapes.is_uuid,
    "created_at": shapes.is_time,
    "created_by": shapes.record(_CREATOR),
    "archive": shapes.record(_ARCHIVE),
    "scope": shapes.is_mapping,
    "purpose": shapes.is_text,
    "checkpoint": shapes.record(_CHECKPOINT),
    "items": shapes.is_list,
    "objects": shapes.is_list,
    "files": shapes.is_list,
    "claims": shapes.list_of(shapes.is_text),
}
_ITEM: shapes.Shape = {
    "item": shapes.is_uuid,
    "case": shapes.is_name,
    "original_name": shapes.is_text,
    "path": shapes.is_path,
    "sha256": shapes.is_sha256,
    "sha512": shapes.is_sha512,
    "size": shapes.is_count,
    "media_type": shapes.optional(shapes.is_text),
    "received_at": shapes.is_time,
}
_OBJECT: shapes.Shape = {
    "object": shapes.is_object_id,
    "head_event_id": shapes.is_uuid,
    "head_sha256": shapes.is_sha256,
    "events": shapes.is_count,
    "tree_size": shapes.is_count,
    "proof": shapes.is_path,
}
_FILE: shapes.Shape = {
    "path": shapes.is_path,
    "role": shapes.is_name,
    "object": shapes.optional(shapes.is_object_id),
    "sha256": shapes.is_sha256,
    "size": shapes.is_count,
}

_STAMP: shapes.Shape = {
    "subject": shapes.matches(r"checkpoint:[0-9]{1,19}|receipt:[0-9a-f-]{36}"),
    "tsa": shapes.is_name,
    "state": shapes.matches("pending|done|failed"),
}
_PART: shapes.Shape = {"id": shapes.is_uuid, "part": shapes.is_count, "parts": shapes.is_count}
_TIME: shapes.Shape = {"authorities": shapes.list_of(shapes.is_name), "stamps": shapes.is_list}
_WITNESSES: shapes.Shape = {"required": shapes.is_text, "cosigned": shapes.is_count}

DONE = "done"
PENDING = "pending"
FAILED = "failed"


@dataclass(frozen=True)
class Archive:
    """Who keeps the archive: its identifier, the organisation's name, the origin of its log."""

    id: str
    org: str
    log: str


@dataclass(frozen=True)
class Creator:
    """Who made the bundle."""

    id: str
    name: str


@dataclass(frozen=True)
class CheckpointSummary:
    """The log's size (entries) and root (SHA-256, hex) at the bundle's checkpoint."""

    size: int
    root: str


@dataclass(frozen=True)
class ManifestItem:
    """One item: its identity and its original's path and digests."""

    item: str
    case: str
    original_name: str
    path: str
    sha256: str
    sha512: str
    size: int
    media_type: str | None
    received_at: str


@dataclass(frozen=True)
class ManifestObject:
    """One object with custody events: its head as of `tree_size` entries of the log, and the head's proof."""

    object: str
    head_event_id: str
    head_sha256: str
    events: int
    tree_size: int
    proof: str


@dataclass(frozen=True)
class ManifestFile:
    """One file that a record of the archive stands behind; `object` is null for reference data."""

    path: str
    role: str
    object: str | None
    sha256: str
    size: int


@dataclass(frozen=True)
class Stamp:
    """How it stood with one time stamp when the bundle was made.

    Attributes:
        subject: `checkpoint:SIZE` or `receipt:ITEM`.
        tsa: the authority.
        state: `DONE`, `PENDING` or `FAILED`.
    """

    subject: str
    tsa: str
    state: str


@dataclass(frozen=True)
class TimeStatement:
    """The archive's time-stamping authorities, and how it stood with their time stamps.

    The time stamp of the seal over the bundle is not among them: it is made after the manifest.
    """

    authorities: Sequence[str]
    stamps: Sequence[Stamp]


@dataclass(frozen=True)
class WitnessStatement:
    """What the archive's policy asks of witnesses, in words, and how many had co-signed the checkpoint."""

    required: str
    cosigned: int


@dataclass(frozen=True)
class PartOf:
    """The place of a bundle in a set (`evidence_store.bundle.sets`): part 1 to `parts` of the set `id` (UUID)."""

    id: str
    part: int
    parts: int


@dataclass(frozen=True)
class Manifest:
    """The whole manifest; field names are the keys of the JSON record. None stands for a key that is absent."""

    bundle_id: str
    created_at: str
    created_by: Creator
    archive: Archive
    scope: Mapping[str, Any]
    purpose: str
    checkpoint: CheckpointSummary
    items: Sequence[ManifestItem]
    objects: Sequence[ManifestObject]
    files: Sequence[ManifestFile]
    claims: Sequence[str]
    time: TimeStatement | None = None
    witnesses: WitnessStatement | None = None
    part_of: PartOf | None = None
    disclosure: Disclosure | None = None


def format_manifest_json(manifest: Manifest) -> bytes:
    """Write manifest.json: canonical bytes of the record."""
    record: dict[str, Any] = asdict(manifest) | {
        "v": 1,
        "type": TYPE,
        "items": [asdict(item) for item in manifest.items],
        "objects": [asdict(entry) for entry in manifest.objects],
        "files": [asdict(entry) for entry in manifest.files],
        "claims": list(manifest.claims),
    }
    if (part_of := record.pop("part_of")) is not None:
        record["set"] = part_of
    if manifest.time is None:
        del record["time"]
    if manifest.witnesses is None:
        del record["witnesses"]
    del record["disclosure"]
    if manifest.disclosure is not None:
        record["disclosure"] = manifest.disclosure.as_json()
    return canonical_bytes(record)


def read_manifest(value: object) -> tuple[Manifest | None, list[tuple[str, str]]]:
    """Read a parsed manifest.json.

    Args:
        value: any JSON value.

    Returns:
        The manifest without its malformed entries, or None when the record itself is malformed; and what was wrong, as
        (place, detail), place such as "items[3]".
    """
    problems = [("manifest", detail) for detail in shapes.shape_problems(value, _TOP)]
    if problems:
        return None, problems
    top = cast("dict[str, Any]", value)
    entries = {
        name: _well_formed(name, top[name], shape, problems)
        for name, shape in (("items", _ITEM), ("objects", _OBJECT), ("files", _FILE))
    }
    manifest = Manifest(
        bundle_id=top["bundle_id"],
        created_at=top["created_at"],
        created_by=Creator(**_only(top["created_by"], _CREATOR)),
        archive=Archive(**_only(top["archive"], _ARCHIVE)),
        scope=top["scope"],
        purpose=top["purpose"],
        checkpoint=CheckpointSummary(**_only(top["checkpoint"], _CHECKPOINT)),
        items=[ManifestItem(**entry) for entry in entries["items"]],
        objects=[ManifestObject(**entry) for entry in entries["objects"]],
        files=[ManifestFile(**entry) for entry in entries["files"]],
        claims=top["claims"],
        time=_time(top, problems),
        witnesses=_witnesses(top, problems),
        part_of=_part_of(top, problems),
        disclosure=_disclosure(top, problems),
    )
    return manifest, problems


def _time(top: dict[str, Any], problems: list[tuple[str, str]]) -> TimeStatement | None:
    if "time" not in top:
        return None
    found = shapes.shape_problems(top["time"], _TIME)
    problems.extend(("time", detail) for detail in found)
    if found:
        return None
    stamps = _well_formed("time.stamps", top["time"]["stamps"], _STAMP, problems)
    return TimeStatement(top["time"]["authorities"], [Stamp(**stamp) for stamp in stamps])


def _witnesses(top: dict[str, Any], problems: list[tuple[str, str]]) -> WitnessStatement | None:
    if "witnesses" not in top:
        return None
    found = shapes.shape_problems(top["witnesses"], _WITNESSES)
    problems.extend(("witnesses", detail) for detail in found)
    return None if found else WitnessStatement(**_only(top["witnesses"], _WITNESSES))


def _disclosure(top: dict[str, Any], problems: list[tuple[str, str]]) -> Disclosure | None:
    if "disclosure" not in top:
        return None
    disclosure, found = read_disclosure(top["disclosure"])
    problems.extend(("disclosure", detail) for detail in found)
    return disclosure


def _part_of(top: dict[str, Any], problems: list[tuple[str, str]]) -> PartOf | None:
    if "set" not in top:
        return None
    found = shapes.shape_problems(top["set"], _PART)
    if not found and not 1 <= top["set"]["part"] <= top["set"]["parts"]:
        found = ["'part' is none of its parts"]
    problems.extend(("set", detail) for detail in found)
    return None if found else PartOf(**_only(top["set"], _PART))


def _well_formed(
    name: str, values: list[object], shape: shapes.Shape, problems: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    if len(values) > MAX_FILES:
        problems.append((name, f"{len(values)} entries; the limit is {MAX_FILES}, the rest was not read"))
    for index, value in enumerate(values[:MAX_FILES]):
        found = shapes.shape_problems(value, shape)
        problems.extend((f"{name}[{index}]", detail) for detail in found)
        if not found:
            kept.append(_only(cast("dict[str, Any]", value), shape))
    return kept


def _only(record: dict[str, Any], shape: shapes.Shape) -> dict[str, Any]:
    return {key: record[key] for key in shape}
