"""The threat model names, for each claim, the test that shows it; each of them must be there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "threat-model.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
ATTACKERS = (
    "outsider",
    "uploader",
    "insider with the database",
    "insider with the disk",
    "insider with the log key",
    "insider with everything",
    "authority or witness is gone",
    "quantum",
)


def named() -> list[tuple[str, str]]:
    return NAMED.findall(PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("file", "test"), sorted(set(named())))
def test_named_test_is_there(file: str, test: str) -> None:
    assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_attacker_has_a_chapter_with_tests(attacker: str) -> None:
    chapters = re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    chapter = next(chapter for chapter in chapters if attacker in chapter.split("\n")[0].casefold())
    assert NAMED.search(chapter)
    assert "Can:" in chapter
    assert "Cannot" in chapter
