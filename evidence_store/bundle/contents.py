"""From a plan to the files of a bundle, all but the signature: names, manifests, order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from evidence_store.bundle import asice, bagit, layout
from evidence_store.bundle.events import ObjectChain
from evidence_store.bundle.manifest import (
    Manifest,
    ManifestFile,
    ManifestItem,
    ManifestObject,
    format_manifest_json,
    read_manifest,
)
from evidence_store.bundle.plan import BundlePlan, ExtraFile, StoredFile
from evidence_store.bundle.readme import readme
from evidence_store.bundle.refusals import (
    follow_events,
    invalid,
    read_checkpoint,
    refuse_bad_names,
    refuse_bad_roles,
    refuse_bad_stamps,
    refuse_long_lists,
)
from evidence_store.canonical import parse_canonical
from evidence_store.digests import Digests, digest_stream

# the order in which a reader of the ZIP meets the payload
_PAYLOAD_ORDER = ("originals", "metadata", "previews", "tracks", "links", "reviews", "matches", "incidents", "matrices")


@dataclass(frozen=True)
class BundleFile:
    """One file to be written: its path, its known digests, and where its bytes come from."""

    path: str
    digests: Digests
    chunks: Callable[[], Iterable[bytes]]


def bundle_files(plan: BundlePlan) -> list[BundleFile]:
    """Make all files of a bundle but the signature, in bundle order; the last one is the ASiCManifest.

    Raises:
        EvidenceStoreError: `bundle_plan_invalid` when the plan contradicts itself or uses a name that a bundle may not.
    """
    chains = follow_events(plan)
    refuse_bad_roles(plan)
    refuse_bad_stamps(plan)
    payload: dict[str, BundleFile] = {}
    tags: dict[str, BundleFile] = {}
    described: list[ManifestFile] = []
    for item in plan.items:
        path = layout.original_path(item.item, item.original_name)
        _add(payload, BundleFile(path, item.digests, item.chunks))
        described.append(ManifestFile(path, "original", f"item:{item.item}", item.digests.sha256, item.digests.size))
    small = ((_in_memory(path, data), role, about) for path, data, role, about in _small_files(plan))
    further = ((_further(extra), extra.role, extra.object) for extra in plan.extra_files)
    for file, role, about in chain(small, further):
        _add(payload if layout.is_payload(file.path) else tags, file)
        if role is not None:
            described.append(ManifestFile(file.path, role, about, file.digests.sha256, file.digests.size))
    manifest = _manifest(plan, chains, described)
    for file in _bag_files(plan, manifest, payload):
        _add(tags, file)
    tag_digests = {path: file.digests.sha256 for path, file in tags.items()}
    _add(tags, _in_memory(layout.TAG_MANIFEST, bagit.format_manifest(tag_digests)))
    files = [*sorted(tags.values(), key=_tag_rank), *sorted(payload.values(), key=_payload_rank)]
    sealed = asice.format_asic_manifest({file.path: file.digests.sha256 for file in files})
    files.insert(0, _in_memory(layout.MIMETYPE, layout.MIMETYPE_CONTENT))
    refuse_bad_names([file.path for file in files])
    files.append(_in_memory(layout.ASIC_MANIFEST, sealed))
    refuse_long_lists((file.path, file.digests.size) for file in files)
    return files


def _add(files: dict[str, BundleFile], file: BundleFile) -> None:
    if file.path in files:
        raise invalid(f"two files named {file.path}")
    files[file.path] = file


def _small_files(plan: BundlePlan) -> Iterator[tuple[str, bytes, str | None, str | None]]:
    """Yield (path, bytes, role in manifest.files or None, object) of each file that the plan holds in memory."""
    yield layout.EVENTS, b"".join(line + b"\n" for line in plan.events), None, None
    for object_id, proof in plan.proofs.items():
        yield layout.proof_path(object_id), proof, None, None
    yield layout.CHECKPOINT, plan.checkpoint, None, None
    for path, data in _small_structure(plan):
        yield path, data, None, None
    for item in plan.items:
        path = layout.receipt_path(item.item)
        yield path, item.receipt, "receipt", f"item:{item.item}"
        yield f"{path}.p7s", item.receipt_signature, "receipt signature", f"item:{item.item}"
    yield layout.CA_CERTIFICATE, plan.ca_pem, None, None
    yield layout.SEAL_CERTIFICATE, plan.seal_pem, None, None
    yield layout.LOG_VKEY, (plan.log_vkey.rstrip("\n") + "\n").encode(), None, None


def _small_structure(plan: BundlePlan) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of what not every bundle has: time stamps, words of witnesses, renewals, the verifier."""
    for path, data in (
        (layout.COSIGNED, plan.cosigned),
        (layout.WITNESS_POLICY, plan.witness_policy),
        (layout.VERIFIER, plan.verifier),
    ):
        if data is not None:
            yield path, data
    for authority, token in plan.tokens.items():
        yield layout.token_path(authority), token
    for authority, pem in plan.authority_roots.items():
        yield layout.authority_roots_path(authority), pem
    yield from plan.renewals.items()


