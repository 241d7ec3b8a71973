"""The verifier's report: counts, findings with stable codes, and what may be claimed."""

from __future__ import annotations

import json
import pkgutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

ERROR = "error"
MAX_PER_CODE = 200
"""Findings kept of each code: a bundle made to have a million must not exhaust the reader."""

_MAX_TEXT = 2_000


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """All finding codes: code to {"severity", "message", "meaning"} (findings.json)."""
    data = pkgutil.get_data("evidence_store.verify", "findings.json")  # which the single file has, too
    loaded: dict[str, dict[str, str]] = json.loads(data or b"{}")
    return loaded


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be (error, warning) or worth knowing (info).

    Attributes:
        code: stable, listed in findings.json.
        severity: "error", "warning" or "info".
        subject: the file, event, item or object that it is about.
        detail: one sentence on this case; the general message is in findings.json.
    """

    code: str
    severity: str
    subject: str
    detail: str


@dataclass
class Report:
    """Collects what the checks find; a check that cannot run is a finding too, never silence.

    Attributes:
        max_per_code: findings kept of each code, None for all; `close` says how many were left out.
    """

    findings: list[Finding] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    claims: list[dict[str, str]] = field(default_factory=list)
    failed_checks: set[str] = field(default_factory=set)
    max_per_code: int | None = None
    _check: str = ""
    _numbers: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """No finding of severity error."""
        return not any(finding.severity == ERROR for finding in self.findings)

    def finding(self, code: str, subject: str, detail: str) -> None:
        """Add a finding; its severity comes from findings.json. Of each code, the first ones are kept."""
        severity = catalogue()[code]["severity"]
        if severity == ERROR:
            self.failed_checks.add(self._check)
        kept = not self.full(code)
        self._numbers[code] += 1
        if kept:
            self.findings.append(Finding(code, severity, subject[:_MAX_TEXT], detail[:_MAX_TEXT]))

    def full(self, code: str) -> bool:
        """Whether a further finding of this code would only be counted."""
        return self.max_per_code is not None and self._numbers[code] >= self.max_per_code

    def close(self) -> None:
        """Say how many findings were left out; call it once, after the last check."""
        for code, number in sorted(self._numbers.items()):
            left_out = number - (self.max_per_code or number)
            if left_out > 0 and catalogue()[code]["severity"] == ERROR:
                self.finding("errors_capped", code, f"{left_out} more, of {number} in all.")
            elif left_out > 0:
                self.finding("notes_capped", code, f"{left_out} more, of {number} in all.")

    def count(self, name: str, number: int = 1) -> None:
        """Add to one of the counts of what was checked."""
        self.checked[name] = self.checked.get(name, 0) + number

    @contextmanager
    def checking(self, name: str) -> Iterator[None]:
        """Run one check: whatever escapes from it becomes a finding, and the next check still runs."""
        self._check = name
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a failed check must never read as a passed one
            self.finding("check_not_run", name, f"{type(error).__name__}: {error}")

    def as_json(self) -> dict[str, Any]:
        """What every report has: ok, checked, findings, claims."""
        return {
            "ok": self.ok,
            "checked": self.checked,
            "findings": [asdict(finding) for finding in self.findings],
            "claims": self.claims,
        }

    def as_text(self) -> str:
        """The report for a person. Names from the bundle are escaped: they may hold terminal commands."""
        lines: list[str] = []
        for finding in self.findings:
            lines.append(f"{finding.severity.upper():8}{finding.code}: {printable(finding.subject)}")
            lines.append(f"        {catalogue()[finding.code]['message']} {printable(finding.detail)}")
        counts = ", ".join(f"{number} {name}" for name, number in self.checked.items())
        lines.append(f"Checked: {counts or 'nothing'}.")
        lines.extend(f"- {printable(claim['text'])}" for claim in self.claims)
        lines.append("VERIFIED" if self.ok else "NOT VERIFIED: see the errors above")
        return "\n".join(lines)


def printable(text: str) -> str:
    """Text in which nothing commands a terminal or looks like a line of its own."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
