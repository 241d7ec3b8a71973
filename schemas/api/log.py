"""Proofs of the custody log (RFC 6962)."""

from __future__ import annotations

from pydantic import Field

from schemas.api.base import SHA256, TIME, Shown


class InclusionProof(Shown):
    """That an entry is in the tree of a size (RFC 6962, section 2.1.1)."""

    index: int = Field(examples=[41])
    size: int = Field(examples=[57])
    leaf_hash: str = Field(description="SHA-256(0x00 || entry), hex.", examples=[SHA256])
    root: str = Field(description="Root of the tree of this size, hex.", examples=[SHA256])
    hashes: list[str] = Field(description="From the leaf's sibling upwards, hex.", examples=[[SHA256]])


class ConsistencyProof(Shown):
    """That an older tree is a prefix of a newer one (RFC 6962, section 2.1.2)."""

    old: int = Field(examples=[41])
    new: int = Field(examples=[57])
    old_root: str = Field(examples=[SHA256])
    new_root: str = Field(examples=[SHA256])
    hashes: list[str] = Field(examples=[[SHA256]])


class WitnessShown(Shown):
    """A witness of the log (C2SP tlog-witness)."""

    name: str = Field(description="In the archive's policy.", examples=["ngo-b"])
    vkey: str = Field(description="Its verifier key.", examples=["ngo-b.example/witness+7997405c+BA..."])
    size: int = Field(description="The newest size that it has co-signed; 0 for none.", examples=[57])
    last_ok_at: str | None = Field(description="When that was received.", examples=[TIME])
    contradicts: bool = Field(description="It has seen another history of this log.", examples=[False])


class Witnesses(Shown):
    """The witnesses of the log, and whether enough of them have co-signed."""

    quorum: str | None = Field(description="Name in the archive's policy; null without one.", examples=["two-of-three"])
    size: int | None = Field(description="Size of the newest checkpoint.", examples=[60])
    met: bool | None = Field(description="Whether the newest checkpoint meets the quorum.", examples=[False])
    met_size: int | None = Field(description="Size of the newest checkpoint that does.", examples=[57])
    contradicted: bool = Field(description="Whether a witness contradicts.", examples=[False])
    witnesses: list[WitnessShown]
