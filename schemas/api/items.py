"""Items: one deposit of one file."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from schemas.api.base import CASE_ID, EVENT_ID, ITEM_ID, SHA256, SHA512, TIME, USER_ID, Cursor, Sent, Shown
from schemas.api.jobs import JobShown
from schemas.api.receipts import ReceiptShown
from schemas.api.timestamps import Stamp


class ItemSummary(Shown):
    """An item as lists show it."""

    id: str = Field(examples=[ITEM_ID])
    case: str = Field(description="Case id.", examples=[CASE_ID])
    original_name: str = Field(description="As given, folders cut, control characters %-encoded.", examples=["a.jpg"])
    sha256: str = Field(description="Lowercase hex, of the bytes as received.", examples=[SHA256])
    sha512: str = Field(examples=[SHA512])
    size: int = Field(description="Bytes.", examples=[4_813_021])
    received_at: str = Field(examples=[TIME])
    received_by: str = Field(description="User id.", examples=[USER_ID])
    source: dict[str, JsonValue] = Field(
        description="What is stated of the source, newest version; recorded, not vouched for.",
        examples=[{"url": "https://example.org/post/1", "collector": "ana"}],
    )
    source_version: int = Field(description="Number of that version; 1 is the deposit's.", examples=[1])
    source_at_deposit: dict[str, JsonValue] | None = Field(
        description="What was stated at the deposit; null when `source` is that.", examples=[None]
    )


class AnalysisShown(Shown):
    """How far the analysis of an item has come."""

    state: Literal["pending", "done", "failed"]
    run: int | None = Field(default=None, description="Number of the newest run.", examples=[1])
    media_type: str | None = Field(default=None, description="As found in the bytes.", examples=["image/jpeg"])
    kind: str | None = Field(default=None, examples=["photo"])
    captured_at: str | None = Field(default=None, examples=["2023-06-01T14:03:22+03:00"])
    lat: str | None = Field(default=None, description="Signed decimal degrees, as text.", examples=["48.123456"])
    lon: str | None = Field(default=None, examples=["37.654321"])
    failure_code: str | None = None
    failure_detail: str | None = None


class RelationShown(Shown):
    """A relation as one of its items sees it: what somebody stated, and how he knew."""

    id: str = Field(description="Relation id; an event of each item names it.", examples=[EVENT_ID])
    item: str = Field(description="Id of the other item.", examples=[ITEM_ID])
    direction: Literal["belongs_to", "has"] = Field(
        description="`belongs_to`: this item belongs to the other one; `has`: the other way round."
    )
    kind: str = Field(examples=["sidecar"])
    basis: str = Field(examples=["named after the file name without its ending"])
    created_at: str = Field(examples=[TIME])
    created_by: str = Field(description="User id.", examples=[USER_ID])


class RelationCreate(Sent):
    """State that the item of the path belongs to another one of its case."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"related": ITEM_ID, "kind": "sidecar", "basis": "named after the whole file name"}]
        },
    )

    related: str = Field(max_length=100, description="Id of the item that it belongs to.")
    kind: str = Field(max_length=100, description="1 to 20 lowercase letters, digits, dashes or underscores.")
    basis: str = Field(max_length=1_000, description="How this is known, one line of 1 to 200 characters.")


class FileOffered(Sent):
    """A file that a client would send."""

    sha256: str = Field(max_length=100, description="Lowercase hex, of the whole file.", examples=[SHA256])
    name: str = Field(max_length=4_096, description="File name as given.", examples=["a.jpg"])
    source: dict[str, JsonValue] = Field(default={}, description="As in X-Source.", examples=[{"collector": "ana"}])
    key: str | None = Field(default=None, max_length=100, description="The Idempotency-Key it would be sent with.")


class FilesOffered(Sent):
    """Files that a client would send: which of them need not be sent?"""

    files: list[FileOffered] = Field(max_length=500)
    again: bool = Field(default=False, description="Whatever the case holds, they will be sent: only keys count.")
    record: bool = Field(default=True, description="Record those that are known as offered again.")


