"""Hostile files against a real server: `python -m tests.hostile.campaign [--rounds N]`.

Every file of the hostile corpus and every generated bomb is deposited over HTTP into a server with two workers. Each
must end as kept and analysed, or kept and flagged, within 30 seconds of work and 1.5 GiB; the server must stay the
process that it was, answer its health all the while, leak nothing, and hold a clean archive at the end. Prints a table;
the exit code is 1 when anything of that did not hold.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from app.custody.service import SYSTEM
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, make_archive
from tests.checks import audit
from tests.hostile.bombs import BOMBS, truncated
from tests.processes import Process, living, nursery, until

CORPUS = Path(os.environ.get("CATENA_SHARED", "../shared")) / "corpus" / "hostile"
MOST_SECONDS, MOST_BYTES = 30.0, 1536 * 1024 * 1024
MOST_HEALTH_SECONDS = 5.0
MOST_GROWTH = 64 * 1024 * 1024
WARM_UP = 40
IN_FLIGHT = 4
_LOOK_SECONDS = 0.05


@dataclass
class Watch:
    """What is seen of a server from outside while it works.

    Attributes:
        peak: most resident bytes of one child, by the kernel's own high-water mark.
        most_children: most parsers at once.
        slowest_health: seconds.
        failed_health: answers that were none.
    """

    pid: int
    url: str
    peak: int = 0
    most_children: int = 0
    slowest_health: float = 0.0
    failed_health: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        """Look on."""
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._look, self._ask)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Look no longer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            below = children_of(self.pid)
            self.most_children = max(self.most_children, len(below))
            self.peak = max([self.peak, *(status_of(pid).get("VmHWM", 0) for pid in below)])

    def _ask(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._stop.wait(0.25):
                began = time.monotonic()
                try:
                    well = client.get(f"{self.url}/healthz").status_code == 200
                except httpx.HTTPError:
                    well = False
                self.failed_health += not well
                self.slowest_health = max(self.slowest_health, time.monotonic() - began)


@dataclass(frozen=True)
class Size:
    """What a server holds at a moment."""

    descriptors: int
    processes: int
    resident: int
    threads: int


@dataclass
class Outcome:
    """What became of the files."""

    seconds: dict[str, float] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def children_of(pid: int) -> set[int]:
    """All processes below one."""
    parents = {each: parent for each, (parent, _) in living().items()}
    found, newest = set[int](), {pid}
    while newest:
        newest = {each for each, parent in parents.items() if parent in newest} - found
        found |= newest
    return found


def status_of(pid: int) -> dict[str, int]:
    """Sizes that the kernel tells of a process, bytes."""
    sizes = {}
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if value.strip().endswith("kB"):
                sizes[name] = int(value.split()[0]) * 1024
            elif name == "Threads":
                sizes[name] = int(value)
    return sizes


def size_of(pid: int) -> Size:
    """What a server holds now."""
    told = status_of(pid)
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Size(descriptors, len(children_of(pid)), told.get("VmRSS", 0), told.get("Threads", 0))


def all_files(rounds: int) -> Iterator[tuple[str, bytes]]:
    """The corpus as often as wanted; the bombs and what is cut off once."""
    for name, make in BOMBS.items():
        yield name, make()
    yield from truncated()
    for turn in range(rounds):
        for path in sorted(CORPUS.iterdir()):
            yield f"{turn}-{path.name}", path.read_bytes()


class Depositor:
    """Deposits files and waits for what becomes of them, a few at a time."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=120)
        self._waiting: dict[str, str] = {}
        self.outcome = Outcome()

    def deposit(self, name: str, data: bytes) -> None:
        """Send a file; what was kept must be what was sent."""
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        fields = {"X-Filename": name, "Repr-Digest": f"sha-256=:{digest}:"}
        answer = self._client.post("/items?case=T1", content=data, headers=fields)
        if answer.status_code != 201:
            self.outcome.wrong.append(f"{name}: not kept: {answer.status_code} {answer.text[:200]}")
            return
        self._waiting[answer.json()["item"]["id"]] = name
        while len(self._waiting) >= IN_FLIGHT:
            self._look()

    def finish(self) -> None:
        """Wait for the rest."""
        until(self._done, "all files are worked off", 600, lambda: str(self._waiting))

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _done(self) -> bool:
        self._look()
        return not self._waiting

    def _look(self) -> None:
        time.sleep(0.05)
        for item, name in list(self._waiting.items()):
            shown = self._client.get(f"/items/{item}").json()
            if shown["worked_off"] and all(job["finished_at"] for job in shown["work"]):
                del self._waiting[item]
                self._judge(name, shown)

    def _judge(self, name: str, shown: dict[str, Any]) -> None:
        seconds = sum(_seconds(job) for job in shown["work"])
        self.outcome.seconds[name] = seconds
        analysis = shown["analysis"]
        end = "analysed" if analysis["state"] == "done" else f"flagged: {analysis['failure_code']}"
        if end == "analysed" and analysis["kind"] in {"photo", "video"} and not shown["previews"]:
            end = "flagged: no preview"
        dead = [f"{job['kind']}: {job['reason']}" for job in shown["work"] if job["state"] == "dead"]
        self.outcome.ends["given up" if dead else end] += 1
        if dead:
            self.outcome.wrong.append(f"{name}: given up: {dead}")
        if seconds > MOST_SECONDS:
            self.outcome.wrong.append(f"{name}: took {seconds:.1f} s of work")


