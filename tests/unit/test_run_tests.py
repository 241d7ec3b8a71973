"""What `make test` and `make help` promise: judges found in the tests, missing ones named, every target explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import judges, run_tests
from tests import longest_first
from tests.summary_plugin import missing_judges

ROOT = Path(__file__).resolve().parents[2]


def test_every_program_that_tests_require_has_a_debian_package_or_a_list_of_its_own() -> None:
    folders = [path for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "unit"]
    calls = re.compile(r"""\brequire\(\s*["']([\w.+-]+)["']""")
    required = {name for folder in folders for path in folder.rglob("*.py") for name in calls.findall(path.read_text())}
    assert "openssl" in required
    assert required - {"sh"} - judges.LOCKS.keys() <= judges.PACKAGES.keys() | judges.FILES.keys()
    assert all((ROOT / lock).is_file() for lock in judges.LOCKS.values())
    assert required - {"sh"} - judges.LOCKS.keys() <= set(judges.called_by_tests())


def test_judges_are_read_from_the_tests_that_call_them(tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "test_a.py").write_text("require('unzip'); call(\"exiftool\", 'no-such-judge')")
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit" / "test_b.py").write_text("require('xmllint')")
    assert judges.called_by_tests(tmp_path) == ["exiftool", "unzip"]
    assert judges.packages_for(["sha256sum", "sha512sum", "unzip"]) == ["coreutils", "unzip"]


def test_without_the_right_to_install_the_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "apt-get").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert judges.install(["exiftool"]) == (
        "this user may not install packages; ask for: apt-get install libimage-exiftool-perl"
    )


def test_failed_installation_is_told_and_not_raised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "apt-get"
    program.write_text("#!/bin/sh\necho 'E: no network' >&2\nexit 100\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert judges.install(["unzip"]) == "apt-get update failed: E: no network"


def _report(longrepr: object) -> pytest.TestReport:
    return pytest.TestReport("t", ("t", 1, "t"), {}, "skipped", longrepr, "call")  # type: ignore[arg-type]


def test_summary_names_each_missing_judge_with_the_tests_that_asked() -> None:
    reports = [
        _report(("file", 3, "Skipped: missing judge: exiftool")),
        _report("missing judge: exiftool"),
        _report("missing judge: java"),
        _report("AssertionError"),
    ]
    assert missing_judges(reports) == {"exiftool": 2, "java": 1}


def test_a_missing_judge_alone_does_not_fail_the_run() -> None:
    outcome = run_tests.Outcome()
    outcome.note("pytest", "3 passed")
    outcome.note("missing judge", "java", mark="--")
    assert outcome.well


def test_one_bad_step_fails_the_run_even_when_later_ones_are_good() -> None:
    outcome = run_tests.Outcome()
    outcome.note("ruff check", "found faults", good=False)
    outcome.note("mypy", "clean")
    assert not outcome.well
    assert [mark for mark, _, _ in outcome.lines] == ["FAILED", "ok"]


def test_modules_that_begin_first_are_there_and_the_others_follow_by_their_number_of_tests() -> None:
    assert [name for name in longest_first.LONGEST if not (ROOT / name).is_file()] == []
    some, more, long = "tests/some.py", "tests/more.py", longest_first.LONGEST[-1]
    modules = [some, more, more, long]
    assert sorted({some, more, long}, key=longest_first.order(modules)) == [long, more, some]


def test_longest_modules_are_told_by_what_all_their_tests_took() -> None:
    reports = [_report("") for _ in range(3)]
    for report, module, took in zip(reports, "aba", (1.0, 2.5, 2.0), strict=True):
        report.nodeid, report.duration = f"tests/{module}.py::test", took
    assert longest_first.seconds(reports) == {"tests/a.py": 3.0, "tests/b.py": 2.5}


@pytest.mark.parametrize("code", [0, 1])
def test_types_are_checked_beside_the_tests_and_their_faults_are_told(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mypy = tmp_path / "mypy"
    mypy.write_text(f"#!/bin/sh\necho 'app/a.py:1: wrong type'\nexit {code}\n")
    mypy.chmod(0o755)
    monkeypatch.setattr(run_tests, "_tool", lambda name: str(tmp_path / name))
    outcome = run_tests.Outcome()
    with run_tests.types(outcome):
        assert outcome.lines == []
    assert outcome.well is (code == 0)
    assert [step for _, step, _ in outcome.lines] == ["mypy --strict"]
    assert "app/a.py:1: wrong type" in capsys.readouterr().out


def test_every_make_target_is_explained_in_help() -> None:
    text = (ROOT / "Makefile").read_text()
    declared = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)[0].split()
    explained = re.findall(r"^([a-z]+):.*## \S", text, re.MULTILINE)
    assert sorted(declared) == sorted(explained)


def test_lock_files_hold_hashes_and_no_address() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        text = lock.read_text()
        assert "://" not in text
        pins = re.findall(r"^[a-z0-9._-]+==.*\n(.*)$", text, re.MULTILINE)
        assert pins
        assert all(following.startswith("    --hash=sha256:") for following in pins)
