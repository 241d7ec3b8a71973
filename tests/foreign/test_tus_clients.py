"""Two tus clients that nobody here wrote send, stop, go on and give up: tuspy and tus-js-client."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import func, select

from app.evidence.models import Item
from tests.crash.uploads import MIB, Content, Range, upload_range
from tests.judges import require, require_module
from tests.tus import source

CLIENT = Path(__file__).with_name("tus_client.js")
JS_CLIENT = "tus-js-client@4.3.1"
SIZE = 9 * MIB + 12_345
SAID = {"url": "https://example.org/p/1", "collector": "Ана"}


@pytest.fixture(scope="module")
def shooting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    with upload_range(tmp_path_factory.mktemp("tus"), seed=1) as made:
        made.serve()
        yield made


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "дрон.mp4"
    path.write_bytes(b"".join(Content(7, SIZE).pieces(0)))
    return path


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tus-js-client, from the package registry that npm knows."""
    require("node")
    npm, folder = require("npm"), tmp_path_factory.mktemp("npm")
    command = [npm, "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", JS_CLIENT]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        if os.environ.get("CI") == "true":
            pytest.fail(f"missing judge: {JS_CLIENT}: {done.stderr[-300:]}", pytrace=False)
        pytest.skip(f"missing judge: {JS_CLIENT} could not be installed")
    return folder / "node_modules"


def address(shooting: Range) -> str:
    return f"http://127.0.0.1:{shooting.port}"


def items(shooting: Range) -> int:
    with shooting.services.archive.db.read() as session:
        return session.exec(select(func.count()).select_from(Item)).one()


def item_of(shooting: Range, url: str) -> dict[str, Any]:
    """The item that an upload became, with the right bytes."""
    with shooting.client() as client:
        told = client.get(url).json()
        assert told["state"] == "done", told
        item: dict[str, Any] = client.get(f"/api/v1/items/{told['item']}").json()
    assert item["sha256"] == hashlib.sha256(b"".join(Content(7, SIZE).pieces(0))).hexdigest()
    return item


def tuspy(shooting: Range) -> Any:  # noqa: ANN401 - its client
    client = require_module("tusclient.client")
    return client.TusClient(f"{address(shooting)}/api/v1/uploads", {"Authorization": f"Bearer {shooting.token}"})


def test_tuspy_sends_with_checksums_stops_and_goes_on_after_the_server_was_killed(shooting: Range, file: Path) -> None:
    client = require_module("tusclient.client")
    before = items(shooting)
    tus = client.TusClient(
        f"http://127.0.0.1:{shooting.port}/api/v1/uploads", {"Authorization": f"Bearer {shooting.token}"}
    )
    said = {"filename": file.name, "case": "T1", "source": source(**SAID)}
    with file.open("rb") as stream:
        first = tus.uploader(file_stream=stream, chunk_size=MIB, metadata=said, upload_checksum=True)
        first.upload(stop_at=4 * MIB)
    assert first.offset == 4 * MIB
    shooting.kill()
    shooting.serve()
    with file.open("rb") as stream:
        second = tus.uploader(file_stream=stream, chunk_size=MIB, url=first.url, upload_checksum=True)
        assert second.offset == 4 * MIB, "asked of the server"
        second.upload()
    item = item_of(shooting, first.url)
    assert (item["original_name"], item["source"]) == (file.name, SAID)
    assert items(shooting) == before + 1


def test_tuspy_tries_again_on_its_own_when_a_chunk_is_refused(shooting: Range, file: Path) -> None:
    client = require_module("tusclient.client")
    tus = client.TusClient(
        f"http://127.0.0.1:{shooting.port}/api/v1/uploads", {"Authorization": f"Bearer {shooting.token}"}
    )
    said = {"case": "T1"}
    with file.open("rb") as stream:
        uploader = tus.uploader(file_stream=stream, chunk_size=2 * MIB, metadata=said, retries=2, retry_delay=0)
        uploader.upload(stop_at=2 * MIB)
        uploader.offset = MIB  # it believes something else than the server: 409, then it asks
        uploader.upload()
    item_of(shooting, uploader.url)


def js(modules: Path, shooting: Range, file: Path, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Let tus-js-client work; what it says."""
    order = {
        "file": str(file),
        "endpoint": f"{address(shooting)}/api/v1/uploads?case=T1",
        "token": shooting.token,
        "chunkSize": 2 * MIB,
        "withCreation": False,
        "metadata": {"filename": file.name, "source": source(**SAID)},
        "retryDelays": [100, 500, 1000, 2000, 3000],
        **given,
    }
    done = subprocess.run(
        [require("node"), str(CLIENT), json.dumps(order)],
        env={**os.environ, "NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_tus_js_client_sends_in_chunks_or_at_once_stops_and_goes_on(modules: Path, shooting: Range, file: Path) -> None:
    before = items(shooting)
    first = js(modules, shooting, file, stopAt=4 * MIB)
    assert first["stopped"] >= 4 * MIB
    second = js(modules, shooting, file, uploadUrl=first["url"])
    assert second["url"] == first["url"]
    assert second["last"]["status"] == 204
    item = item_of(shooting, second["url"])
    assert second["last"]["item"] == f"/api/v1/items/{item['id']}"
    assert (item["original_name"], item["source"]) == (file.name, SAID)
    for more in ({"withCreation": True}, {"chunkSize": None}):
        item_of(shooting, js(modules, shooting, file, **more)["url"])
    assert items(shooting) == before + 3
    again = js(modules, shooting, file, uploadUrl=second["url"])  # of a finished upload
    assert again["last"]["item"] == f"/api/v1/items/{item['id']}"
    assert items(shooting) == before + 3


def test_tus_js_client_gives_an_upload_up(modules: Path, shooting: Range, file: Path) -> None:
    stopped = js(modules, shooting, file, stopAt=2 * MIB, terminate=True)
    with shooting.client() as client:
        assert client.get(stopped["url"]).json()["state"] == "terminated"
        assert client.head(stopped["url"]).status_code == 410


def test_tus_js_client_outlives_a_killed_server_and_a_dead_line_of_its_own(
    modules: Path, shooting: Range, file: Path
) -> None:
    path = shooting.create(SIZE)
    url = address(shooting) + path
    with shooting.begin_patch(path, 0, SIZE) as line:
        line.sendall(b"".join(Content(7, 3 * MIB).pieces(0)))  # and then nothing more: the server still waits
        time.sleep(1.5)

        def restart() -> None:
            time.sleep(1.0)
            shooting.kill()
            shooting.serve()

        said = js(modules, shooting, file, uploadUrl=url, stopAt=6 * MIB)
        assert said["stopped"] >= 6 * MIB
    killer = threading.Thread(target=restart)
    killer.start()
    js(modules, shooting, file, uploadUrl=url, chunkSize=65_536)
    killer.join()
    item_of(shooting, url)


def test_metadata_of_the_clients_is_what_the_protocol_says(shooting: Range) -> None:
    encoded = base64.b64encode("дрон.mp4".encode()).decode()
    with shooting.client() as client:
        fields = {"Upload-Length": "5", "Upload-Metadata": f"filename {encoded},filetype"}
        path = client.post("/api/v1/uploads?case=T1", headers=fields).headers["location"]
        assert client.head(path).headers["upload-metadata"] == f"filename {encoded},filetype"
        assert client.delete(path).status_code == 204
