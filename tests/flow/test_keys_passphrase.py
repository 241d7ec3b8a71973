"""A passphrase that is mistyped while keys change: nothing may be locked with it, and nothing is recorded."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from app.keyring.making import InToken
from app.keyring.rotation import Rotations, Wish
from app.wiring import open_archive
from evidence_store.errors import EvidenceStoreError
from evidence_store.trust import USES
from tests.checks import assert_clean
from tests.commands import Cli
from tests.keyrings import Machine, Ring
from tests.softhsm import PIN, new_token

TYPO = b"correct hrose battery staple"


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    made = Ring(tmp_path, None, Machine())
    made.deposit()
    return made


def files(ring: Ring) -> dict[str, bytes]:
    return {str(path.relative_to(ring.keys)): path.read_bytes() for path in ring.keys.rglob("*") if path.is_file()}


def with_a_typo(ring: Ring, use: str) -> str:
    """Rotate in another process whose passphrase is mistyped; the code of the refusal."""
    mistaken = open_archive(ring.services.archive.settings, lambda: TYPO, ring.clock)
    try:
        with pytest.raises(EvidenceStoreError) as refused:
            mistaken.keyring.rotate(ring.who, Wish(use))
    finally:
        mistaken.archive.db.close()
    return refused.value.code


@pytest.mark.parametrize("use", USES)
def test_mistyped_passphrase_makes_no_key_and_records_nothing(use: str, ring: Ring) -> None:
    before, history = files(ring), ring.services.keyring.history()
    assert with_a_typo(ring, use) == "wrong_passphrase"
    assert (files(ring), ring.services.keyring.history()) == (before, history)
    ring.rotate(use)
    assert ring.deposit() is not None
    assert_clean(ring.services)


def test_mistyped_passphrase_is_noticed_by_the_only_private_key_that_is_in_a_file(ring: Ring, tmp_path: Path) -> None:
    """All others lie elsewhere: the one that is here still tells."""
    for name in ("ca.key", "seal.key", "log.key"):
        (ring.keys / name).rename(tmp_path / name)
    assert with_a_typo(ring, "log") == "wrong_passphrase"
    assert not (ring.keys / "next").exists()


@pytest.mark.parametrize("use", ["log", "pq", "ca"])
def test_interrupted_rotation_is_not_ended_with_a_mistyped_passphrase(use: str, ring: Ring) -> None:
    with mock.patch.object(Rotations, "_finish", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        ring.rotate(use)
    before = files(ring)
    assert with_a_typo(ring, use) == "wrong_passphrase"
    assert files(ring) == before
    ring.services.checkpoint()
    assert not (ring.keys / "next").exists()
    assert ring.deposit() is not None
    assert_clean(ring.services)


def test_prepared_key_that_opens_with_another_passphrase_never_takes_the_place_of_the_old_one(ring: Ring) -> None:
    """What an archive of before holds, when a rotation with a mistyped passphrase was cut off; disowning it goes on."""
    mistaken = open_archive(ring.services.archive.settings, lambda: TYPO, ring.clock)
    with (
        mock.patch.object(Rotations, "_require_passphrase"),
        mock.patch.object(Rotations, "_finish", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        mistaken.keyring.rotate(ring.who, Wish("log"))
    mistaken.archive.db.close()
    before = files(ring)
    with pytest.raises(EvidenceStoreError) as refused:
        ring.services.checkpoint()
    assert refused.value.code == "wrong_passphrase"
    assert files(ring) == before
    ring.compromise("log", ring.clock())
    ring.rotate("log")
    assert ring.deposit() is not None
    ring.services.checkpoint()
    assert not ring.findings("error")


def test_lost_passphrase_is_a_compromise_of_all_keys_and_then_a_new_one_is_taken(ring: Ring) -> None:
    ring.services.checkpoint()
    for use in ("ca", "seal", "log", "pq"):
        ring.compromise(use, ring.clock())
    new = open_archive(ring.services.archive.settings, lambda: TYPO, ring.clock)
    for use in ("ca", "log", "pq"):
        new.keyring.rotate(ring.who, Wish(use))
    assert ring.deposit(new) is not None
    new.checkpoint()
    new.archive.db.close()
    with pytest.raises(EvidenceStoreError) as refused:
        ring.services.keyring.rotate(ring.who, Wish("seal"))  # with the passphrase that was lost
    assert refused.value.code == "wrong_passphrase"


def test_lost_passphrase_does_not_keep_an_interrupted_move_into_a_token_from_being_ended(
    ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old file, which only the lost passphrase opens, may still lie there: it is removed, not asked."""
    token = new_token(tmp_path, monkeypatch)
    monkeypatch.setenv("CATENA_PKCS11_PIN", PIN)
    ring.services.checkpoint()
    for use in ("ca", "seal", "log", "pq"):
        ring.compromise(use, ring.clock())
    new = open_archive(ring.services.archive.settings, lambda: TYPO, ring.clock)
    for use in ("ca", "pq"):
        new.keyring.rotate(ring.who, Wish(use))
    wish = Wish("log", token=InToken(token.module, token.label, "log-2"))
    with mock.patch.object(Rotations, "_finish", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        new.keyring.rotate(ring.who, wish)
    assert (ring.keys / "log.key").exists()
    new.checkpoint()
    assert not (ring.keys / "next").exists()
    assert not (ring.keys / "log.key").exists()
    assert ring.deposit(new) is not None
    assert {code for code, _ in ring.findings("error")} == {"key_compromised"}, "which no time stamp makes good"
    new.archive.db.close()


def test_rotation_asks_for_the_passphrase_twice(bare_cli: Cli, tmp_path: Path) -> None:
    held = bare_cli.data / "passphrase"
    secret = held.read_text().strip()
    held.rename(tmp_path / "elsewhere")
    typed = iter([secret, "a typo", secret, secret])  # the two of the first time differ: both are asked for again
    with (
        mock.patch("sys.stdin.isatty", return_value=True),
        mock.patch("click.termui.hidden_prompt_func", side_effect=typed),
    ):
        told = bare_cli("keys", "rotate", "seal")
    assert "do not match" in told.err
    assert "the seal key is now" in told.out
    assert list(typed) == []
