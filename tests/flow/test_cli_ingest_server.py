"""`catena ingest --server` of folders: nothing is sent twice, large files go on where they broke off."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.cli import resumable, server
from app.cli.resumable import _Upload
from tests.commands import Cli, at
from tests.processes import Nursery, Served

MIB = 1 << 20


@dataclass
class Sent:
    """Requests that brought bytes: address and number of bytes."""

    bodies: list[tuple[str, int]] = field(default_factory=list)

    def total(self) -> int:
        return sum(size for _, size in self.bodies)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What goes over the line; the client has smaller pieces, and waits less, than in life."""
    told = Sent()
    real = httpx.Client.request

    def request(self: httpx.Client, method: str, url: str, **kwargs: Any) -> httpx.Response:  # noqa: ANN401
        body = (url, int(kwargs["headers"]["Content-Length"])) if method == "PATCH" or url == "/items" else None
        if body is not None:
            told.bodies.append(body)
        answer = real(self, method, url, **kwargs)
        if body is not None and answer.status_code == httpx.codes.LOCKED:
            told.bodies.remove(body)  # the writer before it has not left yet: the piece comes again
        return answer

    monkeypatch.setattr(httpx.Client, "request", request)
    monkeypatch.setattr(server, "PAUSE_S", 0.01)
    monkeypatch.setattr(resumable, "PIECE_BYTES", 4 * MIB)
    return told


