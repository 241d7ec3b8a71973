"""Which suggestion rules are in force after all changes. Pure.

1. A lawyer's switch and threshold hold at once, and are marked as unconfirmed until a second lawyer has confirmed them.
   The second one's refusal takes them back.
2. Another rule file holds only once a second lawyer has confirmed it: it changes everything.
3. Of several changes of one rule or threshold the last one that holds counts. Of each reviewer the last word counts;
   one refusal that stands is enough to refuse. Nobody confirms his own change.
4. A switch of a rule that the file in force does not have does nothing, and is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import JsonValue

from app.errors import CatenaError
from app.law.suggestions_rules import RuleBase
from schemas.records.v1.law_care import RuleChangeRecord

State = Literal["unconfirmed", "confirmed", "refused", "waiting"]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review of a change: who, and whether he confirms it; in the order of the reviews."""

    reviewer: str
    confirms: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A change with its reviews; `data` is the file of an import."""

    record: RuleChangeRecord
    reviews: tuple[Reviewed, ...] = ()
    data: bytes | None = None

    @property
    def state(self) -> State:
        """Where it stands."""
        last = {one.reviewer: one.confirms for one in self.reviews if one.reviewer != self.record.lawyer.id}
        if not all(last.values()):
            return "refused"
        if last:
            return "confirmed"
        return "waiting" if self.record.kind == "import" else "unconfirmed"

    @property
    def holds(self) -> bool:
        """Whether it is in force."""
        return self.state in {"confirmed", "unconfirmed"}

    def as_json(self) -> dict[str, Any]:
        """For interfaces."""
        shown = self.record.model_dump(mode="json", exclude={"v", "type", "lawyer"}, exclude_none=True)
        return {**shown, "lawyer": self.record.lawyer.name, "state": self.state}


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules in force, and what they come of: the changes that hold."""

    base: RuleBase
    changes: tuple[Change, ...]

    def told(self) -> dict[str, JsonValue]:
        """For answers: every change that holds, with its reason and whether a second lawyer confirmed it."""
        return {"changes": [one.as_json() for one in self.changes]}


def in_force(changes: Sequence[Change], packaged: RuleBase, parse: Callable[[bytes], RuleBase]) -> InForce:
    """The rules in force.

    Args:
        changes: all of them, in their order.
        packaged: the rules that the program came with.
        parse: reads a rule file.
    """
    base, counted = packaged, []
    imported = [one for one in changes if one.record.kind == "import" and one.holds and one.data is not None]
    if imported and imported[-1].data is not None:
        base = parse(imported[-1].data)
        counted.append(imported[-1])
    switches: dict[str, Change] = {}
    limits: dict[str, Change] = {}
    for one in changes:
        if one.holds and one.record.kind == "rule" and one.record.rule in base.rules:
            switches[str(one.record.rule)] = one
        if one.holds and one.record.kind == "threshold" and one.record.threshold in base.thresholds:
            limits[str(one.record.threshold)] = one
    off = [name for name, one in switches.items() if one.record.on is False]
    changed = {name: float(one.record.value) for name, one in limits.items() if one.record.value is not None}
    counted += [switches[name] for name in off] + [limits[name] for name in changed]
    made = base.with_thresholds(changed).without(off)
    return InForce(made, tuple(sorted(counted, key=lambda one: one.record.number)))


def same_vocabulary(one: RuleBase, other: RuleBase) -> str | None:
    """The first fact in which two rule bases differ in name, type or values; None when they do not."""
    for name in [*one.vocabulary, *other.vocabulary]:
        a, b = one.vocabulary.get(name), other.vocabulary.get(name)
        if a is None or b is None or (a.type, a.values, a.open_world) != (b.type, b.values, b.open_world):
            return name
    return None


def provisions_named(base: RuleBase) -> set[str]:
    """Every provision that a rule suggests or blocks."""
    return {
        name
        for rule in base.rules.values()
        for name in [*(one for one, _ in rule.suggest), *(block.provision for block in rule.do_not_suggest)]
    }


def readable(parse: Callable[[bytes], RuleBase], data: bytes) -> RuleBase | str:
    """A rule base, or why it cannot be used."""
    try:
        return parse(data)
    except CatenaError as error:
        return error.detail
