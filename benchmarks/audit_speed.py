"""A full audit against `openssl dgst -sha256` on the same files, in the same run: prints the ratios.

`python -m benchmarks.audit_speed [MIB [FILES]]`, 2 GiB in 64 files by default. The command is measured as a user runs
it, loading of the program and of the seal key included; `inside` is the audit alone. Files are in the page cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.api.services import Services
from app.audit.checks import Options
from schemas.records.v1.source import SourceContext
from tests.archives import PASSPHRASE, make_archive
from tests.checks import work_off

CHUNK = 1 << 20
ROUNDS = 3


def fill(services: Services, size: int, files: int) -> None:
    """Deposit random files of `size` MiB altogether."""
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "B")
    for number in range(files):
        chunks = (os.urandom(CHUNK) for _ in range(size // files))
        services.intake.deposit_bytes(who, case, chunks, f"{number}.bin", SourceContext())
    work_off(services)
    services.checkpoint()


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """How long a command takes."""
    begun = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - begun


def seconds_inside(services: Services, options: Options) -> float:
    """How long an audit takes in a program that is loaded."""
    begun = time.perf_counter()
    assert services.audits.conduct(services.access.local_auditor(), options).document["ok"]
    return time.perf_counter() - begun


def main() -> None:
    """Measure in turns, so that what else the machine does falls on all alike."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 2048
    files = int(sys.argv[2]) if len(sys.argv) > 2 else 64  # noqa: PLR2004 - the second argument
    with tempfile.TemporaryDirectory() as name:
        services = make_archive(Path(name), fresh=True)
        fill(services, size, files)
        data = services.archive.settings.data
        stored = [str(path) for path in sorted((data / "blobs" / "sha256").rglob("*")) if path.is_file()]
        environment = {**os.environ, "CATENA_DATA": str(data), "CATENA_PASSPHRASE": PASSPHRASE.decode()}
        audit = [sys.executable, "-m", "app.cli", "audit", "--json", "--workers"]
        for _ in range(ROUNDS):
            base = seconds(["openssl", "dgst", "-sha256", *stored], environment)
            said = [f"openssl {base:.2f} s"]
            for workers in (1, 2):
                whole = seconds([*audit, str(workers)], environment)
                inside = seconds_inside(services, Options(workers=workers))
                said.append(f"{workers} worker(s): command {whole / base:.2f}, inside {inside / base:.2f}")
            inside = seconds_inside(services, Options(workers=1, all_digests=True))
            said.append(f"1 worker, all digests: inside {inside / base:.2f}")
            print(f"{size} MiB in {len(stored)} files: " + "; ".join(said), flush=True)
        services.archive.db.close()


if __name__ == "__main__":
    main()