@pytest.fixture
def client(served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    cli = at(served.data, monkeypatch, capsys)
    monkeypatch.setenv("CATENA_TOKEN", cli.json("tokens", "create", "admin")["token"])
    return cli


def large(path: Path, seed: int, size: int = 10 * MIB) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(seed.to_bytes(8, "big") * (size // 8))
    return path


def test_folder_goes_to_a_server_once_and_sidecars_are_related_there(
    served: Served, client: Cli, sent: Sent, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    size = large(folder / "DJI_0001.MP4", 1).stat().st_size
    (folder / "DJI_0001.SRT").write_text("1\n")
    (folder / "small.bin").write_bytes(b"small")
    order = ("ingest", folder, "--case", "FOLDER", "--server", served.url, "--receipts", tmp_path / "receipts")
    would = client.json(*order, "--dry-run")
    assert (len(would["items"]), sent.bodies) == (3, [])
    assert client.one("SELECT count(*) FROM evidence_case WHERE ref = 'FOLDER'") == "0"
    done = client.json(*order)
    assert [Path(one["path"]).name for one in done["items"]] == ["DJI_0001.MP4", "DJI_0001.SRT", "small.bin"]
    assert all(Path(one["receipt"]).exists() for one in done["items"])
    assert sent.total() == size + 2 + 5
    assert [piece for url, piece in sent.bodies if url.startswith("/uploads/")] == [4 * MIB, 4 * MIB, 2 * MIB]
    medium, sidecar = (client.json("items", "show", one["id"]) for one in done["items"][:2])
    assert [(one["item"], one["direction"]) for one in sidecar["relations"]] == [(medium["id"], "belongs_to")]
    sent.bodies.clear()
    again = client.json(*order)
    assert (again["items"], sent.bodies) == ([], [])
    assert {one["reason"] for one in again["skipped"]} == {"known"}
    offered = client.one("SELECT count(*) FROM custody_event WHERE CAST(canonical AS TEXT) LIKE '%offered_again%'")
    assert offered == "3"
    assert client.json("audit")["ok"] is True


def test_stopped_upload_goes_on_where_it_was_when_the_same_command_is_given(
    served: Served, client: Cli, sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = large(tmp_path / "in" / "large.bin", 2)
    order = ("ingest", path, "--case", "T1", "--server", served.url)
    real = _Upload._piece

    def piece(self: _Upload, url: str, offset: int) -> int | None:
        if offset == 4 * MIB:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, url, offset)

    with monkeypatch.context() as patched:
        patched.setattr(_Upload, "_piece", piece)
        stopped = client.json(*order, code=2)
    assert [(one["code"], one["detail"].split(" of ")[0]) for one in stopped["failed"]] == [("stopped", str(8 * MIB))]
    sent.bodies.clear()
    done = client.json(*order)
    assert len(done["items"]) == 1
    assert sent.total() == 2 * MIB
    digest = done["items"][0]["sha256"]
    assert client.one(f"SELECT count(*) FROM item WHERE sha256 = '{digest}'") == "1"  # noqa: S608 - a digest


def test_link_that_breaks_in_the_middle_of_pieces_costs_those_pieces_alone(
    served: Served, client: Cli, sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = large(tmp_path / "in" / "large.bin", 3)
    real = _Upload._body
    broken: list[int] = []

    def body(self: _Upload, offset: int, size: int) -> Iterator[bytes]:
        for number, chunk in enumerate(real(self, offset, size)):
            if number == 1 and len(broken) < 3:
                broken.append(offset)
                raise httpx.WriteError("the line is cut")
            yield chunk

    monkeypatch.setattr(_Upload, "_body", body)
    done = client.json("ingest", path, "--case", "T1", "--server", served.url)
    assert len(done["items"]) == 1
    assert broken == [0, MIB, 2 * MIB]
    pieces = [piece // MIB for url, piece in sent.bodies if url.startswith("/uploads/")]
    assert pieces[:6] == [4, 1, 2, 1, 2, 1]  # nothing of a broken piece is kept, and the next one is smaller
    assert client.one("SELECT count(*) FROM upload WHERE state = 'done' AND item_id IS NOT NULL") != "0"
    digest = done["items"][0]["sha256"]
    assert client.one(f"SELECT count(*) FROM item WHERE sha256 = '{digest}'") == "1"  # noqa: S608 - a digest
    assert client.json("audit")["ok"] is True


@pytest.mark.parametrize("later", [[429, 503] * 5 + [423] * 3, [423] * 3 + [429, 503] * 5])
def test_archive_that_says_later_is_asked_again_with_pieces_as_large(
    served: Served, client: Cli, sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: list[int]
) -> None:
    path = large(tmp_path / "in" / "large.bin", len(later) + later[0])
    later = later.copy()  # more often than a link may break
    _answer_first(monkeypatch, later, "application/problem+json")
    done = client.json("ingest", path, "--case", "T1", "--server", served.url)
    assert (len(done["items"]), later) == (1, [])
    assert [piece // MIB for url, piece in sent.bodies if url.startswith("/uploads/")] == [4, 4, 2]
    assert client.json("audit")["ok"] is True


@pytest.mark.parametrize("status", [413, 429, 502, 503, 504])
def test_proxy_that_refuses_a_piece_gets_smaller_ones(
    served: Served, client: Cli, sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    path = large(tmp_path / "in" / "large.bin", status)
    refused = [status]
    _answer_first(monkeypatch, refused, "text/html")
    done = client.json("ingest", path, "--case", "T1", "--server", served.url)
    assert (len(done["items"]), refused) == (1, [])
    assert [piece // MIB for url, piece in sent.bodies if url.startswith("/uploads/")] == [1, 2, 4, 3]
    assert client.json("audit")["ok"] is True


def test_proxy_that_refuses_every_piece_is_told_as_what_is_on_the_way(
    served: Served, client: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = large(tmp_path / "in" / "large.bin", 6)
    _answer_first(monkeypatch, [413] * 20, "text/html")
    ran = client("ingest", path, "--case", "T1", "--server", served.url, code=None)
    assert (ran.code, "server_unreachable" in ran.out) == (3, True)
    assert "413 by something on the way" in ran.out


def test_upload_that_is_gone_is_begun_anew_and_not_for_ever(
    served: Served, client: Cli, sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, gone = large(tmp_path / "in" / "large.bin", 7), [404, 410] * 4
    _answer_first(monkeypatch, gone, "application/problem+json")
    ran = client("ingest", path, "--case", "T1", "--server", served.url, code=None)
    assert (ran.code, gone, sent.bodies) == (3, [], [])
    assert "gone each of 8 times" in ran.out
    gone += [410] * 7
    done = client.json("ingest", path, "--case", "T1", "--server", served.url)
    assert (len(done["items"]), gone) == (1, [])
    assert sent.total() == path.stat().st_size
    assert client.json("audit")["ok"] is True


def _answer_first(monkeypatch: pytest.MonkeyPatch, statuses: list[int], media_type: str) -> None:
    """Answer pieces with these statuses before any reaches the server, the last one first."""
    real = server.Server.once

    def once(self: server.Server, method: str, url: str, **kwargs: Any) -> httpx.Response:  # noqa: ANN401
        if method == "PATCH" and statuses:
            headers = {"Content-Type": media_type}
            return httpx.Response(statuses.pop(), headers=headers, content=b'{"code": "later"}')
        return real(self, method, url, **kwargs)

    monkeypatch.setattr(server.Server, "once", once)
    monkeypatch.setattr(server, "MAX_PAUSE_S", 0.05)


def test_client_killed_in_the_middle_of_a_folder_goes_on_and_doubles_nothing(
    served: Served, client: Cli, sent: Sent, processes: Nursery, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    large(folder / "a.mp4", 4)
    for n in range(12):
        (folder / f"b{n}.bin").parent.mkdir(exist_ok=True)
        (folder / f"b{n}.bin").write_bytes(bytes([n]) * 1000)
    order = ["ingest", str(folder), "--case", "KILLED", "--server", served.url, "--jobs", "1"]
    environment = {name: os.environ[name] for name in ("CATENA_TOKEN", "XDG_STATE_HOME")}
    killed = processes.start(*order, pause_at="app.cli.remote:Remote._taken", **environment)
    killed.paused()  # the first file is an item, and nobody here knows
    killed.kill()
    done = client.json(*order)
    assert [(Path(one["path"]).name, one["reason"]) for one in done["skipped"]] == [("a.mp4", "deposited")]
    assert (len(done["items"]), done["failed"]) == (12, [])
    inside = "FROM item JOIN evidence_case ON evidence_case.id = case_id WHERE ref = 'KILLED'"
    assert client.one(f"SELECT count(*) {inside}") == "13"
    assert client.one(f"SELECT count(DISTINCT sha256) {inside}") == "13"
