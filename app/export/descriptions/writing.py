"""How descriptions are written: JSON and XML with one form for one content. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid5
from xml.sax.saxutils import escape, quoteattr

_SPACE = UUID("6f1b7ac2-1d6e-5f0b-9e0a-6f7d1a2c9b41")
"""Ids of what has none of its own are made from its name in this space (RFC 9562, version 5)."""

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def json_document(head: Mapping[str, Any], name: str, members: Iterable[Mapping[str, Any]]) -> bytes:
    """An object whose last member is a list, an element a line.

    Args:
        head: the members before it.
        name: of the list.
        members: its elements.
    """
    before = "".join(f"{json_text(key)}:{json_text(value)},\n" for key, value in head.items())
    inner = ",\n".join(json_text(one) for one in members)
    return f"{{{before}{json_text(name)}:[\n{inner}\n]}}\n".encode()


def json_text(value: object) -> str:
    """JSON on one line, keys sorted; lone surrogates are escaped, since UTF-8 has no form for them."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text if text.isascii() or _encodes(text) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def element(tag: str, content: object = "", /, **attributes: str) -> str:
    """An XML element around text, which is escaped."""
    return wrapped(tag, escape(xml_text(content)), **attributes)


def wrapped(tag: str, inner: str, /, **attributes: str) -> str:
    """An XML element around XML; "_" in the name of an attribute stands for ":"."""
    given = "".join(
        f" {key.replace('_', ':')}={quoteattr(xml_text(value))}" for key, value in sorted(attributes.items())
    )
    return f"<{tag}{given}>{inner}</{tag}>" if inner else f"<{tag}{given}/>"


def xml_text(value: object) -> str:
    """Text that XML 1.0 can hold (section 2.2): what it cannot becomes U+FFFD, so that nobody takes it for less."""
    return _NOT_IN_XML.sub("\ufffd", str(value))


def own_uuid(name: str) -> str:
    """The id of something that has none of its own; the same for the same name."""
    return str(uuid5(_SPACE, name))
