"""Fingerprints as versioned data, and their one binary form.

Layout, big-endian: magic `CFP1`, kind, algorithm name and version, size of the original,
duration, sampled frames, then the hash rows (47 bytes each), then the views. Nothing is compressed,
so that the same fingerprint has the same bytes on every machine; the parser accepts only bytes
that it would itself have written.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from app.matching.errors import FingerprintError
from app.matching.recipe import ALGORITHM, ALGORITHM_VERSION, PHOTO_HASHES_END

Kind = Literal["photo", "video"]
Role = Literal["whole", "trimmed", "crop", "content"]
Window = tuple[int, int, int, int]  # left, top, right, bottom

WINDOW_UNIT: Final = 10_000
POINT_UNIT: Final = 64  # ORB positions are stored in 1/64 pixel
MAX_POINTS: Final = 600
MAX_SIDE: Final = 640
MAX_PICTURE_SIDE: Final = 192
MAX_ROWS: Final = 100_000
MAX_VIEWS: Final = 256
DESCRIPTOR_BYTES: Final = 32

PHOTO_POINTS_END: Final = 24_576  # bytes: the points of a photo's first view lie before

_MAGIC: Final = b"CFP1"
_KINDS: Final = get_args(Kind)
_ROLES: Final = get_args(Role)
_ROW: Final = struct.Struct(">BB4HIB32s")
_ROWS: Final = np.dtype(
    [
        ("role", "u1"),
        ("dihedral", "u1"),
        ("window", ">u2", 4),
        ("time_ms", ">u4"),
        ("quality", "u1"),
        ("value", "u1", DESCRIPTOR_BYTES),
    ]
)
_DIHEDRALS: Final = 8
_BEST_QUALITY: Final = 100
_HEAD: Final = struct.Struct(">IIQIIH")
_VIEW: Final = struct.Struct(">I4H")
_COUNT: Final = struct.Struct(">H")


@dataclass(frozen=True)
class HashRow:
    """One perceptual hash.

    Attributes:
        role: which part of the picture was hashed; `content` is the picture inside a page or screen.
        dihedral: which flip and turn of it (0 is none).
        window: the part, in 1/10,000 of the picture's sides.
        time_ms: of the frame in its video; 0 for a photo.
        quality: 0 (flat) to 100.
        value: 32 bytes.
    """

    role: Role
    dihedral: int
    window: Window
    time_ms: int
    quality: int
    value: bytes


@dataclass(frozen=True)
class FeatureSet:
    """ORB points of one picture: n pairs of big-endian uint16 (x, y in 1/64 pixel) and n x 32 bytes."""

    points: bytes
    descriptors: bytes

    def __len__(self) -> int:
        return len(self.points) // 4

    def positions(self) -> NDArray[np.float32]:
        """(n, 2) positions in pixels of the canonical picture."""
        stored = np.frombuffer(self.points, dtype=">u2").reshape(-1, 2)
        return (stored.astype(np.float32) / POINT_UNIT).astype(np.float32)

    def bits(self) -> NDArray[np.uint8]:
        """(n, 32) descriptor bytes."""
        return np.frombuffer(self.descriptors, dtype=np.uint8).reshape(-1, DESCRIPTOR_BYTES)

    def words(self) -> NDArray[np.uint64]:
        """(n, 4): the same."""
        return np.frombuffer(self.descriptors, dtype=np.uint64).reshape(-1, DESCRIPTOR_BYTES // 8)


@dataclass(frozen=True)
class View:
    """What geometry needs of one photo or frame.

    Attributes:
        time_ms: of the frame; 0 for a photo.
        width: pixels of the canonical picture that the points refer to.
        height: likewise.
        features: points of the picture.
        mirrored: points of the picture mirrored left-right (empty for video frames).
        picture_width: pixels of the small grey picture used for confirmation.
        picture_height: likewise.
        picture: its pixels, row by row.
    """

    time_ms: int
    width: int
    height: int
    features: FeatureSet
    mirrored: FeatureSet
    picture_width: int
    picture_height: int
    picture: bytes

    def pixels(self) -> NDArray[np.uint8]:
        """(rows, columns) grey levels of the small picture."""
        return np.frombuffer(self.picture, dtype=np.uint8).reshape(self.picture_height, self.picture_width)


@dataclass(frozen=True)
class Fingerprint:
    """Everything that comparing needs; the media file itself is never looked at again.

    Attributes:
        kind: photo or video.
        width: pixels of the upright original.
        height: likewise.
        duration_ms: of a video; 0 for a photo.
        frames_sampled: frames looked at, those below the quality gate included; 1 for a photo.
        hashes: rows in order of time.
        views: geometry in order of time; of a photo with `content` rows the content's comes second.
        algorithm: name of the recipe.
        version: of the recipe; only equal recipes are compared.
    """

    kind: Kind
    width: int
    height: int
    duration_ms: int
    frames_sampled: int
    hashes: tuple[HashRow, ...]
    views: tuple[View, ...]
    algorithm: str = ALGORITHM
    version: int = ALGORITHM_VERSION

    def to_bytes(self) -> bytes:
        """The one binary form; equal fingerprints give equal bytes."""
        name = self.algorithm.encode("ascii")
        parts = [_MAGIC, bytes([_KINDS.index(self.kind), len(name)]), name, _COUNT.pack(self.version)]
        sizes = (self.width, self.height, self.duration_ms, self.frames_sampled, len(self.hashes), len(self.views))
        parts.append(_HEAD.pack(*sizes))
        parts.extend(
            _ROW.pack(_ROLES.index(r.role), r.dihedral, *r.window, r.time_ms, r.quality, r.value) for r in self.hashes
        )
        for view in self.views:
            parts.append(_VIEW.pack(view.time_ms, view.width, view.height, view.picture_width, view.picture_height))
            for points in (view.features, view.mirrored):
                parts += [_COUNT.pack(len(points)), points.points, points.descriptors]
            parts.append(view.picture)
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Fingerprint:
        """Parse the binary form.

        Raises:
            FingerprintError: `malformed_fingerprint` for anything `to_bytes` could not have written.
        """
        return _parse(_Reader(data))


class _Reader:
    """Takes bytes from the front and never reads past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise _malformed("bytes end early")
        self._at += count
        return self._data[self._at - count : self._at]

    @property
    def at(self) -> int:
        """How many bytes were taken."""
        return self._at

    def unpack(self, shape: struct.Struct) -> tuple[int, ...]:
        return shape.unpack(self.take(shape.size))

    def finish(self) -> None:
        if self._at != len(self._data):
            raise _malformed("bytes follow the end")


