"""Where each file of a bundle lies, and which names a bundle may use.

Names are plain ASCII so that the same command works on every system that will ever unzip a bundle: no space, no
quote, no percent sign (BagIt 1.0 section 2.1.3 would need it escaped), no leading dot, no trailing dot (Windows drops
it). The name that the file had when it was received is kept in full in `manifest.json` and in the receipt.
"""

from __future__ import annotations

import re
import unicodedata

MIMETYPE = "mimetype"
MIMETYPE_CONTENT = b"application/vnd.etsi.asic-e+zip"  # ETSI EN 319 162-1 section 6.2.1
BAG_DECLARATION = "bagit.txt"
BAG_INFO = "bag-info.txt"
MANIFEST_SHA256 = "manifest-sha256.txt"
MANIFEST_SHA512 = "manifest-sha512.txt"
MANIFEST = "manifest.json"
EVENTS = "custody/events.jsonl"
CHECKPOINT = "custody/checkpoint"
COSIGNED = "custody/checkpoint.cosigned"
CA_CERTIFICATE = "keys/ca.crt"
SEAL_CERTIFICATE = "keys/seal.crt"
LOG_VKEY = "keys/log.vkey"
WITNESS_POLICY = "keys/witnesses.policy"
VERIFIER = "tools/catena_verify.py"
README = "README.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
PAYLOAD = "data/"
META_INF = "META-INF/"
ASIC_MANIFEST = "META-INF/ASiCManifest001.xml"
SEAL = "META-INF/signature001.p7s"

MAX_FILES = 20_000
MAX_PATH = 240
MAX_LIST_BYTES = 16 << 20
"""Largest manifest.json, BagIt manifest or ASiCManifest."""

LISTS = (MANIFEST_SHA256, MANIFEST_SHA512, MANIFEST, TAG_MANIFEST, ASIC_MANIFEST)
REQUIRED = (
    MIMETYPE,
    BAG_DECLARATION,
    BAG_INFO,
    MANIFEST_SHA256,
    MANIFEST_SHA512,
    MANIFEST,
    EVENTS,
    CHECKPOINT,
    CA_CERTIFICATE,
    SEAL_CERTIFICATE,
    LOG_VKEY,
    README,
    TAG_MANIFEST,
    ASIC_MANIFEST,
    SEAL,
)

_PLACES = frozenset({*REQUIRED, COSIGNED, WITNESS_POLICY, VERIFIER})
_AUTHORITY = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"  # name of a time-stamping authority
_TOKEN = re.compile(rf"custody/timestamps/checkpoint\.({_AUTHORITY})\.tst", re.ASCII)
_AUTHORITY_ROOTS = re.compile(rf"keys/tsa/({_AUTHORITY})\.pem", re.ASCII)
_RENEWAL = re.compile(
    rf"custody/renewals/([0-9]{{3,6}})/(checkpoint|checkpoint\.ers|consistency|checkpoint\.{_AUTHORITY}\.tst|[a-z][a-z_-]*_[0-9a-f-]{{36}}\.ers)",
    re.ASCII,
)
PLACES_OF_ROLES = {
    "original": "data/originals/",
    "metadata": "data/metadata/",
    "preview": "data/previews/",
    "proxy": "data/proxies/",
    "track": "data/tracks/",
    "track view": "data/tracks/",
    "link": "data/links/",
    "review": "data/reviews/",
    "matches": "data/matches/",
    "entry": "data/incidents/",
    "claim": "data/incidents/",
    "matrix": "data/matrices/",
    "verification": "data/verifications/",
    "verification review": "data/verifications/",
    "source version": "data/sources/",
    "collector check": "data/checks/",
    "redacted": "data/redacted/",
    "provisions": "data/provisions.json",
    "receipt": "custody/receipts/",
    "receipt signature": "custody/receipts/",
}
"""Where the files of a role lie, and no others: the beginning of their paths."""

REFERENCE_ROLE = "provisions"
"""The role of payload that is of no object."""

_SEGMENT = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?", re.ASCII)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)
_WINDOWS_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}
)
_MAX_NAME = 100
_MAX_EXTENSION = 12


def path_problem(path: str) -> str | None:
    """Say why a path may not be used inside a bundle.

    Args:
        path: as written in a ZIP entry, a manifest or a folder, with "/" between parts.

    Returns:
        None when the path is safe, otherwise a short reason.
    """
    if len(path) > MAX_PATH:
        return f"longer than {MAX_PATH} characters"
    if path.startswith("/"):
        return "absolute path"
    for segment in path.split("/"):
        if segment in {"", ".", ".."}:
            return "empty, '.' or '..' part"
        if not _SEGMENT.fullmatch(segment):
            return "character or form that a bundle does not use"
        if segment.split(".", 1)[0].casefold() in _WINDOWS_DEVICES:
            return "name of a Windows device"
    return None


