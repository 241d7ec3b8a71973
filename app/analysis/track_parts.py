"""The whole track as it comes out of the sandbox: collected, bounded, and believed only when it fits its record."""

from __future__ import annotations

from typing import Final

from app.analysis.errors import SandboxFailure
from app.analysis.track_facts import read_track
from schemas.records.v1.track import PositionTrack

TRACK_ROLE: Final = "track"
TRACK_TYPE: Final = "application/json"
MAX_BYTES: Final = 96 * 1024 * 1024
"""120,000 samples of all columns; more is no answer."""


class TrackParts:
    """Takes the parts `track` of one answer."""

    def __init__(self) -> None:
        """Start empty."""
        self._data = bytearray()

    def take(self, header: dict[str, object], body: bytes) -> None:
        """One part.

        Raises:
            SandboxFailure: `output_too_large`.
        """
        if header.get("part") != "track":
            return
        self._data += body
        if len(self._data) > MAX_BYTES:
            raise SandboxFailure("output_too_large", f"the track passed {MAX_BYTES} bytes")

    def believed(self, summary: PositionTrack) -> bytes | None:
        """The track; None when there is none.

        Raises:
            SandboxFailure: `parser_error`: it is no track record, or not the one that the metadata record sums up.
        """
        if not self._data and not summary.samples:
            return None
        data = bytes(self._data)
        try:
            track = read_track(data)
        except ValueError as error:
            raise SandboxFailure("parser_error", "the track is of no form that is known") from error
        if track.summary != summary or len(track.rows) != summary.samples:
            raise SandboxFailure("parser_error", "the track is not the one that its record sums up")
        return data
