"""OpenPGP signatures (RFC 9580) of collectors, verified by `gpgv` where it is installed.

gpgv is a program of its own: what it is fed was made by strangers, and is parsed outside this process, with a folder
of its own for a home, no network and no keys but the one of the bundle. Without it nothing is verified, and that is
what the check says. A signature that holds proves that the holder of that key signed those bytes. Whose key it is,
nobody vouches for: it came in the same bundle.
"""

from __future__ import annotations

import base64
import binascii
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from app.errors import InvalidInputError
from app.intake.collections.entries import Check, Verdict
from app.intake.collections.files import read_bounded, refuse

MAX_KEY: Final = 1 << 20
MAX_SIGNATURE: Final = 1 << 16
TIMEOUT_S: Final = 900
_BEGIN, _END = b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END PGP PUBLIC KEY BLOCK-----"
_WEAK = {"1": "MD5", "2": "SHA-1", "3": "RIPEMD-160"}  # RFC 9580, section 9.5
_HASH_FIELD, _TIME_FIELD = 7, 2  # of VALIDSIG, after the fingerprint
_NO_KEY = "9"
_PUBLIC_KEY = 6  # the packet that a transferable public key begins with
_LAPSED = "the signature fits, but it or its key has expired: nothing shows that it was made before"
_ENDS: tuple[tuple[str, Verdict, str], ...] = (
    ("BADSIG", "failed", "the signature does not fit the file"),
    ("REVKEYSIG", "failed", "the key that signed was revoked"),
    ("ERRSIG", "failed", "another key signed than the bundle's"),
    ("EXPSIG", "not_checked", _LAPSED),
    ("EXPKEYSIG", "not_checked", _LAPSED),
)
"""Words of gpgv that settle the matter, gravest first."""


def checked_signature(kind: str, medium_sha256: str, data: Path, signature: Path, key: Path | None) -> Check:
    """Verify a detached signature with the key that came along.

    Args:
        kind: of the check.
        medium_sha256: SHA-256 of the medium that the check is of.
        data: the signed file.
        signature: armoured or binary.
        key: the bundle's public key; None when it has none.
    """
    record = {"sha256": medium_sha256, "signed_file": data.name, "signature_file": signature.name}
    verdict, found = _judged(data, signature, key)
    if verdict == "passed":
        found["key_vouched_for"] = "no: the key came in the same bundle"
    return Check(kind, verdict, {**record, **found})


def _judged(data: Path, signature: Path, key: Path | None) -> tuple[Verdict, dict[str, str]]:
    if key is None:
        return "not_checked", {"reason": "the bundle holds no public key"}
    program = shutil.which("gpgv")
    if program is None:
        return "not_checked", {"reason": "the program gpgv is not installed here"}
    try:
        ring = binary_key(read_bounded(key, MAX_KEY))
        read_bounded(signature, MAX_SIGNATURE)
    except InvalidInputError as error:
        return "not_checked", {"reason": error.detail}
    with tempfile.TemporaryDirectory(prefix="catena-gpgv-") as home:
        (Path(home) / "key.gpg").write_bytes(ring)
        command = [program, "--homedir", home, "--keyring", str(Path(home) / "key.gpg"), "--status-fd", "1"]
        try:
            done = subprocess.run(  # noqa: S603 - no shell; the files' paths are absolute, so none reads as an option
                [*command, str(signature.absolute()), str(data.absolute())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"LC_ALL": "C", "PATH": "/nonexistent"},
                timeout=TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return "not_checked", {"reason": "gpgv did not end well"}
    return judge(done.stdout, done.returncode)


def judge(status: bytes, code: int) -> tuple[Verdict, dict[str, str]]:
    """What the status lines of gpgv say (GnuPG's doc/DETAILS): it passed only if every line says so.

    Args:
        status: what it wrote to its status channel.
        code: its exit code; 0 when every signature is good.
    """
    lines = [line[9:].split() for line in status.decode("utf-8", "replace").splitlines() if line.startswith("[GNUPG:]")]
    words = [line[0] for line in lines if line]
    said = {line[0]: line[1:] for line in lines if line}
    for word, verdict, reason in _ENDS:
        if word in said:
            if word == "ERRSIG" and said[word][5:6] != [_NO_KEY]:
                verdict, reason = "not_checked", "gpgv cannot verify a signature of this kind"  # noqa: PLW2901
            return verdict, {"reason": reason, "key": _first(said[word])}
    valid = said.get("VALIDSIG", [])
    if "GOODSIG" not in said or code != 0 or len(valid) <= _HASH_FIELD:
        return "not_checked", {"reason": "there is no signature in it that gpgv understands"}
    if max(words.count(word) for word in ("NEWSIG", "GOODSIG", "VALIDSIG")) > 1:
        return "not_checked", {"reason": "there is more than one signature in it"}
    found = {"key": valid[0], "signed_at_by_its_own_clock": valid[_TIME_FIELD]}
    if (weak := _WEAK.get(valid[_HASH_FIELD])) is not None:
        return "not_checked", {**found, "reason": f"the signature fits, but it rests on {weak}, which can be forged"}
    return "passed", found


def _first(fields: list[str]) -> str:
    return fields[0][:64] if fields else ""


def binary_key(data: bytes) -> bytes:
    """A public key without its ASCII armour (RFC 9580, section 6).

    Raises:
        InvalidInputError: `bad_key`.
    """
    packets = data if data[:1] >= b"\x80" else _dearmoured(data)
    tag = packets[0] if packets else 0  # RFC 9580, section 4.2: both forms of a packet's head
    if (tag & 0x3F if tag & 0x40 else (tag & 0x3C) >> 2) != _PUBLIC_KEY or not tag & 0x80:
        refuse("bad_key", "the bundle's public key is no OpenPGP key")
    return packets


def _dearmoured(data: bytes) -> bytes:
    lines = [line.strip() for line in data.split(b"\n")]
    try:
        start = lines.index(_BEGIN)
        end = lines.index(_END, start)
        body = lines.index(b"", start, end) + 1  # after the armour's headers
    except ValueError:
        refuse("bad_key", "the bundle's public key is no OpenPGP key")
    coded = [line for line in lines[body:end] if not line.startswith(b"=")]  # without the checksum
    try:
        return base64.b64decode(b"".join(coded), validate=True)
    except binascii.Error:
        refuse("bad_key", "the bundle's public key is damaged")
