"""Builds real bundles for tests: real keys, seals, log, checkpoint and proofs, nothing stubbed.

`SampleArchive` is an archive in memory. `sample_archive()` is the usual one, with two items. The functions at the end
take a bundle's files as {path: bytes}, so that a test can attack them and then play one of two attackers: `relist`
recomputes every BagIt manifest (an attacker without the seal key), `reseal` the ASiCManifest and seal too (an insider).
"""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence_store.bundle import asice, bagit, layout
from evidence_store.bundle.manifest import Archive, Creator
from evidence_store.bundle.plan import BundleItem, BundlePlan, ExtraFile
from evidence_store.bundle.writer import write_bundle
from evidence_store.canonical import canonical_bytes
from evidence_store.digests import Digests, digest_stream
from evidence_store.keys.authority import create_ca, issue_seal_certificate
from evidence_store.keys.file import FileSigner, generate_ed25519, generate_p256
from evidence_store.log.merkle import inclusion_proof, root_at
from evidence_store.log.note import Checkpoint, checkpoint_text, format_vkey, sign_note
from evidence_store.log.proof import TlogProof, format_proof
from evidence_store.log.sequencer import append
from evidence_store.seal import build_seal

CREATED_AT = "2026-11-22T10:31:00.123456Z"
ORG = "Example Documentation Centre"


@dataclass
class MemoryLog:
    """A log transaction over two variables."""

    size: int = 0
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def lock_head(self) -> int:
        return self.size

    def read_node(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        self.nodes |= {(level, index): node for level, index, node in nodes}

    def put_head(self, size: int) -> None:
        self.size = size


class SampleArchive:
    """An archive in memory that ingests, logs, seals and exports.

    Everything but keys and signatures, and the digests of signatures in events, follows from `seed`.
    """

    def __init__(self, seed: str = "sample") -> None:
        self._seed = seed
        self._names = 0
        self.archive_id = self.uuid()
        self.log_name = f"log.example.org/{seed}"
        self.started = datetime.now(UTC) - timedelta(hours=1)
        ca_key, seal_key, log_key = generate_p256(), generate_p256(), generate_ed25519()
        self.ca = create_ca(ca_key, ORG, self.archive_id, self.started)
        self.seal_certificate = issue_seal_certificate(
            self.ca, ca_key, seal_key.public_key(), ORG, self.archive_id, self.started
        )
        self._seal_signer = FileSigner(seal_key)
        self._log_signer = FileSigner(log_key)
        self._log_public = log_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.log = MemoryLog()
        self.events: dict[str, list[bytes]] = {}
        self.index: dict[str, int] = {}
        self.items: list[BundleItem] = []
        self.extra_files: list[ExtraFile] = []

    def uuid(self) -> str:
        """The next identifier."""
        self._names += 1
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._seed}/{self._names}"))

    def seal(self, data: bytes) -> bytes:
        """Seal bytes with the archive's key."""
        return build_seal(data, self.seal_certificate, self._seal_signer.sign, self.started)

    def record(self, object_id: str, event_type: str, digests: Digests | None = None, **changes: object) -> bytes:
        """Record one custody event of an object and append it to the log; returns its canonical bytes."""
        chain = self.events.setdefault(object_id, [])
        event: dict[str, Any] = {
            "v": 1,
            "log": self.log_name,
            "event_id": self.uuid(),
            "object": object_id,
            "object_seq": len(chain),
            "prev": sha256(chain[-1]).hexdigest() if chain else None,
            "type": event_type,
            "actor": {"id": "user-1", "name": "Olena Ivanova", "auth": "token"},
            "time": f"2026-11-22T10:{self._names % 60:02d}:00.000000Z",
            "sha256": digests.sha256 if digests else None,
            "sha512": digests.sha512 if digests else None,
            "size": digests.size if digests else None,
            "details": {},
            "salt": sha256(f"{self._seed} {self._names}".encode()).hexdigest(),
        } | changes
        line = canonical_bytes(event)
        chain.append(line)
        (self.index[object_id],) = append(self.log, [sha256(line).digest()])
        return line

    def deposit(self, name: str, data: bytes, case: str = "T1") -> str:
        """Take one file in: ingestion event, receipt and its event; returns the item's UUID."""
        item = self.uuid()
        digests = digest_stream([data])
        told = {"case": case, "original_name": name, "crc32": digests.crc32, "received_at": CREATED_AT}
        line = self.record(f"item:{item}", "ingestion", digests, details=told)
        receipt = canonical_bytes(
            {
                "v": 1,
                "type": "deposit receipt",
                "archive": {"id": self.archive_id, "org": ORG, "log": self.log_name},
                "item": item,
                "case": case,
                "original_name": name,
                "sha256": digests.sha256,
                "sha512": digests.sha512,
                "crc32": digests.crc32,
                "size": digests.size,
                "received_at": CREATED_AT,
                "event_id": str(_event_id(line)),
                "event_sha256": sha256(line).hexdigest(),
                "leaf_index": self.index[f"item:{item}"],
            }
        )
        seal = self.seal(receipt)
        outputs = [output("receipt", receipt), output("receipt signature", seal)]
        self.record(f"item:{item}", "digital signature generation", details={"outputs": outputs})
        bundle_item = BundleItem(
            item=item,
            case=case,
            original_name=name,
            media_type="image/jpeg",
            received_at=CREATED_AT,
            digests=digests,
            chunks=lambda: (data[at : at + 1000] for at in range(0, len(data), 1000)),
            receipt=receipt,
            receipt_signature=seal,
        )
        self.items.append(bundle_item)
        return item

    def derive(self, item: str, role: str, path: str, data: bytes) -> None:
        """Add a file made from an item, named by an event of the item."""
        self.record(f"item:{item}", "metadata extraction", details={"outputs": [output(role, data)]})
        self.extra_files.append(ExtraFile(path, data, role, f"item:{item}"))

    def plan(self, **changes: Any) -> BundlePlan:  # noqa: ANN401 - any field of the plan
        """The plan of a bundle with everything in the archive."""
        root = root_at(self.log.size, self.log.read_node)
        text = checkpoint_text(Checkpoint(self.log_name, self.log.size, root))
        note = sign_note(text, self.log_name, self._log_public, self._log_signer.sign)
        plan = BundlePlan(
            archive=Archive(id=self.archive_id, org=ORG, log=self.log_name),
            bundle_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._seed}/bundle")),
            created_at=CREATED_AT,
            created_by=Creator(id="user-1", name="Olena Ivanova"),
            scope={"case": "T1"},
            purpose="Disclosure to the prosecutor",
            items=self.items,
            events=[line for _, chain in sorted(self.events.items()) for line in chain],
            proofs={name: self.proof(index, note) for name, index in self.index.items()},
            checkpoint=note,
            ca_pem=self.ca_pem,
            seal_pem=self.seal_certificate.public_bytes(Encoding.PEM),
            log_vkey=self.log_vkey,
            extra_files=self.extra_files,
        )
        return replace(plan, **changes)

    def proof(self, index: int, note: bytes) -> bytes:
        """The proof file of one entry."""
        hashes = tuple(inclusion_proof(index, self.log.size, self.log.read_node))
        return format_proof(TlogProof(index=index, hashes=hashes, checkpoint=note))

    @property
    def ca_pem(self) -> bytes:
        """The CA certificate."""
        return self.ca.public_bytes(Encoding.PEM)

    @property
    def log_vkey(self) -> str:
        """The log's verifier key."""
        return format_vkey(self.log_name, self._log_public)

    def bundle(self, **changes: Any) -> bytes:  # noqa: ANN401 - any field of the plan
        """The ZIP of a bundle with everything in the archive."""
        out = io.BytesIO()
        write_bundle(out, self.plan(**changes), self.seal)
        return out.getvalue()

    def files(self, **changes: Any) -> dict[str, bytes]:  # noqa: ANN401 - any field of the plan
        """The files of that bundle."""
        return unzip(self.bundle(**changes))


