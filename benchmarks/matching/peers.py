"""What the archive's matching is held against, and its own parts alone: each says how far two pictures are apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.matching.canonical_image import canonical_from_gray
from app.matching.compare import compare
from app.matching.format import FeatureSet, Fingerprint
from app.matching.known import worth_comparing
from app.matching.photo import fingerprint_canonical
from benchmarks.matching.media import Picture

STRONG: Final = ("identical", "same_content", "derived")
Hash = NDArray[np.uint8]


@dataclass(frozen=True)
class Peer:
    """A hash: bits of a picture, and the distance its makers or users call a match."""

    name: str
    bits: Callable[[Picture], Hash]
    default: int


def words_of(made: Fingerprint, *, turned: bool) -> NDArray[np.uint64]:
    """(n, 4): the hashes of a fingerprint, with those of its flips and turns or without."""
    rows = [row.value for row in made.hashes if turned or row.dihedral == 0]
    return np.frombuffer(b"".join(rows), np.uint64).reshape(-1, 4)


def _pil(picture: Picture) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(picture[..., ::-1]))


def _pdq(picture: Picture) -> Hash:
    import pdqhash

    return np.asarray(pdqhash.compute(np.ascontiguousarray(picture[..., ::-1]))[0], np.uint8)


def peers() -> list[Peer]:
    """The peers that are installed here; pdqhash has no wheel for every Python."""
    found = [
        Peer("imagehash dhash 8", lambda p: _flat(imagehash.dhash(_pil(p))), 10),
        Peer("imagehash phash 8", lambda p: _flat(imagehash.phash(_pil(p))), 10),
        Peer("imagehash phash 16", lambda p: _flat(imagehash.phash(_pil(p), hash_size=16)), 31),
    ]
    try:
        import pdqhash  # noqa: F401
    except ImportError:
        return found
    return [*found, Peer("PDQ", _pdq, 31)]


def _flat(value: imagehash.ImageHash) -> Hash:
    return np.asarray(value.hash, np.uint8).ravel()


def fingerprint(picture: Picture) -> Fingerprint:
    """As `fingerprint_photo` makes it of a file with these pixels."""
    image = canonical_from_gray(Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)))
    return fingerprint_canonical(image)


# The roles of hash rows that each ablation may use: (of the query, flips and turns too), (of the item).
PARTS: Final[dict[str, tuple[tuple[str, ...], bool]]] = {
    "canonical phash 16": (("whole",), False),
    "+ flips and turns": (("whole",), True),
    "+ borders trimmed": (("whole", "trimmed"), True),
    "+ crops": (("whole", "trimmed", "crop"), True),
    "+ content": (("whole", "trimmed", "crop", "content"), True),
}


def parts(made: Fingerprint, name: str, *, turned: bool) -> Hash:
    """Bits (n, 256) of the rows that an ablation looks at."""
    roles, turns = PARTS[name]
    rows = [r for r in made.hashes if r.role in roles and (r.dihedral == 0 or (turned and turns))]
    packed = np.frombuffer(b"".join(r.value for r in rows), np.uint8).reshape(-1, 32)
    return np.unpackbits(packed, axis=1)


def nearest(left: Hash, right: Hash) -> int:
    """Least distance of any row of one to any row of the other; 257 when there is none."""
    if not left.size or not right.size:
        return 257
    a, b = (np.packbits(np.atleast_2d(x), axis=1) for x in (left, right))
    return int(np.bitwise_count(a[:, None] ^ b[None]).sum(axis=2, dtype=np.uint16).min())


def verdict(query: Fingerprint, item: Fingerprint) -> str | None:
    """What the archive says of a pair: its gate, then the comparison in full."""
    far = nearest(parts(query, "+ content", turned=True), parts(item, "+ content", turned=False))
    if not worth_comparing(query, [(item, far)])[0]:
        return None
    found = compare(query, item)
    return None if found is None else found.verdict


def verdict_by(query: Fingerprint, item: Fingerprint, *, points: bool) -> str | None:
    """The same with hashes alone (confirmed by grey levels) or points alone: the ablation of the two halves."""
    bare: dict[str, Any] = {"hashes": ()} if points else {}
    views = () if points else tuple(dataclasses.replace(v, features=_NOTHING, mirrored=_NOTHING) for v in query.views)
    if views:
        bare["views"] = views
    found = compare(dataclasses.replace(query, **bare), item)
    return None if found is None else found.verdict


_NOTHING: Final = FeatureSet(b"", b"")
