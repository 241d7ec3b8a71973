"""Tools that nobody here wrote judge a bundle: sha256sum, bagit, openssl, unzip, zipfile, Java."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import pytest

from evidence_store.bundle import layout, writer
from evidence_store.bundle.readme import BETWEEN
from evidence_store.seal import without_tokens
from tests.attested import local_tsa, policy_text, witness
from tests.bundles import SampleArchive, sample_archive, unzip, write_folder
from tests.judges import require, require_module

ROOT = Path(__file__).resolve().parents[2]
READER = Path(__file__).with_name("BundleReader.java")


@cache
def archive() -> SampleArchive:
    made = sample_archive("judges", tsas={"first": local_tsa("first")}, witnesses=[witness("w1.example")])
    made.policy = policy_text(["w1.example"], "any")
    return made


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.zip"
    path.write_bytes(archive().bundle())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(archive().files(), tmp_path / "folder")


@pytest.fixture
def bundle64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(writer, "ZIP64_FROM", 20_000)
    path = tmp_path / "bundle64.zip"
    path.write_bytes(archive().bundle())
    return path


@pytest.mark.parametrize(
    ("tool", "manifest"),
    [
        ("sha256sum", layout.MANIFEST_SHA256),
        ("sha512sum", layout.MANIFEST_SHA512),
        ("sha256sum", layout.TAG_MANIFEST),
    ],
)
def test_coreutils_accept_the_manifests_and_see_a_flipped_byte(tool: str, manifest: str, folder: Path) -> None:
    program = require(tool)
    assert run(folder, program, "--check", "--strict", manifest).returncode == 0
    victim = folder / (folder / manifest).read_text().splitlines()[0].split("  ")[1]
    victim.write_bytes(victim.read_bytes()[:-1] + b"\x00")
    assert run(folder, program, "--check", "--strict", manifest).returncode == 1


def test_the_library_of_congress_validator_accepts_the_unzipped_bundle(bundle: Path, tmp_path: Path) -> None:
    bagit = require_module("bagit")
    target = tmp_path / "new"
    assert run(tmp_path, require("unzip"), "-q", "-d", target, bundle).returncode == 0
    bag = bagit.Bag(str(target))
    assert bag.validate()
    assert bag.info["External-Identifier"] == archive().plan().bundle_id
    original = next(target.glob("data/originals/*/*"))
    original.write_bytes(original.read_bytes() + b"x")
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(target)).validate()


def test_openssl_accepts_the_seal_and_refuses_a_changed_list(folder: Path) -> None:
    openssl = require("openssl")

    def verify(content: str, *options: str) -> int:
        return run(
            folder, openssl, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", layout.SEAL,
            "-content", content, "-CAfile", layout.CA_CERTIFICATE, "-out", os.devnull, *options,
        ).returncode  # fmt: skip

    assert verify(layout.ASIC_MANIFEST) == 0
    assert verify(layout.MANIFEST) != 0
    in_sixty_years = str(int(archive().started.timestamp()) + 60 * 366 * 86_400)
    assert verify(layout.ASIC_MANIFEST, "-attime", in_sixty_years) != 0
    assert verify(layout.ASIC_MANIFEST, "-no_check_time") == 0  # what README.txt says to add then


@pytest.mark.parametrize("which", ["bundle", "bundle64"])
def test_unzip_and_python_find_no_fault_in_the_zip(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    path = request.getfixturevalue(which)
    tested = run(tmp_path, require("unzip"), "-tq", path)
    assert tested.returncode == 0, tested.stdout
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        assert len(opened.namelist()) == len(unzip(path.read_bytes()))


@pytest.mark.parametrize("which", ["bundle", "bundle64"])
def test_javas_streaming_reader_sees_the_same_files(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    require("javac")  # a single source file is compiled before it runs
    java = require("java")
    path = request.getfixturevalue(which)
    done = run(tmp_path, java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", READER, path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{name} {len(data)} true" for name, data in unzip(path.read_bytes()).items()]


def printed() -> list[str]:
    """The commands of README.txt as printed in each language, once."""
    english, ukrainian = (commands_in(text) for text in archive().files()[layout.README].decode().split(BETWEEN))
    return list(dict.fromkeys([*english, *ukrainian]))


def commands_in(text: str) -> list[str]:
    """Commands as printed: indented lines, together where one ends in a backslash."""
    found: list[str] = []
    continued = False
    for line in text.splitlines():
        if not line.startswith("    "):
            continued = False
            continue
        if continued:
            found[-1] += "\n" + line
        else:
            found.append(line)
        continued = line.endswith("\\")
    return found


def shell(command: str, folder: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    # "python3" and "bagit.py" are those of this environment
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    python = tools / "python3"
    if not python.exists():
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
    search = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": search, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_readme_prints_the_same_commands_in_both_languages() -> None:
    for files in (archive().files(), archive().files(verifier=None), sample_archive("plain-readme").files()):
        english, ukrainian = files[layout.README].decode().split(BETWEEN)
        assert commands_in(english) == commands_in(ukrainian)
        assert ukrainian.strip().startswith("КОМПЛЕКТ ДОКАЗІВ")
        for text in (english, ukrainian):
            assert "{" not in text.replace("${f#./}", "").replace("{found=1}", "").replace("{print $1; exit}", "")


def test_the_readme_prints_every_command_that_the_format_promises() -> None:
    text = "\n".join(printed())
    for part in (
        "sha256sum -c manifest-sha256.txt", "sha512sum -c manifest-sha512.txt", "bagit.py --validate",
        "-in META-INF/signature001.p7s", "openssl dgst -sha256 -binary", "evidence_store.verify", "custody/receipts",
        "openssl ts -verify -token_in -in custody/timestamps/checkpoint.first.tst -data custody/checkpoint",
        "python3 tools/catena_verify.py .", "-strparse",
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize("command", printed(), ids=lambda command: "_".join(command.split()[:2]))
def test_each_command_of_the_readme_works_as_printed(command: str, folder: Path, tmp_path: Path) -> None:
    for tool in ("sh", "sha256sum", "openssl"):
        require(tool)
    require_module("bagit")
    done = shell(command, folder, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "FAILED" not in done.stdout


@pytest.mark.parametrize("command", [c for c in printed() if "FAILED" in c], ids=["sealed-list", "receipts"])
def test_the_loops_of_the_readme_name_what_was_changed(command: str, folder: Path, tmp_path: Path) -> None:
    require("openssl")
    receipt = next(folder.glob("custody/receipts/*.json"))
    receipt.write_bytes(receipt.read_bytes().replace(b'"v":1', b'"v":2'))
    done = shell(command, folder, tmp_path)
    assert [line for line in done.stdout.splitlines() if "FAILED" in line and receipt.name in line]


def test_the_loop_over_receipts_fails_nothing_where_a_bundle_keeps_them_all_back(folder: Path, tmp_path: Path) -> None:
    (command,) = (c for c in printed() if "custody/receipts" in c)
    for path in folder.glob("custody/receipts/*"):
        path.unlink()
    done = shell(command, folder, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "no receipt is here\n", "")


def test_the_digest_command_prints_what_the_sealed_list_says(folder: Path, tmp_path: Path) -> None:
    require("openssl")
    (command,) = (c for c in printed() if c.strip().startswith("openssl dgst"))
    digest = shell(command, folder, tmp_path).stdout.strip()
    line = next(x for x in (folder / layout.ASIC_MANIFEST).read_text().splitlines() if 'URI="manifest.json"' in x)
    assert f">{digest}<" in line


def test_the_chain_command_prints_what_the_next_event_names(folder: Path, tmp_path: Path) -> None:
    (command,) = (c for c in printed() if c.strip().startswith("sed"))
    lines = (folder / layout.EVENTS).read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if '"object_seq":1' in line)
    digest = shell(command.replace("1p", f"{number}p"), folder, tmp_path).stdout.split()[0]
    assert f'"prev":"{digest}"' in lines[number]


def test_a_zip_reader_that_streams_needs_no_seeking() -> None:
    data = archive().bundle()
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert all(info.flag_bits & 0x08 == 0 and info.compress_type == 0 for info in opened.infolist())


def test_openssl_finds_the_time_on_checkpoint_and_seal_and_none_on_a_seal_without(folder: Path, tmp_path: Path) -> None:
    require("openssl")
    (verify,) = (c for c in printed() if "ts -verify" in c)
    assert "Verification: OK" in shell(verify, folder, tmp_path).stdout
    of_checkpoint, of_seal = (c for c in printed() if 'grep "Time stamp"' in c)
    assert "Time stamp:" in shell(of_checkpoint, folder, tmp_path).stdout
    assert "Time stamp:" in shell(of_seal, folder, tmp_path).stdout
    seal = folder / layout.SEAL
    seal.write_bytes(without_tokens(seal.read_bytes()))
    assert shell(of_seal, folder, tmp_path).stdout == ""
    (folder / layout.CHECKPOINT).write_bytes(b"another\n")
    assert shell(verify, folder, tmp_path).returncode != 0


def test_a_bundle_without_time_stamps_prints_no_command_for_them() -> None:
    text = sample_archive("unstamped-readme").files()[layout.README].decode()
    assert "ts -verify" not in text
    assert "The archive had no time-stamping authority." in text
    assert "No independent witness co-signed" in text


def test_the_readme_warns_of_programs_out_of_a_bundle() -> None:
    text = archive().files()[layout.README].decode()
    assert "NEVER RUN A PROGRAM OUT OF A BUNDLE THAT YOU DISTRUST" in text
    assert "1 witness(es) co-signed" in text
    assert "tools/catena_verify.py" not in write_readme_without_tool()


def write_readme_without_tool() -> str:
    return archive().files(verifier=None)[layout.README].decode()
