"""Signed notes and checkpoints: every rule of the format, and the attacks that break it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence_store.errors import EvidenceStoreError
from evidence_store.log import note as signed
from evidence_store.log.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Checkpoint,
    VerifierKey,
    checkpoint_text,
    decode_base64,
    format_vkey,
    key_id_of,
    open_checkpoint,
    open_note,
    open_own_checkpoint,
    parse_checkpoint,
    parse_vkey,
    sign_note,
)

ORIGIN = "archive.example/log"
TEXT = "first line\n\nafter an empty line\n"
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
ROOT = hashlib.sha256(b"root").digest()
CHECKPOINT = Checkpoint(ORIGIN, 20_852_163, ROOT)


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _vkey(key: Ed25519PrivateKey = SIGNER, name: str = ORIGIN) -> VerifierKey:
    return parse_vkey(format_vkey(name, _public(key)))


def _note(text: str = TEXT, key: Ed25519PrivateKey = SIGNER, name: str = ORIGIN) -> bytes:
    return sign_note(text, name, _public(key), key.sign)


def _line(note: bytes) -> bytes:
    """The last signature line of a note."""
    return note.removesuffix(b"\n").rpartition(b"\n")[2] + b"\n"


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(EvidenceStoreError) as failure:
        call()
    return failure.value.code


def test_a_note_has_the_form_of_the_specification() -> None:
    signature = SIGNER.sign(TEXT.encode())
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + _public(SIGNER)).digest()[:4]
    expected = f"{TEXT}\n\u2014 {ORIGIN} {base64.b64encode(key_id + signature).decode()}\n"
    assert _note() == expected.encode()
    assert open_note(_note(), [_vkey()]) == TEXT


def test_the_checkpoint_example_of_the_specification_is_read() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = parse_checkpoint(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint_text(checkpoint) == text
    signature = "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8="
    foreign = f"{text}\n\u2014 example.com/behind-the-sofa {signature}\n".encode()
    assert _code(lambda: open_note(foreign, [_vkey()])) == "note_unsigned"


def test_a_note_without_any_trusted_signature_is_refused() -> None:
    assert _code(lambda: open_note(_note(), [])) == "note_unsigned"
    assert _code(lambda: open_note(_note(), [_vkey(WITNESS)])) == "note_unsigned"
    assert _code(lambda: open_note(_note(), [_vkey(SIGNER, "archive.example/other")])) == "note_unsigned"


def test_a_changed_text_is_refused() -> None:
    assert _code(lambda: open_note(_note().replace(b"first", b"f1rst"), [_vkey()])) == "note_signature"


def test_one_failing_signature_of_a_known_key_refuses_the_whole_note() -> None:
    witness_of_another_text = _line(_note("another text\n", WITNESS, "witness.example"))
    keys = [_vkey(), _vkey(WITNESS, "witness.example")]
    note = _note() + witness_of_another_text
    assert open_note(note, keys[:1]) == TEXT
    assert _code(lambda: open_note(note, keys)) == "note_signature"


def test_a_repeated_bad_signature_of_a_key_is_not_hidden_by_its_good_one() -> None:
    assert _code(lambda: open_note(_note() + _line(_note("another text\n")), [_vkey()])) == "note_signature"


def test_signatures_of_unknown_keys_and_algorithms_are_ignored() -> None:
    post_quantum = base64.b64encode(b"\x01\x02\x03\x04" + bytes(4_000)).decode()
    note = _note() + f"\u2014 witness.example {post_quantum}\n".encode()
    assert open_note(note, [_vkey()]) == TEXT


def test_a_key_of_the_same_name_but_another_id_is_unknown() -> None:
    assert open_note(_note() + _line(_note("another text\n", WITNESS)), [_vkey()]) == TEXT


def test_two_signatures_of_two_trusted_keys_are_both_checked() -> None:
    note = _note() + _line(_note(TEXT, WITNESS, "witness.example"))
    assert open_note(note, [_vkey(), _vkey(WITNESS, "witness.example")]) == TEXT


def test_at_least_16_signatures_are_taken_and_too_many_are_not() -> None:
    other = "".join(
        f"\u2014 witness{n}.example {base64.b64encode(bytes(68)).decode()}\n" for n in range(MAX_SIGNATURES)
    )
    lines = other.encode().splitlines(keepends=True)
    assert open_note(_note() + b"".join(lines[:15]), [_vkey()]) == TEXT
    assert open_note(_note() + b"".join(lines[: MAX_SIGNATURES - 1]), [_vkey()]) == TEXT
    assert _code(lambda: open_note(_note() + b"".join(lines), [_vkey()])) == "note_form"


def test_an_oversized_note_is_refused_before_it_is_parsed() -> None:
    assert _code(lambda: open_note(b"a" * (MAX_NOTE_BYTES + 1), [_vkey()])) == "note_form"
    assert _code(lambda: _note("a" * MAX_NOTE_BYTES + "\n")) == "note_form"


GOOD = _note()
SIGNATURE = _line(GOOD).decode().split(" ")[2].strip()


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n\n\n",
        GOOD[:-1],
        GOOD + b"\n",
        GOOD + b"trailing\n",
        GOOD.replace(b"first", b"fi\xffst"),
        GOOD.replace(b"first", b"fi\rst"),
        GOOD.replace(b"first", b"fi\x00st"),
        GOOD.replace(b"first", b"fi\tst"),
        GOOD.replace("\u2014 ".encode(), b"- "),
        GOOD.replace("\u2014 ".encode(), "\u2014".encode()),
        GOOD.replace(f" {SIGNATURE}".encode(), b""),
        GOOD.replace(f" {SIGNATURE}".encode(), b" "),
        GOOD.replace(SIGNATURE.encode(), b"AAAAAA=="),
        GOOD.replace(SIGNATURE.encode(), b"****"),
        GOOD.replace(SIGNATURE.encode(), SIGNATURE.replace("=", "").encode()),
        GOOD.replace(SIGNATURE.encode(), f" {SIGNATURE}".encode()),
        GOOD.replace(SIGNATURE.encode(), f"{SIGNATURE} ".encode()),
        GOOD.replace(f"\u2014 {ORIGIN}".encode(), "\u2014 a+b".encode()),
        GOOD.replace(f"\u2014 {ORIGIN}".encode(), "\u2014 ".encode()),
        GOOD.replace(f"\u2014 {ORIGIN}".encode(), "\u2014 a\u2003b".encode()),
        GOOD.replace(b"\n\n\xe2", b"\n\xe2"),
        GOOD.replace(b"\n\n\xe2", b"\r\n\r\n\xe2"),
    ],
)
def test_a_malformed_note_is_refused(note: bytes) -> None:
    assert note != GOOD
    assert _code(lambda: open_note(note, [_vkey()])) == "note_form"


def test_a_signature_has_only_one_spelling() -> None:
    """Unused bits of the last base64 digit could otherwise change the bytes of a note that verifies."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    stripped = SIGNATURE.rstrip("=")
    last = alphabet[alphabet.index(stripped[-1]) | 1]
    other = stripped[:-1] + last + "=" * (len(SIGNATURE) - len(stripped))
    assert base64.b64decode(other) == base64.b64decode(SIGNATURE)
    assert other != SIGNATURE
    assert _code(lambda: open_note(GOOD.replace(SIGNATURE.encode(), other.encode()), [_vkey()])) == "note_form"


