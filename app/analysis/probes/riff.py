"""Facts of an AVI file that its chunks state (RIFF and AVI; EXIF 2.32 4.7 for LIST exif; Nikon's LIST ncdt)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Final

from app.analysis.probes.readings import MAX_TEXT, Remark, clean, unusable
from app.analysis.probes.user_data import RawAtom, raw_atom

MAX_CHUNKS, MAX_DEPTH = 20_000, 6
_MAX_BODY = 4096
_MAX_UNKNOWN = 64
_SKIPPED = {b"movi", b"idx1", b"indx"}
_TEXTS = {b"IDIT", b"ISMP", b"strn"}
_EXIF: Final = {b"ecor": "make", b"emdl": "model", b"etim": "time", b"erel": "related", b"emnt": "maker note"}
_NIKON_TEXTS: Final = {3: "make", 4: "model", 5: "software", 19: "DateTimeOriginal", 20: "CreateDate"}
_FILLER = {b"JUNK", b"junk", b"PAD "}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ENGLISH = re.compile(r"^[A-Za-z]{3},?\s+([A-Za-z]{3})\s+(\d{1,2})\s+(\d{1,2}):(\d{2}):(\d{2})\s+(\d{4})$")
_NUMBERS = re.compile(
    r"^(\d{4})[/:\-]\s*(\d{1,2})[/:\-]\s*(\d{1,2})[ T]+(\d{1,2}):\s*(\d{1,2})(?::\s*(\d{1,2}))?\s*([AP]M)?$",
    re.IGNORECASE,
)


@dataclass
class RiffFacts:
    """What the chunks state.

    Attributes:
        texts: by the path of their chunk ("IDIT", "INFO/ISFT", "exif/model", "nikon/make" ...).
        streams: type and handler of each stream, as in its `strh` ("vids H264").
        unknown: maker data (`strd`, JUNK with content), kept raw.
        trailing: bytes after the last RIFF chunk.
    """

    texts: dict[str, str] = field(default_factory=dict)
    streams: list[str] = field(default_factory=list)
    unknown: list[RawAtom] = field(default_factory=list)
    parts: int = 0
    trailing: int = 0
    remarks: list[Remark] = field(default_factory=list)
    chunks: int = 0

    @property
    def dated(self) -> str | None:
        """The recorder's clock as ISO 8601 local text; None where it is in no known form."""
        return parse_date(self.texts.get("IDIT", "")) if "IDIT" in self.texts else None


def read_riff(stream: BinaryIO, size: int) -> RiffFacts:
    """Read the chunks of an AVI file of `size` bytes; media data are stepped over."""
    facts, at = RiffFacts(), 0
    while at + 12 <= size and facts.chunks < MAX_CHUNKS:
        stream.seek(at)
        head = stream.read(12)
        if head[:4] != b"RIFF":
            break
        facts.parts += 1
        stop = at + 8 + int.from_bytes(head[4:8], "little")
        if stop > size:
            text = "the file ends inside a chunk; consistent with a file cut off while recorded or copied"
            facts.remarks.append(Remark("truncated", text))
        _walk(stream, at + 12, min(stop, size), (), facts)
        at = stop + stop % 2
    if facts.texts.get("IDIT") and facts.dated is None:
        facts.remarks.append(unusable("riff IDIT", facts.texts["IDIT"], "which gives no date with a time of day"))
    facts.trailing = max(0, size - at)
    if facts.trailing:
        facts.remarks.append(Remark("trailing_data", f"{facts.trailing} bytes after the last chunk are no chunk"))
    if facts.chunks >= MAX_CHUNKS:
        facts.remarks.append(Remark("structure_too_large", "the file holds more chunks than are read"))
    return facts


def _walk(stream: BinaryIO, at: int, end: int, path: tuple[bytes, ...], facts: RiffFacts) -> None:
    for name, start, stop in _chunks(stream, at, end, facts):
        if name == b"LIST":
            stream.seek(start)
            kind = stream.read(4)
            if kind not in _SKIPPED and len(path) < MAX_DEPTH:
                _walk(stream, start + 4, stop, (*path, kind), facts)
        elif name not in _SKIPPED:
            stream.seek(start)
            _take(name, stream.read(min(stop - start, _MAX_BODY)), stop - start, path, facts)


def _chunks(stream: BinaryIO, at: int, end: int, facts: RiffFacts) -> Iterator[tuple[bytes, int, int]]:
    while at + 8 <= end and facts.chunks < MAX_CHUNKS:
        facts.chunks += 1
        stream.seek(at)
        head = stream.read(8)
        stop = min(at + 8 + int.from_bytes(head[4:8], "little"), end)
        yield head[:4], at + 8, stop
        at = stop + stop % 2


def _take(name: bytes, body: bytes, size: int, path: tuple[bytes, ...], facts: RiffFacts) -> None:
    code = clean(name.decode("latin-1")).strip()
    if name in _TEXTS:
        facts.texts.setdefault(code, _text(body))
    elif path[-1:] == (b"INFO",):
        facts.texts.setdefault(f"INFO/{code}", _text(body))
    elif path[-1:] == (b"exif",) and name in _EXIF:
        facts.texts.setdefault(f"exif/{_EXIF[name]}", _text(body))
    elif name == b"nctg":
        _nikon(body, facts)
    elif name == b"strh":
        facts.streams.append(" ".join(_text(part) or "-" for part in (body[:4], body[4:8])))
    elif (name == b"strd" or (name in _FILLER and _speaks(body))) and len(facts.unknown) < _MAX_UNKNOWN:
        facts.unknown.append(raw_atom("/".join(_text(part) for part in (*path, name)), size, body))


def _speaks(body: bytes) -> bool:
    """Filler in which a maker hides data begins with letters; a muxer's is empty, or an index that was not needed."""
    return body[:3].isalnum() and body[:4] not in {b"odml", b"inde"}


def _text(body: bytes) -> str:
    text = body[:MAX_TEXT].split(b"\0", 1)[0]
    try:
        return clean(text.decode("utf-8")).strip()
    except UnicodeDecodeError:
        return clean(text.decode("latin-1")).strip()


def _nikon(body: bytes, facts: RiffFacts) -> None:
    at = 0
    while at + 4 <= len(body):
        tag, length = struct.unpack_from("<HH", body, at)
        if tag in _NIKON_TEXTS:
            facts.texts.setdefault(f"nikon/{_NIKON_TEXTS[tag]}", _text(body[at + 4 : at + 4 + length]))
        at += 4 + length


def parse_date(text: str) -> str | None:
    """IDIT in the spellings of cameras ("Mon Mar 10 15:04:43 2003", "2001/ 1/27  1:42PM") as local ISO 8601 text."""
    text = " ".join(text.split())
    match = _ENGLISH.match(text)
    if match and match[1].lower() in _MONTHS:
        parts = [int(match[5 + 1]), _MONTHS.index(match[1].lower()) + 1, *(int(match[n]) for n in (2, 3, 4, 5))]
    elif match := _NUMBERS.match(text):
        parts = [int(match[n] or 0) for n in range(1, 7)]
        if match[7]:
            parts[3] = parts[3] % 12 + (12 if match[7].upper() == "PM" else 0)
    else:
        return None
    try:
        return datetime(*parts).strftime("%Y-%m-%dT%H:%M:%S")  # type: ignore[arg-type]  # noqa: DTZ001 (a wall clock)
    except ValueError:
        return None
