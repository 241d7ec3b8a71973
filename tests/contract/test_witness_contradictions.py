"""A log that is not what its witness saw: rolled back, forked, or only overtaken."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from app.api.services import Services
from app.wiring import open_archive
from tests.archives import PASSPHRASE
from tests.checks import assert_clean, audit, errors_of
from tests.witnessed import (
    details_of,
    follow,
    grow,
    key_name,
    own_keys,
    states_of,
)
from tests.witnesses import Script, answering, listening, make_witness, vkeys_of


def test_a_log_that_was_rolled_back_is_contradicted_and_the_alarm_stays(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    with listening(folder) as url:
        follow(lite, ("b", vkeys_of(folder)[0], url))
        grow(lite)
        lite.witnessing.work()
        backup = tmp_path / "backup"
        lite.archive.db.close()
        shutil.copytree(lite.archive.settings.data, backup)  # database and head file alike: nothing here can tell
        seen = grow(lite, 20)
        lite.witnessing.work()
        with closing_copy(lite, backup) as restored:
            size = grow(restored)
            assert size < seen
            restored.witnessing.work()
            restored.witnessing.work()
            (one,) = restored.witnessing.state().witnesses
            assert f"has co-signed {seen} events" in str(one.contradiction)
            assert restored.witnessing.state().contradicted
            assert ("witness_contradicts", f"witness {key_name(folder)}") in errors_of(audit(restored))
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


def _the_alarm_is_one_event(services: Services, seen: int) -> None:
    (event,) = details_of(services, "witness contradiction")
    assert (event["change"], event["witness_size"]) == ("contradiction", seen)


def _told_again(services: Services) -> None:
    """The witness still says so: acknowledging does not silence it."""
    grow(services)
    services.witnessing.obtain(30)
    assert services.witnessing.state().contradicted
    changes = [event["change"] for event in details_of(services, "witness contradiction")]
    assert changes == ["contradiction", "acknowledgement", "contradiction"]


def test_a_log_that_was_forked_is_contradicted(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    with listening(folder) as url:
        follow(lite, ("b", vkeys_of(folder)[0], url))
        grow(lite)
        lite.witnessing.work()
        backup = tmp_path / "backup"
        lite.archive.db.close()
        shutil.copytree(lite.archive.settings.data, backup)
        size = grow(lite)
        lite.witnessing.work()
        with closing_copy(lite, backup) as fork:
            assert grow(fork) == size  # the same size, other events
            fork.witnessing.work()
            (one,) = fork.witnessing.state().witnesses
            assert f"another root of our {size} events" in str(one.contradiction)
            grow(fork)
            fork.witnessing.obtain(30)
            (one,) = fork.witnessing.state().witnesses
            assert f"do not continue the {size}" in str(one.error)
            assert one.size < size
        assert len(folder.equivocations()) == 1
    assert not lite.witnessing.state().contradicted
    assert_clean(lite)


def test_a_witness_ahead_of_a_checkpoint_that_another_process_sent_is_no_alarm(lite: Services, tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w", "ngo-b.example/w", *own_keys(lite))
    script = Script([(409, b"0\n")])
    with answering(script) as url:
        follow(lite, ("b", vkeys_of(folder)[0], url))
        grow(lite)

        def overtake() -> None:
            if len(script.seen) == 1:
                script.answers[0] = (409, f"{grow(lite)}\n".encode())

        script.before = overtake
        lite.witnessing.work()
    one = states_of(lite)["b"]
    assert one.contradiction is None
    assert "another process was faster" in str(one.error)
