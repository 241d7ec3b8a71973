"""What a report says, apart from how it looks: sections of blocks, which `html` and `pdf` turn into bytes.

Both renderings say the same, because both are made from this. Text is plain text everywhere: a renderer escapes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A digest, an identifier or a path: to be compared character by character."""

    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """Text that somebody wrote, in any language and direction; its lines are kept.

    Attributes:
        text: as it stands in the record.
        language: BCP 47 tag where one is stated.
    """

    text: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """Text that leads to a section of the same report."""

    text: str | Said
    anchor: str


Inline = str | Code | Said | Ref
Cell = Inline | tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Para:
    """A paragraph; `tone` is "", "quiet" for explanations, "warn" for what a reader must not overlook."""

    cell: Cell
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headers.

    Attributes:
        caption: says what the table is, also to those who only hear it.
        heads: of the columns.
        rows: each as long as `heads`; the first cell of a row is its header.
        widths: of the columns, in parts of their sum.
    """

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    widths: Sequence[float]


@dataclass(frozen=True, slots=True)
class Facts:
    """A table of two columns without headers above: a label and what it labels."""

    caption: str
    rows: Sequence[tuple[str, Cell]]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture; `read` gives the JPEG, width and height are in pixels, `alt` is for those who do not see it."""

    read: Callable[[], bytes]
    width: int
    height: int
    alt: str
    caption: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """A QR code: rows of modules, true is dark; `text` is what it says."""

    rows: tuple[tuple[bool, ...], ...]
    text: str
    caption: str


Block = Para | Bullets | Table | Facts | Picture | Matrix


@dataclass(frozen=True)
class Section:
    """A part under a heading.

    Attributes:
        anchor: unique in the report; letters, digits and dashes.
        title: of the heading.
        blocks: in order.
        parts: sections below this one.
        new_page: whether it begins on a page of its own in print.
    """

    anchor: str
    title: Inline
    blocks: Sequence[Block] = ()
    parts: Sequence[Section] = ()
    new_page: bool = False


@dataclass(frozen=True)
class Document:
    """A whole report.

    Attributes:
        title: of the document.
        made_at: RFC 3339 UTC: the bundle's time, no other clock is read.
        organisation: who keeps the archive.
        cover: the first page.
        sections: all others.
        footer: stands at the end, and on each page of the PDF.
    """

    title: str
    made_at: str
    organisation: str
    cover: Section
    sections: Sequence[Section]
    footer: str

    def outline(self) -> Iterator[Section]:
        """The sections of the contents list."""
        yield from self.sections
