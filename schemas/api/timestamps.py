"""Time stamps (RFC 3161) and the authorities that are asked for them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.api.base import SHA256, TIME, Shown

StampStateName = Literal["pending", "done", "failed"]


class Stamp(Shown):
    """How far one authority's time stamp over something has come."""

    tsa: str = Field(description="Name of the authority, as this archive calls it.", examples=["example"])
    state: StampStateName = Field(description="`done` only when a token is here that was verified.")
    gen_time: str | None = Field(
        default=None, description="The authority's time; null until it is done.", examples=[TIME]
    )


class StampShown(Stamp):
    """The same with what is known of the asking."""

    requested_at: str = Field(examples=[TIME])
    done_at: str | None = Field(default=None, examples=[TIME])
    attempts: int = Field(description="How often the authority was asked.", examples=[1])
    next_attempt_at: str | None = Field(default=None, description="When it will be asked again.", examples=[None])
    trouble: str | None = Field(
        default=None, description="Code of why the last attempt failed.", examples=["tsa_unreachable"]
    )


class StampList(Shown):
    """Every time stamp that was asked for over one thing."""

    subject: str = Field(examples=["checkpoint:57"])
    timestamps: list[StampShown]


class AuthorityShown(Shown):
    """A time-stamping authority that this archive asks."""

    name: str = Field(examples=["example"])
    url: str = Field(description="Without credentials.", examples=["https://tsa.example.org/tsr"])
    added_at: str = Field(examples=[TIME])
    roots: list[str] = Field(
        description="SHA-256 of each root certificate its tokens are trusted under.", examples=[[SHA256]]
    )
    pending: int = Field(description="Time stamps asked for and not there yet.", examples=[0])
    done: int = Field(examples=[57])
    failed: int = Field(description="Given up: see `catena tsa status`.", examples=[0])


class AuthorityUnusable(Shown):
    """A time-stamping authority that should be asked and cannot be: its files are spoilt, or not as the log says."""

    name: str = Field(examples=["example"])
    trouble: str = Field(description="A code: see `catena audit`.", examples=["timestamp_authority_altered"])


class AuthorityList(Shown):
    """The authorities, by name."""

    authorities: list[AuthorityShown]
    unusable: list[AuthorityUnusable]
