"""Memory and time of a full audit over logs of different lengths: prints a line for each.

`python -m benchmarks.audit_memory [EVENTS ...]`; each audit is a process of its own. `before` is the resident memory
once the program is loaded, `most` the most that it had during the audit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.config import load_settings
from app.wiring import open_archive
from tests.archives import PASSPHRASE, make_archive
from tests.big_logs import grow_to

SIZES = (1_000, 10_000, 100_000, 1_000_000)
MIB = 1024


def resident(line: str) -> int:
    """KiB of memory that the system says this process has (`VmRSS`) or had at most (`VmHWM`)."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(each for each in text.splitlines() if each.startswith(line)).split()[1])


def audit(folder: Path) -> None:
    """Audit an archive and print what it took; runs in a process of its own."""
    services = open_archive(load_settings(folder), lambda: PASSPHRASE, for_audit=True)
    services.archive.seal_key()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak of loading the key does not count
    before, begun = resident("VmRSS"), time.perf_counter()
    report = services.audits.run(services.access.local_auditor())
    taken = time.perf_counter() - begun
    assert report["ok"], report["findings"][:5]
    print(json.dumps({"events": report["checked"]["events"], "before": before, "most": resident("VmHWM"), "s": taken}))


def main() -> None:
    """Grow one archive from size to size and audit it at each."""
    if sys.argv[1:2] == ["--audit"]:
        audit(Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as name:
        services = make_archive(Path(name), fresh=True)
        for size in [int(text) for text in sys.argv[1:]] or SIZES:
            grow_to(services, size)
            command = [sys.executable, "-m", "benchmarks.audit_memory", "--audit", str(services.archive.settings.data)]
            said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            before, most = said["before"] / MIB, said["most"] / MIB
            rate = said["events"] / said["s"]
            memory = f"before {before:.0f} MiB, most {most:.0f} MiB, growth {most - before:.0f} MiB"
            print(f"{said['events']:>9} events: {memory}; {said['s']:.1f} s, {rate:.0f} events/s", flush=True)
        services.archive.db.close()


if __name__ == "__main__":
    main()
