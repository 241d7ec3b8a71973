"""Co-signatures: the bytes that are signed, and what a co-signer or a stranger can try."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import (
    ED25519_COSIGNER,
    MAX_TIME,
    MLDSA44_COSIGNER,
    CosignerKey,
    add_lines,
    cosignature_line,
    cosigner_key,
    cosigner_key_id,
    format_cosigner_vkey,
    parse_cosigner_vkey,
    verify_cosignatures,
)
from evidence_store.log.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    format_vkey,
    open_note,
    parse_vkey,
    sign_note,
)

ORIGIN = "archive.example/log"
NAME = "witness.example/w1"
ROOT = hashlib.sha256(b"root").digest()
TEXT = f"{ORIGIN}\n20852163\n{base64.b64encode(ROOT).decode()}\n"
AT = 1_679_315_147

LOG = Ed25519PrivateKey.from_private_bytes(bytes(32))
CLASSIC = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
QUANTUM = MLDSA44PrivateKey.from_seed_bytes(bytes(range(32)))
ALGORITHMS = [ED25519_COSIGNER, MLDSA44_COSIGNER]


def _signer(algorithm: int) -> Ed25519PrivateKey | MLDSA44PrivateKey:
    return CLASSIC if algorithm == ED25519_COSIGNER else QUANTUM


def _line(algorithm: int, text: str = TEXT, name: str = NAME, at: int = AT) -> str:
    signer = _signer(algorithm)
    return cosignature_line(text, name, algorithm, signer.public_key().public_bytes_raw(), signer.sign, at)


def _key(algorithm: int, name: str = NAME) -> CosignerKey:
    return cosigner_key(name, algorithm, _signer(algorithm).public_key().public_bytes_raw())


def _base(text: str = TEXT) -> bytes:
    return sign_note(text, ORIGIN, LOG.public_key().public_bytes_raw(), LOG.sign)


def _body(line: str) -> bytes:
    return base64.b64decode(line.removesuffix("\n").rpartition(" ")[2])


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(EvidenceStoreError) as failure:
        call()
    return failure.value.code


def test_the_ed25519_message_is_header_time_and_note_text() -> None:
    line = _line(ED25519_COSIGNER)
    assert line.startswith(f"\u2014 {NAME} ")
    body = _body(line)
    public = CLASSIC.public_key().public_bytes_raw()
    assert body[:4] == hashlib.sha256(NAME.encode() + b"\n\x04" + public).digest()[:4]
    assert body[4:12] == AT.to_bytes(8, "big")
    CLASSIC.public_key().verify(body[12:], b"cosignature/v1\ntime 1679315147\n" + TEXT.encode())


def _tls_opaque(data: bytes) -> bytes:
    """RFC 8446, section 3.4: opaque data<1..2^8-1>."""
    return len(data).to_bytes(1, "big") + data


def _cosigned_message(name: bytes, at: int, origin: bytes, start: int, end: int, root: bytes) -> bytes:
    """The structure of the specification, written down a second time and byte by byte."""
    label = bytes([0x73, 0x75, 0x62, 0x74, 0x72, 0x65, 0x65, 0x2F, 0x76, 0x31, 0x0A, 0x00])
    numbers = [n.to_bytes(8, "big") for n in (at, start, end)]
    return label + _tls_opaque(name) + numbers[0] + _tls_opaque(origin) + numbers[1] + numbers[2] + root


def test_the_mldsa_message_is_the_structure_of_the_specification() -> None:
    body = _body(_line(MLDSA44_COSIGNER))
    public = QUANTUM.public_key().public_bytes_raw()
    assert len(body) == 4 + 8 + 2420
    assert body[:4] == hashlib.sha256(NAME.encode() + b"\n\x06" + public).digest()[:4]
    assert body[4:12] == AT.to_bytes(8, "big")
    message = _cosigned_message(NAME.encode(), AT, ORIGIN.encode(), 0, 20_852_163, ROOT)
    assert len(message) == 12 + 1 + len(NAME) + 8 + 1 + len(ORIGIN) + 8 + 8 + 32
    MLDSA44PublicKey.from_public_bytes(public).verify(body[12:], message)


@given(st.integers(0, MAX_TIME), st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), st.integers(1, 255))
def test_the_mldsa_message_is_exact_for_any_checkpoint(at: int, size: int, root: bytes, length: int) -> None:
    seen: list[bytes] = []

    def sign(message: bytes) -> bytes:
        seen.append(message)
        return bytes(2420)

    name, origin = "w" * length, "o" * (256 - length)
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    public = QUANTUM.public_key().public_bytes_raw()
    assert _code(lambda: cosignature_line(text, name, MLDSA44_COSIGNER, public, sign, at)) == "signer_faulty"
    assert seen == [_cosigned_message(name.encode(), at, origin.encode(), 0, size, root)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_cosigned_note_opens_for_the_log_and_for_the_witness(algorithm: int) -> None:
    line = _line(algorithm)
    note = add_lines(_base(), [line])
    assert note == _base() + line.encode()
    (found,) = verify_cosignatures(note, [_key(algorithm)])
    assert (found.key, found.time, found.line) == (_key(algorithm), AT, line)
    log = parse_vkey(format_vkey(ORIGIN, LOG.public_key().public_bytes_raw()))
    assert open_note(note, [log]) == TEXT


def test_the_log_may_cosign_itself_under_its_own_origin() -> None:
    line = _line(MLDSA44_COSIGNER, name=ORIGIN)
    assert [c.time for c in verify_cosignatures(add_lines(_base(), [line]), [_key(MLDSA44_COSIGNER, ORIGIN)])] == [AT]


def test_unknown_cosigners_are_ignored_whatever_they_wrote() -> None:
    stranger = _line(ED25519_COSIGNER, name="stranger.example")
    garbage = "\u2014 witness.example/w1 AAAAAAAA\n"
    note = add_lines(_base(), [stranger, garbage, _line(MLDSA44_COSIGNER)])
    assert [c.key for c in verify_cosignatures(note, [_key(MLDSA44_COSIGNER)])] == [_key(MLDSA44_COSIGNER)]
    assert verify_cosignatures(note, []) == []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("place", [4, 11, 12, 40, -1], ids=["time", "time's end", "first byte", "middle", "last byte"])
def test_a_changed_byte_of_a_known_key_is_refused(algorithm: int, place: int) -> None:
    body = bytearray(_body(_line(algorithm)))
    body[place] ^= 1
    line = f"\u2014 {NAME} {base64.b64encode(bytes(body)).decode()}\n"
    assert _code(lambda: verify_cosignatures(add_lines(_base(), [line]), [_key(algorithm)])) == "cosignature_invalid"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("cut", [5, 11, 12, 75, 2431], ids=str)
def test_a_cut_signature_of_a_known_key_is_refused(algorithm: int, cut: int) -> None:
    body = _body(_line(algorithm))
    line = f"\u2014 {NAME} {base64.b64encode(body[: min(cut, len(body) - 1)]).decode()}\n"
    assert _code(lambda: verify_cosignatures(add_lines(_base(), [line]), [_key(algorithm)])) == "cosignature_invalid"


def test_a_cosignature_of_another_text_is_refused() -> None:
    other = TEXT.replace("20852163", "20852164")
    for algorithm in ALGORITHMS:
        note = add_lines(_base(), [_line(algorithm, text=other)])
        key = _key(algorithm)
        assert _code(lambda note=note, key=key: verify_cosignatures(note, [key])) == "cosignature_invalid"  # type: ignore[misc]


def test_mldsa_commits_to_the_name_of_the_cosigner_and_ed25519_does_not() -> None:
    # Rule 2: the same Ed25519 signature under a second name would verify, so keys must not be shared.
    for algorithm, refused in ((ED25519_COSIGNER, False), (MLDSA44_COSIGNER, True)):
        other = _key(algorithm, "other.example")
        body = other.key_id.to_bytes(4, "big") + _body(_line(algorithm))[4:]
        note = add_lines(_base(), [f"\u2014 other.example {base64.b64encode(body).decode()}\n"])
        if refused:
            assert _code(lambda note=note, other=other: verify_cosignatures(note, [other])) == "cosignature_invalid"  # type: ignore[misc]
        else:
            assert len(verify_cosignatures(note, [other])) == 1


def test_extension_lines_are_signed_with_ed25519_and_not_with_mldsa() -> None:
    text = TEXT + "extension\n"
    for algorithm, refused in ((ED25519_COSIGNER, True), (MLDSA44_COSIGNER, False)):
        note = add_lines(_base(text), [_line(algorithm)])
        key = _key(algorithm)
        if refused:
            assert _code(lambda note=note, key=key: verify_cosignatures(note, [key])) == "cosignature_invalid"  # type: ignore[misc]
        else:
            assert len(verify_cosignatures(note, [key])) == 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_times_beyond_63_bits_are_neither_made_nor_accepted(algorithm: int) -> None:
    assert _code(lambda: _line(algorithm, at=MAX_TIME + 1)) == "cosignature_form"
    assert _code(lambda: _line(algorithm, at=-1)) == "cosignature_form"
    signer = _signer(algorithm)
    beyond = MAX_TIME + 1
    message = (
        f"cosignature/v1\ntime {beyond}\n{TEXT}".encode()
        if algorithm == ED25519_COSIGNER
        else _cosigned_message(NAME.encode(), beyond, ORIGIN.encode(), 0, 20_852_163, ROOT)
    )
    body = _key(algorithm).key_id.to_bytes(4, "big") + beyond.to_bytes(8, "big") + signer.sign(message)
    note = add_lines(_base(), [f"\u2014 {NAME} {base64.b64encode(body).decode()}\n"])
    assert _code(lambda: verify_cosignatures(note, [_key(algorithm)])) == "cosignature_invalid"
    assert _body(_line(algorithm, at=MAX_TIME))[4:12] == b"\x7f" + b"\xff" * 7
    assert _body(_line(algorithm, at=0))[4:12] == bytes(8)


def test_what_is_no_checkpoint_is_not_cosigned_nor_accepted() -> None:
    assert _code(lambda: _line(ED25519_COSIGNER, text="only text\n")) == "checkpoint_form"
    note = add_lines(_base("only text\n"), [_line(ED25519_COSIGNER)])
    assert _code(lambda: verify_cosignatures(note, [_key(ED25519_COSIGNER)])) == "checkpoint_form"


def test_names_too_long_for_mldsa_are_refused() -> None:
    public = QUANTUM.public_key().public_bytes_raw()
    assert _code(lambda: format_cosigner_vkey("w" * 256, MLDSA44_COSIGNER, public)) == "vkey_form"
    origin = "\u00e9" * 128  # 256 bytes of UTF-8
    text = TEXT.replace(ORIGIN, origin)
    assert _code(lambda: _line(MLDSA44_COSIGNER, text=text)) == "cosignature_form"
    assert _line(ED25519_COSIGNER, text=text)
    line = _line(MLDSA44_COSIGNER)
    assert _code(lambda: verify_cosignatures(add_lines(_base(text), [line]), [_key(MLDSA44_COSIGNER)])) == (
        "cosignature_invalid"
    )


def test_a_signer_of_another_key_is_found_out() -> None:
    other = Ed25519PrivateKey.generate()
    public = CLASSIC.public_key().public_bytes_raw()
    assert _code(lambda: cosignature_line(TEXT, NAME, ED25519_COSIGNER, public, other.sign, AT)) == "signer_faulty"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_verifier_key_reads_back(algorithm: int) -> None:
    key = _key(algorithm)
    text = format_cosigner_vkey(key.name, algorithm, key.public_key)
    assert parse_cosigner_vkey(text) == key
    name, key_id, encoded = text.split("+", 2)
    assert (name, base64.b64decode(encoded)) == (NAME, bytes([algorithm]) + key.public_key)
    assert int(key_id, 16) == cosigner_key_id(NAME, algorithm, key.public_key)


def _encoded(algorithm: int, size: int) -> str:
    return base64.b64encode(bytes([algorithm]) + bytes(size)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name+00000000",
        "name+0000000g+BA==",
        "name+00000000+BA==",
        "name+00000000+",
        "name+00000000+!",
        f"name+00000000+{_encoded(4, 31)}",
        f"name+00000000+{_encoded(4, 32)}",
        f"name+00000000+{_encoded(1, 32)}",
        f"na me+00000000+{_encoded(4, 32)}",
        f"name+00000000+{_encoded(6, 32)}",
        f"\ud800+00000000+{_encoded(4, 32)}",
    ],
)
def test_malformed_verifier_keys_are_refused(text: str) -> None:
    assert _code(lambda: parse_cosigner_vkey(text)) == "vkey_form"


@given(st.text())
def test_any_text_is_a_key_or_a_coded_error(text: str) -> None:
    assert _code(lambda: parse_cosigner_vkey(text)) == "vkey_form"


def test_unknown_algorithms_are_refused() -> None:
    assert _code(lambda: cosigner_key(NAME, 0x01, bytes(32))) == "vkey_form"
    assert _code(lambda: cosigner_key(NAME, ED25519_COSIGNER, bytes(31))) == "vkey_form"
    assert _code(lambda: CosignerKey(NAME, 0, 0x05, bytes(32))) == "vkey_form"


def test_two_keys_with_one_name_and_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evidence_store.log.cosignature.cosigner_key_id", lambda *_: 7)
    first, second = (CosignerKey(NAME, 7, ED25519_COSIGNER, bytes([n]) * 32) for n in (1, 2))
    assert _code(lambda: verify_cosignatures(_base(), [first, second])) == "vkey_ambiguous"
    assert verify_cosignatures(_base(), [first, first]) == []


def test_a_line_already_there_is_not_repeated() -> None:
    line = _line(ED25519_COSIGNER)
    once = add_lines(_base(), [line])
    assert add_lines(once, [line, line]) == once


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\u2014 name AAAAAAAA",
        "- name AAAAAAAA\n",
        "\u2014 name\n",
        "\u2014 name !\n",
        "\u2014 name AAAA\n",
        "\u2014 name AAAAAAAA\n\n",
        "\u2014 name AAAAAAAA\nmore\n",
        "\u2014 na\tme AAAAAAAA\n",
        "\u2014 \ud800 AAAAAAAA\n",
    ],
)
def test_malformed_lines_are_not_added(line: str) -> None:
    assert _code(lambda: add_lines(_base(), [line])) == "note_form"


def test_notes_do_not_grow_beyond_their_bounds() -> None:
    lines = [f"\u2014 name{n} AAAAAAAA\n" for n in range(MAX_SIGNATURES)]
    assert len(add_lines(_base(), lines[:-1]).split(b"\n")) == len(TEXT.split("\n")) + MAX_SIGNATURES + 1
    assert _code(lambda: add_lines(_base(), lines)) == "note_form"
    huge = f"\u2014 name {base64.b64encode(bytes(MAX_NOTE_BYTES)).decode()}\n"
    assert _code(lambda: add_lines(_base(), [huge])) == "note_form"
    assert _code(lambda: add_lines(b"not a note", [])) == "note_form"


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.binary(min_size=5, max_size=90)), max_size=60))
def test_notes_with_many_foreign_lines_keep_the_known_one(others: list[tuple[str, bytes]]) -> None:
    foreign = [f"\u2014 {name} {base64.b64encode(body).decode()}\n" for name, body in others]
    line = _line(ED25519_COSIGNER)
    note = add_lines(_base(), [*foreign, line])
    assert [c.line for c in verify_cosignatures(note, [_key(ED25519_COSIGNER)])] == [line]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_note_or_a_coded_error(data: bytes) -> None:
    for note in (data, _base()[:-5] + data, TEXT.encode() + b"\n" + data):
        try:
            assert verify_cosignatures(note, [_key(ED25519_COSIGNER)]) == []
        except EvidenceStoreError as error:
            assert error.code in {"note_form", "checkpoint_form", "cosignature_invalid"}  # noqa: PT017
