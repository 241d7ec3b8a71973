"""The page that auto-archiver's `html_formatter` makes of one archived address, read without a browser.

Only what its template writes is looked for: the address, a table of media (lists of `key`, `type`, `hash` and more,
one list in the other), a table of metadata, and the program's version. Each character is looked at once, whatever
the page holds.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Final

from app.intake.collections.auto_archiver_records import MAX_NESTING, Medium, Record

MAX_PAGE: Final = 8 << 20
_MARK = "bellingcat/auto-archiver"
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})")
_PIECE = re.compile(r"<[^<>]*>|[^<]+|<")
_CLASS = re.compile(r"""\bclass=["']([^"']*)["']""")
_VERSION = re.compile(r"auto-archiver\s+v([\w.+-]{1,50})", re.ASCII)
_COUNT = re.compile(r" \(\d+\)$")


def parse_page(text: str, where: str) -> Record | None:
    """What a page says; None when it is no page of auto-archiver."""
    body = text.partition("<script")[0]
    if _MARK not in body or len(text) > MAX_PAGE:
        return None
    page = _Page(Record(where))
    for piece in _PIECE.finditer(body):
        page.take(piece[0])
    return page.done()


@dataclass
class _List:
    """A list of properties that is being read.

    Attributes:
        label: the property that it is the value of.
        name: the property that was named last.
        values: by name.
        inner: media that were read in it.
    """

    label: str
    name: str = ""
    values: dict[str, str] = field(default_factory=dict)
    inner: list[Medium] = field(default_factory=list)


@dataclass
class _Page:
    record: Record
    table: str = ""
    cells: int = 0
    lists: list[_List] = field(default_factory=list)
    key: str = ""
    tail: list[str] = field(default_factory=list)
    kept: list[str] | None = None  # the text that is being gathered
    inside: str = ""  # the element that ends it

    def take(self, piece: str) -> None:
        """Take the next tag, or text between tags."""
        match = _TAG.match(piece)
        if match is None:
            (self.tail if self.kept is None else self.kept).append(html.unescape(piece))
        elif match[1]:
            self._end(match[2].lower())
        else:
            classes = _CLASS.search(piece[:400])
            self._start(match[2].lower(), classes[1].split() if classes else [])

    def _start(self, name: str, classes: list[str]) -> None:
        if name == "table":
            self.table = classes[0] if classes else ""
        elif name == "tr":
            self.cells = 0
        elif name == "td":
            self.cells += 1
            if self.table == "metadata" and self.cells == 1:
                self._gather(name)
        elif name == "ul" and self.table == "content" and len(self.lists) < MAX_NESTING:
            self.lists.append(_List(self.lists[-1].name if self.lists else ""))
        elif name == "b" or (name == "span" and "copy" in classes):
            self._gather(name)

    def _gather(self, name: str) -> None:
        if self.kept is None:
            self.kept, self.inside = [], name

    def _end(self, name: str) -> None:
        if self.kept is not None and name == self.inside:
            text = "".join(self.kept).strip()
            self.kept = None
            self._text(name, text)
        elif name == "ul" and self.lists:
            self._close(self.lists.pop())
        elif name == "table":
            self.table = ""

    def _text(self, element: str, text: str) -> None:
        if element == "td":
            self.key = text
        elif element == "b" and self.lists:
            self.lists[-1].name = _COUNT.sub("", text.rstrip(":").strip())
        elif element == "span" and self.table == "metadata" and self.cells > 1:
            self.record.metadata.setdefault(self.key, text)
        elif element == "span" and self.lists:
            self.lists[-1].values.setdefault(self.lists[-1].name, text)
        elif element == "span" and not self.table:
            self.record.metadata.setdefault("url", text)

    def _close(self, closed: _List) -> None:
        parent = self.lists[-1] if self.lists else None
        if "key" not in closed.values or "type" not in closed.values:
            if parent is not None:
                parent.inner += closed.inner
            return
        medium = Medium(closed.values.get("id", "") if parent is None else closed.label, [closed.values["key"]])
        medium.state_hash(closed.values.get("hash"))
        medium.inner = closed.inner
        (self.record.media if parent is None else parent.inner).append(medium)

    def done(self) -> Record | None:
        match = _VERSION.search(" ".join("".join(self.tail[-200:]).split()))
        self.record.version = match[1] if match else None
        return self.record if "url" in self.record.metadata else None
