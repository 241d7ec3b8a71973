"""A set: one export in several bundles, each valid by itself, and a signed list of them.

A bundle with more than some 900 files is refused by the reference European validator (it reads at most 1,000), so a
large export is split. The list names each part by its place, identifier and digests; the seal beside it (CAdES,
detached, DER) is made by the key that sealed the parts. Each part says in its own `manifest.json` which set it is of
and at which place, so neither side can be exchanged without the other.

File names: `NAME-001-of-003.zip` ..., `NAME-set.json`, `NAME-set.json.p7s`. Names are the receiver's; places are not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from evidence_store.bundle import shapes
from evidence_store.bundle.manifest import Archive, Creator
from evidence_store.canonical import canonical_bytes

TYPE = "catena evidence bundle set"
FILES_PER_PART = 900
"""Most files of one part, unless a single item alone has more."""

MAX_PARTS = 9_999
ENDING = "-set.json"
SEAL_ENDING = ".p7s"
_PLACE = re.compile(r"(.*)-([0-9]{3,4})-of-([0-9]{3,4})(?:\.zip)?", re.DOTALL | re.ASCII)

_PART: shapes.Shape = {
    "part": shapes.is_count,
    "bundle_id": shapes.is_uuid,
    "sha256": shapes.is_sha256,
    "size": shapes.is_count,
    "files": shapes.is_count,
    "items": shapes.is_count,
    "sealed_list_sha256": shapes.is_sha256,
}


def _is_part(value: object) -> bool:
    """A part as lists name it; its SHA-512 stands in those of before ADR 43, and must be one where it stands."""
    if shapes.shape_problems(value, _PART) or not isinstance(value, dict):
        return False
    return "sha512" not in value or shapes.is_sha512(value["sha512"])


_TOP: shapes.Shape = {
    "v": shapes.equals(1),
    "type": shapes.equals(TYPE),
    "set_id": shapes.is_uuid,
    "created_at": shapes.is_time,
    "created_by": shapes.record({"id": shapes.is_text, "name": shapes.is_text}),
    "archive": shapes.record({"id": shapes.is_name, "org": shapes.is_text, "log": shapes.is_name}),
    "scope": shapes.is_mapping,
    "purpose": shapes.is_text,
    "tree_size": shapes.is_count,
    "items": shapes.is_count,
    "ca": shapes.is_text,
    "parts": shapes.list_of(_is_part),
}


@dataclass(frozen=True)
class SetPart:
    """One part, as the list names it.

    Attributes:
        part: its place, from 1.
        bundle_id: UUID.
        sha256: of the ZIP, hex.
        size: of the ZIP, bytes.
        files: how many it holds.
        items: how many it holds.
        sealed_list_sha256: of its ASiCManifest, by which it is known when it is unzipped.
        sha512: of the ZIP, hex, in lists of before ADR 43; None in all others.
    """

    part: int
    bundle_id: str
    sha256: str
    size: int
    files: int
    items: int
    sealed_list_sha256: str
    sha512: str | None = None


@dataclass(frozen=True)
class BundleSet:
    """The list of a set.

    Attributes:
        set_id: UUID.
        created_at: RFC 3339 UTC with microseconds.
        created_by: who asked for it.
        archive: who keeps the archive.
        scope: what was selected.
        purpose: why it is disclosed.
        tree_size: entries of the log at the checkpoint of all parts.
        items: how many items all parts hold.
        ca: CA certificates (PEM) that the seal is checked against by who has none of their own.
        parts: in order, from part 1.
    """

    set_id: str
    created_at: str
    created_by: Creator
    archive: Archive
    scope: Mapping[str, Any]
    purpose: str
    tree_size: int
    items: int
    ca: str
    parts: Sequence[SetPart]


def format_set(whole: BundleSet) -> bytes:
    """Write the list: canonical JSON (RFC 8785), the bytes that the seal is over."""
    parts = [{key: value for key, value in asdict(part).items() if value is not None} for part in whole.parts]
    return canonical_bytes({**asdict(whole), "parts": parts, "v": 1, "type": TYPE})


def read_set(value: object) -> tuple[BundleSet | None, list[str]]:
    """Read a parsed list.

    Returns:
        The list, None when it is malformed; and what is wrong with it.
    """
    problems = shapes.shape_problems(value, _TOP)
    if problems:
        return None, problems
    top = cast("dict[str, Any]", value)
    parts = [_part(each) for each in top["parts"][:MAX_PARTS]]
    if [part.part for part in parts] != list(range(1, len(top["parts"]) + 1)):
        problems.append("its parts are not numbered 1, 2, 3 ...")
    if sum(part.items for part in parts) != top["items"]:
        problems.append("its parts do not hold as many items as it says")
    if len({part.bundle_id for part in parts}) != len(parts) or len({part.sha256 for part in parts}) != len(parts):
        problems.append("a part is listed twice")
    if not parts or problems:
        return None, problems or ["it has no parts"]
    plain = {key: top[key] for key in ("set_id", "created_at", "scope", "purpose", "tree_size", "items", "ca")}
    who, keeper = top["created_by"], top["archive"]
    return (
        BundleSet(
            **plain,
            created_by=Creator(who["id"], who["name"]),
            archive=Archive(keeper["id"], keeper["org"], keeper["log"]),
            parts=parts,
        ),
        [],
    )


def _part(listed: dict[str, Any]) -> SetPart:
    return SetPart(**{key: listed[key] for key in _PART}, sha512=listed.get("sha512"))


def part_name(name: str, part: int, parts: int) -> str:
    """The file name of a part; `name` is what all of the set begins with."""
    return f"{name}-{part:03}-of-{parts:03}.zip"


def place_in_name(name: str) -> tuple[str, int, int] | None:
    """What the name of a file says: beginning, part, parts; None when it is no name of a part."""
    found = _PLACE.fullmatch(name)
    return None if found is None else (found[1], int(found[2]), int(found[3]))
