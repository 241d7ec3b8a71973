"""The picture's size, coding and what lies beside it."""

from __future__ import annotations

from typing import Final

from app.analysis.facts import Said, integer_fact, text_fact
from app.analysis.gathered import Gathered
from app.analysis.probes.icc import IccProfile
from app.analysis.probes.quantisation import digest, exact_quality, nearest_quality
from app.analysis.probes.readings import clean
from schemas.records.v1.media_metadata import (
    EmbeddedImage,
    ImageFacts,
    IntegerFact,
    ProfileFacts,
    QuantisationTable,
    TextFact,
)

_ORIENTATIONS: Final = range(1, 9)
_COLOR_SPACES: Final = {1: "sRGB", 2: "Adobe RGB", 65535: "uncalibrated"}
_MAX_EMBEDDED: Final = 50
_BYTE: Final = 8


def image(gathered: Gathered) -> ImageFacts:
    """Size from the format's own header; orientation from EXIF, else XMP; coding from the format's structure."""
    if gathered.size_in_header is None:
        width, height = None, None
    else:
        across, down, tool = gathered.size_in_header
        width, height = Said(across, str(across), f"{tool} width"), Said(down, str(down), f"{tool} height")
    said = [gathered.exif_number("Orientation"), gathered.xmp_number("tiff:Orientation")]
    orientations = [Said(int(s.value), s.raw, s.source) for s in said if s is not None and s.value in _ORIENTATIONS]
    picture = gathered.picture
    tables = picture.tables
    return ImageFacts(
        width=integer_fact([width], "px"),
        height=integer_fact([height], "px"),
        orientation=integer_fact(orientations),
        rotation=_whole(gathered, picture.rotation, "irot", "deg anticlockwise"),
        exif_width=integer_fact([_exif_size(gathered, "PixelXDimension")], "px"),
        exif_height=integer_fact([_exif_size(gathered, "PixelYDimension")], "px"),
        bits=_whole(gathered, picture.bits, "bits of a sample", "bits"),
        components=_whole(gathered, picture.components, "components"),
        coding=_text(gathered, picture.coding, "coding"),
        sampling=_text(gathered, picture.sampling, "sampling factors"),
        color_space=_color_space(gathered),
        restart_interval=_whole(gathered, picture.restart_interval or None, "DRI"),
        scans=_whole(gathered, picture.scans, "scans"),
        quantisation_sha256=text_fact([_derived(digest(tables), "jpeg DQT, all tables")]),
        quality=_quality(gathered),
        trailing_bytes=_whole(gathered, picture.trailing, "bytes behind the end", "bytes"),
        unique_id=text_fact([gathered.exif_text("ImageUniqueID"), gathered.maker_text("ImageUniqueID")][:1]),
        quantisation=tuple(
            QuantisationTable(
                id=table.id,
                bits=8 if table.bits == _BYTE else 16,
                sha256=table.sha256,
                quality=exact_quality(table),
            )
            for table in sorted(tables, key=lambda each: each.id)
        ),
        profile=_profile(picture.profile),
        embedded=tuple(
            EmbeddedImage(
                kind=each.kind,
                source=each.source,
                size=each.size,
                offset=each.offset,
                sha256=each.sha256,
                media_type=each.media_type,
                width=each.width,
                height=each.height,
            )
            for each in picture.embedded[:_MAX_EMBEDDED]
        ),
    )


def _whole(gathered: Gathered, value: int | None, name: str, unit: str | None = None) -> IntegerFact:
    said = None if value is None else Said(value, str(value), f"{gathered.picture.tool} {name}")
    return integer_fact([said], unit)


def _text(gathered: Gathered, value: str | None, name: str) -> TextFact:
    return text_fact([Said(value, value, f"{gathered.picture.tool} {name}") if value else None])


def _derived(value: str | None, source: str) -> Said[str] | None:
    return Said(value, value, source, "derived") if value else None


def _exif_size(gathered: Gathered, name: str) -> Said[int] | None:
    said = gathered.exif_number(name)
    return Said(int(said.value), said.raw, said.source) if said and said.value > 0 else None


def _color_space(gathered: Gathered) -> TextFact:
    said = gathered.exif_number("ColorSpace")
    word = _COLOR_SPACES.get(int(said.value)) if said else None
    own = gathered.picture.color_space
    return text_fact(
        [
            Said(word, said.raw, said.source)
            if said and word
            else Said(own, own, f"{gathered.picture.tool} colour")
            if own
            else None
        ]
    )


def _quality(gathered: Gathered) -> IntegerFact:
    """Of the luminance table alone; derived where it is an example table scaled, else an estimate."""
    table = next((each for each in gathered.picture.tables if each.id == 0), None)
    if table is None:
        return IntegerFact()
    exact = exact_quality(table)
    if exact is not None:
        return integer_fact([Said(exact, str(exact), "jpeg DQT 0, as libjpeg scales the example table", "derived")])
    near = nearest_quality(table)
    source = "jpeg DQT 0, nearest example table as libjpeg scales it; the encoder uses tables of its own"
    return integer_fact([Said(near, str(near), source, "inferred")])


def _profile(profile: IccProfile | None) -> ProfileFacts:
    if profile is None:
        return ProfileFacts()

    def fact(value: str | None, name: str) -> TextFact:
        return text_fact([Said(clean(value), value, f"icc {name}") if value else None])

    return ProfileFacts(
        description=fact(profile.description, "desc"),
        created=fact(profile.created, "header date"),
        color_space=fact(profile.color_space, "header colour space"),
        device_class=fact(profile.device_class, "header class"),
        manufacturer=fact(profile.manufacturer, "header manufacturer"),
        version=fact(profile.version, "header version"),
        sha256=text_fact([_derived(profile.sha256, "icc, all bytes")]),
    )
