"""Where a file came from, as its collector says (Berkeley Protocol, collection records)."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

MAX_NOTE = 8_000
FIRST_YEAR, LAST_YEAR = 1900, 2200


class SourceContext(BaseModel):
    """What the collector states; the archive records it and does not vouch for it.

    Attributes:
        url: where it was found.
        note: free text, at most 8,000 characters.
        collected_at: when it was collected (RFC 3339 with offset).
        collector: who collected it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    url: str | None = Field(default=None, max_length=2_000)
    note: str | None = Field(default=None, max_length=MAX_NOTE)
    collected_at: AwareDatetime | None = None
    collector: str | None = Field(default=None, max_length=200)

    @field_validator("url", "note", "collector")
    @classmethod
    def _printable(cls, text: str | None) -> str | None:
        if text is not None and any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\r\t" for c in text):
            raise ValueError("holds a control character")
        return text

    @field_validator("collected_at", mode="before")
    @classmethod
    def _time_as_text(cls, given: object) -> object:
        if given is not None and not (isinstance(given, datetime) or (isinstance(given, str) and "T" in given)):
            raise ValueError("is not RFC 3339, such as 2025-07-06T14:00:00+03:00")
        return given

    @field_validator("collected_at")
    @classmethod
    def _plausible(cls, moment: datetime | None) -> datetime | None:
        if moment is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise ValueError(f"lies outside the years {FIRST_YEAR} to {LAST_YEAR}")
        return moment

    def as_record(self) -> dict[str, str]:
        """Plain text values, absent ones left out."""
        values = self.model_dump(mode="python", exclude_none=True)
        return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in values.items()}
