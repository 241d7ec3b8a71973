"""Proofs of the custody log (RFC 6962)."""

from __future__ import annotations

from pydantic import Field

from schemas.api.base import SHA256, Shown


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
