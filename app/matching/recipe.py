"""Which recipe fingerprints are made by, and what a relation is: known without loading what computes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ALGORITHM: Final = "catena-phash256-orb"
ALGORITHM_VERSION: Final = 5
ALGORITHM_ID: Final = f"{ALGORITHM}/{ALGORITHM_VERSION}"
PHOTO_HASHES_END: Final = 2560  # bytes: the head and the at most 44 hash rows of a photo's fingerprint lie before


@dataclass(frozen=True, slots=True)
class Found:
    """A relation of the query to an item; `segments` hold decimal texts of seconds."""

    item: str
    verdict: str
    distance: int | None
    explanation: str
    segments: list[dict[str, str]]
