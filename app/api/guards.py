"""Authorisation before the body is parsed: who may not do it learns nothing of how it would have to be asked.

FastAPI parses and validates a body before anything of ours runs. An endpoint that takes one is therefore marked with
what it needs, and its route asks for that first; the refusal is recorded, and answered 403 or 404 before any 422.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from app.access.rules import Action
from app.access.service import Principal
from app.api.deps import case_for, known_id, principal_of, services_of
from app.api.services import Services
from app.evidence.service import permitted_item

Guard = Callable[[Services, Principal, Request], object]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_GUARDS: dict[Callable[..., Any], Guard] = {}


def needs(guard: Guard) -> Callable[[Endpoint], Endpoint]:
    """Mark an endpoint with what is asked before its body is parsed; put it below the router's decorator."""

    def mark(endpoint: Endpoint) -> Endpoint:
        _GUARDS[endpoint] = guard
        return endpoint

    return mark


def role_for(action: Action) -> Guard:
    """The role must allow it in some case at least."""
    return lambda services, who, _: services.access.require_role(who, action)


def in_case(action: Action) -> Guard:
    """The actor may do it in the case that the path names."""
    return lambda services, who, request: case_for(services, who, request.path_params["case"], action)


def on_item(action: Action) -> Guard:
    """The actor may do it to the item that the path names."""
    return lambda services, who, request: permitted_item(
        services.archive, services.access, who, known_id(request.path_params["item"], "item"), action
    )


def on_link(action: Action) -> Guard:
    """The actor may do it to the link that the path names."""
    return lambda services, who, request: services.law.get_link(
        who, known_id(request.path_params["link"], "link"), action
    )


class GuardedRoute(APIRoute):
    """A route that asks its endpoint's guard first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of one request."""
        handle = super().get_route_handler()
        guard = _GUARDS.get(self.endpoint)

        async def guarded(request: Request) -> Response:
            if guard is not None:
                await run_in_threadpool(guard, services_of(request), principal_of(request), request)
            return await handle(_OnceNamed(request.scope, request.receive))

        return guarded


class _OnceNamed(Request):
    """A request whose JSON names nothing twice: of two values, a reader would take one and lose the other unseen."""

    async def json(self) -> Any:  # noqa: ANN401 - any JSON
        """The body.

        Raises:
            JSONDecodeError: it is no JSON, or an object in it has a name twice.
        """
        if not hasattr(self, "_json"):
            self._json = json.loads(await self.body(), object_pairs_hook=_each_once)
        return self._json


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise json.JSONDecodeError("a name stands twice in one object", "", 0)
    return made
