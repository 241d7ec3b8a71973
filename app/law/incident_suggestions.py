"""What an incident of the archive may bear on: the facts that its record states, through the rules, nothing added.

Every fact is shown with what it rests on. What only some readings assume, and what sources differ on, is told as that.
What is said of one target or strike is asked of that part alone: the rules never see it beside what is said of another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from pydantic import JsonValue

from app.access.service import Principal
from app.archive import Archive
from app.errors import InvalidInputError
from app.incidents.double_tap import Limits
from app.incidents.facts import WHOLE, Scope, Stated, parts_of
from app.incidents.models import IncidentEntry
from app.incidents.service import Assessed, Incidents, require_part
from app.law.derived_facts import derived_facts
from app.law.rule_care import RuleCare
from app.law.signoffs import standings
from app.law.suggestions import suggest
from app.law.suggestions_applicability import Days, packaged_status
from app.law.suggestions_facts import UNKNOWN, FactSpec, fact_value, united
from app.law.suggestions_logic import Facts, Value
from app.law.suggestions_rules import RuleBase, packaged_rules
from app.law.versions import Catalogues
from schemas.records.v1.provision import Provision

_DECIMAL = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


def check_facts(facts: dict[str, JsonValue]) -> None:
    """Refuse facts that the vocabulary does not know; what is unknown may be stated as such.

    Raises:
        InvalidInputError: `unknown_fact`, `unknown_fact_value`, `bad_fact_value`.
    """
    for name, value in facts.items():
        spec = _spec(name)
        if value is not None and value != UNKNOWN:
            _value(spec, value)


Held = Callable[[IncidentEntry, Scope], dict[str, tuple[JsonValue, str]]]
"""Facts on which sources differ and a signed-off decision holds one value: that value, and the decision's ref."""
MAX_PARTS = 100  # of one answer; each asks all rules once more
_SHORT = ("provision", "article", "strength", "rules", "reason", "why", "needs", "for", "against", "fact", "task")


