"""`kill -9` of a real server at every step of a resumable upload, links cut and a disk filled: one item, whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlmodel import func, select

from app.evidence.models import Item, Receipt
from app.intake.models import Upload
from tests.checks import assert_clean
from tests.crash.uploads import MIB, Content, Range, Strikes, Tally, campaign, run, upload_range

SIZE = 100_000
MOMENTS = {
    "app.intake.upload_rows:UploadRows.has_come": 0,  # the bytes are synced, the offset has not moved
    "app.intake.finishing:Finisher._item_of": SIZE,  # every byte is promised, no item is made
    "app.intake.service:Intake._write_item": SIZE,  # the file is a blob, no row says so
    "app.intake.upload_rows:UploadRows.is_item": SIZE,  # the item is committed, the upload does not know it
    "app.intake.spool:SpoolFile.remove": SIZE,  # all is done but the tidying
}


@pytest.fixture
def shooting(tmp_path: Path) -> Iterator[Range]:
    with upload_range(tmp_path, seed=1) as made:
        yield made


def test_server_killed_at_every_step_makes_each_item_once_when_the_client_goes_on(shooting: Range) -> None:
    tally, begun = Tally("kill -9"), []
    for number, (moment, promised) in enumerate(MOMENTS.items()):
        content = Content(number, SIZE)
        server = shooting.serve(pause_at=moment)
        path = shooting.create(SIZE)
        with shooting.begin_patch(path, 0, SIZE) as line:
            line.sendall(b"".join(content.pieces(0)))
            server.paused()
            shooting.kill()
            with suppress(OSError):
                assert line.recv(100) == b"", "the client got an answer after all"
        begun.append((path, content))
        with shooting.services.archive.db.read() as session:
            assert session.get_one(Upload, path.rsplit("/", 1)[-1]).committed == promised
        shooting.services.uploads.work()  # as the attendant of any other process does: one item, and no second one
    shooting.serve()
    for path, content in begun:
        for _ in range(2):  # what is repeated changes nothing
            if int(shooting.head(path).headers["upload-offset"]) < SIZE:
                shooting.send(path, content, 0, None, None)
            shooting.check(tally, path, content)
    assert tally.wrong == []
    shooting.final_checks(tally)
    assert tally.wrong == []
    with shooting.services.archive.db.read() as session:
        for table in (Item, Receipt):
            assert session.exec(select(func.count()).select_from(table)).one() == len(MOMENTS)
    assert_clean(shooting.services)


def test_server_killed_at_random_moments_resends_little_and_loses_nothing(tmp_path: Path) -> None:
    with upload_range(tmp_path, seed=3) as shooting:
        tally = campaign(shooting, Tally("kill -9"), 3, 40 * MIB, Strikes(shooting))
    assert tally.wrong == []
    assert tally.faults == 3


@pytest.mark.parametrize("kind", ["cut", "full disk"])
def test_cut_links_and_full_disks_lose_nothing(tmp_path: Path, kind: str) -> None:
    tally = run(kind, 3, 8 * MIB, 5, tmp_path)
    if tally is None:
        pytest.skip("this machine does not let us mount a small file system")
    assert tally.wrong == []
    assert tally.faults == 3
