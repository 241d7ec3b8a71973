"""The archive's public keys over time."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.api.base import SHA256, TIME, Shown


class KeyShown(Shown):
    """One key, as the archive's log tells of it."""

    use: Literal["ca", "seal", "log", "pq"] = Field(
        description="ca certifies seal keys, seal signs receipts and bundles, log (Ed25519) and pq (ML-DSA-44) sign "
        "checkpoints of the log.",
        examples=["seal"],
    )
    name: str = Field(
        description="SHA-256 of the certificate (ca, seal) or the hex ID of the verifier key (log, pq).",
        examples=[SHA256],
    )
    material: str = Field(
        description="The certificate as PEM, or the verifier key (C2SP signed-note).",
        examples=["-----BEGIN CERTIFICATE-----\nMIIB...\n-----END CERTIFICATE-----\n"],
    )
    current: bool = Field(description="Whether it signs now.", examples=[True])
    introduced_at: str = Field(description="By the archive's own clock.", examples=[TIME])
    retired_at: str | None = Field(description="A signature that claims a later time is not to be believed.")
    compromised_since: str | None = Field(
        description="Somebody else may have the key since then: only what is proven to be older counts."
    )


class Keys(Shown):
    """All keys, newest first of each use."""

    archive: dict[str, str]
    keys: list[KeyShown]
