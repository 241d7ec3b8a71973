"""`kill -9` during `catena log recover --apply`: all of it is there or none, and the same command ends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import at, copy_of, furnished
from tests.processes import Nursery, nursery
from tests.rollbacks import Rollback


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rollback:
    cli = at(copy_of(furnished, tmp_path), monkeypatch, capsys)
    (tmp_path / "elsewhere").mkdir()
    return Rollback.happen(cli, tmp_path / "elsewhere")


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Nursery]:
    with nursery(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("place", "brought_back"),
    [
        ("app.cli.recover:bring_back", False),
        ("app.custody.recovering:_put_lost", False),
        ("app.custody.recovery_rows:Effects.write_rows", False),
        ("app.custody.recovering:_told", False),
        ("app.api.services:Services.checkpoint", True),
        ("app.custody.heads:KeptHeads.write", True),
    ],
)
def test_killed_recovery_is_whole_or_did_not_happen(
    older: Rollback,
    processes: Nursery,
    place: str,
    brought_back: bool,  # noqa: FBT001
) -> None:
    arguments = ("log", "recover", "--from", str(older.newer), "--apply")
    run = processes.start(*arguments, "--data", str(older.cli.data), pause_at=place)
    run.paused()
    run.kill()
    here, kept = older.sizes()
    assert kept == older.size, "what is kept outside is never put back to less"
    assert here == (older.size + 1 if brought_back else older.backed_up)
    older.cli(*arguments)
    assert older.cli.json("audit")["findings"] == []
    assert older.sizes()[0] > older.size
