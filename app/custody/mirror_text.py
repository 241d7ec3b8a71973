"""What lies beside the tiles of a published log: its verifier keys, and a page for whoever finds the folder."""

from __future__ import annotations

from collections.abc import Sequence

VKEY, README = "log.vkey", "README.txt"

_README = """The custody log of {org}

This folder is a transparency log as static files. Any web server can serve it as it is, anybody may copy it, and
nothing in it discloses evidence: an entry is the SHA-256 of an event that holds 32 random bytes.

  checkpoint      the signed size and root hash of the log (C2SP tlog-checkpoint); do not cache
  tile/L/N        hashes of the Merkle tree, level L, tile N (C2SP tlog-tiles, RFC 6962); full tiles never change
  tile/entries/N  the entries, 32 bytes each after a two-byte length
  log.vkey        the keys that sign the checkpoint (C2SP signed-note), one a line

Origin of the log: {origin}

Whoever keeps a copy of `checkpoint` can show later whether the log was rewritten since: keep some, with their date,
away from whoever runs the log. Take log.vkey from its owner by a way that you trust, not from here. That the log
continues an older checkpoint is shown by a consistency proof (RFC 6962, section 2.1.2), which is computed from the
tiles. Serve `checkpoint` as text/plain and everything below `tile` as application/octet-stream.
"""


def beside_tiles(org: str, origin: str, vkeys: Sequence[str]) -> dict[str, bytes]:
    """The small files of a mirror by name.

    Args:
        org: who answers for the archive.
        origin: origin line of the log.
        vkeys: its verifier keys, one text each.
    """
    return {
        VKEY: "".join(f"{line}\n" for line in vkeys).encode(),
        README: _README.format(org=org, origin=origin).encode(),
    }
