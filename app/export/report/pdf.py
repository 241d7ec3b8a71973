"""The report as PDF, to be printed: the same words as the page. Fixed dates, no random name: the same bytes each time.

Made with ReportLab (BSD). The PDF has an outline, page numbers and a language, but no tags: who reads with a screen
reader reads `report.html`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from html import escape
from itertools import groupby
from types import SimpleNamespace
from typing import Any, Final, Protocol

from app.export.report.document import (
    Block,
    Bullets,
    Cell,
    Code,
    Document,
    Facts,
    Matrix,
    Para,
    Picture,
    Ref,
    Said,
    Section,
    Table,
)
from app.export.report.fonts import BOLD, REGULAR, covered, settable

MAX_SHEETS: Final = 60
"""Sheets of items in one PDF. Of more items it has cover, list and statements, and says where the sheets are."""

_INK, _QUIET, _LINE, _DEEP = "#16202b", "#3d4853", "#cdd5dc", "#1d3d5c"
_MARGIN, _TOP, _BOTTOM = 48.0, 54.0, 58.0  # points
_KEPT = 110.0
"""Points that must be free below a heading: it never stands alone at the end of a page."""
_MAX_CELL = 6_000
"""Characters of one cell: a row must fit on a page. What is longer is cut, and said to be."""


class Out(Protocol):
    """Takes the PDF."""

    def write(self, data: bytes, /) -> int:
        """Take the next bytes."""


def render(document: Document) -> bytes:
    """The PDF's bytes."""
    out = io.BytesIO()
    write(document, out)
    return out.getvalue()


def write(document: Document, out: Out) -> None:
    """Write the PDF; what `out` raises passes through."""
    from reportlab import rl_config

    rl_config.useA85 = 0  # binary streams: a quarter smaller, and ASCII would be made in Python
    covered()
    pages: dict[str, int] = {}
    _build(document, _Pen({}, blank=True), pages, io.BytesIO())
    _build(document, _Pen(dict(pages)), {}, out)


def _build(document: Document, pen: _Pen, pages: dict[str, int], out: Out) -> None:
    """Lay out once, a section at a time, so that no more of them is in memory; `pages` takes the sections' pages."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import BaseDocTemplate, Frame, PageBreak, PageTemplate

    story = _story(document, pen)
    waiting = [*pen.cover(document), PageBreak()]  # ReportLab has other lists of its own

    class Template(BaseDocTemplate):  # type: ignore[misc]  # ReportLab has no types
        def handle_flowable(self, flowables: list[Any]) -> None:
            super().handle_flowable(flowables)
            while flowables is waiting and not waiting and (more := next(story, None)) is not None:
                waiting.extend(more)

        def afterFlowable(self, flowable: Any) -> None:  # noqa: N802 (ReportLab's name)
            anchor = getattr(flowable, "catena_anchor", None)
            if anchor is not None:
                pages[anchor] = self.page
                self.canv.bookmarkPage(anchor)
                self.canv.addOutlineEntry(flowable.catena_title, anchor, level=0, closed=True)

    width, height = A4
    template = Template(
        out,
        pagesize=A4,
        invariant=1,
        lang="en",
        title=document.title,
        author=settable(document.organisation),
        subject=document.footer,
        creator="Catena",
        initialFontName=REGULAR,
    )
    frame = Frame(_MARGIN, _BOTTOM, width - 2 * _MARGIN, height - _TOP - _BOTTOM, 0, 0, 0, 0)
    moment = datetime.fromisoformat(document.made_at).astimezone(UTC)

    def furniture(canvas: Any, _template: Any) -> None:
        canvas._doc._timeStamp = _stamp(moment)  # noqa: SLF001 (the only way to give a PDF the bundle's own time)
        canvas.setFont(REGULAR, 8)
        canvas.setFillColor(_colour(_QUIET))
        canvas.drawString(_MARGIN, 32, settable(document.footer))
        canvas.drawRightString(width - _MARGIN, 32, f"Page {canvas.getPageNumber()}")

    template.addPageTemplates([PageTemplate("page", [frame], onPage=furniture)])
    template.build(waiting)


def _story(document: Document, pen: _Pen) -> Iterator[list[Any]]:
    """What follows the cover, section by section."""
    sheets = [section for section in document.sections if section.anchor.startswith("item-")]
    left_out = {section.anchor for section in sheets} if len(sheets) > MAX_SHEETS else set()
    for section in document.sections:
        if section.anchor not in left_out:
            yield pen.section(section, 1)
        if section.anchor == "items" and left_out:
            text = f"This bundle holds {len(sheets)} items. Their sheets are in report.html, which prints as well."
            yield pen.blocks([Para(text, "warn")])


@cache
def _colour(code: str) -> Any:
    """A colour as ReportLab has it: a name would be looked up at every use."""
    from reportlab.lib.colors import HexColor

    return HexColor(code)


def _stamp(moment: datetime) -> Any:
    """What ReportLab takes for its time stamp: here the bundle's own time, in UTC."""
    parts = moment.timetuple()
    return SimpleNamespace(t=moment.timestamp(), lt=parts, YMDhms=tuple(parts)[:6], dhh=0, dmm=0, tzname="UTC")