@pytest.mark.parametrize("text", ["", "no newline", "tab\tinside\n", "return\r\n", "nul\x00\n", "lone \ud800\n"])
def test_a_text_that_no_note_may_hold_is_not_signed(text: str) -> None:
    assert _code(lambda: _note(text)) == "note_form"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\x01b", "\ud800"])
def test_a_name_that_no_key_may_have_is_refused(name: str) -> None:
    assert _code(lambda: format_vkey(name, _public(SIGNER))) == "vkey_form"
    assert _code(lambda: _note(TEXT, SIGNER, name)) == "vkey_form"


def test_a_signer_that_does_not_match_its_public_key_is_found_out_at_once() -> None:
    broken: list[Callable[[bytes], bytes]] = [WITNESS.sign, lambda _message: b"", lambda _message: bytes(64)]
    for sign in broken:
        with pytest.raises(EvidenceStoreError) as failure:
            sign_note(TEXT, ORIGIN, _public(SIGNER), sign)
        assert failure.value.code == "signer_faulty"


def test_a_public_key_that_is_no_point_verifies_nothing() -> None:
    broken = VerifierKey(ORIGIN, key_id_of(ORIGIN, b"\xff" * 32), b"\xff" * 32)
    line = base64.b64encode(broken.key_id.to_bytes(4, "big") + bytes(64)).decode()
    assert _code(lambda: open_note(f"text\n\n\u2014 {ORIGIN} {line}\n".encode(), [broken])) == "note_signature"


