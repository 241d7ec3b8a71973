"""The verifier in one file: the same bytes each time, the same report as the package, and hardly anything needed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.cli.__main__ import main as catena
from evidence_store.bundle import layout
from evidence_store.verify import single_file as builder
from evidence_store.verify.__main__ import main
from evidence_store.verify.single_file import modules, single_file, tool_digest
from evidence_store.verify.version import VERSION
from tests.attested import local_tsa, policy_text, stamped_archive, witness
from tests.bundles import old_plan, reseal, sample_archive, unzip, write_folder, write_plan
from tests.conftest import ROOT

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tool") / "catena_verify.py"
    path.write_bytes(single_file())
    return path


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with nothing but `cryptography` (and what it is made of) and `asn1crypto`."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("cryptography", "asn1crypto", "cffi", "_cffi_backend", "pycparser"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            place = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
            (folder / place.name).symlink_to(place)
    return folder


def run(tool: Path, bare: Path, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The file, without site packages; only what `bare` holds can be imported."""
    return subprocess.run(
        [sys.executable, "-S", tool, *arguments],
        env={"PYTHONPATH": str(bare), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=120,
    )


# -- how it is built -----------------------------------------------------------------------------


def test_the_file_states_its_version_and_the_digest_of_each_source(tool: Path) -> None:
    text = tool.read_text("utf-8")
    assert f"version {VERSION}" in text.splitlines()[1]
    listed = re.findall(r"^# ([0-9a-f]{64})  (\S+)$", text, re.MULTILINE)
    assert [path for _, path in listed][1:] == [builder._path_of(name) for name in modules()]
    for digest, path in listed:
        source = (ROOT / path).read_bytes()
        assert hashlib.sha256(source).hexdigest() == digest
        assert source.decode() in text  # verbatim


def test_modules_stand_after_those_that_they_need_and_none_is_another_rooms() -> None:
    names = modules()
    assert names[-1] == "evidence_store.verify.__main__"
    assert len(set(names)) == len(names)
    for place, name in enumerate(names):
        assert set(builder._imports(name)) <= set(names[:place]) | {name.rpartition(".")[0]}, name
    assert not [name for name in names if name.startswith(("evidence_store.keys", "evidence_store.blobs"))]


def test_the_same_sources_give_the_same_bytes(tool: Path) -> None:
    program = "import sys; from evidence_store.verify.single_file import single_file; "
    program += "sys.stdout.buffer.write(single_file())"
    again = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT, env={"PYTHONHASHSEED": "7"}
    )
    assert again.stdout == tool.read_bytes()


def test_a_source_that_would_end_its_own_quotes_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "evidence_store/verify").mkdir(parents=True)
    (tmp_path / "evidence_store/__init__.py").write_text("")
    (tmp_path / "evidence_store/verify/__init__.py").write_text("")
    (tmp_path / "evidence_store/verify/__main__.py").write_text("x = '''y'''\n")
    (tmp_path / "evidence_store/verify/findings.json").write_text("{}\n")
    monkeypatch.setattr(builder, "_ROOT", tmp_path)
    builder.single_file.cache_clear()
    with pytest.raises(ValueError, match="cannot stand between quotes"):
        single_file()
    builder.single_file.cache_clear()


# -- what it says --------------------------------------------------------------------------------


def _sealed(change: Callable[[Files], object]) -> Callable[[Files], Files]:
    def apply(files: Files) -> Files:
        change(files)
        return reseal(files, stamped_archive())

    return apply


def _plain(change: Callable[[Files], object]) -> Callable[[Files], Files]:
    def apply(files: Files) -> Files:
        change(files)
        return files

    return apply


