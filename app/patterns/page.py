"""One HTML page with the pictures of a count and the same as tables: for print, and for whoever cannot see pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from app.patterns.labels import LABELS
from app.patterns.pictures import map_svg, months_svg
from app.patterns.shapes import Shape
from app.strings import Language

_STYLE = (
    "body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse}"
    "th,td{border:1px solid #999;padding:.2em .6em;text-align:left}svg{width:100%;height:auto}"
)


def page(counted: dict[str, Any], shapes: Sequence[Shape], lang: Language) -> str:
    """The page.

    Args:
        counted: as `Patterns.count` tells it.
        shapes: the incidents that are drawn.
        lang: of the labels.
    """
    words, rule, numbers = LABELS[lang], counted["rule"], counted["numbers"]
    title = rule["body"]["title"]
    months = numbers["by"]["month"]
    parts = [
        f"<h1>{escape(title)}</h1><p>{escape(words['wording'])}.</p>",
        f"<p>{escape(rule['ref'])}@{rule['number']}, SHA-256 {rule['sha256']}; {escape(counted['counted_at'])}</p>",
        f"<p><b>{numbers['included']}</b> {words['included']}; {numbers['unknown']} {words['undecided']}</p>",
        months_svg(title, months, lang),
        _table(
            [words["month"], words["sure"], words["at_most"]],
            ((row["key"], row["count"], row["at_most"]) for row in months["rows"]),
        ),
        _list(words["uncertain"], (f"{one['unit']}: {', '.join(one['possible'])}" for one in months["uncertain"])),
        _list(words["unknown"], months["unknown"]),
        _list(words["undecided"], (f"{one['unit']}: {'; '.join(one['open'])}" for one in numbers["undecided"])),
        map_svg(title, shapes, lang),
        _table([words["incident"], words["days"], words["place"], words["shape"]], (_row(one) for one in shapes)),
        _list(words["others"], (f"{one['ref']}: {one['claim']}" for one in counted["published_by_others"])),
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="{lang}"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _row(one: Shape) -> tuple[object, ...]:
    place = one.shown["place"]
    where = ", ".join(str(place[name]) for name in ("text", "city", "oblast") if place[name])
    days = "/".join(dict.fromkeys(day or ".." for day in one.days or ()))  # two points: an open end, as in ISO 8601-2
    return one.ref, days, where, one.shown["geometry_note"]


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _list(name: str, lines: Iterable[str]) -> str:
    shown = "".join(f"<li>{escape(str(line))}</li>" for line in lines)
    return f"<h2>{escape(name)}</h2><ul>{shown}</ul>" if shown else ""