def sample_archive(seed: str = "sample") -> SampleArchive:
    """An archive with a case, two items of different size, derived files and reference data."""
    archive = SampleArchive(seed)
    archive.record(f"case:{archive.uuid()}", "case creation", details={"reference": "T1"})
    photo = archive.deposit("DJI_0042.JPG", bytes(range(256)) * 10)
    video = archive.deposit("відео 1.mp4", b"moving pictures " * 200)
    for item, what in ((photo, b"photo"), (video, b"video")):
        archive.derive(item, "metadata", f"data/metadata/{item}.json", b'{"of":"' + what + b'"}')
    archive.derive(photo, "preview", f"data/previews/{photo}.jpg", b"\xff\xd8 small picture \xff\xd9")
    archive.record(f"item:{photo}", "access")
    archive.extra_files.append(ExtraFile(f"data/matches/{photo}.json", b"[]", "matches", f"item:{photo}"))
    archive.extra_files.append(ExtraFile("data/provisions.json", b'{"provisions":[]}', "provisions", None))
    return archive


def output(role: str, data: bytes) -> dict[str, Any]:
    """What an event says of a file that was made."""
    return {"role": role, "sha256": sha256(data).hexdigest(), "size": len(data)}


def _event_id(line: bytes) -> object:
    return json.loads(line)["event_id"]


def unzip(data: bytes) -> dict[str, bytes]:
    """All files of a ZIP."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_folder(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write a bundle's files below a folder."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def relist(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Recompute bag-info and the BagIt manifests: what anyone can do."""
    changed = dict(files)
    payload = {path: data for path, data in files.items() if layout.is_payload(path)}
    info = list(bagit.parse_bag_info(files[layout.BAG_INFO]).items())
    oxum = bagit.payload_oxum(len(data) for data in payload.values())
    changed[layout.BAG_INFO] = bagit.format_bag_info(
        [(label, oxum if label == bagit.PAYLOAD_OXUM else value) for label, value in info]
    )
    digests = {path: digest_stream([data]) for path, data in payload.items()}
    changed[layout.MANIFEST_SHA256] = bagit.format_manifest({path: known.sha256 for path, known in digests.items()})
    changed[layout.MANIFEST_SHA512] = bagit.format_manifest({path: known.sha512 for path, known in digests.items()})
    tags = {path: sha256(data).hexdigest() for path, data in changed.items() if layout.is_tag_file(path)}
    changed[layout.TAG_MANIFEST] = bagit.format_manifest(tags)
    return changed


def reseal(files: Mapping[str, bytes], archive: SampleArchive) -> dict[str, bytes]:
    """Recompute every list and seal again: what only the holder of the seal key can do."""
    changed = relist(files)
    sealed = {path: sha256(data).hexdigest() for path, data in changed.items() if layout.is_sealed(path)}
    changed[layout.ASIC_MANIFEST] = asice.format_asic_manifest(sealed)
    changed[layout.SEAL] = archive.seal(changed[layout.ASIC_MANIFEST])
    return changed
