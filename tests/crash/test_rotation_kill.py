"""A rotation that is killed at every step: nothing is lost, nothing is half, and old signatures still verify.

Processes are killed where a step begins; between those moments the same is done in this process, before each single
write, for all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from app.keyring import folder as folders
from app.keyring import making, rotation
from app.keyring.rotation import Wish
from evidence_store.trust import USES
from tests.archives import PASSPHRASE
from tests.checks import assert_clean
from tests.databases import fresh_database
from tests.keyrings import Machine, Ring
from tests.processes import Nursery, nursery

MOMENTS = (
    "app.keyring.folder:KeyFolder.commit",  # new keys are made, no plan says so
    "app.keyring.rotation:Rotations._record",  # the plan is there, the log knows nothing
    "app.keyring.rotation:Rotations._finish",  # the log knows, nothing else is done
    "app.keyring.folder:KeyFolder.switch",  # the old key has signed its retirement
    "app.keyring.folder:move_file",  # the old public half is put away
    "app.keyring.rotation:Rotations._tell_in_use",  # the files have changed places
    "app.keyring.rotation:Rotations.disown_files",  # all is done but tidying up
)
BEFORE_THE_LOG_KNOWS = MOMENTS[:2]


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("processes")) as made:
        yield made


def keys_in_use(ring: Ring) -> dict[str, str]:
    history = ring.services.keyring.history()
    return {use: record.key for use in USES if (record := history.current(use)) is not None}


def is_whole(ring: Ring, before: dict[str, str], changed: set[str]) -> None:
    """After whatever happened: the next thing that needs a key ends it, and all is as it should be."""
    ring.services.checkpoint()
    assert not (ring.keys / "next").exists()
    after = keys_in_use(ring)
    assert {use for use in USES if before[use] != after[use]} == changed
    ring.services.keyring.agreed()
    for record in ring.services.keyring.history().records:
        files = [path for path in (ring.keys / "retired").glob("*") if path.suffix in {".crt", ".vkey"}]
        assert record.retired is None or record.material.strip() in {path.read_text().strip() for path in files}
    assert ring.deposit() is not None
    assert_clean(ring.services)
    codes = {code for code, _ in ring.findings("error", "warning")}
    assert codes <= {"key_retired_unproven"}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("use", "backend"), [("log", "sqlite"), ("ca", "sqlite"), ("log", "postgresql")])
def test_rotation_killed_at_every_step_has_happened_whole_or_not_at_all(
    use: str, backend: str, tmp_path: Path, processes: Nursery
) -> None:
    url = fresh_database(backend, tmp_path) if backend == "postgresql" else None
    ring = Ring(tmp_path, url, Machine())
    settings = ring.services.archive.settings
    environment = {
        "CATENA_DATA": str(settings.data),
        "CATENA_DATABASE_URL": settings.database_url,
        "CATENA_PASSPHRASE": PASSPHRASE.decode(),
    }
    for moment in MOMENTS:
        before = keys_in_use(ring)
        process = processes.start("keys", "rotate", use, pause_at=moment, **environment)
        process.paused()
        process.kill()
        changed = set() if moment in BEFORE_THE_LOG_KNOWS else {use, *({"seal"} if use == "ca" else ())}
        assert (ring.keys / "next").exists(), moment
        is_whole(ring, before, changed)
    ring.services.archive.db.close()


class Death(BaseException):
    """What ends a process: no handler of ours may catch it."""


class Mortal:
    """Ends the rotation before the write of a number; counts them all when there is none."""

    def __init__(self, last: int | None) -> None:
        self.last = last
        self.writes = 0

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def write(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - stands in for any function
            self.writes += 1
            if self.writes - 1 == self.last:
                raise Death
            return function(*args, **kwargs)

        return write


WRITES = (
    (folders, "write_new"),
    (folders, "link_new"),
    (folders, "move_file"),
    (folders, "make_directories"),
    (shutil, "rmtree"),
    (making, "write_new"),
    (making, "save_private_key"),
    (making, "make_cosigner"),
    (rotation, "move_file"),
    (rotation.Rotations, "_record"),
    (rotation.Rotations, "_tell_in_use"),
    (rotation.Rotations, "_sign"),
)


def rotated(ring: Ring, use: str, mortal: Mortal) -> None:
    with ExitStack() as patches:
        for owner, name in WRITES:
            patches.enter_context(mock.patch.object(owner, name, mortal(getattr(owner, name))))
        ring.services.keyring.rotate(ring.who, Wish(use))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("use", USES)
def test_rotation_that_dies_before_any_single_write_has_happened_whole_or_not_at_all(use: str, tmp_path: Path) -> None:
    ring = Ring(tmp_path)
    ring.deposit()
    counting = Mortal(None)
    rotated(ring, use, counting)
    assert counting.writes >= 8
    happened = []
    for last in range(counting.writes):
        before = keys_in_use(ring)
        ring.clock.pass_days(1)
        with pytest.raises(Death):
            rotated(ring, use, Mortal(last))
        ring.clock.pass_days(1)
        changed = {each for each in USES if before[each] != keys_in_use(ring)[each]}
        happened.append(bool(changed))
        is_whole(ring, before, changed)
    assert happened == sorted(happened), "once the log knows, there is no way back"
    assert {True, False} == set(happened)
    ring.services.archive.db.close()
