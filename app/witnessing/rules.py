"""When a witness is asked again, and what its answers mean: pure rules.

One question is an exchange of at most two requests (C2SP tlog-witness): the first with the size that the witness is
believed to have co-signed last, the second with the size that its conflict names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.errors import CatenaError, EnvironmentFailedError
from evidence_store.log.cosignature import CosignerKey
from evidence_store.log.policy import Witness
from evidence_store.witness.request import format_request

FIRST_DELAY_SECONDS: Final = 5.0
MAX_DELAY_SECONDS: Final = 1800.0
QUORUM_SECONDS: Final = 3600.0
"""A checkpoint that is older, and that too few witnesses have co-signed, is worth a warning."""

_OK, _CONFLICT, _UNPROCESSABLE = 200, 409, 422
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n", re.ASCII)
_MAX_TEXT = 140
_HINTS: Final = {
    403: ": it needs the present keys of this log ('catena witness add-log' there, docs/keys.md)",
    404: ": it was not told of this log ('catena witness add-log' there, docs/witnesses.md)",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answered.

    Attributes:
        status: of HTTP.
        body: whole.
    """

    status: int
    body: bytes


class ContradictionError(CatenaError):
    """A witness has co-signed what this log does not continue: the log was forked or rolled back, or the witness errs.

    Attributes:
        known_size: what the witness said it has co-signed; None when it did not say.
    """

    def __init__(self, detail: str, known_size: int | None) -> None:
        super().__init__("witness_contradicts", detail, status=500)
        self.known_size = known_size


class AheadError(CatenaError):
    """The witness has co-signed more events than this checkpoint has; whether the log has them is to be looked up.

    Attributes:
        known_size: how many.
    """

    def __init__(self, known_size: int) -> None:
        super().__init__("witness_ahead", f"the witness has co-signed a checkpoint of {known_size} events already")
        self.known_size = known_size


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The witness co-signed.

    Attributes:
        body: signature lines; nothing in them is verified yet.
        old: the size that the witness had co-signed before.
    """

    body: bytes
    old: int


def delay_after(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling, up to half an hour."""
    return min(FIRST_DELAY_SECONDS * 2.0 ** min(failures - 1, 20), MAX_DELAY_SECONDS)


def key_name(key: CosignerKey) -> str:
    """A witness's key as the database names it: name+hexkeyid."""
    return f"{key.name}+{key.key_id:08x}"


def by_address(witnesses: Sequence[Witness]) -> dict[str, list[Witness]]:
    """Witnesses that can be asked, by address: one server may sign with several keys."""
    found: dict[str, list[Witness]] = {}
    for witness in witnesses:
        if witness.url is not None:
            found.setdefault(witness.url, []).append(witness)
    return found


def ask_for(
    send: Callable[[bytes], Answer],
    prove: Callable[[int, int], list[bytes]],
    old: int,
    size: int,
    note: bytes,
) -> Cosigned:
    """Have one checkpoint co-signed.

    Args:
        send: posts an add-checkpoint request.
        prove: the consistency proof between two sizes; asked with 0 < old < new only.
        old: size that the witness is believed to have co-signed last; at most `size`.
        size: of the checkpoint.
        note: the log's signed note.

    Raises:
        ContradictionError: the witness holds another root, or says that this is no continuation.
        AheadError: it has co-signed more.
        EnvironmentFailedError: `witness_refused`, `witness_answer_bad`; and what `send` raises.
    """
    tried = [old]
    while True:
        last = tried[-1]
        answer = send(format_request(last, prove(last, size) if 0 < last < size else [], note))
        if answer.status == _OK:
            return Cosigned(answer.body, last)
        if answer.status == _CONFLICT:
            tried.append(_next_size(answer, tried, size))
        elif answer.status == _UNPROCESSABLE:
            detail = f"the witness says that our {size} events do not continue the {last} that it has co-signed"
            raise ContradictionError(detail, last)
        else:
            said = _shown(answer.body)
            hint = _HINTS.get(answer.status, "")
            raise EnvironmentFailedError("witness_refused", f"the witness answered HTTP {answer.status}: {said}{hint}")


def _next_size(answer: Answer, tried: list[int], size: int) -> int:
    """The size to begin the next request with, after a conflict."""
    said = _SIZE.fullmatch(answer.body)
    known = int(said[1]) if said else None
    if tried[-1] == size and known in {None, size}:  # the sizes agree, so what differs is the root
        raise ContradictionError(f"the witness has co-signed another root of our {size} events", size)
    if known is None:
        raise EnvironmentFailedError("witness_answer_bad", "the witness names no size in its conflict")
    if known > size:
        raise AheadError(known)
    if known in tried or len(tried) > 1:
        raise EnvironmentFailedError("witness_answer_bad", f"the witness names size {known} in its conflict again")
    return known


def _shown(body: bytes) -> str:
    text = body[:_MAX_TEXT].decode("utf-8", "replace")
    return "".join(each if each.isprintable() else " " for each in text).strip()
