"""What somebody wrote into the file: IPTC-IIM, XMP and EXIF texts, each with the others as conflicts."""

from __future__ import annotations

from app.analysis.facts import Said, same_text, text_fact
from app.analysis.gathered import Gathered
from schemas.records.v1.media_metadata import DescriptionFacts, TextFact

_CODES = ((b"ASCII\0\0\0", "latin-1"), (b"UNICODE\0", "utf-16"), (b"JIS\0\0\0\0\0", "iso2022_jp"))
_CODE_LENGTH = 8


def description(gathered: Gathered) -> DescriptionFacts:
    """Texts as recorded; IPTC first, then XMP, then EXIF and the container's own."""
    iptc, xmp, exif = gathered.iptc_text, gathered.xmp_text, gathered.exif_text
    return DescriptionFacts(
        title=_fact(iptc("ObjectName"), xmp("dc:title"), wide(gathered, "XPTitle"), gathered.written("Title")),
        headline=_fact(iptc("Headline"), xmp("photoshop:Headline")),
        caption=_fact(
            iptc("Caption-Abstract"), xmp("dc:description"), exif("ImageDescription"), gathered.written("Description")
        ),
        comment=_fact(user_comment(gathered) or wide(gathered, "XPComment") or gathered.written("comment", "Comment")),
        byline=_fact(iptc("By-line"), xmp("dc:creator"), exif("Artist"), gathered.written("Author")),
        credit=_fact(iptc("Credit"), xmp("photoshop:Credit")),
        source=_fact(iptc("Source"), xmp("photoshop:Source"), gathered.written("Source")),
        copyright=_fact(iptc("CopyrightNotice"), xmp("dc:rights"), exif("Copyright"), gathered.written("Copyright")),
        keywords=_fact(iptc("Keywords") or xmp("dc:subject") or wide(gathered, "XPKeywords")),
        instructions=_fact(iptc("SpecialInstructions"), xmp("photoshop:Instructions")),
        sublocation=_fact(iptc("Sub-location"), xmp("Iptc4xmpCore:Location")),
        city=_fact(iptc("City"), xmp("photoshop:City")),
        state=_fact(iptc("Province-State"), xmp("photoshop:State")),
        country=_fact(iptc("Country-PrimaryLocationName"), xmp("photoshop:Country")),
        country_code=_fact(iptc("Country-PrimaryLocationCode"), xmp("Iptc4xmpCore:CountryCode")),
        created=_fact(iptc_moment(gathered, "DateCreated", "TimeCreated")),
        digitized=_fact(iptc_moment(gathered, "DigitalCreationDate", "DigitalCreationTime")),
    )


def _fact(*said: Said[str] | None) -> TextFact:
    return text_fact(said, same_text)


def user_comment(gathered: Gathered) -> Said[str] | None:
    """EXIF UserComment by the character code in its first eight bytes (EXIF 2.32 section 4.6.5)."""
    tag = gathered.tag("UserComment")
    if tag is None:
        return None
    value = tag.value
    if isinstance(value, tuple):
        value = bytes(part & 0xFF for part in value if isinstance(part, int))
    text = value if isinstance(value, str) else _decoded(value, gathered)
    text = text.split("\0", 1)[0].strip()
    return Said(text, text, gathered.exif_source("UserComment")) if text and text.isprintable() else None


def _decoded(value: bytes, gathered: Gathered) -> str:
    for code, encoding in _CODES:
        if value.startswith(code):
            ordered = "-le" if gathered.order == "little" else "-be"
            return value[_CODE_LENGTH:].decode(encoding + (ordered if encoding == "utf-16" else ""), "replace")
    return value[_CODE_LENGTH:].decode("utf-8", "replace") if value[:_CODE_LENGTH] == bytes(_CODE_LENGTH) else ""


def wide(gathered: Gathered, name: str) -> Said[str] | None:
    """Windows' texts: UTF-16, little endian, as bytes."""
    tag = gathered.tag(name)
    if tag is None:
        return None
    value = tag.value
    if isinstance(value, str):
        return Said(value.strip(), value, gathered.exif_source(name)) if value.strip() else None
    if isinstance(value, tuple):
        value = bytes(part & 0xFF for part in value if isinstance(part, int))
    text = value.decode("utf-16-le", "replace").split("\0", 1)[0].strip()
    return Said(text, text, gathered.exif_source(name)) if text else None


def iptc_moment(gathered: Gathered, day: str, clock: str) -> Said[str] | None:
    """IIM's CCYYMMDD and HHMMSS+HHMM as "2014-09-16T14:05:12+02:00"; the date alone where no time is recorded."""
    said, time = gathered.iptc_text(day), gathered.iptc_text(clock)
    digits = said.value.replace("-", "").replace(":", "") if said else ""
    if said is None or len(digits) != 8 or not digits.isdecimal() or not digits.strip("0"):  # noqa: PLR2004 (CCYYMMDD)
        return None
    text = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    hours = time.value.replace(":", "") if time else ""
    if time is None or len(hours) < 6 or not hours[:6].isdecimal():  # noqa: PLR2004 (HHMMSS)
        return Said(text, said.raw, said.source)
    text += f"T{hours[:2]}:{hours[2:4]}:{hours[4:6]}"
    if len(hours) == 11 and hours[6] in "+-" and hours[7:].isdecimal():  # noqa: PLR2004 (with an offset)
        text += f"{hours[6:9]}:{hours[9:]}"
    return Said(text, f"{said.raw} {time.raw}", f"{said.source} {clock}")
