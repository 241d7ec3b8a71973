"""Add-checkpoint requests: one spelling is read, everything else is refused with one code."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.errors import EvidenceStoreError
from evidence_store.witness.request import (
    MAX_PROOF_LINES,
    MAX_REQUEST_BYTES,
    format_request,
    parse_request,
)
from tests.witness_logs import Log

LOG = Log()
NOTE = LOG.note(9)
HASH = base64.b64encode(bytes(32)).decode()


def _refused(call: Callable[[], object]) -> None:
    with pytest.raises(EvidenceStoreError) as failure:
        call()
    assert failure.value.code == "witness_request_form"


def test_the_example_of_the_specification_is_read() -> None:
    signatures = (
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=",
        "opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=",
    )
    body = b"""old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

""" + "".join(f"\u2014 example.com/behind-the-sofa {one}\n" for one in signatures).encode()
    request = parse_request(body)
    assert (request.old, len(request.proof)) == (20_852_014, 4)
    assert (request.checkpoint.origin, request.checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert format_request(request.old, request.proof, request.note) == body


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=MAX_PROOF_LINES))
def test_what_is_written_is_read_back(old: int, proof: list[bytes]) -> None:
    request = parse_request(format_request(old, proof, NOTE))
    assert (request.old, request.proof, request.note, request.text) == (old, tuple(proof), NOTE, LOG.text(9))


@pytest.mark.parametrize(
    "head",
    [
        "",
        "old",
        "old ",
        "old  0",
        "old 00",
        "old 01",
        "old -1",
        "old +1",
        "old 1 ",
        " old 1",
        "Old 1",
        "old \u0661",
        "old 9223372036854775808",
        "old 99999999999999999999999",
        "old 1\r",
        "old 1\nnot base64",
        f"old 1\n{HASH[:-1]}",
        f"old 1\n{HASH} ",
        f"old 1\n{base64.b64encode(bytes(31)).decode()}",
        f"old 1\n{base64.b64encode(bytes(33)).decode()}",
        "old 1\n" + HASH.replace("A=", "B="),
        "old 1" + f"\n{HASH}" * (MAX_PROOF_LINES + 1),
    ],
)
def test_a_malformed_head_is_refused(head: str) -> None:
    _refused(lambda: parse_request(head.encode() + b"\n\n" + NOTE))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"old 1\n" + NOTE,
        b"old 1\n\n",
        b"old 1\n\n" + NOTE[:-1],
        b"old 1\n\n" + NOTE.replace(b"\n9\n", b"\n09\n"),
        b"old 1\n\nonly text\n\n" + NOTE.rpartition(b"\n\n")[2],
        b"old 1\n\n" + NOTE + b"\x00",
        b"old 1\n\n" + NOTE + b"\xff",
        b"\xff\n\n" + NOTE,
        b"old 1\n\n" + b"a" * MAX_REQUEST_BYTES,
    ],
)
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    _refused(lambda: parse_request(body))


def test_what_could_not_be_read_back_is_not_written() -> None:
    _refused(lambda: format_request(-1, [], NOTE))
    _refused(lambda: format_request(1, [bytes(31)], NOTE))
    _refused(lambda: format_request(1, [bytes(32)] * (MAX_PROOF_LINES + 1), NOTE))
    _refused(lambda: format_request(1, [], b"no note"))
    _refused(lambda: format_request(1, [], b"\n" + NOTE))


@given(st.binary(max_size=400))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    for whole in (body, b"old 1\n" + body + b"\n\n" + NOTE, b"old 1\n\n" + body):
        try:
            parse_request(whole)
        except EvidenceStoreError as error:
            assert error.code == "witness_request_form"  # noqa: PT017


@given(st.data())
def test_one_changed_byte_never_escapes_as_anything_else(data: st.DataObject) -> None:
    body = bytearray(LOG.request(5, 9))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.integers(0, 255))
    try:
        request = parse_request(bytes(body))
    except EvidenceStoreError as error:
        assert error.code == "witness_request_form"  # noqa: PT017
    else:
        assert format_request(request.old, request.proof, request.note) == bytes(body)
