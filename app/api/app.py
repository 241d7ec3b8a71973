"""The HTTP application over one opened archive."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.concurrency import run_in_threadpool

from app.api import (
    aids,
    analyses,
    assessment_matrix,
    assessments,
    audits,
    bundles,
    cases,
    custody,
    deposits,
    disclosures,
    entries,
    exports,
    health,
    incidents,
    items,
    jobs,
    keys,
    law,
    law_care,
    log,
    matches,
    offers,
    pages,
    patterns,
    people,
    problems,
    redactions,
    relations,
    shapes,
    sources,
    timestamps,
    tracks,
    uploads,
    verifications,
)
from app.api.bodies import Bodies
from app.api.denials import TokenDenials
from app.api.deps import PROBLEMS
from app.api.envelope import Envelope
from app.api.failures import Failures
from app.api.gate import API, Gate
from app.api.memory import settle
from app.api.metrics import Metrics
from app.api.services import Services
from app.jobs.worker import Worker
from app.version import version

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
DESCRIPTION = (
    "Ingest, custody, analysis, matching, law, export and audit of one evidence archive. Errors are problem "
    "documents (RFC 9457) with a stable code; lists are read page by page with cursor and limit; the token goes "
    "into Authorization: Bearer."
)
_ROUTERS = (
    cases,
    deposits,
    uploads,
    offers,
    items,
    aids,
    analyses,
    relations,
    sources,
    jobs,
    custody,
    matches,
    shapes,  # before incidents: its addresses are no names of incidents
    incidents,
    entries,
    verifications,
    assessments,
    assessment_matrix,
    law_care,  # before law: its addresses are no names of provisions
    law,
    disclosures,
    redactions,
    patterns,
    exports,
    bundles,
    log,
    timestamps,
    tracks,
    audits,
    people,
    keys,
    health,
)
# FastAPI can hand request bodies to a telemetry exporter that the environment names: never here.
_NO_TELEMETRY: dict[str, Any] = {
    "telemetry": {"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}
}


def create_app(services: Services, *, worker: Worker | None = None, lifespan: Lifespan | None = None) -> FastAPI:
    """Build the application.

    Args:
        services: one opened archive.
        worker: run in a thread of its own while the application is up; None when others do the work.
        lifespan: further work around the application's life.
    """
    app = FastAPI(
        title="Catena",
        version=version(),
        description=DESCRIPTION,
        docs_url=None,  # both pages would load scripts from another host; app.api.pages has one that does not
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
        lifespan=_life(worker, lifespan),
        generate_unique_id_function=_operation_id,
        **_NO_TELEMETRY,
    )
    serve(app, services)
    app.state.metrics = Metrics()
    problems.install(app)
    # The last one added is the outermost.
    app.add_middleware(Gate)
    app.add_middleware(Envelope, metrics=app.state.metrics)
    # /healthz and its like, where probes look for them: first, so that they are found without asking 200 other routes.
    app.include_router(health.router, include_in_schema=False)
    api = APIRouter(prefix=API, responses=PROBLEMS)
    for module in _ROUTERS:
        api.include_router(module.router)
    api.include_router(log.public)
    app.include_router(api)
    app.include_router(log.public, include_in_schema=False)  # the log's monitoring prefix, where it stays
    app.include_router(pages.router)
    for _ in iter_route_contexts(app.routes):
        pass  # FastAPI would build what answers them with the first request, which half a second of work would hold up
    return app


def serve(app: FastAPI, services: Services) -> None:
    """Let the application serve this archive from now on."""
    app.state.services = services
    app.state.denials = TokenDenials(services.archive, time.monotonic)
    app.state.failures = Failures(services.archive.settings.failures_per_minute, time.monotonic)
    app.state.bodies = Bodies(services.archive.settings)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _life(worker: Worker | None, inner: Lifespan | None) -> Lifespan:
    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        thread = threading.Thread(target=worker.run, name="catena-worker", daemon=True) if worker else None
        if thread is not None:
            thread.start()
        health.measure_confinement()
        settle()
        try:
            if inner is None:
                yield
            else:
                async with inner(app):
                    yield
        finally:
            if worker is not None and thread is not None:
                worker.stop()
                await run_in_threadpool(thread.join, 30)

    return life
