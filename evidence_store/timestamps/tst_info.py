"""TSTInfo, what a time-stamping authority signs (RFC 3161, section 2.4.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.algorithms import SIZES, read_digest

_GEN_TIME: Final = re.compile(rb"([0-9]{14})(?:\.([0-9]{0,11}[1-9]))?Z")
_BOOLEANS: Final = {b"\x00": False, b"\xff": True}
_SUBSECONDS: Final = range(1, 1000)


@dataclass(frozen=True, slots=True)
class Statement:
    """What the authority states; fields as in `TimestampToken`."""

    policy: str
    imprint_algorithm: str
    imprint: bytes
    serial: int
    gen_time: datetime
    accuracy: timedelta | None
    nonce: int | None


def read_statement(content: bytes) -> Statement:
    """Read a TSTInfo.

    Raises:
        EvidenceStoreError: `timestamp_malformed` (also for a critical extension), `timestamp_algorithm_unsupported`,
            or an `Asn1Error`.
    """
    outer = asn1.Reader(content)
    info = outer.enter(asn1.SEQUENCE)
    outer.end()
    if info.take_integer() != 1:
        raise _malformed("its statement is not version 1")
    policy = asn1.dotted(info.take_element(asn1.OBJECT_IDENTIFIER))
    message_imprint = info.enter(asn1.SEQUENCE)
    algorithm = read_digest(message_imprint.take_element(asn1.SEQUENCE))
    imprint = message_imprint.take(asn1.OCTET_STRING)
    message_imprint.end()
    if len(imprint) != SIZES[algorithm]:
        raise _malformed(f"its {algorithm} imprint has {len(imprint)} bytes")
    serial = info.take_integer()
    gen_time = _time(info.take(asn1.GENERALIZED_TIME))
    accuracy = _accuracy(info.enter(asn1.SEQUENCE)) if info.tag() == asn1.SEQUENCE else None
    if info.tag() == asn1.BOOLEAN and info.take(asn1.BOOLEAN) not in _BOOLEANS:
        raise _malformed("its ordering is not a boolean")
    nonce = info.take_integer() if info.tag() == asn1.INTEGER else None
    if info.tag() == asn1.context(0):
        _require_one(info.enter(asn1.context(0)))  # a name for the authority, of its own choosing
    if info.tag() == asn1.context(1):
        _require_no_critical(info.enter(asn1.context(1)))
    info.end()
    return Statement(policy, algorithm, imprint, serial, gen_time, accuracy, nonce)


def _time(digits: bytes) -> datetime:
    """A GeneralizedTime in UTC; unlike in certificates, with a fraction where the authority states one."""
    match = _GEN_TIME.fullmatch(digits)
    if match is None:
        raise _malformed("its time is not in the one form: UTC, no zeros at the end of a fraction")
    fraction = (match[2] or b"").ljust(6, b"0")[:6]
    try:
        whole = datetime.strptime(match[1].decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise _malformed("its time is no time") from None
    return whole.replace(microsecond=int(fraction))


def _accuracy(reader: asn1.Reader) -> timedelta:
    seconds = reader.take_integer() if reader.tag() == asn1.INTEGER else 0
    parts = [0, 0]
    for number in (0, 1):
        if reader.tag() == asn1.primitive(number):
            parts[number] = reader.take_integer(asn1.primitive(number))
            if parts[number] not in _SUBSECONDS:
                raise _malformed("its accuracy is out of range")
    reader.end()
    if not 0 <= seconds < 2**31:
        raise _malformed("its accuracy is out of range")
    return timedelta(seconds=seconds, milliseconds=parts[0], microseconds=parts[1])


def _require_one(reader: asn1.Reader) -> None:
    reader.take_element(reader.tag())
    reader.end()


def _require_no_critical(extensions: asn1.Reader) -> None:
    for element in extensions.elements():
        extension = asn1.Reader(element).enter(asn1.SEQUENCE)
        extension.take(asn1.OBJECT_IDENTIFIER)
        if extension.tag() == asn1.BOOLEAN and extension.take(asn1.BOOLEAN) != b"\x00":
            raise _malformed("it has a critical extension, which is not understood")
        extension.take(asn1.OCTET_STRING)
        extension.end()


def _malformed(detail: str) -> EvidenceStoreError:
    return EvidenceStoreError("timestamp_malformed", detail)
