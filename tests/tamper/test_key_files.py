"""Files in the key folder: what is handed on as the log's keys, what an audit names, and keys changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.audit import key_checks
from app.errors import EnvironmentFailedError
from app.keyring.published import published_lines
from app.keyring.rotation import Wish
from evidence_store.keys import file as key_file
from evidence_store.log import note
from tests.keyrings import Ring, sign_behind_its_back
from tests.witnesses import make_witness, policy_text, vkeys_of


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        made = Ring(tmp_path)
        made.deposit()
        made.services.checkpoint()
        yield made
        made.services.archive.db.close()


def published(ring: Ring) -> list[str]:
    return published_lines(ring.services.archive)


def in_use(ring: Ring, name: str) -> str:
    return (ring.keys / name).read_text().strip()


def misplaced(ring: Ring) -> set[str]:
    return {subject for code, subject in ring.findings("error") if code == "key_misplaced"}


def own_vkey(ring: Ring) -> str:
    public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return note.format_vkey(ring.services.archive.identity.log, public)


def test_keys_in_use_and_former_ones_are_published_and_the_audit_is_clean(ring: Ring) -> None:
    former = in_use(ring, "log.vkey")
    for use in ("log", "pq", "seal", "ca"):
        ring.rotate(use)
    lines = published(ring)
    assert lines[:2] == [in_use(ring, "log.vkey"), in_use(ring, "log-mldsa.vkey")]
    assert (len(lines), former in lines) == (4, True)
    assert ring.findings("error") == set()


@pytest.mark.parametrize("place", ["log-zz.vkey", "retired/log-0123456789abcdef.vkey"])
def test_a_key_that_somebody_put_into_the_folder_is_not_published_and_is_named(ring: Ring, place: str) -> None:
    before = published(ring)
    (ring.keys / "retired").mkdir(exist_ok=True)
    (ring.keys / place).write_text(own_vkey(ring) + "\n")
    assert published(ring) == before
    assert misplaced(ring) == {place}


@pytest.mark.parametrize("name", ["tls.crt", "retired/ca-0123456789abcdef.crt", "retired/seal-x.crt"])
@pytest.mark.parametrize("content", [b"", b"\xff", b"no certificate", None])
def test_a_certificate_that_the_log_does_not_tell_of_is_named(ring: Ring, name: str, content: bytes | None) -> None:
    (ring.keys / "retired").mkdir(exist_ok=True)
    (ring.keys / name).write_bytes((ring.keys / "ca.crt").read_bytes() if content is None else content)
    assert misplaced(ring) == {name}


def test_a_compromised_key_that_lost_its_mark_is_not_published_and_is_named(ring: Ring) -> None:
    stolen = in_use(ring, "log.vkey")
    ring.compromise("log", ring.clock.now)
    ring.rotate("log")
    (marked,) = (ring.keys / "retired").glob("compromised-log-*.vkey")
    before = published(ring)
    assert stolen not in before
    plain = marked.with_name(marked.name.removeprefix("compromised-"))
    marked.rename(plain)
    assert published(ring) == before
    assert misplaced(ring) == {f"retired/{plain.name}", f"retired/{marked.name}"}


def test_a_former_key_marked_as_compromised_by_hand_is_named(ring: Ring) -> None:
    ring.rotate("log")
    (former,) = (ring.keys / "retired").glob("log-*.vkey")
    former.rename(former.with_name(f"compromised-{former.name}"))
    assert misplaced(ring) == {f"retired/{former.name}", f"retired/compromised-{former.name}"}


def test_a_former_key_that_was_taken_away_is_named(ring: Ring) -> None:
    ring.rotate("seal")
    (former,) = (ring.keys / "retired").glob("seal-*.crt")
    former.unlink()
    assert misplaced(ring) == {f"retired/{former.name}"}


def test_a_key_that_only_the_database_introduces_is_not_published_and_is_named(ring: Ring) -> None:
    """Introduced and retired at once, so that nothing is missed among the keys in use."""
    from app.custody.service import SYSTEM
    from evidence_store.trust import LOG

    key, archive = own_vkey(ring), ring.services.archive
    usual = {"use": LOG, "key": key, "reason": "", "at": "2026-01-01T00:00:01.000000Z"}
    with archive.db.write() as session:
        for change, material in (("introduction", key), ("retirement", None)):
            details = {**usual, "change": change, "material": material}
            archive.custody.record(session, f"keys:{archive.identity.id}", "key change", SYSTEM, details={**details})
    assert key not in published(ring)
    (name,) = misplaced(ring)
    assert name.startswith("retired/log-")


def test_a_checkpoint_of_a_stolen_key_is_neither_kept_nor_handed_out(ring: Ring) -> None:
    ring.compromise("log", ring.clock.now)
    ring.rotate("log", keep_private=True)
    ring.services.checkpoint()
    (stolen,) = (ring.keys / "retired").glob("*log-*.key")
    ring.deposit()
    kept = ring.services.archive.settings.head_file.read_bytes()
    sign_behind_its_back(ring, stolen)
    latest_or_none = ring.services.checkpointer.latest_or_none
    for hand_out, code in ((ring.services.checkpoint, "checkpoint_damaged"), (latest_or_none, "key_compromised")):
        with pytest.raises(EnvironmentFailedError) as caught:
            hand_out()
        assert caught.value.code == code
    assert ring.services.archive.settings.head_file.read_bytes() == kept


# -- changed while an audit runs -------------------------------------------------------------------


def once_the_log_was_read(change: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    checked = key_checks.check_identity

    def busy(*arguments: object) -> None:
        monkeypatch.setattr(key_checks, "check_identity", checked)
        change()
        checked(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(key_checks, "check_identity", busy)


@pytest.mark.parametrize("use", ["ca", "seal", "log", "pq"])
def test_a_key_that_is_rotated_during_an_audit_raises_no_alarm(
    ring: Ring, use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    once_the_log_was_read(lambda: ring.opened().keyring.rotate(ring.who, Wish(use)), monkeypatch)
    assert ring.findings("error", "warning") == set()
    assert ring.findings("error") == set()


def test_a_policy_that_is_set_during_an_audit_raises_no_alarm_and_one_put_there_does(
    ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = make_witness(tmp_path / "w", "w.example/1", *published(ring))
    policy = policy_text(("b", vkeys_of(witness)[0], "http://127.0.0.1:9"))
    once_the_log_was_read(lambda: ring.opened().witnessing.set_policy(ring.who.actor, policy), monkeypatch)
    assert ring.findings("error") == set()
    once_the_log_was_read(ring.services.archive.settings.witness_policy.unlink, monkeypatch)
    assert ring.findings("error") == {("witness_policy_altered", "witnesses.policy")}


def test_a_key_exchanged_during_an_audit_is_named(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    once_the_log_was_read(lambda: (ring.keys / "log.vkey").write_text(own_vkey(ring) + "\n"), monkeypatch)
    assert ("key_altered", "log.vkey") in ring.findings("error")
