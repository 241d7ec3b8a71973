"""The holder of the seal key as an attacker: changes files of a bundle, recomputes every list and seals again."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from evidence_store.bundle import layout
from evidence_store.canonical import canonical_bytes
from evidence_store.log.proof import TlogProof, format_proof, parse_proof
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.report import Finding, Report
from tests.bundles import SampleArchive, reseal, sample_archive, write_folder

Files = dict[str, bytes]
Change = Callable[[Files], None]


@cache
def archive() -> SampleArchive:
    return sample_archive("insider")


@cache
def stored_files() -> tuple[tuple[str, bytes], ...]:
    return tuple(archive().files().items())


@cache
def zipped() -> bytes:
    return archive().bundle()


def verify(folder: Path, change: Change, *, seal: bool = True) -> Report:
    files = dict(stored_files())
    change(files)
    return verify_bundle(write_folder(reseal(files, archive()) if seal else files, folder / "bundle"))


def found(report: Report, code: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.code == code]


def item_ids() -> list[str]:
    return [item.item for item in archive().items]


def manifest_with(change: Callable[[dict[str, Any]], object]) -> Change:
    def apply(files: Files) -> None:
        manifest = json.loads(files[layout.MANIFEST])
        change(manifest)
        files[layout.MANIFEST] = canonical_bytes(manifest)

    return apply


def events_with(change: Callable[[list[bytes]], object]) -> Change:
    def apply(files: Files) -> None:
        lines = files[layout.EVENTS].split(b"\n")[:-1]
        change(lines)
        files[layout.EVENTS] = b"".join(line + b"\n" for line in lines)

    return apply


def receipt_with(**changes: Any) -> Change:  # noqa: ANN401 - any field of a receipt
    def apply(files: Files) -> None:
        path = layout.receipt_path(item_ids()[0])
        files[path] = canonical_bytes(json.loads(files[path]) | changes)
        files[f"{path}.p7s"] = archive().seal(files[path])

    return apply


def item_with(**changes: Any) -> Change:  # noqa: ANN401 - any field of an item
    """The manifest and the receipt tell the same lie."""

    def apply(files: Files) -> None:
        first = item_ids()[0]

        def change(manifest: dict[str, Any]) -> None:
            (entry,) = (entry for entry in manifest["items"] if entry["item"] == first)
            entry.update(changes)

        manifest_with(change)(files)
        receipt_with(**changes)(files)

    return apply


def content(path: str, data: bytes) -> Change:
    return lambda files: files.update({path: data})


def edit(lines: list[bytes], *numbers: int, **changes: Any) -> None:  # noqa: ANN401 - any field of an event
    for number in numbers:
        lines[number] = canonical_bytes(json.loads(lines[number]) | changes)


def other_sha512(value: object) -> Change:
    """Events go on to name their files by SHA-256, and say something else of their SHA-512."""

    def apply(lines: list[bytes]) -> None:
        for number, line in enumerate(lines):
            details = json.loads(line)["details"]
            if "outputs" in details:
                named = [output | {"sha512": value} for output in details["outputs"]]
                edit(lines, number, details=details | {"outputs": named})

    return events_with(apply)


def add_event_before_all(lines: list[bytes], **changes: Any) -> None:  # noqa: ANN401 - any field of an event
    lines.insert(0, canonical_bytes(json.loads(lines[0]) | changes))


def swap_objects(lines: list[bytes]) -> None:
    lines.sort(key=lambda line: str(json.loads(line)["object"]), reverse=True)


def extra_proof_data(files: Files) -> None:
    path = layout.proof_path(f"item:{item_ids()[0]}")
    proof = parse_proof(files[path])
    files[path] = format_proof(TlogProof(proof.index, proof.hashes, proof.checkpoint, extra=b"hidden"))


def without_proof(files: Files) -> None:
    del files[layout.proof_path(f"item:{item_ids()[0]}")]


def exchange_preview(files: Files) -> None:
    path = f"data/previews/{item_ids()[0]}.jpg"
    files[path] = b"another picture"

    def describe(manifest: dict[str, Any]) -> None:
        (entry,) = (entry for entry in manifest["files"] if entry["path"] == path)
        entry.update(sha256=sha256(files[path]).hexdigest(), size=len(files[path]))

    manifest_with(describe)(files)


def described(path: str, data: bytes, role: str, about: str | None) -> Change:
    """One more file, and the manifest says what it is."""
    entry = {"path": path, "role": role, "object": about, "sha256": sha256(data).hexdigest(), "size": len(data)}

    def apply(files: Files) -> None:
        files[path] = data
        manifest_with(lambda manifest: manifest["files"].append(entry))(files)

    return apply


def second_original(role: str, about: str | None) -> Change:
    """Beside the original lies another file, which no event names."""
    return described(f"{layout.original_folder(item_ids()[0])}/full_quality.jpg", b"a fake picture", role, about)


def with_role(folder: str, **changes: object) -> Change:
    """The manifest says something else of the first file of a folder."""

    def change(manifest: dict[str, Any]) -> None:
        next(entry for entry in manifest["files"] if entry["path"].startswith(folder)).update(changes)

    return manifest_with(change)
