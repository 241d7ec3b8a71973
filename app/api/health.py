"""Health, readiness and metrics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import JsonValue

from app.analysis.errors import SandboxFailure, SandboxUnfitError
from app.analysis.sandbox import sandbox_level, shortcomings
from app.api.deps import Serv, Who
from app.api.described import METRICS_EXAMPLE, sent_as
from app.api.metrics import CONTENT_TYPE, Labels
from app.api.services import Services
from app.custody.log_store import tree_size
from app.errors import CatenaError
from app.version import version
from evidence_store.errors import EvidenceStoreError
from schemas.api.health import Health, Readiness

router = APIRouter(tags=["health"])
log = logging.getLogger("catena.http")


class _Confinement:
    """How the analysers are confined here; trying it takes seconds, so it is done once and beside the requests."""

    def __init__(self) -> None:
        self.known: dict[str, JsonValue] = {"tried": False}
        self.missing: list[str] = []

    def measure(self) -> None:
        try:
            level = sandbox_level()
            self.missing = shortcomings()
        except (SandboxFailure, SandboxUnfitError) as failure:
            self.known = {"failed": failure.code}
            log.warning("no file can be analysed: %s", failure)
        else:
            shown = level.items()
            if self.missing:
                log.warning("no file is analysed: CATENA_SANDBOX requires %s, not had here", ", ".join(self.missing))
            self.known = {name: value if isinstance(value, bool | int | str) else str(value) for name, value in shown}


_confinement = _Confinement()


def measure_confinement() -> None:
    """Find out how the analysers are confined, in a thread of its own, for `healthz` to tell."""
    if _confinement.known.keys() & {"tried", "failed"}:
        _confinement.known = {"tried": False}
        threading.Thread(target=_confinement.measure, name="catena-confinement", daemon=True).start()


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def healthz() -> Health:
    """The process is alive. No token needed; waits for nothing, whatever else is going on."""
    return Health(version=version(), sandbox=_confinement.known)


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
def readyz(services: Serv, response: Response) -> Readiness:
    """Whether requests can be served: 200 or 503. No token needed; details are in the server's log."""
    if "failed" in _confinement.known:
        measure_confinement()  # no process could be started then; perhaps one can be now
    checks: dict[str, Literal["ok", "failed"]] = {
        "database": _outcome("database", lambda: _log_size(services)),
        "blob_store": _outcome("blob_store", lambda: _stage(services)),
        "disk": _outcome("disk", services.intake.check_room),
        "keys": _outcome("keys", lambda: (services.archive.seal_key(), services.archive.log_key())),
        "sandbox": "failed" if _confinement.missing else "ok",
    }
    ok = all(outcome == "ok" for outcome in checks.values())
    response.status_code = 200 if ok else 503
    return Readiness(ok=ok, checks=checks)


def _outcome(name: str, check: Callable[[], object]) -> Literal["ok", "failed"]:
    try:
        check()
    except (CatenaError, EvidenceStoreError, OSError) as error:
        log.warning("not ready: %s: %s", name, error)
        return "failed"
    return "ok"


def _stage(services: Services) -> None:
    with services.intake.stage():
        pass


def _log_size(services: Services) -> int:
    with services.archive.db.read() as session:
        return tree_size(session)


@router.get("/metrics", response_class=Response, responses=sent_as("text/plain", "As of now.", METRICS_EXAMPLE))
def metrics(request: Request, who: Who, services: Serv) -> Response:
    """Prometheus text; for auditors and admins."""
    services.access.require(who, "audit.run")
    jobs: dict[Labels, float] = {(("state", state),): count for state, count in services.jobs.counts().items()}
    size: dict[Labels, float] = {(): _log_size(services)}
    stamps: dict[Labels, float] = {
        (("state", state), ("tsa", tsa)): count for (tsa, state), count in services.timestamps.counts().items()
    }
    left_out: dict[Labels, float] = {(): request.app.state.denials.left_out}
    untold: dict[Labels, float] = {(): services.access.denials.left_out}
    gauges: dict[str, tuple[str, dict[Labels, float]]] = {
        "catena_jobs": ("Jobs by state.", jobs),
        "catena_log_entries": ("Entries of the custody log.", size),
        "catena_timestamps": ("Time stamps by authority and state.", stamps),
        "catena_disk_bytes": (
            "The disk: free, kept as a reserve, promised to bodies under way.",
            {
                (("what", "free"),): services.intake.room.free,
                (("what", "reserve"),): services.intake.room.reserve,
                (("what", "promised"),): services.intake.room.promised,
            },
        ),
        "catena_bodies": ("Files that are being received.", {(): request.app.state.bodies.under_way}),
        "catena_denials_left_out": ("Refused tokens not recorded one by one since the last that was.", left_out),
        "catena_user_denials_left_out": ("Denied attempts of users that no event has told of yet.", untold),
    }
    counters: dict[str, tuple[str, dict[Labels, float]]] = {
        "catena_bodies_refused_total": (
            "Files that found no place, since the start.",
            {(): request.app.state.bodies.refused},
        ),
        "catena_failures_turned_away_total": (
            "Requests of addresses with too many refused tokens, since the start.",
            {(): request.app.state.failures.turned_away},
        ),
    }
    return Response(request.app.state.metrics.text(gauges, counters), media_type=CONTENT_TYPE)
