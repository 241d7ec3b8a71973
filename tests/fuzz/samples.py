"""What fuzzing begins with: a whole bundle with everything that a bundle can have, and each of its parts."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path

from evidence_store.timestamps.request import granted_response
from tests.attested import policy_text, renewal_files, witness
from tests.bundles import SampleArchive, sample_archive, unzip
from tests.tsa import LocalTsa, authority

WITNESSES = ("witness.example/one", "witness.example/two")


@cache
def tsa() -> LocalTsa:
    """An authority whose tokens are made here, without another program."""
    folder = Path(tempfile.mkdtemp(prefix="catena-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return LocalTsa(folder, authority("first"), forged=True)


@cache
def archive() -> SampleArchive:
    """An archive with a time-stamping authority, witnesses, a retired key and a renewal."""
    made = sample_archive("fuzz", tsas={"first": tsa()}, witnesses=[witness(name) for name in WITNESSES])
    made.policy = policy_text(WITNESSES, "any")
    made.change_key("retirement", "log", made.log_vkey, "2026-06-01T00:00:00.000000Z")
    made.new_log_key()
    made.change_key("introduction", "log", made.log_vkey, material=made.log_vkey)
    return made


@cache
def zipped() -> bytes:
    """Its bundle, without the verifier: a program that nothing parses."""
    renewal = renewal_files(archive(), tsa())
    archive().record(f"item:{archive().items[-1].item}", "access")  # the renewed log is the beginning of the bundle's
    return archive().bundle(verifier=None, renewals=renewal)


@cache
def files() -> dict[str, bytes]:
    """The bundle's files."""
    return unzip(zipped())


def named(*parts: str) -> list[bytes]:
    """The bundle's files whose path holds one of these."""
    return [data for path, data in sorted(files().items()) if any(part in path for part in parts)]


@cache
def token() -> bytes:
    """A token over the checkpoint."""
    return tsa().token(imprint())


@cache
def imprint() -> bytes:
    """What the token is over."""
    return sha256(archive().note()).digest()


@cache
def response() -> bytes:
    """The token as an authority answers it."""
    return granted_response(token())
