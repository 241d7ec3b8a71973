"""Resumable uploads under fire: `python -m tests.crash.uploads --kills 100 --mib 1024 [--full-disk] [--cut]`.

A real server takes uploads over a real socket and is killed with -9 at random moments, or the link is cut at random
bytes, or the disk fills up; the client then asks where to go on, as any tus client does. Each upload must end as one
item with the digest of what was sent; after a fault at most 64 MiB may be sent again; the whole archive is audited at
the end. Prints a table; the exit code is 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock
from urllib.parse import urlsplit

import httpx
from sqlmodel import func, select

from app.api.services import Services
from app.custody.service import SYSTEM
from app.evidence.models import Item
from app.intake.models import Upload
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, make_archive
from tests.checks import audit
from tests.processes import Nursery, Process, nursery, until
from tests.tus import CHUNK, VERSION

MIB: Final = 1 << 20
MOST_RESENT: Final = 64 * MIB
PIECE: Final = 1 << 18
UPLOADS_A_DISK: Final = 4
_FILL: Final = 1 << 30
AT_THE_END: Final = 0.3
"""Share of the faults that strike after the last byte, while the item is being made."""


class Content:
    """The bytes of one upload, made again whenever they are asked for."""

    def __init__(self, seed: int, size: int) -> None:
        self.size = size
        self._seed = seed
        self._block = random.Random(seed).randbytes(MIB)  # noqa: S311 - no secret

    def pieces(self, offset: int) -> Iterator[bytes]:
        """From an offset to the end."""
        while offset < self.size:
            number, inside = divmod(offset, MIB)
            block = struct.pack(">QQ", self._seed, number) + self._block[16:]
            piece = block[inside : inside + min(PIECE, self.size - offset)]
            yield piece
            offset += len(piece)

    def sha256(self) -> str:
        """Of all bytes."""
        digest = hashlib.sha256()
        for piece in self.pieces(0):
            digest.update(piece)
        return digest.hexdigest()


@dataclass
class Tally:
    """What became of all uploads of one kind of fault."""

    kind: str
    uploads: int = 0
    faults: int = 0
    resent: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def row(self) -> str:
        """As a row of the table."""
        most, mean = (max(self.resent), sum(self.resent) / len(self.resent)) if self.resent else (0, 0.0)
        cells = [self.kind, self.uploads, self.faults, f"{most / MIB:.1f}", f"{mean / MIB:.1f}"]
        return "| " + " | ".join(map(str, [*cells, len(self.wrong), f"{self.seconds:.0f}"])) + " |"


HEADINGS: Final = ("fault", "uploads", "faults", "most sent again (MiB)", "mean (MiB)", "wrong", "s")


@dataclass
class Range:
    """An archive, its server, and a client whose luck runs out."""

    services: Services
    token: str
    processes: Nursery
    port: int
    dice: random.Random
    server: Process | None = None

    def serve(self, *, pause_at: str | None = None) -> Process:
        """Start the server, always at the same address."""
        settings = self.services.archive.settings
        self.server = self.processes.start(
            "serve",
            "--port",
            str(self.port),
            "--json",
            "--workers",
            "0",
            pause_at=pause_at,
            CATENA_DATA=str(settings.data),
            CATENA_DATABASE_URL=settings.database_url,
            CATENA_PASSPHRASE=PASSPHRASE.decode(),
            CATENA_DISK_RESERVE_BYTES="0",
        )
        self.server.url()
        return self.server

    def kill(self) -> None:
        """End the server without warning."""
        assert self.server is not None
        self.server.kill()
        self.server = None

    def client(self) -> httpx.Client:
        """Short requests."""
        headers = {"Authorization": f"Bearer {self.token}", **VERSION}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=60)

    def create(self, size: int) -> str:
        """The path of a new upload."""
        with self.client() as client:
            answer = client.post("/api/v1/uploads?case=T1", headers={"Upload-Length": str(size)})
        assert answer.status_code == 201, answer.text
        return str(answer.headers["location"])

    def head(self, path: str) -> httpx.Response:
        """Where to go on."""
        with self.client() as client:
            return client.head(path)

    def begin_patch(self, path: str, offset: int, size: int) -> socket.socket:
        """The head of a PATCH for all that is left."""
        fields = {
            **VERSION,
            **CHUNK,
            "Host": "127.0.0.1",
            "Authorization": f"Bearer {self.token}",
            "Upload-Offset": str(offset),
            "Content-Length": str(size - offset),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        line = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        line.sendall(f"PATCH {urlsplit(path).path} HTTP/1.1\r\n{head}\r\n".encode())
        return line

    def send(self, path: str, content: Content, offset: int, stop_after: int | None, strike: Any) -> int:  # noqa: ANN401
        """Send what is left; at a number of bytes, or after the last one (None), something strikes.

        Returns:
            How many bytes of the file the client has handed to the system.
        """
        sent = offset
        with self.begin_patch(path, offset, content.size) as line, suppress(OSError):
            for piece in content.pieces(offset):
                if strike is not None and stop_after is not None and sent + len(piece) > stop_after:
                    part = piece[: max(0, stop_after - sent)]
                    line.sendall(part)
                    sent += len(part)
                    if not strike(line):
                        return sent
                    piece, strike = piece[len(part) :], None  # noqa: PLW2901 - the rest of it
                line.sendall(piece)
                sent += len(piece)
            if strike is not None:
                time.sleep(self.dice.uniform(0, AT_THE_END))
                if not strike(line):
                    return sent
            line.recv(65_536)
        return sent

    def faulty_upload(self, tally: Tally, content: Content, faults: int, strikes: Strikes) -> None:
        """One upload with so many faults, to its end."""
        path, offset, furthest = self.create(content.size), 0, 0
        tally.uploads += 1
        while True:
            strike = strikes.next() if faults > 0 else None
            late = self.dice.random() < AT_THE_END
            stop_after = None if late else self.dice.randrange(offset, content.size + 1)
            if strike is not None and offset < content.size:
                faults, tally.faults = faults - 1, tally.faults + 1
            sent = self.send(path, content, offset, stop_after, strike) if offset < content.size else offset
            furthest = max(furthest, sent)  # an older line may have brought more than the last one
            strikes.heal()
            answer = self.head(path)
            if answer.status_code != 200:
                tally.wrong.append(f"{path}: HEAD says {answer.status_code}")
                return
            now = int(answer.headers["upload-offset"])
            if strike is not None:
                tally.resent.append(max(0, sent - now))
            if not offset <= now <= furthest:
                tally.wrong.append(f"{path}: {offset} were promised, {furthest} sent, {now} are said to be there")
            offset = now
            if offset == content.size:
                self.check(tally, path, content)
                return

    def check(self, tally: Tally, path: str, content: Content) -> None:
        """The upload is one item, with the right bytes."""
        with self.client() as client:
            end = time.monotonic() + 120
            while (told := client.get(path).json())["state"] == "finishing" and time.monotonic() < end:
                time.sleep(0.05)
            if told["state"] != "done":
                tally.wrong.append(f"{path}: {told['state']} {told['failure_code']}")
                return
            item = client.get(f"/api/v1/items/{told['item']}").json()
        if item["sha256"] != content.sha256():
            tally.wrong.append(f"{path}: other bytes")
        if told["receipt"] is None:
            self.services.intake.seal_item(told["item"])  # owed when the disk was full just then; a worker makes it

    def final_checks(self, tally: Tally) -> None:
        """One item per upload, nothing left over, a clean audit."""
        if self.server is not None:
            self.server.stop()
            self.server = None
        with self.services.archive.db.read() as session:
            items = session.exec(select(func.count()).select_from(Item)).one()
            uploads = session.exec(select(func.count()).select_from(Upload)).one()
        if items != uploads:
            tally.wrong.append(f"{uploads} uploads, {items} items")
        self.services.uploads.work()
        left = [path.name for path in self.services.archive.settings.uploads.iterdir()]
        if left:
            tally.wrong.append(f"left behind: {left}")
        report = audit(self.services)
        tally.wrong += [f"audit: {one['code']}" for one in report["findings"] if one["severity"] == "error"]
        if not report["ok"]:
            tally.wrong.append("audit: not ok")


class Strikes:
    """Kills of the server."""

    def __init__(self, shooting: Range) -> None:
        self.range = shooting

    def next(self) -> Any:  # noqa: ANN401 - a function of a socket
        """What will strike; says whether the client goes on sending."""
        return lambda _line: self.range.kill()

    def heal(self) -> None:
        """After it struck."""
        if self.range.server is None:
            self.range.serve()


class Cuts(Strikes):
    """Links that end: with a reset, politely, or in silence."""

    _open: socket.socket | None = None

    def next(self) -> Any:  # noqa: ANN401
        """One of the three."""
        return self.range.dice.choice((self._reset, lambda line: line.shutdown(socket.SHUT_RDWR), self._silence))

    @staticmethod
    def _reset(line: socket.socket) -> None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()

    def _silence(self, line: socket.socket) -> None:
        self._open = line.dup()  # the server is never told that the client is gone

    def heal(self) -> None:
        """The next request has been answered by now, or is answered while the old line is still open."""
        if self._open is not None:
            closing, self._open = self._open, None
            threading.Timer(20, closing.close).start()


class FullDisk(Strikes):
    """The disk fills up while bytes come in; then there is room again."""

    def __init__(self, shooting: Range, disk: Path) -> None:
        super().__init__(shooting)
        self._filler = disk / "filler"

    def next(self) -> Any:  # noqa: ANN401
        """Fill it."""
        return self._fill

    def _fill(self, _line: socket.socket) -> bool:
        with self._filler.open("ab", buffering=0) as stream:
            at, size = 0, _FILL
            while size:
                try:
                    os.posix_fallocate(stream.fileno(), at, size)
                    at += size
                except OSError:
                    size //= 2
        return True

    def heal(self) -> None:
        """Make room."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def upload_range(folder: Path, seed: int, database_url: str | None = None) -> Iterator[Range]:
    """An archive in a folder, and a server over it."""
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(folder, database_url, fresh=True)
    services.evidence.create_case(services.access.local_operator(), "T1")
    _, token = services.access.create_token(SYSTEM, "admin")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    work = folder / "processes"
    work.mkdir()
    with nursery(work) as processes:
        shooting = Range(services, token, processes, port, random.Random(seed))  # noqa: S311 - no secret
        try:
            yield shooting
        finally:
            services.archive.db.close()


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[Path | None]:
    """A file system of so many MiB, ext4 on a loop device or else in memory; None where we may mount neither."""
    place, image = folder / "disk", folder / "disk.img"
    place.mkdir()
    with image.open("xb") as stream:
        stream.truncate(size_mib * MIB)
    make = ["mkfs.ext4", "-q", "-m", "0", str(image)]
    loop = ["mount", "-o", "loop", str(image), str(place)]
    memory = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(place)]
    if os.geteuid() != 0 or not ((_done(make) and _done(loop)) or _done(memory)):
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)


