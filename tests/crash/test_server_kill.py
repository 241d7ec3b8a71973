"""`kill -9` of a real server and of real workers: the retry completes, nothing is doubled, the audit is clean."""

from __future__ import annotations

import base64
import hashlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image, ImageDraw
from sqlmodel import SQLModel, col, func, select

from app.analysis.models import AnalysisRun
from app.api.services import Services
from app.custody.service import SYSTEM
from app.evidence.models import Blob, Item, Receipt
from app.jobs.models import Job
from app.matching.models import FingerprintRow, MatchRow
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, deposit, make_archive
from tests.checks import assert_clean, audit
from tests.conftest import ROOT
from tests.databases import BACKENDS, fresh_database
from tests.processes import Nursery, Process, living, nursery, until


@dataclass(frozen=True)
class Scene:
    """An archive, a token for it, and a way to start processes over it."""

    services: Services
    token: str
    processes: Nursery

    def start(self, *arguments: str, pause_at: str | None = None) -> Process:
        """Start a command over the archive."""
        settings = self.services.archive.settings
        return self.processes.start(
            *arguments,
            pause_at=pause_at,
            CATENA_DATA=str(settings.data),
            CATENA_DATABASE_URL=settings.database_url,
            CATENA_PASSPHRASE=PASSPHRASE.decode(),
            CATENA_LEASE_SECONDS="1",
        )

    def serve(self, *, workers: int = 0, pause_at: str | None = None) -> Process:
        """Start a server."""
        return self.start("serve", "--port", "0", "--json", "--workers", str(workers), pause_at=pause_at)

    def count(self, table: type[SQLModel], *conditions: Any) -> int:  # noqa: ANN401 - comparisons of columns
        """Rows of a table, or those that meet the conditions."""
        with self.services.archive.db.read() as session:
            return session.exec(select(func.count()).select_from(table).where(*conditions)).one()

    def staged(self) -> list[Path]:
        """Unfinished files."""
        return list((self.services.archive.settings.blobs / "staging").iterdir())

    def upload(self, url: str, number: int) -> httpx.Response:
        """A whole upload, under the key that belongs to this number."""
        with httpx.Client(base_url=url, timeout=60) as client:
            return client.post("/api/v1/items?case=T1", headers=self.headers(number), content=body(number))

    def headers(self, number: int) -> dict[str, str]:
        """Header fields of an upload."""
        digest = base64.b64encode(hashlib.sha256(body(number)).digest()).decode()
        return {
            "Authorization": f"Bearer {self.token}",
            "Idempotency-Key": f"upload-{number}",
            "X-Filename": f"{number}.bin",
            "Repr-Digest": f"sha-256=:{digest}:",
        }

    def begin_upload(self, url: str, number: int, share: float) -> socket.socket:
        """Send the header and a share of the body, and hold the line."""
        parts = urlsplit(url)
        data = body(number)
        fields = {**self.headers(number), "Host": parts.netloc, "Content-Length": str(len(data))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        line = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30)
        line.sendall(f"POST /api/v1/items?case=T1 HTTP/1.1\r\n{head}\r\n".encode() + data[: int(len(data) * share)])
        return line


def body(number: int) -> bytes:
    return bytes([number]) * 5_000_000


def picture(seed: int) -> bytes:
    image = Image.radial_gradient("L").resize((200, 150)).convert("RGB")
    for step in range(12):
        corner = (seed * 37 + step * 53) % 180, (seed * 61 + step * 29) % 130
        ImageDraw.Draw(image).rectangle((*corner, corner[0] + 18, corner[1] + 15), fill=(seed * 20, step * 20, 90))
    stream = BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("processes")) as made:
        yield made


