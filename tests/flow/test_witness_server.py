"""The witness over HTTP: statuses of C2SP tlog-witness, and bounds that hold before anything is believed."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from evidence_store.log.cosignature import add_lines, verify_cosignatures
from evidence_store.witness.folder import WitnessFolder
from evidence_store.witness.request import MAX_REQUEST_BYTES, format_request
from tests.witness_logs import Log
from tests.witnesses import listening, make_witness

TRUE, FORK = Log(), Log(seed="fork")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> WitnessFolder:
    return make_witness(tmp_path_factory.mktemp("made") / "w", "ngo-b.example/w", TRUE.vkey)


@pytest.fixture
def folder(made: WitnessFolder, tmp_path: Path) -> WitnessFolder:
    shutil.copytree(made.path, tmp_path / "w")
    return WitnessFolder(tmp_path / "w")


@pytest.fixture
def client(folder: WitnessFolder) -> Iterator[httpx.Client]:
    with listening(folder) as url, httpx.Client(base_url=url) as made:
        yield made


def _add(client: httpx.Client, body: bytes) -> httpx.Response:
    return client.post("/add-checkpoint", content=body)


def test_anybody_may_ask_and_gets_a_line_for_each_key(client: httpx.Client, folder: WitnessFolder) -> None:
    answer = _add(client, TRUE.request(0, 5))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    note = add_lines(TRUE.note(5), [f"{line}\n" for line in answer.text.split("\n")[:-1]])
    assert [one.key for one in verify_cosignatures(note, folder.public_keys())] == folder.public_keys()


def test_refusals_have_the_status_of_the_specification(client: httpx.Client, folder: WitnessFolder) -> None:
    assert _add(client, TRUE.request(0, 9)).status_code == 200
    conflict = _add(client, TRUE.request(5, 20))
    assert (conflict.status_code, conflict.content) == (409, b"9\n")
    assert conflict.headers["content-type"] == "text/x.tlog.size"
    same = _add(client, FORK.request(9, 9))
    assert (same.status_code, same.content) == (409, b"9\n")
    for body, status, code in (
        (b"hello", 400, "witness_request_form"),
        (format_request(9, [], TRUE.note(5)), 400, "old_size_above"),
        (Log("other.example").request(0, 5), 404, "unknown_log"),
        (format_request(9, [], TRUE.note(9).replace(b"\n9\n", b"\n8\n")), 403, "checkpoint_unsigned"),
        (FORK.request(9, 20), 422, "inconsistent"),
    ):
        answer = _add(client, body)
        assert (answer.status_code, answer.text.partition(":")[0]) == (status, code)
        assert "\u2014" not in answer.text
    assert folder.state.read()[TRUE.origin].size == 9


def test_other_methods_and_pages_are_refused(client: httpx.Client) -> None:
    assert client.get("/add-checkpoint").status_code == 405
    assert client.get("/add-checkpoint").headers["allow"] == "POST"
    assert client.post("/", content=b"").status_code == 405
    assert client.get("/add-checkpoint/").status_code == 404
    assert client.get("/state.json").status_code == 404


def test_a_body_that_is_too_large_is_not_taken(client: httpx.Client, folder: WitnessFolder) -> None:
    announced = _add(client, b"x" * (MAX_REQUEST_BYTES + 1))
    assert announced.status_code == 413

    def dribble() -> Iterator[bytes]:
        for _ in range(MAX_REQUEST_BYTES // 65_536 + 2):
            yield b"x" * 65_536

    assert client.post("/add-checkpoint", content=dribble()).status_code == 413
    assert _add(client, TRUE.request(0, 5)).status_code == 200


def test_a_body_that_does_not_come_is_given_up(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.witness_app.BODY_SECONDS", 0.2)
    address = urlsplit(str(client.base_url))
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30) as wire:
        wire.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 10\r\n\r\nold")
        assert b" 408 " in wire.recv(4096)


def test_a_client_that_goes_away_leaves_nothing(client: httpx.Client, folder: WitnessFolder) -> None:
    address = urlsplit(str(client.base_url))
    body = TRUE.request(0, 5)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30) as wire:
        wire.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:-1])
    assert client.get("/healthz").status_code == 200
    assert folder.state.read() == {}


def test_health_tells_keys_and_sizes_and_fails_when_nothing_can_be_signed(
    client: httpx.Client, folder: WitnessFolder
) -> None:
    _add(client, TRUE.request(0, 5))
    for page in ("/", "/healthz"):
        told = client.get(page).json()
        assert told["logs"] == [{"origin": TRUE.origin, "size": 5}]
        assert len(told["keys"]) == 2
        assert told["equivocations"] == 0
    assert client.head("/healthz").status_code == 200
    _add(client, FORK.request(5, 5))
    assert client.get("/healthz").json()["equivocations"] == 1
    (folder.path / "state.json").write_bytes(b"")
    for answer in (client.get("/healthz"), _add(client, TRUE.request(5, 6))):
        assert (answer.status_code, answer.text.partition(":")[0]) == (503, "witness_state_damaged")
        assert str(folder.path) not in answer.text
