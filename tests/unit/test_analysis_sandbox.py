"""Attacks from inside the sandbox: each ends as a coded failure and touches nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.analysis import sandbox
from app.analysis.errors import SandboxFailure
from app.analysis.limits import Limits
from app.analysis.sandbox import run_sandboxed, sandbox_level
from app.analysis.sandbox_frames import decode_frame, encode_frame
from tests.conftest import ROOT


def run(name: str, *args: object, limits: Limits | None = None) -> object:
    return run_sandboxed(f"tests.sandbox_targets:{name}", args, limits)


def failure(name: str, *args: object, limits: Limits | None = None) -> SandboxFailure:
    with pytest.raises(SandboxFailure) as caught:
        run(name, *args, limits=limits)
    return caught.value


def needs(part: str) -> None:
    if not sandbox_level()[part]:
        pytest.skip(f"no {part} here")


def test_answers_come_back_as_json_as_bytes_and_as_a_pair() -> None:
    assert run("double", 21) == 42
    assert run("some_bytes", 100_000) == b"\xff" * 100_000
    assert run("pair") == ({"width": 3}, b"\x00\x01")


def test_calls_from_many_threads_each_get_their_own_answer() -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda number: run("double", number), range(40))) == [2 * n for n in range(40)]


def test_coded_error_keeps_its_reason() -> None:
    error = failure("coded")
    assert (error.code, error.reason, error.detail) == ("parser_error", "image_too_large", "it says so")


def test_any_exception_of_a_parser_is_one_code() -> None:
    error = failure("raises")
    assert (error.code, error.detail) == ("parser_error", "AssertionError: as exifread does")


def test_memory_beyond_the_limit_is_refused() -> None:
    assert failure("eats_memory").code == "parser_memory"


def test_segmentation_fault_is_reported_with_its_signal() -> None:
    error = failure("reads_null")
    assert error.code == "parser_crashed"
    assert "SIGSEGV" in error.detail


def test_cpu_time_runs_out() -> None:
    assert failure("burns", limits=Limits(cpu_s=1)).code == "parser_cpu"


def test_sleeper_is_killed_at_the_wall_limit() -> None:
    began = time.monotonic()
    assert failure("sleeps", 60, limits=Limits(wall_s=0.5)).code == "parser_timeout"
    assert time.monotonic() - began < 5


def test_flood_of_output_is_refused() -> None:
    assert failure("some_bytes", 200_000, limits=Limits(output_bytes=100_000)).code == "output_too_large"


def test_frame_that_is_none_counts_as_a_crash_and_is_never_unpickled() -> None:
    assert failure("lies").code == "parser_crashed"


def test_parser_cannot_write_a_file(tmp_path: Path) -> None:
    assert failure("writes", str(tmp_path)).code == "parser_error"
    assert not (tmp_path / "planted").exists() or (tmp_path / "planted").stat().st_size == 0


def test_parser_reads_its_own_file_and_no_other(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.write_text("mine")
    other.write_text("theirs")
    assert run("reads_given", own) == "mine"
    needs("landlock")
    assert "PermissionError" in failure("reads", str(other)).detail


def test_parser_cannot_reach_the_network() -> None:
    needs("seccomp")
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert "PermissionError" in failure("connects", server.getsockname()[1]).detail


@pytest.mark.parametrize(
    "attack",
    [
        "forks",
        "executes",
        "kills_parent",
        "signals_a_thread_of_its_parent",
        "limits_its_parent",
        "names_an_owner_of_signals",
        "names_an_owner_by_the_newer_command",
        "chooses_the_signal",
        "names_an_owner_as_sockets_do",
        "names_a_group_as_sockets_do",
        "outlives_its_parent",
        "outlives_its_parent_with_bits_that_the_kernel_drops",
        "outlives_its_parent_as_another_user",
        "flushes_the_disks",
        "asks_to_be_told_of_a_folder",
        "makes_a_timer",
        "binds_its_parent_to_one_processor",
        "asks_for_the_time_slice_of_its_parent",
        "asks_for_the_locks_of_its_parent",
        "asks_for_the_disk_priority_of_its_parent",
        "leaves_its_group",
        "leaves_memory_behind",
        "makes_a_file_in_memory",
        "sets_the_clock",
        "writes_to_shared_memory",
    ],
)
def test_parser_cannot_reach_other_processes_nor_leave_anything_behind(attack: str) -> None:
    needs("seccomp")
    assert "PermissionError" in failure(attack).detail
    assert run("double", 1) == 2


@pytest.mark.parametrize(
    "attack",
    [
        "leases",
        "leases_for_reading",
        "flushes_one_disk",
        "flushes_its_file",
        "locks_its_file",
        "flushes_a_part_of_a_file",
    ],
)
def test_parser_cannot_make_others_wait_for_what_it_may_read(attack: str, tmp_path: Path) -> None:
    needs("seccomp")
    own = tmp_path / "own"
    own.write_text("mine")
    assert "PermissionError" in failure(attack, own).detail
    assert run("reads_given", own) == "mine"


@pytest.mark.parametrize("attack", ["changes_rights", "changes_times"])
def test_parser_cannot_change_what_it_may_read(attack: str, tmp_path: Path) -> None:
    needs("seccomp")
    own = tmp_path / "own"
    own.write_text("mine")
    before = own.stat()
    assert "PermissionError" in failure(attack, own).detail
    assert (own.stat().st_mode, own.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_parser_may_lower_its_own_limits() -> None:
    assert run("lowers_its_own_limit") == 8


def test_parser_may_bind_itself_and_set_the_flags_of_its_descriptors() -> None:
    assert run("binds_itself_and_reads_flags") is True


def test_group_is_killed_before_the_exit_status_is_told_and_never_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is told, the number of the group may be another's."""
    order: list[str] = []
    kill_group, exit_code = os.killpg, sandbox._Child.exit_code

    def kills(group: int, number: int) -> None:
        order.append("kill")
        kill_group(group, number)

    def reads(child: sandbox._Child) -> int | None:
        order.append("status")
        return exit_code(child)

    monkeypatch.setattr(os, "killpg", kills)
    monkeypatch.setattr(sandbox._Child, "exit_code", reads)
    assert run("double", 1) == 2
    assert failure("reads_null").detail == "the parser died by SIGSEGV"
    assert failure("sleeps", 60, limits=Limits(wall_s=0.2)).code == "parser_timeout"
    assert order == ["kill", "status"] * 3


