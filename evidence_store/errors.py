"""The one error type of the integrity core.

Whatever is wrong with an input, a proof, a signature or a disk, the core raises
`EvidenceStoreError` (or a subclass) with a stable code. Callers at the edge turn it into a
problem document, an exit code or a finding; nothing else may escape a parser.
"""

from __future__ import annotations


class EvidenceStoreError(Exception):
    """A coded failure of the integrity core.

    Attributes:
        code: stable, lower snake case; part of the published interface.
        detail: one sentence for a person.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