@pytest.fixture(params=BACKENDS)
def scene(request: pytest.FixtureRequest, tmp_path: Path, processes: Nursery) -> Iterator[Scene]:
    url = None if request.param == "sqlite" else fresh_database(request.param, tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    services.evidence.create_case(services.access.local_operator(), "T1")
    _, token = services.access.create_token(SYSTEM, "admin")
    yield Scene(services, token, processes)
    services.archive.db.close()


def test_server_killed_at_every_moment_of_a_deposit_makes_each_item_once_when_the_upload_is_repeated(
    scene: Scene,
) -> None:
    server = scene.serve()
    with scene.begin_upload(server.url(), 1, 0.1), scene.begin_upload(server.url(), 2, 0.9):
        until(lambda: sum(path.stat().st_size for path in scene.staged()) > 3_000_000, "the bodies come in")
        server.kill()
    assert scene.count(Item) == 0
    moments = {
        3: "app.intake.service:Intake._write_item",  # the bytes are stored, no row says so
        4: "app.intake.service:Intake.seal_item",  # the item is committed, and has no receipt
        5: "app.api.deposits:_summary",  # all is done, and the depositor was not told
    }
    for number, moment in moments.items():
        server = scene.serve(pause_at=moment)
        with scene.begin_upload(server.url(), number, 1.0) as line:
            server.paused()
            server.kill()
            assert line.recv(100) == b"", "the depositor got an answer after all"
    assert scene.count(Item) == 2
    assert scene.count(Receipt) == 1
    before = audit(scene.services)
    assert before["ok"], before["findings"]
    assert "blob_unreferenced" in {finding["code"] for finding in before["findings"]}

    server = scene.serve(workers=1)
    answers = [scene.upload(server.url(), number) for number in (1, 2, 3, 4, 5, 3, 4)]
    assert [answer.status_code for answer in answers] == [201] * 7, [answer.text for answer in answers]
    said = [answer.json() for answer in answers]
    assert [one["repeated"] for one in said] == [False, False, False, True, True, True, True]
    assert all(one["receipt"] for one in said)
    assert [one["item"]["sha256"] for one in said[:5]] == [hashlib.sha256(body(n)).hexdigest() for n in range(1, 6)]
    assert len({one["item"]["id"] for one in said}) == 5
    assert scene.count(Item) == scene.count(Receipt) == scene.count(Blob) == 5
    until(lambda: scene.services.jobs.unfinished() == 0, "the work is done")
    server.stop()
    assert_clean(scene.services)
    assert {f["code"] for f in audit(scene.services)["findings"]} == set()


def test_server_killed_at_every_moment_of_analysis_analyses_each_item_once(tmp_path: Path, processes: Nursery) -> None:
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, fresh=True)
    scene = Scene(services, "", processes)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    data = [picture(1), picture(2), picture(3), picture(1)]
    items = [deposit(services, who, case, one, f"{number}.jpg").item.id for number, one in enumerate(data)]

    server = scene.serve(workers=1)
    until(lambda: scene.count(Job, Job.state == "running", Job.kind == "analyse"), "an analysis runs")
    server.kill()
    for moment in (
        # The preview is stored, nothing is committed; a third kill of one job would be its last attempt.
        "app.matching.service:Matching._write_fingerprint",
        "app.matching.service:Matching._write_matches",
    ):
        server = scene.serve(workers=1, pause_at=moment)
        server.paused()
        server.kill()
    server = scene.serve(workers=1)
    until(lambda: services.jobs.unfinished() == 0, "the work is done")
    server.stop()
    once_each(scene, items)
    assert scene.count(Item) == len(items)
    assert_clean(services)
    assert {f["code"] for f in audit(services)["findings"]} == set()
    services.archive.db.close()


def once_each(scene: Scene, items: list[str]) -> None:
    """Each item was analysed, fingerprinted and compared exactly once, and as it should be."""
    for item in items:
        assert scene.count(AnalysisRun, AnalysisRun.item_id == item, AnalysisRun.state == "done") == 1
        assert scene.count(FingerprintRow, FingerprintRow.item_id == item, FingerprintRow.state == "done") == 1
    assert scene.count(AnalysisRun) == scene.count(FingerprintRow) == len(items)
    assert scene.count(Job, col(Job.state) != "done") == 0
    with scene.services.archive.db.read() as session:
        identical = session.exec(select(MatchRow).where(MatchRow.verdict == "identical")).all()
    assert [{match.query_item, match.item} for match in identical] == [{items[0], items[-1]}]


PARSER = """
from app.analysis.sandbox import run_sandboxed
run_sandboxed("tests.sandbox_targets:sleeps", (300.0,))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such signal")
def test_parser_at_work_does_not_outlive_the_killed_process_that_asked_for_it() -> None:
    with subprocess.Popen([sys.executable, "-c", PARSER], cwd=ROOT) as asking:

        def parsers() -> list[int]:
            now = living()
            return [pid for pid, (parent, session) in now.items() if session == pid and child_of(asking.pid, parent)]

        def child_of(ancestor: int, pid: int) -> bool:
            return living().get(pid, (0, 0))[0] == ancestor

        until(parsers, "the parser works")
        (parser,) = parsers()
        asking.kill()
    until(lambda: parser not in living(), "the parser has ended", 20)


def test_worker_that_is_killed_or_frozen_is_replaced_and_what_the_frozen_one_made_is_not_kept(scene: Scene) -> None:
    services = scene.services
    who = services.access.local_operator()
    case = services.evidence.find_case(who, "T1")
    data = [picture(4), picture(5), picture(4)]
    items = [deposit(services, who, case, one, f"{number}.jpg").item.id for number, one in enumerate(data)]

    killed = scene.start("worker", pause_at="app.analysis.service:examine")
    frozen = scene.start("worker", pause_at="app.analysis.service:examine")
    killed.paused()
    frozen.paused()
    killed.kill()
    frozen.send(signal.SIGSTOP)
    third = scene.start("worker", "--json")
    until(lambda: services.jobs.unfinished() == 0, "the third worker has done it all")
    once_each(scene, items)

    frozen.go_on()
    frozen.send(signal.SIGCONT)
    until(lambda: "lease was lost" in frozen.stderr, "the thawed worker finds that it was replaced")
    frozen.stop()
    third.stop()
    assert third.stdout.split() == ["{", '"unfinished":', "0", "}"]
    once_each(scene, items)
    assert_clean(services)
