"""Disclosures: to whom, what is kept back, what goes out all the same, and the register of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.api.base import EVENT_ID, ITEM_ID, SHA256, TIME, USER_ID, Cursor, Sent, Shown


class RecipientGiven(Sent):
    """Who is to get it."""

    name: str = Field(max_length=1_000, examples=["Example Court, chamber 2"])
    kind: str = Field(
        max_length=40,
        description="`court`, `prosecution`, `defence`, `investigation`, `expert`, `partner`, `public` or `other`.",
        examples=["court"],
    )


class WithheldGiven(Sent):
    """What to keep back of an item: `item` (all of it), `original`, `source`, `links`, `reviews`."""

    item: str = Field(max_length=100, examples=[ITEM_ID])
    parts: list[str] = Field(default_factory=list, max_length=10, description="Empty: the whole item.")


class ReleasedGiven(Sent):
    """An item that goes out although it is restricted, and why."""

    item: str = Field(max_length=100, examples=[ITEM_ID])
    reason: str = Field(max_length=10_000, examples=["The source agreed in writing on 12 May."])


class DisclosureGiven(Sent):
    """For whom an export is made, and what of it is kept back."""

    recipient: RecipientGiven | None = None
    restricted: Literal["withhold", "refuse"] = Field(
        default="withhold", description="What becomes of what may not go to this recipient."
    )
    withhold: list[WithheldGiven] = Field(default_factory=list, max_length=10_000)
    release: list[ReleasedGiven] = Field(default_factory=list, max_length=10_000)
    acknowledge: str = Field(
        default="",
        max_length=100_000,
        description="Why material that speaks against is left out; it stands in the bundle.",
    )


class RecipientShown(Shown):
    """Who got it."""

    name: str = Field(examples=["Example Court, chamber 2"])
    kind: str = Field(examples=["court"])


class LeftOutShown(Shown):
    """Something that speaks against and is not in the bundle."""

    kind: str = Field(
        description="`contradicting link`, `contradicting element link`, `rejecting review`, `denial`, "
        "`statement of unknown kind`, `contradicting statement`, `contested or contradicted element`, "
        "`answer to a panel`, `assessment: not reached` or `dissent on a verification`; with "
        "`of a partner` behind it: in a bundle that came from a partner.",
        examples=["denial"],
    )
    id: str = Field(examples=[EVENT_ID])
    about: str = Field(examples=[f"item:{ITEM_ID}"])


class MarkedItem(Shown):
    """What became of an item that is restricted, withheld, released or opened."""

    item: str = Field(examples=[ITEM_ID])
    place: int = Field(description="Its number in the selection, from 0.", examples=[0])
    state: str = Field(description="`whole`, `partly withheld`, `withheld`, `opened`.", examples=["partly withheld"])
    parts: list[str] = Field(description="What is kept back; of an opening what was opened.", examples=[["source"]])
    terms: list[str] = Field(description="The restrictions that stand.", examples=[["handling protect_source"]])
    released: str | None = Field(description="Why it goes out all the same.", examples=[None])


class WeighedExport(Shown):
    """What would become of an export; nothing is made and nothing recorded."""

    marked: list[MarkedItem]
    left_out: list[LeftOutShown]
    refused: str | None = Field(description="Why it would be refused as it is asked.", examples=[None])


class DisclosureShown(Shown):
    """One line of the register."""

    id: str = Field(examples=[EVENT_ID])
    kind: str = Field(description="`bundle`, or `opening` of one.", examples=["bundle"])
    export: str = Field(examples=[EVENT_ID])
    state: str = Field(examples=["done"])
    created_at: str = Field(examples=[TIME])
    created_by: str = Field(description="User id.", examples=[USER_ID])
    recipient: RecipientShown | None = Field(description="Null where nobody was named.")
    purpose: str = Field(examples=["Request 2026/17"])
    sha256: str | None = Field(description="Of the file that was given.", examples=[SHA256])
    size: int | None = Field(examples=[9_813_021])
    items: list[str] = Field(examples=[[ITEM_ID]])
    marked: list[MarkedItem]
    left_out: list[LeftOutShown]
    acknowledged: str | None = Field(examples=[None])


class DisclosureList(Shown):
    """The register, newest first."""

    disclosures: list[DisclosureShown]
    cursor: Cursor


class OpeningCreate(Sent):
    """Disclose what a bundle kept back."""

    recipient: RecipientGiven
    purpose: str = Field(max_length=100_000, examples=["Order of 3 June"])
    items: list[str] = Field(
        default_factory=list, max_length=10_000, description="Of items, and of entries of the dossier. Empty: all."
    )
    names: list[str] = Field(
        default_factory=list,
        max_length=1_000,
        description="Beginnings of names, such as `source.`: only these values. Empty: all, with events and files.",
    )
    release: str = Field(
        default="",
        max_length=100_000,
        description="Why, although restrictions stand: they are asked again.",
        examples=["The witness agreed on 2 June"],
    )


class EncryptionAsked(Sent):
    """To whom a bundle is encrypted."""

    certificates: list[str] = Field(
        min_length=1,
        max_length=100,
        description="PEM certificates (RSA or elliptic curve); each can decrypt it alone.",
        examples=[["-----BEGIN CERTIFICATE-----\nMIIB...\n-----END CERTIFICATE-----\n"]],
    )