def _malformed(detail: str) -> FingerprintError:
    return FingerprintError("malformed_fingerprint", detail)


def _require(holds: bool, detail: str) -> None:  # noqa: FBT001 - reads as a sentence at its calls
    if not holds:
        raise _malformed(detail)


def plain_hashes(starts: Sequence[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.bool_], NDArray[np.intp]]:
    """The hashes of fingerprints that are neither flipped nor turned; only their beginnings need be there.

    Returns:
        (n, 4) words; (n) whether each is of a crop; (n) the number of its fingerprint, ascending.

    Raises:
        FingerprintError: `malformed_fingerprint`, also when one ends among its rows.
    """
    parts = [_rows_of(start) for start in starts]
    rows = np.frombuffer(b"".join(parts), _ROWS)
    low, high = rows["window"][:, :2], rows["window"][:, 2:]
    known = (rows["role"] < len(_ROLES)) & (rows["dihedral"] < _DIHEDRALS) & (rows["quality"] <= _BEST_QUALITY)
    _require(bool(known.all()), "a hash row has an unknown role")
    _require(bool(((low < high) & (high <= WINDOW_UNIT)).all()), "a hash row's window is empty")
    whose = np.repeat(np.arange(len(parts)), [len(part) // _ROW.size for part in parts])
    chosen = np.flatnonzero(rows["dihedral"] == 0)
    plain = rows[chosen]
    return np.ascontiguousarray(plain["value"]).view(np.uint64), plain["role"] == _ROLES.index("crop"), whose[chosen]


def _rows_of(start: bytes) -> bytes:
    reader = _Reader(start)
    *_, count, _ = _parse_head(reader)[-1]
    return reader.take(count * _ROW.size)


def photo_points(start: bytes, total: int) -> FeatureSet | None:
    """The points of a photo with one view, as it is; only the beginning of its fingerprint need be there.

    Args:
        start: the first bytes, `PHOTO_POINTS_END` or all there are.
        total: how many there are in all.

    Returns:
        The points; None where there are more views or none, for which the whole fingerprint has to be parsed.

    Raises:
        FingerprintError: `malformed_fingerprint`, also when it would not end where it does.
    """
    reader = _Reader(start)
    kind, *_, (*_, rows, views) = _parse_head(reader)
    if kind != "photo" or views != 1:
        return None
    reader.take(rows * _ROW.size)
    head, points = _parse_points(reader)
    (mirrored,) = reader.unpack(_COUNT)
    rest = mirrored * (4 + DESCRIPTOR_BYTES) + head[-2] * head[-1]
    _require(mirrored <= MAX_POINTS and reader.at + rest == total, "it ends elsewhere than it says")
    return points


def picture_size(start: bytes) -> tuple[int, int]:
    """Pixels across and down of the upright original, from the first bytes of a fingerprint.

    Raises:
        FingerprintError: `malformed_fingerprint`.
    """
    sizes = _parse_head(_Reader(start))[-1]
    return sizes[0], sizes[1]


def require_usable(data: bytes, kind: str) -> None:
    """Refuse bytes that could not be compared with others: one such row would break the comparison of all.

    Args:
        data: as a confined process gave them.
        kind: of the file that they are made of.

    Raises:
        FingerprintError: `malformed_fingerprint`.
    """
    made = Fingerprint.from_bytes(data)
    same = (made.kind, made.algorithm, made.version) == (kind, ALGORITHM, ALGORITHM_VERSION)
    _require(same, "it is of another kind or algorithm")
    if kind == "photo":
        plain_hashes([data[:PHOTO_HASHES_END]])
        photo_points(data[:PHOTO_POINTS_END], len(data))


def _parse_head(reader: _Reader) -> tuple[Kind, str, int, tuple[int, ...]]:
    """Kind, algorithm, version; width, height, duration, sampled frames, number of rows and of views."""
    _require(reader.take(4) == _MAGIC, "the magic number is missing")
    try:
        kind: Kind = _KINDS[reader.take(1)[0]]
        algorithm = reader.take(reader.take(1)[0]).decode("ascii")
    except (IndexError, UnicodeDecodeError) as error:
        raise _malformed(f"bytes end early or are no fingerprint ({error})") from error
    (version,) = reader.unpack(_COUNT)
    sizes = reader.unpack(_HEAD)
    _require(sizes[4] <= MAX_ROWS and sizes[5] <= MAX_VIEWS, "there are too many rows or views")
    return kind, algorithm, version, sizes


def _parse(reader: _Reader) -> Fingerprint:
    kind, algorithm, version, sizes = _parse_head(reader)
    width, height, duration, sampled, row_count, view_count = sizes
    rows = tuple(_parse_row(reader) for _ in range(row_count))
    views = tuple(_parse_view(reader) for _ in range(view_count))
    reader.finish()
    inside = any(row.role == "content" for row in rows)
    _require(kind == "video" or len(views) <= 1 + inside, "a photo has more views than parts")
    _require(not inside or (kind == "photo" and len(views) == 2), "a part of a photo has no view")  # noqa: PLR2004
    return Fingerprint(kind, width, height, duration, sampled, rows, views, algorithm, version)


def _parse_row(reader: _Reader) -> HashRow:
    role, dihedral, left, top, right, bottom, time_ms, quality, value = _ROW.unpack(reader.take(_ROW.size))
    known = role < len(_ROLES) and dihedral < _DIHEDRALS and quality <= _BEST_QUALITY
    _require(known, "a hash row has an unknown role")
    _require(left < right <= WINDOW_UNIT and top < bottom <= WINDOW_UNIT, "a hash row's window is empty")
    return HashRow(_ROLES[role], dihedral, (left, top, right, bottom), time_ms, quality, value)


def _parse_view(reader: _Reader) -> View:
    (time_ms, width, height, picture_width, picture_height), features = _parse_points(reader)
    mirrored = _parse_features(reader, width, height)
    picture = reader.take(picture_width * picture_height)
    return View(time_ms, width, height, features, mirrored, picture_width, picture_height, picture)


def _parse_points(reader: _Reader) -> tuple[tuple[int, ...], FeatureSet]:
    """The numbers that a view begins with, and its points as it is."""
    head = reader.unpack(_VIEW)
    _, width, height, picture_width, picture_height = head
    _require(0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE, "a view has an impossible size")
    small = 0 < picture_width <= MAX_PICTURE_SIDE and 0 < picture_height <= MAX_PICTURE_SIDE
    _require(small, "a view's picture has an impossible size")
    return head, _parse_features(reader, width, height)


def _parse_features(reader: _Reader, width: int, height: int) -> FeatureSet:
    (count,) = reader.unpack(_COUNT)
    _require(count <= MAX_POINTS, "a view has too many points")
    found = FeatureSet(reader.take(count * 4), reader.take(count * DESCRIPTOR_BYTES))
    inside = bool((found.positions() <= (width, height)).all())
    _require(inside, "a point lies outside its picture")
    return found
