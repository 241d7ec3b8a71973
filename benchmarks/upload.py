"""Uploads through a real server against cp + fsync + openssl, in the same run: prints ratios, CPU, memory, answers.

`python -m benchmarks.upload [--mib 1024] [--rounds 3]`: one file at a time, by `POST /items` and by tus (one PATCH),
sent by a socket that costs next to nothing (sendfile), and by `POST /items` with httpx, as a user's program would. The
whole way: HTTP, three digests, fsync, event, sealed receipt. CPU is that of the server's process (not of its children).

`python -m benchmarks.upload --at-once 8 [--mib 256]`: so many at once, half of them by tus, into a server with its own
workers. The most resident memory of the server's process, that of its children apart, and how long `/healthz` took.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

CHUNK = 1 << 20
ASK_SECONDS = 0.05
LATE_SECONDS = 0.1
CATENA = [sys.executable, "-m", "app.cli"]
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A server under measurement."""

    pid: int
    url: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """Who asks."""
        return {"Authorization": f"Bearer {self.token}"}

    def cpu(self) -> float:
        """CPU seconds so far, user and system, of the process itself."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=None, help="size of a file (1024; 256 with --at-once)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=0)
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", flush=True)
    with tempfile.TemporaryDirectory(prefix="catena-upload-") as name:
        folder = Path(name)
        if asked.at_once:
            many_at_once(folder, asked.at_once, asked.mib or 256)
        else:
            one_at_a_time(folder, asked.mib or 1024, asked.rounds)


def one_at_a_time(folder: Path, mib: int, rounds: int) -> None:
    """Each way against the yardstick of the same round."""
    source = random_file(folder / "source", mib)
    ways: dict[str, Callable[[Server, Path], None]] = {
        "POST /items, sendfile": post_by_socket,
        "tus PATCH, sendfile": patch_by_socket,
        "POST /items, httpx": post_by_httpx,
    }
    with serving(folder, workers=0) as server:
        for turn in range(rounds):
            for number, (name, send) in enumerate(ways.items()):
                with source.open("r+b") as stream:
                    stream.write(bytes([turn, number]))
                before = yardstick(source, folder)
                cpu, begun = server.cpu(), time.perf_counter()
                send(server, source)
                taken, cpu = time.perf_counter() - begun, server.cpu() - cpu
                base = (before + yardstick(source, folder)) / 2
                print(
                    f"{mib} MiB by {name}: {taken:.2f} s, server's CPU {cpu:.2f} s;"
                    f" cp + fsync + openssl {base:.2f} s, ratio {taken / base:.2f}",
                    flush=True,
                )


def many_at_once(folder: Path, count: int, mib: int) -> None:
    """Memory of the server, and the answers of `/healthz` meanwhile."""
    sources = [random_file(folder / f"source-{number}", mib) for number in range(count)]
    with serving(folder, workers=1) as server:
        quiet = memory(server.pid)
        ended = threading.Event()
        most, children, answers = [quiet], [0.0], list[float]()
        watching = [
            threading.Thread(target=_watch_memory, args=(server.pid, ended, most, children)),
            threading.Thread(target=_watch_health, args=(server, ended, answers)),
        ]
        sends = [(post_by_socket, patch_by_socket)[number % 2] for number in range(count)]
        senders = [
            threading.Thread(target=send, args=(server, source)) for send, source in zip(sends, sources, strict=True)
        ]
        begun = time.perf_counter()
        for thread in (*watching, *senders):
            thread.start()
        for thread in senders:
            thread.join()
        taken = time.perf_counter() - begun
        ended.set()
        for thread in watching:
            thread.join()
        answers.sort()
        print(
            f"{count} uploads of {mib} MiB at once: {count * mib / taken:.0f} MiB/s, server's CPU {server.cpu():.1f} s"
        )
        print(
            f"server's memory (RSS): {quiet:.0f} MiB before, {max(most):.0f} MiB at most;"
            f" the kernel's mark {peak(server.pid):.0f}"
        )
        print(f"its children (fork server, sandboxes), together at most: {max(children):.0f} MiB")
        at = [answers[min(len(answers) - 1, int(len(answers) * share))] * 1000 for share in (0.5, 0.95, 1.0)]
        late = sum(answer > LATE_SECONDS for answer in answers)
        print(
            f"/healthz, {len(answers)} answers: p50 {at[0]:.0f} ms, p95 {at[1]:.0f} ms, slowest {at[2]:.0f} ms;"
            f" {late} took more than {LATE_SECONDS * 1000:.0f} ms"
        )


def random_file(path: Path, mib: int) -> Path:
    """A file of so many MiB that is like no other."""
    with path.open("wb") as stream:
        for _ in range(mib):
            stream.write(os.urandom(CHUNK))
    return path


def yardstick(source: Path, folder: Path) -> float:
    """Seconds that a copy, its fsync and one SHA-256 take."""
    begun = time.perf_counter()
    target = folder / "copy"
    subprocess.run(["cp", str(source), str(target)], check=True)
    with target.open("rb") as stream:
        os.fsync(stream.fileno())
    subprocess.run(["openssl", "dgst", "-sha256", str(target)], check=True, capture_output=True)
    taken = time.perf_counter() - begun
    target.unlink()
    return taken


@contextmanager
def serving(folder: Path, workers: int) -> Iterator[Server]:
    """A new archive with the case B, and a server of it."""
    environment = {**os.environ, "CATENA_DATA": str(folder / "data")}
    made = subprocess.run([*CATENA, "init", "--json"], env=environment, check=True, capture_output=True)
    serve = [*CATENA, "serve", "--port", "0", "--workers", str(workers), "--json"]
    with subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        lines = ""
        while not lines.endswith("\n}\n"):
            lines += process.stdout.readline().decode()
        server = Server(process.pid, json.loads(lines)["url"], json.loads(made.stdout)["token"])
        try:
            case = httpx.post(f"{server.url}/api/v1/cases", json={"ref": "B"}, headers=server.headers, timeout=60)
            case.raise_for_status()
            yield server
        finally:
            process.terminate()


def post_by_httpx(server: Server, source: Path) -> None:
    """As a user's program may send a file."""
    headers = {**server.headers, "Content-Length": str(source.stat().st_size)}
    with source.open("rb") as stream:
        chunks = iter(lambda: stream.read(CHUNK), b"")
        address = f"{server.url}/api/v1/items?case=B"
        httpx.post(address, content=chunks, headers=headers, timeout=600).raise_for_status()


