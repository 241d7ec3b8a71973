"""Go's checksum-database code and sigstore-python, which nobody here wrote, agree on the published log."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.api.services import Services
from app.custody.log_store import computed
from app.custody.mirror_text import beside_tiles
from app.custody.publish import publish
from app.custody.service import SYSTEM
from app.custody.vkeys import verifier_lines
from evidence_store.log import merkle
from evidence_store.log.note import parse_vkey
from tests.archives import make_archive
from tests.checks import assert_clean
from tests.judges import require, require_module
from tests.logs import sqlite_log
from tests.mirrors import verified

SOURCE = Path(__file__).with_name("SumdbJudge.go")
SIZES = (20, 255, 256, 257, 511, 700)
WITNESS = f"\N{EM DASH} witness.example {base64.b64encode(bytes(76)).decode()}\n".encode()


@dataclass(frozen=True)
class GoJudge:
    """The compiled judge."""

    program: Path

    def __call__(self, folder: Path, vkey: str, *older: Path, every: int = 1) -> subprocess.CompletedProcess[str]:
        command = [str(self.program), str(folder), vkey, str(every), *map(str, older)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> GoJudge:
    folder = tmp_path_factory.mktemp("go")
    gopath = Path(require("sumdb.go")).parents[5].parent
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": str(gopath),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "GOPROXY": "off",
    }
    command = [require("go"), "build", "-o", str(folder / "judge"), str(SOURCE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    return GoJudge(folder / "judge")


@dataclass(frozen=True)
class Court:
    """An archive whose log was published at several sizes, each checkpoint kept."""

    services: Services
    mirror: Path
    older: tuple[Path, ...]

    @cached_property
    def vkeys(self) -> list[str]:
        return verifier_lines(self.services.archive.settings.keys)

    @property
    def size(self) -> int:
        return verified(self.mirror, self.vkeys[0]).size


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    folder = tmp_path_factory.mktemp("court")
    services = make_archive(folder)
    archive = services.archive
    beside = beside_tiles(archive.identity.org, archive.identity.log, verifier_lines(archive.settings.keys))
    older = []
    for size in SIZES:
        with archive.db.write() as session:
            while archive.custody.record(session, archive.about, "annotation", SYSTEM).leaf_index + 1 < size:
                pass
        signed = services.checkpoint()
        publish(archive.db, folder / "mirror", signed + WITNESS, beside)
        older.append(folder / f"checkpoint-{size}")
        older[-1].write_bytes(signed)
    yield Court(services, folder / "mirror", tuple(older))
    assert_clean(services)
    archive.db.close()


def test_go_proves_every_entry_and_every_older_checkpoint_from_the_exported_tiles(judge: GoJudge, court: Court) -> None:
    said = judge(court.mirror, court.vkeys[0], *court.older)
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    checkpoint = verified(court.mirror, court.vkeys[0])
    assert told == {
        "origin": court.services.archive.identity.log,
        "size": SIZES[-1],
        "root": base64.b64encode(checkpoint.root).decode(),
        "records": SIZES[-1],
        "trees": len(SIZES),
    }


def test_go_ignores_the_signature_lines_of_others(judge: GoJudge, court: Court) -> None:
    lines = (court.mirror / "checkpoint").read_text(encoding="utf-8").split("\n\n")[1].splitlines()
    assert len(lines) == 1 + len(court.vkeys), "one line for each key of the log, and one of a witness"
    assert judge(court.mirror, court.vkeys[0]).returncode == 0


def test_go_proves_a_log_of_three_levels(judge: GoJudge, tmp_path: Path) -> None:
    log = sqlite_log(tmp_path)
    older = []
    for size in (65_535, 65_536, 65_537, 66_000):
        log.grow(size - log.size)
        older.append(tmp_path / f"checkpoint-{size}")
        older[-1].write_bytes(log.signed())
        publish(log.db, tmp_path / "mirror", log.signed(), {})
    said = judge(tmp_path / "mirror", log.vkey, *older, every=499)
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["trees"] == len(older)
    log.close()


def flipped(path: Path, where: int) -> None:
    data = bytearray(path.read_bytes())
    data[where % len(data)] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000", "tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/001"])
@pytest.mark.parametrize("where", [40, 100, 150])
def test_go_refuses_a_mirror_with_one_flipped_bit(
    judge: GoJudge, court: Court, tmp_path: Path, name: str, where: int
) -> None:
    shutil.copytree(court.mirror, tmp_path / "mirror")
    flipped(tmp_path / "mirror" / name, where)
    with pytest.raises(Exception):  # noqa: B017 - whatever our own reader says, it must not be content
        verified(tmp_path / "mirror", court.vkeys[0])
    said = judge(tmp_path / "mirror", court.vkeys[0])
    assert said.returncode == 1, said.stdout
    assert said.stderr


def _other_key(court: Court, folder: Path) -> tuple[str, Path]:
    other = sqlite_log(folder, court.services.archive.identity.log, b"another key")
    other.close()
    return other.vkey, court.older[0]


def _fork(court: Court, folder: Path) -> tuple[str, Path]:
    """A checkpoint of another history, signed by the log's own key."""
    from evidence_store.log import note

    key = court.services.archive.log_key()
    text = note.checkpoint_text(note.Checkpoint(key.name, 300, hashlib.sha256(b"another history").digest()))
    (folder / "fork").write_bytes(note.sign_note(text, key.name, key.public_key, key.sign))
    return court.vkeys[0], folder / "fork"


