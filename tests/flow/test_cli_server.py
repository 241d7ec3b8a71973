"""`catena ingest --server` against a real `catena serve`, and the server as a process."""

from __future__ import annotations

import hashlib
import http.server
import json
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.cli import remote, server
from app.cli.orders import Ready
from tests.commands import Cli, at, copy_of, furnished
from tests.processes import Nursery, Served


@pytest.fixture
def client(served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line over the archive that is being served, with a token in the environment."""
    cli = at(served.data, monkeypatch, capsys)
    monkeypatch.setenv("CATENA_TOKEN", cli.json("tokens", "create", "admin")["token"] + "\n")
    monkeypatch.setattr(server, "PAUSE_S", 0.01)
    return cli


def test_files_sent_to_a_server_become_items_with_receipts(served: Served, client: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    big = folder / "Фото 1.bin"
    big.write_bytes(b"evidence" * 400_000)
    (folder / "copy.bin").write_bytes(big.read_bytes())
    (folder / "empty").touch()
    (Path(str(folder) + "/no\udcfftext.txt")).write_bytes(b"bytes")
    note = "Ж" * 5_000
    ran = client(
        *("ingest", folder, "--case", "NEW", "--server", served.url, "--source-note", note, "--json"),
        *("--receipts", tmp_path / "receipts", "--again"),
        code=2,
    )
    done = ran.json
    assert [(Path(one["path"]).name, one["code"]) for one in done["failed"]] == [("empty", "empty_file")]
    taken = {Path(one["path"]).name: one for one in done["items"]}
    assert set(taken) == {"Фото 1.bin", "copy.bin", "no\udcfftext.txt"}
    for one in taken.values():
        assert set(one) == {"id", "path", "sha256", "size", "duplicate_of", "receipt"}
        assert one["sha256"] == hashlib.sha256(Path(one["path"]).read_bytes()).hexdigest()
        assert json.loads(Path(one["receipt"]).read_bytes())["item"] == one["id"]
    assert sorted(len(one["duplicate_of"]) for one in taken.values()) == [0, 0, 1]
    shown = client.json("items", "show", taken["Фото 1.bin"]["id"])
    assert shown["original_name"] == "Фото 1.bin"
    assert shown["source"] == {"note": note}
    assert client.json("items", "show", taken["no\udcfftext.txt"]["id"])["original_name"] == "no%ED%B3%BFtext.txt"
    again = client.json("ingest", big, "--case", "NEW", "--server", served.url, "--again")
    assert again["items"][0]["receipt"] is None
    assert client.json("audit")["ok"] is True


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "token_missing"),
        ("nonsense", "token_invalid"),
        ("catena_" + "0" * 32 + "_" + "0" * 64, "token_invalid"),
        ("жетон", "token_malformed"),
        ("two\nlines", "token_malformed"),
    ],
)
def test_wrong_token_sends_nothing_and_is_not_repeated_in_the_error(
    served: Served, client: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str, code: str
) -> None:
    (tmp_path / "a").write_text("a")
    monkeypatch.setenv("CATENA_TOKEN", token)
    before = client.one("SELECT count(*) FROM item")
    ran = client("ingest", tmp_path / "a", "--case", "T1", "--server", served.url, "--json", code=2)
    ran.refused(code)
    assert not token or token not in ran.err + ran.out
    assert client.one("SELECT count(*) FROM item") == before


def test_revoked_token_and_a_case_that_is_not_mine(
    served: Served, client: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("a")
    made = client.json("tokens", "create", "lena")
    monkeypatch.setenv("CATENA_TOKEN", made["token"])
    ran = client("ingest", tmp_path / "a", "--case", "T1", "--server", served.url, "--json", code=2)
    assert [one["code"] for one in ran.json["failed"]] == ["not_allowed"]
    client("ingest", tmp_path / "a", "--case", "UNKNOWN", "--server", served.url, code=2).refused("not_allowed")
    client("ingest", tmp_path / "a", "--case", "..", "--server", served.url, code=2).refused("bad_case_ref")
    client("tokens", "revoke", made["id"])
    client("ingest", tmp_path / "a", "--case", "T1", "--server", served.url, code=2).refused("token_revoked")


def test_server_that_is_down_is_the_environment(client: Cli, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        ran = client("ingest", tmp_path / "a", "--case", "T1", "--server", url, "--json", code=3)
    ran.refused("server_unreachable", 3)


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://example.org", "http://", "http://a:port"])
def test_address_that_is_none_is_bad_input(client: Cli, tmp_path: Path, url: str) -> None:
    (tmp_path / "a").write_text("a")
    client("ingest", tmp_path / "a", "--case", "T1", "--server", url, code=2).refused("bad_server_url")


class _Stranger(http.server.BaseHTTPRequestHandler):
    """Answers every request with a page."""

    pages = b"<html>welcome</html>"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.pages)))
        self.end_headers()
        self.wfile.write(self.pages)

    do_POST = do_GET  # noqa: N815 - named by the standard library

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.mark.parametrize("page", [b"<html>welcome</html>", b"[]", b'"text"', b"{}", b'{"item": {}, "receipt": null}'])
def test_what_is_no_catena_server_is_named(client: Cli, tmp_path: Path, page: bytes) -> None:
    (tmp_path / "a").write_text("a")
    handler = type("Handler", (_Stranger,), {"pages": page})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as stranger:
        thread = threading.Thread(target=stranger.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{stranger.server_port}"
        ran = client("ingest", tmp_path / "a", "--case", "T1", "--server", url, "--json", code=3)
        stranger.shutdown()
        thread.join()
    assert "not_a_catena_server" in ran.out


def test_server_that_goes_away_between_two_files_accounts_for_every_file(
    processes: Nursery, served: Served, client: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    second = processes.start("serve", "--port", "0", "--json", "--workers", "0", CATENA_DATA=str(served.data))
    url = second.url()
    real = remote.Remote.deposit

    def deposit(self: remote.Remote, ready: Ready, moved: Callable[[int], None]) -> object:
        if ready.order.path.name == "b":
            second.kill()
        return real(self, ready, moved)

    monkeypatch.setattr(remote.Remote, "deposit", deposit)
    files = [tmp_path / name for name in "abc"]
    done = client.json("ingest", *files, "--case", "T1", "--server", url, "--jobs", "1", code=3)
    assert [Path(one["path"]).name for one in done["items"]] == ["a"]
    assert [(Path(one["path"]).name, one["code"]) for one in done["failed"]] == [
        ("b", "server_unreachable"),
        ("c", "not_tried"),
    ]


def test_second_server_on_the_same_port_is_refused_in_one_line(served: Served, client: Cli) -> None:
    port = served.url.rpartition(":")[2]
    client("serve", "--port", port, "--workers", "0", code=3).refused("address_unusable", 3)
    client("serve", "--host", "no.such.host.invalid", code=3).refused("address_unusable", 3)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_server_and_its_worker_end_in_good_order(processes: Nursery, tmp_path: Path, how: signal.Signals) -> None:
    data = copy_of(furnished, tmp_path)
    process = processes.start("serve", "--port", "0", "--json", CATENA_DATA=str(data))
    url = process.url()
    answer = httpx.get(f"{url}/healthz")
    assert answer.status_code == 200
    assert "server" not in answer.headers
    process.stop(how)
    assert process.stderr.splitlines()[-1] == "stopped"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")


def test_server_with_a_wrong_passphrase_does_not_start(client: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATENA_PASSPHRASE", "a wrong one")
    client("serve", "--port", "0", code=2).refused("wrong_passphrase")
