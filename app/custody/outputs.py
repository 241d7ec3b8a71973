"""How an event names a file that was made: the one form that bundles, audits and verifiers look for.

SHA-256 is how the file is found. SHA-512 stands beside it because a renewal (RFC 4998) hashes the canonical bytes of
events with SHA-512: should other bytes of the same SHA-256 be made one day, the event still says which file it meant.
Events made before version 0.2 have SHA-256 and size only.
"""

from __future__ import annotations

from pydantic import JsonValue

from evidence_store.digests import Digests, digest_stream


def output(role: str, made: bytes | Digests, **names: str) -> JsonValue:
    """An entry of `details.outputs`.

    Args:
        role: what the file is, such as `metadata` or `receipt`.
        made: its bytes, or its digests when the bytes are not at hand.
        names: further ids, such as `link="..."`.
    """
    digests = digest_stream([made]) if isinstance(made, bytes) else made
    return {"role": role, **names, "sha256": digests.sha256, "sha512": digests.sha512, "size": digests.size}
