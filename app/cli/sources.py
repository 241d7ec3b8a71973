"""`catena items source`: what is stated of an item's source, and stating it anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from app.cli.common import Context, command_options, printable
from app.errors import InvalidInputError
from schemas.records.v1.source import SourceContext, SourceRecord


@click.command("source")
@command_options
@click.argument("item_id", metavar="ID")
@click.option("--set", "stated", multiple=True, metavar="FIELD=VALUE", help="State a field anew; handling: TERM,TERM.")
@click.option("--clear", "cleared", multiple=True, metavar="FIELD", help="State nothing any more of a field.")
@click.option("--reason", default=None, metavar="TEXT", help="Why; needed with --set and --clear.")
@click.option("--expect", type=int, default=None, metavar="N", help="Refuse unless version N is still the newest.")
def items_source(
    context: Context,
    item_id: str,
    stated: tuple[str, ...],
    cleared: tuple[str, ...],
    reason: str | None,
    expect: int | None,
) -> None:
    """Show every version of what is stated of an item's source, or add one."""
    sources, who = context.services.sources, context.who
    versions = sources.history(who, item_id)
    if stated or cleared:
        newest = versions[-1]
        record = _anew(newest.record, stated, cleared)
        versions.append(sources.revise(who, item_id, record, reason or "", newest.number if expect is None else expect))
    elif reason is not None or expect is not None:
        raise InvalidInputError("nothing_to_set", "--reason and --expect go with --set or --clear")
    documents = [version.as_json() for version in versions]
    document = {"item": item_id, "current": documents[-1], "first": documents[0], "versions": documents}
    context.show(document, lambda: "\n".join(_version_lines(documents)))


def _anew(old: SourceRecord, stated: tuple[str, ...], cleared: tuple[str, ...]) -> SourceRecord:
    record = dict(old)
    named = [*cleared]
    for pair in stated:
        field, equals, value = pair.partition("=")
        if not equals:
            raise InvalidInputError("bad_setting", "--set takes FIELD=VALUE")
        named.append(field)
        if field in SourceContext.model_fields:
            record[field] = list(value.split(",")) if field == "handling" else value
    for field in cleared:
        record.pop(field, None)
    if unknown := next((field for field in named if field not in SourceContext.model_fields), None):
        known = ", ".join(SourceContext.model_fields)
        raise InvalidInputError("unknown_field", f"{printable(unknown)!r} is no field of a source; there are {known}")
    if len(set(named)) != len(named):
        raise InvalidInputError("bad_setting", "a field is named twice")
    return record


def source_lines(record: SourceRecord, heading: str) -> list[str]:
    """A source for a person: one line for each field, long texts whole."""
    if not record:
        return [f"{heading}: nothing stated"]
    return [f"{heading}:", *(f"  {field}: {_text(value)}" for field, value in record.items())]


def _text(value: Any) -> str:  # noqa: ANN401 - text or a list of text
    return ", ".join(value) if isinstance(value, list) else str(value).replace("\n", "\n    ")


def _version_lines(documents: list[dict[str, Any]]) -> Iterator[str]:
    for one in documents:
        newest = one is documents[-1]
        role = "at the deposit" if one["version"] == 1 else f"stated anew: {one['reason']}"
        heading = f"version {one['version']}{' (current)' if newest else ''}, {one['created_at']}, {role}"
        yield from source_lines(one["source"], heading)