def safe_name(original_name: str) -> str:
    """Make a file name that is safe in a bundle out of whatever the file was called.

    Args:
        original_name: the received name: any text, also "", "../x", control characters or another script.

    Returns:
        1 to 100 ASCII characters for which `path_problem` is None; the extension is kept where it is short.
    """
    base = original_name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = unicodedata.normalize("NFKD", base).encode("ascii", "replace").decode("ascii")
    stem, dot, extension = _UNSAFE.sub("_", plain).strip(".").rpartition(".")
    if not dot or len(extension) > _MAX_EXTENSION:
        stem, extension = stem + dot + extension, ""
    stem = stem[: _MAX_NAME - _MAX_EXTENSION - 1].strip(".") or "file"
    name = f"{stem}.{extension}" if extension else stem
    return name if path_problem(name) is None else f"_{name}"


def role_problem(path: str, role: str, about: str | None) -> str | None:
    """Say why a file may not have a role at its place.

    So nothing can pass for an original, a receipt or a record that it is not. Roles that are not known here may have
    files anywhere else; each file is of an object, but for reference data, and for tag files beside `README.txt`.

    Args:
        path: in the bundle.
        role: as manifest.json has it.
        about: the object that the file is of, or None.

    Returns:
        None when all is well, otherwise a short reason.
    """
    place = PLACES_OF_ROLES.get(role)
    if place is not None and not path.startswith(place):
        return f"its role is '{role}', and such files lie in {place}"
    taken = [each for each in PLACES_OF_ROLES.values() if path.startswith(each)]
    if place is None and taken:
        return f"its role is '{role}', and no such files lie in {taken[0]}"
    if about is None and role != REFERENCE_ROLE and "/" in path:
        return "it is said to be of no object"
    return None


def original_folder(item: str) -> str:
    """Folder that holds an item's original and nothing else; `item` is its UUID."""
    return f"data/originals/{item}"


def original_path(item: str, original_name: str) -> str:
    """Path of an item's original."""
    return f"{original_folder(item)}/{safe_name(original_name)}"


def receipt_path(item: str) -> str:
    """Path of an item's deposit receipt statement; its signature lies beside it with ".p7s" added."""
    return f"custody/receipts/{item}.json"


def proof_path(object_id: str) -> str:
    """Path of the inclusion proof of an object's head event; `object_id` is such as "item:UUID"."""
    return f"custody/proofs/{object_id.replace(':', '_')}.tlog-proof"


def token_path(authority: str) -> str:
    """Path of the time-stamp token that an authority gave over `CHECKPOINT`."""
    return f"custody/timestamps/checkpoint.{authority}.tst"


def token_authority(path: str) -> str | None:
    """Whose token over the checkpoint the file is; None when it is something else."""
    found = _TOKEN.fullmatch(path)
    return found[1] if found else None


def authority_roots_path(authority: str) -> str:
    """Path of the certificates that an authority's tokens are checked against."""
    return f"keys/tsa/{authority}.pem"


def roots_authority(path: str) -> str | None:
    """Whose certificates the file holds; None when it is something else."""
    found = _AUTHORITY_ROOTS.fullmatch(path)
    return found[1] if found else None


def renewal_part(path: str) -> tuple[str, str] | None:
    """Number and name of a renewal's file; None when it is something else."""
    found = _RENEWAL.fullmatch(path)
    return (found[1], found[2]) if found else None


def is_structure(path: str) -> bool:
    """Whether a file has its meaning from its place alone, so that manifest.json need not describe it.

    Proofs are not among these: manifest.json names each one.
    """
    return path in _PLACES or any(find(path) for find in (token_authority, roots_authority, renewal_part))


def is_payload(path: str) -> bool:
    """Whether the file is BagIt payload (below data/)."""
    return path.startswith(PAYLOAD)


def is_tag_file(path: str) -> bool:
    """Whether `tagmanifest-sha256.txt` must list the file."""
    return not (is_payload(path) or path.startswith(META_INF) or path in {MIMETYPE, TAG_MANIFEST})


def is_sealed(path: str) -> bool:
    """Whether the ASiCManifest must list the file (ETSI EN 319 162-1: everything but mimetype and META-INF)."""
    return path != MIMETYPE and not path.startswith(META_INF)
