"""Read one file as the archive reads it, without an archive."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from app.analysis.errors import SandboxFailure
from app.analysis.limits import Limits, for_reading
from app.analysis.sandbox import run_sandboxed


def metadata_of(
    path: Path, original_name: str, limits: Limits | None = None
) -> tuple[bytes | None, SandboxFailure | None]:
    """The metadata record of a file, read in a confined process.

    Returns:
        The record's bytes; or None, and why there is none.

    Raises:
        SandboxUnfitError: the file was not looked at.
    """
    limits = limits or for_reading(path.stat().st_size)
    try:
        task = run_sandboxed("app.analysis.tasks:metadata_task", (path, original_name), limits)
    except SandboxFailure as failure:
        return None, failure
    return cast("bytes", task), None
