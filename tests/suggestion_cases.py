"""Facts made from the rule file itself: for each rule a case that fires it, and cases that cannot.

The file is read here a second time, and judged by an evaluator of its own: what the program makes of a rule is held
against that, not against itself.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from app.law.catalogue import packaged_catalogue, parse_catalogue
from app.law.suggestions import suggest
from app.law.suggestions_applicability import Days, packaged_status
from app.law.suggestions_facts import parse_facts
from app.law.suggestions_rules import RuleBase, packaged_rules

RAW: dict[str, Any] = json.loads((files("app.law") / "data" / "rules.json").read_bytes())
RULES: dict[str, dict[str, Any]] = {rule["id"]: rule for rule in RAW["rules"]}
SPECS: dict[str, dict[str, Any]] = RAW["facts"]
CATALOGUE = parse_catalogue(packaged_catalogue()).provisions


def suggested(facts: dict[str, Any], base: RuleBase | None = None, days: Days | None = None) -> dict[str, Any]:
    """What stated facts may bear on."""
    rules = packaged_rules() if base is None else base
    return dict(suggest(parse_facts(facts, rules.vocabulary), rules, CATALOGUE, packaged_status(), days))


def provisions(document: dict[str, Any], part: str = "suggest", strength: str | None = None) -> set[str]:
    """The provisions of one part of the answer."""
    return {one["provision"] for one in document[part] if strength is None or one["strength"] == strength}


def entry(document: dict[str, Any], part: str, provision: str) -> dict[str, Any]:
    """One provision's entry in one part of the answer."""
    (found,) = [one for one in document[part] if one["provision"] == provision]
    return dict(found)


def fired(document: dict[str, Any]) -> set[str]:
    """Ids of the rules that suggest something, or would if they were not outranked."""
    shown = {rule for one in document["suggest"] for rule in one["rules"]}
    return shown | {rule for one in document["suppressed"] for rule in (*one["rules"], *one["suggested_by"])}


def undecided(document: dict[str, Any]) -> set[str]:
    """Ids of the rules that lack a fact."""
    return {rule for task in document["tasks"] for rule in task["rules"]}


def verdict(when: dict[str, Any], facts: dict[str, Any]) -> bool | None:
    """The value of a rule's raw condition, by the letter of the file's `logic`: None is unknown."""
    if "not" in when:
        inner = verdict(when["not"], facts)
        return None if inner is None else not inner
    for mode, decisive in (("all", False), ("any", True)):
        if mode in when:
            parts = [verdict(part, facts) for part in when[mode]]
            return decisive if decisive in parts else None if None in parts else not decisive
    value, wanted = facts.get(when["fact"]), when["value"]
    if when["op"] == "is_unknown":
        return (value is None) is wanted
    if value is None:
        return None
    if when["op"] == "has_any":
        spec = SPECS[when["fact"]]
        known = not spec.get("open_world") or facts.get(spec["complete_flag"]) is True
        return True if set(value) & set(wanted) else False if known else None
    judged: dict[str, bool] = {
        "eq": value == wanted,
        "in": isinstance(wanted, list) and value in wanted,
        "lte": isinstance(value, int) and isinstance(wanted, int) and value <= wanted,
        "gt": isinstance(value, int) and isinstance(wanted, int) and value > wanted,
    }
    return judged[when["op"]]


def firing(when: dict[str, Any]) -> dict[str, Any]:
    """The fewest facts that make a condition true."""
    if "all" in when:
        made: dict[str, Any] = {}
        for part in when["all"]:
            made |= firing(part)
        return made
    if "any" in when:
        return firing(when["any"][0])
    if "not" in when:
        return refusing(when["not"])
    value = when["value"]
    if when["op"] == "is_unknown":
        return {}
    shown = {"has_any": lambda: value[:1], "in": lambda: value[0], "gt": lambda: value + 1}
    return {when["fact"]: shown.get(when["op"], lambda: value)()}


def refusing(when: dict[str, Any]) -> dict[str, Any]:
    """Facts that make a condition false, beside what makes the rest of it true."""
    if "all" in when:
        return refusing(when["all"][0])
    fact, spec, value = when["fact"], SPECS[when["fact"]], when["value"]
    if when["op"] == "has_any" and spec.get("open_world"):
        return {spec["complete_flag"]: True}
    if spec["type"] in {"enum", "set"}:
        unwanted = value if isinstance(value, list) else [value]
        other = next(one for one in spec["values"] if one not in unwanted)
        return {fact: [other] if spec["type"] == "set" else other}
    if spec["type"] == "number" and when["op"] != "gt":
        return {fact: value + 1}
    return {fact: value if spec["type"] == "number" else not value}


def refusals(rule: dict[str, Any]) -> list[dict[str, Any]]:
    """For each part of a rule that must hold: facts that deny that part only."""
    parts = rule["when"].get("all", [rule["when"]])
    whole = firing(rule["when"])
    made = []
    for part in parts:
        if "any" in part:
            denied: dict[str, Any] = {}
            for one in part["any"]:
                denied |= refusing(one)
        elif "not" in part:
            denied = firing(part["not"])
            denied = {name: [*whole.get(name, []), *v] if isinstance(v, list) else v for name, v in denied.items()}
        else:
            denied = refusing(part)
            if part["op"] == "has_any" and SPECS[part["fact"]].get("open_world"):
                denied |= {part["fact"]: []}
        made.append(whole | denied)
    return made
