"""How content credentials are looked for; apart from the readers, as who asks for it only hands it on to a child."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.analysis.probes.c2pa import NOBODY, TrustTexts


@dataclass(frozen=True)
class Asked:
    """How to look.

    Attributes:
        trust: whom to trust.
        announce: have the sandbox's parent told when the library is about to be used.
        before: called then: what dies after that died of the manifest.
        lost: code of how an earlier attempt ended inside the library; it is then not tried again.
    """

    trust: TrustTexts = NOBODY
    announce: bool = False
    before: Callable[[], None] | None = None
    lost: str | None = None
