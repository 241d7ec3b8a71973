"""What an interrupted audit has to show for its time, and what a resumed one may take over from it.

Only the hashing of files is taken over; the log, the rows and the signatures are checked again, from the beginning, as
they are then: that takes minutes where the files may take days, and a report is of one state of the database.

1. Files are hashed in one order, so what was hashed is told by the last file (a *step*): all files up to it that the
   log held when the step's list of files was made.
2. A file is passed over only when a step covers it: it comes no later in the order, and the event that wrote its row
   stands below the size that the step's list was made at. A file that came in since is hashed, wherever it stands.
3. A step counts only while the log still has the very root that it had then; else nothing is taken over.
4. What cannot be read is as good as nothing. What can be read proves nothing: it lies beside the reports, out of reach
   of who writes to the database alone (app.audit.run_files), and not of who writes to the disk. A report that rests on
   it says so (`resumed`), and a fresh audit rests on none of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from evidence_store.verify.report import Finding, Report, catalogue

_MOST, _MOST_LEFT_OUT = 2**53, 10**7
Place = tuple[int, str]
"""Kind and key of a file: its place in the order of hashing."""


@dataclass
class Step:
    """What one run of the audit has hashed.

    Attributes:
        size: of the log when the list of files was made; `root` is its root then (hex).
        kind: of the last file that was hashed, in order; `key` its key.
        files: how many were hashed in this run.
        bytes: how many bytes.
        until: RFC 3339 UTC, when the last one was hashed.
    """

    size: int
    root: str
    kind: int = -1
    key: str = ""
    files: int = 0
    bytes: int = 0
    until: str = ""

    def covers(self, place: Place, leaf: int | None) -> bool:
        """Whether the file was in this run's list and is hashed (rule 2)."""
        return leaf is not None and leaf < self.size and place <= (self.kind, self.key)


@dataclass
class Kept:
    """The files' part of an audit that is under way.

    Attributes:
        steps: the earlier runs and, last, the one under way.
        findings: about the files that were hashed.
        left_out: how many findings of a code were counted only.
        counts: what was counted of the files that were hashed.
    """

    steps: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def covers(self, place: Place, leaf: int | None) -> bool:
        """Whether an earlier run, or this one, has hashed the file."""
        return any(step.covers(place, leaf) for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """For the file of the run."""
        return asdict(self)

    def take_over(self, root_at: Callable[[int], bytes | None], report: Report) -> bool:
        """Begin where the earlier runs ended, or from nothing when they do not fit the log (rule 3).

        Args:
            root_at: the root of the log as it is now, at a size.
            report: receives the findings about the files that need not be hashed again.

        Returns:
            Whether anything was taken over.
        """
        done = [step for step in self.steps if step.files]
        if not all((root := root_at(step.size)) is not None and root.hex() == step.root for step in done):
            done = []
        if not done:
            self.steps, self.findings, self.left_out, self.counts = [], [], {}, {}
            return False
        self.steps = done
        for finding in self.findings:
            report.finding(finding.code, finding.subject, finding.detail)
        for code, number in self.left_out.items():
            for _ in range(number):
                report.finding(code, "", "")  # of a full code only the number is kept
        for name, number in self.counts.items():
            report.count(name, number)
        return True


def parse_kept(record: object) -> Kept:
    """Read it from the file of a run; nothing is kept of what is malformed (rule 4)."""
    try:
        return _parsed(json.loads(json.dumps(record)))
    except (TypeError, ValueError, KeyError, RecursionError):
        return Kept()


def _parsed(record: Any) -> Kept:  # noqa: ANN401 - any JSON
    if not all(type(record[name]) is list for name in ("steps", "findings")):
        raise TypeError
    steps = [Step(**step) for step in record["steps"]]
    findings = [Finding(**finding) for finding in record["findings"]]
    left_out, counts = ({**record[name]} for name in ("left_out", "counts"))
    whole = [number for step in steps for number in (step.size, step.kind + 1, step.files, step.bytes)]
    texts = [text for step in steps for text in (step.root, step.key, step.until)]
    texts += [text for one in findings for text in (one.code, one.severity, one.subject, one.detail)]
    if (
        not all(
            type(number) is int and 0 <= number <= _MOST for number in (*whole, *left_out.values(), *counts.values())
        )
        or not all(type(text) is str for text in texts)
        or sum(left_out.values()) > _MOST_LEFT_OUT
        or not all(code in catalogue() for code in (*(finding.code for finding in findings), *left_out))
    ):
        raise ValueError
    return Kept(steps, findings, left_out, counts)
