"""Mutated photos and blocks through every probe: `python -m tests.fuzz.media [--count 1000] [--seed N] [PARSER ...]`.

Each parser gets so many mutations of samples that are generated here (and of the corpus, where CATENA_SHARED names it):
bytes changed, cut, doubled, moved, numbers made huge. A parser answers or refuses with a code, and is done in two
seconds; anything else is printed with its traceback, and the exit code is 1. The sandbox is not asked: a fault shows.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageCms

from app.analysis.extract import inspect_file
from app.analysis.probes import embedded, gopro, icc, iptc, photoshop, quantisation, xmp
from app.analysis.probes.exif import read_exif
from app.analysis.probes.flir import read_flir
from app.analysis.record_bytes import from_bytes, to_bytes
from app.errors import CatenaError
from tests.maker_samples import directory, placed, raw, text, tiff
from tests.media_samples import exif_bytes, gps, photo, ratio, xmp_packet

SECONDS: Final = 2.0
_LARGEST: Final = 200_000
_HUGE: Final = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", b"\x80\x00\x00\x00", b"\xff\xff")
_CORPUS: Final = {"jpeg": ".jpg", "heif": ".heic", "tiff": ".tif"}


@dataclass(frozen=True)
class Parser:
    """What is called with bytes, and the samples to begin from."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes]


def parsers(folder: Path) -> dict[str, Parser]:
    """Every parser of photos by name.

    Args:
        folder: for the files that the file parsers read.
    """
    exif = exif_bytes(
        {0x010F: "Canon", 0x0110: "Model 1", 0x9C9B: "Title".encode("utf-16-le")},
        {0x9003: "2025:06:14 10:31:07", 0x9011: "+05:45", 0x9286: b"ASCII\0\0\0note", 0xA431: "SN-1", 0x9209: 1},
        gps((ratio(47), ratio(30), ratio(1)), "S", (ratio(19), ratio(0), ratio(0, 0)), "W") | {0x1D: "2025:06:14"},
    )
    packet = xmp_packet('drone-dji:RtkFlag="50" exif:GPSLatitude="12,34.567S"', "<tiff:Make>Maker</tiff:Make>")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    datasets = b"\x1c\x01\x5a\0\x03\x1b%G\x1c\x02\x5a\0\x04Lviv\x1c\x02\x37\0\x0820250614"
    resources = (
        b"8BIM\x04\x04\0\0" + len(datasets).to_bytes(4, "big") + datasets + b"8BIM\x04\x0c\0\0\0\0\0\x1e" + b"\0" * 30
    )
    blocks = [
        placed("Canon", "<", b"", [text(0x0096, "AB0123"), raw(0x0035, bytes(16))]),
        placed("SIGMA", ">", b"SIGMA\0\0\0\x01\0", [text(2, "02000019")]),
        tiff("Apple", "<", b"Apple iOS\0\0\x01MM" + directory([text(0x0B, "B-1")], ">", 14))[0],
        tiff("NIKON", "<", b"Nikon\0\x02\x10\0\0MM\0*\0\0\0\x08" + directory([text(0x1D, "3012345")], ">", 8))[0],
    ]
    files = {
        name: [photo(folder / f"seed.{suffix}", exif=exif, xmp=None if suffix == "tif" else packet).read_bytes()]
        for name, suffix in (("png", "png"), ("webp", "webp"), ("tiff", "tif"), ("heif", "avif"), ("jpeg", "jpg"))
    }
    pair = folder / "pair.jpg"
    first = Image.new("RGB", (32, 32))
    first.save(pair, "MPO", save_all=True, append_images=[first], exif=exif, icc_profile=profile)
    files["jpeg"].append(pair.read_bytes())
    for name, suffix in _CORPUS.items():
        files[name] += _shared(suffix)

    files["cr3"] = [canon_raw()]

    def whole(data: bytes) -> object:
        path = folder / "mutated"
        path.write_bytes(data)
        record = to_bytes(inspect_file(path, "mutated.jpg"))
        return from_bytes(record)

    found = {f"file {name}": Parser(whole, seeds) for name, seeds in files.items()}
    return found | {
        "exif and makers": Parser(lambda data: read_exif(io.BytesIO(data)), [exif[6:], *blocks]),
        "xmp": Parser(lambda data: xmp.read_xmp([data]), [packet, packet.decode().encode("utf-16")]),
        "iptc": Parser(iptc.read_iptc, [datasets]),
        "photoshop": Parser(photoshop.read_resources, [resources]),
        "icc": Parser(icc.read_icc, [profile]),
        "quantisation": Parser(_tables, [b"\0" + bytes(range(1, 65)) + b"\x11" + bytes(range(128))]),
        "gopro": Parser(gopro.read_gopro, [b"DEVC\0\x01\0\x0cCASNc\x04\0\x01C322FMWRc\x02\0\x01HD\0\0"]),
        "flir": Parser(read_flir, [b"FFF\0" + bytes(16) + b"\0\0\0\x64\0\0\0\x40\0\0\0\x01" + bytes(32) + bytes(900)]),
        "multi-picture index": Parser(
            lambda data: embedded.mpf_pictures(data, 0, io.BytesIO(data * 2), len(data) * 2),
            _indexes(pair.read_bytes()),
        ),
    }


