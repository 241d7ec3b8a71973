"""Speaking tus 1.0 to the archive, for tests: header fields, and uploads through the interface under test."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import httpx

from tests.apis import Api

VERSION = {"Tus-Resumable": "1.0.0"}
CHUNK = {"Content-Type": "application/offset+octet-stream"}


def metadata(**pairs: str) -> str:
    """An Upload-Metadata field; underscores stand for dashes."""
    encoded = {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in pairs.items()}
    return ",".join(f"{key} {value}" for key, value in encoded.items())


def checksum(data: bytes, algorithm: str = "sha256") -> str:
    """An Upload-Checksum field."""
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def create(api: Api, size: int, who: str | None = "ana", query: str = "?case=T1", **fields: str) -> httpx.Response:
    """Ask for a new upload."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return api.post(who, f"/uploads{query}", headers={**VERSION, "Upload-Length": str(size), **named})


def begin(api: Api, size: int, **fields: str) -> str:
    """A new upload's path below the API's prefix."""
    answer = create(api, size, **fields)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"].removeprefix("/api/v1")


def patch(api: Api, path: str, offset: int, data: bytes, who: str | None = "ana", **fields: str) -> httpx.Response:
    """Send bytes."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    headers = {**VERSION, **CHUNK, "Upload-Offset": str(offset), **named}
    return api.call(who, "PATCH", path, content=data, headers=headers)


def head(api: Api, path: str, who: str | None = "ana") -> httpx.Response:
    """Ask where to go on."""
    return api.call(who, "HEAD", path, headers=VERSION)


def delete(api: Api, path: str, who: str | None = "ana") -> httpx.Response:
    """Terminate."""
    return api.call(who, "DELETE", path, headers=VERSION)


def shown(api: Api, path: str, who: str = "ana") -> dict[str, Any]:
    """The upload as JSON."""
    answer = api.get(who, path)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def source(**said: str) -> str:
    """A source as JSON text."""
    return json.dumps(said, ensure_ascii=False)
