"""The typeface of the PDF: PT Sans (SIL Open Font License), Latin and Cyrillic, embedded so that a print needs no font.

What it has no letters for is not set wrongly: it is replaced by a note that says which script it is and where the text
can be read. Arabic and Hebrew need shaping and another direction; the HTML page leaves both to the browser.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

from app.export.report.words import visible

REGULAR: Final = "CatenaSans"
BOLD: Final = "CatenaSans-Bold"
_FILES: Final = {REGULAR: "PT_Sans-Web-Regular.ttf", BOLD: "PT_Sans-Web-Bold.ttf"}
_PACKAGE: Final = "fontpkg_pt_sans"
_LETTERS: Final = frozenset("LMNS")  # first letter of the categories that are written with glyphs of a script


@cache
def covered() -> frozenset[int]:
    """Make the fonts known to the PDF library; the code points that both have letters for."""
    from importlib.resources import as_file, files

    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    known: list[frozenset[int]] = []
    for name, file in _FILES.items():
        with as_file(files(_PACKAGE) / "files" / file) as path:
            font = TTFont(name, str(path))
        pdfmetrics.registerFont(font)
        known.append(frozenset(font.face.charToGlyph))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)
    return known[0] & known[1]


def settable(text: str) -> str:
    """Text as the PDF can set it: each stretch in another script becomes a note in brackets."""
    there = covered()
    shown = visible(text)
    if all(ord(char) in there or char.isspace() for char in shown):
        return shown
    out: list[str] = []
    foreign = ""
    for char in shown:
        if _is_foreign(char, there) or (foreign and not _is_letter(char) and char != "\n"):
            foreign += char
            continue
        out.append(_note(foreign) + char)
        foreign = ""
    return "".join([*out, _note(foreign)])


def _is_foreign(char: str, there: frozenset[int]) -> bool:
    return ord(char) not in there and not char.isspace()


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] in _LETTERS


def _note(foreign: str) -> str:
    text = foreign.strip()
    if not text:
        return foreign
    first = next((char for char in text if _is_letter(char)), text[0])
    script = unicodedata.name(first, "another").split()[0].split("-")[0].capitalize()
    tail = " " if foreign[-1:].isspace() else ""
    return f"[{len(text)} character(s), {script}: see report.html]{tail}"
