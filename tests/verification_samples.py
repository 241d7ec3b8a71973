"""Verification records in which nobody is real, and nothing happened."""

from __future__ import annotations

from typing import Any

SUN = {"lat": "46.635", "lon": "32.617", "at": "2025-07-06T06:30:00Z", "observed_shadow_direction": "270"}
REASONING = "The tower, the wall and the crossing stand in this order only here."


def place(kind: str, ref: str, **changed: object) -> dict[str, Any]:
    """A geolocation of an item or incident."""
    return {
        "about": {"kind": kind, "ref": ref},
        "position": {"lat": "46.635", "lon": "32.617", "precision": "building", "uncertainty_m": 25},
        "method": "landmarks",
        "landmarks": [{"feature": "water tower", "segment": "12.5@310,40,60,200", "map_reference": "tower, north"}],
        "imagery": [{"source": "satellite picture", "date": "2025-06-30"}],
        "sun": [dict(SUN)],
        "reasoning": REASONING,
        **changed,
    }


def time(kind: str, ref: str, **changed: object) -> dict[str, Any]:
    """A chronolocation."""
    return {
        "about": {"kind": kind, "ref": ref},
        "interval": {"earliest": "2025-07-06T06:00:00Z", "latest": "2025-07-06T07:00:00Z"},
        "precision": "hour",
        "method": "shadows",
        "sun": [dict(SUN)],
        "reasoning": "The shadow of the tower points west.",
        **changed,
    }


def same_truck(first: str, second: str, **changed: object) -> dict[str, Any]:
    """A corroboration: a drone video and a photo of the same truck."""
    return {
        "items": [{"item": first, "segment": "12.5-19@10,20,300,200"}, {"item": second, "segment": "0,0,640,480"}],
        "relation": "same_object",
        "common": "The dent in the left door, the number on the roof.",
        "differs": "Searched for differences; none was found.",
        "reasoning": "Both show the truck from the left.",
        **changed,
    }


def reviewed(kind: str, ref: str, **changed: object) -> dict[str, Any]:
    """A stated decision that all was reviewed."""
    return {
        "about": {"kind": kind, "ref": ref},
        "step": "reviewed",
        "holds": True,
        "contradicts": "The denial of the ministry was read.",
        "reasoning": "Each record was repeated.",
        **changed,
    }


def attribution(ref: str, **changed: object) -> dict[str, Any]:
    """An attribution of an incident."""
    return {
        "incident": ref,
        "actor": "armed forces of party A",
        "standard": "reasonable_basis",
        "supports": [{"kind": "source", "ref": "report 1", "says": "the unit was there"}],
        "contradicts": [],
        "contradicts_search": "Statements of both parties of that week: nothing.",
        "reasoning": "Nobody else flew there.",
        **changed,
    }
