"""Getting the time stamps of a chain: every configured authority stamps in turn, each over the tokens before it.

So one evidence record holds the word of each authority, and when the key of one becomes known later, the others still
say when its token was there. The authority whose certificates expire first comes first: the last one decides how long
the chain holds (RFC 4998, section 5.2).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from app.errors import CatenaError, EnvironmentFailedError
from app.timestamps.authorities import Authority
from app.timestamps.client import ask, new_client
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.ers import ALGORITHM, holds_until, renewal_imprint
from evidence_store.timestamps.token import TimestampToken

if TYPE_CHECKING:  # an HTTP client is loaded when somebody is asked
    from app.outgoing import Outgoing

log = logging.getLogger("catena.renewal")

STEP_SECONDS: Final = 15.0
_MAX_WAIT: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Given:
    """A verified token and who gave it."""

    authority: str
    token: TimestampToken

    @property
    def holds_until(self) -> datetime:
        """When the first of the certificates expires that vouch for it."""
        return holds_until([self.token])


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of asking.

    Attributes:
        given: the tokens in the order of the chain; one or more.
        silent: why an authority is not among them, by its name.
    """

    given: list[Given]
    silent: dict[str, str]


def stamp_in_turn(
    authorities: Sequence[Authority], imprint: bytes, tokens: Sequence[bytes] = (), last: datetime | None = None
) -> Answers:
    """Ask every authority.

    Args:
        authorities: whom to ask, one or more.
        imprint: SHA-512 that the first new time stamp is over.
        tokens: of the chain so far.
        last: time of its last token; a new one may not be older.

    Raises:
        EnvironmentFailedError: `tsa_unreachable` when none has given a token.
    """
    asking = _Asking(authorities)
    given: list[Given] = []
    with new_client(STEP_SECONDS) as client:
        # Over the same imprint from each, to learn whose certificates last how long; then in that order.
        first = [each for authority in authorities if (each := asking.ask(client, authority.name, imprint, last))]
        for each in sorted(first, key=lambda each: (each.holds_until, each.authority)):
            if given:
                so_far = [*tokens, *(one.token.der for one in given)]
                next_imprint = renewal_imprint(ALGORITHM, so_far)
                again = asking.ask(client, each.authority, next_imprint, given[-1].token.gen_time)
                given += [again] if again is not None else []
            else:
                given.append(each)
    if not given:
        why = "; ".join(f"{name}: {reason}" for name, reason in asking.silent.items())
        raise EnvironmentFailedError("tsa_unreachable", f"no time-stamping authority gave a token: {why}")
    return Answers(given, asking.silent)


class _Asking:
    def __init__(self, authorities: Sequence[Authority]) -> None:
        self._authorities = {authority.name: authority for authority in authorities}
        self.silent: dict[str, str] = {}

    def ask(self, client: Outgoing, name: str, imprint: bytes, not_before: datetime | None) -> Given | None:
        """One token; None, and the reason kept, when there is none that can be used."""
        try:
            token = ask(client, self._authorities[name], imprint, STEP_SECONDS, ALGORITHM).token
            behind = not_before - token.gen_time if not_before is not None else timedelta(0)
            if timedelta(0) < behind <= _MAX_WAIT:  # clocks differ, and some tell whole seconds only
                time.sleep(behind.total_seconds() + 1)
                token = ask(client, self._authorities[name], imprint, STEP_SECONDS, ALGORITHM).token
        except (CatenaError, EvidenceStoreError) as error:
            self._refuse(name, str(error))
            return None
        if not_before is not None and token.gen_time < not_before:
            self._refuse(name, f"its clock is behind: {token.gen_time.isoformat()}")
            return None
        return Given(name, token)

    def _refuse(self, name: str, why: str) -> None:
        log.warning("%s does not stamp the renewal: %s", name, why)
        self.silent[name] = why
