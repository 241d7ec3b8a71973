"""Tokens for tests: SoftHSM, a PKCS#11 module that nobody here wrote, over a folder of the test."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from evidence_store.keys import token_session
from tests.judges import require

PIN = "9341-test"
LABEL = "catena test"


@dataclass(frozen=True)
class Token:
    """One token.

    Attributes:
        module: path of SoftHSM's library.
        folder: where SoftHSM keeps its tokens; moved away, the token is pulled out.
        config: SoftHSM's configuration file, for SOFTHSM2_CONF.
        label: of the token.
    """

    module: str
    folder: Path
    config: Path
    label: str = LABEL

    def pull_out(self) -> None:
        """Take the token out of its slot."""
        self.folder.rename(self.folder.with_name("pulled-out"))
        self.folder.mkdir()
        restart_module(self.module)

    def put_back(self) -> None:
        """Put it in again."""
        self.folder.rmdir()
        self.folder.with_name("pulled-out").rename(self.folder)
        restart_module(self.module)


def new_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    """A fresh token, which this process and its children see as the only one."""
    util, module = require("softhsm2-util"), require("libsofthsm2.so")
    folder, config = tmp_path / "tokens", tmp_path / "softhsm2.conf"
    folder.mkdir()
    config.write_text(f"directories.tokendir = {folder}\nobjectstore.backend = file\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(config))
    subprocess.run(
        [util, "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "0000-test"],
        check=True,
        capture_output=True,
    )
    shared = token_session._SHARED
    shared.sessions.clear()
    shared.initialised.clear()
    shared.refused.clear()
    restart_module(module)
    return Token(module, folder, config)


def restart_module(module: str) -> None:
    """End every session of this process behind the archive's back, and let the module read its settings anew."""
    import pkcs11

    pkcs11.lib(module).reinitialize()


def copy_of(token: Token, folder: Path) -> None:
    """A backup of the token's files."""
    shutil.copytree(token.folder, folder)
