"""Writes docs/crash-points.md from the table: `python -m tests.crash.document`."""

from __future__ import annotations

from pathlib import Path

from tests.crash.points import POINTS, SECTIONS, Point, Section

TARGET = Path(__file__).resolve().parents[2] / "docs" / "crash-points.md"
_HEAD = f"""# Crash points

<!-- Written by `python -m tests.crash.document` from tests/crash/points.py. Do not edit. -->

What a crash leaves at each step of the write order, and what is there after the next start and the client's retry.
There are {len(POINTS)} points. Tests run each of them: the process is killed (`kill -9`) before the step, and half-way
through it where it is a write; the step fails for want of room or with an I/O error; a write takes only a part of its
bytes; the disk is full from that step on. After each: no acknowledged item is lost, none is there twice, the store
holds no half-file, and the audit finds nothing.

The steps are calls to the kernel, held one by one (seccomp user notification), so those of SQLite are among them; and
the statements of each unit of work, which write nothing before the commit. A test compares this table with the calls of
an undisturbed run, in both directions. A killed process loses nothing that the kernel has taken: what a power cut does
to a disk that lies about its syncs is not shown here.

`python -m tests.crash.full --times 20` runs the whole table.
"""


def as_markdown() -> str:
    """The document."""
    return "\n".join([_HEAD, *(_section(name, section) for name, section in SECTIONS.items())])


def _section(name: str, section: Section) -> str:
    states = "\n".join(f"- *{state}*: {meaning}" for state, meaning in section.states.items())
    rows = "\n".join(_row(number, point) for number, point in enumerate(section.points, start=1))
    return (
        f"## {section.title}\n\nAfter recovery and retry: {section.after}\n\n{states}\n\n"
        f"| {name} | step | calls | a kill here leaves |\n|---|---|---|---|\n{rows}\n"
    )


def _row(number: int, point: Point) -> str:
    calls = ", ".join(f"`{call}`" for call in point.calls)
    unit = f" (in `{point.unit}`)" if point.unit else ""
    return f"| {number} | {point.what}{unit} | {calls} | {' or '.join(point.left)} |"


if __name__ == "__main__":
    TARGET.write_text(as_markdown(), encoding="utf-8")
