"""Builds real bundles for tests: real keys, seals, log, checkpoint and proofs, nothing stubbed.

`SampleArchive` is an archive in memory. `sample_archive()` is the usual one, with two items. The functions at the end
take a bundle's files as {path: bytes}, so that a test can attack them and then play one of two attackers: `relist`
recomputes every BagIt manifest (an attacker without the seal key), `reseal` the ASiCManifest and seal too (an insider).
"""

from __future__ import annotations

import base64
import io
import json
import uuid
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence_store.bundle import asice, bagit, layout, renewals
from evidence_store.bundle.manifest import Archive, Creator, Stamp, TimeStatement, WitnessStatement
from evidence_store.bundle.plan import BundleItem, BundlePlan, ExtraFile
from evidence_store.bundle.writer import write_bundle
from evidence_store.canonical import canonical_bytes
from evidence_store.digests import Digests, digest_stream
from evidence_store.keys.authority import create_ca, issue_seal_certificate
from evidence_store.keys.cosigner import Cosigner
from evidence_store.keys.file import FileSigner, generate_ed25519, generate_mldsa44, generate_p256
from evidence_store.log.cosignature import MLDSA44_COSIGNER, add_lines, cosigner_key, format_cosigner_vkey
from evidence_store.log.keyfile import parse_key_file
from evidence_store.log.merkle import consistency_proof, inclusion_proof, root_at
from evidence_store.log.note import Checkpoint, checkpoint_text, format_vkey, parse_checkpoint, sign_note, split_note
from evidence_store.log.proof import TlogProof, format_consistency, format_proof
from evidence_store.log.sequencer import append
from evidence_store.seal import add_tokens, build_seal, seal_imprint, seal_tokens
from evidence_store.verify.single_file import single_file
from evidence_store.verify.trust import Anchors, Trust
from tests.tsa import LocalTsa

