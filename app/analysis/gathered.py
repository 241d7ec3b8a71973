"""Everything the probes read of one file, and small accessors that name their source."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal

from app.analysis.facts import Said
from app.analysis.normalise_values import number
from app.analysis.probes.exif import as_text
from app.analysis.probes.exif_names import EXIF_NAMES
from app.analysis.probes.filetype import FileType
from app.analysis.probes.flir import FlirData
from app.analysis.probes.iptc import Iptc
from app.analysis.probes.makernotes import MakerNotes
from app.analysis.probes.matroska import MatroskaFacts
from app.analysis.probes.movie import MovieBoxes
from app.analysis.probes.picture import Picture
from app.analysis.probes.readings import Readings, Remark
from app.analysis.probes.riff import RiffFacts
from app.analysis.probes.telemetry import Telemetry
from app.analysis.probes.tiff import Number, TagKey, TagValue, decode_text
from app.analysis.probes.traces import Traces
from app.analysis.probes.transport import TransportFacts
from app.analysis.probes.video import VideoData
from app.analysis.probes.xmp import XmpData
from schemas.records.v1.c2pa_facts import C2paFacts

_NUMBER_OF: Final[dict[str, TagKey]] = {name: key for key, name in EXIF_NAMES.items()}


@dataclass
class Gathered:
    """What the probes read; parts that do not apply to the format stay empty.

    Attributes:
        exif_unread: tags that are there and that no reader could take.
        order: byte order of the EXIF structure.
        maker: the maker's private EXIF block.
        iptc: IPTC-IIM texts.
        picture: how the picture is coded, and the pictures beside it.
        texts: of the container (PNG's text chunks, JPEG's comment), by name.
        tracks: all telemetry tracks; `track` is the one that the record shows.
        size_in_header: width and height that the format's own header states, pixels, with the tool's name.
    """

    name: str
    size: int
    type: FileType
    exif: dict[TagKey, TagValue] = field(default_factory=dict)
    exif_unread: set[TagKey] = field(default_factory=set)
    xmp: XmpData = field(default_factory=XmpData)
    flir: FlirData = field(default_factory=FlirData)
    order: Literal["little", "big"] = "little"
    maker: MakerNotes = field(default_factory=MakerNotes)
    iptc: Iptc = field(default_factory=Iptc)
    picture: Picture = field(default_factory=Picture)
    texts: dict[str, str] = field(default_factory=dict)
    movie: MovieBoxes | None = None
    video: VideoData | None = None
    traces: Traces = field(default_factory=Traces)
    matroska: MatroskaFacts | None = None
    riff: RiffFacts | None = None
    transport: TransportFacts | None = None
    tracks: list[Telemetry] = field(default_factory=list)
    track: Telemetry | None = None
    brand: str | None = None
    c2pa: C2paFacts = field(default_factory=C2paFacts)
    size_in_header: tuple[int, int, str] | None = None
    dumps: list[Readings] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def tag(self, name: str) -> TagValue | None:
        """An EXIF tag by name; tags of the Exif IFD also where TIFF/EP puts them, in IFD0."""
        key = _NUMBER_OF[name]
        return self.exif.get(key) or (self.exif.get(("IFD0", key[1])) if key[0] == "EXIF" else None)

    def exif_text(self, name: str) -> Said[str] | None:
        """An EXIF text without padding; None when it is blank."""
        tag = self.tag(name)
        if tag is None:
            return None
        value = decode_text(tag.value) if isinstance(tag.value, bytes) else tag.value
        text = value if isinstance(value, str) else as_text(value)
        stripped = text.strip().strip("\0").strip()
        return Said(stripped, text, self.exif_source(name)) if stripped else None

    def exif_source(self, name: str) -> str:
        """Tool and tag, as facts name their source."""
        key, tag = _NUMBER_OF[name], self.tag(name)
        return f"{tag.tool if tag else 'exifread'} {key[0]} {name}"

    def exif_numbers(self, name: str) -> tuple[Number, ...]:
        """Numbers of an EXIF tag; empty when it holds none."""
        tag = self.tag(name)
        if tag is None:
            return ()
        if isinstance(tag.value, bytes):
            return tuple(tag.value[:8])
        if isinstance(tag.value, str):
            read = number(tag.value)
            return () if read is None else (read,)
        return tag.value

    def exif_number(self, name: str, factor: float = 1.0) -> Said[float] | None:
        """The first number of an EXIF tag times a factor; None when undefined or not finite."""
        numbers = self.exif_numbers(name)
        if not numbers or numbers[0] is None:
            return None
        value = float(numbers[0]) * factor
        return Said(value + 0.0, self.raw(name), self.exif_source(name)) if math.isfinite(value) else None

    def raw(self, *names: str) -> str:
        """Texts of EXIF tags as recorded, joined by blanks."""
        tags = [self.tag(name) for name in names]
        return " ".join(as_text(tag.value) for tag in tags if tag is not None)

    def xmp_text(self, *names: str) -> Said[str] | None:
        """The first of some XMP properties that is there."""
        for name in names:
            text = self.xmp.properties.get(name)
            if text:
                return Said(text, text, f"xmp {name}")
        return None

    def xmp_number(self, *names: str) -> Said[float] | None:
        """The first of some XMP properties that holds a number."""
        for name in names:
            text = self.xmp.properties.get(name)
            value = None if text is None else number(text)
            if text is not None and value is not None:
                return Said(value, text, f"xmp {name}")
        return None

    def drone_number(self, *locals_: str) -> Said[float] | None:
        """A number among the properties of any maker's drone namespace."""
        names = [name for name in self.xmp.properties if name.startswith("drone-") and name.split(":", 1)[1] in locals_]
        return self.xmp_number(*names)

    def maker_text(self, name: str) -> Said[str] | None:
        """A text of the maker's private block."""
        text = self.maker.text(name)
        return Said(text, text, f"makernotes {self.maker.maker} {name}") if text else None

    def maker_number(self, name: str, maker: str, index: int = 0) -> Said[float] | None:
        """A number of one maker's private block; None when it is not finite."""
        numbers = self.maker.numbers(name) if self.maker.maker == maker else ()
        found = numbers[index] if index < len(numbers) else None
        if found is None or not math.isfinite(found):
            return None
        return Said(round(float(found), 6) + 0.0, str(float(found)), f"makernotes {maker} {name}")

    def iptc_text(self, name: str) -> Said[str] | None:
        """A text of IPTC-IIM record 2."""
        text = self.iptc.texts.get(name)
        return Said(text, text, f"iptc {name}") if text else None

    def written(self, *names: str) -> Said[str] | None:
        """The first of some texts of the container."""
        for name in names:
            text = self.texts.get(name, "").strip()
            if text:
                return Said(text, text, f"{self.type.format.lower()} {name}")
        return None

    def movie_texts(self, *names: str) -> list[Said[str]]:
        """All of some QuickTime keys, user data codes and container tags that are there, best first."""
        places: list[tuple[str, dict[str, str]]] = []
        if self.movie is not None:
            places += [("boxes keys", self.movie.keys), ("boxes udta", self.movie.texts)]
            places += [("boxes ilst", self.movie.items), ("boxes GPMF", self.movie.gopro)]
            places.append(("boxes xml", self.movie.camera_xml))
        if self.matroska is not None:
            places += [("matroska", self.matroska.texts), ("matroska tag", self.matroska.tags)]
        if self.riff is not None:
            places.append(("riff", self.riff.texts))
        if self.video is not None:
            places.append(("PyAV", self.video.metadata))
        found = ((tool, name, texts.get(name, "").strip()) for name in names for tool, texts in places)
        return [Said(text, text, f"{tool} {name}") for tool, name, text in found if text]

    def movie_text(self, *names: str) -> Said[str] | None:
        """The first of them."""
        return next(iter(self.movie_texts(*names)), None)