@pytest.mark.parametrize("attack", [_other_key, _fork], ids=lambda attack: attack.__name__)
def test_go_refuses_another_key_and_another_history(
    judge: GoJudge, court: Court, tmp_path: Path, attack: Callable[[Court, Path], tuple[str, Path]]
) -> None:
    vkey, older = attack(court, tmp_path)
    assert judge(court.mirror, vkey, older).returncode == 1


# -- sigstore-python --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sigstore:
    """The parts of sigstore-python that judge a checkpoint and a Merkle proof."""

    checkpoint: Any
    merkle: Any
    trust: Any
    models: Any
    refusal: type[Exception]

    def keyring(self, public_key: bytes) -> Any:  # noqa: ANN401 - their type
        der = Ed25519PublicKey.from_public_bytes(public_key).public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        details = self.models.PublicKeyDetails.PKIX_ED25519
        return self.trust.Keyring([self.models.PublicKey(raw_bytes=base64.b64encode(der), key_details=details)])

    def judge(self, court: Court, index: int, signed: bytes, *, entry: bytes | None = None) -> None:
        """Ask for both verdicts on one entry; raises `refusal`."""
        key = parse_vkey(court.vkeys[0])
        size, root = signed.decode().split("\n")[1:3]
        with court.services.archive.db.read() as session:
            hashes = computed(session, partial(merkle.inclusion_proof, index, int(size)))
        data = (court.mirror / "tile" / "entries" / f"{index // 256:03d}").read_bytes() if entry is None else b""
        proof = SimpleNamespace(
            checkpoint=SimpleNamespace(envelope=signed.decode()),
            log_index=index,
            tree_size=int(size),
            root_hash=base64.b64decode(root),
            hashes=hashes,
        )
        log_id = hashlib.sha256(key.name.encode() + b"\n\x01" + key.public_key).digest()
        body = data[(index % 256) * 34 + 2 :][:32] if entry is None else entry
        inner = SimpleNamespace(inclusion_proof=proof, log_id=SimpleNamespace(key_id=log_id), canonicalized_body=body)
        asked = SimpleNamespace(_inner=inner)
        self.checkpoint.verify_checkpoint(self.keyring(key.public_key), asked)
        self.merkle.verify_merkle_inclusion(asked)


@pytest.fixture(scope="module")
def sigstore() -> Sigstore:
    return Sigstore(
        require_module("sigstore._internal.rekor.checkpoint"),
        require_module("sigstore._internal.merkle"),
        require_module("sigstore._internal.trust"),
        require_module("sigstore_models.common.v1"),
        require_module("sigstore.errors").VerificationError,
    )


@pytest.mark.parametrize("index", [0, 1, 2, 127, 254, 255, 256, 400, 511])
def test_sigstore_accepts_checkpoint_and_inclusion(sigstore: Sigstore, court: Court, index: int) -> None:
    for older in court.older:
        signed = older.read_bytes()
        if index < int(signed.split(b"\n")[1]):
            sigstore.judge(court, index, signed)


def test_sigstore_refuses_another_entry_another_root_and_another_signature(sigstore: Sigstore, court: Court) -> None:
    signed = court.older[-1].read_bytes()
    sigstore.judge(court, 5, signed)
    with pytest.raises(sigstore.refusal):
        sigstore.judge(court, 5, signed, entry=bytes(32))
    origin, size, _, rest = signed.split(b"\n", 3)
    root = base64.b64encode(bytes(32))
    for changed in (b"\n".join([origin, size, root, rest]), signed.replace(origin, origin + b"x", 1)):
        with pytest.raises(sigstore.refusal):
            sigstore.judge(court, 5, changed)
