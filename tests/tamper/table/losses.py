"""The tamper table, a recovered archive: events that were lost with a database, with and without their text."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from app.cli.__main__ import main
from tests import commands
from tests.rollbacks import Rollback

Fixture = Callable[[Path], Mapping[str, Any]]


class _Told(NamedTuple):
    out: str
    err: str


class _Captured:
    """What a command printed, as the command line of the tests asks for it."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO(), io.BytesIO()
        self.out, self.err = (io.TextIOWrapper(each, encoding="utf-8", write_through=True) for each in self._bytes)

    def readouterr(self) -> _Told:
        """What was printed since the last call."""
        told = _Told(*(each.getvalue().decode() for each in self._bytes))
        for each in self._bytes:
            each.seek(0)
            each.truncate()
        return told


def _recovered(folder: Path, *, from_bundle: bool) -> Mapping[str, Any]:
    captured = _Captured()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CATENA_")}
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        redirect_stdout(captured.out),
        redirect_stderr(captured.err),
    ):
        data = commands.copy_of(commands.furnished, folder)
        os.environ["CATENA_DATA"] = str(data)
        cli = commands.Cli(data, captured)  # type: ignore[arg-type]
        (folder / "elsewhere").mkdir()
        older = Rollback.happen(cli, folder / "elsewhere")
        sources = ["--from", str(older.mirror), *(["--from", str(older.bundle)] if from_bundle else [])]
        cli("log", "recover", *sources, "--apply", "--accept-loss", older.lost)
        assert main(["worker", "--drain"]) == 0
        return cli("audit", "--json", code=None).json


FIXTURES: dict[str, Fixture] = {
    "event_lost": partial(_recovered, from_bundle=False),
    "event_without_effect": partial(_recovered, from_bundle=True),
}
