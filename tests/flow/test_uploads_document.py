"""What docs/uploads.md says is done, as printed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

from app.config import Settings
from tests.conftest import ROOT
from tests.crash.uploads import MIB, Content, upload_range
from tests.judges import require

DOCUMENT = (ROOT / "docs" / "uploads.md").read_text(encoding="utf-8")


def printed() -> str:
    """The lines of the walk-through."""
    section = DOCUMENT.split("## By hand\n")[1].split("\n## ")[0]
    return "\n".join(line[4:] for line in section.splitlines() if line.startswith("    "))


def test_the_walk_through_works_as_printed(tmp_path: Path) -> None:
    for judge in ("curl", "openssl", "sha256sum"):
        require(judge)
    data = b"".join(Content(1, 3 * MIB).pieces(0))
    work = tmp_path / "work"
    work.mkdir()
    (work / "drone.mp4").write_bytes(data)
    with upload_range(tmp_path, seed=1) as shooting:
        url = shooting.serve().url()
        environment = {**os.environ, "URL": url, "TOKEN": shooting.token}
        script = ["sh", "-e", "-c", printed()]
        done = subprocess.run(
            script, cwd=work, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["state"], told["offset"], told["original_name"]) == ("done", len(data), "drone.mp4")
        assert told["receipt"]["statement"]["sha256"] == hashlib.sha256(data).hexdigest()
        shooting.server.stop()  # type: ignore[union-attr]


def test_the_settings_that_it_names_are_read() -> None:
    named = set(re.findall(r"`(CATENA_[A-Z_]+)`", DOCUMENT))
    source = (ROOT / "app" / "config.py").read_text(encoding="utf-8")
    assert named
    assert all(f'"{name}"' in source for name in named)
    assert Settings.__dataclass_fields__["upload_hours"].default == 168
