"""What a file's content credentials (C2PA) say, and what a check without any network made of them, version 1.

A valid manifest means that the file is, byte for byte, what the signer bound to it; not that what it shows is true.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

C2paState = Literal["absent", "unknown", "valid_trusted", "valid_untrusted", "invalid", "remote_only", "unreadable"]
Outcome = Literal["success", "informational", "failure"]
TimeStampState = Literal["absent", "trusted", "matched", "failed"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class C2paStatus(_Record):
    """One result of the validation (C2PA 2.2, section 15.2).

    Attributes:
        code: such as "assertion.dataHash.mismatch".
        about: "active manifest", or the title of an ingredient.
        by: who says so: "this check", or "claim" for what the signer recorded of an ingredient when it was added.
        explanation: the library's sentence, in its words.
    """

    outcome: Outcome
    code: str
    about: str
    by: Literal["this check", "claim"] = "this check"
    explanation: str | None = None


class C2paSigner(_Record):
    """The certificate that signed the active claim; names as X.500 attributes, "CN=..., O=...".

    Attributes:
        serial: lower-case hexadecimal.
        not_before, not_after: RFC 3339.
    """

    subject: str | None = None
    issuer: str | None = None
    serial: str | None = None
    algorithm: str | None = None
    not_before: str | None = None
    not_after: str | None = None


class C2paTimeStamp(_Record):
    """The RFC 3161 token inside the signature.

    Attributes:
        state: `trusted`: it matches and its authority is on the trust list; `matched`: it matches, its authority was
            not found there or was not checked; `failed`; `absent`: no clock but the signer's.
        time: RFC 3339, as the token says.
        authority: subject of the token's certificate.
    """

    state: TimeStampState = "absent"
    time: str | None = None
    authority: str | None = None


class C2paAction(_Record):
    """One action that the claim lists (C2PA 2.2, section 18.10)."""

    action: str
    when: str | None = None
    agent: str | None = None
    source_type: str | None = None


class C2paIngredient(_Record):
    """A file that went into this one; a tree in reading order.

    Attributes:
        depth: 0 for an ingredient of the active manifest, 1 for an ingredient of that, and so on.
        manifest: label of its own manifest in this store; null when it brought none.
        failures: failure codes about it, of this check and those that its claim recorded.
    """

    depth: int
    title: str
    format: str | None = None
    relationship: str | None = None
    manifest: str | None = None
    generator: str | None = None
    failures: tuple[str, ...] = ()


class C2paFacts(_Record):
    """Content credentials of the file.

    Attributes:
        state: `absent`; `unknown` (whether there are any could not be told); `valid_trusted`; `valid_untrusted` (the
            signature is valid, the signer is not on a trust list); `invalid`; `remote_only` (the manifest lies
            elsewhere and was not fetched); `unreadable` (there is one that could not be read).
        reasons: why, one sentence or status code each.
        place: where in the file, such as "APP11".
        tool: library and version.
        library_state: the library's own verdict. It does not count failures that a claim admits of an ingredient.
        trust_list: SHA-256 of the trust list in use; null for none.
        remote_url: where the file says its manifest is; recorded, never fetched.
        source_types: IPTC digital source types of the manifest's actions and of the file's XMP.
        omitted: how many statuses, actions or ingredients were left out for length.
    """

    state: C2paState = "absent"
    reasons: tuple[str, ...] = ()
    place: str | None = None
    tool: str | None = None
    library_state: str | None = None
    trust_list: str | None = None
    remote_url: str | None = None
    manifest: str | None = None
    manifests: int = 0
    title: str | None = None
    generator: str | None = None
    signer: C2paSigner | None = None
    time_stamp: C2paTimeStamp = C2paTimeStamp()
    actions: tuple[C2paAction, ...] = ()
    source_types: tuple[str, ...] = ()
    ingredients: tuple[C2paIngredient, ...] = ()
    statuses: tuple[C2paStatus, ...] = ()
    omitted: int = 0
