"""The tlog-proof file form."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.note import MAX_NOTE_BYTES
from evidence_store.log.proof import (
    HEADER,
    MAX_HASHES,
    TlogProof,
    format_consistency,
    format_proof,
    parse_consistency,
    parse_proof,
)

NOTE = b"archive.example/log\n3\nAAAA\n\n\xe2\x80\x94 archive.example/log AAAA\n"
HASHES = (hashlib.sha256(b"a").digest(), hashlib.sha256(b"b").digest())
LINES = [base64.b64encode(node).decode() for node in HASHES]
PROOF = TlogProof(73_894, HASHES, NOTE)
GOOD = f"{HEADER}\nindex 73894\n{LINES[0]}\n{LINES[1]}\n\n".encode() + NOTE


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(EvidenceStoreError) as failure:
        call()
    return failure.value.code


def test_a_proof_has_the_form_of_the_specification() -> None:
    assert format_proof(PROOF) == GOOD
    assert parse_proof(GOOD) == PROOF


def test_the_only_entry_of_a_log_needs_no_hashes() -> None:
    alone = TlogProof(0, (), NOTE)
    assert format_proof(alone) == f"{HEADER}\nindex 0\n\n".encode() + NOTE
    assert parse_proof(format_proof(alone)) == alone


def test_extra_data_of_another_writer_is_kept_apart() -> None:
    extra = TlogProof(1, HASHES[:1], NOTE, b"opaque")
    assert format_proof(extra) == f"{HEADER}\nextra b3BhcXVl\nindex 1\n{LINES[0]}\n\n".encode() + NOTE
    assert parse_proof(format_proof(extra)) == extra


def test_the_longest_path_is_taken_and_a_longer_one_is_not() -> None:
    longest = TlogProof(2**63 - 1, HASHES[:1] * MAX_HASHES, NOTE)
    assert parse_proof(format_proof(longest)) == longest
    assert _code(lambda: format_proof(TlogProof(0, HASHES[:1] * (MAX_HASHES + 1), NOTE))) == "proof_form"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"\n\n" + NOTE,
        HEADER.encode(),
        GOOD[: -len(NOTE)],
        f"{HEADER}\n\n".encode() + NOTE,
        f"{HEADER}\nextra b3BhcXVl\n\n".encode() + NOTE,
        GOOD.replace(b"@v1", b"@v2"),
        GOOD.replace(b"index 73894", b"index 073894"),
        GOOD.replace(b"index 73894", b"index -1"),
        GOOD.replace(b"index 73894", b"index 1 "),
        GOOD.replace(b"index 73894", b"Index 1"),
        GOOD.replace(b"index 73894", b"index 9223372036854775808"),
        GOOD.replace(b"index 73894", b"index " + b"9" * 5000),
        GOOD.replace(b"index 73894\n", b""),
        GOOD.replace(b"\nindex", b"\r\nindex"),
        GOOD.replace(b"index 73894", b"index 1\nextra b3BhcXVl"),
        GOOD.replace(b"index", b"extra !\nindex"),
        GOOD.replace(LINES[0].encode(), b"AAAA"),
        GOOD.replace(LINES[0].encode(), LINES[0][:-1].encode()),
        GOOD.replace(LINES[0].encode(), b" " + LINES[0].encode()),
        GOOD.replace(LINES[0].encode(), b"\xff"),
        GOOD + b"a" * (MAX_NOTE_BYTES + 200_000),
    ],
)
def test_a_malformed_proof_is_refused(data: bytes) -> None:
    assert data != GOOD
    assert _code(lambda: parse_proof(data)) == "proof_form"


@pytest.mark.parametrize(
    "proof",
    [
        TlogProof(-1, HASHES, NOTE),
        TlogProof(2**63, HASHES, NOTE),
        TlogProof(0, (b"short",), NOTE),
        TlogProof(0, HASHES, b""),
        TlogProof(0, HASHES, b"a" * (MAX_NOTE_BYTES + 200_000)),
    ],
)
def test_a_proof_that_cannot_be_written_is_refused(proof: TlogProof) -> None:
    assert _code(lambda: format_proof(proof)) == "proof_form"


# -- consistency proofs ------------------------------------------------------------------------

GROWN = f"old 73894\n{LINES[0]}\n{LINES[1]}\n".encode()


def test_a_consistency_proof_has_the_lines_of_an_add_checkpoint_request() -> None:
    assert format_consistency(73_894, HASHES) == GROWN
    assert parse_consistency(GROWN) == (73_894, HASHES)
    assert parse_consistency(b"old 0\n") == (0, ())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"old 1",
        b"old 01\n",
        b"old -1\n",
        b"new 1\n",
        GROWN[:-1],
        GROWN + b"\n",
        GROWN.replace(b"=", b""),
        GROWN + b"AAAA\n",
        b"old 1\n\xff\n",
        b"old 1\n" + f"{LINES[0]}\n".encode() * (MAX_HASHES + 1),
        b"old 1\n" + b"A" * 10_000,
    ],
)
def test_what_is_no_consistency_proof_is_refused(data: bytes) -> None:
    assert _code(lambda: parse_consistency(data)) == "proof_form"


def test_a_consistency_proof_that_cannot_be_read_back_is_not_written() -> None:
    assert _code(lambda: format_consistency(-1, HASHES)) == "proof_form"
    assert _code(lambda: format_consistency(1, [b"short"])) == "proof_form"


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda tail: GROWN + tail))
def test_any_bytes_are_a_consistency_proof_or_refused(data: bytes) -> None:
    with contextlib.suppress(EvidenceStoreError):
        assert format_consistency(*parse_consistency(data)) == data
