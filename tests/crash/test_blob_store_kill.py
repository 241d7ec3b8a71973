"""A writer killed without warning: what the store then holds."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from evidence_store.blobs.local import LocalBlobStore
from evidence_store.digests import digest_stream

WRITER = """
import sys
from pathlib import Path
from evidence_store.blobs.local import LocalBlobStore

store = LocalBlobStore(Path(sys.argv[1]))
number = 0
while True:
    with store.stage() as staged:
        for _ in range(6):
            staged.write(number.to_bytes(4, "big") * 4096)
        stored = staged.commit()
    print(number, stored.digests.sha256, stored.created, flush=True)
    number += 1
"""


def _body(number: int) -> bytes:
    return number.to_bytes(4, "big") * 4096 * 6


def _run_and_kill(root: Path, source: Path, after_s: float) -> list[list[str]]:
    """Start a writer, let it commit at least once, kill it; return what it said it had committed."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, text=True, cwd=source
    ) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(after_s)
        writer.kill()
        rest = writer.stdout.read()
    complete = (first + rest).rpartition("\n")[0]
    return [line.split() for line in complete.splitlines()]


def test_a_writer_killed_at_any_moment_leaves_only_whole_blobs_and_the_retry_completes(tmp_path: Path) -> None:
    root, source = tmp_path / "blobs", Path(__file__).resolve().parents[2]
    promised: dict[int, str] = {}
    for after_s in (0.0, 0.013, 0.047, 0.101):
        for number, sha256, _created in _run_and_kill(root, source, after_s):
            promised[int(number)] = sha256
    store = LocalBlobStore(root)
    stored = list(store.list())
    assert promised
    assert set(promised.values()) <= set(stored)
    assert list(store.strays()) == []
    assert list(store.conflicts()) == []
    for sha256 in stored:
        with store.open(sha256) as stream:
            assert digest_stream([stream.read()]).sha256 == sha256
    following = max(promised) + 1
    for _ in range(2):
        with store.stage() as staged:
            staged.write(_body(following))
            staged.commit()
    assert len(list(store.list())) == len({*stored, digest_stream([_body(following)]).sha256})
    store.purge_staging(0)
    assert list((root / "staging").iterdir()) == []