def _manifest(plan: BundlePlan, chains: dict[str, ObjectChain], described: list[ManifestFile]) -> Manifest:
    checkpoint = read_checkpoint(plan)
    manifest = Manifest(
        bundle_id=plan.bundle_id,
        created_at=plan.created_at,
        created_by=plan.created_by,
        archive=plan.archive,
        scope=plan.scope,
        purpose=plan.purpose,
        checkpoint=checkpoint,
        items=[
            ManifestItem(
                item=item.item,
                case=item.case,
                original_name=item.original_name,
                path=layout.original_path(item.item, item.original_name),
                sha256=item.digests.sha256,
                sha512=item.digests.sha512,
                size=item.digests.size,
                media_type=item.media_type,
                received_at=item.received_at,
            )
            for item in sorted(plan.items, key=lambda item: item.item)
        ],
        objects=[
            ManifestObject(
                object=object_id,
                head_event_id=chain.head_event_id,
                head_sha256=str(chain.head_sha256),
                events=chain.events,
                tree_size=checkpoint.size,
                proof=layout.proof_path(object_id),
            )
            for object_id, chain in sorted(chains.items())
        ],
        files=sorted(described, key=lambda file: file.path),
        claims=plan.claims,
        time=plan.time,
        witnesses=plan.witnesses,
        disclosure=plan.disclosure,
        part_of=plan.part_of,
    )
    _, problems = read_manifest(parse_canonical(format_manifest_json(manifest)))
    if problems:
        raise invalid("; ".join(f"{place}: {detail}" for place, detail in problems))
    return manifest


def _bag_files(plan: BundlePlan, manifest: Manifest, payload: dict[str, BundleFile]) -> Iterator[BundleFile]:
    yield _in_memory(layout.BAG_DECLARATION, bagit.DECLARATION)
    info = [
        ("Source-Organization", plan.archive.org),
        ("Bagging-Date", plan.created_at[:10]),
        ("External-Identifier", plan.bundle_id),
        ("Internal-Sender-Description", plan.purpose),
        (bagit.PAYLOAD_OXUM, bagit.payload_oxum(file.digests.size for file in payload.values())),
    ]
    yield _in_memory(layout.BAG_INFO, bagit.format_bag_info(info))
    for path, name in ((layout.MANIFEST_SHA256, "sha256"), (layout.MANIFEST_SHA512, "sha512")):
        lines = {file.path: str(getattr(file.digests, name)) for file in payload.values()}
        yield _in_memory(path, bagit.format_manifest(lines))
    yield _in_memory(layout.MANIFEST, format_manifest_json(manifest))
    yield _in_memory(layout.README, readme(manifest, sorted(plan.tokens), with_verifier=plan.verifier is not None))


def _tag_rank(file: BundleFile) -> tuple[int, str]:
    first = (layout.BAG_DECLARATION, layout.BAG_INFO, layout.MANIFEST_SHA256, layout.MANIFEST_SHA512, layout.MANIFEST)
    folders = (
        layout.EVENTS,
        "custody/proofs/",
        layout.CHECKPOINT,  # and with lines of witnesses
        "custody/timestamps/",
        "custody/receipts/",
        "custody/renewals/",
        "keys/",
        "tools/",
    )
    last = (layout.README, layout.TAG_MANIFEST)
    if file.path in first:
        return first.index(file.path), ""
    if file.path in last:
        return 100 + last.index(file.path), ""
    return next((10 + rank for rank, folder in enumerate(folders) if file.path.startswith(folder)), 50), file.path


def _payload_rank(file: BundleFile) -> tuple[int, str]:
    folder = file.path.split("/")[1]
    return _PAYLOAD_ORDER.index(folder) if folder in _PAYLOAD_ORDER else len(_PAYLOAD_ORDER), file.path


def _further(extra: ExtraFile) -> BundleFile:
    if isinstance(extra, StoredFile):
        return BundleFile(extra.path, extra.digests, extra.chunks)
    return _in_memory(extra.path, extra.data)


def _in_memory(path: str, data: bytes) -> BundleFile:
    return BundleFile(path, digest_stream((data,)), lambda: (data,))