def _tables(data: bytes) -> object:
    tables = quantisation.read_tables(data)
    return [(quantisation.exact_quality(each), quantisation.nearest_quality(each), each.sha256) for each in tables]


def canon_raw() -> bytes:
    """A file of Canon's newer raw form, with its EXIF structures and nothing else."""

    def box(name: bytes, body: bytes) -> bytes:
        return (len(body) + 8).to_bytes(4, "big") + name + body

    parts = [tiff("Canon", "<", None, [text(0x9003, "2025:06:14 10:31:07")])[0]]
    heading = b"II*\0\x08\0\0\0"
    parts += [heading + directory(tags, "<", 8) for tags in ([text(0xA431, "613040000565")], [text(0x96, "CG0156580")])]
    inside = b"".join(box(name, body) for name, body in zip((b"CMT1", b"CMT2", b"CMT3"), parts, strict=True))
    canon = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48") + inside
    return box(b"ftyp", b"crx \0\0\0\1crx isom") + box(b"moov", box(b"uuid", canon)) + box(b"mdat", b"")


def _indexes(data: bytes) -> list[bytes]:
    at = data.find(b"MPF\0") + 4
    return [data[at : at + 200]]


def _shared(suffix: str) -> list[bytes]:
    shared = os.environ.get("CATENA_SHARED")
    folder = Path(shared) / "corpus" / "photos" if shared else None
    if folder is None or not folder.is_dir():
        return []
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.name.lower().endswith(suffix)][:8]


def mutated(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One sample, changed in a few places; large ones are cut, for structure stands in front."""
    data = bytearray(chance.choice(seeds)[:_LARGEST])
    for _ in range(chance.randint(1, 8)):
        if not data:
            break
        at = int(len(data) * chance.random() ** 3)  # more often in front, where the structure is
        kind = chance.randrange(6)
        if kind == 0:
            data[at] = chance.randrange(256)
        elif kind == 1:
            data[at : at + 4] = chance.choice(_HUGE)
        elif kind == 2:
            del data[at : at + chance.randint(1, 16)]
        elif kind == 3:
            data[at:at] = data[at : at + chance.randint(1, 64)]
        elif kind == 4:
            other = chance.randrange(len(data))
            data[at : at + 8] = data[other : other + 8]
        else:
            data[at] ^= 1 << chance.randrange(8)
    return bytes(data[: chance.randint(1, len(data))] if data and chance.random() < 0.1 else data)


def fault(parser: Parser, data: bytes) -> str | None:
    """What is wrong with how a parser takes these bytes; None when it answers or refuses in time."""
    began = time.process_time()
    try:
        parser.run(data)
    except CatenaError:
        pass
    except Exception:  # noqa: BLE001 (anything that is raised is the fault that is looked for)
        return traceback.format_exc()
    spent = time.process_time() - began
    return f"it took {spent:.1f} s of CPU" if spent > SECONDS else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 when no fault was found."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz.media", description=__doc__)
    options.add_argument("names", nargs="*", metavar="PARSER")
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args(arguments)
    well = True
    with tempfile.TemporaryDirectory() as folder:
        for name, parser in parsers(Path(folder)).items():
            if given.names and name not in given.names:
                continue
            chance, faults = random.Random(f"{given.seed} {name}"), 0  # noqa: S311 (nothing secret)
            for number in range(given.count):
                data = mutated(chance, parser.seeds)
                found = fault(parser, data)
                if found is not None:
                    faults += 1
                    print(f"{name}: mutation {number}: {found}\n{data[:200].hex()}", flush=True)  # noqa: T201
            well = well and not faults
            print(f"{name}: {given.count} mutations, {faults} faults", flush=True)  # noqa: T201
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
