"""A small file of incidents in which nobody is real."""

from __future__ import annotations

from typing import Any

REF = "INC-A"


def body(**changed: object) -> dict[str, Any]:
    """An incident: a fire engine that comes to a first strike is hit by a second one."""
    return {
        "title": "Petrol station, then fire engine",
        "date": {"value": "2025-07-06", "precision": "exact_day", "year_in_text": False, "year_basis": "the month"},
        "time": {"value": None, "precision": "unknown"},
        "place": {"text": "a petrol station", "city": "Town A", "precision": "city"},
        "sequence": [
            {"n": 1, "target": "petrol station", "method": "drone", "result": "hit"},
            {"n": 2, "target": "fire engine", "method": "drone", "result": "damaged"},
        ],
        "casualties": {"killed": 0, "injured": 0, "persons": [{"name": "Sample Person", "role": "driver"}]},
        "statements": ["ST-CAPTION"],
        **changed,
    }


def document() -> dict[str, Any]:
    """A file with two incidents and what belongs to them."""
    facts = {"conflict_type": "iac", "targets": ["fire_rescue_vehicle"], "directed_at_target": True, "killed": 0}
    return {
        "seed": {"path": "a.txt", "publisher": "Paper A"},
        "incidents": [{"id": REF, **body()}, {"id": "INC-B", "title": "Another", "date": {"value": "2025-08"}}],
        "aggregates": [
            {"id": "AGG-1", "claim": "16 attacks in July", "value": 16, "includes": [REF]},
            {"id": "AGG-2", "claim": "three times more than in June", "value": None},
        ],
        "statements": [
            {"id": "ST-CAPTION", "speaker": "brigade (unnamed)", "summary": "The vehicle was the aim, not people."},
            {"id": "ST-DENIAL", "speaker": "Ministry A", "summary": "Only military aims.", "kind": "denial"},
            {"id": "ST-OTHER", "speaker": "Expert A", "summary": "An opinion.", "kind": "expert opinion"},
        ],
        "organisations": [{"name": "Service A", "role": "rescue service"}],
        "internal_tensions": [{"id": "IT1", "text": "The caption and the denial."}],
        "rule_base_cases": [{"id": "RC-A", "incident": REF, "facts": facts}],
        "remarks": ["kept as they are", {"n": 1}],
    }
