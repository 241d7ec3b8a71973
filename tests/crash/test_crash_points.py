"""The crash-point table, run: `kill -9` at each step, then the next start, the client's retry and a full audit."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.crash.document import as_markdown
from tests.crash.points import POINTS, SECTIONS, Point
from tests.crash.range import Range, crash_range
from tests.crash.runs import PLAYS

TWICE = {"deposit", "duplicate", "checkpoint", "export", "witness"}
"""What is written most often is killed twice here; the full run kills each twenty times."""
DOCUMENT = ROOT / "docs" / "crash-points.md"


@pytest.fixture(scope="module")
def shooting() -> Iterator[Range]:
    with crash_range() as made:
        if not made.ask(probe=True)["supported"]:
            message = "this kernel does not hold calls for us (seccomp user notification, Linux 5.6)"
            pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
        yield made


def test_document_is_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == as_markdown(), "run: python -m tests.crash.document"


def test_rows_have_names_of_their_own_and_speak_of_known_states() -> None:
    assert len({point.name for point in POINTS}) == len(POINTS)
    assert SECTIONS.keys() == PLAYS.keys()
    for section in SECTIONS.values():
        assert {state for point in section.points for state in point.left} == section.states.keys(), section.title


@pytest.mark.parametrize("play", PLAYS)
def test_every_step_of_the_program_is_in_the_table_and_every_row_is_a_step(shooting: Range, play: str) -> None:
    seen = shooting.trace(play)
    rows = SECTIONS[play].points
    unknown = {str(place): [row.what for row in rows if row.covers(place)] for place in seen}
    assert {place: found for place, found in unknown.items() if len(found) != 1} == {}
    assert [row.name for row in rows if not any(row.covers(place) for place in seen)] == []


@pytest.mark.parametrize("point", POINTS, ids=[point.name for point in POINTS])
def test_kill_at_a_step_leaves_what_the_table_says_and_the_retry_makes_it_whole(shooting: Range, point: Point) -> None:
    for seed in (11, 42) if point.play in TWICE else (11,):
        result = shooting.run(point, "kill", seed)
        assert result.struck, result
        assert result.wrong == []
        assert result.left in point.left
