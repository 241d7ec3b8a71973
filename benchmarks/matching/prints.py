"""Fingerprints of many items and of an edited copy of each, kept in a file: a run that is stopped goes on from there.

The file is a database with the archive's own table of fingerprints, so that `app.matching.known` reads it as it reads
an archive. Copies stand in the same table under another name of the recipe, which no comparison reads.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from sqlalchemy import create_engine

import app.evidence.models  # noqa: F401 - the table of items, which that of fingerprints refers to
from app.matching.format import Fingerprint
from app.matching.models import FingerprintRow
from app.matching.recipe import ALGORITHM_ID
from benchmarks.matching import peers as held
from benchmarks.matching.attacks import ATTACKS, jpeg
from benchmarks.matching.media import Photos, Picture, Scene
from benchmarks.matching.photos import QUALITY

GENERATOR: Final = 3  # of scenes; another number makes other files
OUT_OF_FOCUS: Final = 5  # each fifth scene: smooth pictures have few points and those are faint
EDITS: Final = tuple(ATTACKS)  # the copy of item n is edited by the one at n modulo their number
_COPY: Final = f"{ALGORITHM_ID} copy"
_INSERT: Final = (
    "INSERT INTO fingerprint (row_salt, id, item_id, algorithm, kind, state, data, created_at, leaf_index)"
    " VALUES ('', ?, ?, ?, 'photo', 'ok', ?, '', ?)"
)


class Prints:
    """Items and edited copies of one seed."""

    def __init__(self, photos: Photos, cache: Path, seed: int) -> None:
        """Open the file of this seed, or begin it."""
        name = f"negatives-{ALGORITHM_ID.replace('/', '-')}-{GENERATOR}-{seed}.sqlite"
        self.path = cache / name
        self._photos, self._seed = photos, seed
        engine = create_engine(f"sqlite:///{self.path}")
        FingerprintRow.metadata.create_all(engine, tables=[FingerprintRow.metadata.tables["fingerprint"]])
        engine.dispose()

    def make(self, count: int, ends: float) -> int:
        """Fingerprint what is missing of so many items until a moment of `time.monotonic`; how many are there."""
        real = list(self._photos.real().items())
        textures = self._photos.textures()
        with sqlite3.connect(self.path) as there:
            done = {
                number
                for (number,) in there.execute("SELECT leaf_index FROM fingerprint WHERE algorithm = ?", (_COPY,))
            }
            for number in range(count):
                if number in done:
                    continue
                if time.monotonic() > ends:
                    break
                if number < len(real):
                    name, picture = real[number]
                else:
                    name = f"scene {self._seed}/{number}"
                    picture = _focused(Scene(1_000_000 * self._seed + number, textures).view(), number)
                for algorithm, made in ((ALGORITHM_ID, picture), (_COPY, self._copy(picture, number))):
                    data = held.fingerprint(jpeg(made, QUALITY)).to_bytes()
                    there.execute(_INSERT, (f"{name} {algorithm}", name, algorithm, data, number))
                there.commit()
                done.add(number)
        return sum(number < count for number in done)

    def _copy(self, picture: Picture, number: int) -> Picture:
        rng = np.random.default_rng((self._seed, number))
        return ATTACKS[EDITS[number % len(EDITS)]](picture, rng)

    def copies(self) -> Iterator[tuple[str, str, Fingerprint]]:
        """(its item, edit, fingerprint) of each copy, in the order of the items."""
        yield from ((name, EDITS[number % len(EDITS)], made) for name, number, made in self._read(_COPY))

    def items(self) -> dict[str, Fingerprint]:
        """All items by name; 60 kB each."""
        return {name: made for name, _, made in self._read(ALGORITHM_ID)}

    def _read(self, algorithm: str) -> Iterator[tuple[str, int, Fingerprint]]:
        asked = "SELECT item_id, leaf_index, data FROM fingerprint WHERE algorithm = ? ORDER BY leaf_index"
        with sqlite3.connect(self.path) as there:
            for name, number, data in there.execute(asked, (algorithm,)):
                yield name, number, Fingerprint.from_bytes(data)


def _focused(picture: Picture, number: int) -> Picture:
    if number % OUT_OF_FOCUS:
        return picture
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 3 + number // OUT_OF_FOCUS % 8), np.uint8)
