"""What probes hand over: plain values by tag, and remarks."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_TEXT = 2_000
MAX_TAGS = 400
MAX_SHOWN = 120


@dataclass
class Remark:
    """Something odd that a probe met; becomes a finding with the same code.

    Attributes:
        names: of the metadata that were not read, where that is what it says.
    """

    code: str
    text: str
    names: tuple[str, ...] = ()


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


def shown(value: object, limit: int = MAX_SHOWN) -> str:
    """A recorded value for one line of a finding: escaped as by `clean`, no line breaks, at most `limit` characters."""
    text = clean(value).replace("\n", "\\n")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def unread(*names: str) -> Remark:
    """Metadata that are there, of a kind that is not read."""
    listed = ", ".join(shown(name, 60) for name in names[:8]) + (" and more" if len(names) > 8 else "")  # noqa: PLR2004 (enough for a line)
    return Remark("metadata_unread", f"the file holds metadata that were not read: {listed}", names)


def unreadable(text: str) -> Remark:
    """Metadata that are there, of a kind that is read, and could not be."""
    return Remark("metadata_unreadable", f"{text}; it was there and could not be read, which is no absence")


def unusable(source: str, raw: object, why: str) -> Remark:
    """A recorded value that says nothing clear: left out, and named."""
    return Remark("value_unusable", f'{shown(source)} is recorded as "{shown(raw)}", {why}; the value is left out')


def clean(value: object) -> str:
    """Text that any JSON reader takes: no lone surrogates, no control characters, bounded length."""
    if isinstance(value, bytes):
        value = value[: MAX_TEXT + 1].decode("utf-8", "backslashreplace")
    text = str(value)[: MAX_TEXT + 1]
    if len(text) <= MAX_TEXT and text.isprintable():
        return text
    text = "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text.rstrip("\0"))
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
