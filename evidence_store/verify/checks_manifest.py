"""Does manifest.json describe exactly what is here?"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from evidence_store.bundle import layout
from evidence_store.bundle.manifest import Manifest, read_manifest
from evidence_store.canonical import parse_canonical
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.context import Verification


def check_manifest(run: Verification) -> None:
    """Read manifest.json and compare it with the files."""
    data = run.files.read(layout.MANIFEST, "every bundle", layout.MAX_LIST_BYTES)
    if data is None:
        run.not_run("manifest", "manifest.json could not be read.")
        return
    try:
        value = parse_canonical(data)
    except EvidenceStoreError as error:
        run.report.finding("manifest_not_canonical", layout.MANIFEST, error.detail)
        run.not_run("manifest", "manifest.json could not be read.")
        return
    manifest, problems = read_manifest(value)
    for place, detail in problems:
        run.report.finding("manifest_malformed", f"{layout.MANIFEST} {place}", detail)
    if manifest is None:
        run.not_run("manifest", "manifest.json could not be read.")
        return
    run.manifest = manifest = _without_repeats(run, manifest)
    _check_described(run, manifest)
    _check_originals(run, manifest)
    if manifest.part_of is not None:
        detail = f"It is part {manifest.part_of.part} of {manifest.part_of.parts} of set {manifest.part_of.id}."
        run.report.finding("part_of_set", layout.MANIFEST, detail)
    if not manifest.items and not (manifest.disclosure and manifest.disclosure.items):
        run.report.finding("bundle_without_items", layout.MANIFEST, "It lists no item.")


def _without_repeats(run: Verification, manifest: Manifest) -> Manifest:
    """Only the first entry of each item, object and file: no later check does the same work twice."""
    items = {f"item {entry.item}": entry for entry in reversed(manifest.items)}
    objects = {entry.object: entry for entry in reversed(manifest.objects)}
    files = {f"file {entry.path}": entry for entry in reversed(manifest.files)}
    names = Counter(
        [f"item {entry.item}" for entry in manifest.items]
        + [entry.object for entry in manifest.objects]
        + [f"file {entry.path}" for entry in manifest.files]
    )
    for name, times in names.items():
        if times > 1:
            run.report.finding("manifest_repeats", name, f"It is listed {times} times; only the first was checked.")
    return replace(
        manifest,
        items=list(reversed(items.values())),
        objects=list(reversed(objects.values())),
        files=list(reversed(files.values())),
    )


def _check_described(run: Verification, manifest: Manifest) -> None:
    """Every file with a meaning of its own is described, and is what its description says."""
    for entry in manifest.files:
        problem = layout.role_problem(entry.path, entry.role, entry.object)
        if problem is not None:
            run.report.finding("file_role_wrong", entry.path, f"{problem[0].upper()}{problem[1:]}.")
        found = run.files.digests.get(entry.path)
        if found is None:
            run.files.missing(entry.path, layout.MANIFEST)
        elif (found.sha256, found.size) != (entry.sha256, entry.size):
            run.report.finding("file_not_as_described", entry.path, "Digest or size is not what manifest.json says.")
    known = {entry.proof for entry in manifest.objects} | {entry.path for entry in manifest.files}
    for path in run.files.digests:
        if path not in known and not layout.is_structure(path):
            run.report.finding("file_not_described", path, "manifest.json does not say what it is.")


def _check_originals(run: Verification, manifest: Manifest) -> None:
    """Each item has one original, each original one item."""
    roles = {entry.path: (entry.role, entry.object) for entry in manifest.files}
    claimed: set[str] = set()
    for item in manifest.items:
        run.report.count("items")
        claimed.add(item.path)
        if roles.get(item.path) != ("original", f"item:{item.item}"):
            run.report.finding("item_original_wrong", item.item, f"{item.path} is not described as its original.")
        if item.path.rpartition("/")[0] != layout.original_folder(item.item):
            run.report.finding("item_original_wrong", item.item, f"{item.path} is not the place of its original.")
        found = run.files.digests.get(item.path)
        if found is None:
            run.files.missing(item.path, layout.MANIFEST)
        elif (found.sha256, found.sha512, found.size) != (item.sha256, item.sha512, item.size):
            run.report.finding("item_original_wrong", item.item, f"{item.path} has other digests or another size.")
    originals = {path for path, (role, _) in roles.items() if role == "original"}
    originals |= {path for path in run.files.digests if path.startswith(layout.PLACES_OF_ROLES["original"])}
    for path in sorted(originals - claimed):
        run.report.finding("original_without_item", path, "No item of manifest.json has it.")
