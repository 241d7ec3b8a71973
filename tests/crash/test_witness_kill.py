"""`kill -9` of a witness: nothing contradicting is ever signed, and the log that asks again is served."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from evidence_store.log.cosignature import add_lines, verify_cosignatures
from evidence_store.witness.folder import WitnessFolder
from evidence_store.witness.rules import NOTHING, Seen
from tests.processes import Nursery, Process, nursery
from tests.witness_logs import Log
from tests.witnesses import PASSPHRASE, make_witness

TRUE, FORK = Log(), Log(seed="fork")
BEFORE_KEPT = "evidence_store.witness.state:StateFile.write"
KEPT = "evidence_store.witness.witness:Witness._sign"
ROUNDS = 20


@pytest.fixture
def folder(tmp_path: Path) -> WitnessFolder:
    return make_witness(tmp_path / "w", "ngo-b.example/w", TRUE.vkey)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Nursery]:
    with nursery(tmp_path) as made:
        yield made


def _serve(processes: Nursery, folder: WitnessFolder, pause_at: str | None = None) -> Process:
    arguments = ("witness", "serve", "--folder", str(folder.path), "--port", "0", "--json")
    return processes.start(*arguments, pause_at=pause_at, CATENA_PASSPHRASE=PASSPHRASE.decode())


def _add(process: Process, old: int, new: int, log: Log = TRUE) -> httpx.Response:
    return httpx.post(f"{process.url()}/add-checkpoint", content=log.request(old, new), timeout=60)


def _seen(folder: WitnessFolder) -> Seen:
    return folder.state.read().get(TRUE.origin, NOTHING)


def _check_signed(folder: WitnessFolder, size: int, lines: str, log: Log = TRUE) -> None:
    note = add_lines(log.note(size), [f"{line}\n" for line in lines.split("\n")[:-1]])
    assert len(verify_cosignatures(note, folder.public_keys())) == len(folder.public_keys())


@pytest.mark.parametrize(("moment", "kept"), [(BEFORE_KEPT, 5), (KEPT, 9)], ids=["before it is kept", "after"])
def test_killed_between_two_steps_the_retry_gets_the_one_signature(
    processes: Nursery, folder: WitnessFolder, moment: str, kept: int
) -> None:
    first = _serve(processes, folder)
    assert _add(first, 0, 5).status_code == 200
    first.stop()
    process = _serve(processes, folder, moment)
    with pytest.raises(httpx.TransportError), _killed_when_paused(process):
        _add(process, 5, 9)
    assert _seen(folder).size == kept
    again = _serve(processes, folder)
    if kept == 9:
        conflict = _add(again, 5, 9)
        assert (conflict.status_code, conflict.content) == (409, b"9\n")
        assert _add(again, 9, 9, FORK).status_code == 409  # what was never answered binds all the same
    answer = _add(again, kept, 9)
    assert answer.status_code == 200
    _check_signed(folder, 9, answer.text)
    assert _add(again, 9, 20, FORK).status_code == 422
    again.stop()


class _killed_when_paused:  # noqa: N801 - reads as a verb where it is used
    """Kills the process from another thread once it is at its pause."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._thread = threading.Thread(target=self._kill)

    def _kill(self) -> None:
        self._process.paused()
        self._process.kill()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()


def test_killed_at_any_moment_it_signs_one_growing_tree(processes: Nursery, folder: WitnessFolder) -> None:
    """A log that grows and one that forks it ask without pause while the witness is killed again and again."""
    chance = random.Random(20)  # noqa: S311 - the moments of a test
    signed: list[tuple[str, int]] = []
    for _ in range(ROUNDS):
        process = _serve(processes, folder)
        busy = threading.Event()
        killer = threading.Thread(target=_kill_later, args=(process, busy, chance.uniform(0.0, 0.1)))
        killer.start()
        with suppress(httpx.TransportError):
            _submit(process, folder, chance, signed, busy)
        killer.join()
    assert len(signed) >= ROUNDS
    sizes = [size for _, size in signed]
    assert sizes == sorted(sizes)
    assert len({name for name, size in signed if size}) == 1
    assert _seen(folder).size >= sizes[-1]


def _kill_later(process: Process, busy: threading.Event, seconds: float) -> None:
    assert busy.wait(60)
    time.sleep(seconds)
    process.kill()


def _submit(
    process: Process,
    folder: WitnessFolder,
    chance: random.Random,
    signed: list[tuple[str, int]],
    busy: threading.Event,
) -> None:
    with httpx.Client(base_url=process.url(), timeout=60) as client:
        known = 0
        while True:
            name, log = chance.choice([("true", TRUE), ("fork", FORK)])
            size = min(199, known + chance.randrange(2))
            answer = client.post("/add-checkpoint", content=log.request(known, size))
            if answer.status_code == 200:
                _check_signed(folder, size, answer.text, log)
                signed.append((name, size))
                known = size
                busy.set()
            elif answer.headers["content-type"] == "text/x.tlog.size":
                known = int(answer.text)
            else:
                assert answer.status_code == 422


def test_two_processes_over_one_folder_sign_one_growing_tree(processes: Nursery, folder: WitnessFolder) -> None:
    both = [_serve(processes, folder) for _ in range(2)]
    signed: list[list[int]] = [[], []]

    def submit(number: int) -> None:
        with httpx.Client(base_url=both[number].url(), timeout=60) as client:
            known = 0
            while known < 60:
                answer = client.post("/add-checkpoint", content=TRUE.request(known, known + 1 + number))
                known = int(answer.text) if answer.status_code == 409 else known + 1 + number
                if answer.status_code == 200:
                    signed[number].append(known)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = signed[0] + signed[1]
    assert len(every) == len(set(every))  # each size was reached by one of them
    assert _seen(folder).size == max(every)
    for process in both:
        process.stop()
