"""Where a file came from, as its collector says (Berkeley Protocol, collection records)."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

MAX_NOTE = 8_000


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

    def as_record(self) -> dict[str, str]:
        """Plain text values, absent ones left out."""
        values = self.model_dump(mode="python", exclude_none=True)
        return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in values.items()}
