"""The whole chain of a proof file: any changed byte of it is refused, and only with our error."""

from __future__ import annotations

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle
from evidence_store.log.note import (
    Checkpoint,
    checkpoint_text,
    format_vkey,
    open_checkpoint,
    open_note,
    parse_checkpoint,
    parse_vkey,
    sign_note,
)
from evidence_store.log.proof import TlogProof, format_proof, parse_proof

ORIGIN = "archive.example/log"
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = SIGNER.public_key().public_bytes_raw()
KEY = parse_vkey(format_vkey(ORIGIN, PUBLIC))
SIZE, INDEX = 11, 6
NODES: dict[tuple[int, int], bytes] = {}


def _read(level: int, index: int) -> bytes:
    return NODES[level, index]


def _leaf(index: int) -> bytes:
    return merkle.leaf_hash(bytes([index]) * 32)


def _build() -> bytes:
    for index in range(SIZE):
        NODES.update({(i, j): value for i, j, value in merkle.nodes_completed_by(index, _leaf(index), _read)})
    checkpoint = Checkpoint(ORIGIN, SIZE, merkle.root_at(SIZE, _read))
    note = sign_note(checkpoint_text(checkpoint), ORIGIN, PUBLIC, SIGNER.sign)
    return format_proof(TlogProof(INDEX, tuple(merkle.inclusion_proof(INDEX, SIZE, _read)), note))


PROOF = _build()


def _proves(data: bytes) -> bool:
    """Whether the file proves entry INDEX, as the offline verifier asks it."""
    try:
        proof = parse_proof(data)
        checkpoint = open_checkpoint(proof.checkpoint, KEY)
        merkle.verify_inclusion(proof.index, checkpoint.size, _leaf(INDEX), proof.hashes, checkpoint.root)
    except EvidenceStoreError:
        return False
    return True


def test_the_untouched_file_proves_its_entry() -> None:
    assert _proves(PROOF)


def test_every_single_flipped_bit_of_the_file_is_refused() -> None:
    for position in range(len(PROOF)):
        for bit in range(8):
            changed = bytearray(PROOF)
            changed[position] ^= 1 << bit
            assert not _proves(bytes(changed)), (position, bit)


@given(st.integers(0, len(PROOF) - 1), st.integers(0, len(PROOF)), st.binary(max_size=4))
@example(0, len(PROOF), b"")
def test_a_cut_or_replaced_piece_of_the_file_is_refused(start: int, end: int, piece: bytes) -> None:
    changed = PROOF[:start] + piece + PROOF[max(start, end) :]
    assert changed == PROOF or not _proves(changed)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_never_a_note_or_a_proof_and_never_break_the_reader(data: bytes) -> None:
    assert not _proves(data)
    for tail in (data, b"text\n\n\xe2\x80\x94 " + data + b"\n"):
        with pytest.raises(EvidenceStoreError) as refusal:
            open_note(tail, [KEY])
        assert refusal.value.code in {"note_form", "note_unsigned", "note_signature"}


@given(st.text(max_size=80) | st.from_regex(r"[a-z]{1,9}\n[0-9]{1,21}\n[A-Za-z0-9+/]{43}=\n", fullmatch=True))
def test_any_text_is_one_canonical_checkpoint_or_refused(text: str) -> None:
    with suppress(EvidenceStoreError):
        assert checkpoint_text(parse_checkpoint(text)) == text


@given(st.text(max_size=80))
def test_any_text_is_one_canonical_verifier_key_or_refused(text: str) -> None:
    with suppress(EvidenceStoreError):
        key = parse_vkey(text)
        assert format_vkey(key.name, key.public_key) == text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=50))
def test_any_text_without_controls_can_be_signed_and_opened(line: str) -> None:
    text = f"{line}\n"
    assert open_note(sign_note(text, ORIGIN, PUBLIC, SIGNER.sign), [KEY]) == text
