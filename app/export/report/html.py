"""The report as one HTML page: no script, nothing from outside, everything that others wrote escaped and isolated."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Protocol

from app.export.report.document import (
    Block,
    Bullets,
    Cell,
    Code,
    Document,
    Facts,
    Inline,
    Matrix,
    Para,
    Picture,
    Ref,
    Said,
    Section,
    Table,
)
from app.export.report.spool import Spool
from app.export.report.style import STYLE
from app.export.report.words import visible

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_DEEPEST = 6


class Page(Protocol):
    """Takes the page."""

    def text(self, text: str) -> None:
        """Take the next part of it."""


def render(document: Document) -> bytes:
    """The page, UTF-8."""
    spool = Spool(None)
    write(document, spool)
    return spool.read(0, spool.size)


def write(document: Document, out: Page) -> None:
    """Write the page; what `out` raises passes through."""
    out.text(
        '<!DOCTYPE html>\n<html lang="en" dir="ltr">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_text(document.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#items">Skip to the items</a>\n'
    )
    out.text(f'<header class="cover" id="cover"><p class="org">{_said(Said(document.organisation))}</p>\n')
    out.text(f"<h1>{_inline(document.cover.title)}</h1>\n")
    _blocks(out, document.cover.blocks)
    out.text("</header>\n")
    _contents(out, document.outline())
    out.text("<main>\n")
    for section in document.sections:
        _section(out, section, 2)
    out.text(f"</main>\n<footer><p>{_text(document.footer)}</p></footer>\n</body>\n</html>\n")


def _contents(out: Page, sections: Iterable[Section]) -> None:
    out.text('<nav aria-labelledby="contents"><h2 id="contents">Contents</h2>\n<ol>\n')
    for section in sections:
        out.text(f'<li><a href="#{section.anchor}">{_inline(section.title)}</a></li>\n')
    out.text("</ol></nav>\n")


def _section(out: Page, section: Section, level: int) -> None:
    look = ' class="page"' if section.new_page else ""
    level = min(level, _DEEPEST)
    heading = f"{section.anchor}-title"
    out.text(f'<section id="{section.anchor}" aria-labelledby="{heading}"{look}>\n')
    out.text(f'<h{level} id="{heading}">{_inline(section.title)}</h{level}>\n')
    _blocks(out, section.blocks)
    for part in section.parts:
        _section(out, part, level + 1)
    out.text("</section>\n")


def _blocks(out: Page, blocks: Sequence[Block]) -> None:
    for block in blocks:
        match block:
            case Para():
                look = f' class="{block.tone}"' if block.tone else ""
                out.text(f"<p{look}>{_cell(block.cell)}</p>\n")
            case Bullets():
                items = "".join(f"<li>{_cell(cell)}</li>\n" for cell in block.cells)
                out.text(f"<ul>\n{items}</ul>\n")
            case Facts():
                _facts(out, block)
            case Table():
                _table(out, block)
            case Picture():
                _picture(out, block)
            case Matrix():
                _matrix(out, block)


def _facts(out: Page, block: Facts) -> None:
    rows = "".join(f'<tr><th scope="row">{_text(name)}</th><td>{_cell(cell)}</td></tr>\n' for name, cell in block.rows)
    out.text(f'<table class="facts"><caption>{_text(block.caption)}</caption>\n<tbody>\n{rows}</tbody></table>\n')


def _table(out: Page, block: Table) -> None:
    total = sum(block.widths)
    columns = "".join(f'<col style="width:{100 * width / total:.1f}%">' for width in block.widths)
    heads = "".join(f'<th scope="col">{_text(head)}</th>' for head in block.heads)
    out.text(
        f"<table><caption>{_text(block.caption)}</caption>\n<colgroup>{columns}</colgroup>\n"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n"
    )
    for first, *others in block.rows:
        cells = "".join(f"<td>{_cell(cell)}</td>" for cell in others)
        out.text(f'<tr><th scope="row">{_cell(first)}</th>{cells}</tr>\n')
    out.text("</tbody></table>\n")


def _picture(out: Page, block: Picture) -> None:
    data = base64.b64encode(block.read()).decode()
    out.text(
        f'<figure><img src="data:image/jpeg;base64,{data}" width="{block.width}" height="{block.height}" '
        f'alt="{_text(block.alt)}">\n<figcaption>{_text(block.caption)}</figcaption></figure>\n'
    )


def _matrix(out: Page, block: Matrix) -> None:
    """A QR code as one path of squares, with the quiet zone of four modules that ISO/IEC 18004 asks for."""
    side = len(block.rows) + 8
    path = "".join(
        f"M{x + 4} {y + 4}h1v1h-1z" for y, row in enumerate(block.rows) for x, dark in enumerate(row) if dark
    )
    out.text(
        f'<figure class="qr"><svg role="img" aria-label="QR code: {_text(block.text)}" viewBox="0 0 {side} {side}" '
        f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}h-{side}z"/>'
        f'<path fill="#000" d="{path}"/></svg>\n<figcaption>{_text(block.caption)}</figcaption></figure>\n'
    )


def _cell(cell: Cell) -> str:
    return "".join(_inline(part) for part in cell) if isinstance(cell, tuple) else _inline(cell)


def _inline(part: Inline) -> str:
    match part:
        case Code():
            return f"<code>{_text(part.text)}</code>"
        case Said():
            return _said(part)
        case Ref():
            return f'<a href="#{part.anchor}">{_inline(part.text)}</a>'
        case str():
            return _text(part)


def _said(said: Said) -> str:
    """Text of others: its direction is its own, and cannot turn what stands around it."""
    language = f' lang="{_text(said.language)}"' if said.language else ""
    return f'<bdi dir="auto"{language}>{_text(said.text)}</bdi>'


def _text(text: str) -> str:
    return escape(visible(text), quote=True)
