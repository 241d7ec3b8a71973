"""Asking witnesses: who is asked, what is stored, who is asked again, and whom the log follows."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from app.api.services import Services
from app.errors import CatenaError
from app.witnessing.contacts import LEASE_SECONDS, Contacts
from app.witnessing.models import CosignatureRow, WitnessContactRow
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import verify_cosignatures
from evidence_store.log.policy import Witness
from evidence_store.witness.folder import WitnessFolder
from tests.checks import assert_clean, audit, errors_of
from tests.witness_logs import Log
from tests.witnessed import (
    Clock,
    details_of,
    follow,
    grow,
    own_keys,
    states_of,
    stored_cosignatures,
)
from tests.witnesses import listening, make_witness, policy_text, vkeys_of


def test_a_growing_log_is_cosigned_by_both_keys_and_the_audit_is_clean(services: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(services))
    classic, quantum = vkeys_of(folder)
    with listening(folder) as url:
        follow(services, ("classic", classic, url), ("quantum", quantum, url))
        sizes = []
        for entries in (1, 5, 1):
            sizes.append(grow(services, entries))
            services.witnessing.work()
        services.witnessing.work()  # nothing is due
    assert [size for size, _ in stored_cosignatures(services)] == [size for size in sizes for _ in range(2)]
    state = services.witnessing.state()
    assert (state.size, state.met, state.met_size, state.contradicted) == (sizes[-1], True, sizes[-1], False)
    assert all((one.size, one.error, one.failures) == (sizes[-1], None, 0) for one in state.witnesses)
    cosigned = services.witnessing.cosigned(sizes[-1])
    assert cosigned is not None
    assert len(verify_cosignatures(cosigned, folder.public_keys())) == 2
    assert cosigned.startswith(services.checkpoint())
    assert folder.state.read()[services.archive.identity.log].size == sizes[-1]
    assert_clean(services)


def test_two_of_three_is_enough_and_one_is_not(lite: Services, tmp_path: Path) -> None:
    folders = [make_witness(tmp_path / n, f"{n}.example", own_keys(lite)[0], algorithms=["ed25519"]) for n in "abc"]
    keys = [vkeys_of(folder)[0] for folder in folders]
    dead = "http://127.0.0.1:9"
    size = grow(lite)
    with listening(folders[0]) as first, listening(folders[1]) as second:
        follow(lite, ("a", keys[0], first), ("b", keys[1], dead), ("c", keys[2], dead), quorum="2")
        size = grow(lite)
        lite.witnessing.work()
        assert (lite.witnessing.state().met, lite.witnessing.met_size()) == (False, None)
        assert lite.witnessing.cosigned(size) is not None
        follow(lite, ("a", keys[0], first), ("b", keys[1], second), ("c", keys[2], dead), quorum="2")
        size = grow(lite)
        lite.witnessing.obtain(30)
    assert (lite.witnessing.state().met, lite.witnessing.met_size()) == (True, size)
    assert "witness_unreachable" in str(states_of(lite)["c"].error)
    assert_clean(lite)


def test_without_a_policy_nobody_is_asked(lite: Services) -> None:
    grow(lite)
    lite.witnessing.work()
    lite.witnessing.obtain(5)
    state = lite.witnessing.state()
    assert (state.quorum, state.met, state.witnesses) == (None, None, ())
    assert lite.witnessing.cosigned(state.size or 0) is None


def test_a_quorum_of_none_is_met_at_once(lite: Services) -> None:
    lite.witnessing.set_policy(lite.access.local_operator().actor, b"quorum none\n")
    size = grow(lite)
    assert (lite.witnessing.state().met, lite.witnessing.met_size()) == (True, size)
    assert_clean(lite)


def test_a_witness_that_is_down_is_asked_again_later_and_catches_up(
    services: Services, tmp_path: Path, clock: Clock
) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(services))
    with listening(folder) as url:
        follow(services, ("b", vkeys_of(folder)[0], url))
        grow(services)
        services.witnessing.work()
    port = int(url.rpartition(":")[2])
    size = grow(services, 3)
    delays = []
    for _ in range(4):
        services.witnessing.work()
        one = states_of(services)["b"]
        assert "witness_unreachable" in str(one.error)
        services.witnessing.work()  # not due yet
        assert states_of(services)["b"].failures == one.failures
        wait = datetime.fromisoformat(str(one.next_attempt_at)) - clock()
        delays.append(wait)
        clock.ahead += wait + timedelta(seconds=1)
    assert delays == sorted(delays)
    assert services.witnessing.state().met is False
    with listening(folder, port):
        services.witnessing.work()
    one = states_of(services)["b"]
    assert (one.size, one.failures, one.error) == (size, 0, None)
    assert_clean(services)


def test_of_two_processes_one_asks(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    witnesses = list(_policy_of(lite, folder, "http://127.0.0.1:9").values())
    size = grow(lite)
    contacts = Contacts(lite.archive.db, lite.archive.clock)
    assert len(contacts.claim(witnesses, size)) == 1
    assert contacts.claim(witnesses, size) == []
    assert len(contacts.claim(witnesses, size, now=True)) == 1


def _policy_of(services: Services, folder: WitnessFolder, url: str) -> dict[str, Witness]:
    follow(services, ("b", vkeys_of(folder)[0], url))
    policy = services.witnessing.policies.read()
    assert policy is not None
    return policy.witnesses


def test_a_claim_of_a_process_that_died_runs_out(lite: Services, tmp_path: Path, clock: Clock) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    witnesses = list(_policy_of(lite, folder, "http://127.0.0.1:9").values())
    size = grow(lite)
    contacts = Contacts(lite.archive.db, clock)
    contacts.claim(witnesses, size)
    clock.ahead += timedelta(seconds=LEASE_SECONDS + 1)
    assert len(contacts.claim(witnesses, size)) == 1


def test_an_answer_that_was_lost_is_got_again_without_a_second_row(services: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(services))
    with listening(folder) as url:
        follow(services, ("b", vkeys_of(folder)[0], url))
        size = grow(services, 4)
        services.witnessing.work()
        with services.archive.db.write() as session:  # as if the answer had never arrived
            for row in session.exec(select(CosignatureRow)):
                session.delete(row)
        _forget_contact(services)
        services.witnessing.work()
        assert [stored for stored, _ in stored_cosignatures(services)] == [size]
        _forget_contact(services)
        services.witnessing.work()
        assert [stored for stored, _ in stored_cosignatures(services)] == [size]
    assert states_of(services)["b"].size == size
    assert_clean(services)


def _forget_contact(services: Services) -> None:
    with services.archive.db.write() as session:
        for row in session.exec(select(WitnessContactRow)):
            session.delete(row)


def test_a_witness_that_lost_its_state_is_told_of_and_served(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    with listening(folder) as url:
        follow(lite, ("b", vkeys_of(folder)[0], url))
        first = grow(lite)
        lite.witnessing.work()
        (folder.path / "state.json").unlink()
        folder.state.create()
        size = grow(lite)
        lite.witnessing.work()
    one = states_of(lite)["b"]
    assert (one.size, one.contradiction) == (size, None)
    assert f"had co-signed {first}: it has forgotten" in str(one.error)


# -- the policy ----------------------------------------------------------------------------------


def test_a_policy_is_recorded_and_old_witnesses_stay_verifiable(lite: Services, tmp_path: Path) -> None:
    first, second = (make_witness(tmp_path / n, f"{n}.example", *own_keys(lite)) for n in ("first", "second"))
    with listening(first) as url, listening(second) as other:
        follow(lite, ("first", vkeys_of(first)[0], url))
        grow(lite)
        lite.witnessing.work()
        follow(lite, ("second", vkeys_of(second)[0], other))
        grow(lite)
        lite.witnessing.work()
    assert len(stored_cosignatures(lite)) == 2
    assert [event["quorum"] for event in details_of(lite, "witness policy change")] == ["enough", "enough"]
    report = audit(lite)
    assert report["ok"]
    assert not [one for one in report["findings"] if one["code"] == "cosignature_key_unknown"]
    lite.archive.settings.witness_policy.with_suffix(".known").unlink()
    report = audit(lite)
    assert [one["code"] for one in report["findings"] if one["subject"].startswith("cosignature ")] == [
        "cosignature_key_unknown"
    ]


BAD_POLICIES: list[tuple[bytes | str, str]] = [
    (b"", "policy_form"),
    (b"\xff", "policy_form"),
    (b"#" * 1_000_001 + b"\n", "policy_too_large"),
    (f"log {Log().vkey}\nquorum none\n".encode(), "policy_of_other_log"),
    ("OWN", "policy_own_key"),
    ("ftp://w.example", "policy_address"),
    ("https://", "policy_address"),
    ("https://user:word@w.example/", "policy_address"),
    ("https://w.example/?q", "policy_address"),
    ("https://w.example/#f", "policy_address"),
    ("https://[::1", "policy_address"),
]


def test_a_policy_that_cannot_be_followed_is_refused(lite: Services, tmp_path: Path) -> None:
    stranger = vkeys_of(make_witness(tmp_path / "w", "w.example"))[0]
    actor = lite.access.local_operator().actor
    for bad, code in BAD_POLICIES:
        text = bad
        if isinstance(text, str):
            own = text == "OWN"
            text = policy_text(("w", own_keys(lite)[1] if own else stranger, None if own else text))
        with pytest.raises((CatenaError, EvidenceStoreError), match=f"^{code}:"):
            lite.witnessing.set_policy(actor, text)
    assert lite.witnessing.policies.text() is None
    assert details_of(lite, "witness policy change") == []


def test_a_policy_that_was_changed_behind_the_logs_back_is_named(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    follow(lite, ("b", vkeys_of(folder)[0], None))
    assert_clean(lite)
    path = lite.archive.settings.witness_policy
    for change in (lambda: path.write_bytes(b"quorum none\n"), path.unlink):
        change()
        assert errors_of(audit(lite)) == {("witness_policy_altered", "witnesses.policy")}
    path.write_bytes(b"nonsense\n")
    assert ("witness_policy_malformed", "witnesses.policy") in errors_of(audit(lite))
    for call in (lite.witnessing.work, lite.witnessing.state):
        with pytest.raises(CatenaError) as failure:
            call()
        assert failure.value.code == "witness_policy_unreadable"
    path.write_bytes(b"\xff")
    assert ("witness_policy_malformed", "witnesses.policy") in errors_of(audit(lite))
    follow(lite, ("b", vkeys_of(folder)[0], None))
    assert_clean(lite)


def test_acknowledging_needs_a_contradiction_and_a_reason(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    actor = lite.access.local_operator().actor
    for setup, name, reason, code in (
        (None, "b", "reason", "no_contradiction"),
        (folder, "x", "reason", "no_contradiction"),
        (folder, "b", "reason", "no_contradiction"),
        (folder, "b", "", "bad_reason"),
        (folder, "b", "two\nlines", "bad_reason"),
    ):
        if setup is not None:
            follow(lite, ("b", vkeys_of(setup)[0], None))
        with pytest.raises(CatenaError) as failure:
            lite.witnessing.acknowledge(actor, name, reason)
        assert failure.value.code == code