class IncidentSuggestions:
    """Suggestions for the incidents of one archive."""

    def __init__(
        self,
        archive: Archive,
        incidents: Incidents,
        catalogues: Catalogues,
        rules: RuleCare,
        held: Held | None = None,
    ) -> None:
        """Bind to an archive; decisions on conflicts lie above this room and are handed in."""
        self._archive = archive
        self._incidents = incidents
        self._catalogues = catalogues
        self._rules = rules
        self._held = held

    def of(
        self,
        who: Principal,
        name: str,
        without: Iterable[str] = (),
        thresholds: Mapping[str, float] | None = None,
        days: Days | None = None,
        case_id: str | None = None,
        scope: Scope = WHOLE,
    ) -> dict[str, JsonValue]:
        """What an incident may bear on; see `suggestions.suggest` for the answer.

        Args:
            who: the reader.
            name: UUID or id for people.
            without: rules that are left out of this answer, beside those that a lawyer switched off.
            thresholds: other ones for this answer.
            days: when it happened, instead of what the incident says.
            case_id: of this case only.
            scope: asked of this target, this strike, or both.

        Raises:
            NotFoundError: `unknown_incident`, `unknown_target`, `unknown_strike`.
            DeniedError: `not_allowed`.
            InvalidInputError: `unknown_rule`, `unknown_threshold`, `bad_threshold`.
        """
        return self.about(self._incidents.assessed(who, name, case_id), without, thresholds, days, scope)

    def about(
        self,
        found: Assessed,
        without: Iterable[str] = (),
        thresholds: Mapping[str, float] | None = None,
        days: Days | None = None,
        scope: Scope = WHOLE,
    ) -> dict[str, JsonValue]:
        """The same of an incident that its reader was let to see already."""
        care = self._rules.in_force()
        base = care.base.with_thresholds(thresholds or {}).without(without)
        parts = parts_of(found.view.record.body, found.facts)
        if scope not in parts:
            require_part(found.view.record.body, scope)
        document = self._asked(found, scope, base, days)
        document["rules"] = {**_object(document["rules"]), **care.told()}
        if scope == WHOLE:
            document["by_part"] = [_short(self._asked(found, one, base, days)) for one in parts[:MAX_PARTS]]
            document["parts_not_asked"] = [one.as_json() for one in parts[MAX_PARTS:]]
        return document

    def _asked(self, found: Assessed, scope: Scope, base: RuleBase, days: Days | None) -> dict[str, JsonValue]:
        version, catalogue = self._catalogues.current()
        stated = found.facts.of(scope)
        held = {} if self._held is None else self._held(found.view.entry, scope)
        decided = {fact: (_value(_spec(fact), value),) for fact, (value, _) in held.items()}
        facts = united({**gathered(stated), **decided}, base.vocabulary)
        when = days or (None if found.days is None else Days(*found.days))
        limits = Limits(base.thresholds["double_tap_minutes"], base.thresholds["double_tap_metres"])
        body = found.view.record.body
        derived = derived_facts(found.view.entry.ref, body, facts, limits)
        whole = {name: values for name in base.vocabulary if (values := {**derived.facts, **facts}.get(name))}
        document = suggest(whole, base, catalogue.provisions, packaged_status(), when, derived.facts)
        self._mark(document, version, catalogue.provisions)
        return {
            "incident": found.view.entry.id,
            "ref": found.view.entry.ref,
            "incident_version": found.view.record.number,
            "incident_sha256": found.view.sha256,
            "catalogue_version": version,
            "scope": scope.as_json(),
            "facts_rest_on": [one.as_json() for one in stated],
            "said_of_other_parts": [one.as_json() for one in found.facts.of_parts if not scope.sees(one.scope)],
            "derived_facts": derived.told,
            "assumed_by_some_readings": [one.as_json() for one in found.facts.assumed],
            "decided_conflicts": [
                {"fact": fact, "held": value, "decision": ref} for fact, (value, ref) in held.items()
            ],
            **document,
        }

    def _mark(self, document: dict[str, JsonValue], version: int, catalogue: Mapping[str, Provision]) -> None:
        """Say of each provision whether its entry is signed off in this version of the catalogue."""
        with self._archive.db.read() as session:
            found = standings(session, version, catalogue)
        for part in ("suggest", "suppressed", "possible", "possible_blocks", "ask_lawyer"):
            listed = document[part]
            for one in listed if isinstance(listed, list) else []:
                if isinstance(one, dict):
                    one["entry_status"] = found[str(one["provision"])].status


def _object(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def gathered(stated: list[Stated]) -> Facts:
    """The possible values of each fact, each once; a fact with several is one on which sources differ."""
    found: dict[str, list[Value]] = {}
    for one in stated:
        value = _value(_spec(one.fact), one.value)
        values = found.setdefault(one.fact, [])
        if value not in values:
            values.append(value)
    return {name: tuple(found[name]) for name in packaged_rules().vocabulary if name in found}


def _short(document: dict[str, JsonValue]) -> JsonValue:
    """The answer for a part in short: what is suggested, suppressed, possible, still to be shown, and from what."""
    told: dict[str, JsonValue] = {**_object(document["scope"])}
    for name in ("suggest", "suppressed", "possible", "ask_lawyer", "tasks"):
        listed = document[name]
        told[name] = [
            {key: one[key] for key in _SHORT if key in one}
            for one in (listed if isinstance(listed, list) else [])
            if isinstance(one, dict)
        ]
    return told | {
        name: document[name] for name in ("facts", "conflicting_facts", "facts_rest_on", "decided_conflicts")
    }


def _spec(name: str) -> FactSpec:
    spec = packaged_rules().vocabulary.get(name)
    if spec is None:
        raise InvalidInputError("unknown_fact", f"there is no fact {name[:64]!r} in this version of the rules")
    return spec


def _value(spec: FactSpec, given: JsonValue) -> Value:
    """A value as the record writes it: records hold no floats, so a number may be decimal text."""
    if spec.type == "number" and isinstance(given, str) and _DECIMAL.fullmatch(given):
        return float(given)
    return fact_value(spec, given)
