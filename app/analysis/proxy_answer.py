"""What a confined encoder may take, and what is believed of what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from app.analysis.errors import SandboxFailure
from app.analysis.limits import MEBIBYTE, Limits
from app.analysis.proxy_facts import MAX_SECONDS, Budget
from app.analysis.proxy_mp4 import MAX_INDEX_BYTES

MAX_BYTES = 3 * 1024 * MEBIBYTE  # of media: its index can then have offsets of 32 bits
_FEW_BYTES = 64 * MEBIBYTE
_GROWTH = 16
_THINNEST = 4096  # bytes a second; what claims to be longer than this allows gets no more time for it
_USUAL = 250_000  # bytes a second, 2 Mbit/s
_MAX_CPU_S = 86_400.0

Small = Annotated[StrictInt, Field(ge=0, le=1_000_000_000_000_000)]


class Answer(BaseModel):
    """What the confined encoder says; it may be in an attacker's hands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: Annotated[StrictInt, Field(ge=2, le=1280)]
    height: Annotated[StrictInt, Field(ge=2, le=1280)]
    covered_ms: Small
    claimed_ms: Small | None
    origin_ms: Annotated[StrictInt, Field(ge=-(10**15), le=10**15)]
    frames: Small
    frames_left_out: Small
    packets_damaged: Small
    further_pictures: Small
    further_sound: Small
    sound: bool
    tone_mapped: bool
    missing: Annotated[list[Annotated[StrictStr, Field(pattern=r"^[a-z_]{1,40}$")]], Field(max_length=20)]
    tool: Annotated[StrictStr, Field(max_length=300)]
    parameters: dict[
        Annotated[StrictStr, Field(max_length=40)], Annotated[StrictStr, Field(max_length=200)] | StrictInt
    ]


def believed(result: object) -> tuple[Answer, bytes]:
    """The facts and the front of a proxy, as `proxy_task` gives them.

    Raises:
        SandboxFailure: `parser_error` for anything that has another form.
    """
    if not isinstance(result, tuple):
        raise SandboxFailure("parser_error", "the answer has no facts")
    told, front = result
    try:
        return Answer.model_validate(told), front
    except ValidationError as error:
        raise SandboxFailure("parser_error", "the answer has facts that cannot be") from error


def room_for(size: int, claimed_s: float | None) -> tuple[Budget, Limits]:
    """What a proxy may take: it ends by itself before the sandbox ends it.

    Args:
        size: of the original, bytes.
        claimed_s: how long its container says that it is.
    """
    likely = MAX_SECONDS if claimed_s is None else max(2 * claimed_s, size / _USUAL)  # a header may say too little
    seconds = min(likely, size / _THINNEST, MAX_SECONDS)
    budget = Budget(
        cpu_s=min(12 + 12 * seconds, _MAX_CPU_S),
        wall_s=min(20 + 18 * seconds, 2 * _MAX_CPU_S),
        media_bytes=min(MAX_BYTES, max(_FEW_BYTES, _GROWTH * size)),
    )
    limits = Limits(
        cpu_s=round(budget.cpu_s * 1.1) + 4,
        wall_s=budget.wall_s * 1.1 + 4,
        output_bytes=MAX_INDEX_BYTES + MEBIBYTE,
    )
    return budget, limits


def progress_in(header: Mapping[str, object]) -> tuple[int, int | None] | None:
    """How far the sandbox says that it is: seconds done, and of how many where that can be; None for other parts."""
    done, total = header.get("done"), header.get("total")
    if header.get("part") != "progress" or not isinstance(done, int) or not isinstance(total, int):
        return None
    if not 0 <= done <= MAX_SECONDS:
        return None
    return done, total if done <= total <= MAX_SECONDS else None
