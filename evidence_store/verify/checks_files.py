"""Is every file here, unchanged, and in every list that must name it?"""

from __future__ import annotations

from collections.abc import Callable

from evidence_store.bundle import asice, bagit, layout
from evidence_store.digests import Digests
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.context import Verification

_FIXED = {layout.MIMETYPE: layout.MIMETYPE_CONTENT, layout.BAG_DECLARATION: bagit.DECLARATION}


def check_files(run: Verification) -> None:
    """Compare all files with the four lists: two payload manifests, tag manifest, ASiCManifest."""
    for path in layout.REQUIRED:
        if path not in run.files.digests:
            run.files.missing(path, "every bundle")
    for path, content in _FIXED.items():
        found = run.files.read(path, "every bundle")
        if found not in (None, content):
            run.report.finding("file_content_wrong", path, "Every bundle has the same bytes here.")
    for path in run.files.digests:
        if path.startswith(layout.META_INF) and path not in (layout.ASIC_MANIFEST, layout.SEAL):
            run.report.finding("file_unlisted", path, "META-INF holds the seal and what it signs, nothing else.")
    _compare_lists(run)
    _check_bag_info(run)


def _compare_lists(run: Verification) -> None:
    differs: dict[str, list[str]] = {}
    unlisted: dict[str, list[str]] = {}
    for name, parse, covers, digest in _LISTS:
        listed = _read_list(run, name, parse)
        if listed is None:
            continue
        for path, expected in listed.items():
            found = run.files.digests.get(path)
            if not covers(path):
                run.report.finding("list_malformed", name, f"It names {path}, which does not belong in it.")
            elif found is None:
                run.files.missing(path, name)
            elif digest(found) != expected:
                differs.setdefault(path, []).append(name)
        for path in filter(covers, run.files.digests.keys() - listed.keys()):
            unlisted.setdefault(path, []).append(name)
    for path, names in sorted(differs.items()):
        run.report.finding("file_digest_mismatch", path, f"Its bytes are not those that {', '.join(names)} names.")
    for path, names in sorted(unlisted.items()):
        run.report.finding("file_unlisted", path, f"It is not in {', '.join(names)}.")


def _read_list(run: Verification, name: str, parse: Callable[[bytes], dict[str, str]]) -> dict[str, str] | None:
    data = run.files.read(name, "every bundle", layout.MAX_LIST_BYTES)
    if data is not None:
        try:
            return parse(data)
        except EvidenceStoreError as error:
            run.report.finding("list_malformed", name, error.detail)
    run.not_run(f"files against {name}", "The list could not be read.")
    return None


def _check_bag_info(run: Verification) -> None:
    data = run.files.read(layout.BAG_INFO, "every bundle")
    if data is None:
        run.not_run("Payload-Oxum", "bag-info.txt could not be read.")
        return
    try:
        stated = bagit.parse_bag_info(data).get(bagit.PAYLOAD_OXUM)
    except EvidenceStoreError as error:
        run.report.finding("bag_info_wrong", layout.BAG_INFO, error.detail)
        return
    found = bagit.payload_oxum(known.size for path, known in run.files.digests.items() if layout.is_payload(path))
    if stated != found:
        run.report.finding("bag_info_wrong", layout.BAG_INFO, f"Payload-Oxum is {stated}, the files have {found}.")


def _sha256(digests: Digests) -> str:
    return digests.sha256


def _sha512(digests: Digests) -> str:
    return digests.sha512


_List = tuple[str, Callable[[bytes], dict[str, str]], Callable[[str], bool], Callable[[Digests], str]]
_LISTS: tuple[_List, ...] = (
    (layout.MANIFEST_SHA256, lambda data: bagit.parse_manifest(data, 64), layout.is_payload, _sha256),
    (layout.MANIFEST_SHA512, lambda data: bagit.parse_manifest(data, 128), layout.is_payload, _sha512),
    (layout.TAG_MANIFEST, lambda data: bagit.parse_manifest(data, 64), layout.is_tag_file, _sha256),
    (layout.ASIC_MANIFEST, asice.parse_asic_manifest, layout.is_sealed, _sha256),
)