class FileKnown(Shown):
    """What the case holds of one file."""

    state: Literal["new", "known", "deposited"] = Field(
        description="`known`: an item of the case has these bytes; `deposited`: sent before under this very key."
    )
    item: str | None = Field(
        description="Id of that item; of several with these bytes, one of the same name before others.",
        examples=[ITEM_ID],
    )
    same_name: bool = Field(description="`known`: it is the only item of the case with these bytes and this name.")


class FilesKnown(Shown):
    """One answer for each file, in the order of the question."""

    files: list[FileKnown]


class CheckShown(Shown):
    """A check of a hash, signature or time stamp that the collector had made."""

    id: str
    number: int = Field(description="1 for the item's first check.", examples=[1])
    kind: str = Field(description="See docs/sources.md.", examples=["manifest_sha256"])
    verdict: Literal["passed", "failed", "not_checked"]
    checked_by: Literal["archive", "depositor"] = Field(
        description="Whether this archive computed it, or the depositor's machine on the depositor's word."
    )
    wording: str = Field(examples=["checked by the archive"])
    details: dict[str, JsonValue] = Field(examples=[{"stated": SHA256, "sha256": SHA256}])
    created_at: str = Field(examples=[TIME])


class DerivativeShown(Shown):
    """A working copy that was made from an item: never the original."""

    role: Literal["preview", "proxy", "track"] = Field(examples=["proxy"])
    media_type: str = Field(examples=["video/mp4"])
    width: int = Field(description="Pixels; 0 for what is no picture.", examples=[1280])
    height: int = Field(examples=[720])
    size: int | None = Field(description="Bytes; null when the stored file is gone.", examples=[18_813_021])
    sha256: str = Field(examples=[SHA256])
    created_at: str = Field(examples=[TIME])


class ProxyShown(Shown):
    """How far the web-playable copy of a recording has come. `partial` is not all of it, whatever it looks like."""

    state: Literal["absent", "pending", "done", "partial", "failed"]
    sha256: str | None = Field(default=None, description="Of the copy that /proxy hands out.", examples=[SHA256])
    seconds: float | None = Field(default=None, description="How long that copy is.", examples=[61.4])
    of_seconds: float | None = Field(
        default=None,
        description="What the original's container says of its own length.",
        examples=[61.4],
    )
    origin_seconds: float | None = Field(
        default=None, description="Add it to a time of the copy to get the container's own time.", examples=[0.0]
    )
    missing: list[str] = Field(
        default=[], description="Why it is not all of the original.", examples=[["shorter_than_claimed"]]
    )
    failure_code: str | None = Field(default=None, description="Of the newest attempt.")
    failure_detail: str | None = None


class ItemShown(ItemSummary):
    """One item in full."""

    analysis: AnalysisShown
    worked_off: bool = Field(description="Whether all work on it has come to an end, done or given up.")
    work: list[JobShown] = Field(description="The jobs about it, oldest first.", examples=[[]])
    duplicate_of: list[str] = Field(description="Ids of other items with the same bytes, oldest first.", examples=[[]])
    sealed: bool = Field(description="Whether the deposit receipt is signed.")
    previews: list[str] = Field(description="Media types of the preview pictures.", examples=[["image/jpeg"]])
    derivatives: list[DerivativeShown] = Field(description="Working copies, oldest first.", examples=[[]])
    proxy: ProxyShown | None = Field(description="Null for what is no recording, or not analysed yet.")
    timestamps: list[Stamp] = Field(description="Of the deposit receipt's signature.", examples=[[]])
    relations: list[RelationShown] = Field(description="What it belongs to and what belongs to it.", examples=[[]])
    checks: list[CheckShown] = Field(description="Of the collector's own hashes and signatures.", examples=[[]])
    failed_checks: int = Field(description="How many of these failed.", examples=[0])


class ItemList(Shown):
    """Items, oldest first."""

    items: list[ItemSummary]
    cursor: Cursor


class DepositShown(Shown):
    """The answer to a deposit: the item and its signed receipt."""

    item: ItemSummary
    duplicate_of: list[str] = Field(description="Ids of older items with the same bytes.", examples=[[]])
    repeated: bool = Field(description="True when this Idempotency-Key had already made this item.")
    receipt: ReceiptShown | None = Field(description="Null when it could not be signed now; a job makes it later.")