BUNDLES: dict[str, Callable[[Files], Files]] = {
    "good": _plain(lambda _: None),
    "changed original": _plain(
        lambda files: files.update({next(p for p in files if p.startswith("data/originals/")): b"another"})
    ),
    "no manifest": _plain(lambda files: files.pop(layout.MANIFEST)),
    "no events": _plain(lambda files: files.pop(layout.EVENTS)),
    "added file": _plain(lambda files: files.update({"data/new": b"new"})),
    "manifest of nonsense": _sealed(lambda files: files.update({layout.MANIFEST: b"[1]"})),
    "token of nonsense": _sealed(lambda files: files.update({layout.token_path("first"): b"trust me"})),
    "key of nonsense": _sealed(lambda files: files.update({layout.LOG_VKEY: b"trust me\n"})),
    "policy of nonsense": _sealed(lambda files: files.update({layout.WITNESS_POLICY: b"trust me\n"})),
    "events of nonsense": _sealed(lambda files: files.update({layout.EVENTS: b"\xff\n" * 300})),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_it_says_the_very_same_as_the_package(
    name: str, tool: Path, bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = stamped_archive()
    files = BUNDLES[name](unzip(write_plan(made.plan(), made.seal)))
    folder = write_folder(files, tmp_path / "bundle")
    (tmp_path / "trust").write_bytes(made.ca_pem + f"{made.log_vkey}\n{made.pq_vkey}\n".encode())
    (tmp_path / "tsa").write_bytes(local_tsa("first").authority.roots_pem)
    (tmp_path / "policy").write_text(policy_text(["w1.example"], "any"))
    options = ["--trust", tmp_path / "trust", "--tsa", tmp_path / "tsa", "--policy", tmp_path / "policy", "--json"]
    for arguments in ([folder, "--json"], [folder, *options], [folder]):
        code = main([str(argument) for argument in arguments])
        expected = capsys.readouterr()
        done = run(tool, bare, *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (code, expected.out, expected.err)


def test_zip_files_old_bundles_and_witnesses_are_read_alike(
    tool: Path, bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, seen = sample_archive("old-tool"), sample_archive("seen-tool", witnesses=[witness("w1.example")])
    seen.policy = policy_text(["w1.example"], "any")
    for number, data in enumerate(
        (write_plan(old_plan(old), old.bare_seal), seen.bundle(), b"PK", seen.bundle()[:999])
    ):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(data)
        code = main([str(path), "--json"])
        expected = capsys.readouterr()
        done = run(tool, bare, path, "--json")
        assert (done.returncode, done.stdout, done.stderr) == (code, expected.out, expected.err)


def test_every_bundle_carries_it(tool: Path) -> None:
    assert sample_archive("carrier").files()[layout.VERIFIER] == tool.read_bytes()


def test_it_writes_a_page(tool: Path, bare: Path, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(sample_archive("page").bundle())
    assert run(tool, bare, path, "--html", tmp_path / "report.html").returncode == 0
    assert "<h1>Whole, but not shown whose</h1>" in (tmp_path / "report.html").read_text("utf-8")


# -- what it needs -------------------------------------------------------------------------------


def test_without_its_two_packages_it_says_so(tool: Path, tmp_path: Path) -> None:
    done = run(tool, tmp_path, "bundle.zip")
    assert done.returncode == 2
    assert "needs the packages cryptography and asn1crypto" in done.stderr
    assert "Traceback" not in done.stderr


def test_modules_that_lie_beside_it_are_not_imported(bare: Path, tmp_path: Path) -> None:
    """An attacker's bundle could hold tools/cryptography.py or tools/json.py."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("cryptography", "asn1crypto", "json", "evidence_store", "importlib", "os", "re"):
        (folder / f"{name}.py").write_text("raise SystemExit('caught')\n")
    (folder / "catena_verify.py").write_bytes(single_file())
    done = run(folder / "catena_verify.py", bare, "--version", cwd=folder)
    assert (done.returncode, done.stdout) == (0, f"catena verify {VERSION}\n")


def test_an_installed_package_does_not_stand_in_for_it(tool: Path, bare: Path, tmp_path: Path) -> None:
    other = tmp_path / "packages"
    (other / "evidence_store").mkdir(parents=True)
    (other / "evidence_store/__init__.py").write_text("raise SystemExit('caught')\n")
    for link in bare.iterdir():
        (other / link.name).symlink_to(link.resolve())
    assert run(tool, other, "--version").returncode == 0


# -- the command ---------------------------------------------------------------------------------


def test_the_command_writes_it_once_and_prints_its_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "catena_verify.py"
    assert catena(["verify", "--write-tool", str(target)]) == 0
    assert capsys.readouterr().out == f"{tool_digest()}  catena_verify.py\n"
    assert hashlib.sha256(target.read_bytes()).hexdigest() == tool_digest()
    target.write_text("mine")
    assert catena(["verify", "--write-tool", str(target)]) == 2
    assert target.read_text() == "mine"


def test_the_command_prints_the_digest_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert catena(["verify", "--tool-digest", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sha256"] == tool_digest()
    assert catena(["verify", "--tool-digest", "bundle.zip"]) == 2
    assert catena(["verify"]) == 2


def test_the_published_digest_is_that_of_the_sources() -> None:
    published = (ROOT / "docs" / "catena_verify.sha256").read_text("ascii")
    how = "write it anew: catena verify --tool-digest > docs/catena_verify.sha256"
    assert published == f"{tool_digest()}  catena_verify.py\n", how
