"""What the fork server loads for fingerprints.

The functions import these when they are called; a child that finds them loaded starts in milliseconds, one that does
not spends most of a second on them, for every single file. The last one uses them all once.
"""

from __future__ import annotations

from typing import Final

PARSERS: Final = (
    "app.matching.tasks",
    "app.matching.content",
    "cv2",
    "imagehash",
    "scipy.fftpack",
    "pillow_heif",
    "PIL.ImageFile",
    "av",
    "app.matching.warm",
)
