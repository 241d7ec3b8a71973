"""Which facts an incident's record states, and on what each rests. Pure; conflicts are kept, never resolved.

1. A fact comes from a claim that states it, from the record's own counts of dead and injured, or from readings.
2. A conditional claim states no fact. A claim that its author has replaced states none any more.
3. A reading is an assumption. A fact is taken from readings only when every reading of the incident states it; what
   only some assume is told as assumed, and stays unknown.
4. Values that differ all stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from app.incidents.bodies import Body
from schemas.records.v1.incident import IncidentClaimRecord

COUNTS = ("killed", "injured")


@dataclass(frozen=True, slots=True)
class Stated:
    """One value of a fact, and what it rests on."""

    fact: str
    value: JsonValue
    rests_on: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class StatedFacts:
    """All that is stated of one incident.

    Attributes:
        stated: values with what they rest on; a fact may have several.
        assumed: values that only some readings assume; they count as unknown.
    """

    stated: list[Stated] = field(default_factory=list)
    assumed: list[Stated] = field(default_factory=list)


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
            found.stated.append(Stated(name, count, {"kind": "record", "field": f"casualties.{name}"}))
    for claim, digest in claims:
        if claim.fact is not None and not claim.conditional and claim.value is not None:
            found.stated.append(Stated(claim.fact, claim.value, _claimed(claim, digest)))
    _read(readings, found)
    return found


def _read(readings: Mapping[str, Body], found: StatedFacts) -> None:
    facts = {ref: given for ref, body in readings.items() if isinstance(given := body.get("facts"), dict)}
    for name in dict.fromkeys(name for given in facts.values() for name in given):
        values = {ref: given.get(name) for ref, given in facts.items()}
        known = {ref: value for ref, value in values.items() if value is not None and value != "unknown"}
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
