"""The one error that fingerprinting and comparing may raise."""

from __future__ import annotations

from app.errors import InvalidInputError


class FingerprintError(InvalidInputError):
    """A file has no usable picture, or stored fingerprint bytes are not a fingerprint.

    Attributes:
        code: stable, lower snake case: `unreadable_image`, `truncated_image`, `image_too_large`, `unreadable_video`,
            `no_video_stream`, `video_too_large`, `out_of_memory`, `malformed_fingerprint`,
            `incomparable_fingerprints`.
        detail: one sentence for a person; never holds a path or a decoder's own words.
    """
