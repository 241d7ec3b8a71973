"""What `make test` runs: judges, lint, every test, the coverage gate, one summary.

All steps run even when an earlier one failed, so that one run shows everything that is wrong. The last
line is `tests: N passed, N failed, N skipped`; errors of set-up and tear-down count as failed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scripts import judges

ROOT: Final = Path(__file__).resolve().parent.parent
TYPED: Final = ("app", "evidence_store", "schemas", "migrations", "tests", "scripts")
CORE: Final = "evidence_store"
CORE_BRANCHES: Final = 95.0
TRACED: Final = ("unit", "property", "tamper", "foreign", "fuzz")
COUNTED: Final = ("passed", "failed", "skipped")


@dataclass
class Outcome:
    """What happened, for the summary.

    Attributes:
        lines: (mark, step, verdict in words), in order.
        well: whether no step failed.
        counts: tests by outcome, or None when pytest did not get to count them.
    """

    lines: list[tuple[str, str, str]] = field(default_factory=list)
    well: bool = True
    counts: dict[str, int] | None = None

    def note(self, step: str, verdict: str, *, good: bool = True, mark: str = "ok") -> None:
        """Add one line; a step that is not good fails the run."""
        self.lines.append((mark if good else "FAILED", step, verdict))
        self.well = self.well and good


def _tool(name: str) -> str:
    """A program of the environment that runs this."""
    return str(Path(sys.executable).parent / name)


def lint(outcome: Outcome) -> None:
    """Ruff and import-linter, as `make lint`."""
    steps = {
        "ruff check": [_tool("ruff"), "check", "."],
        "ruff format": [_tool("ruff"), "format", "--check", "."],
        "lint-imports": [_tool("lint-imports")],
    }
    for step, command in steps.items():
        print(f"lint: {step}", flush=True)
        good = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
        _note_lint(outcome, step, good=good)


@contextmanager
def types(outcome: Outcome) -> Iterator[None]:
    """Mypy, which keeps one core busy for minutes: beside what is done in the block; what it says is shown after it."""
    folders = [folder for folder in TYPED if (ROOT / folder).is_dir()]
    print("lint: mypy --strict is at work, its verdict comes after the tests", flush=True)
    with tempfile.TemporaryFile() as said:
        running = subprocess.Popen([_tool("mypy"), *folders], cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        try:
            yield
        except BaseException:
            running.kill()
            raise
        finally:
            good = running.wait() == 0
        said.seek(0)
        print("lint: mypy --strict", said.read().decode("utf-8", "replace"), sep="\n", flush=True)
        _note_lint(outcome, "mypy --strict", good=good)


def _note_lint(outcome: Outcome, step: str, *, good: bool) -> None:
    outcome.note(step, "clean" if good else "found faults, see above", good=good)


def pytest(outcome: Outcome, workers: int, arguments: list[str], *, trace_all: bool) -> None:
    """All tests on `workers` processes.

    Tracing costs half as much time again, so only the tests that the core's gate counts on are traced, unless all are
    wanted; coverage data is written to .coverage.
    """
    if arguments or trace_all:
        _pytest(outcome, "all tests", workers, ["--cov", "--cov-report=", *arguments])
        return
    traced = [f"tests/{name}" for name in TRACED if (ROOT / "tests" / name).is_dir()]
    others = sorted(
        f"tests/{path.name}"
        for path in (ROOT / "tests").iterdir()
        if path.is_dir() and path.name not in TRACED and any(path.glob("test_*.py"))
    )
    _pytest(outcome, "tests of the core", workers, [f"--cov={CORE}", "--cov-report=", *traced])
    _pytest(outcome, "tests of the service", workers, others)


def _pytest(outcome: Outcome, what: str, workers: int, arguments: list[str]) -> None:
    print(f"tests: {what} on {workers} processes", flush=True)
    command = [sys.executable, "-m", "pytest", "-p", "tests.summary_plugin", "--durations=25", *arguments]
    if workers > 1:
        # One module stays on one process: fixtures that are dear to make are made once. The longest begin first.
        command += ["-n", str(workers), "--dist", "loadscope", "--no-loadscope-reorder", "-p", "tests.longest_first"]
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder, "summary.json")
        code = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"CATENA_TEST_SUMMARY": str(summary)}, check=False
        ).returncode
        told = json.loads(summary.read_text(encoding="utf-8")) if summary.is_file() else None
    if told is None:
        outcome.note(what, f"ended with code {code} before they could be counted", good=False)
        return
    raw: dict[str, int] = told["counts"]
    counts = {
        "passed": raw["passed"] + raw["xfailed"],
        "failed": raw["failed"] + raw["error"] + raw["xpassed"],
        "skipped": raw["skipped"],
    }
    before = outcome.counts or dict.fromkeys(COUNTED, 0)
    outcome.counts = {name: before[name] + counts[name] for name in COUNTED}
    words = ", ".join(f"{counts[name]} {name}" for name in COUNTED)
    outcome.note(what, words if code == 0 else f"{words} (exit code {code})", good=code == 0)
    for name, tests in told["missing_judges"].items():
        outcome.note("missing judge", f"{name}, asked for by {tests} test(s)", mark="--")


def coverage(outcome: Outcome, *, html: bool) -> None:
    """The gate: branches of the integrity core; and what the rest reaches, for information."""
    with tempfile.TemporaryDirectory() as folder:
        scopes = ((CORE, f"{CORE}/*"), ("all code", "*")) if html else ((CORE, f"{CORE}/*"),)
        for scope, include in scopes:
            target = Path(folder, "coverage.json")
            command = [sys.executable, "-m", "coverage", "json", "-q", f"--include={include}", "-o", str(target)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = (done.stdout + done.stderr).strip() or "no reason given"
                outcome.note("coverage", f"of {scope} could not be read: {reason}", good=False)
                return
            totals = json.loads(target.read_text(encoding="utf-8"))["totals"]
            branches = 100.0 * totals["covered_branches"] / max(1, totals["num_branches"])
            words = f"{scope}: {branches:.1f} % of branches, {totals['percent_statements_covered']:.1f} % of lines"
            gate = scope == CORE
            outcome.note(
                "coverage",
                f"{words}, at least {CORE_BRANCHES:.0f} % of branches wanted" if gate else words,
                good=not gate or branches >= CORE_BRANCHES,
            )
    subprocess.run([sys.executable, "-m", "coverage", "report", f"--include={CORE}/*"], cwd=ROOT, check=False)
    if html:
        subprocess.run([sys.executable, "-m", "coverage", "html", "-q"], cwd=ROOT, check=False)
        print("coverage: htmlcov/index.html", flush=True)


def main() -> int:
    """Run everything; exit code 0 only when all of it is well."""
    parser = argparse.ArgumentParser(description="Run lint, tests and the coverage gate.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-lint", action="store_true")
    parser.add_argument("--html", action="store_true", help="write htmlcov/ too")
    options, arguments = parser.parse_known_args()
    start, outcome = time.monotonic(), Outcome()
    # Thousands of tests start a command of their own: each would compile all of the archive's modules anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    judges.report(may_install=True)
    if not options.no_lint:
        lint(outcome)
    with nullcontext() if options.no_lint else types(outcome):
        pytest(outcome, options.workers, arguments, trace_all=options.html)
        if outcome.counts is not None and not arguments:
            coverage(outcome, html=options.html)
    print(f"\n=== summary, after {time.monotonic() - start:.0f} s")
    for mark, step, verdict in outcome.lines:
        print(f"{mark:>8}  {step}: {verdict}")
    if outcome.counts is not None:
        print("tests: " + ", ".join(f"{outcome.counts[name]} {name}" for name in COUNTED))
    return 0 if outcome.well else 1


if __name__ == "__main__":
    raise SystemExit(main())
