"""One and the same bundle before every judge: alone, as a part of a set, and in the shape of a ZIP64."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509

from evidence_store.bundle import layout, writer
from evidence_store.bundle.manifest import PartOf
from tests.attested import local_tsa
from tests.bundles import SampleArchive, sample_archive, unzip, write_plan
from tests.judges import judged_by_pyhanko, require, require_module

ROOT = Path(__file__).resolve().parents[2]
READER = Path(__file__).with_name("BundleReader.java")
SHAPES = ("alone", "part of a set", "zip64")


@cache
def archive() -> SampleArchive:
    return sample_archive("one-bundle", tsas={"first": local_tsa("first")})


@dataclass(frozen=True)
class Bundle:
    """A bundle as it is handed over, and unzipped by `unzip`."""

    zip: Path
    folder: Path

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()


@pytest.fixture(scope="module", params=SHAPES)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundle")
    plan = archive().plan()
    with pytest.MonkeyPatch.context() as patched:
        if request.param == "zip64":
            patched.setattr(writer, "ZIP64_FROM", 20_000)
        if request.param == "part of a set":
            plan = replace(plan, part_of=PartOf(archive().uuid(), 2, 3))
        (folder / "bundle.zip").write_bytes(write_plan(plan, archive().seal))
    done = subprocess.run([require("unzip"), "-q", "-d", folder / "new", folder / "bundle.zip"], check=False)
    assert done.returncode == 0
    return Bundle(folder / "bundle.zip", folder / "new")


def test_catena_verify_accepts_it_zipped_and_unzipped(bundle: Bundle) -> None:
    for path in (bundle.zip, bundle.folder):
        done = bundle.run(sys.executable, "-I", "-c", PROGRAM, "verify", path)
        assert done.returncode == 0, done.stdout + done.stderr


PROGRAM = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); from app.cli.__main__ import main; sys.exit(main(sys.argv[1:]))"
)


def test_the_single_file_out_of_it_accepts_it(bundle: Bundle) -> None:
    done = bundle.run(sys.executable, layout.VERIFIER, bundle.zip)
    assert done.returncode == 0, done.stdout + done.stderr


def test_bagit_py_and_the_coreutils_accept_it(bundle: Bundle) -> None:
    require_module("bagit")
    program = Path(sys.executable).with_name("bagit.py")
    done = bundle.run(sys.executable, program, "--validate", ".")
    assert done.returncode == 0, done.stderr
    for tool, manifest in (
        ("sha256sum", layout.MANIFEST_SHA256),
        ("sha512sum", layout.MANIFEST_SHA512),
        ("sha256sum", layout.TAG_MANIFEST),
    ):
        done = bundle.run(require(tool), "--check", "--strict", "--quiet", manifest)
        assert (done.returncode, done.stdout) == (0, "")


def test_openssl_accepts_its_signature_and_the_time_stamp_of_its_checkpoint(bundle: Bundle) -> None:
    openssl = require("openssl")
    sealed = bundle.run(
        openssl, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", layout.SEAL, "-content",
        layout.ASIC_MANIFEST, "-CAfile", layout.CA_CERTIFICATE, "-out", "/dev/null",
    )  # fmt: skip
    assert sealed.returncode == 0, sealed.stderr
    stamped = bundle.run(
        openssl, "ts", "-verify", "-token_in", "-in", layout.token_path("first"), "-data", layout.CHECKPOINT, "-CAfile",
        layout.authority_roots_path("first"),
    )  # fmt: skip
    assert stamped.returncode == 0, stamped.stderr


def test_pyhanko_finds_a_trusted_and_stamped_signature_over_the_list(bundle: Bundle) -> None:
    roots, times = (
        x509.load_pem_x509_certificates(bundle.read(path))
        for path in (layout.CA_CERTIFICATE, layout.authority_roots_path("first"))
    )
    status = judged_by_pyhanko(bundle.read(layout.SEAL), bundle.read(layout.ASIC_MANIFEST), roots, times)
    assert status.bottom_line
    assert status.summary() == "INTACT:TRUSTED,TIMESTAMP_TOKEN<INTACT:TRUSTED>"


def test_javas_zip_input_stream_reads_every_file_of_it(bundle: Bundle) -> None:
    require("javac")  # a single source file is compiled before it runs
    done = bundle.run(require("java"), "-Xshare:auto", "-XX:TieredStopAtLevel=1", READER, bundle.zip)
    assert done.returncode == 0, done.stderr
    expected = [f"{name} {len(data)} true" for name, data in unzip(bundle.zip.read_bytes()).items()]
    assert done.stdout.splitlines() == expected
