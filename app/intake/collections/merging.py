"""Entries of one collection, each file once: what several records say of one file is put together, and told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.intake.collections.entries import Check, Entry, Problem, Sidecar
from app.intake.collections.files import shown


@dataclass
class _Made:
    first: Entry
    checks: dict[str, Check] = field(default_factory=dict)
    sidecars: dict[Path, Sidecar] = field(default_factory=dict)


class Merging:
    """Entries by their files, in the order in which each came up first."""

    def __init__(self, problems: list[Problem]) -> None:
        """Say where to tell of files that came up twice."""
        self._problems = problems
        self._made: dict[Path, _Made] = {}
        self._held: set[Path] = set()

    def add(self, entry: Entry) -> None:
        """Take an entry; of a file that came up already, its checks and sidecars go to the first."""
        made = self._made.get(entry.path)
        if made is None:
            made = self._made[entry.path] = _Made(entry)
        else:
            detail = "two records name it; their checks and files are put together"
            if made.first.source != entry.source:
                detail += f", what the other says of its source is not taken: {entry.source.url or '-'}"
            self._problems.append(Problem(entry.name, "named_twice", shown(detail)))
        for check in entry.checks:
            made.checks.setdefault(json.dumps([check.kind, check.verdict, check.record], sort_keys=True), check)
        for one in entry.sidecars:
            if one.path != entry.path:
                made.sidecars.setdefault(one.path, one)
        self._held |= {entry.path, *(one.path for one in entry.sidecars)}

    def held(self) -> set[Path]:
        """Every file of an entry, sidecars among them."""
        return self._held

    def entries(self, bounded: Callable[[list[Check]], tuple[Check, ...]]) -> Iterator[Entry]:
        """The entries; `bounded` says how many of their checks are recorded."""
        for made in self._made.values():
            first, checks = made.first, bounded(list(made.checks.values()))
            yield Entry(first.path, first.name, first.source, checks, tuple(made.sidecars.values()))
