"""Reading a rule base: every rule whole, every fact and threshold known, or none of it.

The file is data with a version; what is relied on is named by its SHA-256. A lawyer can switch rules off and set
thresholds without a change of the file, and whatever was evaluated says so.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from app.errors import CatenaError, EnvironmentFailedError, InvalidInputError
from app.law.suggestions_facts import FactSpec, Vocabulary, fact_value
from app.law.suggestions_logic import Compare, Condition, Join, Negate, Operator, comparisons

Strength = Literal["lead", "candidate", "check"]
STRENGTHS: tuple[Strength, ...] = get_args(Strength)
"""Strongest first."""

# A number that a rule compares one of these facts with is the threshold's, not the rule's own.
_THRESHOLD_OF = {"minutes_between": "double_tap_minutes", "metres_between": "double_tap_metres"}
_TYPES: dict[Operator, frozenset[str]] = {
    "eq": frozenset({"bool", "enum", "number"}),
    "in": frozenset({"enum"}),
    "has_any": frozenset({"set"}),
    "lte": frozenset({"number"}),
    "gt": frozenset({"number"}),
    "is_unknown": frozenset({"bool", "enum", "number", "set"}),
}


@dataclass(frozen=True, slots=True)
class Block:
    """A provision that a rule says not to suggest, and why."""

    provision: str
    why: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; see the rule base for what its parts mean."""

    id: str
    title: str
    when: Condition
    suggest: tuple[tuple[str, Strength], ...]
    reason: str
    counter_questions: tuple[str, ...]
    exculpatory_to_seek: tuple[str, ...]
    do_not_suggest: tuple[Block, ...]


@dataclass(frozen=True)
class RuleBase:
    """One version of the rules.

    Attributes:
        version: as the file names it.
        status: what the file says of its standing: a draft.
        sha256: of the file's bytes.
        vocabulary: the facts that rules may ask for.
        rules: by id, in the order of the file.
        thresholds: in force, by name: the file's, or others.
        default_thresholds: the file's own.
        switched_off: ids of rules that are not evaluated.
    """

    version: str
    status: str
    sha256: str
    vocabulary: Vocabulary
    rules: dict[str, Rule]
    thresholds: dict[str, float]
    default_thresholds: dict[str, float]
    switched_off: frozenset[str] = frozenset()

    def without(self, rule_ids: Iterable[str]) -> RuleBase:
        """The same rules with these switched off as well.

        Raises:
            InvalidInputError: `unknown_rule`.
        """
        asked = frozenset(rule_ids)
        for name in sorted(asked - set(self.rules)):
            raise InvalidInputError("unknown_rule", f"there is no rule {name[:64]!r} in this version of the rules")
        return replace(self, switched_off=self.switched_off | asked)

    def with_thresholds(self, changed: Mapping[str, float]) -> RuleBase:
        """The same rules under other thresholds.

        Raises:
            InvalidInputError: `unknown_threshold`, `bad_threshold`.
        """
        for name, value in changed.items():
            if name not in self.thresholds:
                raise InvalidInputError("unknown_threshold", f"there is no threshold {name[:64]!r}")
            if isinstance(value, bool) or not 0 < value < float("inf"):
                raise InvalidInputError("bad_threshold", f"{name} must be a number above 0")
        limits = {**self.thresholds, **changed}
        rules = {rule.id: replace(rule, when=_bound(rule.when, limits)) for rule in self.rules.values()}
        return replace(self, rules=rules, thresholds=limits)


@cache
def packaged_rules() -> RuleBase:
    """The rules that this program came with."""
    folder = files("app.law") / "data"
    return parse_rules((folder / "rules.json").read_bytes(), json.loads((folder / "fact_tasks.json").read_bytes()))


