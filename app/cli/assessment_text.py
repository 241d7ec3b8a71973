"""The element matrix as text for a person."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
_WIDTH = 100


def matrix_text(document: Document) -> str:
    """The document of `app.assessment.matrix.matrix` as lines of text."""
    return "\n".join(_lines(document))


def _lines(document: Document) -> Iterator[str]:
    yield f"{document['incident']['ref']}: provisions on which it {document['wording']}. {document['status']}"
    for one in document["provisions"]:
        yield ""
        yield f"{one['provision']}  {one['article']}, {one['instrument']}  [{one['suggestion']['standing']}]"
        yield from _of_parts(one["suggestion"])
        for group in one["groups"]:
            yield f"  {group['heading'].upper()}"
            for element in group["elements"]:
                yield from _element(element)
        for name, panel in one["panels"].items():
            yield f"  panel {name}: {panel['standing']} ({len(panel['links'])} links)"
        for said in one["assessments"]:
            stale = "; what it rests on has changed since" if said["basis_changed"] else ""
            yield from _wrapped(f"{said['standard']} {said['outcome']} ({said['review']}{stale})", said["reasoning"])
        for gap in one["gaps"]:
            yield f"  gap: {gap['element'] + ': ' if gap['element'] else ''}{gap['text']}"
    yield ""
    yield from _elsewhere(document)
    for one in document["statements"]:
        yield from _statement(one)
    for one in document["suggestions"]["suppressed"]:
        yield from _wrapped(f"not to be suggested: {one['provision']}", one["why"])


def _of_parts(suggestion: Document) -> Iterator[str]:
    for part in suggestion.get("of_parts", []):
        which = ", ".join(f"{name} {part[name]}" for name in ("strike", "target") if part[name] is not None)
        yield f"  of {which} alone: {part['standing']}"


def _elsewhere(document: Document) -> Iterator[str]:
    for link in document["contradicting_elsewhere"]:
        mark = "" if link["standing"] == "stands" else f" ({link['standing']}), now {link['direction']}"
        yield from _wrapped(f"against {link['provision']} {link['element']}{mark}", link["reasoning"])
        for old in link["earlier"]:
            yield from _wrapped(f"earlier, {old['direction']}", old["reasoning"])


def _statement(one: Document) -> Iterator[str]:
    yield from _wrapped(f"{'denial' if one['denial'] else 'statement'}, {one['speaker']}", one["summary"] or "")
    for old in one["earlier"]:
        yield from _wrapped(f"earlier, {old['kind'] or 'of no kind'}, {old['speaker']}", old["summary"] or "")


def _element(element: Document) -> Iterator[str]:
    state = element["state"]
    yield f"    {element['id']}: {element['text']}"
    yield f"      state: {state['value'] or '-'} ({state['standing']})"
    for way in ("supports", "contradicts", "neutral", "excluded", "withdrawn"):
        for link in element[way]:
            source = link["source"]
            part = f" {source['segment']}" if source["segment"] else ""
            head = f"{way} ({link['weight']}, {link['review']}): {source['kind']} {source['ref']}{part}"
            yield from _wrapped(head, link["reasoning"])
            for one in link["sides_differ"]:
                yield f"        {one['side']} by catalogue {one['catalogue_version']} ({one['group']})"


def _wrapped(heading: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        f"{heading}: {text}", _WIDTH, initial_indent="      ", subsequent_indent="        ", break_on_hyphens=False
    )
