"""Asking witnesses: what is stored, what is refused, who is asked again, and what raises the alarm."""

from __future__ import annotations

import base64
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from app.api.services import Services
from app.audit.witness_checks import check_cosignatures
from app.clock import system_clock
from app.custody.models import CheckpointRow
from app.custody.service import events_of
from app.custody.vkeys import log_keys, verifier_lines
from app.errors import CatenaError
from app.wiring import open_archive
from app.witnessing import client as witness_client
from app.witnessing.contacts import LEASE_SECONDS, Contacts
from app.witnessing.models import CosignatureRow, WitnessContactRow
from app.witnessing.service import WitnessState
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import verify_cosignatures
from evidence_store.log.note import open_checkpoint
from evidence_store.log.policy import Witness
from evidence_store.verify.report import Report
from evidence_store.witness.folder import WitnessFolder
from evidence_store.witness.request import parse_request
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.checks import assert_clean, audit, errors_of
from tests.databases import BACKENDS, fresh_database
from tests.processes import until
from tests.witness_logs import Log
from tests.witnesses import Script, answering, listening, make_witness, policy_text, vkeys_of


class Clock:
    """The machine's clock, and what a test adds to it."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return system_clock() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=BACKENDS)
def services(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Services]:
    made = make_archive(tmp_path, fresh_database(request.param, tmp_path), fresh=True, clock=clock)
    yield made
    made.archive.db.close()


@pytest.fixture
def lite(tmp_path: Path, clock: Clock) -> Iterator[Services]:
    made = make_archive(tmp_path, clock=clock)
    yield made
    made.archive.db.close()


def _grow(services: Services, entries: int = 1) -> int:
    """Add to the log and sign its head; returns its size."""
    who = services.access.local_operator()
    case = services.evidence.case_or_none("T1") or services.evidence.create_case(who, "T1")
    for number in range(entries):
        deposit(services, who, case, f"{number} {system_clock()}".encode())
    return open_checkpoint(services.checkpoint(), *log_keys(services.archive.settings.keys)).size


def _own(services: Services) -> list[str]:
    return verifier_lines(services.archive.settings.keys)


def _follow(services: Services, *witnesses: tuple[str, str, str | None], quorum: str = "all") -> None:
    actor = services.access.local_operator().actor
    services.witnessing.set_policy(actor, policy_text(*witnesses, quorum=quorum))


def _states(services: Services) -> dict[str, WitnessState]:
    return {one.name: one for one in services.witnessing.state().witnesses}


def _stored(services: Services) -> list[tuple[int, str]]:
    with services.archive.db.read() as session:
        return sorted((row.size, row.witness) for row in session.exec(select(CosignatureRow)))


def test_a_growing_log_is_cosigned_by_both_keys_and_the_audit_is_clean(services: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(services))
    classic, quantum = vkeys_of(folder)
    with listening(folder) as url:
        _follow(services, ("classic", classic, url), ("quantum", quantum, url))
        sizes = []
        for entries in (1, 5, 1):
            sizes.append(_grow(services, entries))
            services.witnessing.work()
        services.witnessing.work()  # nothing is due
    assert [size for size, _ in _stored(services)] == [size for size in sizes for _ in range(2)]
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
    folders = [make_witness(tmp_path / n, f"{n}.example", _own(lite)[0], algorithms=["ed25519"]) for n in "abc"]
    keys = [vkeys_of(folder)[0] for folder in folders]
    dead = "http://127.0.0.1:9"
    size = _grow(lite)
    with listening(folders[0]) as first, listening(folders[1]) as second:
        _follow(lite, ("a", keys[0], first), ("b", keys[1], dead), ("c", keys[2], dead), quorum="2")
        size = _grow(lite)
        lite.witnessing.work()
        assert (lite.witnessing.state().met, lite.witnessing.met_size()) == (False, None)
        assert lite.witnessing.cosigned(size) is not None
        _follow(lite, ("a", keys[0], first), ("b", keys[1], second), ("c", keys[2], dead), quorum="2")
        size = _grow(lite)
        lite.witnessing.obtain(30)
    assert (lite.witnessing.state().met, lite.witnessing.met_size()) == (True, size)
    assert "witness_unreachable" in str(_states(lite)["c"].error)
    assert_clean(lite)


def test_without_a_policy_nobody_is_asked(lite: Services) -> None:
    _grow(lite)
    lite.witnessing.work()
    lite.witnessing.obtain(5)
    state = lite.witnessing.state()
    assert (state.quorum, state.met, state.witnesses) == (None, None, ())
    assert lite.witnessing.cosigned(state.size or 0) is None


def test_a_quorum_of_none_is_met_at_once(lite: Services) -> None:
    lite.witnessing.set_policy(lite.access.local_operator().actor, b"quorum none\n")
    size = _grow(lite)
    assert (lite.witnessing.state().met, lite.witnessing.met_size()) == (True, size)
    assert_clean(lite)


def test_a_witness_that_is_down_is_asked_again_later_and_catches_up(
    services: Services, tmp_path: Path, clock: Clock
) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(services))
    with listening(folder) as url:
        _follow(services, ("b", vkeys_of(folder)[0], url))
        _grow(services)
        services.witnessing.work()
    port = int(url.rpartition(":")[2])
    size = _grow(services, 3)
    delays = []
    for _ in range(4):
        services.witnessing.work()
        one = _states(services)["b"]
        assert "witness_unreachable" in str(one.error)
        services.witnessing.work()  # not due yet
        assert _states(services)["b"].failures == one.failures
        wait = datetime.fromisoformat(str(one.next_attempt_at)) - clock()
        delays.append(wait)
        clock.ahead += wait + timedelta(seconds=1)
    assert delays == sorted(delays)
    assert services.witnessing.state().met is False
    with listening(folder, port):
        services.witnessing.work()
    one = _states(services)["b"]
    assert (one.size, one.failures, one.error) == (size, 0, None)
    assert_clean(services)


def test_of_two_processes_one_asks(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    witnesses = list(_policy_of(lite, folder, "http://127.0.0.1:9").values())
    size = _grow(lite)
    contacts = Contacts(lite.archive.db, lite.archive.clock)
    assert len(contacts.claim(witnesses, size)) == 1
    assert contacts.claim(witnesses, size) == []
    assert len(contacts.claim(witnesses, size, now=True)) == 1


def _policy_of(services: Services, folder: WitnessFolder, url: str) -> dict[str, Witness]:
    _follow(services, ("b", vkeys_of(folder)[0], url))
    policy = services.witnessing.policies.read()
    assert policy is not None
    return policy.witnesses


def test_a_claim_of_a_process_that_died_runs_out(lite: Services, tmp_path: Path, clock: Clock) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    witnesses = list(_policy_of(lite, folder, "http://127.0.0.1:9").values())
    size = _grow(lite)
    contacts = Contacts(lite.archive.db, clock)
    contacts.claim(witnesses, size)
    clock.ahead += timedelta(seconds=LEASE_SECONDS + 1)
    assert len(contacts.claim(witnesses, size)) == 1


def test_an_answer_that_was_lost_is_got_again_without_a_second_row(services: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(services))
    with listening(folder) as url:
        _follow(services, ("b", vkeys_of(folder)[0], url))
        size = _grow(services, 4)
        services.witnessing.work()
        with services.archive.db.write() as session:  # as if the answer had never arrived
            for row in session.exec(select(CosignatureRow)):
                session.delete(row)
        _forget_contact(services)
        services.witnessing.work()
        assert [stored for stored, _ in _stored(services)] == [size]
        _forget_contact(services)
        services.witnessing.work()
        assert [stored for stored, _ in _stored(services)] == [size]
    assert _states(services)["b"].size == size
    assert_clean(services)


def _forget_contact(services: Services) -> None:
    with services.archive.db.write() as session:
        for row in session.exec(select(WitnessContactRow)):
            session.delete(row)


def test_a_witness_that_lost_its_state_is_told_of_and_served(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    with listening(folder) as url:
        _follow(lite, ("b", vkeys_of(folder)[0], url))
        first = _grow(lite)
        lite.witnessing.work()
        (folder.path / "state.json").unlink()
        folder.state.create()
        size = _grow(lite)
        lite.witnessing.work()
    one = _states(lite)["b"]
    assert (one.size, one.contradiction) == (size, None)
    assert f"had co-signed {first}: it has forgotten" in str(one.error)


# -- a log that is not what the witness saw ------------------------------------------------------


def test_a_log_that_was_rolled_back_is_contradicted_and_the_alarm_stays(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    with listening(folder) as url:
        _follow(lite, ("b", vkeys_of(folder)[0], url))
        _grow(lite)
        lite.witnessing.work()
        backup = tmp_path / "backup"
        lite.archive.db.close()
        shutil.copytree(lite.archive.settings.data, backup)  # database and head file alike: nothing here can tell
        seen = _grow(lite, 20)
        lite.witnessing.work()
        with closing_copy(lite, backup) as restored:
            size = _grow(restored)
            assert size < seen
            restored.witnessing.work()
            restored.witnessing.work()
            (one,) = restored.witnessing.state().witnesses
            assert f"has co-signed {seen} events" in str(one.contradiction)
            assert restored.witnessing.state().contradicted
            assert ("witness_contradicts", f"witness {_name(folder)}") in errors_of(audit(restored))
            _the_alarm_is_one_event(restored, seen)
            restored.witnessing.acknowledge(restored.access.local_operator().actor, "b", "the backup was put back")
            assert not restored.witnessing.state().contradicted
            assert_clean(restored)
            _told_again(restored)


@contextmanager
def closing_copy(of: Services, folder: Path) -> Iterator[Services]:
    """The archive as it was when its folder was copied, opened."""
    settings = replace(of.archive.settings, data=folder, database_url=f"sqlite:///{folder / 'catena.db'}")
    opened = open_archive(settings, lambda: PASSPHRASE)
    object.__setattr__(opened.archive, "seal_key", of.archive.seal_key)
    object.__setattr__(opened.archive, "log_key", of.archive.log_key)
    with closing(opened.archive.db):
        yield opened


def _name(folder: WitnessFolder) -> str:
    key = folder.public_keys()[0]
    return f"{key.name}+{key.key_id:08x}"


def _events(services: Services, what: str) -> list[dict[str, object]]:
    with services.archive.db.read() as session:
        rows = events_of(session, services.archive.about)
        return [json.loads(row.canonical)["details"] for row in rows if row.type == what]


def _the_alarm_is_one_event(services: Services, seen: int) -> None:
    (event,) = _events(services, "witness contradiction")
    assert (event["change"], event["witness_size"]) == ("contradiction", seen)


def _told_again(services: Services) -> None:
    """The witness still says so: acknowledging does not silence it."""
    _grow(services)
    services.witnessing.obtain(30)
    assert services.witnessing.state().contradicted
    changes = [event["change"] for event in _events(services, "witness contradiction")]
    assert changes == ["contradiction", "acknowledgement", "contradiction"]


def test_a_log_that_was_forked_is_contradicted(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    with listening(folder) as url:
        _follow(lite, ("b", vkeys_of(folder)[0], url))
        _grow(lite)
        lite.witnessing.work()
        backup = tmp_path / "backup"
        lite.archive.db.close()
        shutil.copytree(lite.archive.settings.data, backup)
        size = _grow(lite)
        lite.witnessing.work()
        with closing_copy(lite, backup) as fork:
            assert _grow(fork) == size  # the same size, other events
            fork.witnessing.work()
            (one,) = fork.witnessing.state().witnesses
            assert f"another root of our {size} events" in str(one.contradiction)
            _grow(fork)
            fork.witnessing.obtain(30)
            (one,) = fork.witnessing.state().witnesses
            assert f"do not continue the {size}" in str(one.error)
            assert one.size < size
        assert len(folder.equivocations()) == 1
    assert not lite.witnessing.state().contradicted
    assert_clean(lite)


def test_a_witness_ahead_of_a_checkpoint_that_another_process_sent_is_no_alarm(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    script = Script([(409, b"0\n")])
    with answering(script) as url:
        _follow(lite, ("b", vkeys_of(folder)[0], url))
        _grow(lite)

        def overtake() -> None:
            if len(script.seen) == 1:
                script.answers[0] = (409, f"{_grow(lite)}\n".encode())

        script.before = overtake
        lite.witnessing.work()
    one = _states(lite)["b"]
    assert one.contradiction is None
    assert "another process was faster" in str(one.error)


# -- witnesses that lie or fail ------------------------------------------------------------------


@pytest.fixture
def asked(lite: Services, tmp_path: Path) -> Iterator[tuple[Services, Script, WitnessFolder]]:
    """An archive whose one witness answers what the test says; its true keys are in the folder."""
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    script = Script([])
    with answering(script) as url:
        _follow(lite, ("b", vkeys_of(folder)[0], f"{url}/prefix/"))
        yield lite, script, folder


HUGE = b"\xe2\x80\x94 name " + base64.b64encode(bytes(witness_client.MAX_ANSWER_BYTES)) + b"\n"
NO_ANSWERS: list[tuple[list[tuple[int, bytes]], str]] = [
    ([(200, b"")], "witness_line_missing"),
    ([(200, b"garbage\n")], "witness_answer_bad"),
    ([(200, HUGE)], "witness_answer_bad"),
    ([(200, b"\xe2\x80\x94 stranger.example AAAAAAAA\n")], "witness_line_missing"),
    ([(301, b"")], "witness_refused"),
    ([(403, b"checkpoint_unsigned\x1b[2J\n")], "witness_refused"),
    ([(503, b"witness_state_missing\n")], "witness_refused"),
    ([(409, b"many\n")], "witness_answer_bad"),
    ([(409, b"1\n"), (409, b"2\n")], "witness_answer_bad"),
]


def test_an_answer_that_is_none_is_stored_as_a_failure(asked: tuple[Services, Script, WitnessFolder]) -> None:
    services, script, _ = asked
    script.headers = {"Location": "/elsewhere"}
    _grow(services)
    for failures, (answers, code) in enumerate(NO_ANSWERS, 1):
        script.answers, script.seen = answers, []
        services.witnessing.obtain(30)
        one = _states(services)["b"]
        assert (one.size, one.failures, one.contradiction) == (0, failures, None)
        assert str(one.error).startswith(code), one.error
        assert "\x1b" not in str(one.error)
        assert len(script.seen) == len(answers)
    assert _stored(services) == []
    assert_clean(services)


def test_an_answer_that_contradicts_raises_the_alarm(
    asked: tuple[Services, Script, WitnessFolder], caplog: pytest.LogCaptureFixture
) -> None:
    services, script, folder = asked
    script.answers = [(409, b"1000000\n")]
    _grow(services)
    services.witnessing.work()
    assert "has co-signed 1000000 events" in str(_states(services)["b"].contradiction)
    script.answers = [(422, b"inconsistent\n")]
    services.witnessing.obtain(30)
    one = _states(services)["b"]
    assert "has co-signed 1000000 events" in str(one.contradiction)  # the first one stays
    assert "do not continue the 0" in str(one.error)
    assert caplog.text.count("CONTRADICTS THIS LOG") == 2
    assert errors_of(audit(services)) == {("witness_contradicts", f"witness {_name(folder)}")}


def test_the_second_request_begins_where_the_witness_says(asked: tuple[Services, Script, WitnessFolder]) -> None:
    services, script, _ = asked
    size = _grow(services, 3)
    script.answers = [(409, b"3\n"), (200, b"")]
    services.witnessing.work()
    first, second = (parse_request(one) for one in script.seen)
    assert (first.old, first.proof, second.old) == (0, (), 3)
    assert second.proof
    assert second.checkpoint.size == size
    assert second.note == first.note == services.checkpoint()


def test_a_cosignature_of_another_checkpoint_or_key_is_refused(
    asked: tuple[Services, Script, WitnessFolder], tmp_path: Path
) -> None:
    services, script, folder = asked
    _grow(services)
    text = services.checkpoint().decode().rpartition("\n\n")[0] + "\n"
    other = make_witness(tmp_path / "other", "ngo-b.example/w")
    true, false = (one.cosigners(b"a passphrase for tests only")[0] for one in (folder, other))
    elsewhere = true.line(Log().text(5), 1_700_000_000)
    timeless = true.line(text, 0)
    stranger = false.line(text, 1_700_000_000)  # the same name, another key: not the one that is trusted
    for line, code in ((elsewhere, "bad"), (timeless, "bad"), (stranger, "line_missing")):
        script.answers = [(200, line.encode())]
        services.witnessing.obtain(30)
        assert f"witness_{code}" in str(_states(services)["b"].error).replace("answer_", "")
    assert _stored(services) == []
    good = true.line(text, 1_700_000_000)
    script.answers = [(200, (stranger + good).encode())]
    services.witnessing.obtain(30)
    assert len(_stored(services)) == 1
    assert_clean(services)


def test_a_witness_that_does_not_answer_in_time_is_given_up(asked: tuple[Services, Script, WitnessFolder]) -> None:
    """Those that drip byte by byte are in tests/unit/test_outgoing.py."""
    services, script, _ = asked
    held = threading.Event()

    def hang() -> None:
        held.wait(60)

    script.before = hang
    (one,) = services.witnessing.state().witnesses
    with witness_client.new_client(30) as client, pytest.raises(CatenaError, match="did not come within") as failure:
        witness_client.post(client, str(one.url), b"old 0\n", 0.5)
    held.set()
    assert failure.value.code == "witness_unreachable"


def test_one_hanging_witness_holds_up_no_other(lite: Services, tmp_path: Path) -> None:
    slow, quick = (make_witness(tmp_path / n, f"{n}.example", *_own(lite)) for n in ("slow", "quick"))
    held = threading.Event()

    def hang() -> None:
        held.wait(60)

    script = Script([(500, b"")], before=hang)
    with answering(script) as first, listening(quick) as second:
        _follow(lite, ("slow", vkeys_of(slow)[0], first), ("quick", vkeys_of(quick)[0], second), quorum="any")
        size = _grow(lite)
        lite.witnessing.obtain(3)
        assert _states(lite)["quick"].size == size
        assert lite.witnessing.state().met
        held.set()
        until(lambda: _states(lite)["slow"].failures == 1, "the slow witness has answered")


# -- the policy ----------------------------------------------------------------------------------


def test_a_policy_is_recorded_and_old_witnesses_stay_verifiable(lite: Services, tmp_path: Path) -> None:
    first, second = (make_witness(tmp_path / n, f"{n}.example", *_own(lite)) for n in ("first", "second"))
    with listening(first) as url, listening(second) as other:
        _follow(lite, ("first", vkeys_of(first)[0], url))
        _grow(lite)
        lite.witnessing.work()
        _follow(lite, ("second", vkeys_of(second)[0], other))
        _grow(lite)
        lite.witnessing.work()
    assert len(_stored(lite)) == 2
    assert [event["quorum"] for event in _events(lite, "witness policy change")] == ["enough", "enough"]
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
            text = policy_text(("w", _own(lite)[1] if own else stranger, None if own else text))
        with pytest.raises((CatenaError, EvidenceStoreError), match=f"^{code}:"):
            lite.witnessing.set_policy(actor, text)
    assert lite.witnessing.policies.text() is None
    assert _events(lite, "witness policy change") == []


def test_a_policy_that_was_changed_behind_the_logs_back_is_named(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    _follow(lite, ("b", vkeys_of(folder)[0], None))
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
    _follow(lite, ("b", vkeys_of(folder)[0], None))
    assert_clean(lite)


def test_acknowledging_needs_a_contradiction_and_a_reason(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    actor = lite.access.local_operator().actor
    for setup, name, reason, code in (
        (None, "b", "reason", "no_contradiction"),
        (folder, "x", "reason", "no_contradiction"),
        (folder, "b", "reason", "no_contradiction"),
        (folder, "b", "", "bad_reason"),
        (folder, "b", "two\nlines", "bad_reason"),
    ):
        if setup is not None:
            _follow(lite, ("b", vkeys_of(setup)[0], None))
        with pytest.raises(CatenaError) as failure:
            lite.witnessing.acknowledge(actor, name, reason)
        assert failure.value.code == code


# -- the audit of what is stored -------------------------------------------------------------------


def test_a_quorum_that_stays_unmet_is_a_warning_after_an_hour(lite: Services, tmp_path: Path, clock: Clock) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    with listening(folder) as url:
        _follow(lite, ("b", vkeys_of(folder)[0], url))
        first = _grow(lite)
        assert _warnings(lite) == []
        clock.ahead = timedelta(hours=1, seconds=10)
        assert _warnings(lite) == [("witness_quorum_unmet_own", f"checkpoint {first}")]
        size = _grow(lite)
        lite.witnessing.obtain(30)
        assert _warnings(lite) == []
        clock.ahead *= 2
        newest = _grow(lite)
        clock.ahead *= 2
    assert size < newest
    assert _warnings(lite) == [("witness_quorum_unmet_own", f"checkpoint {newest}")]


def _warnings(services: Services) -> list[tuple[str, str]]:
    report = audit(services)
    assert report["ok"], report["findings"]
    return [(f["code"], f["subject"]) for f in report["findings"] if f["code"].startswith("witness")]


EDITS = {
    "line": ("line = replace(line, 'A', 'B')", "cosignature_invalid"),
    "line's end": ("line = substr(line, 1, length(line) - 1)", "cosignature_invalid"),
    "no text": ("line = CAST(line AS BLOB)", "cosignature_invalid"),
    "no line": ("line = 'x' || char(10)", "cosignature_invalid"),
    "time": ("time = time + 1", "cosignature_invalid"),
    "time of receipt": ("received_at = received_at || '1'", "cosignature_invalid"),
    "witness": ("witness = witness || '1'", "cosignature_invalid"),
    "witness as bytes": ("witness = CAST(witness AS BLOB)", "cosignature_invalid"),
    "size": ("size = size + 1", "cosignature_contradicts_log"),
}


def test_an_edited_cosignature_is_named(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    with listening(folder) as url:
        _follow(lite, ("b", vkeys_of(folder)[0], url))
        _grow(lite)
        lite.witnessing.work()
    assert_clean(lite)
    with lite.archive.db.read() as session:
        policy = lite.witnessing.policies.text()
        for edit, (change, code) in EDITS.items():
            connection = session.connection()
            assert connection.exec_driver_sql(f"UPDATE cosignature SET {change}").rowcount == 1  # noqa: S608 - our words
            report = Report()
            check_cosignatures(session, policy, report)
            assert [one.code for one in report.findings if one.severity == "error"] == [code], edit
            session.rollback()


def test_a_cosignature_of_another_size_under_this_one_is_named(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    with listening(folder) as url:
        _follow(lite, ("b", vkeys_of(folder)[0], url))
        for _ in range(2):
            _grow(lite)
            lite.witnessing.work()
    with lite.archive.db.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE cosignature SET (line, time) = (SELECT line, time FROM cosignature ORDER BY size LIMIT 1)"
        )
    assert [found for found, _ in errors_of(audit(lite))] == ["cosignature_invalid"]


def test_checkpoints_are_stored_as_the_log_signed_them(lite: Services, tmp_path: Path) -> None:
    """Lines of witnesses are kept apart: a late one changes no byte that was stamped."""
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *_own(lite))
    with listening(folder) as url:
        _follow(lite, ("b", vkeys_of(folder)[0], url))
        before = lite.checkpoint()
        lite.witnessing.work()
    with lite.archive.db.read() as session:
        notes = [row.note for row in session.exec(select(CheckpointRow))]
    assert notes[-1] == before == lite.checkpoint()
    assert before.count(b"\n\xe2\x80\x94 ") == 2
