"""Chromium plays a proxy, seeks in it by ranges, and shows the picture of the time that was asked for."""

from __future__ import annotations

import json
import math
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.analysis.proxy import Budget, render_proxy
from tests.judges import require
from tests.recordings import BARS, record

PLENTY = Budget(math.inf, 300, 1 << 28)  # CPU time is that of the whole test process, which may have used much before
PAGE = """<!doctype html><video id=v muted preload=auto src="/proxy.mp4"></video><script>
const v = document.getElementById("v"), wanted = TIMES, shown = [];
const tell = o => fetch("/told", {method: "POST", body: JSON.stringify(o)});
v.onerror = () => tell({error: v.error.code + " " + v.error.message});
function read() {
  const c = document.createElement("canvas"); c.width = v.videoWidth; c.height = v.videoHeight;
  const g = c.getContext("2d"); g.drawImage(v, 0, 0);
  let bits = 0;
  for (let i = 0; i < BARS; i++) {
    const p = g.getImageData(Math.floor((i + .5) * c.width / BARS), Math.floor(c.height / 2), 1, 1).data;
    bits = bits * 2 + (p[0] > 128 ? 1 : 0);
  }
  return bits;
}
const once = name => new Promise(done => v.addEventListener(name, done, {once: true}));
(async () => {
  await once("loadeddata");
  const length = v.duration;
  for (const t of wanted) {
    const there = once("seeked"); v.currentTime = t + 0.04; await there;
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    shown.push(read());
  }
  v.currentTime = 0; await once("seeked"); await v.play();
  await new Promise(done => setTimeout(done, 700)); v.pause();
  tell({length, shown, size: [v.videoWidth, v.videoHeight], played: v.currentTime, at: read(),
        seekable: v.seekable.end(0), sound: v.webkitAudioDecodedByteCount});
})();
</script>"""


@dataclass
class Told:
    """What the page said, and what it asked for."""

    said: dict[str, Any] = field(default_factory=dict)
    ranges: list[str] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(proxy: bytes, page: str) -> Iterator[tuple[str, Told]]:
    """A server on the loopback that gives ranges as the archive does."""
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path != "/proxy.mp4":
                self.answer(200, page.encode(), "text/html")
                return
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "bytes=0-"))
            assert asked is not None
            told.ranges.append(asked[0])
            first, last = int(asked[1]), int(asked[2] or len(proxy) - 1)
            where = {"Content-Range": f"bytes {first}-{last}/{len(proxy)}", "Accept-Ranges": "bytes"}
            self.answer(206, proxy[first : last + 1], "video/mp4", where)

        def do_POST(self) -> None:
            told.said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(204, b"", "text/plain")
            told.ready.set()

        def answer(self, status: int, body: bytes, kind: str, more: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(more or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # a player that has seen enough hangs up

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def seen_by_chromium(proxy: Path, times: list[float], folder: Path) -> Told:
    browser = require("chromium")
    page = PAGE.replace("TIMES", json.dumps(times)).replace("BARS", str(BARS))
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio"]
    options += ["--autoplay-policy=no-user-gesture-required", f"--user-data-dir={folder}", "--disable-dev-shm-usage"]
    with serving(proxy.read_bytes(), page) as (address, told):
        running = subprocess.Popen([browser, *options, address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert told.ready.wait(120), "the browser said nothing"
        finally:
            running.kill()
            running.wait()
    assert "error" not in told.said, told.said
    return told


@pytest.mark.parametrize("late", [0.0, 2.0])
def test_chromium_seeks_to_a_second_and_shows_its_picture(tmp_path: Path, late: float) -> None:
    every = [late + number / 10 for number in range(round((24 - late) * 10))]
    original = record(tmp_path / "a.mkv", every, sound=(0.0, 24.0))
    parts: list[bytes] = []
    _, front = render_proxy(original, PLENTY, parts.append)
    proxy = tmp_path / "proxy.mp4"
    proxy.write_bytes(front + b"".join(parts))
    times = [17.0, 23.5, 3.7, 11.3, 2.0]
    told = seen_by_chromium(proxy, times, tmp_path / "profile")
    assert told.said["shown"] == [round(at * 10) for at in times]
    assert told.said["size"] == [320, 240]
    assert abs(told.said["length"] - 24) < 0.2
    assert abs(told.said["seekable"] - told.said["length"]) < 0.1
    assert told.said["sound"] > 0
    assert 0.2 < told.said["played"] < 10
    if not late:
        assert abs(told.said["at"] / 10 - told.said["played"]) < 0.35
    assert told.ranges
