"""What is asked of a photo before it is compared in full: its points, which lie in the first third of its fingerprint.

Sixteen candidates are asked for each photo that comes in, and those of a large archive lie on the disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session

from app.matching.beginnings import beginnings_of
from app.matching.format import PHOTO_POINTS_END, FeatureSet, Fingerprint, Kind, first_points


@dataclass(frozen=True)
class Seen:
    """A view, as far as it is asked."""

    features: FeatureSet


@dataclass(frozen=True)
class Lead:
    """A candidate's views; a photo's."""

    views: tuple[Seen, ...]
    kind: Final[Kind] = "photo"


def leads(session: Session, algorithm: str, photos: Sequence[str]) -> dict[str, Lead]:
    """Read the points of some photos; of one that shows another picture, as a page does, there are two views.

    Raises:
        FingerprintError: `malformed_fingerprint`.
    """
    found: dict[str, Lead] = {}
    of_several: list[str] = []
    for item, start in beginnings_of(session, algorithm, photos, PHOTO_POINTS_END):
        count, points = first_points(start)
        if count > 1:
            of_several.append(item)
        else:
            found[item] = Lead(() if points is None else (Seen(points),))
    for item, whole in beginnings_of(session, algorithm, of_several):
        found[item] = Lead(tuple(Seen(view.features) for view in Fingerprint.from_bytes(whole).views))
    return found
