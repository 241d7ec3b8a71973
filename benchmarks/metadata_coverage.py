"""How much of what exiftool reads of photos stands in the record, field by field, and whether it is right.

    python -m benchmarks.metadata_coverage FOLDER [--exiftool PROGRAM] [--fields]

FOLDER holds photos and, where somebody made one, `expected.json`: per file the `tags` by "group:name" and the
`composite` values of exiftool. With `--exiftool` the program is asked too, for whatever `expected.json` does not hold.
For each group: how many values exiftool has, how many of them the record has right, how many it does not have, how many
are wrong, and how many the record has where exiftool has none. `--fields` prints the same for each field, and names
what is absent.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from app.analysis.extract import inspect_file
from app.analysis.facts import same_serial, same_text
from app.analysis.limits import Limits
from app.analysis.second_opinion import Opinion, ask
from schemas.records.v1.media_metadata import MediaMetadata

Same = Callable[[Any, str], bool]


def near(apart: float, factor: float = 1.0) -> Same:
    """Equality of numbers up to a difference; exiftool's times a factor."""

    def same(ours: object, theirs: str) -> bool:
        try:
            return isinstance(ours, int | float) and abs(ours - float(theirs) * factor) <= apart
        except ValueError:
            return False

    return same


def part(share: float) -> Same:
    """Equality of numbers up to a share of them."""

    def same(ours: object, theirs: str) -> bool:
        try:
            return isinstance(ours, int | float) and abs(ours - float(theirs)) <= share * max(1e-9, abs(float(theirs)))
        except ValueError:
            return False

    return same


def second(ours: object, theirs: str) -> bool:
    """Equality of times of day to the second, in whatever spelling."""
    return [c for c in str(ours)[:19] if c.isdigit()] == [c for c in theirs[:19] if c.isdigit()]


def text(ours: object, theirs: str) -> bool:
    """Equality of texts but for case, blanks and the separator of lists."""
    if theirs.startswith("["):
        theirs = ",".join(map(str, json.loads(theirs)))
    return same_text(str(ours).replace(";", ","), theirs.replace(";", ","))


@dataclass(frozen=True)
class Field:
    """A field of the record, exiftool's tags for it in order, and what counts as the same.

    `of_raw` compares what the record keeps as recorded: the number behind a word.
    """

    path: str
    tags: tuple[str, ...]
    same: Same = text
    of_raw: bool = False
    unknown: tuple[str, ...] = ("", "undef", "inf")