def test_memory_is_bounded_for_all_threads_together() -> None:
    eaten = run("eats_memory_in_threads", limits=Limits(memory_bytes=1200 * 1024 * 1024))
    assert isinstance(eaten, int)
    assert eaten < 1200 * 1024 * 1024


def test_parser_has_no_descriptor_but_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)):
        found = run("open_descriptors")
    assert isinstance(found, list)
    assert found[:3] == [0, 1, 2]
    assert len(found) == 4, "three that are empty, and the pipe of its answer"


def test_confinement_that_is_demanded_and_not_had_refuses_the_file_and_does_not_fail_it() -> None:
    """On a kernel that answers Landlock's system calls with ENOSYS, as an old one does."""
    program = (
        "from tests.lesser_machine import without_landlock\n"
        "without_landlock()\n"
        "from app.analysis import sandbox\n"
        "print(sandbox.sandbox_level()['landlock'], sandbox.run_sandboxed('tests.sandbox_targets:double', (21,)))\n"
        "sandbox.demand('require')\n"
        "print(sandbox.shortcomings())\n"
        "try:\n"
        "    sandbox.run_sandboxed('tests.sandbox_targets:double', (21,))\n"
        "except sandbox.SandboxUnfitError as error:\n"
        "    print(error.code, error.status, error.detail)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        "0 42",
        "['landlock']",
        "sandbox_insufficient 503 without landlock nothing is parsed here; landlock: Function not implemented",
    ]


def test_hostile_file_cannot_claim_that_it_was_not_confined_and_so_be_tried_for_ever() -> None:
    assert failure("claims_that_it_was_not_confined").code == "parser_error"


def test_demanded_parts_hold_on_a_machine_that_has_them() -> None:
    needs("landlock")
    needs("seccomp")
    assert run_sandboxed("tests.sandbox_targets:double", (4,), required=("rlimits", "landlock", "seccomp")) == 8


def test_parser_may_use_threads() -> None:
    assert run("makes_thread") == [1]


def test_level_names_every_part() -> None:
    level = sandbox_level()
    assert level["rlimits"] is True
    assert set(level) == {"rlimits", "landlock", "seccomp", "network", "reasons"}
    assert level["network"] in {"denied", "allowed"}


def test_no_descriptor_and_no_process_is_left_behind() -> None:
    run("double", 1)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        run("double", 1)
    failure("sleeps", 60, limits=Limits(wall_s=0.2))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert threading.active_count() < 20


@pytest.mark.parametrize("cut", [0, 5, 16, 20, -1])
def test_cut_off_frame_is_no_frame(cut: int) -> None:
    whole = encode_frame({"ok": True, "shape": "bytes"}, b"body")
    assert decode_frame(whole) is not None
    assert decode_frame(whole[:cut]) is None


def test_frame_with_a_header_that_is_no_object_is_no_frame() -> None:
    good = encode_frame({}, b"")
    assert decode_frame(good[:-2] + b"[]") is None
    assert decode_frame(good[:-2] + b"{!") is None


def test_scaled_limits_give_time_and_no_memory() -> None:
    assert Limits().scaled(4) == Limits(cpu_s=40, wall_s=120.0)


def test_a_hostile_file_finds_no_passphrase_in_its_environment() -> None:
    program = (
        "import os\n"
        "from app.analysis.sandbox import run_sandboxed\n"
        "print(run_sandboxed('tests.sandbox_targets:secrets_within_reach', ()))\n"
        "print(os.environ['CATENA_PASSPHRASE'])\n"
        "names = run_sandboxed('tests.sandbox_targets:environment', ())\n"
        "print([name for name in names if name.endswith(('_KEY', 'PASSWORD'))])\n"
    )
    environment = {**os.environ, "CATENA_PASSPHRASE": "let me in", "CATENA_TOKEN": "t", "PGPASSWORD": "p", "S_KEY": "k"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "let me in", "[]"]
