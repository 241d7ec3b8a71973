"""Content credentials (C2PA 2.2): a cheap look for a manifest, and its validation by c2pa-python without any network.

The library is loaded only where there is something to read: 0.1 s of time and 23 MiB of native code otherwise
spent on every file. Nothing is fetched: remote manifests and OCSP are off in its settings, and no host is allowed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from app.analysis.probes.readings import Remark

# Type of the box that holds a manifest store (C2PA 2.2, annex A): stands uncompressed in every format.
STORE_TYPE = bytes.fromhex("63327061001100108000" + "00aa00389b71")
UNREAD_PREFIX = "C2PA/JUMBF"
_MAX_SCANNED = 64 * 1024 * 1024
_MAX_SCANNED_VIDEO = 4 * 1024 * 1024
_PIECE = 1 << 20
_MAX_REASON = 300
_NOT_FOUND = ("no JUMBF data found", "ManifestNotFound")
_LIST_NAME = "urn:catena:operator"
_MUST_FETCH = "must fetch remote manifests from url "
# What the library calls a format that it reads by the same rules.
_SAME_AS = {"video/3gpp": "video/mp4", "image/heif": "image/heic", "image/x-canon-cr3": "video/mp4"}
_SETTINGS: dict[str, Any] = {
    "verify": {
        "remote_manifest_fetch": False,
        "ocsp_fetch": False,
        "verify_trust": True,
        "verify_timestamp_trust": True,
    },
    "core": {"allowed_network_hosts": [], "allow_redirects": False},
}


@dataclass(frozen=True)
class TrustTexts:
    """Whom to trust; PEM certificates, empty for nobody.

    Attributes:
        anchors: roots and intermediates under which signers and time-stamping authorities are trusted.
        allowed: signers' own certificates that are trusted without any issuer.
        sha256: of both, for the record; None when there is no list.
    """

    anchors: str = ""
    allowed: str = ""
    sha256: str | None = None


NOBODY = TrustTexts()


@dataclass
class C2paRead:
    """What the library said.

    Attributes:
        outcome: `none`, `read`, `remote` or `unreadable`.
        reason: why it is unreadable.
        remote_url: the address that it would have fetched.
        state: the library's verdict.
        store: its report (`Reader.json`).
        details: its report with certificates (`Reader.crjson`).
    """

    outcome: str = "none"
    reason: str | None = None
    remote_url: str | None = None
    state: str | None = None
    tool: str | None = None
    store: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


def holds_store(stream: BinaryIO, *, video: bool) -> bool:
    """Whether the first 64 MiB (of a video 4 MiB) hold the beginning of a manifest store."""
    left = _MAX_SCANNED_VIDEO if video else _MAX_SCANNED
    stream.seek(0)
    before = b""
    while left > 0 and (piece := stream.read(min(_PIECE, left))):
        if STORE_TYPE in before + piece[: len(STORE_TYPE)] or STORE_TYPE in piece:
            return True
        before = piece[-len(STORE_TYPE) :]
        left -= len(piece)
    return False


def unread_places(remarks: list[Remark]) -> list[str]:
    """Where the walkers of the formats saw a box for a manifest."""
    return [name for remark in remarks for name in remark.names if name.startswith(UNREAD_PREFIX)]


def without_c2pa(remarks: list[Remark]) -> list[Remark]:
    """The remarks after the manifest was read: it is no longer among what was not."""
    from app.analysis.probes.readings import unread

    kept: list[Remark] = []
    for remark in remarks:
        others = [name for name in remark.names if not name.startswith(UNREAD_PREFIX)]
        if len(others) == len(remark.names):
            kept.append(remark)
        elif others:
            kept.append(unread(*others))
    return kept


def read_c2pa(stream: BinaryIO, media_type: str, trust: TrustTexts = NOBODY) -> C2paRead:
    """Validate the manifest store of a file.

    Args:
        stream: the file, seekable.
        media_type: as `sniff` named it.
        trust: whom to trust.

    Returns:
        What the library said; its errors are outcomes, never raised.
    """
    from c2pa import C2paError, Context, Reader, Settings

    settings = {**_SETTINGS, "trust": {"anchors": _lists(trust)}}
    read = C2paRead(tool=_tool())
    stream.seek(0)
    try:
        context = Context(Settings.from_dict(settings))
        with Reader(_SAME_AS.get(media_type, media_type), stream, context=context) as reader:
            read.state = reader.get_validation_state()
            read.store, read.details = _object(reader.json()), _object(reader.crjson())
            read.remote_url = reader.get_remote_url()
            read.outcome = "read"
    except C2paError as error:
        _take_error(read, str(error))
    except (ValueError, RecursionError) as error:
        _take_error(read, f"{type(error).__name__}: {error}")
    return read


def _lists(trust: TrustTexts) -> list[dict[str, str]]:
    """The library's named lists: its plain `allowed_list` counts for nothing (0.38)."""
    if trust.sha256 is None:
        return []
    allowed = {"allowed_list": trust.allowed} if trust.allowed else {}
    return [{"trust_anchors": trust.anchors, **allowed, "trust_uri": _LIST_NAME, "trust_kind": "manifest"}]


def _tool() -> str:
    from importlib.metadata import version

    from c2pa import sdk_version

    return f"c2pa-python {version('c2pa-python')} (c2pa-rs {sdk_version()})"


def _object(text: str) -> dict[str, Any]:
    """A JSON object; ValueError for anything else."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("the report is no object")  # noqa: TRY004 (bad text, not a bad argument)
    return value


def _take_error(read: C2paRead, text: str) -> None:
    if _MUST_FETCH in text:
        read.outcome, read.remote_url = "remote", text.split(_MUST_FETCH, 1)[1].strip()
    elif any(mark in text for mark in _NOT_FOUND):
        read.outcome = "none"
    else:
        read.outcome, read.reason = "unreadable", text[:_MAX_REASON]