GPS, EXIF, XMP = "GPS:GPS", "ExifIFD:", "XMP-drone-dji:"
FIELDS = (
    Field("device.make", ("IFD0:Make", "XMP-tiff:Make")),
    Field("device.model", ("IFD0:Model", "XMP-tiff:Model", "FLIR:CameraModel")),
    Field(
        "device.camera_serial",
        (
            f"{EXIF}SerialNumber",
            "IFD0:CameraSerialNumber",
            "Canon:SerialNumber",
            "Nikon:SerialNumber",
            "Olympus:SerialNumber",
            "Pentax:SerialNumber",
            "Sigma:SerialNumber",
            "Motorola:SerialNumber",
            "FLIR:CameraSerialNumber",
            "XMP-aux:SerialNumber",
            "GoPro:CameraSerialNumber",
        ),
        same_serial,
    ),
    Field(
        "device.lens_serial",
        (f"{EXIF}LensSerialNumber", "XMP-aux:LensSerialNumber", "FLIR:LensSerialNumber", "Olympus:LensSerialNumber"),
        same_serial,
    ),
    Field(
        "device.internal_serial",
        tuple(f"{maker}:InternalSerialNumber" for maker in ("Canon", "Olympus", "Panasonic", "FujiFilm")),
    ),
    Field("device.sensor_serial", ("DJI:SensorID",)),
    Field("device.lens", (f"{EXIF}LensModel", "XMP-aux:Lens", "FLIR:LensModel")),
    Field("device.software", ("IFD0:Software", "XMP-xmp:CreatorTool", "FLIR:CameraSoftware")),
    Field("device.host", ("IFD0:HostComputer",)),
    Field(
        "time.capture_local",
        (f"{EXIF}DateTimeOriginal", "IFD0:DateTimeOriginal", "XMP-exif:DateTimeOriginal", "FLIR:DateTimeOriginal"),
        second,
    ),
    Field("time.utc_offset", (f"{EXIF}OffsetTimeOriginal",)),
    Field("time.digitized_local", (f"{EXIF}CreateDate",), second),
    Field("time.modified", ("IFD0:ModifyDate", "XMP-xmp:ModifyDate"), second),
    Field("time.gps_utc", ("Composite:GPSDateTime",), second),
    Field("position.lat", ("Composite:GPSLatitude",), near(1e-6)),
    Field("position.lon", ("Composite:GPSLongitude",), near(1e-6)),
    Field("position.alt_gps", ("Composite:GPSAltitude",), near(0.1)),
    Field("position.alt_absolute", (f"{XMP}AbsoluteAltitude",), near(0.01)),
    Field("position.alt_relative", (f"{XMP}RelativeAltitude",), near(0.01)),
    Field("position.image_direction", (f"{GPS}ImgDirection",), near(1e-3)),
    Field("position.track", (f"{GPS}Track",), near(1e-3)),
    Field("position.dest_bearing", (f"{GPS}DestBearing",), near(1e-3)),
    Field("position.horizontal_error", (f"{GPS}HPositioningError",), near(1e-3)),
    Field("position.dop", (f"{GPS}DOP",), near(1e-3)),
    Field("position.speed", (f"{GPS}Speed",), near(1e-3, 1 / 3.6)),
    Field("position.map_datum", (f"{GPS}MapDatum",)),
    Field("position.satellites", (f"{GPS}Satellites",)),
    Field("position.measure_mode", (f"{GPS}MeasureMode",)),
    Field("position.processing_method", (f"{GPS}ProcessingMethod",)),
    *(
        Field(f"attitude.{ours}_{axis.lower()}", (f"{XMP}{theirs}{axis}Degree", f"DJI:{other}{axis}"), near(0.011))
        for ours, theirs, other in (("flight", "Flight", ""), ("gimbal", "Gimbal", "Camera"))
        for axis in ("Yaw", "Pitch", "Roll")
    ),
    *(Field(f"attitude.speed_{axis.lower()}", (f"DJI:Speed{axis}",), near(1e-3)) for axis in "XYZ"),
    Field("exposure.exposure_time", (f"{EXIF}ExposureTime",), part(0.01)),
    Field("exposure.f_number", (f"{EXIF}FNumber",), part(0.01)),
    Field("exposure.iso", (f"{EXIF}ISO",), near(0)),
    Field("exposure.focal_length", (f"{EXIF}FocalLength",), part(0.01), unknown=("", "undef", "0")),
    Field("exposure.focal_length_35mm", (f"{EXIF}FocalLengthIn35mmFormat",), near(0), unknown=("", "0")),
    Field("exposure.exposure_bias", (f"{EXIF}ExposureCompensation",), near(0.01)),
    Field("exposure.brightness", (f"{EXIF}BrightnessValue",), near(0.01)),
    Field("exposure.program", (f"{EXIF}ExposureProgram",), of_raw=True, unknown=("", "0")),
    Field("exposure.metering", (f"{EXIF}MeteringMode",), of_raw=True, unknown=("", "0")),
    Field("exposure.light_source", (f"{EXIF}LightSource",), of_raw=True, unknown=("", "0")),
    Field("exposure.mode", (f"{EXIF}ExposureMode",), of_raw=True),
    Field("exposure.white_balance", (f"{EXIF}WhiteBalance",), of_raw=True),
    Field("exposure.scene", (f"{EXIF}SceneCaptureType",), of_raw=True),
    Field("exposure.rendering", (f"{EXIF}CustomRendered",), of_raw=True),
    Field("exposure.flash", (f"{EXIF}Flash",), of_raw=True),
    Field("image.width", ("File:ImageWidth", "RIFF:ImageWidth", "IFD0:ImageWidth"), near(0)),
    Field("image.height", ("File:ImageHeight", "RIFF:ImageHeight", "IFD0:ImageHeight"), near(0)),
    Field("image.orientation", ("IFD0:Orientation",), near(0)),
    Field("image.bits", ("File:BitsPerSample",), near(0)),
    Field("image.components", ("File:ColorComponents",), near(0)),
    Field("image.exif_width", (f"{EXIF}ExifImageWidth",), near(0)),
    Field("image.exif_height", (f"{EXIF}ExifImageHeight",), near(0)),
    Field("image.unique_id", (f"{EXIF}ImageUniqueID",)),
    Field("image.profile.description", ("ICC_Profile:ProfileDescription",)),
    Field("image.profile.created", ("ICC-header:ProfileDateTime",), second, unknown=("", "0000:00:00 00:00:00")),
    Field("image.profile.color_space", ("ICC-header:ColorSpaceData",)),
    Field("description.caption", ("IPTC:Caption-Abstract", "XMP-dc:Description", "IFD0:ImageDescription")),
    Field("description.headline", ("IPTC:Headline", "XMP-photoshop:Headline")),
    Field("description.title", ("IPTC:ObjectName", "XMP-dc:Title")),
    Field("description.byline", ("IPTC:By-line", "XMP-dc:Creator", "IFD0:Artist")),
    Field("description.credit", ("IPTC:Credit",)),
    Field("description.copyright", ("IPTC:CopyrightNotice", "XMP-dc:Rights", "IFD0:Copyright")),
    Field("description.city", ("IPTC:City", "XMP-photoshop:City")),
    Field("description.state", ("IPTC:Province-State", "XMP-photoshop:State")),
    Field("description.country", ("IPTC:Country-PrimaryLocationName", "XMP-photoshop:Country")),
)


