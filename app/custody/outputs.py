"""How an event names a file that was made: the one form that bundles, audits and verifiers look for."""

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
    return {"role": role, **names, "sha256": digests.sha256, "size": digests.size}
