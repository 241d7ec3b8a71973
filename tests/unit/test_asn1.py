"""Strict DER: what another reader might take for the same is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError


def refused(data: bytes, tag: int = asn1.SEQUENCE) -> None:
    reader = asn1.Reader(data)
    with pytest.raises(asn1.Asn1Error) as caught:
        reader.take(tag)
    assert caught.value.code == "asn1_malformed"
    assert isinstance(caught.value, EvidenceStoreError)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x05\x02\x01",
        b"\x30\x81\x03\x02\x01\x01",  # a length of 3 needs no long form
        b"\x30\x82\x00\x80" + bytes(128),
        b"\x30\x80\x02\x01\x01\x00\x00",  # indefinite
        b"\x30\x80" * 400,
        b"\x30\xff" + b"\xff" * 127,
        b"\x31\x00",
    ],
)
def test_element_that_is_not_der_is_refused(data: bytes) -> None:
    refused(data)


def test_a_hundred_thousand_elements_are_read_without_a_copy_of_the_rest_for_each() -> None:
    reads = 0

    class Counted(bytes):
        __slots__ = ()

        def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 - as bytes
            nonlocal reads
            part = super().__getitem__(key)
            reads += len(part) if isinstance(part, bytes) else 1
            return part

    number = 100_000
    assert len(asn1.Reader(Counted(b"\x05\x00" * number)).elements()) == number
    assert reads < 1000 * number


def test_tag_of_several_octets_is_refused_when_it_is_cut_or_padded() -> None:
    refused(b"\x1f\x80\x01\x00", 0x1F)
    refused(b"\x1f\xff", 0x1F)


def test_nothing_may_follow_the_end() -> None:
    reader = asn1.Reader(asn1.integer(1) + b"\x05\x00")
    assert reader.take(asn1.INTEGER) == b"\x01"
    with pytest.raises(asn1.Asn1Error):
        reader.end()
    assert reader.take_element(asn1.NULL) == b"\x05\x00"
    reader.end()


def test_set_is_written_in_the_order_of_its_encodings() -> None:
    assert asn1.set_of(b"\x30\x00", b"\x02\x01\x05", b"\x02\x01\x04") == b"\x31\x08\x02\x01\x04\x02\x01\x05\x30\x00"


@pytest.mark.parametrize(
    ("moment", "element"),
    [
        (datetime(1950, 1, 1, tzinfo=UTC), b"\x17\x0d500101000000Z"),
        (datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), b"\x17\x0d991231235959Z"),
        (datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), b"\x17\x0d491231235959Z"),
        (datetime(2050, 1, 1, tzinfo=UTC), b"\x18\x0f20500101000000Z"),
        (datetime(1949, 12, 31, tzinfo=UTC), b"\x18\x0f19491231000000Z"),
        (datetime(2026, 6, 1, 1, 30, tzinfo=timezone(timedelta(hours=3))), b"\x17\x0d260531223000Z"),
    ],
)
def test_times_take_the_form_that_their_year_calls_for(moment: datetime, element: bytes) -> None:
    assert asn1.time(moment) == element
    assert asn1.parse_time(element) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    "element",
    [
        b"",
        b"\x17\x00",
        b"\x17\x0d261322103100Z",  # month 13
        b"\x17\x0d261122103160Z",  # second 60
        b"\x17\x0b2611221031Z",
        b"\x17\x11261122103100+0000",
        b"\x17\x0d26112210310\xd9Z",
        b"\x18\x0f20261122103100Z",  # a year for UTCTime
        b"\x18\x1120501122103100.5Z",
        b"\x04\x0d261122103100Z",
        b"\x17\x0d261122103100Z\x00",
    ],
)
def test_times_in_any_other_form_are_refused(element: bytes) -> None:
    with pytest.raises(asn1.Asn1Error):
        asn1.parse_time(element)


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(asn1.Asn1Error):
        asn1.time(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake under test


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, -1, -128, -129, 2**63, 2**64 - 1, -(2**64), 2**400])
def test_whole_numbers_come_back(value: int) -> None:
    reader = asn1.Reader(asn1.integer(value))
    assert reader.take_integer() == value
    reader.end()


@pytest.mark.parametrize("contents", [b"", b"\x00\x00", b"\x00\x7f", b"\xff\xff", b"\xff\x80"])
def test_number_that_is_not_in_its_shortest_form_is_refused(contents: bytes) -> None:
    with pytest.raises(asn1.Asn1Error):
        asn1.Reader(asn1.encode(asn1.INTEGER, contents)).take_integer()


def test_number_under_an_implicit_tag() -> None:
    assert asn1.Reader(b"\x80\x02\x01\xf4").take_integer(asn1.primitive(0)) == 500
    refused(b"\x80\x02\x01\xf4", asn1.INTEGER)


@pytest.mark.parametrize("dotted", ["0.0", "1.2.840.113549.1.9.16.1.4", "2.5.29.37", "2.999.1", "1.39.127.128.16384"])
def test_object_identifiers_come_back(dotted: str) -> None:
    assert asn1.dotted(asn1.oid(dotted)) == dotted


def test_object_identifier_with_an_arc_of_128_bits() -> None:
    assert asn1.dotted(asn1.oid(f"2.25.{2**128 - 1}")) == f"2.25.{2**128 - 1}"


@pytest.mark.parametrize(
    "contents", [b"", b"\x80\x01", b"\x2a\x80\x01", b"\x2a\x86", b"\x2a" + b"\x81" * 128 + b"\x01"]
)
def test_object_identifier_that_is_padded_cut_or_endless_is_refused(contents: bytes) -> None:
    with pytest.raises(asn1.Asn1Error):
        asn1.dotted(asn1.encode(asn1.OBJECT_IDENTIFIER, contents))
    with pytest.raises(asn1.Asn1Error):
        asn1.dotted(asn1.encode(asn1.OCTET_STRING, contents))
