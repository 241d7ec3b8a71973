"""What a bundle keeps back, as its manifest says of each item: so that silence is not taken for nothing. Pure.

Names of commitments are those of `app.disclosure.withholding`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evidence_store.bundle.plan import BundlePlan


@dataclass(frozen=True, slots=True)
class KeptBack:
    """What is kept back of one item.

    Attributes:
        links: how many links to provisions, by direction; under "" those whose side may not be told.
        reviews: how many reviews of its links.
        matches: whether the record of similar items is kept back.
        source: whether what is stated of its source is.
    """

    links: Mapping[str, int] = field(default_factory=dict)
    reviews: int = 0
    matches: bool = False
    source: bool = False


NOTHING = KeptBack()


def kept_back(plan: BundlePlan) -> dict[str, KeptBack]:
    """By UUID, the items of which something is kept back."""
    return {str(entry.get("item")): _of_item(entry) for entry in _stated(plan).get("items") or ()}


def left_out(plan: BundlePlan) -> str:
    """What speaks against and is not in the bundle, withheld or left out, such as "denial: 1; rejecting review: 2"."""
    counted = (_stated(plan).get("exculpatory") or {}).get("left_out") or {}
    return "; ".join(f"{kind}: {number}" for kind, number in sorted(counted.items()) if number)


def _stated(plan: BundlePlan) -> dict[str, Any]:
    return {} if plan.disclosure is None else dict(plan.disclosure.as_json())


def _of_item(entry: Mapping[str, Any]) -> KeptBack:
    names = {str(one["name"]).partition("/")[2] for one in entry.get("commitments") or ()}
    shown = {str(name).partition("/")[2]: value for _, name, value in entry.get("shown") or ()}
    links = Counter(str(shown[name]["direction"] if name in shown else "") for name in names if name[:5] == "link/")
    return KeptBack(
        links=links,
        reviews=sum(name.startswith("review/") for name in names),
        matches=any(name.startswith("file/data/matches/") for name in names),
        source=any(name.startswith("source.") and name not in shown for name in names),
    )
