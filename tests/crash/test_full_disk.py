"""A disk that is really full: what was acknowledged stays, what was refused left nothing behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import col, func, select

from app.errors import EnvironmentFailedError
from app.evidence.models import Item
from evidence_store.errors import EvidenceStoreError
from tests.archives import deposit, make_archive
from tests.checks import assert_clean

SIZE_MIB = 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let us mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


def test_a_full_disk_loses_nothing_acknowledged_and_halves_nothing(small_disk: Path) -> None:
    services = make_archive(small_disk)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    acknowledged: set[str] = set()
    refusals: list[str] = []
    for number in range(400):
        size = 300_000 if number < 60 else 4_000  # first the bytes hit the wall, then the database does
        try:
            acknowledged.add(deposit(services, who, case, os.urandom(size), f"{number}.bin").item.id)
        except (EnvironmentFailedError, EvidenceStoreError) as error:
            refusals.append(error.code)
            if len(refusals) > 25:
                break
    assert refusals
    assert set(refusals) == {"storage_full"}
    filler = small_disk / "archive" / "blobs" / "staging"
    assert list(filler.iterdir()) == []
    bigger = ["mount", "-o", f"remount,size={2 * SIZE_MIB}m", str(small_disk)]
    subprocess.run(bigger, check=True, capture_output=True)
    with services.archive.db.read() as session:
        kept = set(session.exec(select(Item.id)))
        doubled = select(Item.original_name).group_by(col(Item.original_name)).having(func.count() > 1)
        assert list(session.exec(doubled)) == []
    assert acknowledged <= kept
    # An item whose receipt could not be written was refused to the depositor, and is whole all the same.
    claim = services.jobs.claim("recovery")
    while claim is not None and claim.kind == "seal":
        services.intake.handle_seal(claim)
        claim = services.jobs.claim("recovery")
    assert_clean(services)
    assert deposit(services, who, case, b"there is room again").item.id
    services.archive.db.close()
