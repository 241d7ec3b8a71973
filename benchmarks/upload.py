"""One upload through a real server against cp + fsync + openssl, in the same run: prints the ratio.

`python -m benchmarks.upload [MIB]`; the whole way: HTTP, four digests, fsync, event, sealed receipt.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

CHUNK = 1 << 20


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


def main() -> None:
    """Measure three rounds and print each."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    catena = [sys.executable, "-m", "app.cli"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source"
        with source.open("wb") as stream:
            for _ in range(size):
                stream.write(os.urandom(CHUNK))
        environment = {**os.environ, "CATENA_DATA": str(folder / "data")}
        made = subprocess.run([*catena, "init", "--json"], env=environment, check=True, capture_output=True)
        token = json.loads(made.stdout)["token"]
        serve = [*catena, "serve", "--port", "0", "--workers", "0", "--json"]
        with subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
            assert server.stdout is not None
            lines = ""
            while not lines.endswith("\n}\n"):
                lines += server.stdout.readline().decode()
            url = json.loads(lines)["url"] + "/api/v1"
            client = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=600)
            client.post(f"{url}/cases", json={"ref": "B"}).raise_for_status()
            for turn in range(3):
                with source.open("r+b") as stream:
                    stream.write(turn.to_bytes(8, "big"))
                base = yardstick(source, folder)
                begun = time.perf_counter()
                with source.open("rb") as stream:
                    chunks = iter(lambda: stream.read(CHUNK), b"")
                    length = {"Content-Length": str(source.stat().st_size)}
                    client.post(f"{url}/items?case=B", content=chunks, headers=length).raise_for_status()
                taken = time.perf_counter() - begun
                print(f"{size} MiB: upload {taken:.2f} s, cp + fsync + openssl {base:.2f} s, ratio {taken / base:.2f}")
            client.close()
            server.terminate()


if __name__ == "__main__":
    main()
