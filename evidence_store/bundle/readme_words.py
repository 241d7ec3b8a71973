"""What README.txt says, in one language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Texts with places for values and for the commands of `readme_commands`.

    Attributes:
        text: the whole.
        part: of a bundle that is a part of a set.
        stamped: of a checkpoint with time stamps.
        not_stamped: of one without.
        no_authority: why: none was asked.
        none_came: why: none came in time.
        seals: of the time stamps in seals.
        witnessed: of a checkpoint with co-signatures.
        not_witnessed: of one without.
        tool: of the verifier in the bundle.
    """

    text: str
    part: str
    stamped: str
    not_stamped: str
    no_authority: str
    none_came: str
    seals: str
    witnessed: str
    not_witnessed: str
    tool: str
