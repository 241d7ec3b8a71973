"""`python -m tests.tamper.table [CODE ...]`: write the snapshots of the tamper table anew."""

from __future__ import annotations

import sys

from tests.tamper.table import table
from tests.tamper.table.snapshots import FOLDER, path_of, snapshot


def main(wanted: list[str]) -> int:
    """Write the snapshots of some codes, or of all."""
    FOLDER.mkdir(exist_ok=True)
    for code in wanted or sorted(table.FIXTURES):
        text = snapshot(table.report(code))
        state = "unchanged" if path_of(code).is_file() and path_of(code).read_text("utf-8") == text else "WRITTEN"
        path_of(code).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{state:10}{code}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
