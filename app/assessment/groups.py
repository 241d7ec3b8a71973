"""How the elements of a provision are sorted for display: six groups, in this order. Pure.

The catalogue tells contextual, mental and loss-of-protection elements apart. It does not sort the material ones into
conduct, object status and result: that is this project's own sorting, a draft, in `data/element_groups.json`.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Final, Literal, get_args

from schemas.records.v1.provision import Element

Group = Literal["context", "conduct", "object_status", "result", "mental", "loss_of_protection"]
GROUPS: Final[tuple[Group, ...]] = get_args(Group)
HEADINGS: Final[dict[Group, str]] = {
    "context": "Context",
    "conduct": "Conduct",
    "object_status": "Status of the person or object",
    "result": "Result",
    "mental": "Mental element",
    "loss_of_protection": "Loss of protection, exceptions",
}
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