CREATED_AT = "2026-11-22T10:31:00.123456Z"
INTRODUCED = "2026-01-01T00:00:00.000000Z"
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

    Attributes:
        tsas: running time-stamping authorities, by name; each stamps receipts, checkpoints and bundles.
        witnesses: they co-sign every checkpoint.
        policy: the archive's own witness policy, or None.
    """

    def __init__(
        self, seed: str = "sample", *, tsas: Mapping[str, LocalTsa] | None = None, witnesses: Sequence[Cosigner] = ()
    ) -> None:
        self._seed = seed
        self._names = 0
        self.archive_id = self.uuid()
        self.log_name = f"log.example.org/{seed}"
        self.started = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        self.log = MemoryLog()
        self.events: dict[str, list[bytes]] = {}
        self.index: dict[str, int] = {}
        self.items: list[BundleItem] = []
        self.extra_files: list[ExtraFile] = []
        self.tsas = dict(tsas or {})
        self.witnesses = list(witnesses)
        self.policy: str | None = None
        self.certificates: list[x509.Certificate] = []
        self.cas: list[x509.Certificate] = []
        self.new_log_key()
        mldsa = generate_mldsa44()
        self.log_mldsa = cosigner_key(self.log_name, MLDSA44_COSIGNER, mldsa.public_key().public_bytes_raw())
        self._log_cosigner = Cosigner(self.log_mldsa, mldsa.sign)
        self.new_ca()
        self.new_seal_key()
        self._introduce()

    # -- keys --------------------------------------------------------------------------------------------------------

    @property
    def ca(self) -> x509.Certificate:
        """The present CA certificate."""
        return self.cas[0]

    @property
    def seal_certificate(self) -> x509.Certificate:
        """The present seal certificate."""
        return self.certificates[0]

    def new_ca(self) -> None:
        """Use another CA from now on."""
        self._ca_key = generate_p256()
        self.cas.insert(0, create_ca(self._ca_key, ORG, self.archive_id, self.started))

    def new_seal_key(self) -> None:
        """Seal with another key from now on."""
        key = generate_p256()
        self._seal_signer = FileSigner(key)
        made = issue_seal_certificate(self.ca, self._ca_key, key.public_key(), ORG, self.archive_id, self.started)
        self.certificates.insert(0, made)

    def new_log_key(self) -> None:
        """Sign checkpoints with another key from now on."""
        key = generate_ed25519()
        self._log_signer = FileSigner(key)
        self._log_public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def change_key(self, change: str, use: str, key: str, at: str = INTRODUCED, **details: object) -> bytes:
        """Record a change of a key."""
        said = {"change": change, "use": use, "key": key, "material": None, "at": at, "reason": "a test", **details}
        return self.record(self.keys_object, "key change", details=said)

    def introduce(self, use: str, certificate: x509.Certificate, at: str = INTRODUCED) -> None:
        """Record that a certificate is in use."""
        pem = certificate.public_bytes(Encoding.PEM).decode()
        self.change_key("introduction", use, fingerprint(certificate), at, material=pem)

    def _introduce(self) -> None:
        self.introduce("ca", self.ca)
        self.introduce("seal", self.seal_certificate)
        for use, key in (("log", self.log_vkey), ("pq", self.pq_vkey)):
            self.change_key("introduction", use, key, material=key)

    @property
    def keys_object(self) -> str:
        """The object of the key history."""
        return f"keys:{self.archive_id}"

    # -- deposits ----------------------------------------------------------------------------------------------------

    def uuid(self) -> str:
        """The next identifier."""
        self._names += 1
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._seed}/{self._names}"))

    def bare_seal(self, data: bytes, at: datetime | None = None) -> bytes:
        """Seal bytes with the archive's key, without time stamps."""
        return build_seal(data, self.seal_certificate, self._seal_signer.sign, at or self.started, authority=self.ca)

    def seal(self, data: bytes) -> bytes:
        """Seal bytes with the archive's key; every authority stamps the seal."""
        return self.stamped(self.bare_seal(data))

    def stamped(self, seal: bytes) -> bytes:
        """The same seal with a token of each authority."""
        return add_tokens(seal, [tsa.token(seal_imprint(seal)) for tsa in self.tsas.values()])

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
        bare = self.bare_seal(receipt)
        outputs = [output("receipt", receipt), output("receipt signature", bare)]
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
            receipt_signature=self.stamped(bare),
        )
        self.items.append(bundle_item)
        return item

    def derive(self, item: str, role: str, path: str, data: bytes) -> None:
        """Add a file made from an item, named by an event of the item."""
        self.record(f"item:{item}", "metadata extraction", details={"outputs": [output(role, data)]})
        self.extra_files.append(ExtraFile(path, data, role, f"item:{item}"))

    def note(self) -> bytes:
        """The base note of the log as it stands."""
        root = root_at(self.log.size, self.log.read_node)
        text = checkpoint_text(Checkpoint(self.log_name, self.log.size, root))
        return add_lines(
            sign_note(text, self.log_name, self._log_public, self._log_signer.sign),
            [self._log_cosigner.line(text, int(self.started.timestamp()))],
        )

    def cosigned(self, note: bytes) -> bytes | None:
        """The note with the lines of all witnesses; None without any."""
        text = split_note(note)[0]
        lines = [witness.line(text, int(self.started.timestamp())) for witness in self.witnesses]
        return add_lines(note, lines) if lines else None

    def plan(self, **changes: Any) -> BundlePlan:  # noqa: ANN401 - any field of the plan
        """The plan of a bundle with everything in the archive."""
        note = changes["checkpoint"] if "checkpoint" in changes else self.note()
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
            seal_pem=pem(self.certificates),
            log_vkey=f"{self.log_vkey}\n{self.pq_vkey}",
            extra_files=self.extra_files,
            cosigned=self.cosigned(note),
            tokens={name: tsa.token(sha256(note).digest()) for name, tsa in self.tsas.items()},
            authority_roots={name: tsa.authority.roots_pem for name, tsa in self.tsas.items()},
            witness_policy=self.policy.encode() if self.policy is not None else None,
            verifier=single_file(),
            time=self._time_statement(),
            witnesses=WitnessStatement("all", len(self.witnesses)),
        )
        plan = replace(plan, **changes)
        return replace(plan, renewals={**self._continued(plan), **plan.renewals})

    def _continued(self, plan: BundlePlan) -> dict[str, bytes]:
        """The proof that the log grew since each renewal."""
        made = {}
        for path, data in plan.renewals.items():
            if path.endswith(f"/{renewals.CHECKPOINT}"):
                size = parse_checkpoint(split_note(data)[0]).size
                hashes = consistency_proof(size, self.log.size, self.log.read_node)
                made[path.replace(renewals.CHECKPOINT, renewals.CONSISTENCY)] = format_consistency(size, hashes)
        return made

    def _time_statement(self) -> TimeStatement:
        subjects = [f"checkpoint:{self.log.size}"]
        subjects += [f"receipt:{item.item}" for item in self.items if seal_tokens(item.receipt_signature)]
        return TimeStatement(
            list(self.tsas), [Stamp(subject, tsa, "done") for subject in subjects for tsa in self.tsas]
        )

    def proof(self, index: int, note: bytes) -> bytes:
        """The proof file of one entry."""
        hashes = tuple(inclusion_proof(index, self.log.size, self.log.read_node))
        return format_proof(TlogProof(index=index, hashes=hashes, checkpoint=note))

    @property
    def ca_pem(self) -> bytes:
        """All CA certificates, newest first."""
        return pem(self.cas)

    @property
    def log_vkey(self) -> str:
        """The log's verifier key."""
        return format_vkey(self.log_name, self._log_public)

    @property
    def pq_vkey(self) -> str:
        """The log's ML-DSA-44 verifier key."""
        return format_cosigner_vkey(self.log_name, MLDSA44_COSIGNER, self.log_mldsa.public_key)

    @property
    def trust(self) -> Trust:
        """All of the archive's present keys, as a caller may know them."""
        keys = parse_key_file(f"{self.log_vkey}\n{self.pq_vkey}\n".encode())
        return Trust([self.ca], keys.log_keys, keys.cosigner_keys)

    @property
    def anchors(self) -> Anchors:
        """The same, and the roots of all its authorities."""
        return Anchors(self.trust, [root for tsa in self.tsas.values() for root in tsa.roots])

    def bundle(self, **changes: Any) -> bytes:  # noqa: ANN401 - any field of the plan
        """The ZIP of a bundle with everything in the archive."""
        return write_plan(self.plan(**changes), self.seal)

    def files(self, **changes: Any) -> dict[str, bytes]:  # noqa: ANN401 - any field of the plan
        """The files of that bundle."""
        return unzip(self.bundle(**changes))