def parse_rules(data: bytes, tasks: Mapping[str, str] | None = None) -> RuleBase:
    """Read a rule base.

    Args:
        data: the file.
        tasks: how each fact is established, by name.

    Raises:
        EnvironmentFailedError: `rules_invalid`, naming the rule or fact.
    """
    where = "file"
    try:
        document = json.loads(data)
        thresholds = {name: value for name, value in document["thresholds"].items() if name != "note"}
        vocabulary = {name: _spec(name, spec, (tasks or {}).get(name, "")) for name, spec in document["facts"].items()}
        rules: dict[str, Rule] = {}
        for entry in document["rules"]:
            where = str(entry["id"])
            rules[where] = _rule(entry, vocabulary, thresholds)
        twice = [name for name, count in Counter(entry["id"] for entry in document["rules"]).items() if count > 1]
        if twice:
            where = twice[0]
            raise ValueError("is there twice")  # noqa: TRY301 - one way out for everything that is wrong with a file
        return RuleBase(
            version=str(document["version"]),
            status=str(document["status"]),
            sha256=hashlib.sha256(data).hexdigest(),
            vocabulary=vocabulary,
            rules=rules,
            thresholds=thresholds,
            default_thresholds=dict(thresholds),
        )
    except (CatenaError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EnvironmentFailedError(
            "rules_invalid", f"the suggestion rules cannot be used: {where}: {error}", status=500
        ) from None


def _spec(name: str, entry: Mapping[str, Any], task: str) -> FactSpec:
    if entry["type"] not in {"bool", "number", "enum", "set"}:
        raise ValueError(f"{name} has no known type")
    values = tuple(entry.get("values", ()))
    if (entry["type"] in {"enum", "set"}) != bool(values):
        raise ValueError(f"{name} lists no values, or may not list any")
    return FactSpec(
        name=name,
        type=entry["type"],
        values=values,
        meaning=entry.get("meaning", ""),
        open_world=bool(entry.get("open_world", False)),
        complete_flag=entry.get("complete_flag"),
        task=task,
    )


def _rule(entry: Mapping[str, Any], vocabulary: Vocabulary, thresholds: Mapping[str, float]) -> Rule:
    suggested = tuple((one["provision"], one["strength"]) for one in entry["suggest"])
    if any(strength not in STRENGTHS for _, strength in suggested):
        raise ValueError("a strength is lead, candidate or check")
    when = _condition(entry["when"], vocabulary, thresholds)
    return Rule(
        id=entry["id"],
        title=entry["title"],
        when=when,
        suggest=suggested,
        reason=entry["reason"],
        counter_questions=tuple(entry["counter_questions"]),
        exculpatory_to_seek=tuple(entry["exculpatory_to_seek"]),
        do_not_suggest=tuple(Block(one["provision"], one["why"]) for one in entry["do_not_suggest"]),
    )


def _condition(entry: Mapping[str, Any], vocabulary: Vocabulary, thresholds: Mapping[str, float]) -> Condition:
    if set(entry) == {"not"}:
        return Negate(_condition(entry["not"], vocabulary, thresholds))
    for mode in ("all", "any"):
        if set(entry) == {mode}:
            return Join(mode, tuple(_condition(part, vocabulary, thresholds) for part in entry[mode]))
    if set(entry) != {"fact", "op", "value"}:
        raise ValueError("a condition is all, any, not, or a fact with an operator and a value")
    return _comparison(entry["fact"], entry["op"], entry["value"], vocabulary, thresholds)


def _comparison(
    fact: str, op: Operator, value: object, vocabulary: Vocabulary, thresholds: Mapping[str, float]
) -> Compare:
    spec = vocabulary[fact]
    if spec.type not in _TYPES[op]:
        raise ValueError(f"{fact} is a {spec.type}: it cannot be compared by {op}")
    threshold = _THRESHOLD_OF.get(fact) if op in {"lte", "gt"} else None
    if threshold is not None and thresholds[threshold] != value:
        raise ValueError(f"{fact} is compared with {value}, but {threshold} is {thresholds[threshold]}")
    if op == "is_unknown":
        if not isinstance(value, bool):
            raise ValueError("is_unknown is true or false")
        return Compare(fact, op, value)
    if op == "in":  # one of these: each must be a value of the fact
        if not isinstance(value, list):
            raise ValueError("in needs a list")
        return Compare(fact, op, frozenset(str(fact_value(spec, one)) for one in value))
    return Compare(fact, op, fact_value(spec, value), threshold, spec.open_world, spec.complete_flag)


def _bound(condition: Condition, thresholds: Mapping[str, float]) -> Condition:
    if isinstance(condition, Compare):
        return condition if condition.threshold is None else replace(condition, value=thresholds[condition.threshold])
    if isinstance(condition, Negate):
        return Negate(_bound(condition.part, thresholds))
    return Join(condition.mode, tuple(_bound(part, thresholds) for part in condition.parts))


def fact_comparison(fact: str, op: Operator, value: object, vocabulary: Vocabulary) -> Compare:
    """One comparison outside a rule base, with a number of its own where a rule would have a threshold.

    Raises:
        KeyError, TypeError, ValueError, CatenaError: the vocabulary does not know it.
    """
    return _comparison(fact, op, value, vocabulary, dict.fromkeys(_THRESHOLD_OF.values(), value))  # type: ignore[arg-type]


def asks_for(rule: Rule, fact: str) -> bool:
    """Whether a rule compares a fact anywhere."""
    return any(one.fact == fact for one in comparisons(rule.when))
