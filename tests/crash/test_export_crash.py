"""`kill -9` in the middle of an export: no bundle under the final name, and the next start says so."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.archives import close_archive, deposit, events_of, make_archive
from tests.conftest import ROOT

PROGRAM = """
import sys, time
from pathlib import Path
from app.wiring import open_archive
from tests.archives import PASSPHRASE, settings_of

def stop_here(done, total):
    print(done, flush=True)
    time.sleep(60)

services = open_archive(settings_of(Path(sys.argv[1])), lambda: PASSPHRASE)
services.exports.create(services.access.local_operator(), case_ref="T1", progress=stop_here)
"""


def test_killed_export_leaves_no_bundle_and_is_recorded_at_the_next_start(tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    admin = services.access.local_operator()
    case = services.evidence.create_case(admin, "T1")
    item = deposit(services, admin, case, b"an original" * 300_000).item.id
    folder = services.archive.settings.exports
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(services.archive.settings.data)], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip(), "the export did not reach its first original"
        assert services.exports.recover() == []  # it is alive
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close() if child.stdout else None
    assert [path.suffix for path in folder.iterdir()] == [".part"]
    (row,) = services.exports.list(admin)
    assert row.state == "building"
    assert services.exports.recover() == [row.id]
    assert list(folder.iterdir()) == []
    (row,) = services.exports.list(admin)
    assert (row.state, row.failure_code) == ("failed", "interrupted")
    assert events_of(services, f"item:{item}")[-1].type == "dissemination"
    again = services.exports.create(admin, case_ref="T1")
    assert again.state == "done"
    close_archive(services)
