"""Reports as text that is the same in every run: what differs by chance stands as a placeholder.

Identifiers, digests, times, keys and numbers of bytes are replaced; findings are sorted and, when they are many, those
that became alike are counted. `python -m tests.tamper.table` writes all snapshots anew; read the difference before you
commit it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "snapshots"

_PLACES: tuple[tuple[str, str], ...] = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
    (r"\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{40,}", "+<key>"),
    (r"\+[0-9a-f]{8}\b", "+<key id>"),
    (r"\b[0-9a-f]{128}\b", "<sha512>"),
    (r"\b[0-9a-f]{2}/[0-9a-f]{2}/(?=[0-9a-f]{64}\b)", "<folders>/"),
    (r"\b[0-9a-f]{64}\b", "<sha256>"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00| UTC)?", "<time>"),
    (r"(?<=until )\d{4}-\d\d-\d\d", "<date>"),
    (r"CN=Catena ([A-Za-z -]+?) [0-9a-f]{8}\b", r"CN=Catena \1 <id>"),
    (r"(CN=[A-Za-z ]+?) [0-9a-f]{8}\b", r"\1 <id>"),
    (r"\b[0-9a-f]{8} instead of [0-9a-f]{8}\b", "<crc32> instead of <crc32>"),
    (r"\b\d+(?= bytes?\b)", "<n>"),
    (r"\b\d+(?= byte\(s\))", "<n>"),
    (r"\b\d+(?=, but ends at)|(?<=but ends at )\d+", "<n>"),
    (r"/[\w./-]*/(?=(?:archive|bundle|data|copy)\b)", "<folder>/"),
    (r"\bport=?\s*\d+", "port <n>"),
)


def stable(text: str) -> str:
    """A text without what differs from run to run."""
    for pattern, place in _PLACES:
        text = re.sub(pattern, place, text)
    return text.encode("unicode_escape").decode("ascii")


def snapshot(report: Mapping[str, Any]) -> str:
    """A whole report, as `as_json` gives it."""
    findings = Counter(
        stable(f"{finding['severity']:8}{finding['code']}: {finding['subject']}: {finding['detail']}")
        for finding in report["findings"]
    )
    lines = ["verified" if report["ok"] else "NOT verified", "", "findings"]
    lines += [f"  {line}" + (f"  ({number} times)" if number > 1 else "") for line, number in sorted(findings.items())]
    lines += ["", "checked"]
    lines += [f"  {name}: {number}" for name, number in report["checked"].items() if "bytes" not in name]
    lines += ["", "claims"]
    lines += [f"  {claim.get('code', '-')}: {stable(claim['text'])}" for claim in report["claims"]]
    return "\n".join(lines) + "\n"


def path_of(code: str) -> Path:
    """Where the snapshot of a finding code lies."""
    return FOLDER / f"{code}.txt"
