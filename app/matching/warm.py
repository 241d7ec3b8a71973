"""Loaded last by the fork server: it has analysed one picture of its own, so that no child is the first to.

What a library makes with its first picture (tables of a transform, decoders that register, validators of records) is
there for every child then, and so is all that is loaded: `gc.freeze` keeps a child's collector from touching, and so
copying, the pages that it shares with the fork server (docs/adr/0056).
"""

from __future__ import annotations

import gc
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from app.analysis import confinement, heap
from app.analysis.tasks import metadata_task, preview_task
from app.matching.tasks import fingerprint_task

SIDES = (640, 480)  # pixels
ROUNDS = 10  # the interpreter rewrites a function for the types it meets from its eighth call on, in every child anew


def warm_up() -> None:
    """Analyse a picture of noise, which is gone afterwards.

    Whatever fails here, the children begin cold, each for itself: an error would end the fork server, and all analysis.
    """
    with suppress(Exception), tempfile.TemporaryDirectory(prefix="catena-warm-") as folder:
        path = Path(folder) / "picture.jpg"
        _draw(path)
        for _ in range(ROUNDS):
            metadata_task(path, path.name)
            preview_task(path, "photo")
        fingerprint_task(path, "photo")  # calls its own often enough in one round


def _draw(path: Path) -> None:
    from PIL import Image

    coarse = Image.frombytes("RGB", (SIDES[0] // 10, SIDES[1] // 10), os.urandom(SIDES[0] * SIDES[1] * 3 // 100))
    exif = Image.Exif()
    exif[0x0131] = "warm"
    exif.get_ifd(0x8769)[0x9003] = "2000:01:01 00:00:00"
    coarse.resize(SIDES).save(path, "JPEG", exif=exif)


def make_ready() -> None:
    """Prepare what every child has alike; where that fails, each makes it for itself."""
    for prepare in (confinement.prepare, gc.collect, heap.lay_out):
        with suppress(Exception):
            prepare()


warm_up()
make_ready()
gc.freeze()
