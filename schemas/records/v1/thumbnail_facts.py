"""How near the picture that a camera embeds for quick looks is to the picture itself, version 1."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ThumbnailFacts(BaseModel):
    """The EXIF thumbnail (IFD1) beside the image; derived by decoding both.

    Attributes:
        state: `absent`; `compared`; `unreadable`: there is one, and it or the image could not be decoded;
            `not_compared`: nobody looked, for instance because no preview could be drawn.
        distance: bits that differ between 64-bit perceptual hashes, 0 to 64, the least over crops and rotations.
        rotation: anticlockwise degrees at which the thumbnail fits best.
        width, height: of the thumbnail as stored, pixels.
        sha256: of its bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["absent", "compared", "unreadable", "not_compared"] = "not_compared"
    distance: int | None = None
    rotation: int | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    reason: str | None = None
