"""What differs between two metadata records of one item: facts by name, findings one by one. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

_NOT_COMPARED: Final = {"raw", "v", "type"}
_SETS: Final = {"findings", "editing"}
_FACT: Final = ("value", "unit", "certainty", "source")


@dataclass(frozen=True)
class Change:
    """One field that differs, such as `position.lat`; null where one of the records has nothing there."""

    field: str
    before: JsonValue
    after: JsonValue


def changes(before: dict[str, JsonValue], after: dict[str, JsonValue]) -> list[Change]:
    """All differences but those of the raw dumps.

    Args:
        before: the older record, as parsed JSON.
        after: the newer one.

    Returns:
        In the order of the fields' names; of findings and editing traces each that went or came on its own.
    """
    old, new = dict(_flat("", before)), dict(_flat("", after))
    found = [
        Change(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    for name in sorted(_SETS):
        was, now = _listed(before.get(name)), _listed(after.get(name))
        found += [Change(name, gone, None) for gone in was if gone not in now]
        found += [Change(name, None, come) for come in now if come not in was]
    return found


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _flat(path: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    """Fields with a value, by dotted name; a fact is one field, and one that is absent is none."""
    if not isinstance(value, dict):
        if value not in (None, []):
            yield path, value
    elif "certainty" in value and "source" in value and "value" in value:
        if value["value"] is not None or value.get("conflicts"):
            kept: dict[str, JsonValue] = {name: value.get(name) for name in _FACT}
            yield path, kept | ({"conflicts": value["conflicts"]} if value.get("conflicts") else {})
    else:
        for name, part in value.items():
            if path or name not in _NOT_COMPARED | _SETS:
                yield from _flat(f"{path}.{name}" if path else name, part)
