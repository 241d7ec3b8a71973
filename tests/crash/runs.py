"""One run: a copy of a prepared archive, one fault at one step, the next start, the client's retry and an audit."""

from __future__ import annotations

import json
import os
import random
import shutil
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Final

from app.api.services import Services
from app.clock import system_clock
from app.errors import CatenaError
from evidence_store.blobs.local import LocalBlobStore
from evidence_store.digests import digest_stream
from evidence_store.errors import EvidenceStoreError
from tests.checks import audit, work_off_at_once
from tests.crash import plays, plays_integrity
from tests.crash.held import Fault, Place, Record, run
from tests.crash.plays import Play, Stage, Told

PLAYS: Final = plays.PLAYS | plays_integrity.PLAYS
KILLED: Final = -9
KILLS: Final = ("kill", "torn")
_LATER: Final = timedelta(hours=2)


@dataclass
class Result:
    """How one run ended.

    Attributes:
        struck: whether the step was reached.
        left: how far the work had come when it was killed, "" after an I/O error.
        refused: the code that the client was given by an I/O error, "" when it noticed nothing.
        wrong: what is not as it should be, each beginning with "lost", "doubled", "half-file", "finding" or "escaped".
    """

    struck: bool = False
    left: str = ""
    refused: str = ""
    wrong: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


class Theatre:
    """Prepared archives, and a folder where copies of them are spoilt."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._prepared = cache(self._prepare)
        self.trace = cache(self._trace)

    def perform(self, name: str, kind: str, places: list[Place], seed: int) -> Result:
        """Run a play with a fault.

        Args:
            name: of the play.
            kind: of fault.
            places: kinds of step, of which one is chosen.
            seed: chooses payload, step and occurrence.
        """
        play = PLAYS[name]
        for variant in range(play.variants):  # not every payload comes to every step
            chosen = seed + variant
            counts = Counter(self.trace(name, chosen % play.variants))
            known = [place for place in places if counts[place]]
            if known:
                break
        else:
            return Result(wrong=[f"no such step: {', '.join(map(str, places))}"])
        place = known[seed // play.variants % len(known)]
        result = Result()
        # Two runs differ by a page of the database or so: a late occurrence may not come, an early one does.
        for time in (random.Random(seed).randrange(counts[place]), counts[place] // 2, 0):  # noqa: S311 - repeatable
            result = self._once(play, chosen, Fault(kind, place, time))
            if result.struck:
                break
        return result

    def _trace(self, name: str, variant: int) -> tuple[Place, ...]:
        play = PLAYS[name]
        with self._copy(play, variant) as scene:
            record = scene.act(play, variant, None)
            if record.code or any("escaped" in line or "refused" in line for line in scene.told()):
                raise RuntimeError(f"{name} fails although nothing goes wrong: {scene.told()}")
            return tuple(record.places)

    def _once(self, play: Play, seed: int, fault: Fault) -> Result:
        with self._copy(play, seed) as scene:
            record = scene.act(play, seed, fault)
            result = Result(struck=record.struck)
            told = scene.told()
            if fault.kind in KILLS and record.struck:
                result.wrong += [] if record.code == KILLED else [f"escaped: the process ended with {record.code}"]
                result.left = play.left(scene.data)
            elif record.code:
                result.wrong.append(f"escaped: the process ended with {record.code}")
            result.refused = next((line["refused"] for line in told if "refused" in line), "")
            result.wrong += [f"escaped: {line['escaped']}" for line in told if "escaped" in line]
            acknowledged = [line for line in told if not {"refused", "escaped"} & line.keys()]
            result.wrong += scene.afterwards(play, seed, acknowledged)
            return result

    def _prepare(self, prepare: Callable[[Path, int], None], number: int) -> Path:
        self._made += 1
        folder = self._folder / f"prepared-{self._made}"
        folder.mkdir()
        prepare(folder / "archive", number)
        return folder / "archive"

    @contextmanager
    def _copy(self, play: Play, seed: int) -> Iterator[_Scene]:
        folder = self._folder / "scene"
        folder.mkdir()
        try:
            if play.prepare is not None:
                number = seed % play.variants % play.templates
                shutil.copytree(self._prepared(play.prepare, number), folder / "archive")
            yield _Scene(folder)
        finally:
            shutil.rmtree(folder)


class _Scene:
    """A copy of a prepared folder, or the place for a new one."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "archive"
        self._told = folder / "told"

    def act(self, play: Play, seed: int, fault: Fault | None) -> Record:
        """Do the work in a child, with a fault."""
        asks_again = fault is not None and fault.kind not in {*KILLS, "full"} and seed % 2 == 1

        def work() -> None:
            _share_parsers()
            stage = Stage(self.data, seed, self._tell)
            try:
                self._attempt(play, stage)
                if asks_again and any("refused" in line for line in self.told()):
                    self._attempt(play, stage)  # a client that asks again, of a server that lives on
                stage.close()
            except Exception:  # noqa: BLE001 - what escapes is the finding
                self._tell(escaped=traceback.format_exc()[-1500:])

        return run(work, self.data, fault)

    def _attempt(self, play: Play, stage: Stage) -> None:
        try:
            play.act(stage)
        except (CatenaError, EvidenceStoreError) as error:
            self._tell(refused=error.code)

    def told(self) -> Told:
        """What the child told."""
        lines = self._told.read_text(encoding="utf-8").splitlines() if self._told.exists() else []
        return [json.loads(line) for line in lines]

    def afterwards(self, play: Play, seed: int, acknowledged: Told) -> list[str]:
        """The next start, in a process of its own: recover, repeat, look at everything."""
        answer = self._told.with_name("answer")

        def check() -> None:
            _share_parsers()
            repeated: Told = []
            stage = Stage(self.data, seed, lambda **what: repeated.append(what))
            _take_up(stage, play)
            wrong = _looked_at(stage, play, acknowledged + repeated)
            stage.close()
            answer.write_text(json.dumps(wrong), encoding="utf-8")

        _in_child(check)
        if not answer.exists():
            return ["lost: the archive cannot be taken up again"]
        wrong: list[str] = json.loads(answer.read_text(encoding="utf-8"))
        return wrong

    def _tell(self, **what: str) -> None:
        with self._told.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(what) + "\n")


