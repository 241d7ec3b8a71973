"""An archive that already holds many photos: items, events, analyses, fingerprints and finished jobs, in large batches.

The pictures are few and shared, so that a hundred thousand items need no terabyte. The fingerprints are not: each bit
of an item's hashes is that of a pool picture drawn anew, which keeps how often a bit is set but not which bits go
together, and its local features are those of one pool picture. Receipts are made as
ever, one at a time.
"""

from __future__ import annotations

import dataclasses
import json
import uuid
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session

from app.access.service import Principal
from app.analysis.models import AnalysisRun
from app.api.services import Services
from app.custody.outputs import output
from app.custody.rows import SaltedRow
from app.custody.service import SYSTEM
from app.evidence.models import Blob, Case, Item
from app.jobs.models import Job
from app.matching.format import Fingerprint
from app.matching.kept_hashes import put_hashes
from app.matching.models import FingerprintRow
from app.matching.photo import fingerprint_photo
from app.matching.service import ALGORITHM_ID
from evidence_store.digests import Digests, digest_file

ITEMS_A_TRANSACTION = 1000
KINDS = ("seal", "analyse", "fingerprint", "match")


@dataclasses.dataclass(frozen=True)
class _Picture:
    digests: Digests
    fingerprint: Fingerprint
    record: bytes


def hold(services: Services, who: Principal, case: Case, pool: list[Path], count: int, seed: int = 5) -> None:
    """Write items of pool pictures, each with its five events, its rows and its finished jobs.

    Args:
        services: the archive.
        who: the depositor.
        case: where the items go.
        pool: photos, each kept as a blob.
        count: how many items.
        seed: decides the hashes.
    """
    pictures = [_keep(services, path) for path in pool]
    bits = _bits(pictures)
    rng = np.random.default_rng(seed)
    known: set[str] = set()
    for start in range(0, count, ITEMS_A_TRANSACTION):
        items: list[str] = []
        with services.archive.db.write() as session:
            for number in range(start, min(start + ITEMS_A_TRANSACTION, count)):
                picture = pictures[number % len(pictures)]
                made = _varied(picture.fingerprint, bits, rng).to_bytes()
                item = str(uuid.uuid4())
                items.append(item)
                new = picture.digests.sha256 not in known
                known.add(picture.digests.sha256)
                _record(services, session, (who, case, item), picture, made, new_blob=new)
            session.flush()
        for item in items:
            services.intake.seal_item(item)
    services.checkpoint()


def _keep(services: Services, path: Path) -> _Picture:
    with services.archive.blobs.stage() as staged:
        staged.write(path.read_bytes())
        digests = staged.commit().digests
    record = json.dumps({"file": {"media_type": "image/jpeg", "kind": "photo", "size": digests.size}}).encode()
    return _Picture(digest_file(path), fingerprint_photo(path), record)


def _bits(pictures: list[_Picture]) -> NDArray[np.uint8]:
    """Bits of the pool's hashes of whole pictures, one row each."""
    values = [row.value for picture in pictures for row in picture.fingerprint.hashes if row.dihedral == 0]
    return np.unpackbits(np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32), axis=1)


def _varied(made: Fingerprint, bits: NDArray[np.uint8], rng: np.random.Generator) -> Fingerprint:
    drawn = bits[rng.integers(0, len(bits), (len(made.hashes), 256)), np.arange(256)]
    values = np.packbits(drawn, axis=1)
    rows = tuple(
        dataclasses.replace(row, value=value.tobytes()) for row, value in zip(made.hashes, values, strict=True)
    )
    return dataclasses.replace(made, hashes=rows)


def _record(
    services: Services,
    session: Session,
    whose: tuple[Principal, Case, str],
    picture: _Picture,
    fingerprint: bytes,
    *,
    new_blob: bool,
) -> None:
    who, case, item_id = whose
    custody, digests = services.archive.custody, picture.digests
    now, about = custody.now(), f"item:{item_id}"
    item = Item(
        id=item_id,
        case_id=case.id,
        sha256=digests.sha256,
        original_name=f"IMG_{item_id[:8]}.JPG",
        received_at=now,
        received_by=who.user_id,
        source="{}",
    )
    run = AnalysisRun(
        id=str(uuid.uuid4()),
        item_id=item_id,
        number=1,
        state="done",
        media_type="image/jpeg",
        kind="photo",
        record=picture.record,
        created_at=now,
    )
    print_row = FingerprintRow(
        id=str(uuid.uuid4()),
        item_id=item_id,
        algorithm=ALGORITHM_ID,
        kind="photo",
        state="done",
        data=fingerprint,
        created_at=now,
    )
    rows: list[SaltedRow] = [item]
    if new_blob:
        blob = Blob(sha256=digests.sha256, sha512=digests.sha512, crc32=digests.crc32, size=digests.size, stored_at=now)
        session.add(blob)
        session.flush()
        rows.insert(0, blob)
    custody.record(session, about, "ingestion", who.actor, file=digests, details={"case": case.id}, rows=rows)
    custody.record(
        session,
        about,
        "metadata extraction",
        SYSTEM,
        details={"run": 1, "outputs": [output("metadata", picture.record)]},
        rows=[run],
    )
    placed = custody.record(
        session,
        about,
        "fingerprint calculation",
        SYSTEM,
        details={"algorithm": ALGORITHM_ID, "outputs": [output("fingerprint", fingerprint)]},
        rows=[print_row],
    )
    print_row.leaf_index = placed.leaf_index
    put_hashes(session.connection(), print_row)
    custody.record(session, about, "comparison", SYSTEM, details={"algorithm": ALGORITHM_ID, "matches": 0})
    for kind in KINDS:
        session.add(
            Job(
                kind=kind,
                dedupe_key=f"{kind}:{item_id}",
                payload=json.dumps({"item": item_id}),
                state="done",
                attempt=1,
                run_after=now,
                created_at=now,
                finished_at=now,
                subject=about,
            )
        )
