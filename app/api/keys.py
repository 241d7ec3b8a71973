"""The archive's public keys, for everybody. Keys are changed at the machine, never over the network (docs/keys.md)."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.api.deps import Serv
from app.keyring.rules import described
from schemas.api.keys import Keys, KeyShown

router = APIRouter(tags=["keys"])


@router.get("/keys")
def list_keys(services: Serv, response: Response) -> Keys:
    """Every key that the archive ever had, newest first of each use, and what became of it. No token needed."""
    response.headers["Cache-Control"] = "no-cache"
    keys = [
        KeyShown(**{name: one[name] for name in KeyShown.model_fields}) for one in described(services.keyring.history())
    ]
    return Keys(archive=services.archive.identity.as_json(), keys=keys)
