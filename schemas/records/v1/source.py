"""Where a file came from, as its collector says (Berkeley Protocol, collection records).

Everything here is what somebody states. What is not stated is absent; nothing is worked out from something else.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)

MAX_NOTE = 8_000
MAX_CAPTION = 20_000
MAX_SHORT_NOTE = 2_000
FIRST_YEAR, LAST_YEAR = 1900, 2200
AS_STORED = {"stored": True}
"""Context for `model_validate`: a record of before version 0.2 is read as it was accepted then."""

URL_SCHEMES = frozenset(
    {"at", "ftp", "ftps", "http", "https", "ipfs", "ipns", "magnet", "rtmp", "rtmps", "rtsp", "sftp", "tg"}
)
LegalBasis = Literal[
    "consent",
    "court_order",
    "legal_claims",
    "legal_mandate",
    "legitimate_interest",
    "public_interest",
    "vital_interest",
    "other",
]
Consent = Literal["given", "given_with_conditions", "not_sought", "refused", "withdrawn"]
Handling = Literal[
    "consult_collector",
    "distressing",
    "do_not_publish",
    "do_not_share",
    "embargo",
    "lead_only",
    "legal_privilege",
    "minors",
    "protect_source",
    "protect_witness",
    "sexual_violence",
]
NEEDS_NOTE: dict[str, tuple[frozenset[str], str]] = {
    "legal_basis": (frozenset({"other"}), "legal_basis_note"),
    "consent": (frozenset({"given_with_conditions"}), "consent_note"),
    "handling": (frozenset({"embargo"}), "handling_note"),
}
"""By field: the terms that say nothing without a note, and the field of that note."""

SourceRecord = dict[str, JsonValue]
"""Text, and lists of text."""
_LINES = ("note", "caption", "legal_basis_note", "consent_note", "handling_note")
_NAMES = ("platform", "channel", "post_id", "collecting_machine", "tool", "tool_version")
_TIMES = ("posted_at", "collected_at")
_OFFSETS = timedelta(hours=-12), timedelta(hours=14)  # what civil time uses
# RFC 5646, section 2.1: language, script, region, variants, extensions, private use; or private use alone.
_LANGUAGE = re.compile(
    r"(?:(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+)",
    re.ASCII | re.IGNORECASE,
)
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_ShortNote = Annotated[str, Field(min_length=1, max_length=MAX_SHORT_NOTE)]


def is_language(tag: str) -> bool:
    """Whether a tag is well-formed by BCP 47 (RFC 5646, section 2.1)."""
    return _LANGUAGE.fullmatch(tag) is not None


class SourceContext(BaseModel):
    """What the collector states; the archive records it and does not vouch for it.

    Attributes:
        url: where it was found: a whole address with its scheme.
        platform: the service it was found on, in the collector's words. Never derived from the URL.
        channel: account, channel or group that showed it.
        post_id: the platform's identifier of the post.
        caption: the text that was posted with it, at most 20,000 characters, as it stood.
        caption_language: BCP 47 tag of the caption's language (RFC 5646), well-formed.
        posted_at: when it was posted, as the platform says (RFC 3339 with offset).
        collected_at: when it was collected (RFC 3339 with offset).
        collector: who collected it.
        collecting_machine: on which machine.
        tool: with which program, and `tool_version` in which version of it.
        legal_basis: on what ground it was collected; `legal_basis_note` says more.
        consent: what whoever made or gave it said to its use; `consent_note` says more.
        handling: restrictions asked for, each term once, in alphabetical order; `handling_note` says more.
        note: free text, at most 8,000 characters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    url: str | None = Field(default=None, max_length=2_000)
    platform: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    channel: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    post_id: _Name | None = None
    caption: Annotated[str, Field(min_length=1, max_length=MAX_CAPTION)] | None = None
    caption_language: Annotated[str, Field(min_length=2, max_length=100)] | None = None
    posted_at: AwareDatetime | None = None
    collected_at: AwareDatetime | None = None
    collector: str | None = Field(default=None, max_length=200)
    collecting_machine: _Name | None = None
    tool: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    tool_version: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    legal_basis: LegalBasis | None = None
    legal_basis_note: _ShortNote | None = None
    consent: Consent | None = None
    consent_note: _ShortNote | None = None
    handling: tuple[Handling, ...] | None = Field(default=None, min_length=1, json_schema_extra={"uniqueItems": True})
    handling_note: _ShortNote | None = None
    note: str | None = Field(default=None, max_length=MAX_NOTE)

    @field_validator("url", "collector", *_LINES, *_NAMES)
    @classmethod
    def _printable(cls, text: str | None) -> str | None:
        if text is not None and any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\r\t" for c in text):
            raise ValueError("holds a control character")
        return text

    @field_validator("url", "collector", *_NAMES)
    @classmethod
    def _one_line(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is not None and not _stored(info) and any(unicodedata.category(c) in {"Cc", "Zl", "Zp"} for c in text):
            raise ValueError("has more than one line")
        return text

    @field_validator("url")
    @classmethod
    def _whole_address(cls, url: str | None, info: ValidationInfo) -> str | None:
        if not url or _stored(info):
            return url
        if any(c.isspace() for c in url):
            raise ValueError("holds a space")
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ValueError("is no URL") from None
        if parts.scheme.lower() not in URL_SCHEMES:
            raise ValueError(
                f"does not begin with one of {', '.join(sorted(URL_SCHEMES))}; other places go into the note"
            )
        if not (parts.netloc or parts.path.strip("/") or parts.query):
            raise ValueError("names no place")
        return url

    @field_validator("caption_language")
    @classmethod
    def _well_formed(cls, tag: str | None) -> str | None:
        if tag is not None and not _LANGUAGE.fullmatch(tag):
            raise ValueError("is no BCP 47 language tag, such as uk, ar-SY or zh-Hant")
        return tag

    @field_validator("handling")
    @classmethod
    def _each_once(cls, terms: tuple[Handling, ...] | None) -> tuple[Handling, ...] | None:
        if terms is not None and len(set(terms)) != len(terms):
            raise ValueError("names a term twice")
        return None if terms is None else tuple(sorted(terms))

    @field_validator(*_TIMES, mode="before")
    @classmethod
    def _time_as_text(cls, given: object) -> object:
        if given is not None and not (isinstance(given, datetime) or (isinstance(given, str) and "T" in given)):
            raise ValueError("is not RFC 3339, such as 2025-07-06T14:00:00+03:00")
        return given

    @field_validator(*_TIMES)
    @classmethod
    def _plausible(cls, moment: datetime | None, info: ValidationInfo) -> datetime | None:
        if moment is None:
            return None
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise ValueError(f"lies outside the years {FIRST_YEAR} to {LAST_YEAR}")
        offset = moment.utcoffset() or timedelta()
        if not _stored(info) and (not _OFFSETS[0] <= offset <= _OFFSETS[1] or offset % timedelta(minutes=1)):
            raise ValueError("has an offset that no clock shows: from -12:00 to +14:00")
        return moment

    @model_validator(mode="after")
    def _said_in_full(self) -> Self:
        missing = []
        for field, (terms, note) in NEEDS_NOTE.items():
            given = getattr(self, field) or ()
            hollow = terms.intersection([given] if isinstance(given, str) else given)
            if hollow and getattr(self, note) is None:
                missing.append(f"{field} {min(hollow)!r} needs {note}")
        if missing:
            raise ValueError(", ".join(missing))
        return self

    def as_record(self) -> SourceRecord:
        """Plain values, absent ones left out: text, times in ISO 8601 with their offset, terms as a list."""
        values = self.model_dump(mode="python", exclude_none=True)
        return {key: _plain(value) for key, value in values.items()}


def _stored(info: ValidationInfo) -> bool:
    return bool(info.context and info.context.get("stored"))


def _plain(value: str | datetime | tuple[str, ...]) -> JsonValue:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