class _Pen:
    """Turns sections into ReportLab's flowables."""

    def __init__(self, pages: Mapping[str, int], *, blank: bool = False) -> None:
        """Bind to what is known of the pages of sections; `blank` leaves the places of pictures empty."""
        from reportlab.lib.pagesizes import A4

        self._width = A4[0] - 2 * _MARGIN
        self._pages = pages
        self._blank = blank
        self._styles = _styles()

    def cover(self, document: Document) -> list[Any]:
        """The first page."""
        from reportlab.platypus import HRFlowable, Paragraph

        rule = HRFlowable(width="100%", thickness=5, color=_colour(_DEEP), spaceAfter=14)
        name = Paragraph(_markup(Said(document.organisation)), self._styles["org"])
        title = Paragraph(_markup(document.cover.title), self._styles["h0"])
        return [rule, name, title, *self.blocks(document.cover.blocks)]

    def section(self, section: Section, level: int) -> list[Any]:
        """A section and its parts."""
        from reportlab.platypus import CondPageBreak, PageBreak, Paragraph

        heading = Paragraph(_markup(section.title), self._styles[f"h{min(level, 3)}"])
        if level == 1:
            heading.catena_anchor = section.anchor
            title = section.title.text if isinstance(section.title, Said | Code) else str(section.title)
            heading.catena_title = settable(title)
        story: list[Any] = [PageBreak()] if section.new_page and section.anchor != "items" else []
        story += [CondPageBreak(_KEPT), heading, *self.blocks(section.blocks)]
        for part in section.parts:
            story += self.section(part, level + 1)
        return story

    def blocks(self, blocks: Sequence[Block]) -> list[Any]:
        """Blocks in order."""
        story: list[Any] = []
        for block in blocks:
            match block:
                case Para():
                    story.append(self._paragraph(block.cell, block.tone or "body"))
                case Bullets():
                    story += [self._paragraph(("\u2022  ", *_parts(cell)), "bullet") for cell in block.cells]
                case Facts():
                    rows = [(name, cell) for name, cell in block.rows]
                    story += self._grid(block.caption, (), rows, (30, 70))
                case Table():
                    story += self._grid(block.caption, block.heads, block.rows, block.widths)
                case Picture():
                    story += self._picture(block)
                case Matrix():
                    story += self._matrix(block)
        return story

    def _paragraph(self, cell: Cell, style: str) -> Any:
        from reportlab.platypus import Paragraph

        text = "".join(_markup(part, self._pages) for part in _parts(cell))
        return Paragraph(text, self._styles[style])

    def _grid(
        self, caption: str, heads: Sequence[str], rows: Sequence[Sequence[Cell]], widths: Sequence[float]
    ) -> list[Any]:
        from reportlab.platypus import CondPageBreak, LongTable, TableStyle

        total = sum(widths)
        table = [[self._paragraph(head, "head") for head in heads]] if heads else []
        for first, *others in rows:
            table.append([self._paragraph(first, "head"), *(self._paragraph(cell, "cell") for cell in others)])
        look = [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.5, _colour(_LINE)),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 6),
            ("TOPPADDING", (0, 0), (-1, -1), 2.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5),
        ]
        look += [("LINEBELOW", (0, 0), (-1, 0), 1, _colour(_DEEP))] if heads else []
        made = LongTable(
            table,
            colWidths=[self._width * width / total for width in widths],
            repeatRows=1 if heads else 0,
            style=TableStyle(look),
            splitInRow=1,
            spaceAfter=8,
        )
        return [CondPageBreak(_KEPT / 2), self._paragraph(caption, "caption"), made]

    def _picture(self, block: Picture) -> list[Any]:
        from reportlab.graphics.shapes import Drawing
        from reportlab.platypus import Image

        scale = min(self._width / block.width, 260 / block.height, 0.75)
        width, height = block.width * scale, block.height * scale
        if self._blank:
            drawn = Drawing(width, height, hAlign="LEFT")
        else:
            drawn = Image(io.BytesIO(block.read()), width, height, hAlign="LEFT")
        return [drawn, self._paragraph(block.caption, "caption")]

    def _matrix(self, block: Matrix) -> list[Any]:
        from reportlab.graphics.shapes import Drawing, Rect
        from reportlab.lib.colors import black

        module = 2.6
        side = (len(block.rows) + 8) * module
        drawing = Drawing(side, side, hAlign="LEFT")
        for y, row in enumerate(block.rows):
            at = 0
            for dark, run in groupby(row):
                length = len(list(run))
                if dark:
                    left, bottom = (at + 4) * module, side - (y + 5) * module
                    drawing.add(Rect(left, bottom, length * module, module, fillColor=black, strokeColor=None))
                at += length
        return [drawing, self._paragraph(block.caption, "caption")]


