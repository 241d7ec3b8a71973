"""The whole tamper table: finding code to the fixture that must raise it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evidence_store.verify.report import Report
from tests.tamper.table import archives, bundles, decisions, losses, releases, sets, vouched, withheld, zips

Fixture = Callable[[Path], Report | Mapping[str, Any]]
FIXTURES: dict[str, Fixture] = {
    **archives.FIXTURES,
    **losses.FIXTURES,
    **bundles.FIXTURES,
    **zips.FIXTURES,
    **vouched.FIXTURES,
    **sets.FIXTURES,
    **withheld.FIXTURES,
    **decisions.FIXTURES,
    **releases.FIXTURES,
}


def report(code: str) -> Mapping[str, Any]:
    """The report on the damage that a code stands for, as JSON."""
    with tempfile.TemporaryDirectory(prefix="catena-table-") as folder:
        made = FIXTURES[code](Path(folder))
    return made.as_json() if isinstance(made, Report) else made
