"""Coded failures of analysis: a file that cannot be read is a recorded fact, never a traceback."""

from __future__ import annotations

from app.errors import CatenaError, EnvironmentFailedError


class AnalysisError(CatenaError):
    """A parser refuses a file for a reason that can be named (422)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail, status=422)


class SandboxFailure(CatenaError):  # noqa: N818 (the name is part of the interface)
    """The confined process gave no answer.

    Codes: `parser_crashed` (died by a signal), `parser_memory`, `parser_timeout` (wall clock), `parser_cpu`,
    `parser_error` (raised; `reason` holds an AnalysisError's code when it was one), `output_too_large`.
    """

    def __init__(self, code: str, detail: str, *, reason: str | None = None) -> None:
        super().__init__(code, detail, status=422)
        self.reason = reason


class SandboxUnfitError(EnvironmentFailedError):
    """Nothing was parsed, because of the machine and not of the file (503): to be tried again later.

    Codes: `sandbox_unavailable` (no process could be started), `sandbox_insufficient` (its confinement is less than is
    demanded here).
    """