@dataclass
class Count:
    """Values of one field or group."""

    there: int = 0
    right: int = 0
    absent: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    alone: int = 0

    def line(self, name: str) -> str:
        """A row of the table."""
        return f"| {name} | {self.there} | {self.right} | {len(self.absent)} | {len(self.wrong)} | {self.alone} |"


def main() -> None:
    """Compare and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metadata_coverage", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--exiftool", type=Path, default=None)
    parser.add_argument("--fields", action="store_true")
    options = parser.parse_args()
    files, fields, groups = compare(options.folder, options.exiftool)
    first = "field" if options.fields else "group"
    print(f"{files} files\n\n| {first} | exiftool has | right | absent | wrong | ours alone |")
    print("|---|---|---|---|---|---|")
    for name, count in (fields if options.fields else groups).items():
        print(count.line(name))
    for name, count in fields.items():
        for wrong in count.wrong:
            print(f"wrong: {name}: {wrong}")
        for absent in count.absent if options.fields else ():
            print(f"absent: {name}: {absent}")


def compare(folder: Path, exiftool: Path | None = None) -> tuple[int, dict[str, Count], dict[str, Count]]:
    """Number of files, and what came of each field and of each group.

    Args:
        folder: photos, and perhaps `expected.json`.
        exiftool: asked for what that does not hold; None for nobody.
    """
    fields: dict[str, Count] = defaultdict(Count)
    groups: dict[str, Count] = defaultdict(Count)
    found = _files(folder, exiftool)
    for path, tags in found:
        record = inspect_file(path, path.name)
        for one in FIELDS:
            for count in (fields[one.path], groups[one.path.partition(".")[0]]):
                _weigh(count, one, record, tags, path.name)
    return len(found), fields, groups


def _files(folder: Path, exiftool: Path | None) -> list[tuple[Path, dict[str, str]]]:
    """Each file with exiftool's values as text."""
    kept = folder / "expected.json"
    known: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    by_name = {Path(name).name: said for name, said in known.items()}
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".json" or (known and path.name not in by_name):
            continue
        tags: dict[str, str] = {}
        if exiftool is not None:
            opinion = ask(exiftool, path, Limits())
            tags |= opinion.tags if isinstance(opinion, Opinion) else {}
        said = by_name.get(path.name, {})
        tags |= {name: str(value) for name, value in said.get("tags", {}).items()}
        tags |= {f"Composite:{name}": str(value) for name, value in said.get("composite", {}).items()}
        if tags:
            found.append((path, tags))
    return found


def _weigh(count: Count, one: Field, record: MediaMetadata, tags: dict[str, str], name: str) -> None:
    fact: Any = reduce(getattr, one.path.split("."), record)
    ours: Any = getattr(fact, "raw" if one.of_raw else "value")
    theirs = next((value for tag in one.tags if (value := tags.get(tag, "").strip()) not in one.unknown), None)
    if theirs is None:
        count.alone += ours is not None
        return
    count.there += 1
    if ours is None:
        count.absent.append(f"{name}: exiftool {theirs!r}")
    elif one.same(ours, theirs):
        count.right += 1
    else:
        count.wrong.append(f"{name}: {ours!r} ({fact.source}), exiftool {theirs!r}")


if __name__ == "__main__":
    main()
