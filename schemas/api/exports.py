"""Exports: signed evidence bundles, and who was given them."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from schemas.api.base import CASE_ID, EVENT_ID, ITEM_ID, SHA256, TIME, USER_ID, Cursor, Sent, Shown
from schemas.api.disclosures import DisclosureGiven
from schemas.api.timestamps import Stamp


class ExportCreate(Sent):
    """Choose what leaves: one case, one incident with every item that it refers to, or single items."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"case": "T1", "purpose": "Request 2026/17 of the prosecutor"},
                {"items": [ITEM_ID], "purpose": "Expert opinion"},
                {"incident": "INC-1", "derivatives": "proxy", "purpose": "Hearing of 3 March"},
            ]
        },
    )

    case: str | None = Field(default=None, max_length=100, description="Reference or id; with `incident`, its case.")
    items: list[str] | None = Field(default=None, max_length=10_000, description="Item ids.")
    incident: str | None = Field(default=None, max_length=200, description="Id for people, or UUID.")
    derivatives: Literal["none", "preview", "proxy", "all"] = Field(
        default="preview", description="Which files made from originals; `all` holds earlier ones, too."
    )
    analyses: Literal["all", "newest"] = Field(default="all", description="Which metadata records and tracks.")
    incidents: Literal["all", "none"] = Field(
        default="all", description="Of an exported case, with what belongs to them."
    )
    purpose: str = Field(default="", max_length=100_000, description="For whom and what for; it stands in the bundle.")
    disclosure: DisclosureGiven | None = Field(default=None, description="For whom, and what is kept back.")


class InBundle(Shown):
    """Which time stamps are in a bundle's file: by authority `done` (it is there), `pending` or `failed`."""

    checkpoint: dict[str, str] = Field(description="Over the log's state.", examples=[{"freetsa": "done"}])
    seal: dict[str, str] = Field(description="Over the bundle's signature.", examples=[{"freetsa": "pending"}])
    receipts: dict[str, int] = Field(description="How many over deposit receipts, by state.", examples=[{"done": 12}])


class PartShown(Shown):
    """One bundle of a finished export: the only one, or a part of its set."""

    part: int = Field(description="Its place, from 1.", examples=[1])
    bundle_id: str = Field(examples=[EVENT_ID])
    items: int = Field(examples=[97])
    files: int = Field(examples=[812])
    size: int = Field(description="Bytes.", examples=[9_813_021])
    sha256: str = Field(description="Of the bundle's file.", examples=[SHA256])
    sealed_list_sha256: str = Field(description="Of its ASiCManifest: the same once it is unzipped.", examples=[SHA256])
    href: str = Field(description="Where its bytes are.", examples=["/api/v1/exports/ID/parts/1"])


class Progress(Shown):
    """How far a worker has come."""

    done: int = Field(description="Bytes of originals written.", examples=[104_857_600])
    total: int | None = Field(description="Of how many.", examples=[2_147_483_648])


class ExportShown(Shown):
    """One export."""

    id: str = Field(examples=[EVENT_ID])
    state: str = Field(description="`queued`, `building`, `done` or `failed`.", examples=["done"])
    scope: JsonValue = Field(examples=[{"case": "T1", "case_id": CASE_ID}])
    cases: list[str] = Field(examples=[[CASE_ID]])
    items: list[str] = Field(examples=[[ITEM_ID]])
    purpose: str = Field(examples=["Request 2026/17 of the prosecutor"])
    requested_by: str = Field(description="User id.", examples=[USER_ID])
    created_at: str = Field(examples=[TIME])
    finished_at: str | None = Field(examples=[TIME])
    tree_size: int | None = Field(description="Entries of the log at the bundle's checkpoint.", examples=[57])
    sha256: str | None = Field(
        description="Of the bundle's file; null for a set, whose parts have their own.", examples=[SHA256]
    )
    size: int | None = Field(description="Bytes of all parts.", examples=[9_813_021])
    files: int | None = Field(examples=[31])
    parts: list[PartShown] = Field(description="The bundles; more than one are a set, see `set`.")
    set: str | None = Field(
        description="Where the signed list of a set is; its signature is below it at `/signature`.",
        examples=["/api/v1/exports/ID/set"],
    )
    progress: Progress | None = Field(description="Of an export that a worker is making, once it has told.")
    failure_code: str | None = None
    failure_detail: str | None = None
    in_bundle: InBundle | None = Field(description="Time stamps in the file itself; null until it is done.")
    timestamps: list[Stamp] = Field(
        description="Of the bundle's signature, as far as they came by now. One that came late is not in the file.",
        examples=[[]],
    )


class ExportList(Shown):
    """Exports of the cases that you may read."""

    exports: list[ExportShown]
    cursor: Cursor
