"""Co-signers at rest: both halves belong together, and a wrong pair is refused before anything is signed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence_store.errors import EvidenceStoreError
from evidence_store.keys import file as key_file
from evidence_store.keys.cosigner import load_cosigner, make_cosigner, read_cosigner_key
from evidence_store.keys.file import generate_p256, save_private_key
from evidence_store.log.cosignature import ED25519_COSIGNER, MLDSA44_COSIGNER, add_lines, verify_cosignatures

PASSPHRASE = b"a passphrase for tests only"
TEXT = "archive.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "SCRYPT_P", 1)


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(EvidenceStoreError) as failure:
        call()
    return failure.value.code


@pytest.mark.parametrize("algorithm", [ED25519_COSIGNER, MLDSA44_COSIGNER])
def test_a_saved_cosigner_signs_what_its_public_half_verifies(algorithm: int, tmp_path: Path) -> None:
    key = make_cosigner(tmp_path, "witness", "witness.example/w1", algorithm, PASSPHRASE)
    assert read_cosigner_key(tmp_path, "witness") == key
    line = load_cosigner(tmp_path, "witness", PASSPHRASE).line(TEXT, 1_700_000_000)
    note = add_lines(f"{TEXT}\n\u2014 log AAAAAAAA\n".encode(), [line])
    assert [(c.key, c.time) for c in verify_cosignatures(note, [key])] == [(key, 1_700_000_000)]


def test_halves_of_two_keys_are_refused(tmp_path: Path) -> None:
    for stem in ("first", "second"):
        make_cosigner(tmp_path, stem, "witness.example/w1", ED25519_COSIGNER, PASSPHRASE)
    shutil.copyfile(tmp_path / "second.vkey", tmp_path / "first.vkey")
    assert _code(lambda: load_cosigner(tmp_path, "first", PASSPHRASE)) == "key_mismatch"


def test_a_key_of_another_kind_in_its_place_is_refused(tmp_path: Path) -> None:
    make_cosigner(tmp_path, "witness", "witness.example/w1", MLDSA44_COSIGNER, PASSPHRASE)
    (tmp_path / "witness.key").unlink()
    save_private_key(tmp_path / "witness.key", generate_p256(), PASSPHRASE)
    assert _code(lambda: load_cosigner(tmp_path, "witness", PASSPHRASE)) == "key_unsupported"


@pytest.mark.parametrize("name", ["", "two words", "plus+sign", "w\x00", "\ud800"])
def test_a_bad_name_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    assert _code(lambda: make_cosigner(tmp_path, "witness", name, ED25519_COSIGNER, PASSPHRASE)) == "vkey_form"
    assert list(tmp_path.iterdir()) == []


def test_an_existing_key_is_not_replaced(tmp_path: Path) -> None:
    key = make_cosigner(tmp_path, "witness", "witness.example/w1", ED25519_COSIGNER, PASSPHRASE)
    again = lambda: make_cosigner(tmp_path, "witness", "witness.example/w2", ED25519_COSIGNER, PASSPHRASE)  # noqa: E731
    assert _code(again) == "file_exists"
    assert load_cosigner(tmp_path, "witness", PASSPHRASE).key == key


@pytest.mark.parametrize(
    ("content", "code"), [(None, "key_missing"), (b"\xff\xfe", "key_unreadable"), (b"name+0+x\n", "vkey_form")]
)
def test_an_unreadable_public_half_is_named(content: bytes | None, code: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "witness.vkey").write_bytes(content)
    assert _code(lambda: load_cosigner(tmp_path, "witness", PASSPHRASE)) == code


def test_a_folder_in_place_of_the_public_half_is_named(tmp_path: Path) -> None:
    (tmp_path / "witness.vkey").mkdir()
    assert _code(lambda: read_cosigner_key(tmp_path, "witness")) == "key_unreadable"
