"""The fork server's own picture: nothing of it stays, and nothing of it shows in what children say of others."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.analysis.sandbox import run_sandboxed
from app.matching.warm import warm_up
from tests.matching_media import scene, write_photo

FOLDER_IS_EMPTY = """
import gc, os, tempfile
import app.matching.warm
print(gc.get_freeze_count() > 10_000, os.listdir(tempfile.gettempdir()))
"""


def test_the_picture_is_gone_and_what_is_loaded_is_frozen(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FOLDER_IS_EMPTY]
    ran = subprocess.run(command, env={"TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "True []"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError(), ValueError("a parser's own")])
def test_children_begin_cold_where_warming_fails(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise error

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    warm_up()


def test_a_child_that_began_warm_says_what_a_cold_process_says(tmp_path: Path) -> None:
    path = write_photo(tmp_path / "a.jpg", scene(11))
    cold = (
        "import sys\n"
        "from pathlib import Path\n"
        "from app.matching.tasks import fingerprint_task\n"
        "sys.stdout.buffer.write(fingerprint_task(Path(sys.argv[1]), 'photo'))\n"
    )
    ran = subprocess.run([sys.executable, "-c", cold, str(path)], capture_output=True, check=True)
    assert run_sandboxed("app.matching.tasks:fingerprint_task", (path, "photo")) == ran.stdout


CONFINED = """
import os, resource, socket
import app.matching.warm
from app.analysis.confinement import confine


def refused(attempt):
    try:
        attempt()
    except PermissionError:
        return True
    return False


def of(process):
    return lambda: resource.prlimit(process, resource.RLIMIT_CORE, (0, 0))


for _ in range(2):
    child = os.fork()
    if child == 0:
        confine(())
        tried = (socket.socket, of(os.getppid()), of(1), os.fork, of(os.getpid()), of(0))
        os._exit([refused(one) for one in tried] != [True, True, True, True, False, False])
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="confinement is Linux")
def test_what_is_prepared_ahead_confines_each_child_to_itself() -> None:
    ran = subprocess.run([sys.executable, "-c", CONFINED], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["0", "0"], ran.stdout + ran.stderr


HEAP = """
import app.matching.warm
from app.analysis import heap
heap.lay_out()
blocks = [bytearray(size) for size in (1 << 16, 1 << 20, 1 << 24, 1 << 27)]
print(all(block[0] == block[-1] == 0 for block in blocks))
"""


def test_the_heap_is_laid_out_more_than_once_without_harm() -> None:
    ran = subprocess.run([sys.executable, "-c", HEAP], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "True"
