"""What goes into a bundle: the exporter fills a `BundlePlan`, the writer turns it into bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evidence_store.bundle.manifest import Archive, Creator, PartOf, TimeStatement, WitnessStatement
from evidence_store.bundle.withheld import Disclosure
from evidence_store.digests import Digests, digest_stream

STANDARD_CLAIMS = (
    "Each object's events are listed from its first event to its head as of the checkpoint's tree size.",
    "Each item's original is the file whose digests its ingestion event and its deposit receipt name.",
)


@dataclass(frozen=True)
class BundleItem:
    """One item with its original and its deposit receipt.

    Attributes:
        item: UUID.
        case: reference or UUID of its case.
        original_name: name as received, any text.
        media_type: such as "image/jpeg", or None when unknown.
        received_at: RFC 3339 UTC with microseconds.
        digests: known digests of the original; the writer refuses bytes that differ.
        chunks: gives the original's bytes; called once, and closed by the writer when it is a generator.
        receipt: canonical bytes of the receipt statement.
        receipt_signature: its detached CAdES signature, DER; with time stamps (level B-T) where there are any.
    """

    item: str
    case: str
    original_name: str
    media_type: str | None
    received_at: str
    digests: Digests
    chunks: Callable[[], Iterable[bytes]]
    receipt: bytes
    receipt_signature: bytes


@dataclass(frozen=True)
class ExtraFile:
    """One more file, held in memory.

    Attributes:
        path: below data/ (payload), or elsewhere (a tag file such as "report.html"), see `layout.path_problem`.
        data: its bytes.
        role: such as "metadata", "preview", "link", "review", "matches", "provisions".
        object: the object whose events name it in `details.outputs`, or None for reference data.
    """

    path: str
    data: bytes
    role: str
    object: str | None

    def fixity(self) -> Digests:
        """Every digest of its bytes."""
        return digest_stream((self.data,))

    def known_by(self) -> tuple[str, int]:
        """SHA-256 (hex) and size: what lists name a file by."""
        return hashlib.sha256(self.data).hexdigest(), len(self.data)

    def pieces(self) -> Iterable[bytes]:
        """Its bytes, a limited number at a time where there are many."""
        return (self.data,)


class StoredFile(ExtraFile):
    """One more file that lies elsewhere and is read when it is needed, so that memory does not grow with it.

    Attributes:
        digests: known digests; the writer refuses bytes that differ.
        chunks: gives the bytes anew at each call; closed by the writer when it is a generator.
    """

    __slots__ = ("chunks", "digests")

    digests: Digests
    chunks: Callable[[], Iterable[bytes]]

    def __init__(
        self, path: str, role: str, about: str | None, digests: Digests, chunks: Callable[[], Iterable[bytes]]
    ) -> None:
        """Name a file.

        Args:
            path: as in `ExtraFile`, and so is `role`; `about` is its `object`.
            role: see there.
            about: see there.
            digests: of its bytes.
            chunks: gives them.
        """
        for name, value in (
            ("path", path), ("role", role), ("object", about), ("digests", digests), ("chunks", chunks),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def data(self) -> bytes:
        """All its bytes, read now."""
        return b"".join(self.chunks())

    def fixity(self) -> Digests:
        """As known; nothing is read."""
        return self.digests

    def known_by(self) -> tuple[str, int]:
        """As known; nothing is read."""
        return self.digests.sha256, self.digests.size

    def pieces(self) -> Iterable[bytes]:
        """Read as they are asked for."""
        return self.chunks()


@dataclass(frozen=True)
class BundlePlan:
    """Everything that a bundle will hold.

    Attributes:
        archive: who keeps the archive.
        bundle_id: UUID.
        created_at: RFC 3339 UTC with microseconds; also the time of every ZIP entry.
        created_by: who asked for the bundle.
        scope: what was selected, such as {"case": "T1"}; JSON without floats.
        purpose: why it is disclosed.
        items: in any order.
        events: exact canonical bytes of each event, ordered by (object, object_seq), each object from event 0.
        proofs: per object, the tlog-proof file of its last event, over the same checkpoint.
        checkpoint: the note as the log signed it, without lines of witnesses.
        ca_pem: the CA certificates that are needed, newest first.
        seal_pem: the seal certificates that are needed, newest first.
        log_vkey: verifier keys of the log, one per line: Ed25519, then ML-DSA-44.
        extra_files: in any order.
        claims: statements of the archive about the bundle.
        cosigned: the checkpoint with the lines of witnesses, or None.
        tokens: time-stamp tokens (DER) over the checkpoint, by authority.
        authority_roots: PEM certificates that the tokens of an authority are checked against, by authority; also of
            authorities whose tokens only stand in seals.
        witness_policy: the archive's own policy (C2SP tlog-policy), or None.
        renewals: the files of renewals by their path in the bundle, see `evidence_store.bundle.renewals`.
        verifier: the single-file verifier, or None.
        time: what was time-stamped, or None where the archive says nothing of it.
        witnesses: what was co-signed, or None likewise.
        disclosure: for whom, and what is withheld, or None where nothing is.
        part_of: the bundle's place in a set, or None for one that stands alone.
    """

    archive: Archive
    bundle_id: str
    created_at: str
    created_by: Creator
    scope: Mapping[str, Any]
    purpose: str
    items: Sequence[BundleItem]
    events: Sequence[bytes]
    proofs: Mapping[str, bytes]
    checkpoint: bytes
    ca_pem: bytes
    seal_pem: bytes
    log_vkey: str
    extra_files: Sequence[ExtraFile] = ()
    claims: Sequence[str] = STANDARD_CLAIMS
    cosigned: bytes | None = None
    tokens: Mapping[str, bytes] = field(default_factory=dict)
    authority_roots: Mapping[str, bytes] = field(default_factory=dict)
    witness_policy: bytes | None = None
    renewals: Mapping[str, bytes] = field(default_factory=dict)
    verifier: bytes | None = None
    time: TimeStatement | None = None
    witnesses: WitnessStatement | None = None
    disclosure: Disclosure | None = None
    part_of: PartOf | None = None


@dataclass(frozen=True)
class BundleResult:
    """A written bundle: SHA-256 (hex) and size (bytes) of the ZIP, and how many files it holds.

    `sealed_list_sha256` is the digest of its ASiCManifest: of all digests, and the same once the ZIP is unpacked.
    """

    sha256: str
    size: int
    files: int
    sealed_list_sha256: str
