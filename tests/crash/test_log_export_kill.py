"""`kill -9` during `catena log export`: whoever reads the mirror then finds a whole log, and the next run goes on."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.api.services import Services
from app.custody.service import SYSTEM
from app.custody.vkeys import log_keys, verifier_lines
from tests.archives import make_archive
from tests.checks import assert_clean
from tests.mirrors import files, verified
from tests.processes import Nursery, Process, nursery

ROUNDS = 20
OLD, NEW = 300, 1100


@dataclass(frozen=True)
class Scene:
    """An archive whose log was published, and has grown since."""

    services: Services
    processes: Nursery
    mirror: Path
    old: int

    def export(self, folder: Path, pause_at: str | None = None) -> Process:
        """Start a run; it needs no key, as a run by a timer beside a server."""
        data = str(self.services.archive.settings.data)
        return self.processes.start("log", "export", str(folder), "--latest", "--data", data, pause_at=pause_at)

    def size_of(self, folder: Path) -> int:
        """The size of the log that a stranger finds in a folder, after checking all of it."""
        return verified(folder, verifier_lines(self.services.archive.settings.keys)[0]).size


def grow(services: Services, count: int) -> int:
    with services.archive.db.write() as session:
        for _ in range(count):
            services.archive.custody.record(session, services.archive.about, "annotation", SYSTEM)
    services.checkpoint()
    return services.checkpointer.signed_size()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("mirrored")
    services = make_archive(folder)
    assert log_keys(services.archive.settings.keys)
    old = grow(services, OLD)
    with nursery(folder) as processes:
        made = Scene(services, processes, folder / "mirror", old)
        assert made.export(made.mirror).wait() == 0
        grow(services, NEW - OLD)
        yield made
    assert_clean(services)
    services.archive.db.close()


@pytest.mark.parametrize(
    ("place", "published"),
    [
        ("app.custody.publish:_spool", False),
        ("app.custody.publish:place_file", False),
        ("app.custody.publish:_finish", False),
        ("app.custody.publish:replace_file", False),
        ("app.custody.publish:_Mirror.remove_superseded", True),
    ],
)
def test_run_killed_at_a_step_leaves_the_old_log_or_the_new_one_whole(
    scene: Scene,
    tmp_path: Path,
    place: str,
    published: bool,  # noqa: FBT001
) -> None:
    mirror = tmp_path / "mirror"
    shutil.copytree(scene.mirror, mirror)
    run = scene.export(mirror, pause_at=place)
    run.paused()
    assert scene.size_of(mirror) == (scene.services.checkpointer.signed_size() if published else scene.old)
    run.kill()
    assert scene.size_of(mirror) == (scene.services.checkpointer.signed_size() if published else scene.old)
    assert scene.export(mirror).wait() == 0
    assert scene.size_of(mirror) == scene.services.checkpointer.signed_size()


def test_first_run_killed_before_its_checkpoint_is_gone_on_with(scene: Scene, tmp_path: Path) -> None:
    run = scene.export(tmp_path / "mirror", pause_at="app.custody.publish:_finish")
    run.paused()
    run.kill()
    assert not (tmp_path / "mirror" / "checkpoint").exists()
    before = files(tmp_path / "mirror")
    assert scene.export(tmp_path / "mirror").wait() == 0
    assert scene.size_of(tmp_path / "mirror") == scene.services.checkpointer.signed_size()
    now = files(tmp_path / "mirror")
    assert {name: now[name] for name in before} == before, "what was written is not written again"


def test_runs_killed_at_any_moment_of_writing_never_leave_a_broken_log(scene: Scene, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    seen = []
    for _ in range(ROUNDS):
        shutil.rmtree(mirror, ignore_errors=True)
        shutil.copytree(scene.mirror, mirror)
        run = scene.export(mirror, pause_at="app.custody.publish:place_file")
        run.paused()
        run.go_on()
        time.sleep(chance.uniform(0, 0.06))
        with suppress(ProcessLookupError):  # it may have ended well just now
            run.send(signal.SIGKILL)
        run.wait()
        seen.append(scene.size_of(mirror))
    assert set(seen) <= {scene.old, scene.services.checkpointer.signed_size()}
    assert scene.old in seen, "no run was killed in time: this proves nothing"
    assert scene.export(mirror).wait() == 0
    assert scene.size_of(mirror) == scene.services.checkpointer.signed_size()
    assert not [name for name in files(mirror) if "/." in name or name.startswith(".")]
