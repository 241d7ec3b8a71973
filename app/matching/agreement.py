"""How well two pictures agree, laid upon each other: the numbers that verdicts rest on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """How well two pictures agree where they overlap.

    Attributes:
        ncc: mean correlation over textured blocks, -1 to 1; 0 when there are too few of them.
        blocks: textured blocks compared.
        share: share of these blocks that agree (correlation of .5 and more), 0 to 1.
        middle_ncc: like `ncc`, over the blocks in the middle of the overlap; 0 when there are none.
        middle_share: like `share`, likewise.
        overlap_query: share of the query picture inside the overlap, 0 to 1.
        overlap_candidate: likewise of the candidate.
    """

    ncc: float
    blocks: int
    share: float
    middle_ncc: float
    middle_share: float
    overlap_query: float
    overlap_candidate: float
