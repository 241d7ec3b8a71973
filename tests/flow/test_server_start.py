"""What a server holds, and what it has done, before anybody asks it for anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from fastapi import routing
from fastapi.testclient import TestClient

from app.api.app import create_app
from tests.apis import opened

LIBRARIES = (
    *("numpy", "cv2", "PIL", "imagehash", "av", "pillow_heif", "c2pa"),
    *("reportlab", "segno", "rdflib", "stream_zip", "httpx", "psycopg", "sqlalchemy.dialects.postgresql"),
)
READERS = ("app.analysis.extract", "app.analysis.gathered", "app.matching.features", "app.matching.compare")
SERVER = """
import sys
import app.api.app, app.api.server, app.attendants, app.cli.archive, app.cli.serving, app.wiring
print(*sys.modules)
"""


def test_a_server_starts_without_the_libraries_that_few_requests_need() -> None:
    """Each takes megabytes; with all that a server is, eight uploads at once have 150 MiB."""
    ran = subprocess.run([sys.executable, "-c", SERVER], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert {"app.wiring", "app.analysis.service", "app.matching.service"} <= loaded
    assert sorted(loaded & {*LIBRARIES, *READERS}) == []


@pytest.mark.parametrize("address", ["/healthz", "/api/v1/healthz", "/readyz"])
def test_the_first_request_finds_every_route_built(tmp_path: Path, address: str) -> None:
    """FastAPI would build 200 of them with it: half a second in which no other request is answered."""
    with opened(tmp_path, "sqlite") as api:
        app = create_app(api.services)
        with mock.patch.object(routing, "get_dependant", side_effect=AssertionError("built with a request")) as built:
            TestClient(app).get(address)
        assert not built.called