def test_a_short_signature_of_a_known_key_is_a_failed_one() -> None:
    line = base64.b64encode(_vkey().key_id.to_bytes(4, "big") + b"short").decode()
    assert _code(lambda: open_note(f"text\n\n\u2014 {ORIGIN} {line}\n".encode(), [_vkey()])) == "note_signature"


def test_the_same_key_given_twice_is_one_key() -> None:
    assert open_note(_note(), [_vkey(), _vkey()]) == TEXT


def test_two_trusted_keys_that_share_name_and_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed, "key_id_of", lambda _name, _public_key: 7)
    keys = [VerifierKey(ORIGIN, 7, _public(SIGNER)), VerifierKey(ORIGIN, 7, _public(WITNESS))]
    assert _code(lambda: open_note(_note(), keys)) == "vkey_ambiguous"


def test_a_verifier_key_is_read_back_and_has_one_spelling() -> None:
    text = format_vkey(ORIGIN, _public(SIGNER))
    key = parse_vkey(text)
    assert (key.name, key.public_key) == (ORIGIN, _public(SIGNER))
    assert text == f"{ORIGIN}+{key.key_id:08x}+{base64.b64encode(bytes([1]) + _public(SIGNER)).decode()}"


VKEY = format_vkey(ORIGIN, _public(SIGNER))
NAME, KEY_ID, ENCODED = VKEY.split("+", 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ORIGIN,
        f"{NAME}+{KEY_ID}",
        f"+{KEY_ID}+{ENCODED}",
        f"{NAME}+{KEY_ID.upper()}X+{ENCODED}",
        f"{NAME}+0{KEY_ID}+{ENCODED}",
        f"{NAME}+00000000+{ENCODED}",
        f"{NAME}.other+{KEY_ID}+{ENCODED}",
        f"{VKEY}\n",
        f"{NAME}+{KEY_ID}+!!!",
        f"{NAME}+{KEY_ID}+\u00e9",
        f"{NAME}+{KEY_ID}+",
        f"{NAME}+{KEY_ID}+{base64.b64encode(bytes([2]) + _public(SIGNER)).decode()}",
        f"{NAME}+{KEY_ID}+{base64.b64encode(bytes([1]) + _public(SIGNER)[:31]).decode()}",
        f"a b+{KEY_ID}+{ENCODED}",
        f"\ud800+{KEY_ID}+{ENCODED}",
    ],
)
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    assert _code(lambda: parse_vkey(text)) == "vkey_form"


def test_a_key_under_a_foreign_id_cannot_be_made() -> None:
    assert _code(lambda: VerifierKey(ORIGIN, _vkey(WITNESS).key_id, _public(SIGNER))) == "vkey_form"


