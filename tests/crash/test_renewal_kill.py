"""`kill -9` at each step of a renewal: it is recorded whole or not at all, and the next one works."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checks import assert_clean, audit
from tests.conftest import ROOT
from tests.renewals import Stage, lasting, stage

PROGRAM = """
import os, signal, sys
from pathlib import Path
from app.custody.service import Custody
from app.renewal import making, service
from app.wiring import open_archive
from tests.archives import PASSPHRASE, settings_of

def die(*_arguments, **_named):
    os.kill(os.getpid(), signal.SIGKILL)

def after(function):
    def wrapped(*arguments, **named):
        function(*arguments, **named)
        die()
    return wrapped

step = sys.argv[2]
services = open_archive(settings_of(Path(sys.argv[1])), lambda: PASSPHRASE)
if step == "while the log is read":
    making.write_tree = die
elif step == "before the tree is stamped":
    service.stamp_in_turn = die
elif step == "before it is recorded":
    Custody.record = die
elif step == "after it is recorded":
    Custody.record = after(Custody.record)
services.renewals.renew(services.access.local_operator(), due_only=len(sys.argv) > 3)
"""
STEPS = ["while the log is read", "before the tree is stamped", "before it is recorded", "after it is recorded"]


def killed(at: Stage, step: str, *due_only: str) -> None:
    """Run a renewal in a process of its own that dies at this step."""
    command = [sys.executable, "-c", PROGRAM, str(at.services.archive.settings.data), step, *due_only]
    child = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=120)
    assert child.returncode == -signal.SIGKILL, child.stderr


@pytest.mark.parametrize("step", STEPS)
def test_killed_renewal_is_not_there_and_the_next_one_is_whole(step: str, tmp_path: Path) -> None:
    with stage(tmp_path) as at:
        item = at.deposit(b"a photo").item.id
        killed(at, step)
        assert at.services.renewals.standing(at.admin).renewals == []  # the event and its row are one transaction
        assert at.told() == []
        assert [f["code"] for f in audit(at.services)["findings"] if f["code"].startswith("renewal_")] == [
            "renewal_stray"
        ]
        outcome = at.services.renewals.renew(at.admin)
        assert outcome.tree is not None
        assert outcome.tree.number == 2
        assert at.verify(at.files(f"item:{item}"), 2, f"item:{item}")
        assert_clean(at.services)


def test_killed_renewal_of_an_older_tree_leaves_its_chain_as_it_was(tmp_path: Path) -> None:
    with stage(tmp_path, ()) as at:
        at.ask("brief", lasting("brief", 100))
        item = at.deposit(b"a photo").item.id
        at.services.renewals.renew(at.admin)
        at.ask("long")
        killed(at, "before it is recorded", "due only")
        (renewal,) = at.services.renewals.standing(at.admin).renewals
        assert len(renewal.stamps) == 1
        assert len(at.verify(at.files(f"item:{item}"), 1, f"item:{item}")[1]) == 1
        assert_clean(at.services)
        outcome = at.services.renewals.renew(at.admin, due_only=True)
        assert len(outcome.stamps[1]) == 2
        assert len(at.verify(at.files(f"item:{item}"), 1, f"item:{item}")[1]) == 3
        assert_clean(at.services)
