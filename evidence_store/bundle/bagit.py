"""BagIt 1.0 tag files (RFC 8493), so that any digital-preservation tool can check an unzipped bundle.

Manifest lines are "<lowercase hex>  <path>", which is also what `sha256sum -c` reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from evidence_store.bundle.layout import path_problem
from evidence_store.errors import EvidenceStoreError

DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
PAYLOAD_OXUM = "Payload-Oxum"

_LINE = re.compile(r"([0-9a-f]+)  (.+)", re.ASCII)
_LABEL = re.compile(r"([A-Za-z0-9-]+): (.*)", re.ASCII)


def format_manifest(digests: Mapping[str, str]) -> bytes:
    """Write a payload or tag manifest, sorted by path.

    Args:
        digests: path to lowercase hex digest.
    """
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items())).encode("ascii")


def parse_manifest(data: bytes, hex_length: int) -> dict[str, str]:
    """Read a payload or tag manifest.

    Args:
        data: the file's bytes.
        hex_length: characters of one digest: 64 for SHA-256, 128 for SHA-512.

    Returns:
        Path to lowercase hex digest.

    Raises:
        EvidenceStoreError: `bag_manifest_malformed` for anything but what `format_manifest` writes.
    """
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise EvidenceStoreError("bag_manifest_malformed", "not ASCII text") from error
    lines = text.split("\n")
    if lines.pop() != "":
        raise EvidenceStoreError("bag_manifest_malformed", "the last line is not ended")
    digests: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None or len(match[1]) != hex_length or path_problem(match[2]) is not None:
            raise EvidenceStoreError("bag_manifest_malformed", f"line {number} is not '<digest>  <path>'")
        if match[2] in digests:
            raise EvidenceStoreError("bag_manifest_malformed", f"line {number} lists {match[2]} a second time")
        digests[match[2]] = match[1]
    return digests


def payload_oxum(sizes: Iterable[int]) -> str:
    """Payload-Oxum: total octets and number of payload files, such as "279164409832.1198" (RFC 8493 section 2.2.2)."""
    counted = list(sizes)
    return f"{sum(counted)}.{len(counted)}"


def format_bag_info(fields: Iterable[tuple[str, str]]) -> bytes:
    """Write bag-info.txt.

    Args:
        fields: label and value; line breaks and other control characters in a value become spaces.
    """
    return "".join(f"{label}: {_one_line(value)}\n" for label, value in fields).encode()


def parse_bag_info(data: bytes) -> dict[str, str]:
    """Read bag-info.txt.

    Raises:
        EvidenceStoreError: `bag_info_malformed` for a line that is not "Label: value", or a repeated label.
    """
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise EvidenceStoreError("bag_info_malformed", "not UTF-8 text") from error
    if lines.pop() != "":
        raise EvidenceStoreError("bag_info_malformed", "the last line is not ended")
    fields: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LABEL.fullmatch(line)
        if match is None or match[1] in fields:
            raise EvidenceStoreError("bag_info_malformed", f"line {number} is not one new 'Label: value'")
        fields[match[1]] = match[2]
    return fields


def _one_line(value: str) -> str:
    # BagIt readers split on CR, LF and CRLF; Python's own splitlines splits on more.
    return " ".join("".join(c if c.isprintable() else "\n" for c in value).split())