def test_a_checkpoint_is_read_back() -> None:
    text = checkpoint_text(CHECKPOINT)
    assert text == f"{ORIGIN}\n20852163\n{base64.b64encode(ROOT).decode()}\n"
    assert parse_checkpoint(text) == CHECKPOINT
    assert open_checkpoint(_note(text), _vkey()) == CHECKPOINT


def test_extension_lines_of_a_foreign_log_are_kept() -> None:
    extended = Checkpoint(ORIGIN, 0, ROOT, ("extension one", "two"))
    assert parse_checkpoint(checkpoint_text(extended)) == extended


LINES = checkpoint_text(CHECKPOINT).split("\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        "\n".join(LINES[:3]),
        "\n".join(LINES[:2]) + "\n",
        "\n".join(["", *LINES[1:]]),
        "\n".join([LINES[0], "", LINES[2], ""]),
        "\n".join([LINES[0], "01", LINES[2], ""]),
        "\n".join([LINES[0], "-1", LINES[2], ""]),
        "\n".join([LINES[0], "+1", LINES[2], ""]),
        "\n".join([LINES[0], " 1", LINES[2], ""]),
        "\n".join([LINES[0], "1_0", LINES[2], ""]),
        "\n".join([LINES[0], "\u0661", LINES[2], ""]),
        "\n".join([LINES[0], "9223372036854775808", LINES[2], ""]),
        "\n".join([LINES[0], "9" * 5000, LINES[2], ""]),
        "\n".join([LINES[0], "1", "AAAA", ""]),
        "\n".join([LINES[0], "1", LINES[2][:-1], ""]),
        "\n".join([LINES[0], "1", f"{LINES[2]} ", ""]),
        "\n".join([*LINES[:3], "", ""]),
        "\n".join([LINES[0] + "\r", *LINES[1:]]),
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    assert _code(lambda: parse_checkpoint(text)) == "checkpoint_form"


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("", 1, ROOT),
        Checkpoint("two\nlines", 1, ROOT),
        Checkpoint(ORIGIN, -1, ROOT),
        Checkpoint(ORIGIN, 2**63, ROOT),
        Checkpoint(ORIGIN, 1, b"short"),
        Checkpoint(ORIGIN, 1, ROOT, ("",)),
        Checkpoint(ORIGIN, 1, ROOT, ("a\nb",)),
    ],
)
def test_a_checkpoint_that_cannot_be_written_is_refused(checkpoint: Checkpoint) -> None:
    assert _code(lambda: checkpoint_text(checkpoint)) == "checkpoint_form"


def test_a_key_cannot_speak_for_a_log_of_another_name() -> None:
    other = checkpoint_text(Checkpoint("archive.example/other", 1, ROOT))
    assert _code(lambda: open_checkpoint(_note(other), _vkey())) == "checkpoint_origin"


def test_of_the_keys_of_two_logs_only_the_own_one_speaks_for_a_checkpoint() -> None:
    mine, other = _vkey(), _vkey(WITNESS, "archive.example/other")
    text = checkpoint_text(CHECKPOINT)
    foreign = _note(text, WITNESS, other.name)
    assert open_own_checkpoint(_note(text), [other, mine, mine]) == (CHECKPOINT, [mine])
    assert open_own_checkpoint(_note(text) + _line(foreign), [other, mine]) == (CHECKPOINT, [mine])
    assert _code(lambda: open_own_checkpoint(foreign, [other, mine])) == "checkpoint_origin"
    assert _code(lambda: open_own_checkpoint(foreign, [mine])) == "note_unsigned"


def test_a_signed_text_that_is_no_checkpoint_is_refused() -> None:
    assert _code(lambda: open_checkpoint(_note(), _vkey())) == "checkpoint_form"


@pytest.mark.parametrize("text", ["A", "AB==", "AAAB=", "AA\nAA", "\u00e9", "\ud800", "-_-_"])
def test_base64_that_is_not_the_one_encoding_is_none(text: str) -> None:
    assert decode_base64(text) is None
