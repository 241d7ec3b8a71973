"""Collecting what was made from an item: metadata records, pictures, proxies, tracks. The exact stored bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlmodel import Session

from app.analysis.models import AnalysisRun
from app.analysis.proxies import PROXY_ROLE
from app.analysis.track_facts import read_track
from app.analysis.track_files import geojson, gpx
from app.analysis.track_parts import TRACK_ROLE
from app.archive import Archive
from app.evidence.models import Derivative
from app.export.collected import CHUNK, Collected, Sources, record_sha256, stored_blob
from app.export.gathered import Gathered
from app.export.rules import numbered_path, preview_path
from evidence_store.bundle.plan import ExtraFile, StoredFile
from evidence_store.digests import digest_stream
from evidence_store.errors import EvidenceStoreError
from schemas.records.v1.track import TrackRecord

PREVIEW_ROLE = "preview"
_VIEWS: tuple[tuple[str, Callable[[TrackRecord, str], bytes]], ...] = (("geojson", geojson), ("gpx", gpx))


def collect_made(sources: Sources, session: Session, item_id: str, gathered: Gathered, into: Collected) -> None:
    """Take the metadata records and the files made from an item, as far as the log names them.

    Args:
        sources: where files are.
        session: an open snapshot.
        item_id: UUID of the item.
        gathered: what the database holds of it.
        into: takes them.

    Raises:
        EnvironmentFailedError: `record_missing`.
        EvidenceStoreError: `fixity_mismatch` or `blob_missing` of a track.
    """
    _collect_records(gathered.runs[item_id], item_id, into)
    named = into.named(f"item:{item_id}")
    made = {one.sha256: one for one in gathered.made[item_id] if one.sha256 in named}
    for number, one in _wanted(into, item_id, made, PREVIEW_ROLE):
        path = preview_path(item_id, one.media_type, number)
        into.files.append(stored_blob(sources.archive, session, into, item_id, one.sha256, path, PREVIEW_ROLE))
    for number, one in _wanted(into, item_id, made, PROXY_ROLE):
        path = numbered_path("data/proxies", item_id, "mp4", number)
        into.files.append(stored_blob(sources.archive, session, into, item_id, one.sha256, path, PROXY_ROLE))
    for number, one in _wanted(into, item_id, made, TRACK_ROLE):
        into.files += _track_files(sources.archive, session, into, item_id, one.sha256, number)


def _collect_records(history: list[AnalysisRun], item_id: str, into: Collected) -> None:
    """The newest record that the log names, and before it the earlier ones, each once, when they are asked for."""
    about = f"item:{item_id}"
    named = into.named(about)
    runs = [(run, run.record) for run in history if run.record and record_sha256(run.record) in named]
    if not runs:
        into.without_metadata += 1
        return
    newest, record = runs[-1]
    into.media_types[item_id] = newest.media_type
    into.files.append(ExtraFile(f"data/metadata/{item_id}.json", record, "metadata", about))
    if into.options.analyses == "newest":
        return
    seen = {record_sha256(record)}
    for run, earlier in runs[:-1]:
        if (digest := record_sha256(earlier)) not in seen:
            seen.add(digest)
            into.files.append(ExtraFile(f"data/metadata/{item_id}.{run.number}.json", earlier, "metadata", about))


def _wanted(
    into: Collected, item_id: str, made: dict[str, Derivative], role: str
) -> Iterator[tuple[int | None, Derivative]]:
    """The files of a role that are asked for: the newest without a number, earlier ones by the order of the log."""
    order = [output.sha256 for output in into.outputs[f"item:{item_id}"] if output.role == role]
    order = [sha256 for sha256 in order if sha256 in made and made[sha256].role == role]
    if not order or not into.options.wants(role):
        return
    newest = order[-1]
    yield None, made[newest]
    if into.options.wants_earlier(role):
        earlier = [sha256 for sha256 in dict.fromkeys(order) if sha256 != newest]
        yield from ((number, made[sha256]) for number, sha256 in enumerate(earlier, start=1))


def _track_files(
    archive: Archive, session: Session, into: Collected, item_id: str, sha256: str, number: int | None
) -> Iterator[StoredFile]:
    """A track as it was made; of the newest also GPX and GeoJSON, which are made for the bundle as for the API."""
    path = numbered_path("data/tracks", item_id, "json", number)
    yield stored_blob(archive, session, into, item_id, sha256, path, TRACK_ROLE)
    if number is not None:
        return
    into.reading(item_id)
    try:
        record = read_track(_blob_bytes(archive, sha256))
    except ValueError:  # of a form that this version does not know: who reads the bundle has the track itself
        return
    for ending, view in _VIEWS:
        digests = digest_stream((view(record, item_id),))

        def chunks(view: Callable[[TrackRecord, str], bytes] = view) -> Iterator[bytes]:
            yield view(read_track(_blob_bytes(archive, sha256)), item_id)

        yield StoredFile(f"data/tracks/{item_id}.{ending}", "track view", f"item:{item_id}", digests, chunks)


def _blob_bytes(archive: Archive, sha256: str) -> bytes:
    """A track's bytes.

    Raises:
        EvidenceStoreError: `fixity_mismatch`, `blob_missing`.
    """
    with archive.blobs.open(sha256) as stream:
        data = b"".join(iter(lambda: stream.read(CHUNK), b""))
    if digest_stream([data]).sha256 != sha256:
        raise EvidenceStoreError("fixity_mismatch", f"track {sha256}: its bytes are not those that were stored")
    return data
