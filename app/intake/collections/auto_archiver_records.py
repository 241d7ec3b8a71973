"""What auto-archiver (bellingcat/auto-archiver) writes of one archived address, in whichever of its forms it is found.

Its `Metadata` has `metadata` (url, title, content, timestamp, _processed_at, ...) and `media`; each `Media` has a
storage key, addresses, and properties, among them `hash` ("SHA-256:..." or "SHA3-512:...") and further media. The
`json_enricher` writes it as JSON (before keys are known), `csv_db` as the text of Python values, the
`html_formatter` as a page.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from app.intake.collections.files import refuse

MAX_LITERAL: Final = 1 << 20
MAX_NESTING: Final = 8
_HASH = re.compile(r"(SHA-256|SHA3-512):([0-9a-f]{64}(?:[0-9a-f]{64})?)", re.ASCII | re.IGNORECASE)
ALGORITHMS: Final = {"SHA-256": "sha256", "SHA3-512": "sha3_512"}
_DIGITS = {"sha256": 64, "sha3_512": 128}


@dataclass
class Medium:
    """A file that auto-archiver stored.

    Attributes:
        label: its `id` property, or the property of another medium that it stands in.
        keys: storage key and addresses, as far as known.
        algorithm: `sha256` or `sha3_512`; None when no hash is stated.
        digest: lowercase hex.
        inner: media in its properties.
    """

    label: str
    keys: list[str] = field(default_factory=list)
    algorithm: str | None = None
    digest: str | None = None
    inner: list[Medium] = field(default_factory=list)

    def all(self) -> Iterator[Medium]:
        """Itself and everything inside."""
        yield self
        for each in self.inner:
            yield from each.all()

    def state_hash(self, text: object) -> None:
        """Take the `hash` property, if it is one."""
        match = _HASH.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is not None and len(match[2]) == _DIGITS[algorithm := ALGORITHMS[match[1].upper()]]:
            self.algorithm, self.digest = algorithm, match[2].lower()


@dataclass
class Record:
    """One archived address.

    Attributes:
        where: the file that says so, for messages.
        metadata: texts by key.
        version: of auto-archiver; only its page states it.
    """

    where: str
    metadata: dict[str, str] = field(default_factory=dict)
    media: list[Medium] = field(default_factory=list)
    version: str | None = None

    def labelled(self, label: str) -> Iterator[Medium]:
        """Media with this id."""
        return (medium for medium in self.media if medium.label == label)


def is_record(value: object) -> bool:
    """Whether a JSON value is auto-archiver's `Metadata`."""
    return isinstance(value, dict) and isinstance(value.get("metadata"), dict) and isinstance(value.get("media"), list)


def record_of(where: str, value: dict[str, object]) -> Record:
    """A record from the fields of `Metadata`."""
    metadata, media = value.get("metadata"), value.get("media")
    texts = {
        key: text for key, text in (metadata if isinstance(metadata, dict) else {}).items() if isinstance(text, str)
    }
    if isinstance(status := value.get("status"), str):
        texts["status"] = status
    return Record(where, texts, [_medium(each, "", 0) for each in (media if isinstance(media, list) else [])])


def _medium(value: object, label: str, depth: int) -> Medium:
    if not isinstance(value, dict) or depth > MAX_NESTING:
        return Medium(label)
    properties = value.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    name = properties.get("id")
    made = Medium(name if isinstance(name, str) and not label else label)
    urls = value.get("urls")
    keys = [value.get("_key"), value.get("key"), *(urls if isinstance(urls, list) else [])]
    made.keys = [key for key in keys if isinstance(key, str) and key]
    made.state_hash(properties.get("hash"))
    for key, prop in properties.items():
        for each in prop if isinstance(prop, list) else [prop]:
            if isinstance(each, dict) and "filename" in each:
                made.inner.append(_medium(each, str(key), depth + 1))
    return made


# -- the text of Python values --------------------------------------------------------------------


def parse_values(text: str) -> object:
    """Dicts, lists, texts, numbers and datetimes, as `csv_db` writes them; nothing is evaluated.

    Returns:
        The value; datetimes as ISO 8601 text, what is none of these as None.

    Raises:
        InvalidInputError: `bad_values`.
    """
    if len(text) > MAX_LITERAL:
        refuse("bad_values", f"a value has more than {MAX_LITERAL} characters")
    try:
        return _value(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        refuse("bad_values", "it is not the text of plain values")


def _value(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=str() | int() | float() | None):
            return node.value
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            return {_value(key): _value(value) for key, value in pairs if isinstance(key, ast.Constant)}
        case ast.List() | ast.Tuple() | ast.Set():
            return [_value(each) for each in node.elts]
        case ast.Call(func=ast.Attribute(value=ast.Name(id="datetime"), attr="datetime")):
            return _moment(node)
    return None


def _moment(node: ast.Call) -> str | None:
    """ISO 8601; with `+00:00` only when the value says that it is UTC."""
    parts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, int)]
    if len(parts) != len(node.args) or not 3 <= len(parts) <= 7:  # noqa: PLR2004 - year, month, day ... microsecond
        return None
    year, month, day, hour, minute, second, micro = [*parts, 0, 0, 0, 0][:7]
    zone = next((ast.unparse(each.value) for each in node.keywords if each.arg == "tzinfo"), "")
    fraction = f".{micro:06d}" if micro else ""
    utc = "+00:00" if zone == "datetime.timezone.utc" else ""
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}{fraction}{utc}"
