"""A set of real bundles and its signed list, in a folder, for tests to attack."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from evidence_store.bundle.manifest import PartOf
from evidence_store.bundle.plan import BundleItem, BundlePlan
from evidence_store.bundle.sets import ENDING, SEAL_ENDING, BundleSet, SetPart, format_set, part_name
from evidence_store.bundle.writer import write_bundle
from evidence_store.canonical import canonical_bytes
from tests.bundles import SampleArchive

NAME = "case"


def three_items(seed: str = "set") -> SampleArchive:
    """An archive with three items, each with a derived file."""
    archive = SampleArchive(seed)
    for number in range(3):
        item = archive.deposit(f"photo {number}.jpg", bytes([number]) * 3_000)
        archive.derive(item, "metadata", f"data/metadata/{item}.json", b'{"n":%d}' % number)
    return archive


def set_id(archive: SampleArchive) -> str:
    """The identifier of an archive's set."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{archive.archive_id}/set"))


def part_plan(archive: SampleArchive, item: BundleItem, part: int, parts: int) -> BundlePlan:
    """The plan of the part that holds one item."""
    plan = archive.plan()
    about = {f"item:{item.item}", archive.keys_object}
    return replace(
        plan,
        bundle_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{archive.archive_id}/{part}")),
        items=[item],
        events=[line for line in plan.events if json.loads(line)["object"] in about],
        proofs={name: proof for name, proof in plan.proofs.items() if name in about},
        extra_files=[extra for extra in plan.extra_files if extra.object == f"item:{item.item}"],
        time=None,
        part_of=PartOf(set_id(archive), part, parts),
    )


def write_set(
    archive: SampleArchive, folder: Path, *, change: Callable[[BundleSet], BundleSet] = lambda whole: whole
) -> Path:
    """Write a part for each item and the signed list; returns the list's path.

    Args:
        archive: of the set.
        folder: where to; made.
        change: what the holder of the seal key lists instead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for number, item in enumerate(archive.items, start=1):
        plan = part_plan(archive, item, number, len(archive.items))
        out = io.BytesIO()
        made = write_bundle(out, plan, archive.seal)
        (folder / part_name(NAME, number, len(archive.items))).write_bytes(out.getvalue())
        digests = {key: getattr(made, key) for key in ("sha256", "size", "files", "sealed_list_sha256")}
        parts.append(SetPart(part=number, bundle_id=plan.bundle_id, items=1, **digests))
    whole = BundleSet(
        set_id=set_id(archive),
        created_at=plan.created_at,
        created_by=plan.created_by,
        archive=plan.archive,
        scope=plan.scope,
        purpose=plan.purpose,
        tree_size=archive.log.size,
        items=len(parts),
        ca=archive.ca_pem.decode(),
        parts=parts,
    )
    return put_list(folder, format_set(change(whole)), archive)


def put_list(folder: Path, statement: bytes, sealer: SampleArchive | None) -> Path:
    """Write a list, and its seal unless nobody seals it."""
    path = folder / f"{NAME}{ENDING}"
    path.write_bytes(statement)
    if sealer is not None:
        path.with_name(path.name + SEAL_ENDING).write_bytes(sealer.bare_seal(statement))
    return path


def edit_list(path: Path, **changes: Any) -> None:  # noqa: ANN401 - any field of the record
    """Change a list as somebody without a key does: the bytes are well-formed, the seal is the old one."""
    path.write_bytes(canonical_bytes(json.loads(path.read_bytes()) | changes))


def part(path: Path, number: int, parts: int = 3) -> Path:
    """Where a part lies, beside its list."""
    return path.with_name(part_name(NAME, number, parts))
