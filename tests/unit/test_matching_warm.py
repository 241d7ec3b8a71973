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
