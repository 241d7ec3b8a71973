"""Two self-contained pages: what this is, and the interface's description, both without any other host."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.api.gate import API, is_public
from app.version import version

router = APIRouter(include_in_schema=False)

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid #ccd}h3{font:600 1rem/1.4 ui-monospace,monospace}
code,pre{font:14px/1.45 ui-monospace,monospace;background:#f3f5f8;border-radius:4px}code{padding:0 .25em}
pre{padding:.7em;overflow:auto}table{border-collapse:collapse}
td,th{text-align:left;padding:.2em .8em .2em 0;vertical-align:top}
.m{display:inline-block;min-width:4.5em}.open{color:#246b3c}.shut{color:#7a4b00}a{color:#0b4f9e}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
}
_METHODS = ("get", "post", "put", "patch", "delete")


def _page(title: str, body: str) -> HTMLResponse:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>',
        headers=_HEADERS,
    )


@router.get("/", response_class=HTMLResponse)
def start() -> HTMLResponse:
    """What this is."""
    return _page(
        "Catena",
        f"""<h1>Catena {escape(version())}</h1>
<p>An open humanitarian-law evidence archive with chain of custody. This is its HTTP interface.</p>
<ul><li><a href="/docs">The interface</a>, and the same as <a href="{API}/openapi.json">OpenAPI</a></li>
<li><a href="{API}/healthz">Health</a> and <a href="{API}/readyz">readiness</a></li>
<li><a href="{API}/log/checkpoint">The signed checkpoint of the custody log</a>: it and the log's tiles are public,
and hold hashes only</li></ul>
<p>Everything else needs an access token, sent as <code>Authorization: Bearer catena_...</code></p>""",
    )


@router.get("/docs", response_class=HTMLResponse)
def docs(request: Request) -> HTMLResponse:
    """The interface, rendered from its OpenAPI description."""
    described: dict[str, Any] = request.app.openapi()
    return _page("Catena: the interface", "".join(_described(described)))


def _described(described: dict[str, Any]) -> Iterator[str]:
    yield f"<h1>{escape(described['info']['title'])} {escape(described['info']['version'])}</h1>"
    yield f"<p>{escape(described['info'].get('description', ''))}</p>"
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in described["paths"].items():
        for method in _METHODS:
            if method in methods:
                tag = methods[method].get("tags", ["other"])[0]
                by_tag.setdefault(tag, []).append((method.upper(), path, methods[method]))
    schemas = described.get("components", {}).get("schemas", {})
    for tag, operations in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>"
        for method, path, operation in operations:
            yield from _operation(method, path, operation, schemas)


def _operation(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    access = '<span class="open">public</span>' if is_public(method, path) else '<span class="shut">token</span>'
    yield f'<h3><span class="m">{method}</span> {escape(path)} &nbsp; {access}</h3>'
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    rows = "".join(_parameter(parameter) for parameter in operation.get("parameters", []))
    if rows:
        yield f"<table><tr><th>where</th><th>name</th><th>what</th></tr>{rows}</table>"
    sent = operation.get("requestBody", {}).get("content", {})
    if sent:
        yield f"<p>Body: <code>{escape(next(iter(sent)))}</code></p>{_example(next(iter(sent.values())), schemas)}"
    for status, answer in operation.get("responses", {}).items():
        shown = answer.get("content", {}).get("application/json")
        if status.startswith("2") and shown:
            yield f"<p>Answer {escape(status)}:</p>{_example(shown, schemas)}"


def _parameter(parameter: dict[str, Any]) -> str:
    name = f"<code>{escape(parameter['name'])}</code>" + (" (required)" if parameter.get("required") else "")
    what = parameter.get("description") or parameter.get("schema", {}).get("description", "")
    return f"<tr><td>{escape(parameter['in'])}</td><td>{name}</td><td>{escape(what)}</td></tr>"


def _example(content: dict[str, Any], schemas: dict[str, Any]) -> str:
    value = example_of(content.get("schema", {}), schemas)
    return "" if value is None else f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def example_of(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:  # noqa: ANN401 - any JSON
    """An example value of a JSON schema: its own, or one put together from its fields'."""
    if depth > 6:  # noqa: PLR2004 - deeper examples would not be read
        return None
    if "$ref" in schema:
        return example_of(schemas.get(schema["$ref"].rpartition("/")[2], {}), schemas, depth + 1)
    stated = [*schema.get("examples", []), *(schema[name] for name in ("default", "const") if name in schema)]
    if stated or schema.get("enum"):
        return (stated or schema["enum"])[0]
    if "properties" in schema:
        return {name: example_of(field, schemas, depth + 1) for name, field in schema["properties"].items()}
    choices = schema.get("anyOf", [schema.get("items", {})])
    one = example_of(choices[0], schemas, depth + 1) if choices[0] else None
    return [] if one is None and schema.get("type") == "array" else [one] if schema.get("type") == "array" else one
