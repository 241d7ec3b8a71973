"""How the elements of a provision are sorted for display: six groups, in this order. Pure.

The catalogue tells contextual, mental and loss-of-protection elements apart. It does not sort the material ones into
conduct, object status and result: that is this project's own sorting, a draft, in `data/element_groups.json`.

A link is sorted by the version of the catalogue that it was made against and by the newest one (ADR 52): a later
version may add to what speaks against a provision, and takes nothing from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Final, Literal, get_args

from app.law.catalogue import Catalogue
from schemas.records.v1.assessment import ElementLinkRecord
from schemas.records.v1.provision import Element

Group = Literal["context", "conduct", "object_status", "result", "mental", "loss_of_protection"]
GROUPS: Final[tuple[Group, ...]] = get_args(Group)
_BY_KIND: Final[dict[str, Group]] = {
    "contextual": "context",
    "mental": "mental",
    "loss_of_protection_exception": "loss_of_protection",
}


def group_of(element: Element) -> Group:
    """The group of an element; a material one that the sorting does not know counts as conduct."""
    return _BY_KIND.get(element.kind) or material_groups().get(element.id, "conduct")


@cache
def material_groups() -> dict[str, Group]:
    """The project's sorting of material elements, by element id."""
    data = json.loads((files("app.assessment") / "data" / "element_groups.json").read_bytes())
    return {name: group for name, group in data["material"].items() if group in GROUPS}


class Sorting:
    """The groups of elements in the versions of a catalogue."""

    def __init__(self, newest: int, version: Callable[[int], Catalogue]) -> None:
        """Bind to the number of the newest version, and to what gives the content of a version."""
        self._newest = newest
        self._version = version
        self._known: dict[tuple[int, str], dict[str, Group]] = {}

    def by_version(self, link: ElementLinkRecord) -> dict[int, Group]:
        """The group of a link's element in the link's own version, then in the newest one; where they have it."""
        found: dict[int, Group] = {}
        for number in (link.catalogue.version, self._newest):
            group = self._groups(number, link.provision.id).get(link.element.id)
            if group is not None:
                found[number] = group
        return found

    def of_link(self, link: ElementLinkRecord) -> tuple[Group, ...]:
        """Every group by which a link is judged; conduct where no version has its element."""
        return tuple(dict.fromkeys(self.by_version(link).values())) or ("conduct",)

    def _groups(self, number: int, provision: str) -> dict[str, Group]:
        key = number, provision
        if key not in self._known:
            entry = self._version(number).provisions.get(provision)
            self._known[key] = {one.id: group_of(one) for one in (entry.elements if entry else ())}
        return self._known[key]