def _parts(cell: Cell) -> tuple[Any, ...]:
    return cell if isinstance(cell, tuple) else (cell,)


def _markup(part: Any, pages: Mapping[str, int] | None = None) -> str:
    """A part of a cell in ReportLab's markup; what others wrote is escaped, so that it cannot be any."""
    match part:
        case Code():
            return f'<font size="8">{_escaped(part.text)}</font>'
        case Said():
            return _escaped(part.text)
        case Ref():
            page = (pages or {}).get(part.anchor)
            text = part.text.text if isinstance(part.text, Said) else part.text
            link = f'<a href="#{part.anchor}" color="{_DEEP}">{_escaped(text)}</a>' if page else _escaped(text)
            return f"{link} (p.\u00a0{page})" if page else link
        case _:
            return _escaped(str(part))


def _escaped(text: str) -> str:
    cut = text if len(text) <= _MAX_CELL else f"{text[:_MAX_CELL]} [cut here: see report.html]"
    return escape(settable(cut), quote=True).replace("\n", "<br/>")


def _styles() -> dict[str, Any]:
    from reportlab.lib.styles import ParagraphStyle

    def style(name: str, size: float, *, bold: bool = False, colour: str = _INK, **more: Any) -> Any:
        font = BOLD if bold else REGULAR
        return ParagraphStyle(
            name, fontName=font, fontSize=size, leading=size * 1.32, textColor=_colour(colour), **more
        )

    return {
        "org": style("org", 12, colour=_DEEP, spaceAfter=4),
        "h0": style("h0", 24, bold=True, spaceAfter=12),
        "h1": style("h1", 16, bold=True, colour=_DEEP, spaceAfter=8),
        "h2": style("h2", 11.5, bold=True, colour=_DEEP, spaceBefore=8, spaceAfter=3),
        "h3": style("h3", 10, bold=True, spaceBefore=6, spaceAfter=3),
        "body": style("body", 9.5, spaceAfter=5),
        "quiet": style("quiet", 9, colour=_QUIET, spaceAfter=5),
        "warn": style("warn", 9.5, backColor=_colour("#fdf4e7"), borderPadding=4, spaceBefore=4, spaceAfter=9),
        "bullet": style("bullet", 9.5, leftIndent=12, firstLineIndent=-12, spaceAfter=3),
        "caption": style("caption", 8.5, colour=_QUIET, spaceBefore=2, spaceAfter=3),
        "head": style("head", 8.8, bold=True),
        "cell": style("cell", 8.8),
    }
