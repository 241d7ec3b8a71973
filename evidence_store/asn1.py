"""DER reading and writing: the one place that touches `asn1crypto`.

Only its eager tag-length-value functions are used, never its lazy typed values, so nothing can
fail later than here. Reading is strict: every element must be what a DER writer (X.690, section 10)
would have produced, byte for byte. Whatever is wrong raises `Asn1Error`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from asn1crypto import core, parser

from evidence_store.errors import EvidenceStoreError

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
UTF8_STRING: Final = 0x0C
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

_UTC_TIME_YEARS: Final = range(1950, 2050)
_CONTINUES: Final = 0x80  # set in every octet of an arc but the last
_TAG_CONTINUES: Final = 0x1F  # the tag's number follows in further octets
_MAX_HEADER: Final = 160  # of a tag and a length; what is longer is refused as it is read
_MAX_OID: Final = 128


class Asn1Error(EvidenceStoreError):
    """Bytes that are not the DER expected at this place."""

    def __init__(self, detail: str) -> None:
        super().__init__("asn1_malformed", detail)


def context(number: int) -> int:
    """The identifier octet of a constructed context-specific tag, `[number]`."""
    return 0xA0 | number


def primitive(number: int) -> int:
    """The identifier octet of a primitive context-specific tag: `[number] IMPLICIT` of a simple type."""
    return 0x80 | number


def encode(tag: int, *contents: bytes) -> bytes:
    """One element: identifier octet `tag`, then the contents joined."""
    encoded: bytes = parser.emit(tag >> 6, tag >> 5 & 1, tag & 31, b"".join(contents))
    return encoded


def set_of(*elements: bytes) -> bytes:
    """A SET OF with its members in DER order (X.690, section 11.6)."""
    return encode(SET, *sorted(elements))


def integer(value: int) -> bytes:
    """An INTEGER of any size."""
    encoded: bytes = core.Integer(value).dump()
    return encoded


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    encoded: bytes = core.ObjectIdentifier(dotted).dump()
    return encoded


def dotted(element: bytes) -> str:
    """The dotted form of one whole OBJECT IDENTIFIER element (X.690, section 8.19).

    Raises:
        Asn1Error: it is not one in its shortest form.
    """
    reader = Reader(element)
    contents = reader.take(OBJECT_IDENTIFIER)
    reader.end()
    if not 0 < len(contents) <= _MAX_OID or contents[-1] >= _CONTINUES:
        raise Asn1Error("an object identifier is empty, cut short or too long")
    arcs, value = [], 0
    for octet in contents:
        if octet == _CONTINUES and not value:
            raise Asn1Error("an object identifier is padded")
        value = value << 7 | octet & 0x7F
        if octet < _CONTINUES:
            arcs.append(value)
            value = 0
    root = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (root, arcs[0] - 40 * root, *arcs[1:]))


def time(moment: datetime) -> bytes:
    """A CMS Time (RFC 5652, section 11.3): UTCTime for 1950-2049, GeneralizedTime otherwise.

    Args:
        moment: an aware time; fractions of a second are cut off, since neither form carries them here.

    Raises:
        Asn1Error: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise Asn1Error("a time without a zone cannot be encoded")
    utc = moment.astimezone(UTC)
    digits = f"{utc.year:04d}{utc:%m%d%H%M%S}Z".encode("ascii")
    if utc.year in _UTC_TIME_YEARS:
        return encode(UTC_TIME, digits[2:])
    return encode(GENERALIZED_TIME, digits)


def parse_time(element: bytes) -> datetime:
    """The UTC time of one whole UTCTime or GeneralizedTime element.

    Raises:
        Asn1Error: not a time, or not in the form that `time` writes.
    """
    reader = Reader(element)
    tag = reader.tag()
    digits = reader.take(tag)
    reader.end()
    if tag == UTC_TIME:
        digits = (b"19" if digits[:1] >= b"5" else b"20") + digits
    try:
        moment = datetime.strptime(digits.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Asn1Error("not a time") from None
    if time(moment) != element:
        raise Asn1Error("a time in a form that DER does not allow")
    return moment


class Reader:
    """A cursor over consecutive DER elements.

    Args:
        data: the elements, one after the other.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def tag(self) -> int:
        """The identifier octet of the next element; 0 at the end."""
        return self._data[self._at] if self._at < len(self._data) else 0

    def take_element(self, tag: int) -> bytes:
        """The next element, header included; it must carry this identifier octet."""
        return self._next(tag)[0]

    def take(self, tag: int) -> bytes:
        """The contents of the next element; it must carry this identifier octet."""
        return self._next(tag)[1]

    def take_integer(self, tag: int = INTEGER) -> int:
        """The next element as a whole number; `tag` is another one where the INTEGER is tagged implicitly.

        Raises:
            Asn1Error: also for a number that is not in its shortest form (X.690, section 8.3.2).
        """
        contents = self.take(tag)
        value = int.from_bytes(contents, "big", signed=True)
        if integer(value)[-len(contents) :] != contents or len(integer(value)) != len(encode(INTEGER, contents)):
            raise Asn1Error("a number is not in its shortest form")
        return value

    def enter(self, tag: int) -> Reader:
        """A reader over the contents of the next element."""
        return Reader(self.take(tag))

    def elements(self) -> list[bytes]:
        """All remaining elements, each with its header."""
        found = []
        while self._at < len(self._data):
            found.append(self.take_element(self.tag()))
        return found

    def end(self) -> None:
        """Nothing may remain.

        Raises:
            Asn1Error: something does.
        """
        if self._at < len(self._data):
            raise Asn1Error(f"{len(self._data) - self._at} bytes follow where nothing may")

    def _next(self, tag: int) -> tuple[bytes, bytes]:
        if self.tag() != tag:
            raise Asn1Error(f"expected tag {tag:#04x}, found {self.tag():#04x}")
        # One element at a time: a copy of all that follows, for each of many, would take for ever.
        element = self._data[self._at : self._end_of_next()]
        try:
            kind, method, number, header, contents, _trailer = parser.parse(element)
            canonical: bytes = parser.emit(kind, method, number, contents)
        except (ValueError, TypeError):
            raise Asn1Error("an element is cut short or has no valid header") from None
        # asn1crypto reads BER; an indefinite or padded length differs from what it would write itself.
        if not element.startswith(canonical) or len(canonical) != len(header) + len(contents):
            raise Asn1Error("a length is not in its shortest form")
        self._at += len(canonical)
        return canonical, contents

    def _end_of_next(self) -> int | None:
        """Where the next element ends by what its header says (X.690, section 8.1); None when it does not say."""
        header = self._data[self._at : self._at + _MAX_HEADER]
        at = 1
        if header and header[0] & _TAG_CONTINUES == _TAG_CONTINUES:  # a tag of several octets
            while at < len(header) and header[at] & _CONTINUES:
                at += 1
            at += 1
        if at >= len(header) or header[at] == _CONTINUES:  # cut short, or of indefinite length
            return None
        if header[at] < _CONTINUES:
            return self._at + at + 1 + header[at]
        octets = header[at] & ~_CONTINUES
        return self._at + at + 1 + octets + int.from_bytes(header[at + 1 : at + 1 + octets], "big")
