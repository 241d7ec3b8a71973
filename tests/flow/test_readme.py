"""What the README says is done, as printed, by somebody who knows nothing else."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.custody.vkeys import verifier_lines
from tests.conftest import ROOT
from tests.judges import require
from tests.launcher import launcher
from tests.media_samples import photo
from tests.tsa import authority

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block_after(heading: str, first_word: str) -> list[str]:
    """The indented lines below a heading that begin with a word, comments cut, continuations joined."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line[4:] for line in section.splitlines() if line.startswith("    ")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    commands = [re.sub(r"\s+# .*$", "", line) for line in joined.splitlines()]
    start = next(i for i, line in enumerate(commands) if line.startswith(first_word))
    return commands[start:]


def files_from_elsewhere(folder: Path) -> None:
    """What a reader of a bundle got in another way: the archive's keys, an authority's root, a policy."""
    keys = folder / "archive" / "keys"
    vkeys = verifier_lines(keys)
    trusted = [(keys / "ca.crt").read_text(encoding="ascii"), *(f"{vkey}\n" for vkey in vkeys)]
    (folder / "keys-of-the-archive.txt").write_text("".join(trusted), encoding="ascii")
    (folder / "root-of-the-authority.pem").write_bytes(authority("first").roots_pem)
    (folder / "witnesses.policy").write_text(f"log {vkeys[0]}\nquorum none\n", encoding="utf-8")


def run(command: str, folder: Path, **variables: str) -> str:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    settings = {**os.environ, "PATH": path, **variables}
    settings = {name: value for name, value in settings.items() if name != "CATENA_DATA"} | variables
    done = subprocess.run(
        ["sh", "-e", "-c", command], cwd=folder, env=settings, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(autouse=True)
def _catena(tmp_path: Path) -> Iterator[None]:
    """The program that the README calls; tests/flow/test_cli_init.py starts it as it is installed."""
    (tmp_path / "bin").mkdir()
    with launcher(tmp_path / "bin"):
        yield


@pytest.mark.timeout(600)
def test_the_first_steps_work_as_printed(tmp_path: Path) -> None:
    sha256sum, openssl = require("sha256sum"), require("openssl")
    assert sha256sum
    assert openssl
    photo(tmp_path / "photo.jpg")
    (tmp_path / "video.mp4").write_bytes((tmp_path / "photo.jpg").read_bytes() + b"\0")  # what it is, its bytes decide
    (tmp_path / "footage" / "card").mkdir(parents=True)
    photo(tmp_path / "footage" / "card" / "DJI_0001.JPG")
    (tmp_path / "footage" / "card" / "DJI_0001.xmp").write_text("<x/>")
    ids: dict[str, str] = {}
    variables: dict[str, str] = {}
    for line in block_after("First steps", "catena init"):
        if line.startswith("export CATENA_DATA="):
            variables["CATENA_DATA"] = str(tmp_path / "archive")
            continue
        if line == "catena serve":
            continue  # stays up; tests/flow/test_api_server.py and the demo run it
        command = re.sub(r"\b(ITEM|LINK)\b", lambda match: ids[match[1]], line)
        said = run(command, tmp_path, **variables)
        if found := re.search(r'"id": "([0-9a-f-]{36})"', said):
            ids.setdefault("ITEM", found[1])
        if found := re.match(r"link ([0-9a-f-]{36})", said):
            ids["LINK"] = found[1]
    assert (tmp_path / "T1.zip").exists()
    *script, verify = block_after("Checking a bundle without us", "unzip")
    run("\n".join(script), tmp_path)
    files_from_elsewhere(tmp_path)
    assert "witnesses.policy" in verify
    run(verify, tmp_path)
    assert (tmp_path / "report.html").exists()