def _done(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False  # there is no such program


def campaign(shooting: Range, tally: Tally, faults: int, size: int, strikes: Strikes) -> Tally:
    """Uploads until so many faults have struck, then the final checks."""
    started, seed = time.monotonic(), 0
    strikes.heal()
    if shooting.server is None:
        shooting.serve()
    while tally.faults < faults:
        seed += 1
        wanted = min(faults - tally.faults, shooting.dice.randrange(1, 8))
        shooting.faulty_upload(tally, Content(shooting.dice.getrandbits(60), size), wanted, strikes)
        print(f"  {tally.kind}: {tally.faults} of {faults} {tally.wrong[-3:] or ''}", file=sys.stderr, flush=True)  # noqa: T201
        if tally.wrong:
            break
    until(lambda: shooting.server is not None, "the server runs")
    shooting.final_checks(tally)
    tally.wrong += [f"{most / MIB:.0f} MiB were sent again" for most in tally.resent if most > MOST_RESENT]
    tally.seconds += time.monotonic() - started
    return tally


def run(kind: str, faults: int, size: int, seed: int, folder: Path) -> Tally | None:
    """A campaign of one kind; None when this machine cannot have it."""
    if kind == "full disk":
        return full_disks(faults, size, seed, folder)
    with upload_range(folder, seed) as shooting:
        strikes = Cuts(shooting) if kind == "cut" else Strikes(shooting)
        return campaign(shooting, Tally(kind), faults, size, strikes)


def full_disks(faults: int, size: int, seed: int, folder: Path) -> Tally | None:
    """So many faults, on one small disk after another: each has room for a few finished uploads."""
    tally, number = Tally("full disk"), 0
    while tally.faults < faults and not tally.wrong:
        number += 1
        place = folder / str(number)
        place.mkdir()
        with small_disk(place, size_mib=(UPLOADS_A_DISK + 1) * (size // MIB) + 128) as disk:
            if disk is None:
                return None
            with upload_range(disk, seed + number) as shooting:
                enough = min(faults, tally.faults + UPLOADS_A_DISK)  # each upload has one fault at least
                campaign(shooting, tally, enough, size, FullDisk(shooting, disk))
        shutil.rmtree(place)
    return tally


def main() -> int:
    """Run it; 0 when nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.uploads", description="Resumable uploads under fire.")
    parser.add_argument("--kills", type=int, default=10, help="faults of each kind")
    parser.add_argument("--mib", type=int, default=64, help="size of each upload")
    parser.add_argument("--full-disk", action="store_true", help="fill the disk as well")
    parser.add_argument("--cut", action="store_true", help="cut the link as well")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--folder", type=Path, help="where the archive is made (default: the system's temporary folder)"
    )
    options = parser.parse_args()
    kinds = ["kill -9", *(["cut"] if options.cut else []), *(["full disk"] if options.full_disk else [])]
    print(f"seed {options.seed}, uploads of {options.mib} MiB", file=sys.stderr)  # noqa: T201
    print("| " + " | ".join(HEADINGS) + " |\n|" + "---|" * len(HEADINGS))  # noqa: T201
    bad = 0
    for kind in kinds:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            tally = run(kind, options.kills, options.mib * MIB, options.seed, Path(folder))
        if tally is None:
            print(f"| {kind} | this machine lets us mount no small file system |")  # noqa: T201
            continue
        print(tally.row(), flush=True)  # noqa: T201
        for wrong in tally.wrong:
            bad = 1
            print(f"  WRONG {wrong}", file=sys.stderr)  # noqa: T201
    return bad


if __name__ == "__main__":
    sys.exit(main())
