"""Care of the law: versions and sign-offs of the catalogue, changes of the suggestion rules."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from schemas.api.base import SHA256, TIME, USER_ID, Sent, Shown
from schemas.records.v1.law_care import ProvisionSignoffRecord


class CatalogueVersionShown(Shown):
    """A version of the catalogue."""

    version: int = Field(examples=[2])
    sha256: str = Field(examples=[SHA256])
    loaded_at: str = Field(examples=[TIME])
    provisions: int = Field(examples=[110])
    imported_by: str | None = Field(description="User id; null for what came with the program.", examples=[USER_ID])
    reason: str = Field(examples=["Art. 85 compared with the authentic text"])


class CatalogueVersions(Shown):
    """All versions, oldest first; links keep the one that they were made against."""

    versions: list[CatalogueVersionShown]


class ResortedLink(Shown):
    """A standing link to an element that is sorted otherwise now."""

    entry: str = Field(examples=["5f0c7f0e-8a43-4c5e-9d0e-1f4b7c2d3e4f"])
    incident: str = Field(examples=["INC-1"])


class ResortedElement(Shown):
    """An element that takes protection away no longer, or only now. Links keep the side that they were made with."""

    provision: str = Field(examples=["ap1-art65"])
    element: str = Field(examples=["ap1-art65-e1"])
    kind_before: str = Field(examples=["loss_of_protection_exception"])
    kind_now: str | None = Field(description="Null where the element is gone.", examples=["material"])
    links: int = Field(description="How many stand, in all cases.", examples=[1])
    named: list[ResortedLink] = Field(description="Those of the reader's cases; at most 100.")
    text: str = Field(examples=["ap1-art65-e1 was loss_of_protection_exception and is material now."])


class CatalogueImported(Shown):
    """What came of an import. Every entry of the new version is a draft until it is signed off in it."""

    version: int = Field(examples=[2])
    sha256: str = Field(examples=[SHA256])
    before: int = Field(examples=[1])
    added: list[str] = Field(examples=[[]])
    changed: list[str] = Field(examples=[["ap1-art85"]])
    gone: list[str] = Field(examples=[[]])
    warnings: list[ResortedElement] = Field(description="Elements that lose or gain the mark 'loss of protection'.")


class SignoffCreate(Sent):
    """Sign an entry off in one version, or withdraw one's sign-off."""

    decision: Literal["sign", "withdraw"] = Field(examples=["sign"])
    scope: str = Field(max_length=100_000, description="What was checked, or why not any more.", examples=["Text."])
    version: int | None = Field(default=None, ge=1, le=1_000_000, description="Of the catalogue; else the newest.")


class SignoffList(Shown):
    """Every sign-off of an entry and every withdrawal, in all versions."""

    provision: str = Field(examples=["ap1-art62"])
    signoffs: list[ProvisionSignoffRecord]


class ApplicabilityShown(Shown):
    """What the status data say of a provision's application; an aid to a lawyer, and no more."""

    model_config = ConfigDict(frozen=True, extra="allow")

    provision: str = Field(examples=["ap1-art62"])
    instrument: str = Field(examples=["Additional Protocol I (1977)"])
    applies: Literal["yes", "no", "unknown"]
    why: str = Field(examples=["listed for iac; in force for Ukraine then"])


class ApplicabilityList(Shown):
    """The same of every provision."""

    provisions: list[ApplicabilityShown]


class RuleChangeCreate(Sent):
    """Switch a rule on or off, or set a threshold; null sets the file's own."""

    rule: str | None = Field(default=None, max_length=64, examples=["R11"])
    on: bool | None = Field(default=None, examples=[False])
    threshold: str | None = Field(default=None, max_length=64, examples=[None])
    value: str | None = Field(default=None, max_length=20, description="Decimal text.", examples=[None])
    reason: str = Field(max_length=100_000, examples=["Too wide for strikes by artillery; under review."])


class RuleReviewCreate(Sent):
    """Confirm or refuse a change that another lawyer made."""

    decision: Literal["confirm", "refuse"] = Field(examples=["confirm"])
    comment: str = Field(default="", max_length=100_000, examples=["Agreed."])


class RuleChangeShown(Shown):
    """A change of the rules; a file waits for a second lawyer, all else holds at once until one refuses it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    number: int = Field(examples=[1])
    kind: Literal["import", "rule", "threshold"]
    reason: str = Field(examples=["Too wide for strikes by artillery; under review."])
    lawyer: str = Field(examples=["leo"])
    created_at: str = Field(examples=[TIME])
    state: Literal["unconfirmed", "confirmed", "refused", "waiting"]


class RuleChanges(Shown):
    """Every change, oldest first."""

    changes: list[RuleChangeShown]


class RulesShown(Shown):
    """The rules in force."""

    version: str = Field(examples=["0.1"])
    status: str = Field(examples=["draft"])
    sha256: str = Field(examples=[SHA256])
    thresholds: dict[str, str] = Field(examples=[{"double_tap_minutes": "60"}])
    default_thresholds: dict[str, str] = Field(examples=[{"double_tap_minutes": "60"}])
    rules: list[dict[str, JsonValue]] = Field(examples=[[{"id": "R11", "title": "...", "on": False}]])
    changes: list[RuleChangeShown] = Field(description="Those that hold.")
