"""What is asked of a photo before it is compared in full: its points, which lie in the first third of its fingerprint.

In a large archive sixteen are asked for each photo that comes in, and their fingerprints lie on the disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlmodel import Session

from app.matching.beginnings import beginnings_of
from app.matching.format import PHOTO_POINTS_END, FeatureSet, Fingerprint, Kind, photo_points


@dataclass(frozen=True)
class Seen:
    """A view, as far as it is asked."""

    features: FeatureSet


@dataclass(frozen=True)
class Lead:
    """What a photo shows, as far as it is asked."""

    views: tuple[Seen, ...]
    kind: Kind = field(default="photo", init=False)


def leads(session: Session, algorithm: str, photos: Sequence[str]) -> dict[str, Lead | Fingerprint]:
    """Read the points of some photos: of one that shows another picture, as a page does, the whole fingerprint.

    Raises:
        FingerprintError: `malformed_fingerprint`.
    """
    found: dict[str, Lead | Fingerprint] = {}
    others: list[str] = []
    for item, start, total in beginnings_of(session, algorithm, photos, PHOTO_POINTS_END):
        points = photo_points(start, total)
        if points is None:
            others.append(item)
        else:
            found[item] = Lead((Seen(points),))
    for item, whole, _ in beginnings_of(session, algorithm, others):
        found[item] = Fingerprint.from_bytes(whole)
    return found
