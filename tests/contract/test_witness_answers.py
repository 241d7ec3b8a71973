"""Witnesses that lie or fail, and co-signatures that were edited where they are kept."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from app.api.services import Services
from app.audit.witness_checks import check_cosignatures
from app.custody.models import CheckpointRow
from app.errors import CatenaError
from app.witnessing import client as witness_client
from evidence_store.verify.report import Report
from evidence_store.witness.folder import WitnessFolder
from evidence_store.witness.request import parse_request
from tests.checks import assert_clean, audit, errors_of
from tests.processes import until
from tests.witness_logs import Log
from tests.witnessed import (
    Clock,
    follow,
    grow,
    key_name,
    own_keys,
    states_of,
    stored_cosignatures,
)
from tests.witnesses import Script, answering, listening, make_witness, vkeys_of


@pytest.fixture
def asked(lite: Services, tmp_path: Path) -> Iterator[tuple[Services, Script, WitnessFolder]]:
    """An archive whose one witness answers what the test says; its true keys are in the folder."""
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    script = Script([])
    with answering(script) as url:
        follow(lite, ("b", vkeys_of(folder)[0], f"{url}/prefix/"))
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
    grow(services)
    for failures, (answers, code) in enumerate(NO_ANSWERS, 1):
        script.answers, script.seen = answers, []
        services.witnessing.obtain(30)
        one = states_of(services)["b"]
        assert (one.size, one.failures, one.contradiction) == (0, failures, None)
        assert str(one.error).startswith(code), one.error
        assert "\x1b" not in str(one.error)
        assert len(script.seen) == len(answers)
    assert stored_cosignatures(services) == []
    assert_clean(services)


def test_an_answer_that_contradicts_raises_the_alarm(
    asked: tuple[Services, Script, WitnessFolder], caplog: pytest.LogCaptureFixture
) -> None:
    services, script, folder = asked
    script.answers = [(409, b"1000000\n")]
    grow(services)
    services.witnessing.work()
    assert "has co-signed 1000000 events" in str(states_of(services)["b"].contradiction)
    script.answers = [(422, b"inconsistent\n")]
    services.witnessing.obtain(30)
    one = states_of(services)["b"]
    assert "has co-signed 1000000 events" in str(one.contradiction)  # the first one stays
    assert "do not continue the 0" in str(one.error)
    assert caplog.text.count("CONTRADICTS THIS LOG") == 2
    assert errors_of(audit(services)) == {("witness_contradicts", f"witness {key_name(folder)}")}


def test_the_second_request_begins_where_the_witness_says(asked: tuple[Services, Script, WitnessFolder]) -> None:
    services, script, _ = asked
    size = grow(services, 3)
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
    grow(services)
    text = services.checkpoint().decode().rpartition("\n\n")[0] + "\n"
    other = make_witness(tmp_path / "other", "ngo-b.example/w")
    true, false = (one.cosigners(b"a passphrase for tests only")[0] for one in (folder, other))
    elsewhere = true.line(Log().text(5), 1_700_000_000)
    timeless = true.line(text, 0)
    stranger = false.line(text, 1_700_000_000)  # the same name, another key: not the one that is trusted
    for line, code in ((elsewhere, "bad"), (timeless, "bad"), (stranger, "line_missing")):
        script.answers = [(200, line.encode())]
        services.witnessing.obtain(30)
        assert f"witness_{code}" in str(states_of(services)["b"].error).replace("answer_", "")
    assert stored_cosignatures(services) == []
    good = true.line(text, 1_700_000_000)
    script.answers = [(200, (stranger + good).encode())]
    services.witnessing.obtain(30)
    assert len(stored_cosignatures(services)) == 1
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
    slow, quick = (make_witness(tmp_path / n, f"{n}.example", *own_keys(lite)) for n in ("slow", "quick"))
    held = threading.Event()

    def hang() -> None:
        held.wait(60)

    script = Script([(500, b"")], before=hang)
    with answering(script) as first, listening(quick) as second:
        follow(lite, ("slow", vkeys_of(slow)[0], first), ("quick", vkeys_of(quick)[0], second), quorum="any")
        size = grow(lite)
        lite.witnessing.obtain(3)
        assert states_of(lite)["quick"].size == size
        assert lite.witnessing.state().met
        held.set()
        until(lambda: states_of(lite)["slow"].failures == 1, "the slow witness has answered")


# -- the audit of what is stored -------------------------------------------------------------------


def test_a_quorum_that_stays_unmet_is_a_warning_after_an_hour(lite: Services, tmp_path: Path, clock: Clock) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    with listening(folder) as url:
        follow(lite, ("b", vkeys_of(folder)[0], url))
        first = grow(lite)
        assert _warnings(lite) == []
        clock.ahead = timedelta(hours=1, seconds=10)
        assert _warnings(lite) == [("witness_quorum_unmet_own", f"checkpoint {first}")]
        size = grow(lite)
        lite.witnessing.obtain(30)
        assert _warnings(lite) == []
        clock.ahead *= 2
        newest = grow(lite)
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
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    with listening(folder) as url:
        follow(lite, ("b", vkeys_of(folder)[0], url))
        grow(lite)
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
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    with listening(folder) as url:
        follow(lite, ("b", vkeys_of(folder)[0], url))
        for _ in range(2):
            grow(lite)
            lite.witnessing.work()
    with lite.archive.db.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE cosignature SET (line, time) = (SELECT line, time FROM cosignature ORDER BY size LIMIT 1)"
        )
    assert [found for found, _ in errors_of(audit(lite))] == ["cosignature_invalid"]


def test_checkpoints_are_stored_as_the_log_signed_them(lite: Services, tmp_path: Path) -> None:
    """Lines of witnesses are kept apart: a late one changes no byte that was stamped."""
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    with listening(folder) as url:
        follow(lite, ("b", vkeys_of(folder)[0], url))
        before = lite.checkpoint()
        lite.witnessing.work()
    with lite.archive.db.read() as session:
        notes = [row.note for row in session.exec(select(CheckpointRow))]
    assert notes[-1] == before == lite.checkpoint()
    assert before.count(b"\n\xe2\x80\x94 ") == 2
