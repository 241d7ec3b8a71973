"""Where the parts of a bundle come from, and what was collected so far."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlmodel import Session

from app.analysis.service import Analysis
from app.archive import Archive
from app.assessment.service import Assessments
from app.disclosure.redactions import Redactions
from app.disclosure.service import Disclosures
from app.errors import EnvironmentFailedError
from app.evidence.models import Blob
from app.evidence.service import Evidence, digests_of
from app.export.rules import Options, Output
from app.incidents.service import Incidents
from app.intake.checks import Checks
from app.intake.sources import Sources as StatedSources
from app.law.service import Law
from app.matching.service import Matching
from app.review.service import Reviews
from evidence_store.bundle.plan import ExtraFile, StoredFile
from evidence_store.canonical import JsonInput

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the parts of a bundle come from."""

    archive: Archive
    evidence: Evidence
    analysis: Analysis
    matching: Matching
    incidents: Incidents
    assessments: Assessments
    law: Law
    reviews: Reviews
    stated: StatedSources
    checks: Checks
    disclosures: Disclosures
    redactions: Redactions
    came: Callable[[Session, Sequence[str]], dict[str, list[JsonInput]]]
    """By item, the partners' bundles that it came in."""


def _nobody(_item: str) -> None:
    """Nobody wants to know which item is being read."""


@dataclass
class Collected:
    """What was collected so far.

    Attributes:
        scope: UUIDs of the items of the bundle; of other items nothing is told, not even that they are there.
        options: what was asked for beside the originals.
        reading: told the item of which a stored file is about to be read, for the report of a failure.
        events: canonical bytes of the events of each object, by object.
        proofs: tlog-proof file of each object's head.
        outputs: what the events of each object name, oldest first, by object.
        decided: by object, the decisions on matches that its events name: by UUID, the decision and its reason.
        verified: by object, UUIDs of the records of verification that its events name.
        files: everything but originals and receipts.
        media_types: by item; absent where no analysis is known.
        cited: (catalogue version, provision) of each link.
        without_metadata: how many items have no metadata record.
    """

    scope: frozenset[str] = frozenset()
    options: Options = field(default_factory=Options)
    reading: Callable[[str], None] = _nobody
    events: dict[str, list[bytes]] = field(default_factory=dict)
    proofs: dict[str, bytes] = field(default_factory=dict)
    outputs: dict[str, list[Output]] = field(default_factory=dict)
    decided: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    verified: dict[str, set[str]] = field(default_factory=dict)
    files: list[ExtraFile] = field(default_factory=list)
    media_types: dict[str, str] = field(default_factory=dict)
    cited: set[tuple[int, str]] = field(default_factory=set)
    without_metadata: int = 0

    def named(self, about: str) -> set[str]:
        """SHA-256 of every file that the events of an object name: what came after the checkpoint is not among them."""
        return {output.sha256 for output in self.outputs[about]}


def record_missing(about: str, what: str) -> EnvironmentFailedError:
    """The error of an export that the log says should hold more than the database can give."""
    return EnvironmentFailedError("record_missing", f"{about}: {what}: run 'catena audit'", status=500)


def record_sha256(data: bytes) -> str:
    """The digest by which an event names a record; text in place of bytes is named by none."""
    return hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else ""


def stored_blob(
    archive: Archive, session: Session, into: Collected, item_id: str, sha256: str, path: str, role: str
) -> StoredFile:
    """A file that was made from an item, read when it is written.

    Raises:
        EnvironmentFailedError: `record_missing` when the database does not know its other digests.
    """
    blob = session.get(Blob, sha256)
    if blob is None:
        raise record_missing(f"item {item_id}", f"the log names a {role} that the database does not hold")

    def chunks() -> Iterator[bytes]:
        into.reading(item_id)
        with archive.blobs.open(sha256) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    return StoredFile(path, role, f"item:{item_id}", digests_of(blob), chunks)