def _take_up(stage: Stage, play: Play) -> None:
    """The server is started again, and the client repeats what it wanted."""
    if not play.is_archive or play.prepare is None:
        play.act(stage)
    if not play.is_archive:
        return
    services = stage.services
    services.jobs.clock = lambda: system_clock() + _LATER  # the leases of dead workers have run out
    services.checkpoint()
    services.exports.recover()
    if play.prepare is not None:
        play.act(stage)
    work_off_at_once(services)
    services.checkpoint()


EXPLAINED = frozenset({"key_retired_unproven", "analysis_pending", "renewal_stray"})
"""What an audit rightly says without alarm: after a rotation without any authority, before a worker came by, and of
the files of a renewal that was killed."""


def _looked_at(stage: Stage, play: Play, told: Told) -> list[str]:
    """What is wrong now."""
    wrong = play.kept(stage, told)
    if not play.is_archive:
        return wrong
    wrong += _half_files(stage.services)
    report = audit(stage.services)
    told = [one for one in report["findings"] if one["code"] not in EXPLAINED]
    return wrong + [f"finding: {one['code']} {one['subject']}: {one['detail']}" for one in told]


def _half_files(services: Services) -> list[str]:
    blobs = services.archive.blobs
    assert isinstance(blobs, LocalBlobStore)
    wrong = [f"half-file: {path}" for path in (*blobs.strays(), *blobs.conflicts())]
    for sha256 in blobs.list():
        with blobs.open(sha256) as stream:
            if digest_stream([stream.read()]).sha256 != sha256:
                wrong.append(f"half-file: {sha256}")
    blobs.purge_staging(0)
    staging = services.archive.settings.blobs / "staging"
    return wrong + [f"half-file: {path.name}" for path in staging.iterdir()]


def _share_parsers() -> None:
    """The parsers' fork server is the parent's: a child of ours cannot wait for it, and need not."""
    for owner in (forkserver, vars(forkserver)["_forkserver"]):
        setattr(owner, "ensure_running", _nothing)  # noqa: B010 - a method is replaced


def _nothing() -> None:
    pass


def _in_child(work: Callable[[], None]) -> None:
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            try:
                work()
            except BaseException:
                traceback.print_exc()
                raise
        os._exit(0)
    os.waitpid(pid, 0)
