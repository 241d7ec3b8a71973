"""Speaking tus 1.0 to the archive, for tests: header fields, uploads through the interface, and what they leave."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import func, select, update

from app.config import Settings
from app.evidence.models import Item
from app.intake.models import Upload
from tests.apis import Api

DATA = bytes(range(256)) * 12_000
"""3 MB: several batches, and a last one that is not full."""
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


def tidy(api: Api) -> None:
    """Unfinished uploads expire."""
    with api.services.archive.db.write() as session:
        session.exec(update(Upload).values(expires_at="2020-01-01T00:00:00.000000Z"))
    api.services.uploads.work()
    assert spool(api) == []


def items(api: Api) -> int:
    """How many items there are."""
    with api.services.archive.db.read() as session:
        return session.exec(select(func.count()).select_from(Item)).one()


def spool(api: Api) -> list[Path]:
    """The files of unfinished uploads."""
    folder = api.services.archive.settings.uploads
    return sorted(folder.iterdir()) if folder.exists() else []


def with_settings(api: Api, monkeypatch: pytest.MonkeyPatch, **changed: int) -> None:
    """Give the uploads other limits."""
    settings: Settings = dataclasses.replace(api.services.archive.settings, **changed)  # type: ignore[arg-type]
    archive = dataclasses.replace(api.services.archive, settings=settings)
    monkeypatch.setattr(api.services.uploads, "_archive", archive)


def broken_patch(
    api: Api, path: str, offset: int, chunks: list[bytes | None], **fields: str
) -> tuple[int, dict[str, Any]]:
    """PATCH a body chunk by chunk (None: the client goes away); returns the status and the problem, if any."""
    headers = {**VERSION, **CHUNK, "Upload-Offset": str(offset), "X-HTTP-Method-Override": "PATCH", **fields}
    status, body = api.stream("ana", path, chunks, headers)
    return status, json.loads(body or b"{}")
