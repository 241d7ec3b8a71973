"""Mutated recordings against the readers of containers: `python -m tests.mutations [--runs 1000] [--whole N]`.

Every reader gets so many files that differ from a sound one by flipped bits, cuts, repeated parts and the numbers that
parsers trip over. Each must end by itself, within a second, with a result; nothing may be raised.
With `--whole N`, N of them for each container go through the sandbox as a deposit would: a record or a coded failure.
Prints one line a reader; the exit code is 1 when anything of that did not hold.
"""

from __future__ import annotations

import argparse
import io
import random
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from app.analysis.inspecting import inspect_confined
from app.analysis.probes.matroska import read_matroska
from app.analysis.probes.movie import read_movie
from app.analysis.probes.riff import read_riff
from app.analysis.probes.traces import sei_payloads
from app.analysis.probes.transport import read_transport
from app.analysis.record_bytes import from_bytes
from tests.boxes import box, chunk, elst, ftyp, hdlr, keys_and_values, mdhd, mvhd, stsd, text, tkhd, track
from tests.media_samples import clip

MOST_SECONDS: Final = 1.0
_NUMBERS: Final = (
    0,
    1,
    7,
    8,
    127,
    128,
    255,
    32767,
    65535,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 40,
    (1 << 64) - 1,
)


@dataclass
class Told:
    """What became of one reader's files."""

    name: str
    runs: int = 0
    slowest: float = 0.0
    endings: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def mutate(seed: bytes, chance: random.Random) -> bytes:
    """A file that differs from a sound one in up to eight places."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data)) if data else 0
        kind = chance.randrange(6)
        if kind == 0 and data:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            number, width = chance.choice(_NUMBERS), chance.choice((1, 2, 4, 8))
            data[at : at + width] = (number & ((1 << 8 * width) - 1)).to_bytes(width, chance.choice(("big", "little")))
        elif kind == 2:
            del data[at : at + chance.randint(1, 64)]
        elif kind == 3:
            data[at:at] = data[at : at + chance.randint(1, 4096)]
        elif kind == 4 and chance.random() < 0.3:
            del data[at:]
        else:
            data[at:at] = chance.randbytes(chance.randint(1, 16))
    return bytes(data)


def _file(read: Callable[[io.BytesIO, int], object]) -> Callable[[bytes], object]:
    return lambda data: read(io.BytesIO(data), len(data))


READERS: Final[dict[str, tuple[str, Callable[[bytes], object]]]] = {
    "boxes": ("mp4", _file(read_movie)),
    "user data": ("user data", _file(read_movie)),
    "matroska": ("mkv", _file(read_matroska)),
    "riff": ("avi", _file(read_riff)),
    "transport": ("ts", _file(read_transport)),
    "sei": ("sei", lambda data: [list(sei_payloads(data, hevc=hevc)) for hevc in (False, True)]),
}


@cache
def seed_of(kind: str) -> bytes:
    """A sound file of a kind; of those that a muxer writes, a short one."""
    if kind == "user data":
        return _rich_movie()
    if kind == "sei":
        body = bytes(range(16)) + b"made by hand\0"
        unit = b"\x06\x05" + bytes([len(body)]) + body + b"\x80"
        return (struct.pack(">I", len(unit)) + unit) * 4
    with tempfile.TemporaryDirectory() as folder:
        made = clip(Path(folder) / f"clip.{kind}", frames=4, metadata={"title": "A title", "comment": "x"}).read_bytes()
    if kind == "avi":
        made += chunk(b"RIFF", b"AVI ", chunk(b"LIST", b"exif", chunk(b"ecor", b"Maker\0")))
    return made


def _rich_movie() -> bytes:
    settings = b"DEVC\0\1" + struct.pack(">H", 20) + b"CASNc\x0c\0\1C32213241234"
    fixed = struct.pack(">iii", -7_749_914, 2_233_165, 65_536)
    user = box(
        b"udta",
        box(b"\xa9xyz", text("+47.5160-019.9783/")),
        box(b"loci", b"\0\0\0\0\x15\xc7name\0\0" + fixed + b"earth\0\0"),
        box(b"GPMF", settings),
        box(b"FIRM", b"HD8\0"),
        box(b"XtRa", bytes(range(80))),
    )
    keys = keys_and_values({"com.apple.quicktime.make": (1, b"Apple"), "com.android.capture.fps": (23, bytes(4))})
    code = stsd(b"tmcd", bytes(12) + struct.pack(">IIIBB", 1, 30_000, 1_001, 30, 0))
    table = code + box(b"stco", bytes(4), struct.pack(">II", 1, 32))
    tracks = [
        track(tkhd(1, 1, 2), mdhd(3, 4), hdlr(b"vide", "Camera"), stsd(b"avc1", bytes(78)), elst((500, -1), (9, 9))),
        track(tkhd(2), mdhd(), hdlr(b"tmcd", "Code"), table),
    ]
    xmp = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), b"<x/>")
    return ftyp() + box(b"moov", mvhd(5, 6), *tracks, user, keys) + xmp + box(b"mdat", bytes(64))


def try_reader(name: str, runs: int, seed: int) -> Told:
    """Hand a reader so many mutated files."""
    kind, read = READERS[name]
    told = Told(name)
    for data in _mutated(kind, runs, seed):
        began = time.perf_counter()
        try:
            read(data)
        except Exception:  # noqa: BLE001 - whatever is raised is the fault that is looked for
            told.faults.append(traceback.format_exc(limit=-3))
        took = time.perf_counter() - began
        told.slowest = max(told.slowest, took)
        if took > MOST_SECONDS:
            told.faults.append(f"took {took:.1f} s")
        told.runs += 1
    return told


def try_whole(kind: str, runs: int, seed: int) -> Told:
    """Hand the whole of the analysis so many mutated files: a record that is one, or a coded failure."""
    told = Told(f"record of {kind}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"clip.{kind}"
        for data in _mutated(kind, runs, seed):
            path.write_bytes(data)
            began = time.perf_counter()
            found = inspect_confined(path, path.name)
            told.slowest = max(told.slowest, time.perf_counter() - began)
            told.runs += 1
            if found.record is not None:
                from_bytes(found.record)
            failure = found.failure
            told.endings["record" if failure is None else failure.code] += 1
            if failure is not None and failure.code == "parser_error" and failure.reason is None:
                told.faults.append(failure.detail)
    return told


def _mutated(kind: str, runs: int, seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)  # noqa: S311 (the same files each time)
    sound = seed_of(kind)
    for _ in range(runs):
        yield mutate(sound, chance)


def main() -> int:
    """Run all; 0 when nothing went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description="Mutate recordings.")
    parser.add_argument("--runs", type=int, default=1000, help="files for each reader")
    parser.add_argument("--whole", type=int, default=0, help="files for each container through the sandbox")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    told = [try_reader(name, options.runs, options.seed) for name in READERS]
    if options.whole:
        told += [try_whole(kind, options.whole, options.seed) for kind in ("mp4", "mkv", "avi", "ts")]
    for one in told:
        endings = ", ".join(f"{count} {name}" for name, count in one.endings.most_common())
        print(f"{one.name:16} {one.runs:>6} files  slowest {one.slowest:.3f} s  {len(one.faults)} faults  {endings}")  # noqa: T201
        for fault in one.faults[:3]:
            print(fault)  # noqa: T201
    return int(any(one.faults for one in told))


if __name__ == "__main__":
    sys.exit(main())
