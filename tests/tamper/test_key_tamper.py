"""Attacks on the key folder and on the key history: each is named, and none is taken for an interrupted change."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from app.custody.service import SYSTEM
from app.errors import EnvironmentFailedError
from app.keyring.rotation import Wish
from evidence_store.keys import file as key_file
from tests.keyrings import Ring


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        made = Ring(tmp_path)
        made.deposit()
        made.rotate("seal")
        made.services.checkpoint()
        yield made
        made.services.archive.db.close()


def record(ring: Ring, about: str | None = None, **details: str | None) -> None:
    """An event that somebody with the program in hand adds to the history."""
    custody, db = ring.services.archive.custody, ring.services.archive.db
    with db.write() as session:
        about = about or f"keys:{ring.services.archive.identity.id}"
        custody.record(session, about, "key change", SYSTEM, details={**details})


def change(ring: Ring, **changes: str) -> dict[str, str | None]:
    record = ring.services.keyring.history().of("seal")[0]
    usual = {"change": "retirement", "use": "seal", "key": record.key, "material": None, "reason": ""}
    return {**usual, "at": "2026-01-02T00:00:00.000000Z", **changes}


def record_twice(ring: Ring) -> None:
    retired = change(ring)
    for _ in range(2):
        record(ring, **retired)


def _fake_change(ring: Ring) -> None:
    """A plan that nobody recorded, for a key that nobody introduced."""
    introduced = {"change": "introduction", "use": "seal", "key": "0" * 64}
    (ring.keys / "next").mkdir()
    plan = {"use": "seal", "changes": [introduced], "files": ["seal.crt"], "put_away": {}, "remove": []}
    (ring.keys / "next" / "plan.json").write_text(json.dumps(plan))
    (ring.keys / "seal.crt").write_bytes(next((ring.keys / "retired").glob("seal-*.crt")).read_bytes())


ATTACKS: dict[str, tuple[Callable[[Ring], object], str, str]] = {
    "former certificate put back": (
        lambda r: (r.keys / "seal.crt").write_bytes(next((r.keys / "retired").glob("seal-*.crt")).read_bytes()),
        "key_altered",
        "seal.crt",
    ),
    "log key gone": (lambda r: (r.keys / "log.vkey").unlink(), "key_altered", "log.vkey"),
    "certificate that is none": (lambda r: (r.keys / "ca.crt").write_text("no"), "key_altered", "ca.crt"),
    "change that the log does not know": (_fake_change, "key_altered", "seal.crt"),
    "key retired twice": (
        record_twice,
        "key_history_malformed",
        "keys:",
    ),
    "history with nonsense": (lambda r: record(r, change="blessing"), "key_history_malformed", "keys:"),
    "history of another archive": (
        lambda r: record(r, "keys:0e9f8f6c-0000-4000-8000-000000000001", **change(r)),
        "key_history_malformed",
        "keys:0e9f8f6c",
    ),
    "unknown private key file beside a token's": (
        lambda r: (r.keys / "seal.pkcs11").write_text("{}"),
        "key_unusable",
        "seal.",
    ),
    "private key that others may read": (lambda r: (r.keys / "seal.key").chmod(0o644), "key_unusable", "seal.key"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_on_keys_is_named(ring: Ring, attack: str) -> None:
    assert ring.findings("error") == set()
    do, code, subject = ATTACKS[attack]
    do(ring)
    found = ring.findings("error")
    assert any(one == code and about.startswith(subject) for one, about in found), found


def test_plan_that_cannot_be_read_is_named_and_nothing_is_signed_past_it(ring: Ring) -> None:
    (ring.keys / "next").mkdir()
    (ring.keys / "next" / "plan.json").write_text("{")
    assert ("key_altered", "next") in ring.findings("error")
    with pytest.raises(EnvironmentFailedError) as caught:
        ring.services.archive.seal_key()
    assert caught.value.code == "key_damaged"


def test_leftovers_that_the_log_does_not_know_are_told_and_thrown_away(ring: Ring) -> None:
    (ring.keys / "next").mkdir()
    (ring.keys / "next" / "seal.crt").write_text("half-made")
    assert ("key_rotation_unfinished", "next") in ring.findings("warning")
    assert ring.findings("error") == set()
    ring.services.archive.seal_key()
    assert not (ring.keys / "next").exists()


def test_rotation_refuses_to_build_on_a_key_that_was_exchanged(ring: Ring) -> None:
    (ring.keys / "seal.crt").write_bytes(next((ring.keys / "retired").glob("seal-*.crt")).read_bytes())
    with pytest.raises(EnvironmentFailedError) as caught:
        ring.services.keyring.rotate(ring.who, Wish("log"))
    assert caught.value.code == "key_altered"
    assert not (ring.keys / "next").exists()
