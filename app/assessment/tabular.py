"""The matrix as a table (CSV, UTF-8, lines end in CR LF): one row for each thing that the document says. Pure.

Text that a spreadsheet would read as a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, Final

from app.cells import guarded

COLUMNS: Final = (
    "row",
    "incident",
    "provision",
    "article",
    "group",
    "element",
    "element_text",
    "state",
    "state_standing",
    "direction",
    "side",
    "weight",
    "review",
    "source",
    "source_ref",
    "source_id",
    "segment",
    "text",
    "author",
    "created_at",
    "version",
    "catalogue_version",
    "entry",
    "reviews",
    "basis_changed",
    "sides_differ",
)
WAYS: Final = ("supports", "contradicts", "neutral", "excluded", "withdrawn")
Document = dict[str, Any]
Row = dict[str, Any]


def matrix_csv(document: Document) -> str:
    """The document of `app.assessment.matrix.matrix` as CSV; both sides, always."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    incident = {"incident": document["incident"]["ref"]}
    for row in _rows(document):
        full = {**incident, **row}
        writer.writerow([guarded(full.get(column)) for column in COLUMNS])
    return buffer.getvalue()


def _rows(document: Document) -> Iterator[Row]:
    yield {"row": "note", "text": f"{document['wording']}; {document['status']}; {document['ladder']['never']}"}
    for one in document["provisions"]:
        yield from _provision({"provision": one["provision"], "article": one["article"]}, one)
    for link in document["contradicting_elsewhere"]:
        mark = "" if link["standing"] == "stands" else f"{link['standing']} "
        yield from _link(f"{mark}link elsewhere", {"provision": link["provision"], "element": link["element"]}, link)
    for one in document["statements"]:
        which = {"source": "statement", "source_ref": one["ref"], "source_id": one["statement"]}
        row, directions = "denial" if one["denial"] else "statement", " and ".join(one["directions"] or [])
        yield {"row": row, **which, "direction": directions, **_spoken(one)}
        for old in one["earlier"]:
            yield {"row": "earlier statement", **which, **_spoken(old)}
    for one in document["suggestions"]["suppressed"]:
        where = {"provision": one["provision"], "article": one["article"]}
        yield {"row": "not to be suggested", **where, "text": one["why"]}


def _spoken(statement: Document) -> Row:
    parts = (f"({statement['kind']})" if statement["kind"] else "", statement["summary"] or "")
    return {
        "author": statement["speaker"],
        "text": " ".join(part for part in parts if part),
        "version": statement["version"],
    }


def _provision(at: Row, one: Document) -> Iterator[Row]:
    for group in one["groups"]:
        for element in group["elements"]:
            here = {**at, "group": group["group"], "element": element["id"], "element_text": element["text"]}
            yield from _element(here, element)
    for name, panel in one["panels"].items():
        yield from _panel(at, name, panel)
    for said in one["assessments"]:
        state = f"{said['standard']}: {said['outcome']}"
        changed = {"basis_changed": "yes" if said["basis_changed"] else "no"}
        yield {"row": "assessment", **at, **_entry(said), **changed, "state": state, "text": said["reasoning"]}
    for old in one["withdrawn_assessments"]:
        yield {"row": "withdrawn assessment", **at, "text": old["reason"], "created_at": old["created_at"]}
    for gap in one["gaps"]:
        yield {"row": "gap", **at, "element": gap["element"], "text": gap["text"]}
    for task in one["tasks"]:
        yield {"row": "task", **at, "source_ref": task["fact"], "text": task["task"]}


def _element(here: Row, element: Document) -> Iterator[Row]:
    state = element["state"]
    yield {"row": "element", **here, "state": state["value"], "state_standing": state["standing"]}
    for said in state["stated"]:
        yield {"row": "state", **here, **_entry(said), "state": said["state"], "text": said["reasoning"]}
    for way in WAYS:
        for link in element[way]:
            yield from _link("withdrawn link" if way == "withdrawn" else "link", here, link)


def _panel(at: Row, name: str, panel: Document) -> Iterator[Row]:
    yield {"row": "panel", **at, "element": name, "state_standing": panel["standing"]}
    for answer in panel["answers"]:
        searches = "; ".join(
            f"searched {each['what']} in {each['where']}, {each['when']}, by {each['by']}"
            for each in answer["searches"]
        )
        text = "; ".join(part for part in (answer["text"], searches) if part)
        yield {
            "row": "panel answer",
            **at,
            "element": name,
            **_entry(answer),
            "state": answer["answer"],
            "text": text,
        }


def _link(row: str, at: Row, link: Document) -> Iterator[Row]:
    differ = "; ".join(
        f"catalogue {one['catalogue_version']}: {one['group']}, {one['side']}" for one in link["sides_differ"]
    )
    yield {"row": row, **at, **_entry(link), **_said(link), "side": link["side"], "sides_differ": differ}
    for old in link["earlier"]:
        yield {"row": "earlier link", **at, **_entry(old), **_said(old)}


def _said(link: Document) -> Row:
    source = link["source"]
    return {
        "direction": link["direction"],
        "weight": link["weight"],
        "text": link["reasoning"],
        "source": source["kind"],
        "source_ref": source["ref"],
        "source_id": source["id"],
        "segment": source["segment"],
    }


def _entry(one: Document) -> Row:
    reviews = "; ".join(
        f"{each['decision']} by {each['reviewer']['name']}" + (f": {each['comment']}" if each["comment"] else "")
        for each in one["reviews"]
    )
    return {
        "author": one["author"]["name"],
        "created_at": one["created_at"],
        "version": one["number"],
        "catalogue_version": one["catalogue_version"],
        "entry": one["entry"],
        "review": one["review"],
        "reviews": reviews,
    }
