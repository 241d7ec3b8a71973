"""Health of the service."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from schemas.api.base import Shown


class Health(Shown):
    """The process is alive."""

    ok: bool = True
    version: str = Field(examples=["0.1.0"])
    sandbox: dict[str, JsonValue] = Field(
        description="How the analysers are confined on this machine.",
        examples=[{"rlimits": True, "landlock": 4, "seccomp": True, "network": "denied"}],
    )


class Readiness(Shown):
    """Whether requests can be served; details are in the server's log only."""

    ok: bool
    checks: dict[str, Literal["ok", "failed"]] = Field(
        examples=[{"database": "ok", "blob_store": "ok", "disk": "ok", "keys": "ok", "sandbox": "ok"}],
    )
