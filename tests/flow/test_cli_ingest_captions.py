"""The longest that may be stated of a source reaches a server, letter for letter, with small and with large files."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from schemas.records.v1.source import SourceContext
from tests.commands import Cli, at
from tests.processes import Served

LARGE = 9 << 20  # over the 8 MiB from which on files go by tus
UKRAINIAN = {"caption": ("Ракетний удар по лікарні; їжак, ґанок, «щедро».\n" * 400)[:19_000].strip()}
SQUARE = "\U0001f7e5"  # four bytes as UTF-8, twelve as an escape
LONGEST: dict[str, str] = {
    "url": ("https://example.org/" + SQUARE * 2_000)[:2_000],
    "platform": SQUARE * 100,
    "channel": SQUARE * 300,
    "post_id": SQUARE * 200,
    "caption": ('"\\\n' + SQUARE) * 5 + SQUARE * 19_980,
    "posted_at": "2025-07-06T14:00:00.123456+03:00",
    "collected_at": "2025-07-06T14:00:00.123456+03:00",
    "collector": SQUARE * 200,
    "collecting_machine": SQUARE * 200,
    "tool": SQUARE * 100,
    "tool_version": SQUARE * 100,
    "legal_basis": "legitimate_interest",
    "legal_basis_note": SQUARE * 2_000,
    "consent": "given_with_conditions",
    "consent_note": SQUARE * 2_000,
    "handling_note": SQUARE * 2_000,
    "note": SQUARE * 8_000,
}
_NAMED = {"url": "--source-url", "note": "--source-note"}


def options(source: dict[str, str]) -> list[str]:
    return [
        part for field, text in source.items() for part in (_NAMED.get(field, f"--{field.replace('_', '-')}"), text)
    ]


@pytest.fixture
def client(served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    cli = at(served.data, monkeypatch, capsys)
    monkeypatch.setenv("CATENA_TOKEN", cli.json("tokens", "create", "admin")["token"])
    return cli


@pytest.mark.parametrize(("source", "uploads"), [(UKRAINIAN, "1"), (LONGEST, "0")], ids=["ukrainian", "longest"])
def test_long_captions_are_stored_as_they_stood(
    source: dict[str, str], uploads: str, served: Served, client: Cli, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"small {SQUARE * 20}.bin").write_bytes(next(iter(source)).encode())
    (tmp_path / "in" / "large.bin").write_bytes(next(iter(source)).encode() * (LARGE // 3))
    case = next(iter(source)).upper()
    done = client.json("ingest", tmp_path / "in", "--case", case, "--server", served.url, *options(source))
    assert (len(done["items"]), done["failed"]) == (2, [])
    stated = SourceContext.model_validate(source).as_record()
    for one in done["items"]:
        shown = client.json("items", "show", one["id"])
        assert shown["source"] == stated
    large = next(one["id"] for one in done["items"] if one["path"].endswith("large.bin"))
    question = f"SELECT count(*) FROM upload WHERE item_id = '{large}'"  # noqa: S608 - an id
    assert client.one(question) == uploads  # what tus cannot hold goes in one request
    assert client.json("audit")["ok"] is True


class _Proxy(BaseHTTPRequestHandler):
    """Answers as a proxy does whose bound on heads is 8 KB, and otherwise as if the case were there."""

    def do_GET(self) -> None:
        self._say(200, b'{"ref": "T1"}')

    def do_POST(self) -> None:
        if len(str(self.headers)) > 8_000:
            self._say(400, b"<html>Request Header Or Cookie Too Large</html>")
        else:
            self._say(200, b'{"files": [{"state": "new", "item": null}]}')

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
        """Say nothing."""


@pytest.fixture
def proxy() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_proxy_that_takes_no_such_head_is_told_as_such(proxy: str, client: Cli, tmp_path: Path) -> None:
    path = tmp_path / "small.bin"
    path.write_bytes(b"small")
    said = client.json("ingest", path, "--case", "T1", "--server", proxy, *options(UKRAINIAN), code=2)
    assert [one["code"] for one in said["failed"]] == ["source_too_long_for_transport"]
    assert "proxy" in said["failed"][0]["detail"]