def sample_archive(
    seed: str = "sample", *, tsas: Mapping[str, LocalTsa] | None = None, witnesses: Sequence[Cosigner] = ()
) -> SampleArchive:
    """An archive with a case, two items of different size, derived files and reference data."""
    archive = SampleArchive(seed, tsas=tsas, witnesses=witnesses)
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


def old_plan(archive: SampleArchive) -> BundlePlan:
    """What version 0.1 put into a bundle: no key history, no second signature, no time, no verifier."""
    plan = archive.plan()
    note = b"".join(line for line in plan.checkpoint.splitlines(keepends=True)[:5])
    events = [line for line in plan.events if json.loads(line)["object"] != archive.keys_object]
    proofs = {name: archive.proof(index, note) for name, index in archive.index.items() if name != archive.keys_object}
    return replace(
        plan,
        checkpoint=note,
        events=events,
        proofs=proofs,
        log_vkey=archive.log_vkey,
        verifier=None,
        time=None,
        witnesses=None,
    )


def write_plan(plan: BundlePlan, seal: Callable[[bytes], bytes]) -> bytes:
    """The ZIP of a plan."""
    out = io.BytesIO()
    write_bundle(out, plan, seal)
    return out.getvalue()


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate, hex."""
    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def pem(certificates: Sequence[x509.Certificate]) -> bytes:
    """Certificates as a PEM file."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def of_no_known_version(certificate: x509.Certificate) -> bytes:
    """The certificate as PEM, but of version 67; only three were ever defined (RFC 5280, section 4.1.2.1)."""
    der = certificate.public_bytes(Encoding.DER)
    if der.count(b"\xa0\x03\x02\x01\x02") != 1:
        raise AssertionError("the version was not found")
    der = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x42")
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


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
