"""OpenTimestamps proofs (.ots): which file they are of. What attests to them is in Bitcoin's chain, and not judged."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from app.errors import InvalidInputError
from app.intake.collections.entries import Check
from app.intake.collections.files import read_bounded

MAGIC: Final = bytes.fromhex("004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e89294")
"""How a detached timestamp file begins (python-opentimestamps, core/timestamp.py)."""

MAX_OTS: Final = 1 << 20
_VERSION, _SHA256 = b"\x01", b"\x08"


def checked_ots(sha256: str, ots: Path) -> Check:
    """Compare the digest that a proof is of with a medium's; passes never, for its attestations are not verified."""
    record = {"sha256": sha256, "proof_file": ots.name}
    try:
        data = read_bounded(ots, MAX_OTS)
    except InvalidInputError as error:
        return Check("opentimestamps", "not_checked", {**record, "reason": error.detail})
    head = MAGIC + _VERSION + _SHA256
    if not data.startswith(head) or len(data) < len(head) + 32:
        reason = "it is no OpenTimestamps proof of a SHA-256"
        return Check("opentimestamps", "not_checked", {**record, "reason": reason})
    stated = data[len(head) : len(head) + 32].hex()
    record["stated"] = stated
    if stated != sha256:
        return Check("opentimestamps", "failed", {**record, "reason": "the proof is of another file"})
    reason = "the proof is of this file; whether Bitcoin's chain attests to it was not asked"
    return Check("opentimestamps", "not_checked", {**record, "reason": reason})
