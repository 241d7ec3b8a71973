"""A missing judge is named; in CI it is a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.judges import require, require_module


def test_judge_that_is_here_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "some-judge"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert require("some-judge") == str(program)
    assert require_module("json").dumps([]) == "[]"


@pytest.mark.parametrize("value", ["", "1", "false"])
def test_missing_judge_skips_and_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", value)
    for find in (require, require_module):
        with pytest.raises(pytest.skip.Exception, match="missing judge: no-such-judge"):
            find("no-such-judge")


def test_missing_judge_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    for find in (require, require_module):
        with pytest.raises(pytest.fail.Exception, match="missing judge: no-such-judge"):
            find("no-such-judge")
