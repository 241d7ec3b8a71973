"""A log whose keys change, and a witness that has to be told: refused in plain words, and co-signed once it knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.custody.vkeys import verifier_lines
from app.witnessing.service import WitnessState
from tests.checks import assert_clean
from tests.keyrings import Ring
from tests.witnesses import listening, make_witness, policy_text, vkeys_of


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    made = Ring(tmp_path)
    yield made
    made.services.archive.db.close()


def asked(ring: Ring) -> tuple[int, WitnessState]:
    """Sign the head, ask the witness; the size of the head, and how it goes with the witness."""
    ring.deposit()
    ring.services.checkpoint()
    ring.services.witnessing.obtain(30)
    state = ring.services.witnessing.state()
    assert state.size is not None
    return state.size, state.witnesses[0]


def test_witness_that_knows_the_ed25519_key_alone_refuses_after_its_rotation_until_it_is_told(
    ring: Ring, tmp_path: Path
) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", verifier_lines(ring.keys)[0])
    with listening(folder) as url:
        actor = ring.who.actor
        ring.services.witnessing.set_policy(actor, policy_text(("b", vkeys_of(folder)[0], url)))
        before, one = asked(ring)
        assert (one.size, one.error) == (before, None)
        ring.rotate("log")
        _, one = asked(ring)
        assert one.size == before
        assert one.contradiction is None, "a key that is not known is no fork"
        assert "HTTP 403: checkpoint_unsigned" in str(one.error)
        assert "catena witness add-log" in str(one.error)
        folder.add_log((ring.keys / "log.vkey").read_text().strip())
        size, one = asked(ring)
        assert (one.size, one.error, one.failures) == (size, None, 0)
    assert_clean(ring.services)


def test_witness_that_knows_both_keys_goes_on_while_one_of_them_stays(ring: Ring, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *verifier_lines(ring.keys))
    with listening(folder) as url:
        actor = ring.who.actor
        ring.services.witnessing.set_policy(actor, policy_text(("b", vkeys_of(folder)[0], url)))
        asked(ring)
        ring.rotate("log")
        size, one = asked(ring)
        assert (one.size, one.error) == (size, None), "the ML-DSA-44 signature is of a key that it knows"
        ring.rotate("pq")
        _, one = asked(ring)
        assert one.size == size
        assert "catena witness add-log" in str(one.error)
        for name in ("log.vkey", "log-mldsa.vkey"):
            folder.add_log((ring.keys / name).read_text().strip())
        size, one = asked(ring)
        assert (one.size, one.error) == (size, None)
    assert_clean(ring.services)


def test_witness_that_was_never_told_of_the_log_says_so(ring: Ring, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w")
    with listening(folder) as url:
        ring.services.witnessing.set_policy(ring.who.actor, policy_text(("b", vkeys_of(folder)[0], url)))
        _, one = asked(ring)
    assert one.size == 0
    assert "HTTP 404: unknown_log" in str(one.error)
    assert "it was not told of this log" in str(one.error)
