"""Fingerprints of many pictures and of an edited copy of each, kept in a file: a run that was stopped goes on there.

The file is a database with the archive's own table of fingerprints, so that `app.matching.known` reads it as it reads
an archive.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from sqlalchemy import create_engine

import app.evidence.models  # noqa: F401 - the table of items, which that of fingerprints refers to
from app.db import table_of
from app.matching.format import Fingerprint
from app.matching.models import FingerprintHashes, FingerprintRow
from app.matching.recipe import ALGORITHM_ID
from benchmarks.matching import peers as held
from benchmarks.matching.attacks import ATTACKS, jpeg
from benchmarks.matching.media import Photos, Picture, Scene
from benchmarks.matching.photos import QUALITY

GENERATOR: Final = 3  # of scenes; another number makes other files
OUT_OF_FOCUS: Final = 5  # each fifth scene: smooth pictures have few points and those are faint
EDITS: Final = tuple(ATTACKS)  # the copy of source n is edited by the one at n modulo their number
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
        # The hashes' own table stays empty: what it lacks is read of the fingerprints.
        FingerprintRow.metadata.create_all(engine, tables=[table_of(FingerprintRow), table_of(FingerprintHashes)])
        engine.dispose()

    def make(self, count: int, ends: float) -> int:
        """Fingerprint what is missing of so many pictures until a moment of `time.monotonic`; how many are there."""
        real = list(self._photos.real().items())
        textures = self._photos.textures()
        with closing(sqlite3.connect(self.path)) as there:
            done = {place for (place,) in there.execute("SELECT leaf_index FROM fingerprint")}
            for number in range(-(-count // 2)):
                if 2 * number in done:
                    continue
                if time.monotonic() > ends:
                    break
                if number < len(real):
                    name, picture = real[number]
                else:
                    name = f"scene {self._seed}/{number}"
                    picture = _focused(Scene(1_000_000 * self._seed + number, textures).view(), number)
                edit = EDITS[number % len(EDITS)]
                copy = ATTACKS[edit](picture, np.random.default_rng((self._seed, number)))
                for place, item, made in ((2 * number, name, picture), (2 * number + 1, f"{name} / {edit}", copy)):
                    data = held.fingerprint(jpeg(made, QUALITY)).to_bytes()
                    there.execute(_INSERT, (item, item, ALGORITHM_ID, data, place))
                there.commit()
                done |= {2 * number, 2 * number + 1}
        return len(done)

    def items(self) -> dict[str, Fingerprint]:
        """All pictures by name; 75 kB each."""
        with closing(sqlite3.connect(self.path)) as there:
            rows = there.execute("SELECT item_id, data FROM fingerprint ORDER BY leaf_index")
            return {name: Fingerprint.from_bytes(data) for name, data in rows}


def source(item: str) -> str:
    """What a picture shows: the picture itself and its copy have the same."""
    return item.split(" / ", 1)[0]


def _focused(picture: Picture, number: int) -> Picture:
    if number % OUT_OF_FOCUS:
        return picture
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 3 + number // OUT_OF_FOCUS % 8), np.uint8)