def _seconds(job: dict[str, Any]) -> float:
    if job["started_at"] is None:
        return 0.0  # given up before it was begun
    begun, ended = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    return (ended - begun).total_seconds()


def run(folder: Path, files: Iterator[tuple[str, bytes]], warm_up: int = WARM_UP) -> list[str]:
    """Run the campaign over these files; prints the table and returns what was wrong."""
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(folder, fresh=True)
    services.evidence.create_case(services.access.local_operator(), "T1")
    token = services.access.create_token(SYSTEM, "admin")[1]
    settings = services.archive.settings
    with nursery(folder) as processes:
        server = processes.start(
            *("serve", "--port", "0", "--json", "--workers", "2"),
            CATENA_DATA=str(settings.data),
            CATENA_PASSPHRASE=PASSPHRASE.decode(),
        )
        wrong, watch, outcome = _against(server, token, files, warm_up)
        server.stop()
        if "Traceback" in server.stderr:
            wrong.append(f"a traceback in the server's log: {server.stderr[-2000:]}")
    found = audit(services)
    wrong += [f"audit: {finding}" for finding in found["findings"] if finding["severity"] == "error"]
    services.archive.db.close()
    slowest = sorted(outcome.seconds.items(), key=lambda one: -one[1])[:5]
    rows = [
        ("files", str(len(outcome.seconds))),
        *((end, str(count)) for end, count in outcome.ends.most_common()),
        ("most work of one file", ", ".join(f"{seconds:.1f} s ({name})" for name, seconds in slowest)),
        ("most memory of one parser", f"{watch.peak / 2**20:.0f} MiB"),
        ("most processes below the server", str(watch.most_children)),
        ("slowest answer of /healthz", f"{watch.slowest_health:.2f} s, {watch.failed_health} failed"),
        ("audit", "clean" if found["ok"] else "NOT CLEAN"),
        ("wrong", str(len(wrong))),
    ]
    print("\n".join(f"{name:34}{value}" for name, value in rows))  # noqa: T201
    return wrong


def _against(
    server: Process, token: str, files: Iterator[tuple[str, bytes]], warm_up: int
) -> tuple[list[str], Watch, Outcome]:
    watch = Watch(server.pid, server.url())
    depositor = Depositor(watch.url, token)
    watch.begin()
    before: Size | None = None
    for number, (name, data) in enumerate(files):
        if number == warm_up:
            depositor.finish()
            before = size_of(server.pid)
        depositor.deposit(name, data)
    depositor.finish()
    depositor.close()
    watch.end()
    time.sleep(1)
    after, outcome = size_of(server.pid), depositor.outcome
    wrong = list(outcome.wrong)
    if before is not None:
        print(f"{'held after ' + str(warm_up) + ' files':34}{before}")  # noqa: T201
        print(f"{'held at the end':34}{after}")  # noqa: T201
        wrong += _leaks(before, after)
    if watch.peak > MOST_BYTES:
        wrong.append(f"a parser took {watch.peak} bytes")
    if watch.failed_health or watch.slowest_health > MOST_HEALTH_SECONDS:
        wrong.append(f"health: {watch.failed_health} failed, slowest {watch.slowest_health:.1f} s")
    return wrong, watch, outcome


def _leaks(before: Size, after: Size) -> list[str]:
    wrong = []
    if after.descriptors > before.descriptors + 8:
        wrong.append(f"descriptors: {before.descriptors} -> {after.descriptors}")
    if after.processes > before.processes:
        wrong.append(f"processes: {before.processes} -> {after.processes}")
    if after.threads > before.threads + 8:
        wrong.append(f"threads: {before.threads} -> {after.threads}")
    if after.resident > before.resident + MOST_GROWTH:
        wrong.append(f"memory: {before.resident} -> {after.resident}")
    return wrong


def main() -> int:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often the corpus is deposited")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="catena-hostile-") as folder:
        wrong = run(Path(folder), all_files(rounds))
    print("\n".join(wrong))  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
