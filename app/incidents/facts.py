"""Which facts an incident's record states, and on what each rests. Pure; conflicts are kept, never resolved.

1. A fact comes from a claim that states it, from the record's own counts of dead and injured, or from readings.
2. A conditional claim states no fact. A claim that its author has replaced states none any more.
3. A reading is an assumption. A fact is taken from readings only when every reading of the incident states it; what
   only some assume is told as assumed, and stays unknown.
4. Values that differ all stay.
5. A claim may be about one target or one strike. What it states holds for no other, and not for the incident as a
   whole. What is said of the whole holds for each part, beside what is said of the part itself: neither outranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from app.incidents.bodies import Body, count_sources, targets_of
from schemas.records.v1.incident import IncidentClaimRecord

COUNTS = ("killed", "injured")
UNKNOWN = "unknown"
"""What may be stated of any fact, and states nothing."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of an incident: a strike by its number, a target by its id, both, or neither: the incident as a whole."""

    strike: int | None = None
    target: str | None = None

    def sees(self, said: Scope) -> bool:
        """Whether what is said of that part holds for this one."""
        return said.strike in {None, self.strike} and said.target in {None, self.target}

    def as_json(self) -> dict[str, JsonValue]:
        """For interfaces and records."""
        return {"strike": self.strike, "target": self.target}


WHOLE = Scope()


@dataclass(frozen=True, slots=True)
class Stated:
    """One value of a fact, what it rests on, and of which part of the incident it is said."""

    fact: str
    value: JsonValue
    rests_on: dict[str, JsonValue]
    scope: Scope = WHOLE

    def as_json(self) -> dict[str, JsonValue]:
        """For interfaces and records; the part only where it is not the whole."""
        part = {} if self.scope == WHOLE else self.scope.as_json()
        return {"fact": self.fact, "value": self.value, "rests_on": self.rests_on, **part}


@dataclass(frozen=True, slots=True)
class StatedFacts:
    """All that is stated of one incident.

    Attributes:
        stated: of the incident as a whole, values with what they rest on; a fact may have several.
        of_parts: the same of one target or strike.
        assumed: values that only some readings assume; they count as unknown.
    """

    stated: list[Stated] = field(default_factory=list)
    assumed: list[Stated] = field(default_factory=list)
    of_parts: list[Stated] = field(default_factory=list)

    def of(self, scope: Scope) -> list[Stated]:
        """All that holds for a part, or for the incident as a whole."""
        return [*self.stated, *(one for one in self.of_parts if scope.sees(one.scope))]


def stated_facts(
    body: Body, readings: Mapping[str, Body], claims: Sequence[tuple[IncidentClaimRecord, str]]
) -> StatedFacts:
    """The facts of one incident.

    Args:
        body: of its newest version.
        readings: bodies by ref.
        claims: each with the SHA-256 of its record; those that were replaced left out.
    """
    found = StatedFacts()
    casualties = body.get("casualties")
    for name in COUNTS:
        count = casualties.get(name) if isinstance(casualties, dict) else None
        if count is not None:
            sources: list[JsonValue] = [one.model_dump(mode="json") for one in count_sources(body)]
            rests_on: dict[str, JsonValue] = {"kind": "record", "field": f"casualties.{name}"}
            found.stated.append(Stated(name, count, {**rests_on, **({"rests_on": sources} if sources else {})}))
    for claim, digest in claims:
        if claim.fact is not None and not claim.conditional and claim.value is not None and claim.value != UNKNOWN:
            scope = Scope(claim.strike, claim.target)
            said = Stated(claim.fact, claim.value, _claimed(claim, digest), scope)
            (found.stated if scope == WHOLE else found.of_parts).append(said)
    _read(readings, found)
    return found


def parts_of(body: Body, facts: StatedFacts) -> list[Scope]:
    """The parts of an incident of which rules are asked: each target at each of its strikes, and what else claims name.

    Everything that is said of a part holds for one of these at least.
    """
    found = list(dict.fromkeys(Scope(strike, one.id) for one in targets_of(body) for strike in one.strikes or (None,)))
    for said in facts.of_parts:
        if not any(one.sees(said.scope) for one in found):
            found.append(said.scope)
    return found


def _read(readings: Mapping[str, Body], found: StatedFacts) -> None:
    facts = {ref: given for ref, body in readings.items() if isinstance(given := body.get("facts"), dict)}
    for name in dict.fromkeys(name for given in facts.values() for name in given):
        values = {ref: given.get(name) for ref, given in facts.items()}
        known = {ref: value for ref, value in values.items() if value is not None and value != UNKNOWN}
        for ref, value in known.items():
            one = Stated(name, value, {"kind": "reading", "ref": ref})
            (found.stated if len(known) == len(values) else found.assumed).append(one)


def _claimed(claim: IncidentClaimRecord, digest: str) -> dict[str, JsonValue]:
    return {
        "kind": claim.kind,
        "claim": claim.claim,
        "ref": claim.ref,
        "speaker": claim.speaker,
        "record_sha256": digest,
        "rests_on": [one.model_dump(mode="json") for one in claim.rests_on],
    }
