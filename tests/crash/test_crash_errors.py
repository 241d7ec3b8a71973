"""The crash-point table with I/O errors: no room, EIO, a short write, a full disk, or a kill half-way through a write.

The process lives on after an error, and the client may ask the same process again; or it is started anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.crash.held import FAULTS
from tests.crash.points import POINTS, Point
from tests.crash.range import Range, crash_range
from tests.crash.runs import KILLS

ON_DISK = [point for point in POINTS if not point.calls[0].startswith("sql")]
REFUSALS = {
    "storage_full",
    "storage_failed",
    "database_failed",
    "database_damaged",  # what SQLite says of a file that it cannot read
    "tsa_unreachable",
    "head_file_missing",
    "no_archive",
}


@pytest.fixture(scope="module")
def shooting() -> Iterator[Range]:
    with crash_range() as made:
        if not made.ask(probe=True)["supported"]:
            message = "this kernel does not hold calls for us (seccomp user notification, Linux 5.6)"
            pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
        yield made


@pytest.mark.parametrize("number", range(len(ON_DISK)), ids=[point.name for point in ON_DISK])
def test_failing_step_is_refused_with_a_code_or_not_noticed_and_nothing_is_lost(shooting: Range, number: int) -> None:
    point: Point = ON_DISK[number]
    kinds = [kind for kind in FAULTS[1:] if kind in shooting.kinds(point)]
    for kind in kinds[number % len(kinds) :][:1]:  # all of them: python -m tests.crash.full
        result = shooting.run(point, kind, 7 + number)
        assert result.struck, result
        assert result.wrong == [], kind
        assert kind in KILLS or result.refused in {"", *REFUSALS}, (kind, result.refused)
