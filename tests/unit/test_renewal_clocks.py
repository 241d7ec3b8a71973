"""Authorities whose clocks differ: a chain's times never go back, and a wait of seconds is worth a second witness."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from evidence_store import asn1
from evidence_store.timestamps.request import granted_response
from tests.checks import assert_clean
from tests.renewals import Stage, lasting, stage
from tests.tokens import Forgery
from tests.tsa import LocalTsa


@dataclass
class ClockedTsa(LocalTsa):
    """An authority whose clock is off; it tells whole seconds, as many do."""

    off: timedelta = timedelta(0)

    def reply(self, request: bytes) -> bytes:
        """A truly signed token of the wrong time."""
        _version, imprint, nonce, _cert = asn1.Reader(request).enter(asn1.SEQUENCE).elements()
        algorithm, digest = asn1.Reader(imprint).enter(asn1.SEQUENCE).elements()
        name = "sha512" if algorithm.endswith(b"\x04\x02\x03") else "sha256"
        forgery = Forgery(
            self.authority.tsa,
            asn1.Reader(digest).take(asn1.OCTET_STRING),
            name,
            at=datetime.now(UTC) + self.off,
            nonce=asn1.Reader(nonce).take_integer(),
        )
        return granted_response(forgery.der())


def ask_clocked(at: Stage, off: timedelta) -> None:
    """A second authority whose certificate lasts longer, so that it stamps after the first."""
    tsa = ClockedTsa(at.folder / "tsa-clocked", lasting("clocked", 9000), off=off)
    at.stack.enter_context(tsa)
    at.services.timestamps.add(at.admin.actor, "clocked", tsa.url, tsa.authority.roots_pem)
    at.tsas["clocked"] = tsa


@pytest.mark.parametrize("behind", [0, 2])
def test_clock_that_is_seconds_behind_is_waited_for(behind: int, tmp_path: Path) -> None:
    with stage(tmp_path, ()) as at:
        at.ask("first", lasting("first", 1000))
        ask_clocked(at, -timedelta(seconds=behind))
        outcome = at.services.renewals.renew(at.admin)
        assert outcome.tree is not None
        assert [stamp.authority for stamp in outcome.tree.stamps] == ["first", "clocked"]
        assert all(one.gen_time <= two.gen_time for one, two in pairwise(outcome.tree.stamps))
        assert_clean(at.services)


def test_clock_that_is_far_behind_stamps_nothing_after_another(tmp_path: Path) -> None:
    with stage(tmp_path, ()) as at:
        at.ask("first", lasting("first", 1000))
        ask_clocked(at, -timedelta(hours=1))
        outcome = at.services.renewals.renew(at.admin)
        assert outcome.tree is not None
        assert [stamp.authority for stamp in outcome.tree.stamps] == ["first"]
        assert "its clock is behind" in outcome.silent["clocked"]
        assert_clean(at.services)


def test_time_stamp_of_a_clock_that_was_ahead_is_not_renewed_by_an_older_one(tmp_path: Path) -> None:
    with stage(tmp_path, ()) as at:
        at.ask("brief", lasting("brief", 100))
        at.services.renewals.renew(at.admin)
        at.ask_no_more("brief")
        ask_clocked(at, -timedelta(hours=1))
        with pytest.raises(Exception, match="its clock is behind"):
            at.services.renewals.renew(at.admin, due_only=True)
        assert len(at.told()) == 1
        assert_clean(at.services)
