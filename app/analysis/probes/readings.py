"""What probes hand over: plain values by tag, and remarks."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_TEXT = 2_000
MAX_TAGS = 400


@dataclass
class Remark:
    """Something odd that a probe met; becomes a finding with the same code."""

    code: str
    text: str


@dataclass
class Readings:
    """What one tool read.

    Attributes:
        tool: its name, the first word of every fact's `source`.
        version: its version.
        tags: tag to text, for the raw dump.
    """

    tool: str
    version: str
    tags: dict[str, str] = field(default_factory=dict)

    def put(self, tag: str, value: object) -> None:
        """Keep a tag's text, bounded in length and number."""
        if len(self.tags) < MAX_TAGS or tag in self.tags:
            self.tags[clean(tag)[:200]] = clean(value)


def clean(value: object) -> str:
    """Text that any JSON reader takes: no lone surrogates, no control characters, bounded length."""
    if isinstance(value, bytes):
        value = value[: MAX_TEXT + 1].decode("utf-8", "backslashreplace")
    text = str(value)[: MAX_TEXT + 1]
    text = "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text.rstrip("\0"))
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