def post_by_socket(server: Server, source: Path) -> None:
    """The same by sendfile."""
    _send(server, "POST", "/api/v1/items?case=B", source, {"Content-Type": "application/octet-stream"})


def patch_by_socket(server: Server, source: Path) -> None:
    """A resumable upload, the whole file in one PATCH."""
    tus = {"Tus-Resumable": "1.0.0"}
    name = base64.b64encode(source.name.encode()).decode()
    length = {"Upload-Length": str(source.stat().st_size), "Upload-Metadata": f"filename {name}"}
    address = f"{server.url}/api/v1/uploads?case=B"
    made = httpx.post(address, headers={**server.headers, **tus, **length}, timeout=60)
    made.raise_for_status()
    place = urlsplit(made.headers["Location"]).path
    chunk = {**tus, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    _send(server, "PATCH", place, source, chunk)
    upload = httpx.get(f"{server.url}{place}", headers=server.headers, timeout=60).json()
    if upload["item"] is None or upload["receipt"] is None:
        sys.exit(f"the upload is no sealed item: {upload}")


def _send(server: Server, method: str, target: str, source: Path, headers: dict[str, str]) -> None:
    where = urlsplit(server.url)
    size = source.stat().st_size
    lines = {"Host": where.netloc, **server.headers, **headers, "Content-Length": str(size), "Connection": "close"}
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection((where.hostname or "", where.port or 80)) as connection, source.open("rb") as stream:
        connection.sendall(head.encode() + b"\r\n")
        connection.sendfile(stream)
        answer = b""
        while more := connection.recv(CHUNK):
            answer += more
    if not answer.startswith((b"HTTP/1.1 201", b"HTTP/1.1 204")):
        sys.exit(f"refused: {answer[:500]!r}")


def _watch_memory(pid: int, ended: threading.Event, most: list[float], children: list[float]) -> None:
    while not ended.wait(ASK_SECONDS):
        most.append(memory(pid))
        children.append(sum(memory(child) for child in below(pid)))


def _watch_health(server: Server, ended: threading.Event, answers: list[float]) -> None:
    with httpx.Client(timeout=60) as client:
        while not ended.wait(ASK_SECONDS):
            begun = time.perf_counter()
            client.get(f"{server.url}/healthz").raise_for_status()
            answers.append(time.perf_counter() - begun)


def memory(pid: int) -> float:
    """Resident memory now, in MiB; 0 for a process that is gone."""
    return _status(pid, "VmRSS")


def peak(pid: int) -> float:
    """The most resident memory a process ever had, in MiB."""
    return _status(pid, "VmHWM")


def _status(pid: int, field: str) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith(field)), 0.0)


def below(pid: int) -> list[int]:
    """All processes below one."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text(encoding="ascii").split()]
        except OSError:
            continue
        found += [one for child in children for one in (child, *below(child))]
    return found


if __name__ == "__main__":
    main()
