"""Which provisions an incident may bear on: the rules evaluated over its facts. Pure: no session, clock or network.

1. A rule that is true suggests; one that is unknown makes its provisions possible, and what it lacks becomes evidence
   tasks; one that is false is silent. Nothing is guessed.
2. What a true rule says not to suggest outranks "candidate" and "check": the provision is suppressed, with the reason.
   Where another rule makes it a "lead", both are shown, and a lawyer is asked.
3. The same rules hold for every actor, and what speaks against is asked for with each suggestion.
4. A suggestion "may bear on" an incident. It never says more.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from app.law.suggestions_applicability import Applies, Days, Status, applies
from app.law.suggestions_facts import plain
from app.law.suggestions_logic import Facts, Need, Outcome, Truth, evaluate
from app.law.suggestions_rules import STRENGTHS, Rule, RuleBase, Strength, asks_for
from schemas.records.v1.provision import DRAFT_MARK, Provision

WORDING = "may bear on"
Document = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class _Voice:
    """What one rule says of one provision.

    Attributes:
        strength: with which it suggests it.
        outcome: how far the rule is true.
    """

    rule: Rule
    strength: Strength
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Ban:
    """Why a provision is not to be suggested; `rule` is None where it is its application that stops it."""

    rule: Rule | None
    why: str
    outcome: Outcome


class _Evaluation:
    """All rules over the facts, sorted by provision."""

    def __init__(
        self, facts: Facts, base: RuleBase, catalogue: Mapping[str, Provision], derived: Container[str] = ()
    ) -> None:
        self.facts, self.base, self.catalogue, self.derived = facts, base, catalogue, derived
        self.outcomes = {
            name: _without_sources(evaluate(rule.when, facts), derived)
            for name, rule in base.rules.items()
            if name not in base.switched_off
        }
        self.fired: dict[str, list[_Voice]] = {}
        self.open: dict[str, list[_Voice]] = {}
        self.bans: dict[str, list[_Ban]] = {}
        self.open_bans: dict[str, list[_Ban]] = {}
        for name, outcome in self.outcomes.items():
            if outcome.truth is not Truth.FALSE:
                self._sort(base.rules[name], outcome)

    def _sort(self, rule: Rule, outcome: Outcome) -> None:
        true = outcome.truth is Truth.TRUE
        voices, bans = (self.fired, self.bans) if true else (self.open, self.open_bans)
        for provision, strength in rule.suggest:
            voices.setdefault(provision, []).append(_Voice(rule, strength, outcome))
        for block in rule.do_not_suggest:
            bans.setdefault(block.provision, []).append(_Ban(rule, block.why, outcome))

    def told(self, names: Iterable[str]) -> Document:
        """Facts by name, as JSON; a list under `sources_differ` where no value is established."""
        shown: Document = {}
        for name in names:
            values = self.facts.get(name, ())
            spec = self.base.vocabulary[name]
            if name in self.derived and values:
                shown[name] = {"derived_between": [_json(plain(value, spec)) for value in values]}
            elif len(values) == 1:
                shown[name] = _json(plain(values[0], spec))
            elif values:
                shown[name] = {"sources_differ": [_json(plain(value, spec)) for value in values]}
        return shown


def suggest(
    facts: Facts,
    base: RuleBase,
    catalogue: Mapping[str, Provision],
    status: Status,
    days: Days | None = None,
    derived: Container[str] = (),
) -> Document:
    """What facts may bear on.

    Args:
        facts: possible values by name; see `suggestions_logic`.
        base: the rules, thresholds and what is switched off.
        catalogue: provisions by id.
        status: which instrument binds whom since when.
        days: when it happened, where that is known.
        derived: names of facts that nobody stated: their values are the bounds of what follows from the record.

    Returns:
        `suggest`, `suppressed`, `possible`, `ask_lawyer`; beside them `possible_blocks` (what would be suppressed if a
        further fact were shown), `tasks` (one per missing fact), `facts`, `conflicting_facts`, and with `rules`,
        `status` and `wording` what all of it rests on.
    """
    found = _Evaluation(facts, base, catalogue, derived)
    application = {name: _applies(found, name, status, days) for name in {**found.fired, **found.open}}
    for name, (one, _) in application.items():
        if one.stops is not None:
            found.bans.setdefault(name, []).append(_Ban(None, one.stops, Outcome(Truth.TRUE)))
    kept = [name for name in found.fired if name not in found.bans or _strongest(found.fired[name]) == "lead"]
    kept.sort(key=lambda name: STRENGTHS.index(_strongest(found.fired[name])))  # stable: rules' order within a strength
    in_doubt = [name for name in kept if name in found.bans]
    possible = [name for name in found.open if _still_possible(found, name)]
    possible.sort(key=lambda name: STRENGTHS.index(_strongest(found.open[name])))
    return {
        "wording": WORDING,
        "status": f"{DRAFT_MARK}; {base.status}",
        "rules": _rules_told(base),
        "facts": found.told(facts),
        "conflicting_facts": [name for name, values in facts.items() if len(values) > 1 and name not in derived],
        "suggest": [_suggested(found, name, application[name][0]) for name in kept],
        "suppressed": [_suppressed(found, name) for name in found.bans],
        "possible": [_possible(found, name, application[name][0]) for name in possible],
        "possible_blocks": [_possible_block(found, name) for name in found.open_bans],
        "ask_lawyer": [_asked(found, name) for name in in_doubt],
        "tasks": _tasks(found),
    }


def _applies(found: _Evaluation, name: str, status: Status, days: Days | None) -> tuple[Applies, str]:
    voices = found.fired.get(name, []) + found.open.get(name, [])
    decided = any(asks_for(voice.rule, "conflict_type") for voice in voices)
    return applies(found.catalogue[name], found.facts, days, status, type_decided=decided), name


def _strongest(voices: Sequence[_Voice]) -> Strength:
    return min((voice.strength for voice in voices), key=STRENGTHS.index)


def _still_possible(found: _Evaluation, name: str) -> bool:
    """Whether an unknown rule could still add something: a provision, or a greater strength."""
    coming = _strongest(found.open[name])
    if name in found.bans and coming != "lead":
        return False  # it would be suppressed: it is told there
    return name not in found.fired or STRENGTHS.index(coming) < STRENGTHS.index(_strongest(found.fired[name]))


# -- what is shown --------------------------------------------------------------------------------


def _suggested(found: _Evaluation, name: str, application: Applies) -> Document:
    voices = sorted(found.fired[name], key=lambda voice: STRENGTHS.index(voice.strength))
    open_needs = _needs(
        [voice.outcome for voice in found.open.get(name, [])] + [ban.outcome for ban in found.open_bans.get(name, [])]
    )
    return {
        **_named(found, name),
        "strength": voices[0].strength,
        "rules": [voice.rule.id for voice in voices],
        "reason": _joined(voice.rule.reason for voice in voices),
        "because": [_because(found, voice) for voice in voices],
        "facts_used": found.told(_unique(used for voice in voices for used in voice.outcome.used)),
        "facts_missing": list(_unique(need.fact for need in open_needs)),
        "counter_questions": _each(question for voice in voices for question in voice.rule.counter_questions),
        "exculpatory_to_seek": _each(seek for voice in voices for seek in voice.rule.exculpatory_to_seek),
        "suppressed_as_well": name in found.bans,
        "applicability": application.shown,
    }


def _suppressed(found: _Evaluation, name: str) -> Document:
    bans = found.bans[name]
    return {
        **_named(found, name),
        "why": _joined(ban.why for ban in bans),
        "rules": [ban.rule.id for ban in bans if ban.rule is not None],
        "facts_used": found.told(_unique(used for ban in bans for used in ban.outcome.used)),
        "suggested_by": [voice.rule.id for voice in found.fired.get(name, [])],
        "possible_by": [
            {"rule": voice.rule.id, "strength": voice.strength, "needs": _facts_of([voice.outcome])}
            for voice in found.open.get(name, [])
        ],
    }


def _possible(found: _Evaluation, name: str, application: Applies) -> Document:
    voices = sorted(found.open[name], key=lambda voice: STRENGTHS.index(voice.strength))
    fired = found.fired.get(name)
    return {
        **_named(found, name),
        "needs": _facts_of([voice.outcome for voice in voices]),
        "strength_if_shown": voices[0].strength,
        "already_suggested_as": None if not fired else _strongest(fired),
        "rules": [voice.rule.id for voice in voices],
        "ways": [
            {
                **_because(found, voice),
                "if": [_need(need) for need in voice.outcome.needs],
            }
            for voice in voices
        ],
        "suppressed_as_well": name in found.bans,
        "applicability": application.shown,
    }


def _possible_block(found: _Evaluation, name: str) -> Document:
    bans = found.open_bans[name]
    return {
        **_named(found, name),
        "why": _joined(ban.why for ban in bans),
        "rules": [ban.rule.id for ban in bans if ban.rule is not None],
        "needs": _facts_of([ban.outcome for ban in bans]),
        "suggested_now": name in found.fired and name not in found.bans,
    }


def _asked(found: _Evaluation, name: str) -> Document:
    leads = [voice for voice in found.fired[name] if voice.strength == "lead"]
    bans = found.bans[name]
    return {
        **_named(found, name),
        "lead_by": [voice.rule.id for voice in leads],
        "blocked_by": [ban.rule.id for ban in bans if ban.rule is not None],
        "for": _joined(voice.rule.reason for voice in leads),
        "against": _joined(ban.why for ban in bans),
    }


def _tasks(found: _Evaluation) -> list[JsonValue]:
    """One task per fact that some rule lacks, the most wanted first: by the strength that it could give."""
    wanted: dict[str, list[tuple[Rule, Need]]] = {}
    for name, outcome in found.outcomes.items():
        for need in outcome.needs:
            wanted.setdefault(need.fact, []).append((found.base.rules[name], need))
    made = [_task(found, fact, asked) for fact, asked in wanted.items()]
    made.sort(key=lambda pair: pair[0])
    return [task for _, task in made]


def _task(found: _Evaluation, fact: str, asked: list[tuple[Rule, Need]]) -> tuple[int, Document]:
    spec = found.base.vocabulary[fact]
    rules = [rule for rule, _ in asked]
    best = min((STRENGTHS.index(strength) for rule in rules for _, strength in rule.suggest), default=len(STRENGTHS))
    task: Document = {
        "fact": fact,
        "task": spec.task or f"Establish {fact}.",
        "meaning": spec.meaning,
        "values": list(spec.values),
        "sources_differ": any(need.differing for _, need in asked),
        "would_show": _each(f"{rule.id}: {need.wanted}" for rule, need in asked),
        "rules": _each(rule.id for rule in rules),
        "provisions": _each(provision for rule in rules for provision, _ in rule.suggest),
    }
    return best, task


def _rules_told(base: RuleBase) -> Document:
    return {
        "version": base.version,
        "sha256": base.sha256,
        "thresholds": {**base.thresholds},
        "thresholds_changed": base.thresholds != base.default_thresholds,
        "switched_off": [
            {"rule": name, "title": rule.title, "provisions": _each(provision for provision, _ in rule.suggest)}
            for name, rule in base.rules.items()
            if name in base.switched_off
        ],
    }


def _named(found: _Evaluation, name: str) -> Document:
    entry = found.catalogue[name]  # its official title stays there: some of them speak of what no output may say
    return {
        "provision": name,
        "instrument": entry.instrument,
        "article": entry.article,
        "confidence": entry.confidence,
        "verified_scope": entry.verified_scope,
    }


def _because(found: _Evaluation, voice: _Voice) -> Document:
    return {
        "rule": voice.rule.id,
        "title": voice.rule.title,
        "strength": voice.strength,
        "reason": voice.rule.reason,
        "facts": found.told(voice.outcome.used),
    }


def _without_sources(outcome: Outcome, derived: Container[str]) -> Outcome:
    """A derived fact has two bounds, not two sources."""
    needs = tuple(replace(need, differing=False) if need.fact in derived else need for need in outcome.needs)
    return replace(outcome, needs=needs)


def _need(need: Need) -> JsonValue:
    return {"fact": need.fact, "wanted": need.wanted, "sources_differ": need.differing}


def _needs(outcomes: Iterable[Outcome]) -> list[Need]:
    return [need for outcome in outcomes for need in outcome.needs]


def _facts_of(outcomes: Iterable[Outcome]) -> list[JsonValue]:
    return _each(need.fact for need in _needs(outcomes))


def _each(texts: Iterable[str]) -> list[JsonValue]:
    return list(_unique(texts))


def _joined(texts: Iterable[str]) -> str:
    return " ".join(_unique(texts))


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _json(value: bool | float | str | list[str]) -> JsonValue:  # noqa: FBT001 - a value
    return [*value] if isinstance(value, list) else value
