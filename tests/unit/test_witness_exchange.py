"""What a witness's answers mean to a log that asks: at most two requests, and every answer that means nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import CatenaError, EnvironmentFailedError
from app.witnessing.asking import verified
from app.witnessing.contacts import Claimed
from app.witnessing.rules import (
    MAX_DELAY_SECONDS,
    AheadError,
    Answer,
    ContradictionError,
    Cosigned,
    ask_for,
    by_address,
    delay_after,
)
from evidence_store.log.cosignature import ED25519_COSIGNER, cosigner_key
from evidence_store.log.policy import Witness
from evidence_store.witness.request import parse_request
from tests.witness_logs import Log

LOG = Log()
SIZE = 9
WITNESS = Witness("b", cosigner_key("b.example", ED25519_COSIGNER, bytes(32)), "http://b.example")


def _ask(answers: list[tuple[int, bytes]], old: int = 0) -> tuple[Cosigned, list[int]]:
    """What came of it, and the old sizes that were sent."""
    sent: list[int] = []

    def send(body: bytes) -> Answer:
        sent.append(parse_request(body).old)
        return Answer(*answers[min(len(sent), len(answers)) - 1])

    return ask_for(send, LOG.proof, old, SIZE, LOG.note(SIZE)), sent


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(CatenaError) as failure:
        call()
    return failure.value.code


def test_one_request_is_enough_when_the_size_is_right() -> None:
    assert _ask([(200, b"lines")], old=4) == (Cosigned(b"lines", 4), [4])
    assert _ask([(200, b"lines")], old=SIZE) == (Cosigned(b"lines", SIZE), [SIZE])


@pytest.mark.parametrize("known", [0, 1, 8, SIZE])
def test_a_conflict_is_answered_once_from_the_size_that_it_names(known: int) -> None:
    assert _ask([(409, f"{known}\n".encode()), (200, b"lines")], old=5) == (Cosigned(b"lines", known), [5, known])


@pytest.mark.parametrize("body", [b"", b"same\n", f"{SIZE}\n".encode()])
def test_a_conflict_over_one_size_is_another_root(body: bytes) -> None:
    with pytest.raises(ContradictionError) as failure:
        _ask([(409, f"{SIZE}\n".encode()), (409, body)])
    assert failure.value.known_size == SIZE
    with pytest.raises(ContradictionError):
        _ask([(409, body)], old=SIZE)


def test_a_larger_size_is_told_as_such() -> None:
    for answers in ([(409, b"10\n")], [(409, b"3\n"), (409, b"10\n")]):
        with pytest.raises(AheadError) as failure:
            _ask(answers)
        assert failure.value.known_size == 10


@pytest.mark.parametrize("answers", [[(422, b"")], [(409, b"3\n"), (422, b"inconsistent\n")]])
def test_a_tree_that_is_no_continuation_is_a_contradiction(answers: list[tuple[int, bytes]]) -> None:
    with pytest.raises(ContradictionError) as failure:
        _ask(answers)
    assert failure.value.known_size == (3 if len(answers) > 1 else 0)


@pytest.mark.parametrize(
    "answers",
    [
        [(409, b"")],
        [(409, b"many\n")],
        [(409, b"1")],
        [(409, b"01\n")],
        [(409, b"-1\n")],
        [(409, b"+1\n")],
        [(409, b" 1\n")],
        [(409, b"1\n\n")],
        [(409, b"99999999999999999999\n")],
        [(409, b"0\n")],
        [(409, b"1\n"), (409, b"2\n")],
        [(409, b"1\n"), (409, b"1\n")],
        [(409, b"1\n"), (409, b"0\n")],
        [(409, b"1\n"), (409, b"many\n")],
    ],
)
def test_a_conflict_that_leads_nowhere_is_a_bad_answer(answers: list[tuple[int, bytes]]) -> None:
    assert _code(lambda: _ask(answers)) == "witness_answer_bad"


@pytest.mark.parametrize("status", [100, 201, 204, 301, 302, 400, 401, 403, 404, 405, 413, 429, 500, 502, 503, 999])
def test_any_other_status_is_a_refusal_and_its_text_is_made_safe(status: int) -> None:
    with pytest.raises(EnvironmentFailedError) as failure:
        _ask([(status, b"\x1b[2Jno\xff\n" + b"x" * 10_000)])
    assert failure.value.code == "witness_refused"
    assert f"HTTP {status}" in failure.value.detail
    assert failure.value.detail.isprintable()
    assert len(failure.value.detail) < 300


@given(st.lists(st.tuples(st.sampled_from([200, 409, 422, 500]), st.binary(max_size=20)), min_size=1, max_size=3))
def test_whatever_is_answered_two_requests_are_the_most(answers: list[tuple[int, bytes]]) -> None:
    sent = []

    def send(body: bytes) -> Answer:
        sent.append(body)
        return Answer(*answers[min(len(sent), len(answers)) - 1])

    try:
        ask_for(send, LOG.proof, 4, SIZE, LOG.note(SIZE))
    except CatenaError as error:
        codes = {"witness_answer_bad", "witness_refused", "witness_contradicts", "witness_ahead"}
        assert error.code in codes  # noqa: PT017
    assert len(sent) <= 2


@given(st.binary(max_size=200))
def test_any_bytes_are_no_cosignature(body: bytes) -> None:
    try:
        assert verified(body, LOG.note(SIZE), Claimed("http://b.example", (WITNESS,), 0)) == []
    except CatenaError as error:
        assert error.code == "witness_answer_bad"  # noqa: PT017


def test_delays_double_up_to_half_an_hour() -> None:
    delays = [delay_after(failures) for failures in range(1, 2000)]
    assert delays[:4] == [5, 10, 20, 40]
    assert delays == sorted(delays)
    assert max(delays) == MAX_DELAY_SECONDS


def test_keys_behind_one_address_are_asked_together_and_without_one_not_at_all() -> None:
    one, two, apart, nowhere = (
        Witness(name, cosigner_key(f"{name}.example", ED25519_COSIGNER, bytes([n]) * 32), url)
        for n, (name, url) in enumerate([("a", "http://x"), ("b", "http://x"), ("c", "http://y"), ("d", None)])
    )
    assert by_address([one, two, apart, nowhere]) == {"http://x": [one, two], "http://y": [apart]}
