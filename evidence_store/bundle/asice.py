"""The ASiCManifest of an ASiC-E container with CAdES (ETSI EN 319 162-1, annex A.4).

It lists each sealed file with its SHA-256 digest (base64), and the seal signs exactly its bytes. There is one way to
write it. Reading accepts that one way and nothing else, so no XML parser meets hostile input: the text is matched,
written again and compared byte for byte.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from evidence_store.bundle.layout import SEAL, path_problem
from evidence_store.errors import EvidenceStoreError

_DIGEST_BYTES = 32
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">\n'
    f'  <asic:SigReference URI="{SEAL}" MimeType="application/pkcs7-signature"/>\n'
)
_TAIL = "</asic:ASiCManifest>\n"
_REFERENCE = (
    '  <asic:DataObjectReference URI="{path}">'
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
    "<ds:DigestValue>{digest}</ds:DigestValue></asic:DataObjectReference>\n"
)
_LINE = re.compile(r' *<asic:DataObjectReference URI="([^"]*)">.*<ds:DigestValue>([A-Za-z0-9+/=]{44})</.*', re.ASCII)


def format_asic_manifest(digests: Mapping[str, str]) -> bytes:
    """Write the ASiCManifest, one line per file, sorted by path.

    Args:
        digests: path (ASCII, see `layout.path_problem`) to SHA-256 in lowercase hex.
    """
    references = (
        _REFERENCE.format(path=path, digest=base64.b64encode(bytes.fromhex(digest)).decode("ascii"))
        for path, digest in sorted(digests.items())
    )
    return (_HEAD + "".join(references) + _TAIL).encode("ascii")


def parse_asic_manifest(data: bytes) -> dict[str, str]:
    """Read an ASiCManifest.

    Returns:
        Path to SHA-256 in lowercase hex.

    Raises:
        EvidenceStoreError: `asic_manifest_malformed` for anything but what `format_asic_manifest` writes.
    """
    digests: dict[str, str] = {}
    for line in data.decode("ascii", "replace").split("\n"):
        match = _LINE.fullmatch(line)
        digest = _decode(match[2]) if match is not None else b""
        if match is not None and len(digest) == _DIGEST_BYTES and path_problem(match[1]) is None:
            digests[match[1]] = digest.hex()
    if format_asic_manifest(digests) != data:
        raise EvidenceStoreError("asic_manifest_malformed", "not in the one form that a bundle's ASiCManifest has")
    return digests


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # misplaced padding
        return b""
